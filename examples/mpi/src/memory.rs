//! Reads from `/proc/self/smaps` which part of a file this process has mapped.

use std::fs;
use std::io::{Error, Result};
use std::ops::Range;
use std::path::Path;

/// The mappings of a file, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) len: u64,
    /// Resident bytes, in the page tables of this process.
    pub(crate) resident: u64,
}

impl Mapped {
    /// Adds up the mappings of a file.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let path = fs::canonicalize(path)?;
        let path = path.to_str().ok_or_else(|| Error::other("the path is not UTF-8"))?;
        let mut mapped = Self::default();
        let mut is_of_file = false;
        for line in fs::read_to_string("/proc/self/smaps")?.lines() {
            let mut words = line.split_ascii_whitespace();
            let (key, number) = (words.next(), words.next());
            match (key, number.and_then(|number| number.parse::<u64>().ok())) {
                (Some("Size:"), Some(kib)) if is_of_file => mapped.len += kib << 10,
                (Some("Rss:"), Some(kib)) if is_of_file => mapped.resident += kib << 10,
                // Addresses, rights, offset, device, inode and path.
                (Some(key), _) if !key.ends_with(':') => {
                    is_of_file = line.ends_with(path)
                }
                _ => {}
            }
        }
        Ok(mapped)
    }

    /// Returns an error unless exactly the pages of `bytes` are mapped, or if too much is resident.
    pub(crate) fn expect(self, bytes: &Range<u64>) -> Result<Self> {
        let page = u64::try_from(rustix::param::page_size()).map_err(Error::other)?;
        let pages = bytes.start / page * page..bytes.end.next_multiple_of(page);
        let len = if bytes.is_empty() { 0 } else { pages.end - pages.start };
        let most = (bytes.end - bytes.start) + (1 << 20);
        if self.len != len || self.resident > most {
            let Self { len: mapped, resident } = self;
            return Err(Error::other(format!(
                "bytes {bytes:?} are {len} in whole pages, but {mapped} are mapped, \
                 {resident} of them in memory"
            )));
        }
        Ok(self)
    }
}
