//! Ranges of mapped pages: what the kernel is told and asked of them.
//!
//! All ranges count bytes from the first of the array. They are compared with the mapping
//! here, since neither memmap2 nor the kernel knows where the array ends.
#![expect(unsafe_code, reason = "to drop, lock and read pages is unsafe")]

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::MmapRaw;

#[cfg(target_os = "linux")]
use crate::file;
use crate::layout::footprint::Span;
use crate::mapping::Pages;
use crate::mode::Advice;
use crate::mode::Mode;
#[cfg(target_os = "linux")]
use crate::sys::file_system::FileSystem;
use crate::sys::memory;
use crate::sys::memory::{FOLIO, Twin};
#[cfg(target_os = "linux")]
use crate::sys::pagemap;

impl Pages {
    /// Returns the ranges of mapped bytes, whole pages, that elements touch.
    pub(crate) fn touched(&self, span: &Span) -> Vec<Range<usize>> {
        let start = self.as_mut_ptr().addr();
        let len = self.mapping().map_or(0, |_| self.len());
        span.pages(start..start.saturating_add(len), memory::page_size())
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
        memory::advise(&self.addresses(range)?, advice)
    }

    /// Begins to read pages that are not in memory.
    pub(crate) fn request(&self, range: &Range<usize>) -> io::Result<()> {
        memory::request(&self.addresses(range)?)
    }

    /// Reads pages that are not in memory and puts all into the page table.
    pub(crate) fn populate(&self, range: &Range<usize>) -> io::Result<()> {
        memory::populate(&self.addresses(range)?)
    }

    /// Takes unchanged pages out of memory altogether, also out of the page cache.
    pub(crate) fn page_out(&self, range: &Range<usize>) -> io::Result<()> {
        memory::page_out(&self.addresses(range)?)
    }

    /// Calls `each` for every run of pages that are all in memory, or all not.
    pub(crate) fn residency(
        &self,
        range: &Range<usize>,
        mut each: impl FnMut(Range<usize>, bool),
    ) -> io::Result<()> {
        let each = |run: Range<usize>, is_in| each(self.range_of(&run), is_in);
        memory::residency(&self.addresses(range)?, each)
    }

    /// Maps all pages of a large array a second time, to read them by.
    ///
    /// The first byte is `offset` of the file. A private mapping, or one with pages that are
    /// locked in memory, takes `map` for that, by which as many bytes are mapped shared.
    pub(crate) fn twin(
        &self,
        mode: Mode,
        offset: u64,
        map: impl FnOnce(usize) -> Option<MmapRaw>,
    ) -> Option<Twin> {
        let copies = mode != Mode::CopyOnWrite && !self.is_locked();
        let addresses = self.addresses_of_twin().filter(|_| copies);
        let twin = addresses.and_then(|addresses| Twin::of(&addresses, offset));
        twin.or_else(|| self.twin_of(offset, map))
    }

    /// Does the same by `map` alone, without what the first mapping keeps alive: its file.
    pub(crate) fn twin_of(
        &self,
        offset: u64,
        map: impl FnOnce(usize) -> Option<MmapRaw>,
    ) -> Option<Twin> {
        Twin::from_mapping(map(self.len())?, &self.addresses_of_twin()?, offset)
    }

    /// Returns where the array is, if it is large enough.
    fn addresses_of_twin(&self) -> Option<Range<usize>> {
        let is_large = self.len() >= FOLIO && self.mapping().is_some();
        is_large.then(|| self.addresses(&(0..self.len())).ok()).flatten()
    }

    /// Makes sure that the mapping holds a range, and returns where; nowhere if there is none.
    pub(crate) fn addresses(&self, range: &Range<usize>) -> io::Result<Range<usize>> {
        let Some(map) = self.bounded(range)? else { return Ok(0..0) };
        let base = map.as_mut_ptr().addr();
        Ok(base.saturating_add(range.start)..base.saturating_add(range.end))
    }

    /// Returns the range that has some addresses.
    pub(crate) fn range_of(&self, addresses: &Range<usize>) -> Range<usize> {
        let base = self.as_mut_ptr().addr();
        addresses.start.saturating_sub(base)..addresses.end.saturating_sub(base)
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
        let unchanged = pagemap::unchanged(self.addresses(range)?)?;
        unchanged.iter().try_for_each(|part| drop_pages(map, &self.range_of(part)))
    }

    /// Keeps the pages, since nothing tells which of them are changed.
    #[cfg(not(target_os = "linux"))]
    fn unmap_private(&self, range: &Range<usize>) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Keeps pages in memory until they are unlocked or unmapped.
    #[cfg(unix)]
    pub(crate) fn lock(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        self.note_lock();
        // SAFETY: the range lies within the mapping; to lock pages changes no byte.
        Ok(unsafe { rustix::mm::mlock(start.cast(), range.len()) }?)
    }

    /// Notes it if the process locks all pages that it maps (`mlockall`).
    ///
    /// Those of a private mapping were copied then, and stay so after the process unlocks them.
    #[cfg(target_os = "linux")]
    pub(crate) fn note_locked_process(&self) {
        let Some(map) = self.mapping() else { return };
        let is_locked = memory::may_be_locked(map.as_mut_ptr().addr())
            && crate::sys::memory_lock::has_locked().unwrap_or(true);
        if is_locked {
            self.note_lock();
        }
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
            let flags = libc::SYNC_FILE_RANGE_WRITE;
            return self.note_loss(|| write_back(file, range, offset, flags));
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
        let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE;
        let wait = || match FileSystem::of(file).reports_residency {
            true => write_back(file, range, offset, flags),
            // There it does nothing, and the writing has not begun either.
            false => match self.bounded(range)? {
                Some(map) => map.flush_range(range.start, range.len()),
                None => Ok(()),
            },
        };
        self.between_syncs(|| self.note_loss(wait))
    }

    /// Leaves the pace of writing to the system.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn finish_write(&self, range: &Range<usize>, _: u64) -> io::Result<()> {
        self.bounded(range).map(drop)
    }

    /// Returns the mapping, if there is one, and makes sure that it holds the range.
    pub(crate) fn bounded(&self, range: &Range<usize>) -> io::Result<Option<&MmapRaw>> {
        match self.mapping() {
            Some(_) if range.start > range.end || range.end > self.len() => {
                Err(io::ErrorKind::InvalidInput.into())
            }
            map => Ok(map.filter(|_| !range.is_empty())),
        }
    }
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

/// Writes the first `len` bytes of a file to its device and waits for that.
///
/// What is written to the file later reaches the disk later: the journal of a file system flushes
/// the cache of the drive first. Returns `false` where the call is refused or does nothing.
pub(crate) fn write_start(file: &File, len: u64) -> io::Result<bool> {
    #[cfg(target_os = "linux")]
    if FileSystem::of(file).reports_residency {
        let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
            | libc::SYNC_FILE_RANGE_WRITE
            | libc::SYNC_FILE_RANGE_WAIT_AFTER;
        let len = usize::try_from(len).map_err(io::Error::other)?;
        return sync_file_range(file, &(0..len), 0, flags);
    }
    let _ = (file, len);
    Ok(false)
}

/// Begins or waits for what a sync would do anyway.
///
/// A sandbox that refuses the call has lost nothing.
#[cfg(target_os = "linux")]
fn write_back(
    to: &File,
    range: &Range<usize>,
    offset: u64,
    flags: libc::c_uint,
) -> io::Result<()> {
    sync_file_range(to, range, offset, flags).map(drop)
}

/// Makes the system call; returns `false` if it is refused.
#[cfg(target_os = "linux")]
fn sync_file_range(
    to: &File,
    range: &Range<usize>,
    offset: u64,
    flags: libc::c_uint,
) -> io::Result<bool> {
    use std::os::fd::AsRawFd;

    if range.is_empty() {
        // To the kernel, no length means to the end of the file.
        return Ok(true);
    }
    let start =
        i64::try_from(file::bytes_of(range, offset).start).map_err(io::Error::other)?;
    let len = i64::try_from(range.len()).map_err(io::Error::other)?;
    loop {
        // SAFETY: the descriptor is open, and no memory is involved.
        let failed = unsafe { libc::sync_file_range(to.as_raw_fd(), start, len, flags) };
        let error = io::Error::last_os_error();
        return match error.kind() {
            _ if failed == 0 => Ok(true),
            io::ErrorKind::Interrupted => continue,
            io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported => Ok(false),
            _ => Err(error),
        };
    }
}
