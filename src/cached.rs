//! How much of a file is in the page cache, at a glance (Linux).
#![expect(unsafe_code, reason = "no crate in use makes this system call")]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

/// The number of `cachestat`, the same for all processors that Linux got since it has one.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64"))]
const CACHESTAT: libc::c_long = 451;
/// No call has this number.
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "riscv64"
)))]
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
