//! Pages by their addresses: residency, and advice that only Linux has.
#![expect(unsafe_code, reason = "`mincore` takes addresses of pages")]

use std::io;
use std::ops::Range;

use crate::sys::unix::{madvise, page_size, pointer};
use crate::sys::{pieces, round_down};

/// The most bytes of one call. The kernel looks for signals after each call.
const WINDOW: usize = 64 << 20;

/// Reads pages that are not in memory, and puts all into the page table.
///
/// Those of a private mapping are not copied.
pub(crate) fn populate(addresses: &Range<usize>) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};

    let populate = |part| match madvise(&part, rustix::mm::Advice::LinuxPopulateRead) {
        // A kernel before 5.14, or built without advice, or a sandbox that refuses some.
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported | PermissionDenied) => {
            Ok(())
        }
        populated => populated,
    };
    pieces(addresses, WINDOW).try_for_each(populate)
}

/// Calls `each` for every run of pages that are all in memory, or all not.
///
/// In the page cache, that is, whether or not in the page table. To those who may not write
/// to a file, nor own it, all its pages are said to be in memory.
pub(crate) fn residency(
    addresses: &Range<usize>,
    mut each: impl FnMut(Range<usize>, bool),
) -> io::Result<()> {
    let page = page_size();
    let mut states = Vec::new();
    let mut run = addresses.start..addresses.start;
    let mut was_in = false;
    for part in pieces(addresses, WINDOW) {
        let start = round_down(part.start, page);
        let len = part.end.saturating_sub(start);
        states.resize(len.div_ceil(page.max(1)), 0_u8);
        // SAFETY: `states` has a byte for each page; where there are none, it is an error.
        let failed =
            unsafe { libc::mincore(pointer(start), len, states.as_mut_ptr().cast()) };
        if failed != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut end = start;
        for state in &states {
            let is_in = state & 1 == 1;
            if is_in != was_in && !run.is_empty() {
                each(run.clone(), was_in);
                run.start = run.end;
            }
            was_in = is_in;
            end = end.saturating_add(page);
            run.end = end.min(part.end);
        }
    }
    if !run.is_empty() {
        each(run, was_in);
    }
    Ok(())
}

/// Takes unchanged pages out of memory altogether, also out of the page cache.
///
/// Those that other mappings have stay, as do those of a file that is neither the caller's
/// own nor open to be written by them.
pub(crate) fn page_out(addresses: &Range<usize>) -> io::Result<()> {
    madvise(addresses, rustix::mm::Advice::LinuxPageOut)
}

/// Returns whether the kernel refuses to take a page from memory: because it is locked there, or
/// because the kernel is older than 5.4.
pub(crate) fn may_be_locked(address: usize) -> bool {
    let page = address..address.saturating_add(1);
    let refused = madvise(&page, rustix::mm::Advice::LinuxCold);
    refused.is_err_and(|e| e.kind() == io::ErrorKind::InvalidInput)
}
