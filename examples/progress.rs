//! Standardises the columns of a table in a file, block by block, under a progress bar.
//!
//! `cargo run --release --example progress [MEBIBYTES]`: the table is made in a scratch file
//! first, of 512 MiB unless told otherwise; the memory of the process stays at a few blocks,
//! however large it is.

#![expect(clippy::arithmetic_side_effects, reason = "arrays do not overflow")]

use std::error::Error;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Array2, Axis, Zip};
use ndarray_memmap::{MapOptions, SyncToDisk};

const COLUMNS: usize = 512;
const BLOCK: usize = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mebibytes =
        std::env::args().nth(1).map_or(Ok(512), |size| size.parse::<u32>())?;
    let rows = usize::try_from(mebibytes)? * ((1 << 20) / (4 * COLUMNS));
    let mut table = MapOptions::scratch_in::<f32, _>(".", (rows, COLUMNS))?;
    fill(&mut table, rows)?;

    // First pass: sums and sums of squares of the columns.
    let mut sums = Array1::<f64>::zeros(COLUMNS);
    let mut squares = Array1::<f64>::zeros(COLUMNS);
    let mut blocks = table.sweep(Axis(0), BLOCK);
    let bar = progress("reading", blocks.total().bytes)?;
    while let Some(block) = blocks.next() {
        let block = block.mapv(f64::from);
        sums += &block.sum_axis(Axis(0));
        squares += &block.mapv(|x| x * x).sum_axis(Axis(0));
        bar.set_position(blocks.position().bytes);
    }
    bar.finish();
    drop(blocks);
    let count = number(rows);
    let means = sums / count;
    let deviations = (squares / count - &means * &means).mapv(f64::sqrt);

    // Second pass: in place.
    let (means, deviations) = (means.mapv(narrow), deviations.mapv(narrow));
    let mut blocks = table.sweep_mut(Axis(0), BLOCK)?;
    let bar = progress("writing", blocks.total().bytes)?;
    while let Some(mut block) = blocks.next() {
        block -= &means;
        block /= &deviations;
        bar.set_position(blocks.position().bytes);
    }
    bar.finish();
    drop(blocks);
    table.sync()?;

    let column = table.column(7);
    let mean = column.fold(0.0, |sum, x| sum + f64::from(*x)) / count;
    let square = column.fold(0.0, |sum, x| sum + f64::from(x * x)) / count;
    println!("mean {:.4}, variance {:.4}", mean.abs(), square - mean * mean);
    Ok(())
}

fn progress(what: &'static str, bytes: u64) -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}";
    let bar = ProgressBar::new(bytes).with_message(what);
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}

/// Column `j` is spread evenly from `j` to `j + 10`.
fn fill(
    table: &mut ndarray_memmap::MmapArray2<f32>,
    rows: usize,
) -> Result<(), Box<dyn Error>> {
    let first = Array1::from_iter((0_u16..).take(COLUMNS).map(f32::from));
    let ramp = Array1::linspace(0.0_f32, 10.0, rows);
    let ramp = Array2::from_shape_vec((rows, 1), ramp.to_vec())?;
    let mut blocks = table.sweep_mut(Axis(0), BLOCK)?;
    let mut row = 0;
    while let Some(mut block) = blocks.next() {
        let end = blocks.position().rows;
        for (mut line, up) in
            block.rows_mut().into_iter().zip(ramp.slice(ndarray::s![row..end, 0]))
        {
            Zip::from(&mut line).and(&first).for_each(|x, first| *x = first + up);
        }
        row = end;
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a mean needs no more digits")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the elements have no more digits")]
fn narrow(number: f64) -> f32 {
    number as f32
}
