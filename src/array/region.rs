//! Parts of an array as ranges of pages; knows nothing of elements.

use std::fmt;
use std::io;
use std::ops::Range;

use crate::error::{Error, Result};
use crate::file::bytes_of;
use crate::mapping::Backing;
use crate::mode::{Advice, Mode};
use crate::sys::{self, FOLIO};

/// Brings changes to disk.
pub trait SyncToDisk {
    /// Writes changes to disk and returns once they are there.
    ///
    /// After that the changes and the length of the file survive a power cut.
    ///
    /// # Errors
    ///
    /// - [`Error::PrivateChanges`] in mode `c`, whose changes do not reach the file but by
    ///   [`commit`](crate::MmapArray::commit). In mode
    ///   `r` there is nothing to do, and the result is `Ok`.
    /// - [`Error::Io`] if the disk does not take them. Some may be lost then, and the kernel
    ///   says so only once: from there on every sync of this handle is
    ///   [`Error::Poisoned`]. On Linux that includes the handle as a forked child or the parent has
    ///   it, whichever of them was told first, and if one of them was killed during a sync.
    /// - [`Error::FileTooShort`] if another process has truncated the file, so that what was stored
    ///   beyond its end is lost; [`Error::Faulted`] if the array is guarded. From there on it is
    ///   `Poisoned` too.
    fn sync(&self) -> Result<()>;
}

/// A part of an array, as the pages of its file that it touches.
///
/// Made by [`MmapArray::region`](crate::MmapArray::region). The pages are exact, also for
/// steps, reversed and dropped axes, as long as they form at most 4096 separate ranges;
/// beyond that the innermost gaps are included. A region of a [loaded] array has no pages,
/// and nothing is done.
///
/// | | Linux | other Unix | Windows |
/// |---|---|---|---|
/// | `sync` | msync | msync (Apple: of the whole file) | FlushViewOfFile |
/// | `start_sync` | sync_file_range | msync, asynchronous | FlushViewOfFile |
/// | `advise`, `prefetch_async` | madvise | madvise | nothing |
/// | `prefetch` | madvise, from 5.14 on | nothing | nothing |
/// | `evict` | madvise | madvise, but for mode `c` | nothing |
/// | `residency` | mincore | NaN | NaN |
/// | `lock`, `unlock` | mlock | mlock | an error |
///
/// [loaded]: crate::MapOptions::load
///
/// # Examples
///
/// ```
/// use ndarray::s;
/// use ndarray_memmap::{MapOptions, SyncToDisk};
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
    /// In bytes from the first of the array.
    ranges: Vec<Range<usize>>,
}

impl<'a> Region<'a> {
    pub(crate) fn new(backing: &'a Backing, ranges: Vec<Range<usize>>) -> Self {
        Self { backing, ranges }
    }

    /// Returns the bytes of the file that the pages cover, in order and apart.
    ///
    /// They begin and end at pages of memory, or where the array does.
    pub fn byte_ranges(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        self.ranges.iter().map(|range| bytes_of(range, self.backing.offset))
    }

    /// Begins to write changes to the file, and returns at once.
    ///
    /// Makes a later [`sync`](SyncToDisk::sync) short; alone it makes nothing durable. On overlayfs the
    /// kernel begins nothing: the next `sync` writes all.
    ///
    /// # Errors
    ///
    /// Those of `sync`, but for [`Error::Poisoned`].
    pub fn start_sync(&self) -> Result<()> {
        if !self.writes_file()? {
            return Ok(());
        }
        self.each("write", |range| self.backing.start_sync(range))
    }

    /// Tells the kernel how the pages will be used.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it does not know the advice.
    pub fn advise(&self, advice: Advice) -> Result<()> {
        self.each("advise on", |range| self.backing.mapping.advise(range, advice))
    }

    /// Brings the pages into memory and into the page table, and returns once they are there.
    ///
    /// Nothing keeps them there; [`lock`](Self::lock) does.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if they cannot be read.
    pub fn prefetch(&self) -> Result<()> {
        let mapping = &self.backing.mapping;
        let is_large = self.ranges.iter().any(|range| range.len() >= FOLIO);
        let alias = is_large.then(|| self.backing.alias(|_| None)).flatten();
        // All small parts are on their way before the first is waited for; what cannot be read
        // is an error below.
        let _ = self.each("read", |range| match &alias {
            Some(alias) => alias.read(&mapping.addresses(range)?),
            None => mapping.request(range),
        });
        self.each("read", |range| mapping.populate(range))
    }

    /// Begins to read the pages that are not in memory, and returns at once.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the kernel refuses.
    pub fn prefetch_async(&self) -> Result<()> {
        self.each("read", |range| self.backing.mapping.request(range))
    }

    /// Gives the memory of the pages back.
    ///
    /// The elements keep their values. Shared pages leave the process, not the page cache,
    /// from where the next access takes them and the system takes memory when it needs some;
    /// changes stay there until they are written. In mode `c` only pages without changes
    /// leave: a private change is nowhere else.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if pages are locked in memory, or in mode `c` if the kernel does not
    /// tell which pages have changes.
    pub fn evict(&self) -> Result<()> {
        self.each("evict pages of", |range| self.backing.unmap(range))
    }

    /// Returns which part of the pages is in memory, from 0 to 1.
    ///
    /// Of those that other processes have read too, since they share them. Of no pages it is
    /// 1, and NaN where the system does not tell. Linux tells only those who may write to
    /// the file or own it; to others all pages seem to be in memory.
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

    /// Reads the pages and keeps them in memory until they are unlocked or unmapped.
    ///
    /// A page may be locked any number of times; one [`unlock`](Self::unlock) ends all.
    ///
    /// # Errors
    ///
    /// - [`Error::MemoryLock`] if the process may not lock so much; pages locked before the
    ///   limit was met stay so.
    /// - [`Error::Io`] if they cannot be read, or the system cannot lock.
    pub fn lock(&self) -> Result<()> {
        for range in &self.ranges {
            self.backing.lock_pages(range).map_err(|e| self.refused(e))?;
        }
        Ok(())
    }

    /// Ends what [`lock`](Self::lock) has begun.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the system cannot.
    pub fn unlock(&self) -> Result<()> {
        self.each("unlock pages of", |range| self.backing.unlock_pages(range))
    }

    /// Recognises the limit in an error of `lock`.
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
                let needed = u64::try_from(len).unwrap_or(u64::MAX);
                Error::MemoryLock { needed, limit }
            }
            _ => self.backing.io("lock pages of")(error),
        }
    }

    fn writes_file(&self) -> Result<bool> {
        self.backing.intact()?;
        match self.backing.mode {
            Mode::ReadOnly => Ok(false),
            Mode::CopyOnWrite => Err(Error::PrivateChanges),
            Mode::ReadWrite | Mode::Create | Mode::CreateNew => Ok(true),
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
        if !self.writes_file()? {
            return Ok(());
        }
        if self.ranges.len() > 1 {
            // All are on their way before the first is waited for; failures are kept.
            let _ = self.start_sync();
        }
        self.backing.sync(&self.ranges)
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
    reason = "a part of all pages needs no more digits"
)]
fn number(count: usize) -> f64 {
    count as f64
}
