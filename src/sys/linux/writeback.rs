//! Writing a part of a file to its device (`sync_file_range`).
#![expect(unsafe_code, reason = "no crate in use makes this system call")]

use std::{fs::File, io, ops::Range, os::fd::AsRawFd};

use crate::sys::FileSystem;

/// Starts to write changed pages of some bytes of a file.
///
/// If a sandbox refuses the call, nothing is lost.
pub(crate) fn start_writeback(file: &File, bytes: &Range<u64>) -> io::Result<()> {
    sync_file_range(file, bytes, libc::SYNC_FILE_RANGE_WRITE).map(drop)
}

/// Waits for the writes that have started; returns `false` if the file system ignores the call.
///
/// The drive may still hold the bytes in its cache.
pub(crate) fn wait_for_writeback(file: &File, bytes: &Range<u64>) -> io::Result<bool> {
    if !FileSystem::of(file).reports_residency {
        return Ok(false);
    }
    sync_file_range(file, bytes, libc::SYNC_FILE_RANGE_WAIT_BEFORE).map(|_| true)
}

/// Writes the first `len` bytes of a file to its device and waits for that.
///
/// Later writes to the file reach the disk later: the journal of a file system flushes the cache of
/// the drive first. Returns `false` if the kernel refuses the call or the file system ignores it.
pub(crate) fn write_start(file: &File, len: u64) -> io::Result<bool> {
    if !FileSystem::of(file).reports_residency {
        return Ok(false);
    }
    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_file_range(file, &(0..len), flags)
}

/// Makes the system call; returns `false` if the kernel refuses it.
fn sync_file_range(
    file: &File,
    bytes: &Range<u64>,
    flags: libc::c_uint,
) -> io::Result<bool> {
    if bytes.is_empty() {
        // The kernel takes a length of 0 as "to the end of the file".
        return Ok(true);
    }
    let start = i64::try_from(bytes.start).map_err(io::Error::other)?;
    let end = i64::try_from(bytes.end).map_err(io::Error::other)?;
    let len = end.saturating_sub(start);
    loop {
        // SAFETY: the descriptor is open, and no memory is involved.
        let failed =
            unsafe { libc::sync_file_range(file.as_raw_fd(), start, len, flags) };
        let error = io::Error::last_os_error();
        return match error.kind() {
            _ if failed == 0 => Ok(true),
            io::ErrorKind::Interrupted => continue,
            io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => Ok(false),
            _ => Err(error),
        };
    }
}
