//! Standardises the columns of a table larger than memory, with a progress bar.
//!
//! `cargo run --release --example larger_than_memory [MEBIBYTES]` first creates the table in a
//! scratch file of the working folder. The default size is 512 MiB. The process holds two blocks in
//! memory, whatever the size of the table.
#![expect(clippy::arithmetic_side_effects, reason = "arrays do not overflow")]

use std::error::Error;
use std::fs;
use std::num::NonZeroUsize;

use indicatif::{ProgressBar, ProgressStyle};
use ndarray::{Array1, Axis, Zip};
use ndarray_memmap::{MapOptions, MmapArray2, Progress, Reductions};

const COLUMNS: usize = 512;
const BLOCK: usize = 16 << 20;

fn main() -> Result<(), Box<dyn Error>> {
    let size = std::env::args().nth(1);
    let mebibytes = size.map_or(Ok(512), |size| size.parse().map(NonZeroUsize::get))?;
    let rows = mebibytes * ((1 << 20) / (4 * COLUMNS));
    let mut table = MapOptions::scratch_in::<f32, _>(".", (rows, COLUMNS))?;
    println!("{rows} × {COLUMNS} numbers, {mebibytes} MiB");
    fill(&mut table)?;

    let (means, deviations) = moments(&table, "reading")?;
    let (means, deviations) = (means.mapv(narrow), deviations.mapv(narrow));
    let mut blocks = table.sweep_mut(Axis(0), BLOCK)?;
    let bar = progress("writing", blocks.total())?;
    while let Some(mut block) = blocks.next() {
        block -= &means;
        block /= &deviations;
        reach(&bar, blocks.progress());
    }
    drop(blocks);
    table.sync()?;

    let (means, deviations) = moments(&table, "checking")?;
    let most = means.fold(0.0_f64, |most, mean| most.max(mean.abs()));
    let mean = deviations.wide_mean();
    println!("means of at most {most:.4}, deviations of {mean:.4}");
    println!("peak of resident memory: {}", memory("VmHWM:"));
    Ok(())
}

/// Fills column `j` with values spaced evenly from `j` to `j + 10`.
fn fill(table: &mut MmapArray2<f32>) -> Result<(), Box<dyn Error>> {
    let first = Array1::from_iter((0_u16..).take(COLUMNS).map(f32::from));
    let step = 10.0 / table.nrows() as f64;
    let mut count = 0.0;
    let mut blocks = table.sweep_mut(Axis(0), BLOCK)?;
    let bar = progress("filling", blocks.total())?;
    while let Some(mut block) = blocks.next() {
        for row in block.rows_mut() {
            let up = narrow(step * count);
            Zip::from(row).and(&first).for_each(|x, first| *x = first + up);
            count += 1.0;
        }
        reach(&bar, blocks.progress());
    }
    Ok(())
}

/// Returns the mean and standard deviation of each column.
fn moments(
    table: &MmapArray2<f32>,
    what: &'static str,
) -> Result<(Array1<f64>, Array1<f64>), Box<dyn Error>> {
    let mut sums = Array1::<f64>::zeros(COLUMNS);
    let mut squares = Array1::<f64>::zeros(COLUMNS);
    let mut blocks = table.sweep(Axis(0), BLOCK)?;
    let bar = progress(what, blocks.total())?;
    while let Some(block) = blocks.next() {
        for row in block.rows() {
            let row = row.mapv(f64::from);
            sums += &row;
            squares += &row.pow2();
        }
        reach(&bar, blocks.progress());
    }
    let count = table.nrows() as f64;
    let means = sums / count;
    let deviations = (squares / count - &means * &means).mapv(f64::sqrt);
    Ok((means, deviations))
}

fn progress(what: &'static str, total: Progress) -> Result<ProgressBar, Box<dyn Error>> {
    let style = "{msg:<8} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}";
    let bar = ProgressBar::new(total.bytes).with_message(what);
    Ok(bar.with_style(ProgressStyle::with_template(style)?))
}

/// Moves the bar, and prints the resident memory at each quarter.
fn reach(bar: &ProgressBar, position: Progress) {
    let quarters = |bytes: u64| bytes * 4 / bar.length().unwrap_or(bytes).max(1);
    let (before, now) = (quarters(bar.position()), quarters(position.bytes));
    bar.set_position(position.bytes);
    if now > before {
        let (what, memory) = (bar.message(), memory("VmRSS:"));
        bar.suspend(|| println!("{what:<8} {:3} %, {memory} resident", now * 25));
    }
}

/// Returns a memory field of this process as Linux reports it.
fn memory(field: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|line| line.strip_prefix(field));
    found.map_or("unknown memory".to_owned(), |found| found.trim().to_owned())
}

#[expect(clippy::cast_possible_truncation, reason = "the elements have no more digits")]
fn narrow(number: f64) -> f32 {
    number as f32
}
