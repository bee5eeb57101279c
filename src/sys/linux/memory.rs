//! Pages by their addresses: residency, and advice that only Linux has.
#![expect(unsafe_code, reason = "`mincore` takes addresses of pages")]

use std::{io, ops::Range};

use crate::sys::unix::{madvise, page_size, pointer};
use crate::sys::{pieces, round_down};

/// The most bytes of one call. The kernel looks for signals after each call.
const WINDOW: usize = 64 << 20;

/// Reads pages that are not cached, and puts all pages into the page table.
///
/// Pages of a private mapping are not copied.
pub(crate) fn populate(addresses: &Range<usize>) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};

    let populate = |part| match madvise(&part, rustix::mm::Advice::LinuxPopulateRead) {
        // A kernel before 5.14, a kernel without `madvise`, or a sandbox that refuses this advice.
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported | PermissionDenied) => {
            Ok(())
        }
        populated => populated,
    };
    pieces(addresses, WINDOW).try_for_each(populate)
}

/// Calls `each` for every run of pages that are all cached, or all not.
///
/// A page is cached if it is in the page cache, whether or not it is in the page table. The kernel
/// reports all pages as cached to a process that neither owns the file nor may write to it.
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
        // SAFETY: `states` has a byte for each page; an address without a page is an error.
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

/// Evicts unchanged pages from memory, and from the page cache.
///
/// Pages that other mappings have stay. So do pages of a file that the caller neither owns nor may
/// write to.
pub(crate) fn page_out(addresses: &Range<usize>) -> io::Result<()> {
    madvise(addresses, rustix::mm::Advice::LinuxPageOut)
}
