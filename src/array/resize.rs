//! Changes the number of rows in the file, the mapping and the header; knows no format of a header.

use std::cmp::Ordering;

use ndarray::{Axis, Dimension, Order};

use super::append::FileCheck;
use super::row_count::RowCount;
use super::{MmapArray, NewRows, RowsLayout};
use crate::element::Element;
use crate::error::{AtPath, Result};
use crate::file::{Allocation, DiskSpace, allocate};
use crate::sys;
use crate::sys::mapped_atomic::WriteBy;
use crate::sys::zeros::is_zero;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Changes the length of an axis and of the file: adds zeros at the end, or truncates.
    ///
    /// The axis, the modes and the precautions are those of [`append`](Self::append). Disk space is
    /// reserved for added rows. Removed rows are lost. If another array maps these rows, an access
    /// to them kills its process by `SIGBUS`. On Windows a mapped file cannot be truncated.
    ///
    /// # Errors
    ///
    /// The errors of [`append`](Self::append). After an error the array and its file are as before.
    pub fn resize(&mut self, axis: Axis, len: usize) -> Result<()> {
        let resized = self.resize_unnamed(axis, len);
        resized.at(&self.backing().path)
    }

    fn resize_unnamed(&mut self, axis: Axis, len: usize) -> Result<()> {
        let order = self.growing_order(axis)?;
        let layout = self.with_rows(order, len)?;
        let old = self.len_of(axis);
        let left_over = self.check_file(len, FileCheck::Whole)?;
        self.finish_growth(left_over)?;
        match len.cmp(&old) {
            Ordering::Equal => self.backing_mut().truncate(),
            Ordering::Greater => self.add_zeros(old, layout),
            Ordering::Less => self.remove_rows(old, layout),
        }
    }

    /// Truncates the file to the end of the array, and makes its header count the rows of the
    /// array.
    ///
    /// `left_over` is the length of a file with bytes after the array.
    pub(super) fn finish_growth(&mut self, left_over: Option<u64>) -> Result<()> {
        let end = self.layout().end();
        if let RowCount::Header(header) = self.row_count() {
            let rows = self.layout().rows(header.order());
            if header.count() != rows {
                self.write_row_count(rows, WriteBy::Call)?;
                self.backing().sync_data()?;
            }
        }
        left_over.map_or(Ok(()), |found| self.backing().truncate_back(end, found))
    }

    /// Adds rows of zeros at the end, and allocates their disk space.
    fn add_zeros(&mut self, old: usize, layout: RowsLayout<D>) -> Result<()> {
        let Some(file) = &self.backing().file else { return Ok(()) };
        let file = file.try_clone().map_err(self.backing().io("keep open"))?;
        let (from, end) = (self.layout().end(), layout.end());
        let (order, count) = (layout.order, layout.count);
        let counts = self.has_header();
        self.reserve_early(layout.byte_len())?;
        let backing = self.backing_mut();
        if let Some(found) = backing.preallocation.file_len() {
            // A failed append may have left bytes that could not be truncated.
            let is_clean = is_zero(&file, from..end.min(found));
            if !is_clean.map_err(backing.io("read"))? {
                backing.truncate()?;
            }
        }
        let is_extended = counts
            && backing.could_extend(|backing| backing.extend_exactly(from, end))?;
        let len = backing.preallocation.file_len().unwrap_or(from);
        let allocated =
            Allocation::make(&file, len, from, end, DiskSpace::Allocated, &backing.path);
        let added = allocated.and_then(|allocation| {
            self.reserve(layout.byte_len(), None)?;
            self.relayout(layout, NewRows::Written(allocation.file_end()))?;
            if counts && !is_extended {
                self.backing().sync_data()?;
            }
            self.write_row_count(count, WriteBy::Call)?;
            allocation.keep();
            Ok(())
        });
        match &added {
            // A file that cannot be truncated keeps its mark, and is truncated later.
            Ok(()) => drop(self.backing_mut().truncate()),
            // The dropped allocation has undone an extension without a mark.
            Err(_) => self.revert(order, old, from),
        }
        added
    }

    /// Removes rows at the end; a header counts fewer rows before the truncation.
    fn remove_rows(&mut self, old: usize, layout: RowsLayout<D>) -> Result<()> {
        let (from, end, count) = (self.layout().end(), layout.end(), layout.count);
        let counts = self.has_header();
        if counts {
            // The mark shows that rows beyond the count are left over. A full disk may have no
            // space for the mark, but must not prevent the truncation.
            self.backing_mut()
                .could_extend(|backing| backing.extend_exactly(from, from))?;
        }
        self.write_row_count(count, WriteBy::Call)?;
        let synced = if counts { self.backing().sync_data() } else { Ok(()) };
        let removed = synced.and_then(|()| {
            let backing = self.backing_mut();
            if backing.preallocation.file_len().is_some() {
                backing.preallocation.set_end(end);
                return backing.truncate();
            }
            backing.truncate_back(end, from)
        });
        match &removed {
            Ok(()) => self.relayout(layout, NewRows::Fewer)?,
            Err(_) => {
                self.backing_mut().preallocation.set_end(from);
                // The first error is reported.
                let _ = self.write_row_count(old, WriteBy::Call);
                let _ = self.backing_mut().truncate();
            }
        }
        removed
    }

    /// Restores `old` rows, and truncates a file of at most `reached` bytes.
    pub(super) fn revert(&mut self, order: Order, old: usize, reached: u64) {
        // The caller reports the error that caused the revert.
        let reverted = self.with_rows(order, old);
        let _ = reverted.and_then(|old| self.relayout(old, NewRows::Fewer));
        let end = self.layout().end();
        let backing = self.backing_mut();
        backing.preallocation.set_end(end);
        let _ = match backing.preallocation.file_len() {
            Some(_) => backing.truncate(),
            None => backing.truncate_back(end, reached),
        };
    }

    pub(super) fn has_header(&self) -> bool {
        matches!(self.row_count(), RowCount::Header(_))
    }

    /// Writes the number of rows to the header, if there is one.
    pub(super) fn write_row_count(&mut self, count: usize, by: WriteBy) -> Result<()> {
        let (start, end) = (self.offset(), self.layout().end());
        let Self { backing, row_count: RowCount::Header(header), .. } = self else {
            return Ok(());
        };
        backing.preallocation.note_header_change(start);
        let Some(file) = &backing.file else { return Ok(()) };
        // The guard does not repair bus errors in the header's own mapping.
        let by = if backing.mapping.is_guarded() { WriteBy::Call } else { by };
        let written = header.write(file, count, by);
        written.map_err(allocate::refusal("write the header of", end, &backing.path))
    }

    /// Maps new rows before the file contains them, where a mapping may extend beyond the file.
    ///
    /// A refused mapping is an error before other processes see new rows in the file.
    pub(super) fn reserve_early(&mut self, len: usize) -> Result<()> {
        if sys::MAPS_BEYOND_END { self.reserve(len, None) } else { Ok(()) }
    }
}
