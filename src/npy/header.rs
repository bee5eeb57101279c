//! The header of a `.npy` file: reads, parses and writes it; maps nothing.

use std::io::{self, Read, Write};
use std::{borrow::Cow, fs::File, path::Path};

use ndarray::Order;

use super::descr::read_shape;
use super::dtype::DType;
use super::entries::Entries;
use super::parser::{Cursor, Literal};
use super::version::{Version, data_offset, prefix, version};
use crate::error::{AtPath, Error, ErrorKind, NpyErrorKind, Result};
use crate::layout::outermost;
use crate::mode::Mode;
use crate::{file, sys};

pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// The largest header that is read by default; NumPy's limit.
pub(crate) const DEFAULT_CAP: u64 = 10_000;

/// The header of a `.npy` file, which describes its array.
///
/// # Examples
///
/// ```
/// use ndarray_memmap::npy::Header;
///
/// let bytes = b"\x93NUMPY\x01\x00\x3c\x00\
///     {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
/// let header = Header::parse(bytes)?;
/// assert_eq!((header.shape(), header.data_offset()), (&[2, 3][..], 70));
/// assert_eq!(header.dtype().to_string(), "<f4");
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub(crate) version: Version,
    pub(crate) dtype: DType,
    pub(crate) fortran_order: bool,
    pub(crate) shape: Vec<usize>,
    pub(crate) data_offset: u64,
}

impl Header {
    /// Creates the header of an array to write, in the oldest version that fits.
    ///
    /// # Errors
    ///
    /// - [`NpyErrorKind::Unwritable`] if NumPy does not support arrays of these elements.
    /// - [`ErrorKind::ZeroSizedElement`] if an element has no bytes.
    pub fn new(dtype: DType, shape: &[usize], order: Order) -> Result<Self> {
        let fortran_order = order == Order::F;
        let unwritable = |why| Err(NpyErrorKind::Unwritable { why }.into());
        if let DType::Array { .. } = dtype {
            return unwritable("the elements are arrays, which it has only in records");
        }
        if shape.len() > 64 {
            return unwritable("it has at most 64 axes");
        }
        if dtype.checked_size().is_none() {
            return unwritable("its elements have less than 2 GiB");
        }
        // A caller can build a `DType` that NumPy does not support.
        let dtype = match dtype.to_string().parse::<DType>() {
            Ok(read) if read.size() == dtype.size() => read,
            Err(e) if matches!(e.kind(), ErrorKind::ZeroSizedElement) => return Err(e),
            _ => return unwritable("it has no such elements"),
        };
        let shape = shape.to_vec();
        let mut header =
            Self { version: Version::V1, dtype, fortran_order, shape, data_offset: 0 };
        let fits = |version: &&Version| header.to_bytes_of(**version).is_ok();
        header.version = *Version::ALL.iter().find(fits).unwrap_or(&Version::V3);
        let version = header.version;
        header.with_version(version)
    }

    /// Sets the version of the format, instead of the oldest that fits.
    ///
    /// # Errors
    ///
    /// [`NpyErrorKind::Encoding`] and [`NpyErrorKind::HeaderTooLong`] if the header does not fit the
    /// version.
    pub fn with_version(mut self, version: Version) -> Result<Self> {
        let len = self.to_bytes_of(version)?.len();
        self.version = version;
        self.data_offset = u64::try_from(len).map_err(|_| ErrorKind::TooLarge)?;
        Ok(self)
    }

    /// Returns the length of the outermost axis, which can grow, if the array has an axis.
    pub(crate) fn count(&self) -> Option<usize> {
        self.shape.get(outermost(self.shape.len(), self.order())).copied()
    }

    pub(crate) fn set_count(&mut self, count: usize) {
        let growing = outermost(self.shape.len(), self.order());
        if let Some(length) = self.shape.get_mut(growing) {
            *length = count;
        }
    }

    /// Returns the size of the array in bytes.
    pub(crate) fn len(&self) -> Result<u64> {
        let len = self
            .shape
            .iter()
            .try_fold(self.dtype.size(), |len, length| len.checked_mul(*length));
        Ok(u64::try_from(len.ok_or(ErrorKind::TooLarge)?)
            .map_err(|_| ErrorKind::TooLarge)?)
    }

    /// Returns the byte offset in the file at which the array ends.
    pub(crate) fn end(&self) -> Result<u64> {
        let end = self.data_offset.checked_add(self.len()?);
        Ok(end.ok_or(ErrorKind::TooLarge)?)
    }

    /// Lowers the number of rows to the complete rows of a file of `found` bytes.
    pub(crate) fn keep_whole_rows(&mut self, found: u64) {
        let mut row = self.clone();
        row.set_count(1);
        let row = row.len().ok().filter(|row| *row > 0);
        let rows =
            row.and_then(|row| found.checked_sub(self.data_offset)?.checked_div(row));
        let rows = rows.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX));
        if let (Some(rows), Some(count)) = (rows, self.count()) {
            self.set_count(count.min(rows));
        }
    }

    /// Reads the header at the beginning of a file, independent of the file's position.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse), and [`ErrorKind::Io`].
    pub fn read(file: &File) -> Result<Self> {
        read(file, Path::new(""), DEFAULT_CAP)
    }

    /// Reads a header of at most `limit` bytes; see [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read).
    pub fn read_with_limit(file: &File, limit: u64) -> Result<Self> {
        read(file, Path::new(""), limit)
    }

    /// Reads the header of the file at `path`; see [`read`](Self::read).
    ///
    /// # Errors
    ///
    /// The errors of [`read`](Self::read), with the path.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = file::open_locked(path, Mode::ReadOnly, false)?.file;
        read(&file, path, DEFAULT_CAP).at(path)
    }

    /// Reads the header from a stream, which is then at the first element.
    ///
    /// The header may have at most 10,000 bytes.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse), and [`ErrorKind::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Read;
    /// use ndarray_memmap::npy::Header;
    ///
    /// let mut stream = &b"\x93NUMPY\x01\x00\x3a\x00\
    ///     {'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\nabc"[..];
    /// let header = Header::read_from(&mut stream)?;
    /// assert_eq!((header.shape(), stream), (&[3][..], &b"abc"[..]));
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn read_from(mut from: impl Read) -> Result<Self> {
        let mut bytes = Vec::new();
        let mut read_to = |end: usize, bytes: &mut Vec<u8>| {
            let missing = u64::try_from(end.saturating_sub(bytes.len())).unwrap_or(0);
            let read = from.by_ref().take(missing).read_to_end(bytes);
            read.map_err(Error::io("read", Path::new("")))
        };
        read_to(Version::V1.prefix(), &mut bytes)?;
        if let Ok(version) = version(&bytes) {
            read_to(version.prefix(), &mut bytes)?;
        }
        let (version, len) = prefix(&bytes)?;
        let end = data_offset(version, len, u64::MAX, DEFAULT_CAP)?;
        read_to(usize::try_from(end).map_err(|_| ErrorKind::TooLarge)?, &mut bytes)?;
        Self::parse(&bytes)
    }

    /// Parses a header from the first bytes of a file.
    ///
    /// The header may have at most 10,000 bytes. The time is proportional to the header's length.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Npy`] if the header is not valid.
    /// - [`ErrorKind::TooLarge`] if the sizes in the header overflow.
    /// - [`ErrorKind::ZeroSizedElement`] if an element has no bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        Self::parse_with_limit(bytes, DEFAULT_CAP)
    }

    /// Parses a header of at most `cap` bytes from the first bytes of a file.
    ///
    /// # Errors
    ///
    /// The errors of [`parse`](Self::parse).
    pub fn parse_with_limit(bytes: &[u8], cap: u64) -> Result<Self> {
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (version, len) = prefix(bytes)?;
        let data_offset = data_offset(version, len, found, cap)?;
        let end = usize::try_from(data_offset).map_err(|_| ErrorKind::TooLarge)?;
        let text = bytes.get(version.prefix()..end).unwrap_or_default();
        let text = decode(text, version)?;
        let mut header = parse_dictionary(&text, version)?;
        header.data_offset = data_offset;
        Ok(header)
    }

    /// Writes the same bytes as NumPy would for this header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the writer fails.
    pub fn write(&self, mut to: impl Write) -> Result<()> {
        let bytes = self.to_bytes_of(self.version)?;
        to.write_all(&bytes).map_err(Error::io("write the header of", Path::new("")))
    }

    /// Returns the version of the format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> &DType {
        &self.dtype
    }

    /// Returns the length of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns whether the array is in Fortran order, in which the first axis varies fastest.
    pub fn fortran_order(&self) -> bool {
        self.fortran_order
    }

    /// Returns the memory order of the array.
    pub fn order(&self) -> Order {
        if self.fortran_order { Order::F } else { Order::C }
    }

    /// Returns the byte offset in the file at which the elements begin.
    pub fn data_offset(&self) -> u64 {
        self.data_offset
    }
}

/// Reads the header of the file at `path`, while another process may be writing the header.
pub(crate) fn read(file: &File, path: &Path, cap: u64) -> Result<Header> {
    /// Limits how often a header may be written while it is read.
    const ATTEMPTS: usize = 10;

    let mut bytes = read_once(file, path, cap)?;
    for _ in 0..ATTEMPTS {
        let mut again = vec![0; bytes.len()];
        let count = sys::read_at_most(file, &mut again, 0);
        again.truncate(count.map_err(Error::io("read", path))?);
        if again == bytes {
            break;
        }
        bytes = read_once(file, path, cap)?;
    }
    Header::parse_with_limit(&bytes, cap)
}

/// Reads the bytes of the header, or fewer if the file is too short.
fn read_once(file: &File, path: &Path, cap: u64) -> Result<Vec<u8>> {
    /// Larger than almost every header.
    const FIRST: usize = 1024;

    let mut bytes = vec![0; FIRST];
    let read = sys::read_at_most(file, &mut bytes, 0);
    bytes.truncate(read.map_err(Error::io("read", path))?);
    if let Ok((version, len)) = prefix(&bytes) {
        let end = data_offset(version, len, u64::MAX, u64::MAX)?;
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        bytes.truncate(end);
        if bytes.len() == FIRST && end > FIRST {
            // The length field is untrusted: allocate no more bytes than the file has.
            let found = file::regular_len(file, path)?;
            let needed = data_offset(version, len, found, cap)?;
            let needed = usize::try_from(needed).map_err(|_| ErrorKind::TooLarge)?;
            let missing = needed.saturating_sub(bytes.len());
            let reserved = bytes.try_reserve_exact(missing);
            let no_memory = |_| io::ErrorKind::OutOfMemory.into();
            reserved
                .map_err(no_memory)
                .map_err(Error::io("allocate memory for", path))?;
            bytes.resize(needed, 0);
            let rest = bytes.get_mut(FIRST..).unwrap_or_default();
            let read = sys::read_at_most(file, rest, 1024);
            let read = read.map_err(Error::io("read", path))?;
            bytes.truncate(FIRST.saturating_add(read));
        }
    }
    Ok(bytes)
}

fn decode(bytes: &[u8], version: Version) -> Result<Cow<'_, str>> {
    let text = std::str::from_utf8(bytes);
    match (version, text) {
        (Version::V3, text) => text
            .map(Cow::Borrowed)
            .map_err(|_| NpyErrorKind::Encoding { encoding: "UTF-8" }.into()),
        (_, Ok(text)) if text.is_ascii() => Ok(Cow::Borrowed(text)),
        _ => Ok(bytes.iter().copied().map(char::from).collect()),
    }
}

/// Reads the whole text, then the values, so that errors come in the same order as in NumPy.
fn parse_dictionary(text: &str, version: Version) -> Result<Header> {
    let reader = Cursor::new(text, version < Version::V3);
    let Entries { mut descr, mut fortran_order, mut shape } = Entries::read(reader)?;
    let shape = match read_shape(&mut shape) {
        Err(e) if matches!(e.kind(), ErrorKind::Npy(NpyErrorKind::Shape { .. })) => {
            return Err(e);
        }
        shape => shape,
    };
    let at = fortran_order.at();
    let Literal::Bool(fortran_order) = fortran_order.literal()? else {
        return Err(NpyErrorKind::FortranOrder { at }.into());
    };
    let dtype = DType::read(&mut descr)?;
    Ok(Header { version, dtype, fortran_order, shape: shape?, data_offset: 0 })
}
