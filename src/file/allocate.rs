//! The space of a file on its disk: allocating, extending and clearing.

use std::{fs::File, io, path::Path};

use super::FileEnd;
use crate::error::{Error, ErrorKind, Result};
use crate::sys::zeros::is_zero;
use crate::sys::{self, FileSystem, map, space};

/// Space that was allocated for a file; freed on drop unless it is kept.
#[derive(Debug)]
#[must_use]
pub(crate) struct Allocation<'f> {
    file: &'f File,
    /// The length of the file before.
    len: u64,
    /// The bytes of its blocks before.
    held: u64,
    /// The length that the file was given, or more.
    end: u64,
    /// Whether the file system has allocated the blocks.
    reserved: bool,
    kept: bool,
}

/// Whether the blocks of an extended file are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskSpace {
    Allocated,
    Sparse,
}

impl<'f> Allocation<'f> {
    /// Extends a file of `len` bytes to at least `end` bytes, and allocates `from..end`.
    ///
    /// The bytes that the file had keep their contents. New bytes are zeros.
    pub(crate) fn make(
        file: &'f File,
        len: u64,
        from: u64,
        end: u64,
        blocks: DiskSpace,
        path: &Path,
    ) -> Result<Self> {
        let metadata = file.metadata().map_err(refusal("extend", end, path))?;
        let held = space::held_bytes(&metadata);
        let mut allocation = Self { file, len, held, end, reserved: false, kept: false };
        let mut make = || {
            if end > from {
                sys::check_limit(end)?;
            }
            allocation.reserved =
                blocks == DiskSpace::Allocated && space::allocate(file, from, end)?;
            // Another process may have extended the file since it was measured.
            if allocation.reserved || end <= file.metadata()?.len() {
                return Ok(());
            }
            if from < len {
                // `clear` truncates the file. A seal must be an error before the file is extended.
                space::check_seals(file, true, true)?;
            }
            file.set_len(end)
        };
        make().map_err(refusal("extend", end, path))?;
        Ok(allocation)
    }

    /// Turns the whole file into `end` zeros, and lets the file keep them.
    ///
    /// Allocated blocks stay allocated. Other blocks are freed, not overwritten: overwriting could
    /// need space.
    pub(crate) fn clear(self, path: &Path) -> Result<()> {
        let end = self.end;
        self.replace_by_zeros().map_err(refusal("clear", end, path))
    }

    fn replace_by_zeros(mut self) -> io::Result<()> {
        let shrinks = self.len > if self.reserved { self.end } else { 0 };
        space::check_seals(self.file, shrinks, !self.reserved)?;
        let used = if self.reserved { self.len.min(self.end) } else { 0 };
        // Mapped before anything is lost: the file system may be unable to make zeros itself.
        let mut map = (used > 0).then(|| map::map_start(self.file, used)).transpose()?;
        if map.is_some() {
            match space::zero_start(self.file, self.end) {
                Ok(()) => map = None,
                // Stores into the existing blocks would need space too.
                Err(e)
                    if space::is_full(&e)
                        && !FileSystem::of(self.file).overwrites_in_place =>
                {
                    return Err(e);
                }
                Err(_) => {}
            }
        }
        if !self.reserved || self.len > self.end {
            self.file.set_len(used)?;
        }
        self.kept = true;
        map.map_or(Ok(()), |map| map::zero(&map))?;
        if self.reserved { Ok(()) } else { self.file.set_len(self.end) }
    }

    /// Returns the end of the file.
    pub(crate) fn file_end(&self) -> FileEnd {
        FileEnd(self.end)
    }

    /// Truncates the file to the length that it had.
    ///
    /// Leaves the file as it is if it is longer, or if the new bytes are not zeros: then another
    /// process has written them. A file that has not changed is not truncated: another process may
    /// append to it at this moment.
    fn undo(&self) -> io::Result<()> {
        let metadata = self.file.metadata()?;
        // Reads no further than the bytes that may be truncated.
        let found = metadata.len().min(self.end);
        let has_changed = found != self.len || space::held_bytes(&metadata) != self.held;
        if has_changed && is_zero(self.file, self.len..found)? {
            return truncate_back(self.file, self.len, self.end);
        }
        Ok(())
    }

    /// Lets the file keep its new length.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Allocation<'_> {
    fn drop(&mut self) {
        // A failed allocation may leave the file longer (seen on ext4).
        if !self.kept && self.end > self.len {
            let _ = self.undo();
        }
    }
}

/// Truncates a file to `len` bytes, and frees blocks beyond, if it has at most `end` bytes.
///
/// A longer file was extended by another process.
pub(crate) fn truncate_back(file: &File, len: u64, end: u64) -> io::Result<()> {
    let found = file.metadata()?.len();
    if !(len..=end).contains(&found) {
        return Ok(());
    }
    if found == len {
        // Some file systems free nothing if the length does not change (btrfs).
        let _ = space::punch_hole(file, len..end);
    }
    // Other file systems then free blocks beyond the end (ext4, XFS).
    file.set_len(len)
}

/// Makes the closure that wraps an error of giving a file `end` bytes.
pub(crate) fn refusal(
    action: &'static str,
    end: u64,
    path: &Path,
) -> impl FnOnce(io::Error) -> Error {
    move |e| {
        if space::is_full(&e) {
            return ErrorKind::NoSpace { expected: end }.at(path);
        }
        Error::io(action, path)(e)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::write_all_at;

    /// Allocates space for a file of 100 ones, lets another process act, and drops the allocation.
    fn undone(blocks: DiskSpace, act: impl FnOnce(&File)) -> Vec<u8> {
        let file = tempfile::tempfile().unwrap();
        write_all_at(&file, &[1; 100], 0).unwrap();
        let room =
            Allocation::make(&file, 100, 100, 9000, blocks, Path::new("")).unwrap();
        act(&file);
        drop(room);
        let mut bytes = vec![0; 20_000];
        let count = crate::sys::read_at_most(&file, &mut bytes, 0).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn only_what_was_added_is_taken_back_and_only_while_it_is_ours() {
        let ones = vec![1; 100];
        for blocks in [DiskSpace::Allocated, DiskSpace::Sparse] {
            assert_eq!(undone(blocks, |_| {}), ones);
            // Rows that another process wrote into the allocated range, or after it.
            let rows = undone(blocks, |file| write_all_at(file, &[7; 40], 100).unwrap());
            assert_eq!((rows.len(), rows.get(100..140)), (9000, Some(&[7; 40][..])));
            let rows = undone(blocks, |file| write_all_at(file, &[7; 40], 9000).unwrap());
            assert_eq!((rows.len(), rows.get(9000..)), (9040, Some(&[7; 40][..])));
            let shorter = undone(blocks, |file| file.set_len(50).unwrap());
            assert_eq!(shorter.len(), 50);
        }
    }

    #[test]
    fn room_does_not_shorten_a_file_that_has_grown_since_it_was_measured() {
        for blocks in [DiskSpace::Allocated, DiskSpace::Sparse] {
            let file = tempfile::tempfile().unwrap();
            write_all_at(&file, &[1; 9000], 0).unwrap();
            let room = Allocation::make(&file, 100, 100, 5000, blocks, Path::new(""));
            drop(room.unwrap());
            assert_eq!(file.metadata().unwrap().len(), 9000, "{blocks:?}");
        }
    }
}
