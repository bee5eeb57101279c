//! The errors of this crate, as facts and numbers; knows nothing of the code that returns them.

pub(crate) mod npy;

pub use npy::NpyError;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use thiserror::Error;

use crate::mode::Mode;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reason why a file cannot be used as an array.
///
/// A call that returns an error has changed no file, unless the variant says otherwise. Offsets,
/// ends and lengths are in bytes. Offsets and ends count from the start of the file.
/// [`doc::cookbook`](crate::doc::cookbook#how-do-i-find-out-why-a-file-does-not-open) explains
/// frequent causes.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The array has no such axis.
    #[error("there is no axis {axis} in an array of {ndim} axes")]
    AxisOutOfBounds {
        /// The requested axis, counted from 0.
        axis: usize,
        /// The number of axes.
        ndim: usize,
    },
    /// The axis has no such index.
    #[error("index {index} is outside an axis of length {len}")]
    IndexOutOfBounds {
        /// The requested index.
        index: usize,
        /// The length of the axis.
        len: usize,
    },
    /// The array does not have the expected shape.
    #[error("an array of shape {expected:?} is needed, but it has shape {found:?}")]
    ShapeMismatch {
        /// The expected shape.
        expected: Vec<usize>,
        /// The shape of the given array.
        found: Vec<usize>,
    },
    /// The process may not lock this much memory.
    #[error(
        "cannot lock {needed} bytes in memory: the process may lock {limit} (RLIMIT_MEMLOCK)"
    )]
    MemoryLock {
        /// The number of bytes to lock.
        needed: u64,
        /// The number of bytes that the process may lock in total.
        limit: u64,
    },
    /// The file has changed since the array was opened.
    #[error(
        "{} has changed since it was opened: nothing is committed (`commit_anyway` \
         does not ask)", Name(.path)
    )]
    Conflict {
        /// The file.
        path: PathBuf,
    },
    /// The axis is not the outermost axis (axis 0 in C order, the last in Fortran order). Only the
    /// outermost axis can grow or be split.
    #[error(
        "axis {axis} cannot grow or be split: in the order of this array only axis \
         {slowest} can"
    )]
    NotSlowestAxis {
        /// The requested axis, counted from 0.
        axis: usize,
        /// The outermost axis.
        slowest: usize,
    },
    /// The array is not contiguous in C or Fortran order, and can therefore not grow or be split.
    #[error(
        "the array has strides of its own: only C and Fortran order can grow or be split"
    )]
    NotInOrder,
    /// The array is a window of a larger array, and does not know the length of the larger array.
    #[error("a window of a larger array cannot grow (open the whole array)")]
    WindowGrows,
    /// The requested number of parts is 0.
    #[error("an array cannot be split into 0 parts")]
    NoParts,
    /// The file continues after the array, and growth would overwrite the rest of the file.
    #[error(
        "the file goes on from the array's end at byte {end} to byte {found}, which growth \
         would overwrite (map all of it, copy the array to a file of its own, or truncate \
         the file to byte {end} if nothing needs the rest)"
    )]
    TrailingBytes {
        /// The end of the array.
        end: u64,
        /// The length of the file.
        found: u64,
    },
    /// The path names another file than the opened file, or the file contains another array.
    #[error("{} is not the array that was opened (open it again)", Name(.path))]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The array was opened with a fixed shape, which does not depend on the file.
    #[error(
        "the shape was given, so that the file does not tell of new rows (use `rows_of`)"
    )]
    FixedShape,
    /// The operating system returned an error, which is the
    /// [`source`](std::error::Error::source).
    #[error("cannot {action} {}: {source}", Name(.path))]
    Io {
        /// The operation that failed: `open`, `map`, `lock`, …
        action: &'static str,
        /// The file; empty if the caller passed an open file instead of a path.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The path does not name a regular file, and cannot be mapped.
    #[error("{} is {found}, not a regular file", Name(.path))]
    NotAFile {
        /// The path; empty if the caller passed an open file.
        path: PathBuf,
        /// The kind of file that the path names, such as `a directory`.
        found: &'static str,
    },

    /// The array would end after the end of the file.
    #[error(
        "the array ends at byte {needed}, but the file has {found} bytes (check shape, \
         offset and element type; `grow(true)` extends a file in mode `r+`, \
         `npy::Options::whole_rows(true)` opens the whole rows of a `.npy` file)"
    )]
    FileTooShort {
        /// The end of the array.
        needed: u64,
        /// The length of the file.
        found: u64,
    },

    /// The shape is inferred from the file, which does not contain a whole number of elements.
    #[error(
        "the {available} bytes from the offset to the end of the file are not a multiple \
         of the {size} bytes of one element or row (check the element type and the \
         offset, or give a shape to map a part)"
    )]
    PartialElement {
        /// The number of bytes from the offset to the end of the file.
        available: u64,
        /// The size of one element, or of one row with `rows_of`.
        size: usize,
    },

    /// The shape is inferred from the file, which ends before the offset.
    #[error("the array begins at byte {offset}, but the file has {found} bytes")]
    OffsetPastEnd {
        /// The start of the array.
        offset: u64,
        /// The length of the file.
        found: u64,
    },

    /// The addresses of the elements would not be aligned for their type.
    #[error(
        "the elements from byte {offset} on are not aligned to {align} bytes \
         (use `Be<f64>` or `Le<f64>` to map at any offset, or `load` to copy)"
    )]
    Misaligned {
        /// The start of the array.
        offset: u64,
        /// The alignment of the element type.
        align: usize,
    },

    /// The size or the end of the array exceeds the range of a pointer or a file offset.
    #[error("the array is too large: its size or its end in bytes overflows")]
    TooLarge,

    /// Neither the caller nor the file determines the length of the first axis.
    #[error(
        "a shape is required: a new file does not tell it, and rows of no bytes cannot be \
         counted (use `shape`)"
    )]
    ShapeRequired,

    /// The shape and the custom strides have different numbers of axes.
    #[error("the shape and the strides have different numbers of axes")]
    StridesMismatch,

    /// Two indices may refer to the same element of a writable array.
    ///
    /// ndarray treats an axis as overlapping if its stride is not longer than all axes with
    /// shorter strides together.
    #[error(
        "the strides may give two indices to one element (use mode `r` to read it so)"
    )]
    OverlappingStrides,

    /// The element type has no bytes, so that a file does not determine the number of elements.
    #[error("elements of zero size cannot be mapped")]
    ZeroSizedElement,

    /// The layout was resolved for elements of another size.
    #[error("the layout is for elements of size {expected}, asked for size {found}")]
    ElementSize {
        /// The size in bytes that the layout was resolved for.
        expected: usize,
        /// The size in bytes of the requested element type.
        found: usize,
    },

    /// The bytes of an element are not a value of its type.
    #[error("element {index} is not a valid value of its type")]
    InvalidElement {
        /// The position of the element in the order of the file. The element begins `index` times
        /// its size after the offset.
        index: usize,
    },

    /// The caller requested a change in mode `r`.
    #[error("the array is read-only (use mode `c` for private changes, `r+` for shared)")]
    ReadOnly,

    /// Changes in mode `c` are private to this handle; only
    /// [`commit`](crate::MmapArray::commit) writes them to the file.
    #[error(
        "the changes are private (mode `c`) and do not reach the file \
         (`commit` writes them, mode `r+` changes the file itself)"
    )]
    PrivateChanges,

    /// The constructor does not support the mode.
    #[error("mode `{mode}` cannot be used to {action}")]
    UnsupportedMode {
        /// The requested mode.
        mode: Mode,
        /// The action of the constructor.
        action: &'static str,
    },

    /// The text is not the name of a mode.
    #[error("`{name}` is not a mode (the modes are `r`, `c`, `r+`, `w+` and `x+`)")]
    UnknownMode {
        /// The text.
        name: String,
    },

    /// The kernel does not prove that the file cannot change.
    #[error(
        "{} may change: only a sealed memfd or a file under fs-verity is proved \
         immutable (use `load`, or the unsafe `open`)",
        Name(.path)
    )]
    NotImmutable {
        /// The path; empty if the caller passed an open file.
        path: PathBuf,
        /// Why immutability could not be shown.
        source: io::Error,
    },

    /// The disk, or the quota of the user, has no space for the array.
    #[error("no space to reserve the file's {needed} bytes on its disk")]
    NoSpace {
        /// The requested length of the file.
        needed: u64,
    },

    /// Another handle, in this process or another process, has locked the file.
    #[error("{} is locked by another handle", Name(.path))]
    Locked {
        /// The path; empty if the caller passed an open file.
        path: PathBuf,
    },

    /// A part of the array was lost while the array was mapped, and is replaced by zeros; see
    /// [`MapOptions::guarded`](crate::MapOptions).
    #[error("what the file had at byte {offset} was lost while it was mapped")]
    Faulted {
        /// The byte offset in the file at which the first access failed.
        offset: u64,
    },

    /// The caller requested a guarded array, but the application has not installed the guard.
    #[error("the guard is not installed (the application calls `guard::install`)")]
    NotGuarded,

    /// An earlier sync failed, so that changes may be lost even if a later sync succeeds.
    #[error("an earlier sync failed and changes may be lost (open the file again)")]
    Poisoned,

    /// The file is not a `.npy` file, or does not contain the requested array.
    #[error(transparent)]
    Npy(#[from] NpyError),
}

impl Error {
    /// Returns a closure that wraps an I/O error, for `map_err`.
    pub(crate) fn io(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io { source, .. } => source.kind(),
            Error::NoSpace { .. } => io::ErrorKind::StorageFull,
            Error::MemoryLock { .. } => io::ErrorKind::OutOfMemory,
            Error::ReadOnly | Error::PrivateChanges => io::ErrorKind::PermissionDenied,
            Error::Locked { .. } => io::ErrorKind::WouldBlock,
            Error::FileTooShort { .. } | Error::OffsetPastEnd { .. } => {
                io::ErrorKind::UnexpectedEof
            }
            Error::InvalidElement { .. }
            | Error::PartialElement { .. }
            | Error::Npy(_) => io::ErrorKind::InvalidData,
            Error::Poisoned | Error::Faulted { .. } => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

/// Prints a path in backticks, or `the file` if the path is empty.
struct Name<'a>(&'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str().is_empty() {
            return f.write_str("the file");
        }
        write!(f, "`{}`", self.0.display())
    }
}
