//! Ranges of mapped pages: advice and queries to the kernel about them.
//!
//! All ranges count bytes from the first byte of the array. Ranges are checked against the mapping
//! here: neither memmap2 nor the kernel knows where the array ends.

use std::{io, ops::Range};

use memmap2::MmapRaw;

use super::{Backing, Mapping};
use crate::file::bytes_of;
use crate::layout::Footprint;
use crate::mode::{Advice, Mode};
use crate::sys::{self, FOLIO, ReadAlias};

impl Mapping {
    /// Returns the ranges of mapped bytes, whole pages, that elements touch.
    pub(crate) fn touched(&self, footprint: &Footprint) -> Vec<Range<usize>> {
        let start = self.as_mut_ptr().addr();
        let len = self.map().map_or(0, |_| self.len());
        footprint.pages(start..start.saturating_add(len), sys::page_size())
    }

    /// Passes advice about pages to the kernel.
    pub(crate) fn advise(&self, range: &Range<usize>, advice: Advice) -> io::Result<()> {
        sys::advise(&self.addresses(range)?, advice)
    }

    /// Starts to read pages that are not cached.
    pub(crate) fn request(&self, range: &Range<usize>) -> io::Result<()> {
        sys::request(&self.addresses(range)?)
    }

    /// Reads pages that are not cached and puts all pages into the page table.
    pub(crate) fn populate(&self, range: &Range<usize>) -> io::Result<()> {
        sys::populate(&self.addresses(range)?)
    }

    /// Evicts unchanged pages from memory, and from the page cache.
    pub(crate) fn page_out(&self, range: &Range<usize>) -> io::Result<()> {
        sys::page_out(&self.addresses(range)?)
    }

    /// Calls `each` for every run of pages that are all cached, or all not.
    pub(crate) fn residency(
        &self,
        range: &Range<usize>,
        mut each: impl FnMut(Range<usize>, bool),
    ) -> io::Result<()> {
        let each = |run: Range<usize>, is_cached| each(self.range_of(&run), is_cached);
        sys::residency(&self.addresses(range)?, each)
    }

    /// Returns the addresses of a range of the mapping; none if nothing is mapped.
    pub(crate) fn addresses(&self, range: &Range<usize>) -> io::Result<Range<usize>> {
        let Some(map) = self.bounded(range)? else { return Ok(0..0) };
        let base = map.as_mut_ptr().addr();
        Ok(base.saturating_add(range.start)..base.saturating_add(range.end))
    }

    /// Returns the range of the array at some addresses.
    pub(crate) fn range_of(&self, addresses: &Range<usize>) -> Range<usize> {
        let base = self.as_mut_ptr().addr();
        addresses.start.saturating_sub(base)..addresses.end.saturating_sub(base)
    }

    /// Returns the mapping of a file, if there is one, that holds a range of bytes.
    pub(super) fn bounded(&self, range: &Range<usize>) -> io::Result<Option<&MmapRaw>> {
        match self.map() {
            Some(_) if range.start > range.end || range.end > self.len() => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            map => Ok(map.filter(|_| !range.is_empty())),
        }
    }

    /// Returns the addresses of an array that is large enough for an alias.
    fn addresses_to_alias(&self) -> Option<Range<usize>> {
        let is_large = self.len() >= FOLIO && self.map().is_some();
        is_large.then(|| self.addresses(&(0..self.len())).ok()).flatten()
    }
}

impl Backing {
    /// Unmaps pages without losing a private change.
    ///
    /// The bytes stay as they are: the page cache has them, or the file.
    pub(crate) fn unmap(&self, range: &Range<usize>) -> io::Result<()> {
        match self.mode {
            Mode::CopyOnWrite => self.mapping.unmap_private(range),
            _ => self.mapping.unmap_shared(range),
        }
    }

    /// Maps all pages of a large array a second time, for reading.
    ///
    /// For a private mapping, or one with pages that are locked in memory, `map` makes the alias.
    /// That alias is a shared mapping of the same number of bytes of the file.
    pub(crate) fn alias(
        &self,
        map: impl FnOnce(usize) -> Option<MmapRaw>,
    ) -> Option<ReadAlias> {
        let copies = self.mode != Mode::CopyOnWrite && !self.is_locked();
        let addresses = self.mapping.addresses_to_alias().filter(|_| copies);
        let alias =
            addresses.and_then(|addresses| ReadAlias::of(&addresses, self.offset));
        alias.or_else(|| self.alias_of(map))
    }

    /// Makes an alias through `map` alone, which does not keep the file of the mapping alive.
    pub(crate) fn alias_of(
        &self,
        map: impl FnOnce(usize) -> Option<MmapRaw>,
    ) -> Option<ReadAlias> {
        let addresses = self.mapping.addresses_to_alias()?;
        ReadAlias::from_mapping(map(self.mapping.len())?, &addresses, self.offset)
    }

    /// Locks pages in memory until they are unlocked or unmapped.
    pub(crate) fn lock_pages(&self, range: &Range<usize>) -> io::Result<()> {
        let addresses = self.mapping.addresses(range)?;
        if addresses.is_empty() {
            return Ok(());
        }
        self.note_lock();
        sys::lock_pages(&addresses)
    }

    /// Unlocks pages.
    pub(crate) fn unlock_pages(&self, range: &Range<usize>) -> io::Result<()> {
        let addresses = self.mapping.addresses(range)?;
        if addresses.is_empty() { Ok(()) } else { sys::unlock_pages(&addresses) }
    }

    /// Notes whether the process locks all pages that it maps (`mlockall`).
    ///
    /// If so, the kernel has copied the pages of a private mapping. The pages stay copies after the
    /// process unlocks them.
    pub(crate) fn note_locked_process(&self) {
        let Some(map) = self.mapping.map() else { return };
        if sys::locks_new_pages(map.as_mut_ptr().addr()) {
            self.note_lock();
        }
    }

    /// Starts to write changed pages to the file.
    pub(crate) fn start_sync(&self, range: &Range<usize>) -> io::Result<()> {
        if let Some(file) = self.file.as_ref().filter(|_| sys::SYNCS_RANGES) {
            let bytes = bytes_of(range, self.offset);
            return self.note_loss(|| sys::start_writeback(file, &bytes));
        }
        let Some(map) = self.mapping.bounded(range)? else { return Ok(()) };
        map.flush_async_range(range.start, range.len())
    }

    /// Waits until pages are written whose writing has started.
    ///
    /// This is no sync: the drive may still hold the bytes in its cache.
    pub(crate) fn finish_write(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let bytes = bytes_of(range, self.offset);
        let wait = || match sys::wait_for_writeback(file, &bytes)? {
            true => Ok(()),
            // The file system ignored the call, and has not started to write either.
            false => match self.mapping.bounded(range)? {
                Some(map) => map.flush_range(range.start, range.len()),
                None => Ok(()),
            },
        };
        self.between_syncs(|| self.note_loss(wait))
    }
}
