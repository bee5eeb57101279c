//! The contents of a disk; copies share equal pages.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::log::{Entry, Log};

const PAGE: usize = 4096;

type Page = [u8; PAGE];

/// The nonzero pages of a disk.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
    /// A hash of all pages, independent of the order of the writes.
    hash: u64,
}

impl Image {
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let mut image = Self { len, pages: BTreeMap::new(), hash: 0 };
        let mut piece = vec![0; 256 * PAGE];
        let mut at = 0;
        while at < len {
            let count = file.read_at(&mut piece, at)?;
            if piece[..count].iter().any(|byte| *byte != 0) {
                image.write(at, &piece[..count]);
            }
            at += count as u64;
        }
        Ok(image)
    }

    /// Returns a number that images with the same contents share.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.each_page(offset, bytes.len() as u64, |page, within, done| {
            let end = done + within.len();
            page[within].copy_from_slice(&bytes[done..end]);
        });
    }

    pub(crate) fn zero(&mut self, offset: u64, len: u64) {
        let whole = offset.div_ceil(PAGE as u64)..(offset + len) / PAGE as u64;
        let is_there: Vec<u64> =
            self.pages.range(offset / PAGE as u64..).map(|(k, _)| *k).collect();
        for index in is_there.into_iter().take_while(|i| i * (PAGE as u64) < offset + len)
        {
            if whole.contains(&index) {
                self.replace(index, None);
            } else {
                let start = offset.max(index * PAGE as u64);
                let end = (offset + len).min((index + 1) * PAGE as u64);
                self.each_page(start, end - start, |page, within, _| {
                    page[within].fill(0)
                });
            }
        }
    }

    /// Applies a whole request of a log.
    pub(crate) fn apply(&mut self, log: &Log, entry: Entry) {
        match entry {
            Entry::Write { offset, .. } => self.write(offset, log.bytes(entry)),
            Entry::Zero { offset, len } => self.zero(offset, len),
            Entry::Flush => {}
        }
    }

    /// Writes the disk to a new file.
    pub(crate) fn save(&self, path: &Path) -> io::Result<File> {
        let mut options = File::options();
        let file =
            options.read(true).write(true).create(true).truncate(true).open(path)?;
        file.set_len(self.len)?;
        for (index, page) in &self.pages {
            file.write_all_at(page.as_slice(), index * PAGE as u64)?;
        }
        Ok(file)
    }

    /// Calls `change` with each page of a range, the range in the page, and the bytes before it.
    fn each_page(
        &mut self,
        offset: u64,
        len: u64,
        mut change: impl FnMut(&mut Page, Range<usize>, usize),
    ) {
        let mut done = 0;
        while done < len {
            let at = offset + done;
            let start = usize::try_from(at % PAGE as u64).unwrap_or(0);
            let count = (PAGE - start).min(usize::try_from(len - done).unwrap_or(PAGE));
            let index = at / PAGE as u64;
            let mut page = self.pages.get(&index).map_or([0; PAGE], |page| **page);
            change(&mut page, start..start + count, usize::try_from(done).unwrap_or(0));
            self.replace(index, Some(page));
            done += count as u64;
        }
    }

    fn replace(&mut self, index: u64, page: Option<Page>) {
        if let Some(old) = self.pages.remove(&index) {
            self.hash ^= hash(index, &old);
        }
        if let Some(page) = page.filter(|page| page.iter().any(|byte| *byte != 0)) {
            self.hash ^= hash(index, &page);
            self.pages.insert(index, Arc::new(page));
        }
    }
}

fn hash(index: u64, page: &Page) -> u64 {
    let mut hasher = DefaultHasher::new();
    (index, page.as_slice()).hash(&mut hasher);
    hasher.finish()
}
