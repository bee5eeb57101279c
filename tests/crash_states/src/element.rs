//! The element of all arrays: four bytes, with the type of the current file.

use std::cell::RefCell;
use std::ops::Range;

use bytemuck::{Pod, Zeroable};
use ndarray::Array2;
use ndarray_memmap::npy::{DType, NpyElement};

use crate::model::{Stamp, element};

thread_local! {
    static DESCR: RefCell<String> = RefCell::new(PLAIN.to_owned());
}

/// The element type of most files.
pub(crate) const PLAIN: &str = "<u4";

/// A number whose type in a `.npy` file is set by `with_descr`.
///
/// Field names make headers of any length, so that the row count can stand at any byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub(crate) struct Cell(pub(crate) u32);

impl NpyElement for Cell {
    fn dtype() -> DType {
        DESCR.with_borrow(|descr| descr.parse().expect("the type of a header"))
    }
}

/// Calls `run` while elements have the type `descr`, as NumPy writes it.
pub(crate) fn with_descr<T>(descr: &str, run: impl FnOnce() -> T) -> T {
    let before = DESCR.replace(descr.to_owned());
    let result = run();
    DESCR.set(before);
    result
}

/// Returns the type of a record with one field, whose name has `len` letters.
pub(crate) fn record(len: usize) -> String {
    format!("[('{}', '<u4')]", "n".repeat(len))
}

/// Returns rows whose elements carry a stamp.
pub(crate) fn rows(stamp: Stamp, range: Range<usize>, columns: usize) -> Array2<Cell> {
    let start = range.start;
    Array2::from_shape_fn((range.len(), columns), |(row, column)| {
        Cell(element(stamp, start + row, column))
    })
}
