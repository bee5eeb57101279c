//! Ranges of mapped pages: what the kernel is told and asked of them.
//!
//! All ranges count bytes from the first of the array. They are compared with the mapping
//! here, since neither memmap2 nor the kernel knows where the array ends.
#![expect(unsafe_code, reason = "to drop, lock and ask for pages is unsafe")]

use std::io;
use std::ops::Range;

use memmap2::MmapRaw;

#[cfg(target_os = "linux")]
use crate::pagemap;
use crate::pages::{self, Pages};
use crate::span::Span;
use crate::{Advice, Mode};

/// How much the kernel is asked to read at a time, of which it says when it has it.
const WINDOW: usize = 64 << 20;
/// How much it is asked to read without saying so; of more it takes only the beginning.
const REQUEST: usize = 128 << 10;

impl Pages {
    /// Returns the ranges of mapped bytes, whole pages, that elements touch.
    pub(crate) fn touched(&self, span: &Span) -> Vec<Range<usize>> {
        let start = self.as_mut_ptr().addr();
        let len = self.mapping().map_or(0, MmapRaw::len);
        span.pages(start..start.saturating_add(len), page_size())
    }

    /// Takes pages out of the page table without losing a private change.
    ///
    /// The bytes stay as they are: the page cache has them, or the file.
    pub(crate) fn unmap(&self, range: &Range<usize>, mode: Mode) -> io::Result<()> {
        match mode {
            Mode::CopyOnWrite => self.unmap_private(range),
            _ => self.unmap_shared(range),
        }
    }

    /// Tells the kernel how pages will be used.
    pub(crate) fn advise(&self, range: &Range<usize>, advice: Advice) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        pages::advise(map, range, advice)
    }

    /// Begins to read pages that are not in memory.
    pub(crate) fn request(&self, range: &Range<usize>) -> io::Result<()> {
        windows(range, REQUEST).try_for_each(|part| self.advise(&part, Advice::WillNeed))
    }

    /// Reads pages that are not in memory and puts all into the page table.
    pub(crate) fn populate(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        windows(range, WINDOW).try_for_each(|part| pages::populate(map, &part))
    }

    /// Takes the pages of a shared mapping, or of one that is never changed.
    fn unmap_shared(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        drop_pages(map, range)
    }

    /// Takes those pages of a private mapping that are the file's.
    #[cfg(target_os = "linux")]
    fn unmap_private(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let base = map.as_mut_ptr().addr();
        let address = |at: usize| base.saturating_add(at);
        let unchanged = pagemap::unchanged(address(range.start)..address(range.end))?;
        unchanged.iter().try_for_each(|part| {
            let offset = |at: usize| at.saturating_sub(base);
            drop_pages(map, &(offset(part.start)..offset(part.end)))
        })
    }

    /// Keeps the pages, since nothing tells which of them are changed.
    #[cfg(not(target_os = "linux"))]
    fn unmap_private(&self, range: &Range<usize>) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Takes unchanged pages out of memory altogether, also out of the page cache.
    ///
    /// Those that other processes have mapped stay, as do those of a file that is neither the
    /// caller's own nor open to be written by them.
    #[cfg(target_os = "linux")]
    pub(crate) fn page_out(&self, range: &Range<usize>) -> io::Result<()> {
        use rustix::mm::{Advice, madvise};

        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        let lead = start.addr().checked_rem(page_size()).unwrap_or(0);
        let start = start.wrapping_sub(lead).cast();
        let len = range.len().saturating_add(lead);
        // SAFETY: the pages are of the mapping, which begins at one; their bytes stay.
        Ok(unsafe { madvise(start, len, Advice::LinuxPageOut) }?)
    }

    /// Leaves the page cache to the system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn page_out(&self, range: &Range<usize>) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Keeps pages in memory until they are unlocked or unmapped.
    #[cfg(unix)]
    pub(crate) fn lock(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        // SAFETY: the range lies within the mapping; to lock pages changes no byte.
        Ok(unsafe { rustix::mm::mlock(start.cast(), range.len()) }?)
    }

    /// Ends what [`lock`](Self::lock) has begun.
    #[cfg(unix)]
    pub(crate) fn unlock(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        // SAFETY: the range lies within the mapping; to unlock pages changes no byte.
        Ok(unsafe { rustix::mm::munlock(start.cast(), range.len()) }?)
    }

    /// Refuses: no crate in use can do it elsewhere.
    #[cfg(not(unix))]
    pub(crate) fn lock(&self, _: &Range<usize>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Refuses, as [`lock`](Self::lock) does.
    #[cfg(not(unix))]
    pub(crate) fn unlock(&self, _: &Range<usize>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Begins to write changed pages to the file, whose byte `offset` the array begins at.
    pub(crate) fn start_sync(&self, range: &Range<usize>, offset: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        if let Some(file) = self.file() {
            return write_back(file, range, offset, libc::SYNC_FILE_RANGE_WRITE);
        }
        let _ = offset;
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        map.flush_async_range(range.start, range.len())
    }

    /// Waits until pages are written whose writing has begun.
    ///
    /// That is no sync: the drive may still have them in its cache.
    #[cfg(target_os = "linux")]
    pub(crate) fn finish_write(
        &self,
        range: &Range<usize>,
        offset: u64,
    ) -> io::Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        write_back(file, range, offset, libc::SYNC_FILE_RANGE_WAIT_BEFORE)
    }

    /// Leaves the pace of writing to the system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn finish_write(&self, range: &Range<usize>, _: u64) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Takes written pages that nobody has mapped out of the page cache.
    #[cfg(target_os = "linux")]
    pub(crate) fn forget(&self, range: &Range<usize>, offset: u64) -> io::Result<()> {
        use std::num::NonZeroU64;

        let (Some(file), false) = (self.file(), range.is_empty()) else { return Ok(()) };
        let start = u64::try_from(range.start).unwrap_or(u64::MAX).saturating_add(offset);
        let len = NonZeroU64::new(u64::try_from(range.len()).unwrap_or(u64::MAX));
        Ok(rustix::fs::fadvise(file, start, len, rustix::fs::Advice::DontNeed)?)
    }

    /// Leaves the page cache to the system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn forget(&self, range: &Range<usize>, _: u64) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Calls `each` for every run of pages that are all in memory, or all not.
    ///
    /// In the page cache, that is, whether or not in the page table.
    #[cfg(target_os = "linux")]
    pub(crate) fn residency(
        &self,
        range: &Range<usize>,
        mut each: impl FnMut(Range<usize>, bool),
    ) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let page = page_size();
        let mut states = Vec::new();
        let mut run = range.start..range.start;
        let mut was_in = false;
        for part in windows(range, WINDOW) {
            // The first page may begin before the array does.
            let start = map.as_mut_ptr().wrapping_add(part.start);
            let lead = start.addr().checked_rem(page).unwrap_or(0);
            let len = part.len().saturating_add(lead);
            states.resize(len.div_ceil(page.max(1)), 0_u8);
            // SAFETY: the pages are of the mapping, which begins and ends at pages, and
            // `states` has a byte for each.
            let failed = unsafe {
                libc::mincore(start.wrapping_sub(lead).cast(), len, states.as_mut_ptr())
            };
            if failed != 0 {
                return Err(io::Error::last_os_error());
            }
            let mut read = 0_usize;
            for state in &states {
                let is_in = state & 1 == 1;
                if is_in != was_in && !run.is_empty() {
                    each(run.clone(), was_in);
                    run.start = run.end;
                }
                was_in = is_in;
                read = read.saturating_add(page);
                let end = part.start.saturating_add(read.saturating_sub(lead));
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
        &self,
        _: &Range<usize>,
        _: impl FnMut(Range<usize>, bool),
    ) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns the mapping, if there is one, and makes sure that it holds the range.
    fn bounded(&self, range: &Range<usize>) -> io::Result<Option<&MmapRaw>> {
        match self.mapping() {
            Some(map) if range.start > range.end || range.end > map.len() => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            map => Ok(map.filter(|_| !range.is_empty())),
        }
    }
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
fn windows(range: &Range<usize>, len: usize) -> impl Iterator<Item = Range<usize>> {
    let mut rest = range.clone();
    std::iter::from_fn(move || {
        let next = rest.start.saturating_add(1).checked_next_multiple_of(len);
        let part = rest.start..next.unwrap_or(rest.end).min(rest.end);
        rest.start = part.end;
        Some(part).filter(|part| !part.is_empty())
    })
}

#[cfg(unix)]
fn drop_pages(map: &MmapRaw, range: &Range<usize>) -> io::Result<()> {
    let advice = memmap2::UncheckedAdvice::DontNeed;
    // SAFETY: the range lies within the mapping, and both callers see to it that no page of
    // it holds what is nowhere else, so that every byte stays as it is.
    unsafe { map.unchecked_advise_range(advice, range.start, range.len()) }
}

/// Keeps them: the system takes them when it needs the memory.
#[cfg(not(unix))]
fn drop_pages(_: &MmapRaw, _: &Range<usize>) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn write_back(
    file: &std::fs::File,
    range: &Range<usize>,
    offset: u64,
    flags: libc::c_uint,
) -> io::Result<()> {
    use std::os::fd::AsRawFd;

    let start = u64::try_from(range.start).unwrap_or(u64::MAX).saturating_add(offset);
    let start = i64::try_from(start).map_err(io::Error::other)?;
    let len = i64::try_from(range.len()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open, and no memory is involved.
    let failed = unsafe { libc::sync_file_range(file.as_raw_fd(), start, len, flags) };
    if failed != 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
