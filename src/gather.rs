//! Gathers and scatters: rows named one by one.

use std::fmt;
use std::ops::Range;

use ndarray::{ArrayRef, ArrayView, Axis, Dimension, RemoveAxis};

use crate::ahead::Ahead;
use crate::span::Span;
use crate::swept::check_axis;
use crate::{Element, Error, MmapArray, Position, Result};

/// An iterator over rows in the order of a list; see [`MmapArray::gather`].
///
/// With the feature `rayon` it is a parallel iterator too (`into_par_iter`), whose threads
/// take batches of at least 128 neighbours of the list.
#[must_use = "a gather does nothing until it is iterated"]
pub struct Gather<'a, A, D> {
    view: ArrayView<'a, A, D>,
    axis: Axis,
    indices: &'a [usize],
    /// Those of `indices` that are left.
    left: Range<usize>,
    ahead: Ahead<'a>,
    bytes_of_row: u64,
}

impl<A: Element, D: RemoveAxis> MmapArray<A, D> {
    /// Returns the rows of `axis` that `indices` name, in their order, as views.
    ///
    /// Pages of the rows ahead are requested in time, which is many times faster than to
    /// wait for one row after the other if they are not in memory; if they are, it costs
    /// little more than indexing. An index may come more than once.
    ///
    /// # Errors
    ///
    /// - [`Error::AxisOutOfBounds`] if there is no such axis.
    /// - [`Error::IndexOutOfBounds`] if one of `indices` is not of the axis.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::MapOptions;
    ///
    /// let mut a = MapOptions::scratch::<f32, _>((1000, 768))?;
    /// a.view_mut()?.row_mut(917).fill(1.0);
    /// let sums: Vec<f32> = a.gather(Axis(0), &[3, 917, 3])?.map(|row| row.sum()).collect();
    /// assert_eq!(sums, [0.0, 768.0, 0.0]);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn gather<'a>(
        &'a self,
        axis: Axis,
        indices: &'a [usize],
    ) -> Result<Gather<'a, A, D>> {
        check_indices(self, axis, indices)?;
        let span = Span::of(self);
        let bytes_of_row = span.part(axis, 0..1).len();
        let ahead = Ahead::new(self.place(), span, axis, indices);
        let bytes_of_row = u64::try_from(bytes_of_row).unwrap_or(u64::MAX);
        let left = 0..indices.len();
        Ok(Gather { view: self.view(), axis, indices, left, ahead, bytes_of_row })
    }

    /// Replaces the rows of `axis` that `indices` name by those of `rows`, in their order.
    ///
    /// `rows` has the shape of the array, but for `axis`, which is as long as `indices`. If
    /// an index comes more than once, its last row counts.
    ///
    /// For many small changes to a large file. On Linux the rows are written to the file,
    /// whose mapping shows them at once: a store into a mapping marks the whole folio of the
    /// page cache as changed, up to 2 MiB. That is so in shared modes for rows that are
    /// contiguous in the file; otherwise they are stored into the mapping.
    /// [`sync`](crate::SyncToDisk::sync) makes them durable.
    ///
    /// # Errors
    ///
    /// - [`Error::ReadOnly`] in mode `r`.
    /// - [`Error::AxisOutOfBounds`], [`Error::IndexOutOfBounds`] and [`Error::ShapeMismatch`]
    ///   if the arguments do not fit; nothing is changed then.
    /// - [`Error::Io`] if the file cannot be written; the rows before are.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::{MapOptions, SyncToDisk};
    ///
    /// let mut a = MapOptions::scratch::<i32, _>((1000, 2))?;
    /// a.scatter(Axis(0), &[917, 3], &array![[1, 2], [3, 4]])?;
    /// a.sync()?;
    /// assert_eq!((a[[917, 1]], a[[3, 0]], a.sum()), (2, 3, 10));
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn scatter(
        &mut self,
        axis: Axis,
        indices: &[usize],
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        if !self.mode().is_mutable() {
            return Err(Error::ReadOnly);
        }
        self.place().pages.intact()?;
        check_indices(self, axis, indices)?;
        self.expect_rows(axis, indices.len(), rows)?;
        if self.is_empty() || indices.is_empty() {
            return Ok(());
        }
        if self.write_rows(axis, indices, rows)? {
            return Ok(());
        }
        let (mut view, place) = self.view_and_place()?;
        let mut ahead = Ahead::new(place, Span::of(&view), axis, indices);
        for (number, (&index, row)) in
            indices.iter().zip(rows.axis_iter(axis)).enumerate()
        {
            ahead.reach(number);
            view.index_axis_mut(axis, index).assign(&row);
        }
        self.place().pages.intact()
    }

    /// Writes rows to the file, if that is possible; tells whether it is.
    #[cfg(target_os = "linux")]
    fn write_rows(
        &mut self,
        axis: Axis,
        indices: &[usize],
        rows: &ArrayRef<A, D>,
    ) -> Result<bool> {
        use std::os::unix::fs::FileExt;

        let place = self.place();
        let view = self.view();
        // In Fortran order a row is contiguous the other way round.
        let first = view.index_axis(axis, 0);
        let is_reversed = !first.is_standard_layout();
        if is_reversed && !first.t().is_standard_layout() {
            return Ok(false);
        }
        let Some(file) = place.pages.file().filter(|file| is_plain(file)) else {
            return Ok(false);
        };
        let mut ahead = Ahead::new(place, Span::of(self), axis, indices);
        for (number, (&index, row)) in
            indices.iter().zip(rows.axis_iter(axis)).enumerate()
        {
            ahead.reach(number);
            let here = view.index_axis(axis, index);
            let into = here.as_ptr().addr().wrapping_sub(place.pages.as_mut_ptr().addr());
            let at = u64::try_from(into).map_err(|_| Error::TooLarge)?;
            let at = at.saturating_add(place.offset);
            let row = if is_reversed { row.reversed_axes() } else { row };
            let row = row.as_standard_layout();
            let bytes = bytemuck::cast_slice(row.as_slice().unwrap_or_default());
            file.write_all_at(bytes, at).map_err(Error::io("write", place.path))?;
        }
        Ok(true)
    }

    /// Elsewhere a mapping need not show at once what is written.
    #[cfg(not(target_os = "linux"))]
    fn write_rows(&mut self, _: Axis, _: &[usize], _: &ArrayRef<A, D>) -> Result<bool> {
        Ok(false)
    }
}

/// Tells whether writes go where they are told to, through the page cache.
#[cfg(target_os = "linux")]
fn is_plain(file: &std::fs::File) -> bool {
    use rustix::fs::{OFlags, fcntl_getfl};

    let flags = fcntl_getfl(file).unwrap_or(OFlags::APPEND);
    !flags.intersects(OFlags::APPEND.union(OFlags::DIRECT))
}

fn check_indices<A, D: Dimension>(
    array: &ArrayRef<A, D>,
    axis: Axis,
    indices: &[usize],
) -> Result<()> {
    check_axis(axis, array.ndim())?;
    let len = array.len_of(axis);
    match indices.iter().find(|index| **index >= len) {
        Some(&index) => Err(Error::IndexOutOfBounds { index, len }),
        None => Ok(()),
    }
}

impl<'a, A, D: RemoveAxis> Gather<'a, A, D> {
    /// Returns how much has been handed out.
    pub fn position(&self) -> Position {
        self.of_rows(self.indices.len().saturating_sub(self.left.len()))
    }

    /// Returns how much there is in all.
    pub fn total(&self) -> Position {
        self.of_rows(self.indices.len())
    }

    #[inline]
    fn row(&self, at: usize) -> Option<ArrayView<'a, A, D::Smaller>> {
        let index = *self.indices.get(at)?;
        Some(self.view.clone().index_axis_move(self.axis, index))
    }

    fn of_rows(&self, rows: usize) -> Position {
        let count = u64::try_from(rows).unwrap_or(u64::MAX);
        Position { rows, bytes: count.saturating_mul(self.bytes_of_row) }
    }

    /// Divides into the first `index` rows that are left, and the others.
    #[cfg(feature = "rayon")]
    pub(crate) fn split_rows(self, index: usize) -> (Self, Self) {
        let Self { view, axis, indices, left, ahead, bytes_of_row } = self;
        let left = indices.get(left).unwrap_or_default();
        let (first, second) = left.split_at_checked(index).unwrap_or((left, &[]));
        let part = |view, indices| Gather {
            view,
            axis,
            indices,
            left: 0..indices.len(),
            ahead: ahead.of(indices),
            bytes_of_row,
        };
        (part(view.clone(), first), part(view, second))
    }
}

impl<'a, A, D: RemoveAxis> Iterator for Gather<'a, A, D> {
    type Item = ArrayView<'a, A, D::Smaller>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let at = self.left.next()?;
        self.ahead.reach(at);
        self.row(at)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

/// From the back nothing is requested.
impl<A, D: RemoveAxis> DoubleEndedIterator for Gather<'_, A, D> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let at = self.left.next_back()?;
        self.row(at)
    }
}

impl<A, D: RemoveAxis> ExactSizeIterator for Gather<'_, A, D> {}

impl<A, D: RemoveAxis> fmt::Debug for Gather<'_, A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gather")
            .field("axis", &self.axis)
            .field("position", &self.position())
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}
