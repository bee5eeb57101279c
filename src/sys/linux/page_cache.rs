//! The page cache of a file: counting pages and evicting them.
#![expect(unsafe_code, reason = "no crate in use makes this system call")]

use std::{fs::File, io, num::NonZeroU64, ops::Range, os::fd::AsRawFd};

use crate::sys::{page_size, round_down, round_up};

/// The number of `cachestat`.
///
/// System calls since Linux 5.0 have one number on all processors except MIPS and Alpha. MIPS adds
/// a number for each of its conventions, and Rust does not support Alpha.
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
struct CachestatRange {
    start: u64,
    len: u64,
}

/// `struct cachestat`
#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cached: u64,
    dirty: u64,
    in_writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// Counts the cached pages of some bytes of a file.
///
/// Fails in kernels before 6.5, and if the file is neither open for writing nor owned by the
/// caller.
pub(crate) fn cached_pages(file: &File, bytes: &Range<u64>) -> io::Result<u64> {
    let len = bytes.end.saturating_sub(bytes.start);
    if len == 0 {
        // The kernel takes a length of 0 as "to the end of the file".
        return Ok(0);
    }
    let range = CachestatRange { start: bytes.start, len };
    let mut counts = Cachestat::default();
    let fd = file.as_raw_fd();
    // SAFETY: the descriptor is open, and both structs are those of the kernel.
    let failed =
        unsafe { libc::syscall(CACHESTAT, fd, &raw const range, &raw mut counts, 0) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(counts.cached) }
}

/// Evicts pages of some bytes from the page cache that are written and not mapped.
///
/// Evicts the first and the last page as a whole.
pub(crate) fn drop_cached(file: &File, bytes: &Range<u64>) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let page = u64::try_from(page_size()).map_err(io::Error::other)?;
    let start = round_down(bytes.start, page);
    let end = round_up(bytes.end, page).unwrap_or(u64::MAX);
    let len = NonZeroU64::new(end.saturating_sub(start));
    Ok(rustix::fs::fadvise(file, start, len, rustix::fs::Advice::DontNeed)?)
}
