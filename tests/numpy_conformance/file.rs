//! The state of a file: creates it for a case, and compares it with the file system.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;

use crate::json::{Fields, Hex, Result};

/// The possible states of a path.
#[derive(Clone, PartialEq)]
pub(crate) enum State {
    Absent,
    Directory,
    Bytes(Vec<u8>),
    /// A file with holes, too large to be read.
    Sparse {
        size: u64,
        patches: Vec<Patch>,
    },
}

/// Bytes at an offset of a file.
#[derive(Clone, PartialEq)]
pub(crate) struct Patch {
    pub(crate) at: u64,
    pub(crate) bytes: Vec<u8>,
}

/// Enough for the folios around the few bytes that are written to a sparse file.
#[cfg(target_os = "linux")]
const MOST_OF_A_SPARSE_FILE: u64 = 4 << 20;

impl State {
    /// Reads the state of a file after the case, given the state before.
    pub(crate) fn read_after(fields: &mut Fields, before: &Self) -> Result<Self> {
        let unchanged: Option<bool> = fields.get("unchanged")?;
        let says_no_more = !fields.has_any(&["hex", "parts", "patches", "directory"]);
        let exists = *before != Self::Absent;
        if unchanged == Some(true) && says_no_more && exists {
            fields.pass_over(&["exists", "size", "sha256"]);
            return Ok(before.clone());
        }
        let after = Self::read(fields)?;
        if unchanged.is_some_and(|unchanged| unchanged != (after == *before)) {
            return Err("`unchanged` contradicts the states of the file".into());
        }
        Ok(after)
    }

    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let size: Option<u64> = fields.get("size")?;
        let sparse: bool = fields.get("sparse")?.unwrap_or_default();
        let hex: Option<Hex> = fields.get("hex")?;
        let parts: Option<Vec<Value>> = fields.get("parts")?;
        let patches: Option<Vec<Value>> = fields.get("patches")?;
        // Redundant with `hex` and `parts`, which are compared in full.
        fields.pass_over(&["sha256"]);
        if !fields.need::<bool>("exists")? {
            return Ok(Self::Absent);
        }
        if fields.get("directory")?.unwrap_or_default() {
            return Ok(Self::Directory);
        }
        let bytes = match (hex, parts) {
            (Some(Hex(bytes)), None) => bytes,
            (None, Some(parts)) => join(&parts)?,
            (None, None) if sparse || patches.is_some() => {
                let patches = patches.unwrap_or_default();
                let patches = patches.iter().map(Patch::read).collect::<Result<_>>()?;
                let size = size.ok_or("a sparse file without `size`")?;
                return Ok(Self::Sparse { size, patches });
            }
            _ => return Err("a file has one of `hex`, `parts` and `patches`".into()),
        };
        if size.is_some_and(|size| usize::try_from(size) != Ok(bytes.len())) {
            return Err(format!(
                "`size` is {size:?}, but there are {} bytes",
                bytes.len()
            ));
        }
        Ok(Self::Bytes(bytes))
    }

    pub(crate) fn make(&self, path: &Path) -> std::io::Result<()> {
        match self {
            Self::Absent => Ok(()),
            Self::Directory => fs::create_dir(path),
            Self::Bytes(bytes) => fs::write(path, bytes),
            Self::Sparse { size, patches } => {
                let mut file = File::create(path)?;
                file.set_len(*size)?;
                for patch in patches {
                    file.seek(SeekFrom::Start(patch.at))?;
                    file.write_all(&patch.bytes)?;
                }
                Ok(())
            }
        }
    }

    /// Compares the whole state of a path, except the holes of sparse files.
    pub(crate) fn compare(&self, path: &Path) -> Result<()> {
        let found = match fs::symlink_metadata(path) {
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            found => Some(found.map_err(|e| format!("cannot inspect the file: {e}"))?),
        };
        match (self, found) {
            (Self::Absent, None) => Ok(()),
            (Self::Absent, Some(_)) => Err("there is a file, and should be none".into()),
            (_, None) => Err("the file is gone".into()),
            (Self::Directory, Some(found)) => {
                let entries = fs::read_dir(path).map(Iterator::count);
                let same = found.is_dir() && entries.is_ok_and(|count| count == 0);
                same.then_some(()).ok_or("the directory is not as it was".into())
            }
            (_, Some(found)) if !found.is_file() => Err("not a regular file".into()),
            (Self::Bytes(bytes), Some(found)) => {
                compare_size(bytes.len().try_into().ok(), found.len())?;
                let found = fs::read(path).map_err(|e| format!("cannot read it: {e}"))?;
                compare_bytes("the file", bytes, &found)
            }
            (Self::Sparse { size, patches }, Some(found)) => {
                compare_size(Some(*size), found.len())?;
                compare_blocks(&found)?;
                patches.iter().try_for_each(|patch| patch.compare(path))
            }
        }
    }
}

impl Patch {
    fn read(value: &Value) -> Result<Self> {
        let mut fields = Fields::of("patches", value)?;
        let patch = Self { at: fields.need("at")?, bytes: fields.need::<Hex>("hex")?.0 };
        fields.done()?;
        Ok(patch)
    }

    fn compare(&self, path: &Path) -> Result<()> {
        let read = || {
            let mut found = vec![0; self.bytes.len()];
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(self.at))?;
            file.read_exact(&mut found).map(|()| found)
        };
        let found = read().map_err(|e| format!("cannot read byte {}: {e}", self.at))?;
        compare_bytes(&format!("the file from byte {} on", self.at), &self.bytes, &found)
    }
}

/// Joins the parts of a byte string, each repeated by its count.
pub(crate) fn join(parts: &[Value]) -> Result<Vec<u8>> {
    let parts = parts.iter().map(|part| {
        let mut fields = Fields::of("parts", part)?;
        let Hex(bytes) = fields.need("hex")?;
        let repeat = fields.need("repeat")?;
        fields.done()?;
        Ok(bytes.repeat(repeat))
    });
    Ok(parts.collect::<Result<Vec<_>>>()?.concat())
}

/// Returns an error that names the first byte at which two byte strings differ.
pub(crate) fn compare_bytes(what: &str, expected: &[u8], found: &[u8]) -> Result<()> {
    if expected == found {
        return Ok(());
    }
    if expected.len() != found.len() {
        let (expected, found) = (expected.len(), found.len());
        return Err(format!("{what} has {found} bytes instead of {expected}"));
    }
    let mut both = expected.iter().zip(found).enumerate();
    match both.find(|(_, (expected, found))| expected != found) {
        Some((at, (expected, found))) => {
            Err(format!("byte {at} of {what} is {found:02x} instead of {expected:02x}"))
        }
        None => Ok(()),
    }
}

pub(crate) fn compare_size(expected: Option<u64>, found: u64) -> Result<()> {
    if expected == Some(found) {
        return Ok(());
    }
    Err(format!("the file has {found} bytes instead of {}", expected.unwrap_or_default()))
}

#[cfg(target_os = "linux")]
fn compare_blocks(found: &fs::Metadata) -> Result<()> {
    use std::os::linux::fs::MetadataExt;

    let allocated = found.st_blocks().saturating_mul(512);
    if allocated <= MOST_OF_A_SPARSE_FILE {
        return Ok(());
    }
    Err(format!("{allocated} bytes are allocated for a sparse file"))
}

#[cfg(not(target_os = "linux"))]
fn compare_blocks(_: &fs::Metadata) -> Result<()> {
    Ok(())
}
