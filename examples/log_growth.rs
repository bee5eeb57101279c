//! A writer appends measurements to a `.npy` log while a reader follows the file.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::error::Error;
use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use ndarray::{ArrayView1, Axis, Ix2, array, s};
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::{MmapArray2, Mode, Reductions, Result as MapResult};

const ROWS: u16 = 600;
/// Measurements a day.
const PERIOD: f64 = 24.0;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("log.npy");
    // SAFETY: only the writer changes the file, and the writer changes no existing row.
    let log = unsafe { npy::create::<f64, _>(&path, (0, 2))? };

    println!("  rows  in the header  latest  the last two days");
    let writer = thread::spawn(move || write(log));
    follow(&path)?;
    writer.join().map_err(|_| "the writer has panicked")??;

    let (header, len) = (Header::read(&File::open(&path)?)?, fs::metadata(&path)?.len());
    println!("\nNumPy finds {:?} of {}", header.shape(), header.dtype());
    // SAFETY: the writer has ended.
    let log = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly)? };
    println!("opened afresh: {} rows, the file ends with the last", log.nrows());
    assert_eq!(len, log.layout().end());
    let temperatures = log.column(1);
    let mean = temperatures.wide_mean();
    let highest = temperatures.maximum().unwrap_or(f64::NAN);
    println!("mean {mean:.2}, highest {highest:.2}");
    Ok(())
}

/// Appends a row of hour and temperature for each measurement.
fn write(mut log: MmapArray2<f64>) -> MapResult<()> {
    for hour in (0..ROWS).map(f64::from) {
        let day = (hour / PERIOD).fract() - 0.5;
        let temperature = 24.0 - 40.0 * day * day + hour / 100.0;
        log.push(Axis(0), &array![hour, temperature])?;
        thread::sleep(Duration::from_millis(1));
    }
    log.close()
}

/// Prints new rows until all rows are there.
fn follow(path: &Path) -> Result<(), Box<dyn Error>> {
    // SAFETY: existing rows of the file do not change.
    let mut log = unsafe { npy::open::<f64, Ix2>(path, Mode::ReadOnly)? };
    while log.nrows() < usize::from(ROWS) {
        thread::sleep(Duration::from_millis(100));
        log.refresh()?;
        let counted = Header::read(&File::open(path)?)?.shape().to_vec();
        let rows = log.nrows();
        let temperatures = log.slice(s![rows.saturating_sub(48).., 1]);
        let latest = temperatures.last().copied().unwrap_or(f64::NAN);
        let line = sparkline(temperatures);
        println!("{rows:>6}  {:>13}  {latest:>6.2}  {line}", format!("{counted:?}"));
    }
    Ok(())
}

fn sparkline(numbers: ArrayView1<'_, f64>) -> String {
    let level = |x: &f64| match x - 14.0 {
        ..2.0 => '▁',
        2.0..4.0 => '▂',
        4.0..6.0 => '▃',
        6.0..8.0 => '▄',
        8.0..10.0 => '▅',
        10.0..12.0 => '▆',
        12.0..14.0 => '▇',
        _ => '█',
    };
    numbers.iter().map(level).collect()
}
