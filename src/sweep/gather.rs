//! Gather and scatter: reads and replaces rows by a list of indices; leaves pages to
//! `RowPrefetcher`.

use std::{fmt, ops::Range};

use ndarray::{ArrayRef, ArrayView, Axis, Dimension, RemoveAxis};

use super::row_prefetcher::RowPrefetcher;
use crate::array::MmapArray;
use crate::element::{Element, needs_check};
use crate::error::{AtPath, Error, ErrorKind, Result};
use crate::file::whole_write::{whole_elements, write_or_restore};
use crate::file::{self, FileEnd};
use crate::layout::{Footprint, check_axis};
use crate::mapping::Backing;
use crate::sweep::Progress;
use crate::sys::{self, FileSystem};

/// An iterator over rows in the order of a list of indices; see [`MmapArray::gather`].
///
/// With the feature `rayon` a gather is a parallel iterator too (`into_par_iter`). Each thread
/// takes batches of at least 128 neighbours in the list.
#[must_use = "a gather does nothing until it is iterated"]
pub struct Gather<'a, A, D> {
    view: ArrayView<'a, A, D>,
    axis: Axis,
    indices: &'a [usize],
    /// The positions in `indices` that are left.
    left: Range<usize>,
    ahead: RowPrefetcher<'a>,
    bytes_of_row: u64,
}

impl<A: Element, D: RemoveAxis> MmapArray<A, D> {
    /// Returns views of the rows of `axis` listed in `indices`, in the same order.
    ///
    /// The pages of rows ahead are requested before their use. If the rows are not cached, the
    /// requests make iteration many times faster than waiting for one row after the other. If the
    /// rows are cached, iteration costs little more than indexing. An index may occur more than
    /// once.
    ///
    /// [`ndarray::stack()`] makes one array of the rows, as in the second example. ndarray's
    /// [`select`](ArrayRef::select) returns the same array, but requests no rows ahead. `select`
    /// panics if an index is out of bounds.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::AxisOutOfBounds`] if the array has no such axis.
    /// - [`ErrorKind::IndexOutOfBounds`] if the axis has no row of an index.
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
    ///
    /// NumPy's `a[ids]`, which is an array:
    ///
    /// ```
    /// # let a = ndarray_memmap::MapOptions::scratch::<f32, _>((1000, 768))?;
    /// # let ids = [3, 917, 3];
    /// use ndarray::Axis;
    ///
    /// let rows = ndarray::stack(Axis(0), &a.gather(Axis(0), &ids)?.collect::<Vec<_>>())?;
    /// assert_eq!(rows.dim(), (3, 768));
    /// assert_eq!(rows, a.select(Axis(0), &ids));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "take")]
    #[doc(alias = "select")]
    pub fn gather<'a>(
        &'a self,
        axis: Axis,
        indices: &'a [usize],
    ) -> Result<Gather<'a, A, D>> {
        check_indices(self, axis, indices)?;
        let footprint = Footprint::of(self);
        let bytes_of_row = footprint.part(axis, 0..1).len();
        let ahead = RowPrefetcher::new(self.backing(), footprint, axis, indices);
        let bytes_of_row = u64::try_from(bytes_of_row).unwrap_or(u64::MAX);
        let left = 0..indices.len();
        Ok(Gather { view: self.view(), axis, indices, left, ahead, bytes_of_row })
    }

    /// Replaces the rows of `axis` listed in `indices` with the rows of `rows`, in the same order.
    ///
    /// `rows` has the shape of the array, except that its length along `axis` is that of `indices`.
    /// If an index occurs more than once, its last row counts.
    ///
    /// This function is for many small changes to a large file. On Linux it writes the rows to the
    /// file, and the mapping shows them at once. It does so because a store into a mapping would
    /// mark the whole folio of the page cache as changed, up to 2 MiB. The rows are stored into the
    /// mapping instead in mode `c`, and if a row is not contiguous in the file. The same holds for
    /// file systems whose mappings do not show writes (overlayfs, FUSE, 9p, unknown ones).
    /// [`sync`](crate::MmapArray::sync) makes the rows durable.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ReadOnly`] in mode `r`.
    /// - [`ErrorKind::AxisOutOfBounds`], [`ErrorKind::IndexOutOfBounds`] and [`ErrorKind::ShapeMismatch`] if
    ///   the arguments do not fit; nothing is changed then.
    /// - [`ErrorKind::FileTooShort`] if another process has truncated the file. A file that was too
    ///   short before the call is not changed.
    /// - [`ErrorKind::Io`] if the file cannot be written. Nothing is changed if the file is longer than
    ///   the process may write (`RLIMIT_FSIZE`). If the disk is full, the rows before are written,
    ///   and a part of the row at which the write stopped. This part can end within an element,
    ///   except for types whose bytes are checked.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::MapOptions;
    ///
    /// let mut a = MapOptions::scratch::<i32, _>((1000, 2))?;
    /// a.scatter(Axis(0), &[917, 3], &array![[1, 2], [3, 4]])?;
    /// a.sync()?;
    /// assert_eq!((a[[917, 1]], a[[3, 0]], a.sum()), (2, 3, 10));
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[doc(alias = "put")]
    pub fn scatter(
        &mut self,
        axis: Axis,
        indices: &[usize],
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        if !self.mode().is_mutable() {
            return Err(ErrorKind::ReadOnly.at(&self.backing().path));
        }
        self.backing().intact()?;
        check_indices(self, axis, indices)?;
        self.expect_rows(axis, indices.len(), rows)?;
        if self.is_empty() || indices.is_empty() {
            return Ok(());
        }
        self.reaches_to_end()?;
        if self.writes_rows(axis) {
            self.write_rows(axis, indices, rows)?;
        } else {
            self.store_rows(axis, indices, rows)?;
        }
        self.backing().intact()?;
        self.reaches_to_end()
    }

    /// Fails if the file, where the array keeps one open, does not have all bytes of the array.
    ///
    /// A write beyond the end of the file would extend the file, and hide the loss of bytes.
    fn reaches_to_end(&self) -> Result<()> {
        let Backing { file, path, .. } = self.backing();
        let Some(file) = file else { return Ok(()) };
        FileEnd::of(&file::regular(file, path)?).check(self.layout().end())
    }

    /// Stores rows into the mapping.
    fn store_rows(
        &mut self,
        axis: Axis,
        indices: &[usize],
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        let (mut view, backing) = self.view_and_backing()?;
        let mut ahead = RowPrefetcher::new(backing, Footprint::of(&view), axis, indices);
        for (number, (&index, row)) in
            indices.iter().zip(rows.axis_iter(axis)).enumerate()
        {
            ahead.reach(number);
            view.index_axis_mut(axis, index).assign(&row);
        }
        Ok(())
    }

    /// Returns whether rows of `axis` can be written to the file instead.
    ///
    /// The rows must be contiguous in the file, and the mapping must show a write at once.
    fn writes_rows(&self, axis: Axis) -> bool {
        let file = self.backing().file.as_ref().filter(|_| self.mode().writes_file());
        let Some(file) = file else { return false };
        let row = self.index_axis(axis, 0);
        // In Fortran order the transposed row is contiguous.
        let is_contiguous = row.is_standard_layout() || row.t().is_standard_layout();
        is_contiguous && sys::writes_in_place(file) && FileSystem::of(file).is_coherent
    }

    /// Writes rows to the file, where each row is contiguous.
    fn write_rows(
        &mut self,
        axis: Axis,
        indices: &[usize],
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        let backing = self.backing();
        let Some(file) = &backing.file else { return Ok(()) };
        let view = self.view();
        let first = view.index_axis(axis, 0);
        let is_reversed = !first.is_standard_layout();
        let bytes_of_row = first.len().saturating_mul(size_of::<A>());
        let range_of = |index: usize| {
            let row = view.index_axis(axis, index);
            let start =
                row.as_ptr().addr().wrapping_sub(backing.mapping.as_mut_ptr().addr());
            start..start.saturating_add(bytes_of_row)
        };
        let at = |range: &Range<usize>| file::bytes_of(range, backing.offset());
        let failed = |e| Error::io("write", &backing.path)(e);
        // Nothing is written if the process may not write the last row.
        let end = indices.iter().map(|&index| at(&range_of(index)).end).max();
        sys::check_limit(end.unwrap_or(0)).map_err(failed)?;
        let mut ahead = RowPrefetcher::new(backing, Footprint::of(self), axis, indices);
        for (number, (&index, row)) in
            indices.iter().zip(rows.axis_iter(axis)).enumerate()
        {
            ahead.reach(number);
            let row = if is_reversed { row.reversed_axes() } else { row };
            let row = row.as_standard_layout();
            let bytes: &[u8] = bytemuck::cast_slice(row.as_slice().unwrap_or_default());
            let range = range_of(index);
            if !needs_check::<A>() || size_of::<A>() == 1 {
                sys::write_all_at(file, bytes, at(&range).start).map_err(failed)?;
                continue;
            }
            // A write may stop within an element.
            for part in whole_elements(&(0..bytes.len()), size_of::<A>()) {
                let start = range.start.saturating_add(part.start);
                let here = start..start.saturating_add(part.len());
                let bytes = bytes.get(part).unwrap_or_default();
                let Err(e) = write_or_restore(file, bytes, at(&here).start) else {
                    continue;
                };
                let (error, path) = (failed(e.error), backing.path.clone());
                if let Some(before) = e.lost {
                    let stored = self.backing_mut().mapping.put(&here, &before);
                    stored.map_err(Error::io("restore", &path))?;
                }
                return Err(error);
            }
        }
        Ok(())
    }
}

fn check_indices<A: Element, D: Dimension>(
    array: &MmapArray<A, D>,
    axis: Axis,
    indices: &[usize],
) -> Result<()> {
    let path = &array.backing().path;
    check_axis(axis, array.ndim()).at(path)?;
    let len = array.len_of(axis);
    match indices.iter().find(|index| **index >= len) {
        Some(&index) => Err(ErrorKind::IndexOutOfBounds { index, len }.at(path)),
        None => Ok(()),
    }
}

impl<'a, A, D: RemoveAxis> Gather<'a, A, D> {
    /// Returns how many rows and bytes the gather has returned so far.
    pub fn progress(&self) -> Progress {
        self.of_rows(self.indices.len().saturating_sub(self.left.len()))
    }

    /// Returns how many rows and bytes the gather returns in all.
    pub fn total(&self) -> Progress {
        self.of_rows(self.indices.len())
    }

    #[inline]
    fn row(&self, at: usize) -> Option<ArrayView<'a, A, D::Smaller>> {
        let index = *self.indices.get(at)?;
        Some(self.view.clone().index_axis_move(self.axis, index))
    }

    fn of_rows(&self, rows: usize) -> Progress {
        let count = u64::try_from(rows).unwrap_or(u64::MAX);
        Progress { rows, bytes: count.saturating_mul(self.bytes_of_row) }
    }

    /// Splits into the first `index` rows that are left, and the other rows.
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

/// Iteration from the back requests no pages ahead.
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
            .field("progress", &self.progress())
            .field("total", &self.total())
            .finish_non_exhaustive()
    }
}
