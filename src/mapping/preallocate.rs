//! Preallocation for a growing array: the file is extended, synced and truncated.

use std::io;

use super::Backing;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{Preallocation, allocate};
use crate::sys::{self, FileSystem};

impl Backing {
    /// Extends the file, also on disk, so that the array can grow from byte `from` to byte `end`.
    ///
    /// A header may count the new rows at any time after that: the rows lie within the file whether
    /// or not they reach the disk before the header. Except for the mark at its end, the extension
    /// takes no space.
    ///
    /// After an error the file ends with its array.
    pub(crate) fn extend_ahead(&mut self, from: u64, end: u64) -> Result<()> {
        if self.preallocation.limit().is_some_and(|limit| end <= limit) {
            return Ok(());
        }
        if self.file.is_none() {
            return Err(self.unsupported());
        }
        let mut refused = Ok(());
        for len in Preallocation::lengths(self.file_system(), end) {
            refused = self.extend_to(from, len);
            match refused.as_ref().map_err(Error::kind) {
                // A shorter extension may find the space.
                Err(ErrorKind::NoSpace { .. }) => {}
                Err(ErrorKind::Io { source, .. })
                    if source.kind() == io::ErrorKind::FileTooLarge => {}
                _ => break,
            }
        }
        refused
    }

    /// Extends the file to byte `end` and the mark, without space for further rows.
    pub(crate) fn extend_exactly(&mut self, from: u64, end: u64) -> Result<()> {
        if self.preallocation.limit().is_some_and(|limit| end <= limit) {
            return Ok(());
        }
        self.extend_to(from, Preallocation::shortest(end))
    }

    /// Returns whether the file could be extended; an error if it could not be synced, which is
    /// final.
    pub(crate) fn could_extend(
        &mut self,
        extend: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<bool> {
        match extend(self) {
            Err(error) if self.has_failed() => Err(error),
            extended => Ok(extended.is_ok()),
        }
    }

    /// Extends the file to `len` bytes, also on disk, with the mark at its end.
    fn extend_to(&mut self, from: u64, len: u64) -> Result<()> {
        if !sys::EXTENDS_MAPPED_FILES {
            return Err(self.unsupported());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let refused = |e| allocate::refusal("extend", len, &self.path)(e);
        let extended = self.preallocation.extend(file, from, len).map_err(refused)?;
        let synced = extended.map_err(refused).and_then(|()| self.sync_data());
        if synced.is_err() {
            // The first error is the one to report.
            let _ = self.truncate();
        }
        synced
    }

    fn unsupported(&self) -> Error {
        self.io("extend")(io::ErrorKind::Unsupported.into())
    }

    /// Makes the file end with the array, whichever process has extended it.
    pub(crate) fn truncate(&mut self) -> Result<()> {
        self.preallocation.take_over();
        self.truncate_own().map_err(self.io("truncate"))
    }

    /// Truncates the file to `len` bytes if it has at most `end` bytes.
    pub(crate) fn truncate_back(&self, len: u64, end: u64) -> Result<()> {
        let cut = |file| allocate::truncate_back(file, len, end);
        self.file.as_ref().map_or(Ok(()), cut).map_err(self.io("truncate"))
    }

    /// Makes the file end with the array, if this process has extended it.
    ///
    /// The kernel reports a failed write once, and may report it to this call. A forked child has
    /// the same array, and must not sync between the report and the note.
    pub(super) fn truncate_own(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let note = |write: &mut dyn FnMut() -> io::Result<()>| {
            self.between_syncs(|| self.note_loss(write))
        };
        self.preallocation.truncate(file, note)
    }

    /// Allocates blocks up to byte `end`, and for later stores half of `end` more (1 to 256 MiB).
    ///
    /// Later stores have their space even if the disk fills up. The file must be long enough.
    pub(crate) fn allocate_ahead(&mut self, end: u64) -> io::Result<()> {
        if self.preallocation.holds(end) {
            return Ok(());
        }
        let system = self.file_system();
        match &self.file {
            Some(file) => self.preallocation.allocate(file, system, end),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Returns what the file system of the file guarantees.
    pub(crate) fn file_system(&mut self) -> &'static FileSystem {
        self.preallocation.file_system(self.file.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    use crate::file::FileSnapshot;
    use crate::file::mark::MARK_LEN;
    use crate::file::mark::is_left_over;
    use crate::mapping::Mapping;
    use crate::mode::Mode;

    #[test]
    fn the_file_is_as_long_as_was_made_known_until_it_is_cut() {
        let file = tempfile::tempfile().unwrap();
        let snapshot = FileSnapshot::of(&file.metadata().unwrap());
        let kept = file.try_clone().unwrap();
        let mut backing = Backing::new(
            Mapping::of_file(None),
            Some(kept),
            Mode::ReadWrite,
            0,
            Path::new(""),
            snapshot,
        );
        if sys::EXTENDS_MAPPED_FILES {
            let len = || file.metadata().unwrap().len();
            let mut lengths = Vec::new();
            let mut from = 0;
            for end in (1..40_u64).map(|half| half << 19) {
                backing.extend_ahead(from, end).unwrap();
                let stores = backing.allocate_ahead(end).is_ok();
                assert_eq!(backing.preallocation.holds(end), stores);
                assert_eq!(backing.preallocation.file_len(), Some(len()), "up to {end}");
                assert!(is_left_over(&file, end, len()).unwrap());
                // Rows share no folio with the hole that stands for a mark.
                let limit = backing.preallocation.limit().unwrap();
                assert!(
                    limit.is_multiple_of(2 << 20) || limit == len() - MARK_LEN,
                    "{limit}"
                );
                backing.preallocation.set_end(end);
                lengths.push(len());
                from = end;
            }
            // The array may end in that hole, or behind it; then a mark follows.
            for beyond in [1000, 53, 0] {
                let end = len() - beyond;
                backing.extend_exactly(from, end).unwrap();
                assert_eq!(backing.preallocation.file_len(), Some(len()));
                assert!(len() >= end + MARK_LEN, "{beyond}");
                assert!(is_left_over(&file, end, len()).unwrap(), "{beyond}");
                backing.preallocation.set_end(end);
                from = end;
            }
            lengths.push(len());
            lengths.dedup();
            assert!(lengths.len() > 2, "{lengths:?}");
            // Former marks are zeros again.
            for old_len in lengths.iter().rev().skip(1) {
                let mut old = vec![1; usize::try_from(MARK_LEN).unwrap()];
                sys::read_at_most(&file, &mut old, old_len.saturating_sub(MARK_LEN))
                    .unwrap();
                assert!(old.iter().all(|byte| *byte == 0), "{old_len}");
            }
            backing.truncate().unwrap();
            assert_eq!((len(), backing.preallocation.file_len()), (from, None));
            backing.extend_exactly(from, from + 1).unwrap();
            assert_eq!(len(), from + 1 + MARK_LEN);
            backing.preallocation.set_end(from + 1);
            backing.extend_exactly(from + 1, from + 9).unwrap();
            assert!(is_left_over(&file, from + 9, len()).unwrap(), "marks overlap");
            drop(backing);
            assert_eq!(len(), from + 1, "also when dropped");
        } else {
            let refused = backing.extend_ahead(0, 1 << 19).unwrap_err();
            let unsupported = io::ErrorKind::Unsupported;
            assert!(
                matches!(refused.kind(), ErrorKind::Io { source, .. } if source.kind() == unsupported),
                "{refused}"
            );
            drop(backing);
            assert_eq!(file.metadata().unwrap().len(), 0);
        }
    }
}
