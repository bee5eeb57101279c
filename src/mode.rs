//! The modes of a mapping and what each allows; knows nothing of files.

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

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

/// What the kernel is told of the accesses to come (`madvise`).
///
/// Advice changes speed only. A system that does not know one ignores it.
///
/// | to do | advise | seen |
/// |---|---|---|
/// | all kinds of things | nothing | the disk's speed, where its readahead is set well |
/// | read all once | nothing, and [`sweep`](crate::MmapArray::sweep) | 0.76 of the time, in bounded memory |
/// | read all, more than once | `HugePage` | 0.74 of the time, and faster the next time |
/// | read rows in no order | nothing, and [`gather`](crate::MmapArray::gather) | 1/40 of the time |
/// | read single elements in no order, seldom | `Random` | reads 4 KiB where others read up to megabytes |
/// | – | `WillNeed` | 1.2 times as long, and slower the next time |
///
/// Seen is a sum of 64 MiB that are not in memory beside no advice, with Linux 6.18 on ext4;
/// `cargo bench --features rayon --bench larger_than_memory` tells of other machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// No advice: the kernel reads ahead as much as the disk is set to.
    #[default]
    Normal,
    /// Pages are wanted in order; no faster than `Normal` in what was seen.
    Sequential,
    /// Pages are wanted in no order: do not read ahead.
    ///
    /// A scan of pages that are not in memory takes 20 times as long then, and later ones
    /// are slower too, since the page cache holds them one by one.
    Random,
    /// All pages are wanted soon: begin to read them.
    ///
    /// They come one by one, which takes longer than to read them when they are touched.
    WillNeed,
    /// All is read by whole pieces of 2 MiB (Linux, from 5.18 on).
    HugePage,
}
