//! What can be wrong with a `.npy` file; knows nothing of how it was read.

use thiserror::Error;

/// A reason why a file is not a `.npy` file, or not the one asked for.
///
/// Positions are bytes from the start of the header's dictionary.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NpyError {
    /// The file does not begin as `.npy` files do.
    #[error("the file is not a `.npy` file: it does not begin with `\\x93NUMPY`")]
    BadMagic,

    /// The file is a zip archive, as `.npz` files are.
    #[error(
        "the file is a zip archive (`.npz`), not a `.npy` file (extract its members)"
    )]
    Npz,

    /// The format's version is not one of 1.0, 2.0 and 3.0.
    #[error("version {major}.{minor} of the format is unknown (1.0 to 3.0 are known)")]
    BadVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },

    /// The file ends before its header does.
    #[error("the file ends in its {part}: {needed} bytes are needed, it has {found}")]
    Truncated {
        /// Where it ends: `magic string`, `header length` or `header`.
        part: &'static str,
        /// The length of the file up to the end of this part.
        needed: u64,
        /// The length of the file.
        found: u64,
    },

    /// The header is longer than allowed.
    #[error("the header has {len} bytes, more than {cap} (`header_cap` lifts the limit)")]
    HeaderTooLarge {
        /// The header's length.
        len: u64,
        /// The limit.
        cap: u64,
    },

    /// A header to be written is longer than the format allows.
    #[error("a header of {len} bytes does not fit version {major}.0 of the format")]
    HeaderTooLong {
        /// The header's length.
        len: usize,
        /// The version asked for.
        major: u8,
    },

    /// The header of a file has no room for a longer array.
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

    /// The header is not a Python literal as NumPy writes them.
    #[error("the header cannot be parsed: expected {expected} at byte {at}")]
    Syntax {
        /// Where.
        at: usize,
        /// What was expected there.
        expected: &'static str,
    },

    /// The header is a Python literal other than a dictionary.
    #[error("the header is not a dictionary")]
    NotADictionary,

    /// The header lacks a key, or has one too many.
    #[error("the header needs the keys `descr`, `fortran_order` and `shape` alone")]
    Keys,

    /// `fortran_order` is neither `True` nor `False`.
    #[error("`fortran_order` at byte {at} is neither `True` nor `False`")]
    FortranOrder {
        /// Where its value begins.
        at: usize,
    },

    /// `shape` is not a tuple of whole numbers.
    #[error("`shape` at byte {at} is not a tuple of whole numbers")]
    Shape {
        /// Where the fault is.
        at: usize,
    },

    /// An axis has a negative length.
    #[error("`shape` at byte {at} has a negative length")]
    NegativeLength {
        /// Where the length is.
        at: usize,
    },

    /// `descr` does not describe a type.
    #[error("`descr` at byte {at} is not an element type: {why}")]
    Descr {
        /// Where the fault is.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },

    /// The elements are Python objects.
    #[error("the elements are Python objects, which only Python can load (by `pickle`)")]
    ObjectType,

    /// The file has elements of another type.
    #[error("the file has elements `{found}`, asked for `{asked}`")]
    ElementType {
        /// What `descr` says.
        found: String,
        /// What the Rust type would be.
        asked: String,
    },

    /// A field of the file's records differs from that of the struct.
    #[error("field {index} of the file is {found}, asked for {asked}")]
    Field {
        /// The position of the field, from 0.
        index: usize,
        /// Name, type and place in the file.
        found: String,
        /// Name, type and place in the struct.
        asked: String,
    },

    /// The file has another number of axes.
    #[error("the array in the file has {found} axes, asked for {asked}")]
    Axes {
        /// The number in the file.
        found: usize,
        /// The number asked for.
        asked: usize,
    },

    /// NumPy has no such array.
    #[error("NumPy could not read this back: {why}")]
    Unwritable {
        /// What NumPy does not have.
        why: &'static str,
    },
}
