//! The errors of `.npy` files; knows nothing of the code that reads them.

use thiserror::Error;

/// A reason why a file is not a `.npy` file, or does not contain the requested array.
///
/// Positions are bytes from the start of the header's dictionary.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file does not begin with the magic string of `.npy` files.
    #[error("the file is not a `.npy` file: it does not begin with `\\x93NUMPY`")]
    BadMagic,

    /// The file is a zip archive, as `.npz` files are.
    #[error(
        "the file is a zip archive (`.npz`), not a `.npy` file (extract its members)"
    )]
    Npz,

    /// The version of the format is not 1.0, 2.0 or 3.0.
    #[error("version {major}.{minor} of the format is unknown (1.0 to 3.0 are known)")]
    BadVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },

    /// The file ends within its header.
    #[error("the file ends in its {part}: {needed} bytes are needed, it has {found}")]
    Truncated {
        /// The part in which the file ends: `magic string`, `header length` or `header`.
        part: &'static str,
        /// The end of this part in the file.
        needed: u64,
        /// The length of the file.
        found: u64,
    },

    /// The header is longer than the limit.
    #[error("the header has {len} bytes, more than {cap} (`header_cap` lifts the limit)")]
    HeaderTooLarge {
        /// The header's length.
        len: u64,
        /// The limit.
        cap: u64,
    },

    /// The header to write is longer than the version of the format allows.
    #[error("a header of {len} bytes does not fit version {major}.0 of the format")]
    HeaderTooLong {
        /// The header's length.
        len: usize,
        /// The requested version.
        major: u8,
    },

    /// The header of the file has no space for the length of a longer array.
    #[error(
        "the header has no room for a length of {count} (`npy::make_growable` makes some)"
    )]
    NoRoom {
        /// The length of the growing axis.
        count: usize,
    },

    /// The header is not text in the encoding of the format's version.
    #[error("the header is not {encoding} text")]
    Encoding {
        /// The encoding: `latin-1` or `UTF-8`.
        encoding: &'static str,
    },

    /// The header is not a Python literal in the form that NumPy writes.
    #[error("the header cannot be parsed: expected {expected} at byte {at}")]
    Syntax {
        /// The position of the error.
        at: usize,
        /// The token or value that is expected at this position.
        expected: &'static str,
    },

    /// The header is a Python literal other than a dictionary.
    #[error("the header is not a dictionary")]
    NotADictionary,

    /// The header lacks a key, or has an unknown key.
    #[error("the header needs the keys `descr`, `fortran_order` and `shape` alone")]
    Keys,

    /// `fortran_order` is neither `True` nor `False`.
    #[error("`fortran_order` at byte {at} is neither `True` nor `False`")]
    FortranOrder {
        /// The start of the value.
        at: usize,
    },

    /// `shape` is not a tuple of whole numbers.
    #[error("`shape` at byte {at} is not a tuple of whole numbers")]
    Shape {
        /// The position of the error.
        at: usize,
    },

    /// An axis has a negative length.
    #[error("`shape` at byte {at} has a negative length")]
    NegativeLength {
        /// The position of the length.
        at: usize,
    },

    /// `descr` does not describe a type.
    #[error("`descr` at byte {at} is not an element type: {why}")]
    Descr {
        /// The position of the error.
        at: usize,
        /// The error.
        why: &'static str,
    },

    /// The elements are Python objects.
    #[error("the elements are Python objects, which only Python can load (by `pickle`)")]
    ObjectType,

    /// The file has elements of another type.
    #[error("the file has elements `{found}`, asked for `{asked}`")]
    ElementType {
        /// The type in `descr`.
        found: String,
        /// The NumPy type of the Rust type.
        asked: String,
    },

    /// A field of the file's records differs from the field of the struct.
    #[error("field {index} of the file is {found}, asked for {asked}")]
    Field {
        /// The position of the field, from 0.
        index: usize,
        /// Name, type and offset in the file's record.
        found: String,
        /// Name, type and offset in the struct.
        asked: String,
    },

    /// The file has another number of axes.
    #[error("the array in the file has {found} axes, asked for {asked}")]
    Axes {
        /// The number of axes in the file.
        found: usize,
        /// The requested number of axes.
        asked: usize,
    },

    /// NumPy does not support the array.
    #[error("NumPy could not read this back: {why}")]
    Unwritable {
        /// The property that NumPy does not support.
        why: &'static str,
    },
}
