//! Inspects the field that a killed run has left behind.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::path::Path;

use ndarray::{Array2, ArrayView1, Axis, Ix2};
use ndarray_memmap::{Mode, npy};

use crate::Result;
use crate::terrain::Terrain;

/// The state of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    Whole,
    /// Correct up to a column, then zeros.
    Partial(usize),
    Zeros,
    Wrong,
}

/// Prints which rows are correct, and fails if a row is neither correct nor still zero.
pub(crate) fn inspect(path: &Path) -> Result<()> {
    let terrain = Terrain::open()?;
    // SAFETY: the processes that wrote the file have ended.
    let field = unsafe { npy::open::<f32, Ix2>(path, Mode::ReadOnly)? };
    println!("shape {:?}", field.shape());
    let mut expected = Array2::zeros((1, field.ncols()));
    let rows: Vec<Row> = field
        .axis_iter(Axis(0))
        .enumerate()
        .map(|(index, row)| {
            terrain.fill(index, expected.view_mut());
            Row::of(row, expected.row(0))
        })
        .collect();
    let mut start = 0;
    for run in rows.chunk_by(|a, b| a == b) {
        let end = start + run.len();
        match run.first() {
            Some(Row::Whole) => println!("rows {start}..{end} are whole"),
            Some(Row::Partial(column)) => {
                println!("rows {start}..{end} end before column {column}");
            }
            Some(Row::Zeros) => println!("rows {start}..{end} are zeros"),
            Some(Row::Wrong) | None => println!("rows {start}..{end} are wrong"),
        }
        start = end;
    }
    if rows.contains(&Row::Wrong) {
        return Err("some rows have values that no rank writes".into());
    }
    Ok(())
}

impl Row {
    fn of(found: ArrayView1<'_, f32>, expected: ArrayView1<'_, f32>) -> Self {
        let same = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
        let zeros = found.iter().skip(same).all(|height| *height == 0.0);
        match same {
            _ if same == found.len() => Self::Whole,
            0 if zeros => Self::Zeros,
            _ if zeros => Self::Partial(same),
            _ => Self::Wrong,
        }
    }
}
