//! The source of the number of rows of an array; knows no format of a header.

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::{fmt, fs::File, io, ops::Deref, path::Path};

use ndarray::Order;

use crate::error::Result;
use crate::file::FileEnd;
use crate::layout::Layout;
use crate::sys::mapped_atomic::WriteBy;

/// The source of the length of an array's outermost axis.
#[derive(Debug)]
pub(crate) enum RowCount {
    /// The caller: the file does not determine the length.
    Fixed,
    /// A window of a larger array; the length is fixed.
    Window,
    /// The length of the file.
    FileLength,
    /// A header.
    Header(Box<dyn RowHeader>),
}

/// The layout of an array with another number of rows; made by `MmapArray::with_rows` alone.
#[derive(Debug)]
pub(super) struct RowsLayout<D> {
    pub(super) order: Order,
    /// The number of rows.
    pub(super) count: usize,
    pub(super) layout: Layout<D>,
}

impl<D> Deref for RowsLayout<D> {
    type Target = Layout<D>;

    fn deref(&self) -> &Layout<D> {
        &self.layout
    }
}

/// The rows that an array has after its number of rows changes.
#[derive(Clone, Copy, Debug)]
pub(super) enum NewRows {
    /// Fewer rows than before, or as many.
    Fewer,
    /// More rows, which this array has written as elements or zeros, up to the end of the file.
    Written(FileEnd),
    /// More rows, which the file had, up to its end.
    Found(FileEnd),
}

impl NewRows {
    /// Returns the end of the file that has the rows.
    pub(super) fn end(self) -> FileEnd {
        match self {
            Self::Fewer => FileEnd::default(),
            Self::Written(end) | Self::Found(end) => end,
        }
    }
}

/// A header that counts the rows of an array.
pub(crate) trait RowHeader:
    fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe
{
    /// Returns the memory order of the array, which makes the first or the last axis that of rows.
    fn order(&self) -> Order;

    /// Returns the number of rows that the header counts.
    fn count(&self) -> usize;

    /// Returns whether a file that ends before its last row opens with its whole rows.
    fn takes_whole_rows(&self) -> bool;

    /// Fails unless the header has space for `count` and can be written in one step.
    fn check(&self, file: &File, path: &Path, count: usize) -> Result<()>;

    /// Fails unless the header of the file is as this array left it.
    fn confirm(&self, file: &File, path: &Path) -> Result<()>;

    /// Writes a count that has passed `check`.
    fn write(&mut self, file: &File, count: usize, by: WriteBy) -> io::Result<()>;

    /// Reads the current count from the file.
    fn read(&self, file: &File, path: &Path) -> Result<usize>;
}
