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

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Returns the blocks of a file, after the file system has chosen them.
    fn held(file: &File) -> u64 {
        file.sync_all().expect("it syncs");
        held_bytes(&file.metadata().expect("it is open"))
    }

    fn len(file: &File) -> u64 {
        file.metadata().expect("it is open").len()
    }

    #[test]
    fn blocks_are_allocated_and_freed_where_the_file_system_can() {
        let file = tempfile::tempfile().unwrap();
        assert!(!allocate(&file, 0, 0).unwrap(), "nothing to allocate");
        if !allocate(&file, MIB, 3 * MIB).unwrap() {
            // The file system cannot allocate, and nothing has changed.
            assert_eq!((len(&file), held(&file)), (0, 0));
            return;
        }
        assert_eq!(len(&file), 3 * MIB);
        assert!((2 * MIB..3 * MIB).contains(&held(&file)), "{}", held(&file));
        fill_holes(&file, 0..MIB).unwrap();
        let all = held(&file);
        assert!(all >= 3 * MIB && len(&file) == 3 * MIB, "{all}");
        crate::sys::write_all_at(&file, &[7; 4096], 2 * MIB).unwrap();
        if punch_hole(&file, 2 * MIB..3 * MIB).is_ok() {
            assert!(held(&file) <= all - MIB + 65_536, "{} of {all}", held(&file));
            let mut start = [7; 4096];
            crate::sys::read_at_most(&file, &mut start, 2 * MIB).unwrap();
            assert_eq!((start, len(&file)), ([0; 4096], 3 * MIB));
        }
        punch_hole(&file, 5..5).unwrap();
        crate::sys::write_all_at(&file, &[7; 200_000], 0).unwrap();
        if zero_start(&file, 100_000).is_ok() {
            let mut start = vec![7; 200_000];
            crate::sys::read_at_most(&file, &mut start, 0).unwrap();
            // Whole blocks of 64 KiB.
            assert!(start[..131_072].iter().all(|byte| *byte == 0));
            assert!(start[131_072..].iter().all(|byte| *byte == 7));
        }
    }

    #[test]
    fn space_that_the_disk_lacks_is_not_allocated() {
        let file = tempfile::tempfile().unwrap();
        crate::sys::write_all_at(&file, &[1; 100], 0).unwrap();
        let disk = rustix::fs::fstatvfs(&file).unwrap();
        let free = disk.f_bfree * disk.f_frsize;
        check_free(&file, free / 2).unwrap();
        if disk.f_blocks > 0 {
            assert!(is_full(&check_free(&file, 2 * free + MIB).unwrap_err()));
            // Holes before the end of the file are compared, and not the space after it.
            let refused = check_space(&file, 50, 2 * free + MIB).unwrap_err();
            assert!(is_full(&refused), "{refused}");
        }
        check_space(&file, 100, 2 * free + MIB).unwrap();
        check_space(&file, 50, 100).unwrap();
        assert!(is_full(&io::ErrorKind::QuotaExceeded.into()));
        assert!(!is_full(&io::ErrorKind::PermissionDenied.into()));
    }

    #[test]
    fn seals_forbid_the_changes_that_they_name() {
        #[rustfmt::skip]
        let rows = [
            (SealFlags::empty(), [true, true, true]),
            (SealFlags::SHRINK, [false, true, false]),
            (SealFlags::GROW, [true, false, false]),
            (SealFlags::SHRINK | SealFlags::GROW, [false, false, false]),
        ];
        for (seals, allowed) in rows {
            let file =
                File::from(memfd_create("sealed", MemfdFlags::ALLOW_SEALING).unwrap());
            fcntl_add_seals(&file, seals).unwrap();
            let found = [(true, false), (false, true), (true, true)]
                .map(|(shrinks, grows)| check_seals(&file, shrinks, grows).is_ok());
            assert_eq!(found, allowed, "{seals:?}");
            assert!(check_seals(&file, false, false).is_ok());
        }
        assert!(check_seals(&tempfile::tempfile().unwrap(), true, true).is_ok());
    }
}
