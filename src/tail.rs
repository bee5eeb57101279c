//! The end of a file whose array grows: room ahead of it, and cutting that off again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::address::FOLIO;
use crate::pages::Pages;
use crate::{Result, space};

/// How much space is reserved ahead at least.
const LEAST_RESERVED: u64 = 1 << 20;
/// And at most.
const MOST_RESERVED: u64 = 1 << 28;
/// How much longer a file is made at least, without space, before rows are counted.
const LEAST_REACH: u64 = if cfg!(test) { 1 << 22 } else { 1 << 30 };

/// What a file has beyond the array that grows in it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Where the array ends.
    end: u64,
    /// Where the file ends instead, on disk too; 0 if it ends with the array.
    reach: AtomicU64,
    /// Up to where space on the disk is reserved.
    reserved: u64,
    /// The process that made it so; a child that was forked leaves it alone.
    owner: u32,
}

impl Tail {
    /// Returns where the file ends, if it does not end with the array.
    pub(crate) fn reach(&self) -> Option<u64> {
        Some(self.reach.load(Ordering::Relaxed)).filter(|reach| *reach > 0)
    }

    /// Tells whether rows up to `end` have their space, and are within the file.
    pub(crate) fn is_provided(&self, end: u64) -> bool {
        self.reach().is_some() && end <= self.reserved
    }

    /// Notes that the array ends elsewhere now, and that this process sees to the file.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.end = end;
        self.owner = process::id();
    }

    /// Makes the file end with the array again.
    pub(crate) fn trim(&self, file: &File) -> io::Result<()> {
        if self.reach().is_none() || self.owner != process::id() {
            return Ok(());
        }
        let reach = self.reach.swap(0, Ordering::Relaxed);
        // What somebody else has put there is not cut off.
        if file.metadata()?.len() == reach { file.set_len(self.end) } else { Ok(()) }
    }
}

impl Pages {
    /// Makes the file longer, also on disk, so that the array can grow from `from` to `end`.
    ///
    /// What counts the rows may then say so at any time: whether or not it comes to disk
    /// before the rows do, they lie within the file. The length takes no space; that is
    /// reserved in steps, so that a store finds it whatever else fills the disk.
    ///
    /// An error leaves the file as long as its array.
    pub(crate) fn provide(&mut self, from: u64, end: u64, path: &Path) -> Result<()> {
        if self.tail.is_provided(end) {
            return Ok(());
        }
        let provided = self.lengthen(from, end, path).and_then(|()| {
            self.reserve(end).map_err(space::refusal("extend", end, path))
        });
        if provided.is_err() {
            // The error is the one to report.
            let _ = self.trim();
        }
        provided
    }

    /// Makes the file end with the array, whichever process has made it longer.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        self.tail.owner = process::id();
        self.file().map_or(Ok(()), |file| self.tail.trim(file))
    }

    fn lengthen(&mut self, from: u64, end: u64, path: &Path) -> Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        if self.tail.reach().is_some_and(|reach| end <= reach) {
            return Ok(());
        }
        let reach = end.saturating_add(end.max(LEAST_REACH));
        space::check_seals(file, true, true)
            .and_then(|()| space::check_limit(reach))
            .and_then(|()| file.set_len(reach))
            .map_err(space::refusal("extend", end, path))?;
        if self.tail.reach().is_none() {
            self.tail.end = from;
            self.tail.reserved = from;
        }
        *self.tail.reach.get_mut() = reach;
        self.tail.owner = process::id();
        self.sync_data(path)
    }

    /// Reserves space up to `end` and half as much more as there is.
    fn reserve(&mut self, end: u64) -> io::Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        let ahead = (end / 2).clamp(LEAST_RESERVED, MOST_RESERVED);
        let far = end.saturating_add(ahead);
        // The page cache has pieces of up to so much, each of which wants its space as one.
        let folio = u64::try_from(FOLIO).map_err(io::Error::other)?;
        let far = far.checked_next_multiple_of(folio).unwrap_or(far);
        // Beyond its length the file would become longer.
        let far = far.min(self.tail.reach().unwrap_or(far));
        if !space::reserve(file, self.tail.reserved, far)? {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.tail.reserved = far;
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::Advice;
    use crate::file::Stamp;
    use crate::sys::file_system::FileSystem;

    #[test]
    fn the_file_is_as_long_as_was_made_known_until_it_is_cut() {
        let file = tempfile::tempfile().unwrap();
        if !FileSystem::of(&file).stores_in_place {
            return;
        }
        let stamp = Stamp::of(&file.metadata().unwrap());
        let kept = file.try_clone().unwrap();
        let mut pages = Pages::new(None, Some(kept), Advice::Normal, stamp);
        let len = || file.metadata().unwrap().len();
        let mut reaches = Vec::new();
        let mut from = 0;
        for end in (1..40_u64).map(|half| half << 19) {
            pages.provide(from, end, Path::new("")).unwrap();
            assert!(pages.tail.is_provided(end));
            assert_eq!(pages.tail.reach(), Some(len()), "up to {end}");
            pages.tail.set_end(end);
            reaches.push(len());
            from = end;
        }
        reaches.dedup();
        assert!(reaches.len() > 2, "{reaches:?}");
        pages.trim().unwrap();
        assert_eq!((len(), pages.tail.reach()), (from, None));
        pages.provide(from, from.saturating_add(1), Path::new("")).unwrap();
        drop(pages);
        assert_eq!(len(), from, "also when dropped");
    }
}
