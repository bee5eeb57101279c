//! The page cache of a file: how much is in it, and taking that out (Linux).
#![expect(unsafe_code, reason = "no crate in use makes this system call")]

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::AsRawFd;

use crate::sys::memory::page_size;

/// The number of `cachestat`.
///
/// System calls since Linux 5.0 have one number on all processors but those of MIPS, which add
/// one for each of their conventions, and Alpha, which Rust does not know.
#[cfg(not(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
)))]
const CACHESTAT: libc::c_long = 451;
/// No call has this number.
#[cfg(any(
    target_arch = "mips",
    target_arch = "mips32r6",
    target_arch = "mips64",
    target_arch = "mips64r6"
))]
const CACHESTAT: libc::c_long = -1;

/// `struct cachestat_range`
#[repr(C)]
struct Asked {
    start: u64,
    len: u64,
}

/// `struct cachestat`
#[repr(C)]
#[derive(Default)]
struct Answer {
    cached: u64,
    dirty: u64,
    in_writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Counts the pages of some bytes of a file that are in the page cache.
///
/// An error in kernels before 6.5, and if the file is neither open for writing nor the
/// caller's own.
pub(crate) fn count(file: &File, bytes: &Range<u64>) -> io::Result<u64> {
    let asked = Asked { start: bytes.start, len: bytes.end.saturating_sub(bytes.start) };
    let mut answer = Answer::default();
    if asked.len == 0 {
        // To the kernel, no length means to the end of the file.
        return Ok(0);
    }
    let fd = file.as_raw_fd();
    // SAFETY: the descriptor is open, and both structs are those of the kernel.
    let failed =
        unsafe { libc::syscall(CACHESTAT, fd, &raw const asked, &raw mut answer, 0) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(answer.cached) }
}

/// Takes the pages of some bytes, written and not mapped, out of the page cache.
///
/// The first and the last page too, if only a part of them is meant.
pub(crate) fn forget(file: &File, bytes: &Range<u64>) -> io::Result<()> {
    let page = u64::try_from(page_size()).map_err(io::Error::other)?;
    let start = bytes.start.saturating_sub(bytes.start.checked_rem(page).unwrap_or(0));
    let end = bytes.end.checked_next_multiple_of(page).unwrap_or(u64::MAX);
    let len = NonZeroU64::new(end.saturating_sub(start));
    if bytes.is_empty() {
        return Ok(());
    }
    Ok(rustix::fs::fadvise(file, start, len, rustix::fs::Advice::DontNeed)?)
}
