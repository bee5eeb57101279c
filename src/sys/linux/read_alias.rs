//! A second mapping of a file that reads whole folios into the page cache.
#![expect(unsafe_code, reason = "the alias owns pages that no other code knows")]

use std::{io, ops::Range};

use memmap2::MmapRaw;

use super::limits::kernel_release;
use super::memory::populate;
use crate::sys::unix::{madvise, page_size, pointer, request};
use crate::sys::{FOLIO, pieces, round_down};

/// The largest page of hugetlbfs that `drop` tries.
const LARGEST_PAGE: usize = 1 << 30;

/// A second mapping of the pages of a shared mapping, used only to read them.
///
/// An access to a page that is not cached reads the 2 MiB of the file around it, and nothing
/// beyond: kernel readahead is off. The read makes one folio where the file system supports that.
/// Reading is fast with any readahead setting of the disk, and the caller knows which pages were
/// read. The first mapping, through which the array is used, keeps its own advice.
#[derive(Debug)]
pub(crate) struct ReadAlias {
    /// The address of the pages in the first mapping.
    first: usize,
    /// The distance of the first page from a multiple of 2 MiB of the file.
    phase: usize,
    pages: Range<usize>,
}

impl ReadAlias {
    /// Maps the pages of a whole shared mapping a second time, without their file.
    ///
    /// The first address is that of byte `offset` of the file.
    pub(crate) fn of(addresses: &Range<usize>, offset: u64) -> Option<Self> {
        use rustix::mm::{MremapFlags, mremap};

        let start = round_down(addresses.start, page_size());
        let len = addresses.end.saturating_sub(start);
        if !reads_folios() || len < FOLIO {
            return None;
        }
        // SAFETY: with an old length of 0, `mremap` leaves the mapping as it is. A shared mapping
        // is mapped once more where nothing is mapped; for any other mapping this is an error.
        let alias =
            unsafe { mremap(pointer(start), 0, len, MremapFlags::MAYMOVE) }.ok()?;
        let pages = alias.addr()..alias.addr().saturating_add(len);
        Self::new(pages, addresses, offset)
    }

    /// Takes a shared mapping of the bytes that another mapping has at some addresses.
    pub(crate) fn from_mapping(
        map: MmapRaw,
        addresses: &Range<usize>,
        offset: u64,
    ) -> Option<Self> {
        let start = map.as_mut_ptr().addr();
        let pages = round_down(start, page_size())..start.saturating_add(map.len());
        // The alias unmaps them.
        std::mem::forget(map);
        Self::new(pages, addresses, offset).filter(|_| reads_folios())
    }

    fn new(pages: Range<usize>, addresses: &Range<usize>, offset: u64) -> Option<Self> {
        use rustix::mm::Advice;

        let first = round_down(addresses.start, page_size());
        let lead = addresses.start.saturating_sub(first);
        let phase = offset.checked_rem(u64::try_from(FOLIO).ok()?)?;
        let phase = usize::try_from(phase).ok()?.saturating_sub(lead);
        let alias = Self { first, phase, pages };
        // A process may lock all pages that it maps, but pages that are read here must not stay.
        // SAFETY: the mapping belongs to the alias; unlocking changes no byte.
        let _ =
            unsafe { rustix::mm::munlock(pointer(alias.pages.start), alias.pages.len()) };
        // With only one of these two, the mapping would be read page by page.
        madvise(&alias.pages, Advice::LinuxHugepage).ok()?;
        madvise(&alias.pages, Advice::Random).ok()?;
        Some(alias)
    }

    /// Reads pages, given by their addresses in the first mapping, into the page cache.
    ///
    /// Reads no other pages. Pages outside whole pieces of 2 MiB are read one by one.
    pub(crate) fn read(&self, addresses: &Range<usize>) -> io::Result<()> {
        let in_file = |address: usize| {
            address.saturating_sub(self.first).saturating_add(self.phase)
        };
        let start = in_file(addresses.start).checked_next_multiple_of(FOLIO);
        let end = in_file(addresses.end);
        let end = round_down(end, FOLIO);
        let Some(start) = start.filter(|start| *start < end) else {
            return request(addresses);
        };
        let address = |in_file: usize| {
            self.first.saturating_add(in_file.saturating_sub(self.phase))
        };
        // Only requested: an access reads the pages that are still missing.
        let _ = request(&(addresses.start..address(start)));
        let _ = request(&(address(end)..addresses.end));
        pieces(&(start..end), FOLIO).try_for_each(|folio| {
            let here = folio.start.saturating_sub(self.phase);
            let here = self.pages.start.saturating_add(here);
            let here = here..here.saturating_add(folio.len()).min(self.pages.end);
            let populated = populate(&here);
            let advice = rustix::mm::Advice::LinuxDontNeed;
            // SAFETY: the pages belong to the alias, which no other code knows, and their bytes are
            // those of the file.
            let _ =
                unsafe { rustix::mm::madvise(pointer(here.start), here.len(), advice) };
            populated
        })
    }
}

impl Drop for ReadAlias {
    fn drop(&mut self) {
        let unmap = |len| {
            // SAFETY: the mapping belongs to the alias, and no reference into it exists. The kernel
            // unmaps no part of a huge page: the first length that the kernel accepts ends with the
            // last page of this mapping.
            unsafe { rustix::mm::munmap(pointer(self.pages.start), len) }
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

/// Returns whether the kernel reads as [`ReadAlias`] says: Linux from 5.18 on, with 4 KiB pages.
fn reads_folios() -> bool {
    if page_size() != 4096 {
        return false;
    }
    let release = kernel_release().unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse().unwrap_or(0));
    let release: [u32; 2] =
        [numbers.next(), numbers.next()].map(Option::unwrap_or_default);
    release >= [5, 18]
}
