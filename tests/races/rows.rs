//! Rows that contain their writer, and files of such rows, created and read without this crate.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ndarray_memmap::npy::Options;
use ndarray_memmap::{MapOptions, MmapArray2, Mode, Result};

/// The numbers in a row; no row of 32 bytes lies in two pages.
pub(crate) const WIDTH: usize = 4;
const ROW: usize = WIDTH * 8;

pub(crate) type Row = [u64; WIDTH];

/// The writer of a row, and its number.
pub(crate) type Name = (u64, u64);

pub(crate) fn row((writer, number): Name) -> Row {
    let salt = writer.rotate_left(32) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    [writer, number, salt, !(writer ^ number ^ salt)]
}

/// Returns the name of a row, or `None` if its parts belong to different rows.
pub(crate) fn name(found: Row) -> Option<Name> {
    let name = (found[0], found[1]);
    (row(name) == found).then_some(name)
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Raw,
    Npy,
    /// A `.npy` file that needs `make_growable`.
    Tight,
}

impl Form {
    pub(crate) fn file_name(self) -> &'static str {
        if self == Self::Raw { "log.u64" } else { "log.npy" }
    }

    /// Returns the bytes of a file.
    pub(crate) fn bytes(self, rows: &[Row]) -> Vec<u8> {
        let mut bytes = self.header(rows.len());
        bytes.extend(rows.iter().flatten().flat_map(|number| number.to_le_bytes()));
        bytes
    }

    fn header(self, count: usize) -> Vec<u8> {
        let whole = match self {
            Self::Raw => return Vec::new(),
            Self::Npy => 128,
            Self::Tight => 80,
        };
        let dict = format!(
            "{{'descr': '<u8', 'fortran_order': False, 'shape': ({count}, 4), }}"
        );
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(whole - 10).unwrap().to_le_bytes());
        bytes.extend(format!("{dict:<0$}\n", whole - 11).bytes());
        bytes
    }

    /// Returns the offset of the rows and the row count of a file.
    pub(crate) fn extent(self, bytes: &[u8]) -> Result<(usize, usize), String> {
        if self == Self::Raw {
            return match bytes.len() % ROW {
                0 => Ok((0, bytes.len() / ROW)),
                rest => Err(format!("{rest} bytes after the last row")),
            };
        }
        let (start, count) = counted(bytes).ok_or("not a header")?;
        let (needed, found) = (start + count * ROW, bytes.len());
        match needed <= found {
            true => Ok((start, count)),
            false => Err(format!("{needed} bytes are needed, {found} found")),
        }
    }

    /// Reads a file without the bytes after its rows.
    pub(crate) fn read(self, path: &Path) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        if self == Self::Raw {
            let _ = file.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        let _ = (&file).take(1024).read_to_end(&mut bytes)?;
        let (start, count) = counted(&bytes).unwrap_or_default();
        let rest = (start + count * ROW).saturating_sub(bytes.len());
        let _ = file.take(rest as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the rows of the bytes of a file.
    pub(crate) fn rows(self, bytes: &[u8]) -> Result<Vec<Row>, String> {
        let (start, count) = self.extent(bytes)?;
        let numbers: Vec<u64> = bytes[start..start + count * ROW]
            .chunks_exact(8)
            .map(|bytes| u64::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        Ok(numbers.chunks_exact(WIDTH).map(|row| row.try_into().unwrap()).collect())
    }

    pub(crate) fn open(
        self,
        path: &Path,
        mode: Mode,
        lock: bool,
    ) -> Result<MmapArray2<u64>> {
        let raw = MapOptions::new(mode).rows_of(WIDTH).lock(lock);
        match self {
            // SAFETY: no test reads by a reference while another process writes. Some tests change
            // the length of a mapped file in order to test the result.
            Self::Raw => unsafe { raw.open(path) },
            // SAFETY: as above.
            _ => unsafe { Options::new(mode).lock(lock).open(path) },
        }
    }

    pub(crate) fn load(self, path: &Path, lock: bool) -> Result<MmapArray2<u64>> {
        match self {
            Self::Raw => {
                MapOptions::new(Mode::ReadOnly).rows_of(WIDTH).lock(lock).load(path)
            }
            _ => Options::new(Mode::ReadOnly).lock(lock).load(path),
        }
    }
}

/// Returns the offset of the rows of a `.npy` file and the row count of its header.
fn counted(bytes: &[u8]) -> Option<(usize, usize)> {
    let len = bytes.get(8..10)?;
    let end = 10 + usize::from(u16::from_le_bytes(len.try_into().ok()?));
    let text = std::str::from_utf8(bytes.get(10..end)?).ok()?;
    let (_, shape) = text.split_once("'shape': (")?;
    let count = shape.split(',').next()?.trim().parse().ok()?;
    bytes.starts_with(b"\x93NUMPY\x01\x00").then_some((end, count))
}
