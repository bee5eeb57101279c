//! Parts of an array as ranges of pages; knows nothing of elements.

use std::{fmt, io, ops::Range};

use crate::error::{Error, ErrorKind, Result};
use crate::file::bytes_of;
use crate::mapping::Backing;
use crate::mode::{Advice, Mode};
use crate::sys::{self, FOLIO};

/// Writes changes to disk; for code that takes an array or a region.
///
/// [`MmapArray::sync`](crate::MmapArray::sync) and [`Region::sync`] need no import.
pub trait SyncToDisk {
    /// Writes changes to disk and returns when they are durable.
    ///
    /// # Errors
    ///
    /// The errors of [`MmapArray::sync`](crate::MmapArray::sync).
    fn sync(&self) -> Result<()>;
}

/// Represents a part of an array by the pages of the file that the part touches.
///
/// [`MmapArray::region`](crate::MmapArray::region) returns a region. The pages are exact, also for
/// steps, reversed and dropped axes, if they form at most 4096 separate ranges. Beyond 4096 ranges
/// the region includes the innermost gaps. A region of a [loaded] array has no pages, and its
/// methods do nothing.
///
/// | | Linux | other Unix | Windows |
/// |---|---|---|---|
/// | `sync` | msync | msync (Apple: of the whole file) | FlushViewOfFile |
/// | `start_sync` | sync_file_range | msync, asynchronous | FlushViewOfFile |
/// | `advise`, `start_prefetch` | madvise | madvise | nothing |
/// | `prefetch` | madvise, from 5.14 on | nothing | nothing |
/// | `evict` | madvise | madvise, except in mode `c` | nothing |
/// | `residency` | mincore | NaN | NaN |
/// | `lock`, `unlock` | mlock | mlock | an error |
///
/// [loaded]: crate::MapOptions::load
///
/// # Examples
///
/// ```
/// use ndarray::s;
/// use ndarray_memmap::MapOptions;
///
/// let mut a = MapOptions::scratch::<f64, _>((1000, 512))?;
/// a.view_mut()?.row_mut(7).fill(1.0);
/// a.region(s![7, ..]).sync()?; // one page of a thousand
/// a.region(s![100..200, ..]).prefetch()?;
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a region does nothing by itself"]
pub struct Region<'a> {
    backing: &'a Backing,
    /// In bytes from the first byte of the array.
    ranges: Vec<Range<usize>>,
}

impl<'a> Region<'a> {
    pub(crate) fn new(backing: &'a Backing, ranges: Vec<Range<usize>>) -> Self {
        Self { backing, ranges }
    }

    /// Returns the byte ranges of the file that the pages cover, in ascending order, with a
    /// gap between any two.
    ///
    /// Each range begins and ends at a page boundary of the memory, or at the start or end of the
    /// array.
    pub fn byte_ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|range| bytes_of(range, self.backing.offset()))
    }

    /// Writes the changes of the region to disk, and waits for the disk.
    ///
    /// # Errors
    ///
    /// The errors of [`MmapArray::sync`](crate::MmapArray::sync).
    #[doc(alias = "flush")]
    #[doc(alias = "msync")]
    pub fn sync(&self) -> Result<()> {
        if !self.writes_file()? {
            return Ok(());
        }
        if self.ranges.len() > 1 {
            // Start all ranges before waiting for the first. The next sync reports failures.
            let _ = self.start_sync();
        }
        self.backing.sync(&self.ranges)
    }

    /// Starts to write changes to the file, and returns at once.
    ///
    /// The call makes a later [`sync`](Self::sync) shorter; alone it makes nothing durable.
    /// On overlayfs the kernel starts nothing: the next `sync` writes all changes.
    ///
    /// # Errors
    ///
    /// The errors of `sync`, except [`ErrorKind::Poisoned`].
    pub fn start_sync(&self) -> Result<()> {
        if !self.writes_file()? {
            return Ok(());
        }
        self.each("write", |range| self.backing.start_sync(range))
    }

    /// Passes advice about the pages to the kernel (`madvise`).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the kernel does not support the advice.
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.each("advise on", |range| self.backing.mapping.advise(range, advice))
    }

    /// Reads the pages into memory and the page table, and returns when they are resident.
    ///
    /// The kernel may evict the pages later; [`lock`](Self::lock) keeps them in memory.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the pages cannot be read.
    pub fn prefetch(&self) -> Result<()> {
        let mapping = &self.backing.mapping;
        let is_large = self.ranges.iter().any(|range| range.len() >= FOLIO);
        let alias = is_large.then(|| self.backing.alias(|_| None)).flatten();
        // Request all small ranges before waiting for the first. An unreadable page is an error
        // below.
        let _ = self.each("read", |range| match &alias {
            Some(alias) => alias.read(&mapping.addresses(range)?),
            None => mapping.request(range),
        });
        self.each("read", |range| mapping.populate(range))
    }

    /// Starts to read the pages that are not cached, and returns at once.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the kernel refuses the call.
    pub fn start_prefetch(&self) -> Result<()> {
        self.each("read", |range| self.backing.mapping.request(range))
    }

    /// Releases the memory of the pages.
    ///
    /// The elements keep their values. The call unmaps shared pages from the process, and leaves
    /// them in the page cache. The next access maps these pages again, and the system evicts them
    /// when it needs memory. Changes stay in the page cache until the kernel writes them. In mode
    /// `c` the call releases only unchanged pages, because no other copy of a private change
    /// exists.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if pages are locked in memory, or in mode `c` if the kernel does not report
    /// which pages have changes.
    pub fn evict(&self) -> Result<()> {
        self.each("evict pages of", |range| self.backing.unmap(range))
    }

    /// Returns the fraction of the pages that are cached, from 0 to 1.
    ///
    /// Counts pages in the page cache, including pages that other processes read. Returns 1 for an
    /// empty region, and NaN if the system does not report residency. Linux reports residency only
    /// to a process that may write to the file or owns it. For any other process all pages count as
    /// cached.
    pub fn residency(&self) -> f64 {
        let (mut all, mut present) = (0_usize, 0_usize);
        for range in &self.ranges {
            let count = |run: Range<usize>, is_in: bool| {
                all = all.saturating_add(run.len());
                present = present.saturating_add(if is_in { run.len() } else { 0 });
            };
            if self.backing.mapping.residency(range, count).is_err() {
                return f64::NAN;
            }
        }
        if all == 0 { 1.0 } else { number(present) / number(all) }
    }

    /// Reads the pages and locks them in memory until they are unlocked or unmapped.
    ///
    /// A page may be locked any number of times; one [`unlock`](Self::unlock) ends all locks.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::MemoryLock`] if the process may not lock this much memory. Pages that were locked
    ///   before the limit was reached stay locked.
    /// - [`ErrorKind::Io`] if the pages cannot be read, or if the system cannot lock memory.
    pub fn lock(&self) -> Result<()> {
        for range in &self.ranges {
            self.backing.lock_pages(range).map_err(|e| self.refused(e))?;
        }
        Ok(())
    }

    /// Unlocks the pages that [`lock`](Self::lock) has locked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the system cannot unlock memory.
    pub fn unlock(&self) -> Result<()> {
        self.each("unlock pages of", |range| self.backing.unlock_pages(range))
    }

    /// Recognises the limit of locked memory in an error of `lock`.
    fn refused(&self, error: io::Error) -> Error {
        let is_limit = matches!(
            error.kind(),
            io::ErrorKind::OutOfMemory
                | io::ErrorKind::PermissionDenied
                | io::ErrorKind::WouldBlock
        );
        match sys::locked_memory_limit() {
            Some(limit) if is_limit => {
                let len =
                    self.ranges.iter().map(Range::len).fold(0, usize::saturating_add);
                let expected = u64::try_from(len).unwrap_or(u64::MAX);
                ErrorKind::MemoryLock { expected, limit }.at(&self.backing.path)
            }
            _ => self.backing.io("lock pages of")(error),
        }
    }

    fn writes_file(&self) -> Result<bool> {
        self.backing.intact()?;
        match self.backing.mode() {
            Mode::ReadOnly => Ok(false),
            Mode::CopyOnWrite => Err(ErrorKind::PrivateChanges.at(&self.backing.path)),
            Mode::ReadWrite | Mode::Create | Mode::CreateNew | Mode::Append => Ok(true),
        }
    }

    fn each(
        &self,
        action: &'static str,
        call: impl Fn(&Range<usize>) -> io::Result<()>,
    ) -> Result<()> {
        self.ranges.iter().try_for_each(call).map_err(self.backing.io(action))
    }
}

impl SyncToDisk for Region<'_> {
    fn sync(&self) -> Result<()> {
        self.sync()
    }
}

impl fmt::Debug for Region<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region")
            .field("path", &self.backing.path)
            .field("byte_ranges", &self.byte_ranges().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a fraction of pages needs no more digits"
)]
fn number(count: usize) -> f64 {
    count as f64
}
