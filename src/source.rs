//! What a file says of the length of its array.

use std::fmt;
use std::fs::File;
use std::io;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::Path;

use crate::Result;

/// Where the length of an array's slowest axis comes from.
#[derive(Debug)]
pub(crate) enum Source {
    /// From the caller: the file does not tell.
    Caller,
    /// From a window of a larger array, which stays as it is.
    Window,
    /// From the length of the file.
    File,
    /// From a header.
    Header(Box<dyn Count>),
}

/// A header that counts the rows of an array.
pub(crate) trait Count:
    fmt::Debug + Send + Sync + UnwindSafe + RefUnwindSafe
{
    /// Tells whether the rows are those of the last axis instead of the first.
    fn is_fortran(&self) -> bool;

    /// Makes sure that there is room for another count.
    fn check(&self, count: usize) -> Result<()>;

    /// Makes sure that the file's header is as it was left, and that nothing of value lies
    /// beyond the array's `end`.
    fn confirm(&self, file: &File, path: &Path, end: u64) -> Result<()>;

    /// Writes another count that has passed `check`.
    fn write(&mut self, file: &File, count: usize) -> io::Result<()>;

    /// Reads the count that the file has now.
    fn read(&self, file: &File, path: &Path) -> Result<usize>;
}
