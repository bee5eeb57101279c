//! Arrays that follow a file which somebody else makes longer.

use std::fs::{File, Metadata};
use std::path::Path;

use ndarray::Dimension;

use crate::array::MmapArray;
use crate::array::row_count::RowCount;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::{self, FileEnd, FileSnapshot};
use crate::layout::Layout;
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys::file_system::FileSystem;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Shows the rows that the file has got since the array was opened or refreshed.
    ///
    /// In mode `r`. As many rows as the header of a `.npy` file counts, which says so only when
    /// they are complete; of a raw file those that are in it as a whole, if the array was
    /// opened by [`rows_of`](crate::MapOptions::rows_of) or without a shape. If the file has
    /// become shorter, so does the array.
    ///
    /// The rows that the array shows from now on must not change any more, as [the
    /// contract](crate#the-contract-of-a-mapping) says of those before. Arrays that
    /// [`append`](Self::append) keep to that.
    ///
    /// # Errors
    ///
    /// The array stays as it was.
    ///
    /// - [`Error::UnsupportedMode`] in other modes.
    /// - [`Error::FixedShape`] if the shape of a raw file was given.
    /// - [`Error::Replaced`] if the path names another file now, or its header another array.
    /// - [`Error::FileTooShort`] if the file lacks some of the rows that its header counts.
    /// - [`Error::InvalidElement`] if the new rows hold what is no value of `A`.
    /// - [`Error::Io`] if the file cannot be opened or mapped, also if the array was not opened
    ///   by a path or is a copy in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, Ix2, array};
    /// use ndarray_memmap::{Mode, npy};
    ///
    /// // SAFETY: nobody changes rows that are in the file.
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
        let Backing { mapping, mode, path, holds_lock, snapshot, .. } = self.backing();
        if *mode != Mode::ReadOnly {
            return Err(Error::UnsupportedMode {
                mode: *mode,
                action: "refresh an array",
            });
        }
        self.backing().intact()?;
        if mapping.is_copy() {
            let unsupported = std::io::ErrorKind::Unsupported.into();
            return Err(self.backing().io("refresh")(unsupported));
        }
        if self.ndim() == 0 {
            return Ok(());
        }
        let file = file::open_locked(path, *mode, *holds_lock)?.file;
        let fortran = match self.row_count() {
            RowCount::Fixed | RowCount::Window => return Err(Error::FixedShape),
            RowCount::FileLength => false,
            RowCount::Header(header) => header.is_fortran(),
        };
        let (count, metadata) = self.measure(&file, path)?;
        let found = FileSnapshot::of(&metadata);
        if found.id() != snapshot.id() {
            return Err(Error::Replaced { path: path.clone() });
        }
        let layout = self.layout().with_rows(fortran, count, align_of::<A>())?;
        let end = FileEnd::of(&metadata);
        end.check(layout.end())?;
        let is_short = self.backing().file.is_none() && mapping.capacity() < layout.len();
        // The old mapping and descriptor may show another file than the path.
        if !FileSystem::of(&file).is_coherent {
            self.map_other(&layout, &file)?;
        } else {
            self.reserve(layout.len(), Some(&file).filter(|_| is_short))?;
        }
        self.relayout(fortran, count, Some(end))?;
        self.backing().intact()?;
        self.backing_mut().snapshot = found;
        Ok(())
    }

    /// Maps a file, and keeps it open instead of the old one if one is kept.
    fn map_other(&mut self, layout: &Layout<D>, file: &File) -> Result<()> {
        let len = layout.len().max(self.layout().len());
        let kept = file.try_clone().map_err(self.backing().io("keep open"))?;
        // A guard asks its file for the length. The old file is closed after the guard has the new.
        let old = replace(&mut self.backing_mut().file, kept);
        let mapped = self.reserve(len, Some(file));
        if let (Err(_), Some(old)) = (&mapped, old) {
            self.backing_mut().file = Some(old);
        }
        mapped
    }

    /// Counts the rows of a file, and describes the file that had them.
    ///
    /// In this order, since rows are in the file before they are counted. If it becomes shorter in
    /// between, its header has changed before, and is read again.
    fn measure(&self, file: &File, path: &Path) -> Result<(usize, Metadata)> {
        /// A file is not made shorter more often than that meanwhile.
        const ATTEMPTS: usize = 100;

        let RowCount::Header(header) = self.row_count() else {
            let metadata = file::regular(file, path)?;
            return Ok((self.whole_rows(metadata.len())?, metadata));
        };
        let mut count = header.read(file, path)?;
        let mut metadata = file::regular(file, path)?;
        for _ in 0..ATTEMPTS {
            let layout = self.layout().with_rows(header.is_fortran(), count, 1);
            if layout.is_ok_and(|layout| layout.end() <= metadata.len()) {
                break;
            }
            let again = header.read(file, path)?;
            if again == count {
                break;
            }
            count = again;
            metadata = file::regular(file, path)?;
        }
        let fits = |count| {
            let layout = self.layout().with_rows(header.is_fortran(), count, 1);
            layout.is_ok_and(|layout| layout.end() <= metadata.len())
        };
        if header.takes_whole_rows() && !fits(count) {
            count = count.min(self.whole_rows(metadata.len())?);
        }
        Ok((count, metadata))
    }

    /// Returns how many rows there are in a file of so many bytes.
    fn whole_rows(&self, found: u64) -> Result<usize> {
        let needed = self.offset();
        let bytes = found.checked_sub(needed);
        let bytes = bytes.ok_or(Error::FileTooShort { needed, found })?;
        let fortran =
            matches!(self.row_count(), RowCount::Header(header) if header.is_fortran());
        let row = self.layout().with_rows(fortran, 1, 1)?.len();
        let row = u64::try_from(row).map_err(|_| Error::TooLarge)?;
        let count = bytes.checked_div(row).ok_or(Error::ShapeRequired)?;
        usize::try_from(count).map_err(|_| Error::TooLarge)
    }
}

/// Puts a file in the place of another, if there is one.
fn replace(old: &mut Option<File>, new: File) -> Option<File> {
    old.as_mut().map(|old| std::mem::replace(old, new))
}
