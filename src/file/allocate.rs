//! The space of a file on its disk: reserving, extending and clearing.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use crate::error::{Error, Result};
use crate::file::zeros::is_zero;
use crate::mapping;
use crate::sys::file_system::FileSystem;
use crate::sys::limits;

/// Room made for a file, taken back when dropped unless it is kept.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room<'f> {
    file: &'f File,
    /// The file's length before.
    len: u64,
    /// The length it was given, or more.
    end: u64,
    /// Whether the file system has set the space aside.
    reserved: bool,
    kept: bool,
}

impl<'f> Room<'f> {
    /// Makes a file of `len` bytes at least `end` bytes long, and reserves `from..end`.
    ///
    /// The bytes that the file had keep their contents; new ones are zeros.
    pub(crate) fn make(
        file: &'f File,
        len: u64,
        from: u64,
        end: u64,
        sparse: bool,
        path: &Path,
    ) -> Result<Self> {
        let mut room = Self { file, len, end, reserved: false, kept: false };
        let mut make = || {
            if end > from {
                check_limit(end)?;
            }
            room.reserved = !sparse && reserve(file, from, end)?;
            // Another process may have made the file longer since it was measured.
            if !room.reserved && end > file.metadata()?.len() {
                file.set_len(end)
            } else {
                Ok(())
            }
        };
        make().map_err(refusal("extend", end, path))?;
        Ok(room)
    }

    /// Turns the whole file into `end` zeros; lets it keep them.
    ///
    /// Space that is reserved stays so. What is not reserved is given back, not
    /// overwritten, which could need space.
    pub(crate) fn clear(self, path: &Path) -> Result<()> {
        let end = self.end;
        self.replace_by_zeros().map_err(refusal("clear", end, path))
    }

    fn replace_by_zeros(mut self) -> io::Result<()> {
        let shrinks = self.len > if self.reserved { self.end } else { 0 };
        check_seals(self.file, shrinks, !self.reserved)?;
        let used = if self.reserved { self.len.min(self.end) } else { 0 };
        // Mapped before anything is lost, in case the file system cannot make zeros itself.
        let mut map =
            (used > 0).then(|| mapping::map_start(self.file, used)).transpose()?;
        if map.is_some() {
            match zero(self.file, self.end) {
                Ok(()) => map = None,
                // Stores into the blocks that are there would need space too.
                Err(e)
                    if is_full(&e) && !FileSystem::of(self.file).overwrites_in_place =>
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
        map.map_or(Ok(()), |map| mapping::zero(&map))?;
        if self.reserved { Ok(()) } else { self.file.set_len(self.end) }
    }

    /// Lets the file keep its new length.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        // A reservation that fails may leave the file longer (seen on ext4).
        if !self.kept && self.end > self.len {
            let _ = undo(self.file, self.len, self.end);
        }
    }
}

/// Makes a file end at `len` again that was extended to `end` or a part of that.
///
/// Leaves it as it is if it is longer or if the new bytes are no zeros: then another process has
/// written them.
fn undo(file: &File, len: u64, end: u64) -> io::Result<()> {
    let found = file.metadata()?.len();
    match (len..=end).contains(&found) && is_zero(file, len..found)? {
        true => cut_back(file, len, end),
        false => Ok(()),
    }
}

/// Truncates a file to `len` bytes, and frees blocks beyond, if it has at most `end` bytes.
///
/// Beyond that, another process has extended the file.
pub(crate) fn cut_back(file: &File, len: u64, end: u64) -> io::Result<()> {
    let found = file.metadata()?.len();
    if !(len..=end).contains(&found) {
        return Ok(());
    }
    if found == len {
        // Some file systems free nothing if the length does not change (btrfs).
        punch(file, len..end);
    }
    // Others free blocks beyond the end then (ext4, XFS).
    file.set_len(len)
}

/// Frees the blocks of a range, where the file system does that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn punch(file: &File, bytes: Range<u64>) {
    use rustix::fs::{FallocateFlags, fallocate};

    let len = bytes.end.saturating_sub(bytes.start);
    let punch = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
    if len > 0 {
        // What stays allocated is free again when the file is truncated.
        let _ = rustix::io::retry_on_intr(|| fallocate(file, punch, bytes.start, len));
    }
}

/// Leaves that to the next truncation.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn punch(_: &File, _: Range<u64>) {}

/// Allocates the blocks of `from..end`; false if the file system does not do that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn reserve(file: &File, from: u64, end: u64) -> io::Result<bool> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;

    let Some(len) = end.checked_sub(from).filter(|len| *len > 0) else {
        return Ok(false);
    };
    check_free(file, from, end)?;
    match allocate(file, FallocateFlags::empty(), from, len) {
        Ok(()) => Ok(true),
        // A sandbox that refuses the call, or a seal, which then refuses the length too.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => Ok(false),
        // FreeBSD's answer for ZFS.
        Err(Errno::INVAL) if cfg!(target_os = "freebsd") => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Allocates blocks, in ever smaller pieces if signals interrupt that.
///
/// Kernels before 6.11 give up what they have allocated in memory at each signal, so that a
/// profiler's would keep them from ever allocating much.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn allocate(
    file: &File,
    flags: rustix::fs::FallocateFlags,
    from: u64,
    len: u64,
) -> rustix::io::Result<()> {
    const SMALLEST: u64 = 1 << 16;

    let (mut at, mut rest, mut piece) = (from, len, len);
    while rest > 0 {
        match rustix::fs::fallocate(file, flags, at, piece) {
            Ok(()) => {
                at = at.saturating_add(piece);
                rest = rest.saturating_sub(piece);
            }
            Err(rustix::io::Errno::INTR) => piece = (piece / 2).max(SMALLEST),
            Err(e) => return Err(e),
        }
        piece = piece.min(rest);
    }
    Ok(())
}

/// Refuses to fill the holes of a file if there is no room for them.
///
/// A reservation that fails in the middle of a file keeps the blocks it has got.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check_free(file: &File, from: u64, end: u64) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata()?;
    if from >= metadata.len() {
        return Ok(());
    }
    let held = metadata.blocks().saturating_mul(512);
    // What is not known is found out by the reservation.
    let Ok(disk) = rustix::fs::fstatvfs(file) else { return Ok(()) };
    let free = disk.f_bfree.saturating_mul(disk.f_frsize);
    if disk.f_blocks > 0 && end.saturating_sub(held) > free {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Leaves it to `set_len`, which allocates on NTFS and does not on APFS.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn reserve(_: &File, _: u64, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Reserves space for holes in a range of the file, where the file system does that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn fill_holes(file: &File, bytes: Range<u64>) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;

    let len = bytes.end.saturating_sub(bytes.start);
    let keep = FallocateFlags::KEEP_SIZE;
    match allocate(file, keep, bytes.start, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => Ok(()),
        filled => Ok(filled?),
    }
}

/// Leaves that to the writes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn fill_holes(_: &File, _: Range<u64>) -> io::Result<()> {
    Ok(())
}

/// Writes all bytes at an offset of the file.
#[cfg(unix)]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

/// Writes all bytes at an offset of the file.
#[cfg(windows)]
pub(crate) fn write_all_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    let (mut rest, mut at) = (bytes, at);
    while !rest.is_empty() {
        let count = std::os::windows::fs::FileExt::seek_write(file, rest, at)?;
        let written = rest.get(count..).filter(|_| count > 0);
        rest = written.ok_or(io::ErrorKind::WriteZero)?;
        at = at.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Has the file system turn the first `len` bytes to zeros, if it knows how.
///
/// Whole blocks, also beyond the end of the file: a part of one would be written, and
/// btrfs would want another block for each store into it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn zero(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let len = len.checked_next_multiple_of(1 << 16).unwrap_or(len);
    let zero = FallocateFlags::ZERO_RANGE.union(FallocateFlags::KEEP_SIZE);
    Ok(rustix::io::retry_on_intr(|| fallocate(file, zero, 0, len))?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn zero(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses to change the length of a file in memory that is sealed against it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn check_seals(file: &File, shrinks: bool, grows: bool) -> io::Result<()> {
    use rustix::fs::{SealFlags, fcntl_get_seals};

    let seals = fcntl_get_seals(file).unwrap_or(SealFlags::empty());
    let shrink = shrinks && seals.contains(SealFlags::SHRINK);
    if shrink || grows && seals.contains(SealFlags::GROW) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn check_seals(_: &File, _: bool, _: bool) -> io::Result<()> {
    Ok(())
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes the closure that wraps an error of making a file `end` bytes long.
pub(crate) fn refusal(
    action: &'static str,
    end: u64,
    path: &Path,
) -> impl FnOnce(io::Error) -> Error {
    move |e| {
        if is_full(&e) {
            return Error::NoSpace { needed: end };
        }
        Error::io(action, path)(e)
    }
}

/// Refuses to write beyond the process's limit, which the kernel answers by `SIGXFSZ`.
pub(crate) fn check_limit(end: u64) -> io::Result<()> {
    match limits::file_size() {
        Some(limit) if end > limit => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes room for a file of 100 ones, lets another process act, and gives the room up.
    fn undone(sparse: bool, act: impl FnOnce(&File)) -> Vec<u8> {
        let file = tempfile::tempfile().unwrap();
        write_all_at(&file, &[1; 100], 0).unwrap();
        let room = Room::make(&file, 100, 100, 9000, sparse, Path::new("")).unwrap();
        act(&file);
        drop(room);
        let mut bytes = vec![0; 20_000];
        let count = crate::file::read_at_most(&file, &mut bytes, 0).unwrap();
        bytes.truncate(count);
        bytes
    }

    #[test]
    fn only_what_was_added_is_taken_back_and_only_while_it_is_ours() {
        let ones = vec![1; 100];
        for sparse in [false, true] {
            assert_eq!(undone(sparse, |_| {}), ones);
            // Rows that another process wrote into the room, or behind it.
            let rows = undone(sparse, |file| write_all_at(file, &[7; 40], 100).unwrap());
            assert_eq!((rows.len(), rows.get(100..140)), (9000, Some(&[7; 40][..])));
            let rows = undone(sparse, |file| write_all_at(file, &[7; 40], 9000).unwrap());
            assert_eq!((rows.len(), rows.get(9000..)), (9040, Some(&[7; 40][..])));
            let shorter = undone(sparse, |file| file.set_len(50).unwrap());
            assert_eq!(shorter.len(), 50);
        }
    }

    #[test]
    fn room_does_not_shorten_a_file_that_has_grown_since_it_was_measured() {
        for sparse in [false, true] {
            let file = tempfile::tempfile().unwrap();
            write_all_at(&file, &[1; 9000], 0).unwrap();
            let room = Room::make(&file, 100, 100, 5000, sparse, Path::new(""));
            drop(room.unwrap());
            assert_eq!(file.metadata().unwrap().len(), 9000, "{sparse}");
        }
    }
}
