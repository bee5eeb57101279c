//! The reasons of errors, as facts and numbers.

use std::borrow::Cow;
use std::io;

use thiserror::Error;

use super::{Axes, NpyErrorKind, Short};
use crate::mode::Mode;

/// The only action on a folder.
pub(crate) const CREATE_IN: &str = "create a file in";

/// The reason of an [`Error`](crate::Error).
///
/// Offsets, ends and lengths are in bytes. Offsets and ends count from the start of the file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The array has no such axis.
    #[error("axis {axis} is out of bounds for an array of {}", Axes(.ndim))]
    AxisOutOfBounds {
        /// The requested axis, counted from 0.
        axis: usize,
        /// The number of axes.
        ndim: usize,
    },
    /// The axis has no such index.
    #[error("index {index} is out of bounds for an axis of length {len}")]
    IndexOutOfBounds {
        /// The requested index.
        index: usize,
        /// The length of the axis.
        len: usize,
    },
    /// The array does not have the expected shape.
    #[error(
        "expected an array of shape {}, found shape {}",
        Short(&format!("{expected:?}")), Short(&format!("{found:?}"))
    )]
    ShapeMismatch {
        /// The expected shape.
        expected: Vec<usize>,
        /// The shape of the given array.
        found: Vec<usize>,
    },
    /// The array does not have the expected number of axes.
    #[error("expected an array of {}, found {}", Axes(.expected), Axes(.found))]
    NdimMismatch {
        /// The expected number of axes.
        expected: usize,
        /// The number of axes of the array.
        found: usize,
    },
    /// The process may not lock this much memory.
    #[error("cannot lock {expected} bytes in memory: the limit is {limit} bytes")]
    MemoryLock {
        /// The number of bytes to lock.
        expected: u64,
        /// The number of bytes that the process may lock in total.
        limit: u64,
    },
    /// The file has changed since the array was opened.
    #[error("the file has changed since it was opened, and nothing was committed")]
    Conflict,
    /// The axis is not the outermost axis (axis 0 in C order, the last in Fortran order). Only the
    /// outermost axis can grow or be split.
    #[error("axis {axis} cannot grow or be split in the memory order of this array")]
    NotOutermostAxis {
        /// The requested axis, counted from 0.
        axis: usize,
        /// The outermost axis.
        outermost: usize,
    },
    /// The array is not contiguous in C or Fortran order, and can therefore not grow or be split.
    #[error("an array with custom strides cannot grow or be split")]
    NotInOrder,
    /// The array is a window of a larger array, and does not know the length of the larger array.
    #[error("a window of a larger array cannot grow")]
    WindowGrows,
    /// The requested number of parts is 0.
    #[error("an array cannot be split into 0 parts")]
    NoParts,
    /// The file continues after the array, and growth would overwrite the rest of the file.
    #[error(
        "the array ends at byte {end}, and growth would overwrite the bytes that follow, \
         up to byte {found}"
    )]
    TrailingBytes {
        /// The end of the array.
        end: u64,
        /// The length of the file.
        found: u64,
    },
    /// The path names another file than the opened file, or the file contains another array.
    #[error("the file is not the one that was opened, or contains another array now")]
    Replaced,
    /// The array was opened with a fixed shape, which does not depend on the file.
    #[error("cannot refresh an array that was opened with a fixed shape")]
    FixedShape,
    /// The operating system returned an error, which is the
    /// [`source`](std::error::Error::source).
    #[error("cannot {action} the {}: {source}", object(.action))]
    Io {
        /// The operation that failed: `open`, `map`, `lock`, …
        action: &'static str,
        /// The error of the operating system.
        source: io::Error,
    },

    /// The path does not name a regular file, and cannot be mapped.
    #[error("expected a regular file, found {found}")]
    NotAFile {
        /// The kind of file that the path names, such as `a directory`.
        found: &'static str,
    },

    /// The array would end after the end of the file.
    #[error("the array ends at byte {expected}, but the file has {found} bytes")]
    FileTooShort {
        /// The end of the array.
        expected: u64,
        /// The length of the file.
        found: u64,
    },

    /// The shape is inferred from the file, which does not contain a whole number of elements.
    #[error(
        "the {available} bytes from the offset to the end of the file are not a multiple \
         of the {size} bytes of an element or row"
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

    /// The array of raw elements would begin with the header of a `.npy` file.
    #[error("the file is a `.npy` file, and the array would include its header")]
    NpyHeader,

    /// The addresses of the elements would not be aligned for their type.
    #[error("the elements from byte {offset} on are not aligned to {align} bytes")]
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
    #[error("neither the caller nor the file determines the shape")]
    ShapeRequired,

    /// The shape and the custom strides have different numbers of axes.
    #[error("the shape and the strides have different numbers of axes")]
    StridesMismatch,

    /// Two indices may refer to the same element of a writable array.
    ///
    /// ndarray treats an axis as overlapping if its stride is not longer than all axes with
    /// shorter strides together.
    #[error("with these strides two indices may refer to one element")]
    OverlappingStrides,

    /// The element type has no bytes, so that a file does not determine the number of elements.
    #[error("elements of 0 bytes cannot be mapped")]
    ZeroSizedElement,

    /// The layout was resolved for elements of another size.
    #[error("expected elements of size {expected}, found a type of size {found}")]
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
    #[error("the array is read-only")]
    ReadOnly,

    /// Changes in mode `c` are private to this handle; only
    /// [`commit`](crate::MmapArray::commit) writes them to the file.
    #[error("changes in mode `c` are private and do not reach the file")]
    PrivateChanges,

    /// The function does not support the mode.
    #[error("cannot {action} in mode `{mode}`")]
    UnsupportedMode {
        /// The requested mode.
        mode: Mode,
        /// The action of the function.
        action: &'static str,
    },

    /// The text is not the name of a mode.
    #[error("`{}` is not a mode", Short(.name))]
    UnknownMode {
        /// The text.
        name: String,
    },

    /// The kernel does not prove that the file cannot change.
    #[error("the file may change: it is no sealed memfd and not under fs-verity")]
    NotImmutable {
        /// Why immutability could not be shown.
        source: io::Error,
    },

    /// The disk, or the quota of the user, has no space for the array.
    #[error("the disk or the quota has no space for a file of {expected} bytes")]
    NoSpace {
        /// The requested length of the file.
        expected: u64,
    },

    /// Another handle, in this process or another process, has locked the file.
    #[error("another handle has locked the file")]
    Locked,

    /// A part of the array was lost while the array was mapped, and is replaced by zeros; see
    /// [`MapOptions::guarded`](crate::MapOptions).
    #[error("the bytes from byte {offset} on were lost while the file was mapped")]
    Faulted {
        /// The byte offset in the file at which the first access failed.
        offset: u64,
    },

    /// The caller requested a guarded array, but the application has not installed the guard.
    #[error("the guard is not installed")]
    NotGuarded,

    /// An earlier sync failed, so that changes may be lost even if a later sync succeeds.
    #[error("an earlier sync failed, and changes may be lost")]
    Poisoned,

    /// The file is not a `.npy` file, or does not contain the requested array.
    #[error(transparent)]
    Npy(#[from] NpyErrorKind),
}

impl ErrorKind {
    /// Returns how a caller usually avoids the error.
    pub(super) fn way_out(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::AxisOutOfBounds { .. } => "axes count from 0",
            Self::IndexOutOfBounds { .. } => "indices count from 0",
            Self::ShapeMismatch { .. } => "reshape or slice the array that is passed",
            Self::NdimMismatch { .. } => "use the dimension of the array, or `IxDyn`",
            Self::MemoryLock { .. } => "raise RLIMIT_MEMLOCK, or lock a smaller region",
            Self::Conflict => "open it again, or overwrite it by `force_commit`",
            Self::NotOutermostAxis { outermost, .. } => {
                return Some(format!("use axis {outermost}, the outermost axis").into());
            }
            Self::NotInOrder => "use C or Fortran order",
            Self::WindowGrows => "open the whole array",
            Self::NoParts => "use at least 1 part",
            Self::TrailingBytes { end, .. } => {
                let way_out =
                    format!("copy the array, or truncate the file to {end} bytes");
                return Some(way_out.into());
            }
            Self::Replaced => "open it again",
            Self::FixedShape => "open it with `rows_of`",
            Self::Io { action, source } => return io_way_out(action, source.kind()),
            Self::NotAFile { found: "a directory" } => "pass the path of a file",
            Self::NotAFile { .. } => "copy the data to a regular file",
            Self::FileTooShort { .. } => "check shape, offset and element type",
            Self::PartialElement { .. } => {
                "check the element type and the offset, or pass a `shape` to map a part"
            }
            Self::OffsetPastEnd { .. } => "check the offset",
            Self::NpyHeader => "use `npy::open`, or set `offset` to the first element",
            Self::Misaligned { .. } => "copy the elements by `load`",
            Self::TooLarge => "check shape, offset and element type",
            Self::ShapeRequired => "pass a `shape`: rows of 0 bytes cannot be counted",
            Self::StridesMismatch => "pass one stride for each axis",
            Self::OverlappingStrides => "use mode `r`, or strides that do not overlap",
            Self::ZeroSizedElement => "use an element type of at least 1 byte",
            Self::ElementSize { .. } => "use an element type of the expected size",
            Self::InvalidElement { .. } => {
                "check the element type, or map the elements as bytes (`u8`)"
            }
            Self::ReadOnly => {
                "use mode `c` for private changes, mode `r+` to change the file"
            }
            Self::PrivateChanges => {
                "`commit` writes them, and mode `r+` changes the file itself"
            }
            Self::UnsupportedMode { .. } => "choose another mode",
            Self::UnknownMode { .. } => "the modes are `r`, `c`, `r+`, `w+`, `x+`, `a+`",
            Self::NotImmutable { .. } => "use `load`, or the unsafe `open`",
            Self::NoSpace { .. } => "free space and call again",
            Self::Locked => "close the other handle, or try again later",
            Self::Faulted { .. } => "open the file again and check its contents",
            Self::NotGuarded => "the application calls `guard::install`",
            Self::Poisoned => "open the file again and compare",
            Self::Npy(kind) => return kind.way_out(),
        }))
    }

    /// Returns the corresponding kind of `io::Error`.
    pub(super) fn io_kind(&self) -> io::ErrorKind {
        match self {
            Self::Io { source, .. } => source.kind(),
            Self::NoSpace { .. } => io::ErrorKind::StorageFull,
            Self::MemoryLock { .. } => io::ErrorKind::OutOfMemory,
            Self::ReadOnly | Self::PrivateChanges => io::ErrorKind::PermissionDenied,
            Self::Locked => io::ErrorKind::WouldBlock,
            Self::FileTooShort { .. } | Self::OffsetPastEnd { .. } => {
                io::ErrorKind::UnexpectedEof
            }
            Self::InvalidElement { .. }
            | Self::PartialElement { .. }
            | Self::NpyHeader
            | Self::Npy(_) => io::ErrorKind::InvalidData,
            Self::Poisoned | Self::Faulted { .. } => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidInput,
        }
    }
}

/// Returns what an action of the operating system is done to.
fn object(action: &str) -> &'static str {
    if action == CREATE_IN { "folder" } else { "file" }
}

/// Returns how a caller avoids an error of the operating system, where that is known.
fn io_way_out(action: &str, kind: io::ErrorKind) -> Option<Cow<'static, str>> {
    use io::ErrorKind::{AlreadyExists, NotFound, OutOfMemory, PermissionDenied};

    Some(Cow::Borrowed(match (action, kind) {
        ("open", NotFound) => "check the path",
        ("create" | "create a draft of" | CREATE_IN, NotFound) => {
            "create the folder first"
        }
        ("create", AlreadyExists) => "mode `r+` opens it, mode `w+` replaces it",
        ("allocate memory for", OutOfMemory) => "map the file instead of loading it",
        ("map", PermissionDenied) => "open the file for writing too, or use mode `r`",
        ("map", _) => "`load` reads the file without a mapping",
        ("sync", _) => "changes may be lost: save the array to another disk",
        _ => return None,
    }))
}
