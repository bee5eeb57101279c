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

    use rustix::fs::{FallocateFlags, SeekFrom, fallocate, fstatvfs, seek};
    use rustix::io::Errno;

    use super::{File, FilledHoles, Range, io};
    use crate::sys;

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
                check_free(file, unallocated)?;
            }
            Ok(holes)
        }

        /// Allocates a hole, and returns how many bytes of it were refused.
        fn allocate(&mut self, hole: &Range<u64>) -> io::Result<u64> {
            let mut start = hole.start;
            while start < hole.end {
                let end = start.saturating_add(PIECE).min(hole.end);
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
                start = end;
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
                let into_block = filled.start.checked_rem(block).unwrap_or(0);
                let end = filled.end.checked_next_multiple_of(block);
                let start = filled.start.saturating_sub(into_block);
                // The error that led here is the one to report.
                let _ = free_zeros(self.file, start..end.unwrap_or(filled.end));
            }
        }
    }

    /// Frees blocks, unless another process has written to them.
    ///
    /// `SEEK_DATA` does not distinguish zeros that were read from zeros that were written.
    fn free_zeros(file: &File, range: Range<u64>) -> io::Result<()> {
        let zeros = vec![0; usize::try_from(BLOCK).map_err(io::Error::other)?];
        let mut found = zeros.clone();
        let mut free = range.start..range.start;
        let mut next = range.start;
        while next < range.end {
            let part = next..next.saturating_add(BLOCK).min(range.end);
            let read = sys::read_at_most(file, &mut found, part.start)?;
            next = part.end;
            if found.get(..read) == zeros.get(..read) {
                free.end = part.end;
            } else {
                punch(file, &free)?;
                free = next..next;
            }
        }
        punch(file, &free)
    }

    fn punch(file: &File, range: &Range<u64>) -> io::Result<()> {
        let len = range.end.saturating_sub(range.start);
        let punch = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
        if len > 0 { Ok(fallocate(file, punch, range.start, len)?) } else { Ok(()) }
    }

    /// Returns whether the file system reports where the holes of a file are.
    fn shows_holes(file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        let has_holes = metadata.blocks().saturating_mul(512) < metadata.len();
        let first = seek(file, SeekFrom::Hole(0));
        Ok(match first {
            Ok(first) => first < metadata.len() || !has_holes,
            Err(_) => false,
        })
    }

    /// Returns the first hole in a range; the empty range at its end if there is none.
    fn next_hole(file: &File, range: &Range<u64>) -> Range<u64> {
        let start = seek(file, SeekFrom::Hole(range.start));
        let Ok(start) = start.map(|start| start.max(range.start)) else {
            return range.end..range.end;
        };
        if start >= range.end {
            return range.end..range.end;
        }
        let end = match seek(file, SeekFrom::Data(start)) {
            Ok(end) => end.min(range.end),
            // No data follow.
            Err(_) => range.end,
        };
        start..end.max(start)
    }

    /// Refuses writes to `len` bytes that may lie in holes if the disk lacks the space.
    ///
    /// Without this check, the writes would stop at the last free block, and leave the disk full.
    fn check_free(file: &File, len: u64) -> io::Result<()> {
        let metadata = file.metadata()?;
        let held = metadata.blocks().saturating_mul(512);
        let len = len.min(metadata.len().saturating_sub(held));
        let Ok(disk) = fstatvfs(file) else { return Ok(()) };
        let free = disk.f_bfree.saturating_mul(disk.f_frsize);
        if disk.f_blocks > 0 && len > free {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}
