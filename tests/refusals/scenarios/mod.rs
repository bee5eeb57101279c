//! The operations, one row each: the files before, the operation, the conditions afterwards.

mod changes;
mod create;
mod growth;
mod guarded;
mod npy;
mod open;
mod regions;
mod rows;

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use ndarray::{Array1, Array2, ArrayRef, ArrayView2, Axis, Dimension, Ix2, s};
use ndarray_memmap::{Element, MapOptions, MmapArray, MmapArray2, Mode, Result};

use crate::trial::Trial;

/// An operation with its preparation and its checks.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Trial),
}

const fn row(name: &'static str, run: fn(&Trial)) -> Scenario {
    Scenario { name, run }
}

/// Returns all operations.
pub(crate) fn all() -> Vec<Scenario> {
    LazyLock::force(&NUMBERS);
    let mut all = Vec::new();
    all.extend(open::rows());
    all.extend(create::rows());
    all.extend(regions::rows());
    all.extend(growth::rows());
    all.extend(rows::rows());
    all.extend(changes::rows());
    all.extend(npy::rows());
    all.extend(guarded::rows());
    all
}

/// The length of a row in the files.
const ROW: usize = 1024;

fn numbers(rows: usize) -> ArrayView2<'static, u32> {
    NUMBERS.slice(s![..rows, ..])
}

/// All numbers of the files; a worker computes them once, and its children share them.
static NUMBERS: LazyLock<Array2<u32>> = LazyLock::new(|| {
    let numbers = Array1::from_iter(0..u32::try_from(MOST * ROW).unwrap());
    numbers.into_shape_with_order((MOST, ROW)).unwrap()
});
const MOST: usize = 2100;

/// Writes a raw file of `rows` rows.
fn write_raw(path: &Path, rows: usize) {
    fs::write(path, bytemuck::cast_slice(numbers(rows).as_slice().unwrap())).unwrap();
}

/// Maps a file of this process.
fn map<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file is in the test's own folder, which no other process changes.
    unsafe { options.open(path) }
}

/// Opens a raw file of rows.
fn open_rows(path: &Path, mode: Mode) -> Result<MmapArray2<u32>> {
    map(&MapOptions::new(mode).rows_of(ROW), path)
}

/// Asserts that a raw file opens and holds the numbers of `rows` rows.
#[track_caller]
fn assert_rows(path: &Path, rows: usize) {
    let a = open_rows(path, Mode::ReadOnly).unwrap();
    assert_holds(&a, rows);
}

#[track_caller]
fn assert_holds(a: &ArrayRef<u32, Ix2>, rows: usize) {
    assert_eq!(a.dim(), (rows, ROW));
    assert!(a.as_slice() == numbers(rows).as_slice(), "other numbers");
}

/// Returns the row after `rows` rows.
fn next_row(rows: usize) -> Array1<u32> {
    numbers(rows + 1).row(rows).to_owned()
}

const FIRST: Axis = Axis(0);
