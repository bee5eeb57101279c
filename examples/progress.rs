//! Standardises the columns of a table in a file, block by block, under a progress bar.
//!
//! `cargo run --release --example progress [MEBIBYTES]`: the table is made in a scratch file
//! first, of 512 MiB unless told otherwise; the memory of the process stays at two blocks,
//! however large it is.

#![expect(clippy::arithmetic_side_effects, reason = "arrays do not overflow")]

use std::error::Error;
use std::num::NonZeroU32;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Axis, Zip};
use ndarray_memmap::{MapOptions, MmapArray2, SyncToDisk};

const COLUMNS: usize = 512;
const BLOCK: usize = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mebibytes = std::env::args()
        .nth(1)
        .map_or(Ok(512), |size| size.parse::<NonZeroU32>().map(u32::from))?;
    let rows = usize::try_from(mebibytes)? * ((1 << 20) / (4 * COLUMNS));
    let mut table = MapOptions::scratch_in::<f32, _>(".", (rows, COLUMNS))?;
    fill(&mut table)?;

    let (means, deviations) = moments(&table, "reading")?;
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

    let (means, deviations) = moments(&table, "checking")?;
    let most = means.fold(0.0_f64, |most, mean| most.max(mean.abs()));
    let mean = deviations.mean().unwrap_or(f64::NAN);
    println!("means of at most {most:.4}, deviations of {mean:.4}");
    Ok(())
}

/// Returns mean and standard deviation of each column.
fn moments(
    table: &MmapArray2<f32>,
    what: &'static str,
) -> Result<(Array1<f64>, Array1<f64>), Box<dyn Error>> {
    let mut sums = Array1::<f64>::zeros(COLUMNS);
    let mut squares = Array1::<f64>::zeros(COLUMNS);
    let mut blocks = table.sweep(Axis(0), BLOCK);
    let bar = progress(what, blocks.total().bytes)?;
    while let Some(block) = blocks.next() {
        for row in block.rows() {
            Zip::from(&mut sums).and(&mut squares).and(row).for_each(
                |sum, square, &x| {
                    let x = f64::from(x);
                    *sum += x;
                    *square += x * x;
                },
            );
        }
        bar.set_position(blocks.position().bytes);
    }
    bar.finish();
    let count = number(table.nrows());
    let means = sums / count;
    let deviations = (squares / count - &means * &means).mapv(f64::sqrt);
    Ok((means, deviations))
}

fn progress(what: &'static str, bytes: u64) -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{msg} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}";
    let bar = ProgressBar::new(bytes).with_message(what);
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}

/// Column `j` is spread evenly from `j` to `j + 10`.
fn fill(table: &mut MmapArray2<f32>) -> Result<(), Box<dyn Error>> {
    let first = Array1::from_iter((0_u16..).take(COLUMNS).map(f32::from));
    let step = 10.0 / number(table.nrows());
    let mut count = 0.0;
    for mut block in table.sweep_mut(Axis(0), BLOCK)? {
        for row in block.rows_mut() {
            let up = narrow(step * count);
            Zip::from(row).and(&first).for_each(|x, first| *x = first + up);
            count += 1.0;
        }
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
