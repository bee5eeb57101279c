//! The blocks of a file on its disk: allocating and freeing them.

use std::fs::{File, Metadata};
use std::{io, ops::Range};

/// Frees the blocks of a range, where the file system supports that.
///
/// Blocks that stay allocated are freed when the file is truncated.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn punch_hole(file: &File, bytes: Range<u64>) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let len = bytes.end.saturating_sub(bytes.start);
    let punch = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
    if len == 0 {
        return Ok(());
    }
    Ok(rustix::io::retry_on_intr(|| fallocate(file, punch, bytes.start, len))?)
}

/// Frees nothing: the next truncation does.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn punch_hole(_: &File, _: Range<u64>) -> io::Result<()> {
    Ok(())
}

/// Allocates the blocks of `from..end`; returns `false` if the file system does not support that.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) fn allocate(file: &File, from: u64, end: u64) -> io::Result<bool> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;

    let Some(len) = end.checked_sub(from).filter(|len| *len > 0) else {
        return Ok(false);
    };
    check_space(file, from, end)?;
    match fallocate_pieces(file, FallocateFlags::empty(), from, len) {
        Ok(()) => Ok(true),
        // A sandbox refuses the call, or a seal does, which then refuses the new length too.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => Ok(false),
        // FreeBSD's answer for ZFS.
        Err(Errno::INVAL) if cfg!(target_os = "freebsd") => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Allocates blocks, in smaller and smaller pieces if signals interrupt the call.
///
/// At each signal, kernels before 6.11 release the blocks of a file in memory that they have just
/// allocated. The signals of a profiler would prevent large allocations.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn fallocate_pieces(
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

/// Refuses to fill the holes of a file if the disk surely lacks the space.
///
/// An allocation that fails in the middle of a file keeps the blocks that it has got. One at the end
/// is undone by a truncation.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn check_space(file: &File, from: u64, end: u64) -> io::Result<()> {
    let metadata = file.metadata()?;
    if from >= metadata.len() {
        return Ok(());
    }
    // All blocks of the file may lie in the range.
    let missing = end.saturating_sub(from).saturating_sub(held_bytes(&metadata));
    check_free(file, missing).or_else(|_| {
        // XFS and btrfs free the space of removed files later.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        rustix::fs::syncfs(file)?;
        check_free(file, missing)
    })
}

/// Returns an error if the disk is known to have fewer than `len` free bytes.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) fn check_free(file: &File, len: u64) -> io::Result<()> {
    // If the free space is not known, the allocation or the write finds out.
    let Ok(disk) = rustix::fs::fstatvfs(file) else { return Ok(()) };
    let free = disk.f_bfree.saturating_mul(disk.f_frsize);
    if disk.f_blocks > 0 && len > free {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(())
}

/// Returns how many bytes the blocks of a file have; 0 where the system does not report blocks.
pub(crate) fn held_bytes(metadata: &Metadata) -> u64 {
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(512);
    #[cfg(not(unix))]
    {
        let _ = metadata;
        0
    }
}

/// Returns `false`: `set_len` allocates on NTFS, and does not on APFS.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) fn allocate(_: &File, _: u64, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Allocates the holes in a range of the file, where the file system supports that.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn fill_holes(file: &File, bytes: Range<u64>) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    use rustix::io::Errno;

    let len = bytes.end.saturating_sub(bytes.start);
    let keep = FallocateFlags::KEEP_SIZE;
    match fallocate_pieces(file, keep, bytes.start, len) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => Ok(()),
        filled => Ok(filled?),
    }
}

/// Allocates nothing: the writes allocate the blocks.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn fill_holes(_: &File, _: Range<u64>) -> io::Result<()> {
    Ok(())
}

/// Makes the file system turn the first `len` bytes into zeros, if it can.
///
/// Covers whole blocks, also beyond the end of the file. A part of a block would be written, and
/// btrfs would need another block for each store into it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn zero_start(file: &File, len: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};

    let len = crate::sys::round_up(len, 1 << 16).unwrap_or(len);
    let zero = FallocateFlags::ZERO_RANGE.union(FallocateFlags::KEEP_SIZE);
    Ok(rustix::io::retry_on_intr(|| fallocate(file, zero, 0, len))?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn zero_start(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Refuses to change the length of a file in memory if a seal forbids the change.
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

/// Returns whether an error means that the disk, or the quota of the user, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
