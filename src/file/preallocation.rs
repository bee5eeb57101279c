//! The end of a file whose array grows: preallocated length and space, and the mark of both.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};
use crate::file::allocate;
use crate::file::mark::{LAST_HOLE, MARK_LEN, clear_mark, mark, marked_length};
use crate::mapping::Pages;
use crate::mapping::ranges;
use crate::sys::atomic_u64::Reach;
use crate::sys::file_system::FileSystem;
use crate::sys::memory;
use crate::sys::memory::FOLIO;
use crate::sys::process::generation;

/// How much space is reserved ahead at least.
const LEAST_RESERVED: u64 = 1 << 20;
/// And at most.
const MOST_RESERVED: u64 = 1 << 28;
/// How much longer a file is made at least, where that takes no space.
const LEAST_REACH: u64 = if cfg!(test) { 1 << 22 } else { 1 << 30 };
/// How much longer a file is made at least where zeros may be written for that.
const LEAST_ZEROS: u64 = 1 << 20;
/// And at most.
const MOST_ZEROS: u64 = 1 << 28;
/// Whether a file may be longer than its array while the array is mapped.
///
/// Windows does not truncate a file that is mapped.
const REACHES_AHEAD: bool = cfg!(unix);
/// The pages whose space [`Pages::reserve_ahead`] reserves.
///
/// The page cache makes larger folios of larger pages than space is reserved for. `large_pages` is
/// set to test on small pages what is done on large ones.
const SMALL_PAGE: usize = if cfg!(large_pages) { 0 } else { 4096 };

/// What a file has beyond the array that grows in it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Where the array ends.
    end: u64,
    /// Where the file ends instead, on disk too; 0 if it ends with the array.
    reach: Reach,
    /// Whether the file ends with the mark; else its length says whose it is.
    has_mark: bool,
    /// Up to where space on the disk is reserved.
    reserved: u64,
    /// The process that made it so; a child that was forked leaves it alone.
    owner: u64,
    /// Whether the header before the array has changed since the whole file was synced.
    header_changed: AtomicBool,
    /// Where that header ends.
    header_end: u64,
    /// What the file system guarantees, once it has been asked.
    system: Option<&'static FileSystem>,
}

impl Tail {
    /// Returns where the file ends, if it does not end with the array.
    pub(crate) fn reach(&self) -> Option<u64> {
        Some(self.reach.load()).filter(|reach| *reach > 0)
    }

    /// Returns up to where rows may go.
    fn limit(&self) -> Option<u64> {
        let kept = if self.has_mark { MARK_LEN } else { LAST_HOLE };
        self.reach().map(|reach| reach.saturating_sub(kept))
    }

    /// Tells whether rows up to `end` have their space, and are within the file.
    pub(crate) fn is_provided(&self, end: u64) -> bool {
        self.reach().is_some() && end <= self.reserved
    }

    /// Notes that the array ends elsewhere now, and that this process sees to the file.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.end = end;
        self.owner = generation();
    }

    /// Notes that the header, which ends at a byte, has changed.
    pub(crate) fn note_header_change(&mut self, header_end: u64) {
        self.header_end = header_end;
        *self.header_changed.get_mut() = true;
    }

    /// Tells whether even a sync of a part of the array has to be one of the whole file.
    ///
    /// Rows that are on disk are worth nothing without the header that counts them.
    pub(crate) fn needs_whole_sync(&self) -> bool {
        self.reach().is_some() || self.header_changed.load(Ordering::Relaxed)
    }

    /// Notes that the whole file is on disk; only `&mut` handles can have changed it since.
    pub(crate) fn note_synced(&self) {
        self.header_changed.store(false, Ordering::Relaxed);
    }

    /// Makes the file end with the array again.
    ///
    /// The header reaches the disk before that: a power cut must not leave a file that ends with
    /// rows that its header does not count, without the mark that says whose they are. The caller
    /// notes if `flush` fails: the kernel may not report that again.
    pub(crate) fn trim(
        &self,
        file: &File,
        flush: impl FnOnce(&mut dyn FnMut() -> io::Result<()>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(reach) = self.reach().filter(|_| self.owner == generation()) else {
            return Ok(());
        };
        // What another process has put there is not truncated.
        if file.metadata()?.len() == reach {
            if self.header_changed.load(Ordering::Relaxed) {
                flush(&mut || match ranges::write_start(file, self.header_end)? {
                    true => Ok(()),
                    false => file.sync_data(),
                })?;
            }
            file.set_len(self.end)?;
        }
        self.reach.take();
        Ok(())
    }
}

impl Pages {
    /// Makes the file longer, also on disk, so that the array can grow from `from` to `end`.
    ///
    /// What counts the rows may then say so at any time: whether or not it comes to disk
    /// before the rows do, they lie within the file. The length takes no space but for the
    /// mark at its end.
    ///
    /// An error leaves the file as long as its array.
    pub(crate) fn reach_ahead(&mut self, from: u64, end: u64, path: &Path) -> Result<()> {
        if self.tail.limit().is_some_and(|limit| end <= limit) {
            return Ok(());
        }
        let Some(file) = self.file().filter(|_| REACHES_AHEAD) else {
            return Err(Error::io("extend", path)(io::ErrorKind::Unsupported.into()));
        };
        let has_holes = FileSystem::of(file).has_holes();
        let holes = marked_length(end.saturating_add(end.max(LEAST_REACH)));
        let zeros = (end / 2).clamp(LEAST_ZEROS, MOST_ZEROS);
        let reaches = [holes, end.saturating_add(zeros), end.saturating_add(MARK_LEN)];
        let mut refused = Ok(());
        for reach in reaches.get(usize::from(!has_holes)..).unwrap_or_default() {
            refused = self.lengthen(from, *reach, path);
            match &refused {
                // There may be room for less.
                Err(Error::NoSpace { .. }) => {}
                Err(Error::Io { source, .. })
                    if source.kind() == io::ErrorKind::FileTooLarge => {}
                _ => break,
            }
        }
        refused
    }

    /// Returns whether the file could be made longer; an error if it could not be synced, which
    /// is final.
    pub(crate) fn could_reach(
        &mut self,
        reach: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<bool> {
        match reach(self) {
            Err(error) if self.has_failed() => Err(error),
            reached => Ok(reached.is_ok()),
        }
    }

    /// Makes the file longer by no more than the mark, so that the array can end at `end`.
    pub(crate) fn reach_exactly(
        &mut self,
        from: u64,
        end: u64,
        path: &Path,
    ) -> Result<()> {
        match self.tail.limit() {
            Some(limit) if end <= limit => Ok(()),
            _ if REACHES_AHEAD => self.lengthen(from, end.saturating_add(MARK_LEN), path),
            _ => Err(Error::io("extend", path)(io::ErrorKind::Unsupported.into())),
        }
    }

    /// Makes the file end with the array, whichever process has made it longer.
    pub(crate) fn trim(&mut self) -> io::Result<()> {
        self.tail.owner = generation();
        self.file()
            .map_or(Ok(()), |file| self.tail.trim(file, |write| self.note_loss(write)))
    }

    /// Gives the file a length and its mark, both also on disk.
    fn lengthen(&mut self, from: u64, reach: u64, path: &Path) -> Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        let (old, had_mark) = (self.tail.reach(), self.tail.has_mark);
        let marked = allocate::check_seals(file, true, true)
            .and_then(|()| allocate::check_limit(reach))
            .and_then(|()| mark(file, reach));
        if marked.is_err() {
            // A part of the mark may have been written.
            let _ = allocate::cut_back(file, old.unwrap_or(from), reach);
        }
        let has_mark = marked.map_err(allocate::refusal("extend", reach, path))?;
        // Rows that are counted before they are on disk are zeros until then, and no mark.
        let kept = reach.saturating_sub(MARK_LEN);
        let old = old.filter(|_| had_mark);
        let cleared = old.map_or(Ok(()), |old| clear_mark(file, old, kept));
        if self.tail.reach().is_none() {
            self.tail.end = from;
            self.tail.reserved = from;
        }
        self.tail.reach.set(reach);
        self.tail.has_mark = has_mark;
        self.tail.owner = generation();
        let synced = cleared
            .map_err(allocate::refusal("extend", reach, path))
            .and_then(|()| self.sync_data(path));
        if synced.is_err() {
            // The error is the one to report.
            let _ = self.trim();
        }
        synced
    }

    /// Reserves space up to `end` and half as much more as there is, for rows to be stored.
    ///
    /// In steps, so that a store finds its space whatever else fills the disk. The file is long
    /// enough.
    pub(crate) fn reserve_ahead(&mut self, end: u64) -> io::Result<()> {
        if self.tail.is_provided(end) {
            return Ok(());
        }
        let system = self.file_system();
        let unsupported = || Err(io::ErrorKind::Unsupported.into());
        if memory::page_size() != SMALL_PAGE || !system.stores_in_place {
            return unsupported();
        }
        let Some((file, limit)) = self.file().zip(self.tail.limit()) else {
            return unsupported();
        };
        let ahead = (end / 2).clamp(LEAST_RESERVED, MOST_RESERVED);
        let far = end.saturating_add(ahead);
        // The page cache has pieces of up to so much, each of which wants its space as one.
        let folio = u64::try_from(FOLIO).map_err(io::Error::other)?;
        let far = far.checked_next_multiple_of(folio).unwrap_or(far);
        // Beyond its length the file would become longer, and rows end before the mark.
        let far = far.min(limit);
        // A store into a page needs the space of all its blocks, of which some may be holes.
        let page = u64::try_from(SMALL_PAGE).map_err(io::Error::other)?;
        let start = self.tail.reserved;
        let start = start.saturating_sub(start.checked_rem(page).unwrap_or(0));
        match allocate::reserve(file, start, far) {
            Ok(true) => {}
            Ok(false) => return unsupported(),
            Err(e) => {
                // Of the space, if only a part could be had, none is kept.
                allocate::punch(file, self.tail.reserved.max(end)..limit);
                return Err(e);
            }
        }
        self.tail.reserved = far;
        Ok(())
    }

    /// Tells whether bus errors in the mapping are repaired.
    pub(crate) fn is_guarded(&self) -> bool {
        #[cfg(feature = "sigbus-guard")]
        return self.guarded_file().is_some();
        #[cfg(not(feature = "sigbus-guard"))]
        false
    }

    /// Returns what the file system of the file guarantees.
    pub(crate) fn file_system(&mut self) -> &'static FileSystem {
        if let Some(system) = self.tail.system {
            return system;
        }
        let system = self.file().map_or(&FileSystem::UNKNOWN, FileSystem::of);
        self.tail.system = Some(system);
        system
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::file;
    use crate::file::Stamp;
    use crate::file::mark::is_left_over;
    use crate::mode::Advice;

    #[test]
    fn the_file_is_as_long_as_was_made_known_until_it_is_cut() {
        let file = tempfile::tempfile().unwrap();
        let stamp = Stamp::of(&file.metadata().unwrap());
        let kept = file.try_clone().unwrap();
        let mut pages = Pages::new(None, Some(kept), Advice::Normal, stamp);
        let len = || file.metadata().unwrap().len();
        let mut reaches = Vec::new();
        let mut from = 0;
        for end in (1..40_u64).map(|half| half << 19) {
            pages.reach_ahead(from, end, Path::new("")).unwrap();
            let stores = pages.reserve_ahead(end).is_ok();
            assert_eq!(pages.tail.is_provided(end), stores);
            assert_eq!(pages.tail.reach(), Some(len()), "up to {end}");
            assert!(is_left_over(&file, end, len()).unwrap());
            pages.tail.set_end(end);
            reaches.push(len());
            from = end;
        }
        reaches.dedup();
        assert!(reaches.len() > 2, "{reaches:?}");
        // Marks that were passed are zeros again.
        for reach in reaches.iter().rev().skip(1) {
            let mut old = vec![1; usize::try_from(MARK_LEN).unwrap()];
            file::read_at_most(&file, &mut old, reach.saturating_sub(MARK_LEN)).unwrap();
            assert!(old.iter().all(|byte| *byte == 0), "{reach}");
        }
        pages.trim().unwrap();
        assert_eq!((len(), pages.tail.reach()), (from, None));
        pages.reach_exactly(from, from + 1, Path::new("")).unwrap();
        assert_eq!(len(), from + 1 + MARK_LEN);
        pages.tail.set_end(from + 1);
        pages.reach_exactly(from + 1, from + 9, Path::new("")).unwrap();
        assert!(is_left_over(&file, from + 9, len()).unwrap(), "marks overlap");
        drop(pages);
        assert_eq!(len(), from + 1, "also when dropped");
    }
}
