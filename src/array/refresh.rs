//! Arrays that follow a file which another process extends; changes no file.

use std::fs::{File, Metadata};
use std::path::Path;

use ndarray::{Dimension, Order};

use crate::array::{MmapArray, NewRows, RowCount};
use crate::element::Element;
use crate::error::{AtPath, Error, ErrorKind, Result};
use crate::file::{self, FileEnd, FileSnapshot};
use crate::layout::Layout;
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys::FileSystem;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Shows the rows that the file has gained since the array was opened or refreshed.
    ///
    /// The mode must be `r`. For a `.npy` file, the array shows as many rows as the header counts;
    /// the header counts only complete rows. For a raw file, the array shows the complete rows of
    /// the file. The array must then be opened by [`rows_of`](crate::MapOptions::rows_of) or
    /// without a shape. If the file has become shorter, the array becomes shorter too.
    ///
    /// The new rows must not change any more: [the contract](crate#the-contract-of-a-mapping)
    /// covers them like the earlier rows. [`append`](Self::append) and [`push`](Self::push) never
    /// change existing rows, so they keep the contract.
    ///
    /// # Errors
    ///
    /// After an error the array is as before.
    ///
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `r`.
    /// - [`ErrorKind::FixedShape`] if a raw file was opened with a given shape.
    /// - [`ErrorKind::Replaced`] if the path now names another file, or if the header describes another
    ///   array.
    /// - [`ErrorKind::FileTooShort`] if the file lacks some of the rows that its header counts.
    /// - [`ErrorKind::InvalidElement`] if the new rows contain bytes that are not a value of `A`.
    /// - [`ErrorKind::Io`] if the file cannot be opened or mapped. The same holds if the array was not
    ///   opened by a path, or is a copy in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, Ix2, array};
    /// use ndarray_memmap::{Mode, npy};
    ///
    /// // SAFETY: no other code changes rows that are in the file.
    /// let mut log = unsafe { npy::create::<f64, _>(&path, (0, 3))? };
    /// // SAFETY: as above.
    /// let mut reader = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly)? };
    /// log.push(Axis(0), &array![1.0, 2.0, 3.0])?;
    /// assert_eq!(reader.nrows(), 0);
    /// reader.refresh()?;
    /// assert_eq!(reader, array![[1.0, 2.0, 3.0]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refresh(&mut self) -> Result<()> {
        let refreshed = self.refresh_unnamed();
        refreshed.at(&self.backing().path)
    }

    fn refresh_unnamed(&mut self) -> Result<()> {
        let mode = self.mode();
        let Backing { mapping, path, holds_lock, snapshot, .. } = self.backing();
        if mode != Mode::ReadOnly {
            let refused = ErrorKind::UnsupportedMode { mode, action: "refresh an array" };
            return Err(Error::from(refused).with_way_out("open it in mode `r`"));
        }
        self.backing().intact()?;
        if mapping.is_copy() {
            let unsupported = std::io::ErrorKind::Unsupported.into();
            return Err(self.backing().io("refresh")(unsupported));
        }
        if self.ndim() == 0 {
            return Ok(());
        }
        let file = file::open_locked(path, mode, *holds_lock)?.file;
        let order = match self.row_count() {
            RowCount::Fixed | RowCount::Window => {
                return Err(ErrorKind::FixedShape.into());
            }
            RowCount::FileLength => Order::C,
            RowCount::Header(header) => header.order(),
        };
        let (count, metadata) = self.measure(&file, path)?;
        let found = FileSnapshot::of(&metadata);
        if found.id() != snapshot.id() {
            return Err(ErrorKind::Replaced.at(path));
        }
        let layout = self.with_rows(order, count)?;
        let end = FileEnd::of(&metadata);
        end.check(layout.end())?;
        let is_short =
            self.backing().file.is_none() && mapping.capacity() < layout.byte_len();
        // The old mapping and descriptor may show another file than the path.
        if !FileSystem::of(&file).is_coherent {
            self.map_other(&layout, &file)?;
        } else {
            self.reserve(layout.byte_len(), Some(&file).filter(|_| is_short))?;
        }
        self.relayout(layout, NewRows::Found(end))?;
        self.backing_mut().snapshot = found;
        Ok(())
    }

    /// Maps `file`, and keeps it open instead of the old file if the array keeps a file open.
    fn map_other(&mut self, layout: &Layout<D>, file: &File) -> Result<()> {
        let len = layout.byte_len().max(self.layout().byte_len());
        let kept = file.try_clone().map_err(self.backing().io("keep open"))?;
        // The guard asks its file for the length. Close the old file after the guard has the new
        // file.
        let old = replace(&mut self.backing_mut().file, kept);
        let mapped = self.reserve(len, Some(file));
        if let (Err(_), Some(old)) = (&mapped, old) {
            self.backing_mut().file = Some(old);
        }
        mapped
    }

    /// Counts the rows of a file, then reads the metadata of this file.
    fn measure(&self, file: &File, path: &Path) -> Result<(usize, Metadata)> {
        let RowCount::Header(header) = self.row_count() else {
            let metadata = file::regular(file, path)?;
            return Ok((self.whole_rows(metadata.len())?, metadata));
        };
        let fits = |count: &usize, found: u64| {
            let layout = self.layout().with_rows(header.order(), *count, 1);
            layout.is_ok_and(|layout| layout.end() <= found)
        };
        let read = || header.read(file, path);
        let (mut count, metadata) = file::read_and_measure(file, path, read, fits)?;
        if header.takes_whole_rows() && !fits(&count, metadata.len()) {
            count = count.min(self.whole_rows(metadata.len())?);
        }
        Ok((count, metadata))
    }

    /// Returns the number of whole rows in a file of `found` bytes.
    fn whole_rows(&self, found: u64) -> Result<usize> {
        let needed = self.offset();
        let bytes = found.checked_sub(needed);
        let bytes = bytes.ok_or(ErrorKind::FileTooShort { expected: needed, found })?;
        let order = match self.row_count() {
            RowCount::Header(header) => header.order(),
            _ => Order::C,
        };
        let row = self.layout().with_rows(order, 1, 1)?.byte_len();
        let row = u64::try_from(row).map_err(|_| ErrorKind::TooLarge)?;
        let count = bytes.checked_div(row).ok_or(ErrorKind::ShapeRequired)?;
        Ok(usize::try_from(count).map_err(|_| ErrorKind::TooLarge)?)
    }
}

/// Replaces a file, if there is one, and returns the old file.
fn replace(old: &mut Option<File>, new: File) -> Option<File> {
    old.as_mut().map(|old| std::mem::replace(old, new))
}
