//! The versions of the `.npy` format; knows no header.

/// A version of the `.npy` format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.0: a header of at most 65,535 bytes in latin-1.
    V1,
    /// 2.0: a longer header.
    V2,
    /// 3.0: a header in UTF-8.
    V3,
}

impl Version {
    pub(crate) const ALL: [Self; 3] = [Self::V1, Self::V2, Self::V3];

    pub(crate) fn major(self) -> u8 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }

    /// Returns the number of bytes before the dictionary: magic string, version, length.
    pub(crate) fn prefix(self) -> usize {
        if self == Self::V1 { 10 } else { 12 }
    }
}
