//! What can go wrong, as facts and numbers; knows nothing of how it came about.

pub(crate) mod npy;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::npy::NpyError;
use crate::mode::Mode;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A reason why a file cannot be used as an array.
///
/// Whatever the variant, the call that returned it changed no file, unless the variant
/// says otherwise. Offsets, ends and lengths are bytes; offsets and ends count from the
/// start of the file. What is often behind the messages says
/// [`doc::cookbook`](crate::doc::cookbook#how-do-i-find-out-why-a-file-does-not-open).
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The array has no such axis.
    #[error("there is no axis {axis} in an array of {ndim} axes")]
    AxisOutOfBounds {
        /// The axis asked for, counted from 0.
        axis: usize,
        /// The number of axes.
        ndim: usize,
    },
    /// The axis has no such index.
    #[error("index {index} is outside an axis of length {len}")]
    IndexOutOfBounds {
        /// The index asked for.
        index: usize,
        /// The length of the axis.
        len: usize,
    },
    /// An array of another shape is needed.
    #[error("an array of shape {expected:?} is needed, but it has shape {found:?}")]
    ShapeMismatch {
        /// The shape that fits.
        expected: Vec<usize>,
        /// The shape of the array given.
        found: Vec<usize>,
    },
    /// The process may not lock so much memory.
    #[error(
        "cannot lock {needed} bytes in memory: the process may lock {limit} (RLIMIT_MEMLOCK)"
    )]
    MemoryLock {
        /// How many bytes were to be locked.
        needed: u64,
        /// How many the process may lock in all.
        limit: u64,
    },
    /// The file is not as it was when the array was opened.
    #[error(
        "{} has changed since it was opened: nothing is committed (`commit_anyway` \
         does not ask)", Name(.path)
    )]
    Conflict {
        /// The file.
        path: PathBuf,
    },
    /// Only the slowest axis of an array can grow or be split: the first in C order, the last in
    /// Fortran order.
    #[error(
        "axis {axis} cannot grow or be split: in the order of this array only axis \
         {slowest} can"
    )]
    NotSlowestAxis {
        /// The axis asked for, counted from 0.
        axis: usize,
        /// The axis that can.
        slowest: usize,
    },
    /// The array has gaps or is in neither order, so that it can neither grow nor be split.
    #[error(
        "the array has strides of its own: only C and Fortran order can grow or be split"
    )]
    NotInOrder,
    /// The array is a window of a larger one, whose length it does not know.
    #[error("a window of a larger array cannot grow (open the whole array)")]
    WindowGrows,
    /// An array was to be split into no parts.
    #[error("an array cannot be split into 0 parts")]
    NoParts,
    /// The file goes on beyond the array, which would grow over it.
    #[error(
        "the file goes on from the array's end at byte {end} to byte {found}, which growth \
         would overwrite (map all of it, copy the array to a file of its own, or truncate \
         the file to byte {end} if nothing needs the rest)"
    )]
    TrailingBytes {
        /// Where the array ends.
        end: u64,
        /// The length of the file.
        found: u64,
    },
    /// The path names another file than the one that was opened, or the file holds another
    /// array.
    #[error("{} is not the array that was opened (open it again)", Name(.path))]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// The array has a shape that was asked for, whatever the file has.
    #[error(
        "the shape was given, so that the file does not tell of new rows (use `rows_of`)"
    )]
    FixedShape,
    /// The operating system refused; [`source`](std::error::Error::source) says why.
    #[error("cannot {action} {}: {source}", Name(.path))]
    Io {
        /// What was being done: `open`, `map`, `lock`, …
        action: &'static str,
        /// The file; empty if the caller passed an open file instead of a path.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },

    /// The path names something that cannot be mapped.
    #[error("{} is {found}, not a regular file", Name(.path))]
    NotAFile {
        /// The path; empty if the caller passed an open file.
        path: PathBuf,
        /// What it is instead, as in `a directory`.
        found: &'static str,
    },

    /// The array would reach past the end of the file.
    #[error(
        "the array ends at byte {needed}, but the file has {found} bytes (check shape, \
         offset and element type; `grow(true)` extends a file in mode `r+`, \
         `npy::Options::whole_rows(true)` opens the whole rows of a `.npy` file)"
    )]
    FileTooShort {
        /// Where the array ends.
        needed: u64,
        /// The length of the file.
        found: u64,
    },

    /// The shape was to be taken from the file, which does not hold whole elements.
    #[error(
        "the {available} bytes from the offset to the end of the file are not a multiple \
         of the {size} bytes of one element or row (check the element type and the \
         offset, or give a shape to map a part)"
    )]
    PartialElement {
        /// Bytes from the offset to the end of the file.
        available: u64,
        /// Bytes of one element, or of one row with `rows_of`.
        size: usize,
    },

    /// The shape was to be taken from the file, which ends before the offset.
    #[error("the array begins at byte {offset}, but the file has {found} bytes")]
    OffsetPastEnd {
        /// Where the array begins.
        offset: u64,
        /// The length of the file.
        found: u64,
    },

    /// The elements would lie at addresses that their type does not allow.
    #[error(
        "the elements from byte {offset} on are not aligned to {align} bytes \
         (use `Be<f64>` or `Le<f64>` to map at any offset, or `load` to copy)"
    )]
    Misaligned {
        /// Where the array begins.
        offset: u64,
        /// The alignment of the element type.
        align: usize,
    },

    /// The array has more bytes than a pointer or a file offset can reach.
    #[error("the array is too large: its size or its end in bytes overflows")]
    TooLarge,

    /// Nothing tells the length of the first axis.
    #[error(
        "a shape is required: a new file does not tell it, and rows of no bytes cannot be \
         counted (use `shape`)"
    )]
    ShapeRequired,

    /// The shape and the custom strides have different numbers of axes.
    #[error("the shape and the strides have different numbers of axes")]
    StridesMismatch,

    /// Two indices may name the same element of an array that can be written.
    ///
    /// ndarray takes an axis for overlapping if its stride is not longer than all axes of
    /// shorter strides together.
    #[error(
        "the strides may give two indices to one element (use mode `r` to read it so)"
    )]
    OverlappingStrides,

    /// The element type has no bytes, so that a file says nothing about it.
    #[error("elements of zero size cannot be mapped")]
    ZeroSizedElement,

    /// A layout was resolved for elements of another size.
    #[error("the layout is for elements of size {expected}, asked for size {found}")]
    ElementSize {
        /// The size in bytes that the layout was resolved for.
        expected: usize,
        /// The size in bytes of the element type asked for.
        found: usize,
    },

    /// The bytes of an element are not a value of its type.
    #[error("element {index} is not a valid value of its type")]
    InvalidElement {
        /// Its position in the order of the file: it begins `index` times the element's
        /// size after the offset.
        index: usize,
    },

    /// Changes were asked for in mode `r`.
    #[error("the array is read-only (use mode `c` for private changes, `r+` for shared)")]
    ReadOnly,

    /// Changes in mode `c` are private to this handle; only
    /// [`commit`](crate::MmapArray::commit) brings them to the file.
    #[error(
        "the changes are private (mode `c`) and do not reach the file \
         (`commit` writes them, mode `r+` changes the file itself)"
    )]
    PrivateChanges,

    /// The mode does not go with this constructor.
    #[error("mode `{mode}` cannot be used to {action}")]
    UnsupportedMode {
        /// The mode asked for.
        mode: Mode,
        /// What the constructor does.
        action: &'static str,
    },

    /// A text is not the name of a mode.
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
        /// What is missing.
        source: io::Error,
    },

    /// The disk, or the user's share of it, has no room for the array.
    #[error("no space to reserve the file's {needed} bytes on its disk")]
    NoSpace {
        /// The length the file was to have.
        needed: u64,
    },

    /// Another handle, of this process or another, has locked the file.
    #[error("{} is locked by somebody else", Name(.path))]
    Locked {
        /// The path; empty if the caller passed an open file.
        path: PathBuf,
    },

    /// Something of the array was lost while it was mapped, and zeros are in its place; see
    /// [`MapOptions::guarded`](crate::MapOptions).
    #[error("what the file had at byte {offset} was lost while it was mapped")]
    Faulted {
        /// The byte of the file at which the first access failed.
        offset: u64,
    },

    /// An array was to be guarded, but the application has not installed the guard.
    #[error("the guard is not installed (the application calls `guard::install`)")]
    NotGuarded,

    /// An earlier sync failed, so that changes may be lost whatever a later one says.
    #[error("an earlier sync failed and changes may be lost (open the file again)")]
    Poisoned,

    /// The file is not a `.npy` file, or not the one asked for.
    #[error(transparent)]
    Npy(#[from] NpyError),
}

impl Error {
    /// Makes the closure that wraps an I/O error, for `map_err`.
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

/// Prints a path in backticks, or says that there is none.
struct Name<'a>(&'a Path);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.as_os_str().is_empty() {
            return f.write_str("the file");
        }
        write!(f, "`{}`", self.0.display())
    }
}
