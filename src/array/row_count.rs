//! What a file says of the length of its array.

use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

use crate::error::Result;

/// Where the length of an array's slowest axis comes from.
#[derive(Debug)]
pub(crate) enum RowCount {
    /// From the caller: the file does not tell.
    Fixed,
    /// From a window of a larger array, which stays as it is.
    Window,
    /// From the length of the file.
    FileLength,
    /// From a header.
    Header(Box<dyn RowHeader>),
}

/// A header that counts the rows of an array.
pub(crate) trait RowHeader:
    fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe
{
    /// Tells whether the rows are those of the last axis instead of the first.
    fn is_fortran(&self) -> bool;

    /// Returns the number of rows that the header counts.
    fn count(&self) -> usize;

    /// Tells whether a file that ends before its last row has the rows that are whole.
    fn takes_whole_rows(&self) -> bool;

    /// Makes sure that there is room for another count, and that it can be written in one step.
    fn check(&self, file: &File, path: &Path, count: usize) -> Result<()>;

    /// Makes sure that the file's header is as it was left.
    fn confirm(&self, file: &File, path: &Path) -> Result<()>;

    /// Writes another count that has passed `check`.
    ///
    /// It `stores` into a mapping if the space of the header is reserved and the file is known to
    /// be long enough.
    fn write(&mut self, file: &File, count: usize, stores: bool) -> io::Result<()>;

    /// Reads the count that the file has now.
    fn read(&self, file: &File, path: &Path) -> Result<usize>;
}
