//! Changing the number of rows: file, mapping and header follow.

use std::cmp::Ordering;

use ndarray::{Axis, Dimension};

use super::MmapArray;
use super::append::FileCheck;
use super::row_count::RowCount;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::allocate::{self, Allocation};
use crate::layout::Layout;
use crate::mapping::Backing;
use crate::sys;
use crate::sys::zeros::is_zero;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Changes the length of an axis, and of the file: by zeros at its end, or by cutting off.
    ///
    /// Along the same axis as [`append`](Self::append) and with the same care. Space is
    /// reserved for what is added. What is cut off is lost; another array that has it mapped
    /// dies of `SIGBUS` when it looks there. On Windows a file that is mapped cannot be cut.
    ///
    /// # Errors
    ///
    /// Those of [`append`](Self::append), with the same array and file as before.
    pub fn resize(&mut self, axis: Axis, len: usize) -> Result<()> {
        let fortran = self.growing_order(axis)?;
        let layout = self.layout().with_rows(fortran, len, align_of::<A>())?;
        let old = self.len_of(axis);
        let left_over = self.check_file(len, FileCheck::Whole)?;
        self.finish_growth(left_over)?;
        match len.cmp(&old) {
            Ordering::Equal => self.truncate_file(),
            Ordering::Greater => self.add_zeros(fortran, old, &layout, len),
            Ordering::Less => self.remove_rows(fortran, old, &layout, len),
        }
    }

    /// Makes the file end with the array, and its header count the rows of the array.
    ///
    /// `left_over` is the length of a file with bytes beyond the array.
    pub(super) fn finish_growth(&mut self, left_over: Option<u64>) -> Result<()> {
        let end = self.layout().end();
        if let RowCount::Header(header) = self.row_count() {
            let rows = self.layout().rows(header.is_fortran());
            if header.count() != rows {
                self.write_row_count(rows, false)?;
                self.backing().sync_data()?;
            }
        }
        let Some(found) = left_over else { return Ok(()) };
        let Backing { file, path, .. } = self.backing();
        let cut = file.as_ref().map(|file| allocate::truncate_back(file, end, found));
        cut.unwrap_or(Ok(())).map_err(Error::io("cut", path))
    }

    /// Adds rows of zeros at the end, with space on the disk.
    fn add_zeros(
        &mut self,
        fortran: bool,
        old: usize,
        layout: &Layout<D>,
        count: usize,
    ) -> Result<()> {
        let Some(file) = &self.backing().file else { return Ok(()) };
        let file = file.try_clone().map_err(self.backing().io("keep open"))?;
        let (from, end) = (self.layout().end(), layout.end());
        let counts = self.has_header();
        self.reserve_early(layout.len())?;
        let backing = self.backing_mut();
        if let Some(found) = backing.preallocation.file_len() {
            // An append that failed may have left bytes that could not be truncated.
            let is_clean = is_zero(&file, from..end.min(found));
            if !is_clean.map_err(backing.io("read"))? {
                backing.truncate().map_err(Error::io("cut", &backing.path))?;
            }
        }
        let is_extended = counts
            && backing.could_extend(|backing| backing.extend_exactly(from, end))?;
        let len = backing.preallocation.file_len().unwrap_or(from);
        let allocated = Allocation::make(&file, len, from, end, false, &backing.path);
        let added = allocated.and_then(|allocation| {
            self.reserve(layout.len(), None)?;
            self.relayout(fortran, count, Some(allocation.file_end()))?;
            if counts && !is_extended {
                self.backing().sync_data()?;
            }
            self.write_row_count(count, false)?;
            allocation.keep();
            Ok(())
        });
        match &added {
            // A file that cannot be truncated keeps its mark, and is truncated later.
            Ok(()) => drop(self.truncate_file()),
            // The allocation has undone what was added without a mark.
            Err(_) => self.revert(fortran, old, from),
        }
        added
    }

    /// Removes rows at the end; the header, if there is one, counts fewer rows first.
    fn remove_rows(
        &mut self,
        fortran: bool,
        old: usize,
        layout: &Layout<D>,
        count: usize,
    ) -> Result<()> {
        let (from, end) = (self.layout().end(), layout.end());
        let counts = self.has_header();
        if counts {
            // With the mark, rows that are no longer counted are known to be left over. A full disk
            // may have no room for the mark, and must not keep the file from becoming shorter.
            self.backing_mut()
                .could_extend(|backing| backing.extend_exactly(from, from))?;
        }
        self.write_row_count(count, false)?;
        let synced = if counts { self.backing().sync_data() } else { Ok(()) };
        let removed = synced.and_then(|()| {
            let backing = self.backing_mut();
            if backing.preallocation.file_len().is_some() {
                backing.preallocation.set_end(end);
                return self.truncate_file();
            }
            let cut = backing.file.as_ref();
            let cut = cut.map(|file| allocate::truncate_back(file, end, from));
            cut.unwrap_or(Ok(())).map_err(backing.io("cut"))
        });
        match &removed {
            Ok(()) => self.relayout(fortran, count, None)?,
            Err(_) => {
                self.backing_mut().preallocation.set_end(from);
                // The first error is the one to report.
                let _ = self.write_row_count(old, false);
                let _ = self.truncate_file();
            }
        }
        removed
    }

    /// Makes the file end with the array.
    pub(super) fn truncate_file(&mut self) -> Result<()> {
        let backing = self.backing_mut();
        backing.truncate().map_err(Error::io("cut", &backing.path))
    }

    /// Returns to `old` rows, and truncates a file of at most `reached` bytes.
    pub(super) fn revert(&mut self, fortran: bool, old: usize, reached: u64) {
        // The error that led here is the one to report.
        let _ = self.relayout(fortran, old, None);
        let end = self.layout().end();
        let backing = self.backing_mut();
        backing.preallocation.set_end(end);
        let _ = match (backing.preallocation.file_len(), &backing.file) {
            (Some(_), _) => backing.truncate(),
            (None, Some(file)) => allocate::truncate_back(file, end, reached),
            (None, None) => Ok(()),
        };
    }

    pub(super) fn has_header(&self) -> bool {
        matches!(self.row_count(), RowCount::Header(_))
    }

    /// Writes the number of rows to the header, if there is one.
    pub(super) fn write_row_count(&mut self, count: usize, stores: bool) -> Result<()> {
        let (start, end) = (self.offset(), self.layout().end());
        let (backing, RowCount::Header(header)) = self.parts_mut() else { return Ok(()) };
        backing.preallocation.note_header_change(start);
        let Some(file) = &backing.file else { return Ok(()) };
        // The guard does not repair bus errors in the header's own mapping.
        let stores = stores && !backing.mapping.is_guarded();
        let written = header.write(file, count, stores);
        written.map_err(allocate::refusal("write the header of", end, &backing.path))
    }

    /// Maps the rows to come before they are in the file, where a mapping may extend beyond it.
    ///
    /// A refusal comes before other processes see new rows in the file.
    pub(super) fn reserve_early(&mut self, len: usize) -> Result<()> {
        if sys::MAPS_BEYOND_END { self.reserve(len, None) } else { Ok(()) }
    }
}
