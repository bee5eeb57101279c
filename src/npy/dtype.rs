//! NumPy's element types: `descr` text, sizes and alignments; knows no Rust types.

use std::fmt;

use super::parser::repr;

/// The element type of an array, as NumPy describes the type.
///
/// `Display` prints NumPy's own `descr` text.
///
/// # Examples
///
/// ```
/// use ndarray_memmap::npy::DType;
///
/// let dtype: DType = "[('id', '<u4'), ('x', '<f8', (3,))]".parse()?;
/// assert_eq!(dtype.size(), 28);
/// assert_eq!(dtype.to_string(), "[('id', '<u4'), ('x', '<f8', (3,))]");
/// assert_eq!("<M8[25s]".parse::<DType>()?.to_string(), "<M8[25s]");
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// A single number, string, time or block of bytes.
    Scalar(Scalar),
    /// A small array within each element; allowed only within records.
    Array {
        /// The type of the small array's elements.
        item: Box<DType>,
        /// The length of each axis.
        shape: Vec<usize>,
    },
    /// A record of named fields.
    Record(Vec<Field>),
}

/// An element type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Scalar {
    /// The kind of value.
    pub kind: Kind,
    /// The byte order; [`ByteOrder::None`] if the byte order makes no difference.
    pub order: ByteOrder,
    /// The size in bytes.
    pub size: usize,
    /// The unit of `Datetime` and `Timedelta`.
    pub unit: Option<Unit>,
}

/// The kind of a scalar, with NumPy's letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `b`
    Bool,
    /// `i`
    Int,
    /// `u`
    Uint,
    /// `f`
    Float,
    /// `c`
    Complex,
    /// `M`
    Datetime,
    /// `m`
    Timedelta,
    /// `S`
    Bytes,
    /// `U`: four bytes for each character.
    Unicode,
    /// `V`
    Void,
}

/// The byte order of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// `<`: the least significant byte first.
    Little,
    /// `>`: the most significant byte first.
    Big,
    /// `|`: the scalar has only one byte, or is not a number.
    None,
}

/// The unit of a time: a multiple of a named unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Unit {
    /// The multiple of the named unit.
    pub count: u32,
    /// NumPy's name of the unit, such as `ns`.
    pub name: &'static str,
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// The name; empty for padding.
    pub name: String,
    /// A second name (NumPy's title).
    pub title: Option<String>,
    /// The type of the field.
    pub dtype: DType,
}

pub(super) const KINDS: [(char, Kind); 10] = [
    ('b', Kind::Bool),
    ('i', Kind::Int),
    ('u', Kind::Uint),
    ('f', Kind::Float),
    ('c', Kind::Complex),
    ('M', Kind::Datetime),
    ('m', Kind::Timedelta),
    ('S', Kind::Bytes),
    ('U', Kind::Unicode),
    ('V', Kind::Void),
];

pub(super) const UNITS: [&str; 13] =
    ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];

impl ByteOrder {
    /// The byte order of this machine.
    pub const NATIVE: Self =
        if cfg!(target_endian = "big") { Self::Big } else { Self::Little };
}

impl DType {
    /// Creates the type of a scalar, with [`ByteOrder::None`] if the byte order makes no difference.
    pub fn scalar(kind: Kind, order: ByteOrder, size: usize) -> Self {
        let one_byte = size <= 1 || matches!(kind, Kind::Bytes | Kind::Void);
        let order =
            if one_byte && kind != Kind::Unicode { ByteOrder::None } else { order };
        Self::Scalar(Scalar { kind, order, size, unit: None })
    }

    /// Returns the size of an element in bytes.
    pub fn size(&self) -> usize {
        // `parse` and `checked_size` have checked that the size does not overflow.
        self.checked_size().unwrap_or(usize::MAX)
    }

    /// Returns the alignment that NumPy gives to this type in a struct.
    pub fn align(&self) -> usize {
        match self {
            Self::Scalar(scalar) => match scalar.kind {
                Kind::Bytes | Kind::Void => 1,
                Kind::Unicode => 4,
                Kind::Complex => scalar.size.div_ceil(2),
                _ => scalar.size,
            },
            Self::Array { item, .. } => item.align(),
            Self::Record(_) => 1,
        }
    }

    pub(crate) fn checked_size(&self) -> Option<usize> {
        match self {
            Self::Scalar(scalar) => Some(scalar.size),
            Self::Array { item, shape } => shape
                .iter()
                .try_fold(item.checked_size()?, |size, &len| size.checked_mul(len)),
            Self::Record(fields) => fields.iter().try_fold(0_usize, |size, field| {
                size.checked_add(field.dtype.checked_size()?)
            }),
        }
        .filter(|size| i32::try_from(*size).is_ok())
    }

    /// Returns the type as a Python literal, as headers and lists of fields contain it.
    pub(crate) fn literal(&self) -> String {
        match self {
            Self::Scalar(scalar) => format!("'{scalar}'"),
            dtype => dtype.to_string(),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(scalar) => scalar.fmt(f),
            Self::Array { item, shape } => {
                write!(f, "({}, {})", item.literal(), tuple(shape))
            }
            Self::Record(fields) => {
                f.write_str("[")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{field}")?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = repr(&self.name);
        match &self.title {
            Some(title) => write!(f, "(({}, {name}), ", repr(title))?,
            None => write!(f, "({name}, ")?,
        }
        match &self.dtype {
            DType::Array { item, shape } => {
                write!(f, "{}, {})", item.literal(), tuple(shape))
            }
            dtype => write!(f, "{})", dtype.literal()),
        }
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            ByteOrder::Little => '<',
            ByteOrder::Big => '>',
            ByteOrder::None => '|',
        };
        let letter = KINDS.iter().find(|(_, kind)| *kind == self.kind);
        let letter = letter.map_or('V', |(letter, _)| *letter);
        let size = if self.kind == Kind::Unicode { self.size / 4 } else { self.size };
        write!(f, "{order}{letter}{size}")?;
        match self.unit {
            Some(Unit { count: 1, name }) => write!(f, "[{name}]"),
            Some(Unit { count, name }) => write!(f, "[{count}{name}]"),
            None => Ok(()),
        }
    }
}

/// Returns a shape as a Python tuple.
pub(crate) fn tuple(shape: &[usize]) -> String {
    match shape {
        [length] => format!("({length},)"),
        _ => {
            let lengths: Vec<String> = shape.iter().map(usize::to_string).collect();
            format!("({})", lengths.join(", "))
        }
    }
}
