//! The bytes of a file beyond its growing array: their length, their blocks, and the mark.

use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs::File, io};

use super::mark::{LAST_HOLE, MARK_LEN, clear_mark, mark, marked_length};
use super::{FileEnd, allocate};
use crate::sys::{self, FileSystem, process_number, space};

/// The least number of bytes to allocate ahead.
const LEAST_ALLOCATED: u64 = 1 << 20;
/// The most bytes to allocate ahead.
const MOST_ALLOCATED: u64 = 1 << 28;
/// The least extension of a file, where a hole takes no space.
const LEAST_HOLE: u64 = if cfg!(test) { 1 << 22 } else { 1 << 30 };
/// The least extension of a file where the file system may write zeros for it.
const LEAST_ZEROS: u64 = 1 << 20;
/// The largest such extension.
const MOST_ZEROS: u64 = 1 << 28;
/// The length of the largest folio, as a distance in a file; see [`FOLIO`](sys::FOLIO).
const FOLIO_LEN: u64 = sys::FOLIO as u64;
/// The size of the pages whose blocks [`Preallocation::allocate`] allocates.
///
/// With larger pages, the page cache makes folios that extend beyond the allocated blocks. Tests
/// set `large_pages` to run the code for large pages on small ones.
const SMALL_PAGE: usize = if cfg!(large_pages) { 0 } else { 4096 };

/// The bytes of a file beyond the array that grows in it.
#[derive(Debug, Default)]
pub(crate) struct Preallocation {
    /// Where the array ends.
    end: u64,
    /// The length to which this handle extended the file, also on disk; 0 if it never did.
    extended: u64,
    /// Whether this handle has truncated the file since, to the end of the array.
    is_truncated: AtomicBool,
    /// Whether the file ends with the mark; otherwise its length is the mark.
    has_mark: bool,
    /// The blocks up to this byte are allocated.
    allocated: u64,
    /// The process that extended the file. A forked child does not truncate it.
    owner: u64,
    /// Whether the header before the array has changed since the last sync of the whole file.
    header_changed: AtomicBool,
    /// Where that header ends; 0 if the array has none.
    pub(crate) header_end: u64,
    /// Whether this handle has written the header to disk. Another handle may have changed the
    /// header without a sync.
    header_written: AtomicBool,
    /// The guarantees of the file system, after the first call.
    system: Option<&'static FileSystem>,
}

impl Preallocation {
    /// Returns the lengths to try, in order, for a file whose array will end at byte `end`.
    pub(crate) fn lengths(system: &FileSystem, end: u64) -> impl Iterator<Item = u64> {
        let hole = marked_length(end.saturating_add(end.max(LEAST_HOLE)));
        let zeros = (end / 2).clamp(LEAST_ZEROS, MOST_ZEROS);
        let lengths = [hole, end.saturating_add(zeros), Self::shortest(end)];
        lengths.into_iter().skip(usize::from(!system.has_holes()))
    }

    /// Returns the least length of a file with a mark whose array will end at byte `end`.
    pub(crate) fn shortest(end: u64) -> u64 {
        end.saturating_add(MARK_LEN)
    }

    /// Returns the length of the file if it does not end with the array.
    pub(crate) fn file_len(&self) -> Option<u64> {
        let is_extended = self.extended > 0 && !self.is_truncated.load(Ordering::Relaxed);
        is_extended.then_some(self.extended)
    }

    /// Returns the end of the file, as far as it was extended here.
    pub(crate) fn file_end(&self) -> FileEnd {
        FileEnd(self.file_len().unwrap_or(0))
    }

    /// Returns the end of the bytes that rows may fill.
    ///
    /// A store needs the blocks of the whole folio, and a file without a mark ends with a hole. Rows
    /// therefore do not share a folio with this hole.
    pub(crate) fn limit(&self) -> Option<u64> {
        let len = self.file_len()?;
        Some(match self.has_mark {
            true => len.saturating_sub(MARK_LEN),
            false => sys::round_down(len.saturating_sub(LAST_HOLE), FOLIO_LEN),
        })
    }

    /// Returns whether the blocks up to byte `end` are allocated, within the file.
    pub(crate) fn holds(&self, end: u64) -> bool {
        self.file_len().is_some() && end <= self.allocated
    }

    /// Notes where the array ends, and that this process truncates the file later.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.end = end;
        self.take_over();
    }

    /// Notes that this process truncates the file later, whichever process extended it.
    pub(crate) fn take_over(&mut self) {
        self.owner = process_number();
    }

    /// Notes that the header, which ends at a byte, has changed.
    pub(crate) fn note_header_change(&mut self, header_end: u64) {
        self.header_end = header_end;
        *self.header_changed.get_mut() = true;
    }

    /// Returns whether a sync of a part of the array must sync the whole file.
    ///
    /// Rows on disk are lost without the header that counts them.
    pub(crate) fn needs_whole_sync(&self) -> bool {
        self.file_len().is_some() || self.header_changed.load(Ordering::Relaxed)
    }

    /// Writes the header to disk, once; returns `false` if only a sync of the whole file can.
    pub(crate) fn write_header(&self, file: &File) -> io::Result<bool> {
        if self.header_written.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let written = sys::write_start(file, self.header_end)?;
        self.header_written.store(written, Ordering::Relaxed);
        Ok(written)
    }

    /// Notes that the whole file is on disk. Only `&mut` handles can have changed it since.
    pub(crate) fn note_synced(&self) {
        self.header_changed.store(false, Ordering::Relaxed);
        self.header_written.store(true, Ordering::Relaxed);
    }

    /// Extends a file from byte `from`, where its array ends, to `len` bytes with a mark.
    ///
    /// The outer error leaves the file as it was. After the inner error the file is longer, and the
    /// caller truncates it.
    pub(crate) fn extend(
        &mut self,
        file: &File,
        from: u64,
        len: u64,
    ) -> io::Result<io::Result<()>> {
        let (old, had_mark) = (self.file_len(), self.has_mark);
        // The mark is the last thing in the file, also if rows end in the hole before its end.
        let len = old.map_or(len, |old| len.max(Self::shortest(old)));
        let marked = space::check_seals(file, true, true)
            .and_then(|()| sys::check_limit(len))
            .and_then(|()| mark(file, len));
        if marked.is_err() {
            // A part of the mark may have been written.
            let _ = allocate::truncate_back(file, old.unwrap_or(from), len);
        }
        let has_mark = marked?;
        // Rows that are counted before they are on disk must read as zeros, not as the mark.
        let kept = len.saturating_sub(MARK_LEN);
        let old_mark = old.filter(|_| had_mark);
        let cleared = old_mark.map_or(Ok(()), |old| clear_mark(file, old, kept));
        if old.is_none() {
            self.end = from;
            self.allocated = from;
        }
        self.extended = len;
        *self.is_truncated.get_mut() = false;
        self.has_mark = has_mark;
        self.take_over();
        Ok(cleared)
    }

    /// Makes the file end with the array again.
    ///
    /// The header reaches the disk first. Otherwise a power cut could leave rows at the end of the
    /// file that the header does not count, without the mark that identifies these rows. The caller
    /// notes whether `flush` fails: the kernel may not report the failure again.
    pub(crate) fn truncate(
        &self,
        file: &File,
        flush: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(len) = self.file_len().filter(|_| self.owner == process_number()) else {
            return Ok(());
        };
        // Bytes that another process has added are not truncated.
        if file.metadata()?.len() == len {
            if self.header_changed.load(Ordering::Relaxed) {
                flush(&mut || match sys::write_start(file, self.header_end)? {
                    true => Ok(()),
                    false => file.sync_data(),
                })?;
            }
            file.set_len(self.end)?;
        }
        self.is_truncated.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Allocates blocks up to byte `end`, and half of `end` more (1 to 256 MiB).
    pub(crate) fn allocate(
        &mut self,
        file: &File,
        system: &FileSystem,
        end: u64,
    ) -> io::Result<()> {
        let unsupported = || Err(io::ErrorKind::Unsupported.into());
        let can_store = sys::page_size() == SMALL_PAGE && system.stores_in_place;
        let Some(limit) = self.limit().filter(|_| can_store) else {
            return unsupported();
        };
        let ahead = (end / 2).clamp(LEAST_ALLOCATED, MOST_ALLOCATED);
        // A store into a page needs all blocks of the page, of which some may be holes.
        let page = u64::try_from(SMALL_PAGE).map_err(io::Error::other)?;
        let from = sys::round_down(self.allocated, page);
        let mut refused = Ok(());
        for far in [end.saturating_add(ahead), end] {
            // The page cache may write a folio only as a whole. Beyond the limit the file would
            // become longer, and rows would reach the mark.
            let far = sys::round_up(far, FOLIO_LEN).unwrap_or(far).min(limit);
            match space::allocate(file, from, far) {
                Ok(true) => {
                    self.allocated = far;
                    return Ok(());
                }
                Ok(false) => return unsupported(),
                Err(e) => {
                    // Some of the blocks may have been allocated.
                    let _ = space::punch_hole(file, self.allocated.max(end)..limit);
                    refused = Err(e);
                }
            }
        }
        refused
    }

    /// Returns the guarantees of the file system; calls the kernel once.
    pub(crate) fn file_system(&mut self, file: Option<&File>) -> &'static FileSystem {
        let find = || file.map_or(&FileSystem::UNKNOWN, FileSystem::of);
        self.system.get_or_insert_with(find)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_extended_by_a_hole_or_by_half_its_length() {
        const MIB: u64 = 1 << 20;
        let lengths = |system: &FileSystem, end| {
            Preallocation::lengths(system, end).collect::<Vec<_>>()
        };
        // Without holes: half of the length, at least 1 MiB and at most 256 MiB.
        for (end, half) in [
            (0, MIB),
            (10 * MIB, 5 * MIB),
            (100 * MIB + 1, 50 * MIB),
            (1 << 40, 256 * MIB),
        ] {
            assert_eq!(lengths(&FileSystem::UNKNOWN, end), [end + half, end + 53]);
            let with_holes = FileSystem { name: "xfs", ..FileSystem::UNKNOWN };
            let [hole, ..] = lengths(&with_holes, end)[..] else { panic!("no length") };
            assert_eq!(hole, marked_length(end + end.max(LEAST_HOLE)));
            assert_eq!(lengths(&with_holes, end)[1..], [end + half, end + 53]);
        }
    }
}
