//! Pages by their addresses: which are in memory, bringing them there, advice.
//!
//! Knows neither mappings nor arrays. Whatever lies at an address, nothing here changes a
//! byte of it, so that nobody has to promise what lies there.
#![cfg_attr(unix, expect(unsafe_code, reason = "the kernel is told of addresses"))]

use std::io;
use std::ops::Range;

use memmap2::MmapRaw;

use crate::mode::Advice;
#[cfg(target_os = "linux")]
use crate::sys::limits;

/// How much the kernel is asked to map at a time; it looks for signals after each.
#[cfg(target_os = "linux")]
const WINDOW: usize = 64 << 20;
/// How much it is asked to read without saying so; of more it takes only the beginning.
#[cfg(unix)]
const REQUEST: usize = 128 << 10;
/// The largest page of hugetlbfs that is looked for.
#[cfg(target_os = "linux")]
const LARGEST_PAGE: usize = 1 << 30;
/// The largest piece of a file that the page cache of Linux holds as one.
pub(crate) const FOLIO: usize = 2 << 20;

/// Tells the kernel how pages will be used; it is free not to heed that.
#[cfg(unix)]
pub(crate) fn advise(addresses: &Range<usize>, advice: Advice) -> io::Result<()> {
    use rustix::mm::Advice as Kernel;

    let advice = match advice {
        Advice::Normal => Kernel::Normal,
        Advice::Sequential => Kernel::Sequential,
        Advice::Random => Kernel::Random,
        Advice::WillNeed => Kernel::WillNeed,
        #[cfg(target_os = "linux")]
        Advice::HugePage => Kernel::LinuxHugepage,
        #[cfg(not(target_os = "linux"))]
        Advice::HugePage => return Ok(()),
    };
    tell(addresses, advice)
}

/// Tells the system nothing: only Unix takes advice.
#[cfg(not(unix))]
pub(crate) fn advise(_: &Range<usize>, _: Advice) -> io::Result<()> {
    Ok(())
}

/// Begins to read pages that are not in memory, these and no others.
#[cfg(unix)]
pub(crate) fn request(addresses: &Range<usize>) -> io::Result<()> {
    windows(addresses, REQUEST).try_for_each(|part| advise(&part, Advice::WillNeed))
}

/// Reads nothing.
#[cfg(not(unix))]
pub(crate) fn request(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Reads pages that are not in memory, and puts all into the page table.
///
/// Those of a private mapping are not copied.
#[cfg(target_os = "linux")]
pub(crate) fn populate(addresses: &Range<usize>) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};

    let populate = |part| match tell(&part, rustix::mm::Advice::LinuxPopulateRead) {
        // A kernel before 5.14, or built without advice, or a sandbox that refuses some.
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported | PermissionDenied) => {
            Ok(())
        }
        populated => populated,
    };
    windows(addresses, WINDOW).try_for_each(populate)
}

/// Leaves that to the first access.
#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Calls `each` for every run of pages that are all in memory, or all not.
///
/// In the page cache, that is, whether or not in the page table. To those who may not write
/// to a file, nor own it, all its pages are said to be in memory.
#[cfg(target_os = "linux")]
pub(crate) fn residency(
    addresses: &Range<usize>,
    mut each: impl FnMut(Range<usize>, bool),
) -> io::Result<()> {
    let page = page_size();
    let mut states = Vec::new();
    let mut run = addresses.start..addresses.start;
    let mut was_in = false;
    for part in windows(addresses, WINDOW) {
        let start = page_of(part.start);
        let len = part.end.saturating_sub(start);
        states.resize(len.div_ceil(page.max(1)), 0_u8);
        // SAFETY: `states` has a byte for each page; where there are none, it is an error.
        let failed = unsafe { libc::mincore(at(start), len, states.as_mut_ptr().cast()) };
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

/// Knows nothing.
#[cfg(not(target_os = "linux"))]
pub(crate) fn residency(
    _: &Range<usize>,
    _: impl FnMut(Range<usize>, bool),
) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes unchanged pages out of memory altogether, also out of the page cache.
///
/// Those that other mappings have stay, as do those of a file that is neither the caller's
/// own nor open to be written by them.
#[cfg(target_os = "linux")]
pub(crate) fn page_out(addresses: &Range<usize>) -> io::Result<()> {
    tell(addresses, rustix::mm::Advice::LinuxPageOut)
}

/// Leaves the page cache to the system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn page_out(_: &Range<usize>) -> io::Result<()> {
    Ok(())
}

/// Returns whether the kernel refuses to take a page from memory: because it is locked there, or
/// because the kernel is older than 5.4.
#[cfg(target_os = "linux")]
pub(crate) fn may_be_locked(address: usize) -> bool {
    let page = address..address.saturating_add(1);
    let refused = tell(&page, rustix::mm::Advice::LinuxCold);
    refused.is_err_and(|e| e.kind() == io::ErrorKind::InvalidInput)
}

/// Gives one of those pieces of advice that change no byte.
#[cfg(unix)]
fn tell(addresses: &Range<usize>, advice: rustix::mm::Advice) -> io::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    let start = page_of(addresses.start);
    let len = addresses.end.saturating_sub(start);
    // SAFETY: no caller gives advice that drops or changes pages, so that memory is as it
    // was, whatever lies there and if nothing does.
    Ok(unsafe { rustix::mm::madvise(at(start), len, advice) }?)
}

/// Returns the address as the kernel takes it.
#[cfg(unix)]
fn at(address: usize) -> *mut std::ffi::c_void {
    std::ptr::without_provenance_mut(address)
}

/// Returns the address of the page that an address lies in.
pub(crate) fn page_of(address: usize) -> usize {
    address.saturating_sub(address.checked_rem(page_size()).unwrap_or(0))
}

/// Returns the size of a page.
#[cfg(unix)]
pub(crate) fn page_size() -> usize {
    rustix::param::page_size()
}

/// Returns the size of a page of every processor that Windows runs on.
#[cfg(not(unix))]
pub(crate) fn page_size() -> usize {
    4096
}

/// Divides a range into parts of at most `len` bytes, all but the first at multiples of it.
pub(crate) fn windows(
    range: &Range<usize>,
    len: usize,
) -> impl Iterator<Item = Range<usize>> {
    let mut rest = range.clone();
    std::iter::from_fn(move || {
        let next = rest.start.saturating_add(1).checked_next_multiple_of(len);
        let part = rest.start..next.unwrap_or(rest.end).min(rest.end);
        rest.start = part.end;
        Some(part).filter(|part| !part.is_empty())
    })
}

/// A second mapping of the pages of a shared one, by which they are read, and nothing else.
///
/// Each access to a page of it that is not in memory reads the 2 MiB of the file around it,
/// into one folio where the file system can, and nothing beyond: the kernel is not to read
/// ahead of it. So it is fast, whatever the machine's readahead, and known what is read. The
/// first mapping, by which the array is used, knows nothing of such advice.
#[derive(Debug)]
pub(crate) struct Twin {
    /// Where the pages are in the first mapping.
    first: usize,
    /// How far the first page lies behind a multiple of 2 MiB of the file.
    phase: usize,
    #[cfg(target_os = "linux")]
    pages: Range<usize>,
}

#[cfg(not(target_os = "linux"))]
impl Twin {
    pub(crate) fn of(_: &Range<usize>, _: u64) -> Option<Self> {
        None
    }

    pub(crate) fn from_mapping(_: MmapRaw, _: &Range<usize>, _: u64) -> Option<Self> {
        None
    }

    pub(crate) fn read(&self, addresses: &Range<usize>) -> io::Result<()> {
        let _ = (self.first, self.phase);
        request(addresses)
    }
}

#[cfg(target_os = "linux")]
impl Twin {
    /// Maps the pages of a whole shared mapping a second time, without their file.
    ///
    /// The first address is that of the byte `offset` of the file.
    pub(crate) fn of(addresses: &Range<usize>, offset: u64) -> Option<Self> {
        use rustix::mm::{MremapFlags, mremap};

        let start = page_of(addresses.start);
        let len = addresses.end.saturating_sub(start);
        if !reads_folios() || len < FOLIO {
            return None;
        }
        // SAFETY: a mapping of length 0 is left as it is and, if it is shared, mapped once
        // more where nothing is; else this is an error.
        let twin = unsafe { mremap(at(start), 0, len, MremapFlags::MAYMOVE) }.ok()?;
        let pages = twin.addr()..twin.addr().saturating_add(len);
        Self::new(pages, addresses, offset)
    }

    /// Takes a shared mapping of the bytes that another mapping has at some addresses.
    pub(crate) fn from_mapping(
        map: MmapRaw,
        addresses: &Range<usize>,
        offset: u64,
    ) -> Option<Self> {
        let start = map.as_mut_ptr().addr();
        let pages = page_of(start)..start.saturating_add(map.len());
        // The twin unmaps them.
        std::mem::forget(map);
        Self::new(pages, addresses, offset).filter(|_| reads_folios())
    }

    fn new(pages: Range<usize>, addresses: &Range<usize>, offset: u64) -> Option<Self> {
        use rustix::mm::Advice;

        let first = page_of(addresses.start);
        let lead = addresses.start.saturating_sub(first);
        let phase = offset.checked_rem(u64::try_from(FOLIO).ok()?)?;
        let phase = usize::try_from(phase).ok()?.saturating_sub(lead);
        let twin = Self { first, phase, pages };
        // A process may lock all that it maps; what is read here is not to stay.
        // SAFETY: the mapping is the twin's own; that changes no byte.
        let _ = unsafe { rustix::mm::munlock(at(twin.pages.start), twin.pages.len()) };
        // Without the one, the other would read page by page.
        tell(&twin.pages, Advice::LinuxHugepage).ok()?;
        tell(&twin.pages, Advice::Random).ok()?;
        Some(twin)
    }

    /// Reads pages, given by their addresses in the first mapping, into the page cache.
    ///
    /// These and no others: where they are no whole 2 MiB, one by one.
    pub(crate) fn read(&self, addresses: &Range<usize>) -> io::Result<()> {
        let in_file = |address: usize| {
            address.saturating_sub(self.first).saturating_add(self.phase)
        };
        let start = in_file(addresses.start).checked_next_multiple_of(FOLIO);
        let end = in_file(addresses.end);
        let end = end.saturating_sub(end.checked_rem(FOLIO).unwrap_or(0));
        let Some(start) = start.filter(|start| *start < end) else {
            return request(addresses);
        };
        let address = |in_file: usize| {
            self.first.saturating_add(in_file.saturating_sub(self.phase))
        };
        // These are only requested: what is missing is read when it is touched.
        let _ = request(&(addresses.start..address(start)));
        let _ = request(&(address(end)..addresses.end));
        windows(&(start..end), FOLIO).try_for_each(|folio| {
            let here = folio.start.saturating_sub(self.phase);
            let here = self.pages.start.saturating_add(here);
            let here = here..here.saturating_add(folio.len()).min(self.pages.end);
            let populated = populate(&here);
            let advice = rustix::mm::Advice::LinuxDontNeed;
            // SAFETY: the pages are of the twin, which nobody else knows and whose bytes are
            // the file's.
            let _ = unsafe { rustix::mm::madvise(at(here.start), here.len(), advice) };
            populated
        })
    }
}

#[cfg(target_os = "linux")]
impl Drop for Twin {
    fn drop(&mut self) {
        let unmap = |len| {
            // SAFETY: the mapping is the twin's own, and nobody has a reference into it. The
            // kernel unmaps no part of a huge page: the first length that it takes ends with
            // the last page of this mapping.
            unsafe { rustix::mm::munmap(at(self.pages.start), len) }
        };
        let mut page = page_size();
        let len = |page| self.pages.len().checked_next_multiple_of(page);
        while let Some(len) = len(page).filter(|_| page <= LARGEST_PAGE) {
            match unmap(len) {
                Err(rustix::io::Errno::INVAL) => page = page.saturating_mul(2),
                _ => break,
            }
        }
    }
}

/// Tells whether the kernel reads as [`Twin`] says: Linux from 5.18 on, with pages of 4 KiB.
#[cfg(target_os = "linux")]
fn reads_folios() -> bool {
    if page_size() != 4096 {
        return false;
    }
    let release = limits::kernel_release().unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    let release: [u32; 2] =
        [numbers.next(), numbers.next()].map(Option::unwrap_or_default);
    release >= [5, 18]
}
