//! The modes of a mapping and what each allows; knows nothing of files.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// How a file is opened and what becomes of changes to the array.
///
/// There is no default, since the choice decides whether a file can be changed.
///
/// | mode | NumPy | the file | changes |
/// |---|---|---|---|
/// | `ReadOnly` | `r` | must exist | impossible |
/// | `CopyOnWrite` | `c` | must exist, read permission is enough | private, written only by [`commit`](crate::MmapArray::commit) |
/// | `ReadWrite` | `r+` | must exist | written to the file |
/// | `Create` | `w+` | is created or replaced by zeros | written to the file |
/// | `CreateNew` | – | is created, must not exist | written to the file |
///
/// # Examples
///
/// ```
/// use ndarray_memmap::Mode;
///
/// assert_eq!("r+".parse::<Mode>()?, Mode::ReadWrite);
/// assert_eq!("copyonwrite".parse::<Mode>()?, Mode::CopyOnWrite);
/// assert_eq!(Mode::Create.to_string(), "w+");
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Maps an existing file for reading.
    ReadOnly,
    /// Maps an existing file for reading and private changes (`MAP_PRIVATE`).
    ///
    /// Not a snapshot: pages that were not changed here may show later changes of the file.
    CopyOnWrite,
    /// Maps an existing file for reading and writing.
    ReadWrite,
    /// Maps a new file of zeros for reading and writing; replaces what was there.
    Create,
    /// Maps a new file of zeros for reading and writing; fails if the file exists.
    CreateNew,
}

impl Mode {
    /// Tells whether the array can be changed.
    pub(crate) fn is_mutable(self) -> bool {
        self != Self::ReadOnly
    }

    /// Tells whether changes of the array reach the file.
    pub(crate) fn writes_file(self) -> bool {
        matches!(self, Self::ReadWrite | Self::Create | Self::CreateNew)
    }

    /// Tells whether the array starts as zeros, whatever the file held.
    pub(crate) fn creates(self) -> bool {
        matches!(self, Self::Create | Self::CreateNew)
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ReadOnly => "r",
            Self::CopyOnWrite => "c",
            Self::ReadWrite => "r+",
            Self::Create => "w+",
            Self::CreateNew => "x+",
        })
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Ok(match name {
            "r" | "readonly" => Self::ReadOnly,
            "c" | "copyonwrite" => Self::CopyOnWrite,
            "r+" | "readwrite" => Self::ReadWrite,
            "w+" | "write" => Self::Create,
            "x+" => Self::CreateNew,
            _ => return Err(Error::UnknownMode { name: name.to_owned() }),
        })
    }
}
