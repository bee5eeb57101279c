//! The reasons of errors of `.npy` files, as facts and numbers.

use std::borrow::Cow;

use ndarray::Order;
use thiserror::Error;

use super::{Axes, Short};

/// The reason why a file is not a `.npy` file, or does not contain the requested array.
///
/// Positions are bytes from the start of the header's dictionary.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NpyErrorKind {
    /// The file does not begin with the magic string of `.npy` files.
    #[error("the file is not a `.npy` file: it does not begin with `\\x93NUMPY`")]
    BadMagic,

    /// The file is a zip archive, as `.npz` files are.
    #[error("the file is a zip archive (`.npz`), not a `.npy` file")]
    Npz,

    /// The file is compressed, as `.npy.gz` files are.
    #[error("the file is compressed ({format}), and cannot be mapped")]
    Compressed {
        /// The format: `gzip`, `bzip2`, `xz` or `zstd`.
        format: &'static str,
    },

    /// The version of the format is not 1.0, 2.0 or 3.0.
    #[error("version {major}.{minor} of the `.npy` format is unknown")]
    BadVersion {
        /// The major version.
        major: u8,
        /// The minor version.
        minor: u8,
    },

    /// The file ends within its header.
    #[error("the file ends in its {part}: expected {expected} bytes, found {found}")]
    Truncated {
        /// The part in which the file ends: `magic string`, `header length` or `header`.
        part: &'static str,
        /// The end of this part in the file.
        expected: u64,
        /// The length of the file.
        found: u64,
    },

    /// The header is longer than the limit.
    #[error("the header has {len} bytes, more than the limit of {limit} bytes")]
    HeaderTooLarge {
        /// The header's length.
        len: u64,
        /// The limit.
        limit: u64,
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
    #[error("the header has no space for a length of {count}")]
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
    #[error("the header must have the keys `descr`, `fortran_order` and `shape` alone")]
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
    #[error("the elements are Python objects, which only Python can load")]
    ObjectType,

    /// The file has elements of another type.
    #[error(
        "expected elements of type `{}`, found `{}`",
        excerpt(.expected, .found), excerpt(.found, .expected)
    )]
    ElementType {
        /// The type in `descr`.
        found: String,
        /// The NumPy type of the Rust type.
        expected: String,
    },

    /// A field of the file's records differs from the field of the struct.
    #[error("field {index}: expected {}, found {}", Short(.expected), Short(.found))]
    Field {
        /// The position of the field, from 0.
        index: usize,
        /// Name, type and offset in the file's record.
        found: String,
        /// Name, type and offset in the struct.
        expected: String,
    },

    /// The file has another number of axes.
    #[error("expected an array of {}, found {}", Axes(.expected), Axes(.found))]
    Axes {
        /// The number of axes in the file.
        found: usize,
        /// The requested number of axes.
        expected: usize,
    },

    /// The array in the file has the other memory order, so that another axis grows.
    #[error("expected an array in {} order, found {} order", name(.expected), name(.found))]
    MemoryOrder {
        /// The requested memory order.
        expected: Order,
        /// The memory order in the file.
        found: Order,
    },

    /// NumPy does not support the array.
    #[error("NumPy cannot read such an array: {why}")]
    Unwritable {
        /// The property that NumPy does not support.
        why: &'static str,
    },
}

impl NpyErrorKind {
    /// Returns how a caller usually avoids the error.
    pub(super) fn way_out(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::BadMagic => "map raw elements by `MapOptions`",
            Self::Npz => "extract the `.npy` files that it contains, by `unzip`",
            Self::Compressed { .. } => "decompress it first",
            Self::BadVersion { .. } => "versions 1.0, 2.0 and 3.0 are supported",
            Self::Truncated { found: 0, .. } => "the file is empty",
            Self::Truncated { .. } => "the file is incomplete: copy it again",
            Self::HeaderTooLarge { .. } => {
                "raise the limit: `npy::Options::max_header_size`, or `Header::read_with_limit`"
            }
            Self::HeaderTooLong { .. } => "use version 2.0 or 3.0",
            // Only a header to write can be text that Latin-1 does not have.
            Self::Encoding { encoding: "latin-1" } => "use version 3.0",
            Self::NoRoom { .. } => "call `npy::make_growable` first",
            Self::ObjectType => "convert them in Python: `a.astype(float)`",
            Self::ElementType { found, .. } => return Some(element_way_out(found)),
            Self::Field { .. } => "change the struct and its `npy::record!`",
            Self::Axes { found, .. } => {
                let dim = if *found <= 6 {
                    format!("use the dimension `Ix{found}` or `IxDyn`")
                } else {
                    "use the dimension `IxDyn`".to_owned()
                };
                return Some(dim.into());
            }
            Self::Encoding { .. }
            | Self::Syntax { .. }
            | Self::NotADictionary
            | Self::Keys
            | Self::FortranOrder { .. }
            | Self::Shape { .. }
            | Self::NegativeLength { .. }
            | Self::Descr { .. } => "save the array again by NumPy",
            Self::MemoryOrder { .. } => "pass the shape in the order of the file",
            Self::Unwritable { .. } => return None,
        }))
    }
}

fn name(order: &Order) -> &'static str {
    if *order == Order::F { "Fortran" } else { "C" }
}

/// Returns a text, or if it is long, its part from shortly before the difference to another text.
fn excerpt(text: &str, other: &str) -> String {
    const BEFORE: usize = 20;

    let same = text.bytes().zip(other.bytes()).take_while(|(this, that)| this == that);
    let from = same.count().saturating_sub(BEFORE);
    let from = (0..=from).rev().find(|from| text.is_char_boundary(*from)).unwrap_or(0);
    let short = Short(text.get(from..).unwrap_or_default());
    if from == 0 || text == other || text.len() <= Short::MOST {
        return Short(text).to_string();
    }
    format!("…{short}")
}

/// Returns which Rust type fits a NumPy type, such as `>f8`.
fn element_way_out(found: &str) -> Cow<'static, str> {
    let name = match found.get(1..) {
        Some("b1") => return "use the element type `bool`".into(),
        Some("f2") => "half::f16",
        Some("f4") => "f32",
        Some("f8") => "f64",
        Some("i1") => "i8",
        Some("i2") => "i16",
        Some("i4") => "i32",
        Some("i8") => "i64",
        Some("u1") => "u8",
        Some("u2") => "u16",
        Some("u4") => "u32",
        Some("u8") => "u64",
        Some("c8") => "Complex<f32>",
        Some("c16") => "Complex<f64>",
        _ if found.starts_with('[') => {
            return "describe a struct by `npy::record!`".into();
        }
        _ => return "convert the elements in NumPy by `astype`".into(),
    };
    let native = if cfg!(target_endian = "little") { '<' } else { '>' };
    let order = match found.chars().next() {
        Some(order) if order == native || order == '|' => "",
        Some('>') => "Be",
        _ => "Le",
    };
    let name = match (order, name.strip_prefix("Complex<")) {
        ("", _) => name.to_owned(),
        (_, Some(part)) => format!("Complex<{order}<{part}>"),
        (_, None) => format!("{order}<{name}>"),
    };
    format!("use the element type `{name}`").into()
}
