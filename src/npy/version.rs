//! The versions of the `.npy` format, and the bytes before the dictionary of a header.

use super::header::MAGIC;
use crate::error::{NpyErrorKind, Result};

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

/// The first bytes of compressed files, and the names of the formats.
const COMPRESSED: [(&[u8], &str); 4] = [
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
];

/// Reads the magic string and the version.
pub(super) fn version(bytes: &[u8]) -> Result<Version> {
    let Some(&[major, minor]) = bytes.get(6..8) else {
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let part = "magic string";
        return Err(NpyErrorKind::Truncated { part, expected: 8, found }.into());
    };
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Err(NpyErrorKind::Npz.into());
    }
    if let Some((_, format)) =
        COMPRESSED.iter().find(|(magic, _)| bytes.starts_with(magic))
    {
        return Err(NpyErrorKind::Compressed { format }.into());
    }
    if !bytes.starts_with(MAGIC) {
        return Err(NpyErrorKind::BadMagic.into());
    }
    let version = Version::ALL.into_iter().find(|v| v.major() == major && minor == 0);
    Ok(version.ok_or(NpyErrorKind::BadVersion { major, minor })?)
}

/// Reads the magic string, the version and the length of the dictionary.
pub(super) fn prefix(bytes: &[u8]) -> Result<(Version, u64)> {
    let version = version(bytes)?;
    let length = bytes.get(8..version.prefix());
    let len = match length {
        Some(&[a, b]) => u16::from_le_bytes([a, b]).into(),
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]).into(),
        _ => {
            let expected = u64::try_from(version.prefix()).unwrap_or(u64::MAX);
            let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let part = "header length";
            return Err(NpyErrorKind::Truncated { part, expected, found }.into());
        }
    };
    Ok((version, len))
}

/// Returns the end of the header, if `found` bytes contain the header and it has at most `cap`.
pub(super) fn data_offset(
    version: Version,
    len: u64,
    found: u64,
    cap: u64,
) -> Result<u64> {
    let start = u64::try_from(version.prefix()).unwrap_or(u64::MAX);
    let expected = start.saturating_add(len);
    if found < expected {
        let part = "header";
        return Err(NpyErrorKind::Truncated { part, expected, found }.into());
    }
    if len > cap {
        return Err(NpyErrorKind::HeaderTooLarge { len, limit: cap }.into());
    }
    Ok(expected)
}
