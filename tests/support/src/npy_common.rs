//! Helpers for tests of `.npy` files: headers byte by byte, opening, creating.
#![expect(unsafe_code, reason = "mapping is unsafe; the one place where tests do it")]

use std::path::Path;

use ndarray::{Dimension, StrideShape};
use ndarray_memmap::npy::{self, DynArray, Header, NpyElement, Options};
use ndarray_memmap::{MmapArray, Mode, Result};

/// Opens a `.npy` file of a test.
pub fn open<A: NpyElement, D: Dimension>(
    options: &Options,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file lies in the test's own folder; no test changes its length or reads it
    // by reference while another handle, or a write to the file, changes its bytes.
    unsafe { options.open(path) }
}

/// Opens a `.npy` file of a test for reading.
pub fn read<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: as in `open`.
    unsafe { npy::open(path, Mode::ReadOnly) }
}

/// Creates a `.npy` file of a test.
pub fn create<A: NpyElement, D: Dimension>(
    options: &Options,
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: as in `open`.
    unsafe { options.create(path, shape) }
}

/// Creates a `.npy` file of a test without options.
pub fn create_plain<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: as in `open`.
    unsafe { npy::create(path, shape) }
}

/// Opens a `.npy` file of a test with any element type.
pub fn open_any(path: impl AsRef<Path>) -> Result<DynArray> {
    // SAFETY: as in `open`.
    unsafe { DynArray::open(path, Mode::ReadOnly) }
}

/// Returns the first bytes of a file: version `major.0`, and the unchanged `text`.
pub fn raw(major: u8, text: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([major, 0]);
    match major {
        1 => bytes.extend(u16::try_from(text.len()).unwrap().to_le_bytes()),
        _ => bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes()),
    }
    bytes.extend(text);
    bytes
}

/// Returns the dictionary of a header.
pub fn dictionary(descr: &str, order: char, shape: &str) -> String {
    let order = if order == 'F' { "True" } else { "False" };
    format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}")
}

/// Returns a file of version 1.0 whose data begin at a multiple of 64.
pub fn file(descr: &str, order: char, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut text = dictionary(descr, order, shape);
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    [raw(1, text.as_bytes()), data.to_vec()].concat()
}

/// Returns a file whose data begin at byte `offset`.
pub fn file_at(
    offset: usize,
    descr: &str,
    order: char,
    shape: &str,
    data: &[u8],
) -> Vec<u8> {
    let text = dictionary(descr, order, shape);
    let text = format!("{text:<width$}\n", width = offset - 11);
    let header = raw(1, text.as_bytes());
    assert_eq!(header.len(), offset, "the header is too long for this offset");
    [header, data.to_vec()].concat()
}

/// Returns a shape as Python writes it.
pub fn tuple(shape: &[usize]) -> String {
    let lengths: String = shape.iter().map(|length| format!("{length}, ")).collect();
    format!("({lengths})").replace(", )", ",)")
}

/// Parses a dictionary as a header of a version.
pub fn parse(major: u8, text: impl AsRef<[u8]>) -> Result<Header> {
    Header::parse(&raw(major, text.as_ref()))
}

/// Returns the text of the error for a dictionary of version 1.0.
#[track_caller]
pub fn refused(text: impl AsRef<[u8]>) -> String {
    match parse(1, &text) {
        Ok(header) => panic!("{:?}: {header:?}", String::from_utf8_lossy(text.as_ref())),
        Err(error) => error.to_string(),
    }
}

/// How a caller avoids the error of a header that cannot be parsed.
pub const DAMAGED: &str = " (save the array again by NumPy)";

/// Asserts that the dictionary of each text is refused with exactly this error text.
///
/// `DAMAGED` follows each error text that does not end with another way out in parentheses.
#[track_caller]
pub fn all_refused(rows: &[(&str, &str)], dictionary: impl Fn(&str) -> String) {
    let messages = rows.iter().map(|(part, _)| (*part, refused(dictionary(part))));
    let others = messages.zip(rows).filter(|((_, found), (_, message))| {
        let way_out = if message.ends_with(')') { "" } else { DAMAGED };
        *found != format!("{message}{way_out}")
    });
    let others: Vec<_> = others.map(|(found, _)| found).collect();
    assert!(others.is_empty(), "{others:#?}");
}
