//! Allocates the holes in parts of a file, and frees them again if the write that needs them fails.

use std::{fs::File, io, ops::Range};

/// The holes of a file that were allocated; freed on drop unless they are kept.
#[derive(Debug)]
#[must_use]
pub(crate) struct FilledHoles<'f> {
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(dead_code, reason = "nothing is allocated there")
    )]
    file: &'f File,
    /// The ranges in which blocks were allocated.
    filled: Vec<Range<u64>>,
}

impl FilledHoles<'_> {
    /// Leaves the blocks to the file.
    pub(crate) fn keep(mut self) {
        self.filled.clear();
    }
}

/// Allocates nothing: the writes allocate the blocks.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl<'f> FilledHoles<'f> {
    pub(crate) fn fill(
        file: &'f File,
        _: impl Iterator<Item = Range<u64>>,
    ) -> io::Result<Self> {
        Ok(Self { file, filled: Vec::new() })
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod allocated {
    use std::os::unix::fs::MetadataExt;

    use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};
    use rustix::io::Errno;

    use super::{File, FilledHoles, Range, io};
    use crate::sys::space::{check_free, held_bytes, punch_hole};
    use crate::sys::zeros::has_zeros;
    use crate::sys::{pieces, round_down, round_up};

    /// How many bytes are allocated at a time. What a failure leaves is known to this precision.
    const PIECE: u64 = 1 << 20;
    /// The largest block that is freed as a whole if only a part of it was needed.
    const BLOCK: u64 = 1 << 16;

    impl<'f> FilledHoles<'f> {
        /// Allocates the holes in some ranges of a file, whose length and contents stay.
        ///
        /// If the file system cannot allocate, or the kernel refuses, the writes allocate the
        /// blocks, provided that the disk has space for them. An error frees what was allocated.
        pub(crate) fn fill(
            file: &'f File,
            ranges: impl Iterator<Item = Range<u64>>,
        ) -> io::Result<Self> {
            let mut holes = Self { file, filled: Vec::new() };
            let shows_holes = shows_holes(file)?;
            let mut unallocated = 0_u64;
            for range in ranges {
                let mut rest = range;
                while !rest.is_empty() {
                    let hole =
                        if shows_holes { next_hole(file, &rest) } else { rest.clone() };
                    unallocated = unallocated.saturating_add(holes.allocate(&hole)?);
                    rest.start = hole.end;
                }
            }
            if unallocated > 0 {
                check_holes(file, unallocated)?;
            }
            Ok(holes)
        }

        /// Allocates a hole, and returns how many bytes of it were refused.
        fn allocate(&mut self, hole: &Range<u64>) -> io::Result<u64> {
            for Range { start, end } in pieces(hole, PIECE) {
                let before = self.file.metadata()?.blocks();
                let keep = FallocateFlags::KEEP_SIZE;
                let len = end.saturating_sub(start);
                let allocated =
                    rustix::io::retry_on_intr(|| fallocate(self.file, keep, start, len));
                // Blocks that were allocated before, without contents, must not be freed.
                if self.file.metadata()?.blocks() > before {
                    self.filled.push(start..end);
                }
                match allocated {
                    Ok(()) => {}
                    Err(e) if is_refusal(e) => return Ok(hole.end.saturating_sub(start)),
                    Err(e) => return Err(e.into()),
                }
            }
            Ok(0)
        }
    }

    /// Returns whether a failed `fallocate` says nothing about the disk.
    fn is_refusal(error: Errno) -> bool {
        matches!(
            error,
            Errno::OPNOTSUPP
                | Errno::NOSYS
                | Errno::PERM
                | Errno::ACCESS
                | Errno::INVAL
                | Errno::NODEV
        )
    }

    impl Drop for FilledHoles<'_> {
        fn drop(&mut self) {
            let block = self.file.metadata().map_or(1, |found| found.blksize());
            let block = block.clamp(1, BLOCK);
            for filled in &self.filled {
                // Whole blocks are freed.
                let end = round_up(filled.end, block).unwrap_or(filled.end);
                // The error that led here is the one to report.
                let _ = free_zeros(self.file, round_down(filled.start, block)..end);
            }
        }
    }

    /// Frees blocks, unless another process has written to them.
    ///
    /// `SEEK_DATA` does not distinguish zeros that were read from zeros that were written.
    fn free_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
        let mut free = range.start..range.start;
        for part in pieces(&range, BLOCK) {
            if has_zeros(file, part.clone())? {
                free.end = part.end;
            } else {
                punch_hole(file, free)?;
                free = part.end..part.end;
            }
        }
        punch_hole(file, free)
    }

    /// Returns whether the file system reports where the holes of a file are.
    fn shows_holes(file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let has_holes = held_bytes(&metadata) < metadata.len();
        let first = seek(file, SeekFrom::Hole(0));
        Ok(first.is_ok_and(|first| first < metadata.len() || !has_holes))
    }

    /// Returns the first hole in a range; the empty range at its end if there is none.
    fn next_hole(file: &File, range: &Range<u64>) -> Range<u64> {
        let start = seek(file, SeekFrom::Hole(range.start)).unwrap_or(range.end);
        let Some(start) = Some(start.max(range.start)).filter(|at| *at < range.end)
        else {
            return range.end..range.end;
        };
        // An error means that no data follow.
        let end = seek(file, SeekFrom::Data(start)).unwrap_or(range.end);
        start..end.clamp(start, range.end)
    }

    /// Refuses writes to `len` bytes that may lie in holes if the disk lacks the space.
    ///
    /// Without this check, the writes would stop at the last free block, and leave the disk full.
    fn check_holes(file: &File, len: u64) -> io::Result<()> {
        let metadata = file.metadata()?;
        let missing = metadata.len().saturating_sub(held_bytes(&metadata));
        check_free(file, len.min(missing))
    }
}
