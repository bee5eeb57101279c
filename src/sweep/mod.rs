//! Sweeps: iterators over the blocks of arrays, in the memory of two blocks; leaves pages to
//! `window`.

mod array_window;
mod gather;
mod policy;
#[cfg(feature = "rayon")]
pub(crate) mod rayon;
mod readahead;
mod row_prefetcher;
mod window;
mod zip;

use std::{fmt, ops::Range};

use ndarray::{ArrayView, ArrayViewMut, Axis, Dimension};

pub use gather::Gather;
pub use policy::PageCache;
pub use zip::{Split, Sweepable};

use crate::array::MmapArray;
use crate::element::Element;
use crate::error::Result;
use crate::layout::Footprint;
use crate::sweep::array_window::ArrayWindow;
use crate::sweep::window::SlidingWindow;
use crate::sweep::zip::SweptArrays;

/// The progress of a sweep or a gather, or its total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Progress {
    /// Rows along the axis of the sweep or the gather.
    pub rows: usize,
    /// Bytes of the elements of these rows.
    pub bytes: u64,
}

/// The blocks of one array, for reading; see [`MmapArray::sweep`].
pub type Sweep<'a, A, D> = Blocks<'a, ArrayView<'a, A, D>>;
/// The blocks of one array, for writing; see [`MmapArray::sweep_mut`].
pub type SweepMut<'a, A, D> = Blocks<'a, ArrayViewMut<'a, A, D>>;

/// An iterator of ordinary views over blocks of whole rows.
///
/// While the caller uses a block, the next block is read. When the caller asks for the next block,
/// the pages of the last block are released. A view of a released block stays valid: an access
/// reads its pages again.
///
/// `skip` and `nth` also read the blocks that they pass over.
///
/// With the feature `rayon` a sweep is a parallel iterator too (`into_par_iter`). Each thread
/// sweeps a range of neighbouring blocks.
#[must_use = "a sweep does nothing until it is iterated"]
pub struct Blocks<'a, V> {
    /// The rows that the sweep has not returned yet; `None` only while a block is split off.
    rest: Option<V>,
    axis: Axis,
    /// The numbers of these rows in the array.
    left: Range<usize>,
    all: Range<usize>,
    rows_of_block: usize,
    bytes_of_row: u64,
    window: SlidingWindow<'a>,
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Iterates over the array in blocks of whole rows, each of at most `bytes` bytes.
    ///
    /// A sweep is for arrays larger than memory. The next block is read while the caller uses one
    /// block, and the last block is released. The page cache is left as the sweep found it, so that
    /// a scan of a huge file does not evict everything else from memory. [`Blocks::cache`] sets
    /// another policy.
    ///
    /// A row larger than `bytes` is a block of its own. Blocks of 4 to 16 MiB are the fastest.
    /// Several smaller blocks are read and released together, about 1 MiB at a time.
    ///
    /// The process holds two blocks, each counted as 1 MiB at least. It holds up to 4 MiB more, for
    /// the pieces of 2 MiB in which blocks begin and end. Blocks of 16 MiB fit a budget of 64 MiB.
    /// Iterating from both ends, and each further thread, needs the same amount again. In mode `c`
    /// the sweep keeps private changes.
    ///
    /// On Linux a thread reads ahead in whole pieces of 2 MiB, whatever the readahead setting of
    /// the disk. The sweep ignores advice that the caller passed through a
    /// [`region`](Self::region), and ends it. The kernel reports which pages are cached only to a
    /// process that owns the file or may write to it. Any other process leaves the pages that it
    /// reads in the page cache.
    ///
    /// Rows are counted along `axis`, which should be the outermost axis (axis 0 in C order, the
    /// last in Fortran order). Along any other axis the pages of a block also hold other rows, so
    /// that far more must be read. Blocks that touch more than twice the pages that they fill are
    /// neither read ahead nor evicted from the page cache.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AxisOutOfBounds`](crate::ErrorKind::AxisOutOfBounds) if the array has no such
    /// axis.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::{MapOptions, Reductions};
    ///
    /// let mut a = MapOptions::scratch::<f64, _>((1000, 512))?;
    /// for mut block in a.sweep_mut(Axis(0), 1 << 20)? {
    ///     block.fill(0.5);
    /// }
    /// let mut total = 0.0;
    /// for block in a.sweep(Axis(0), 1 << 20)? {
    ///     total += block.wide_sum();
    /// }
    /// assert_eq!(total, 256_000.0);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[doc(alias = "chunks")]
    #[doc(alias = "axis_chunks_iter")]
    pub fn sweep(&self, axis: Axis, bytes: usize) -> Result<Sweep<'_, A, D>> {
        let (view, whole) = Sweepable::views(self, axis)?;
        Ok(Blocks::new(view, whole, axis, bytes))
    }

    /// Iterates over the array in mutable blocks, otherwise like [`sweep`](Self::sweep).
    ///
    /// When a block is done, the kernel starts at once to write its changes to the file. Two blocks
    /// later the sweep waits for the pages that it had to read, and evicts them. So the memory with
    /// changes is bounded too. A sweep makes nothing durable: [`sync`](crate::MmapArray::sync)
    /// does, and reports failed writes. In mode `c` all pages stay in memory until the system needs
    /// the memory, and changed pages stay longer.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AxisOutOfBounds`](crate::ErrorKind::AxisOutOfBounds) if the array has no such axis.
    /// - [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly) in mode `r`.
    #[doc(alias = "chunks_mut")]
    #[doc(alias = "axis_chunks_iter_mut")]
    pub fn sweep_mut(&mut self, axis: Axis, bytes: usize) -> Result<SweepMut<'_, A, D>> {
        let (view, whole) = Sweepable::views(self, axis)?;
        Ok(Blocks::new(view, whole, axis, bytes))
    }
}

/// Iterates over several arrays together, in blocks of the same rows.
///
/// `arrays` is a tuple of two to four `&` and `&mut` handles. Their lengths along `axis` must be
/// equal; the elements and the other axes may differ. A block has at most `bytes` bytes in all
/// arrays together. Everything else is as in [`sweep`](MmapArray::sweep) and
/// [`sweep_mut`](MmapArray::sweep_mut).
///
/// # Errors
///
/// - [`ErrorKind::AxisOutOfBounds`](crate::ErrorKind::AxisOutOfBounds) if an array has no such axis.
/// - [`ErrorKind::ShapeMismatch`](crate::ErrorKind::ShapeMismatch) if the lengths along `axis` differ.
/// - [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly) for `&mut` of an array in mode `r`.
///
/// # Examples
///
/// ```
/// use ndarray::{Axis, Zip};
/// use ndarray_memmap::{MapOptions, sweep_zip};
///
/// let raw = MapOptions::scratch::<u16, _>((1000, 512))?;
/// let mut scaled = MapOptions::scratch::<f32, _>((1000, 512))?;
/// for (raw, scaled) in sweep_zip(Axis(0), 16 << 20, (&raw, &mut scaled))? {
///     Zip::from(scaled).and(&raw).for_each(|s, &r| *s = f32::from(r) * 0.5 + 1.0);
/// }
/// assert_eq!(scaled.sum(), 512_000.0);
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
pub fn sweep_zip<'a, T: Sweepable<'a>>(
    axis: Axis,
    bytes: usize,
    arrays: T,
) -> Result<Blocks<'a, T::Views>> {
    let (views, whole) = arrays.views(axis)?;
    Ok(Blocks::new(views, whole, axis, bytes))
}

impl<'a, V: Split> Blocks<'a, V> {
    fn new(rest: V, whole: SweptArrays<'a>, axis: Axis, bytes: usize) -> Self {
        let (arrays, rows) = whole.into_parts();
        let of_row = |footprint: &Footprint| footprint.part(axis, 0..1).len();
        let row = arrays.iter().fold(0, |sum: usize, (_, footprint, _)| {
            sum.saturating_add(of_row(footprint))
        });
        let rows_of_block = bytes.checked_div(row).unwrap_or(rows).max(1);
        let arrays = arrays
            .into_iter()
            .map(|(backing, footprint, writes)| {
                ArrayWindow::new(backing, footprint, axis, writes)
            })
            .collect();
        Self {
            rest: Some(rest),
            axis,
            left: 0..rows,
            all: 0..rows,
            rows_of_block,
            bytes_of_row: u64::try_from(row).unwrap_or(u64::MAX),
            window: SlidingWindow::new(arrays, 0..rows, rows_of_block, row),
        }
    }

    /// Sets what the sweep does with the page cache (default: [`PageCache::AsFound`]).
    pub fn cache(mut self, cache: PageCache) -> Self {
        self.window.cache = cache;
        self
    }

    /// Returns the rows of the next block, from the front or the back.
    fn block(&self, from_back: bool) -> Option<Range<usize>> {
        let Range { start, end } = self.left.clone();
        let last = end.checked_sub(1).filter(|last| start <= *last)?;
        if !from_back {
            return Some(start..start.saturating_add(self.rows_of_block).min(end));
        }
        let into = last.saturating_sub(self.all.start).checked_rem(self.rows_of_block)?;
        Some(last.saturating_sub(into)..end)
    }

    fn take(&mut self, from_back: bool) -> Option<V> {
        let Some(rows) = self.block(from_back) else {
            self.window.finish_all();
            return None;
        };
        self.window.advance(rows.start, &self.left, from_back);
        let rest = self.rest.take()?;
        let (block, rest) = if from_back {
            self.left.end = rows.start;
            let (rest, block) = rest.split_rows(self.axis, self.left.len());
            (block, rest)
        } else {
            self.left.start = rows.end;
            rest.split_rows(self.axis, rows.len())
        };
        self.rest = Some(rest);
        Some(block)
    }

    /// Splits into a sweep of the first `index` blocks and a sweep of the other blocks.
    #[cfg(feature = "rayon")]
    pub(crate) fn split_blocks(mut self, index: usize) -> (Self, Self) {
        let rows = index.saturating_mul(self.rows_of_block).min(self.left.len());
        let middle = self.left.start.saturating_add(rows);
        let rest = self.rest.take();
        let (first, second) = rest.map(|rest| rest.split_rows(self.axis, rows)).unzip();
        let part = |rest, left: Range<usize>| Self {
            rest,
            axis: self.axis,
            all: left.clone(),
            left: left.clone(),
            rows_of_block: self.rows_of_block,
            bytes_of_row: self.bytes_of_row,
            window: self.window.part(left),
        };
        (part(first, self.left.start..middle), part(second, middle..self.left.end))
    }
}

impl<V> Blocks<'_, V> {
    /// Returns how many rows and bytes the sweep has returned so far.
    pub fn progress(&self) -> Progress {
        self.of_rows(self.all.len().saturating_sub(self.left.len()))
    }

    /// Returns how many rows and bytes the sweep returns in all.
    pub fn total(&self) -> Progress {
        self.of_rows(self.all.len())
    }

    fn of_rows(&self, rows: usize) -> Progress {
        let count = u64::try_from(rows).unwrap_or(u64::MAX);
        Progress { rows, bytes: count.saturating_mul(self.bytes_of_row) }
    }
}

impl<V: Split> Iterator for Blocks<'_, V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        self.take(false)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.left.len().div_ceil(self.rows_of_block.max(1));
        (count, Some(count))
    }
}

impl<V: Split> DoubleEndedIterator for Blocks<'_, V> {
    fn next_back(&mut self) -> Option<V> {
        self.take(true)
    }
}

impl<V: Split> ExactSizeIterator for Blocks<'_, V> {}

impl<V> fmt::Debug for Blocks<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("axis", &self.axis)
            .field("progress", &self.progress())
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}
