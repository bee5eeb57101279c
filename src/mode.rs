//! The modes of a mapping and their permissions, and the kinds of advice; knows nothing of files.

use std::{fmt, str::FromStr};

use crate::error::{Error, ErrorKind};

/// Determines how a file is opened, and whether changes of the array reach the file.
///
/// There is no default, because the mode determines whether the file can be changed.
///
/// | mode | NumPy | the file | changes of the array |
/// |---|---|---|---|
/// | `ReadOnly` | `r` | must exist | impossible |
/// | `CopyOnWrite` | `c` | must exist, read permission is enough | private, written only by [`commit`](crate::MmapArray::commit) |
/// | `ReadWrite` | `r+` | must exist | written to the file |
/// | `Create` | `w+` | is created or replaced by zeros | written to the file |
/// | `CreateNew` | – (`x+` in this crate) | is created, must not exist | written to the file |
/// | `Append` | – (`a+` in this crate) | is opened, or created with an empty array | written to the file |
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
    /// The array is not a snapshot: pages without private changes may show later changes of the
    /// file.
    CopyOnWrite,
    /// Maps an existing file for reading and writing.
    ReadWrite,
    /// Maps a new file of zeros for reading and writing; replaces an existing file.
    Create,
    /// Maps a new file of zeros for reading and writing (`x+`); fails if the file exists.
    CreateNew,
    /// Maps an existing file for reading and writing, or a new file with an empty array (`a+`).
    ///
    /// This mode is for files that grow. [`npy::Options::create`](crate::npy::Options::create)
    /// opens or creates a `.npy` file.
    Append,
}

impl Mode {
    /// Returns whether the array can be changed.
    pub(crate) fn is_mutable(self) -> bool {
        self != Self::ReadOnly
    }

    /// Returns whether changes of the array reach the file.
    pub(crate) fn writes_file(self) -> bool {
        !matches!(self, Self::ReadOnly | Self::CopyOnWrite)
    }

    /// Returns whether the array starts as zeros, whatever the file contained.
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
            Self::Append => "a+",
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
            "a+" => Self::Append,
            _ => return Err(ErrorKind::UnknownMode { name: name.to_owned() }.into()),
        })
    }
}

/// Advice about future accesses, which is passed to the kernel (`madvise`).
///
/// Advice changes only the speed. Opening a file ignores advice that the system does not
/// support.
///
/// | accesses | advice | measured |
/// |---|---|---|
/// | mixed | none | the disk's speed, if its readahead is set well |
/// | read all once | none, and [`sweep`](crate::MmapArray::sweep) | 0.76 of the time, in bounded memory |
/// | read all, more than once | `HugePage` | 0.74 of the time, and faster the next time |
/// | read rows in random order | none, and [`gather`](crate::MmapArray::gather) | 1/40 of the time |
/// | read single elements in random order, rarely | `Random` | reads 4 KiB, other advice up to megabytes |
/// | – | `WillNeed` | 1.2 times as long, and slower the next time |
///
/// The last column compares with no advice. The benchmark sums 64 MiB that are not cached, with
/// Linux 6.18 on ext4. Run `cargo bench --features rayon --bench larger_than_memory` to measure
/// another machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Gives no advice: the kernel reads ahead as configured for the disk.
    #[default]
    Normal,
    /// Announces accesses in order; not faster than `Normal` in the measurements.
    Sequential,
    /// Announces accesses in random order: the kernel does not read ahead.
    ///
    /// A scan of pages that are not cached then takes 20 times as long. Later scans are slower
    /// too, because the page cache holds the pages one by one.
    Random,
    /// Announces accesses to all pages soon: the kernel begins to read the pages.
    ///
    /// The kernel reads the pages one by one, which takes longer than reading them on access.
    WillNeed,
    /// Reads the file in whole pieces of 2 MiB (Linux 5.18 and later).
    HugePage,
}
