//! Cleans a series in a private copy, rolls the changes back, cleans it better and commits.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the indices are within a known length"
)]

use std::error::Error;
use std::fs;
use std::path::Path;

use ndarray::{ArrayRef1, ArrayViewMut1, Axis};
use ndarray_memmap::{Le, MapOptions, MmapArray1, Mode};

const LEN: usize = 100_000;
/// Distance from one spike to the next, in measurements.
const APART: usize = 9973;
const SPIKE: f64 = 9999.0;
/// Numbers in a page of 4096 bytes.
const PAGE: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("series.f64");
    create(&path)?;
    let before = fs::read(&path)?;
    report("as it was", &open(&path)?, &path)?;

    let mut series = open(&path)?;
    blank(series.view_mut()?);
    report("blanked, private", &series, &path)?;
    println!("  the file is unchanged: {}", fs::read(&path)? == before);
    let refusal = series.sync().err().ok_or("private changes were synced")?;
    println!("  sync: {refusal}");

    // `rollback` returns an error on other systems: there, opening the file again discards them.
    if cfg!(target_os = "linux") {
        series.rollback()?;
    } else {
        series = open(&path)?;
    }
    report("rolled back", &series, &path)?;

    bridge(series.view_mut()?);
    report("bridged, private", &series, &path)?;
    series.commit()?;
    report("committed", &series, &path)?;

    let after = fs::read(&path)?;
    let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
    println!("  bytes of the file that differ from before: {}", changed.count());
    Ok(())
}

/// Creates a file that repeats the numbers 0, 1, … 99, with spikes.
fn create(path: &Path) -> Result<(), Box<dyn Error>> {
    let options = MapOptions::new(Mode::Create).shape(LEN);
    // SAFETY: the file is in a temporary folder that only this program uses.
    let mut series = unsafe { options.open::<Le<f64>>(path)? };
    let numbers = (0_u8..100).cycle().map(f64::from);
    for (i, (x, number)) in series.view_mut()?.iter_mut().zip(numbers).enumerate() {
        x.set(if i % APART == APART / 2 { SPIKE } else { number });
    }
    Ok(series.close()?)
}

fn open(path: &Path) -> Result<MmapArray1<Le<f64>>, Box<dyn Error>> {
    // SAFETY: only this program uses the temporary folder, and only `commit` changes the file.
    Ok(unsafe { MapOptions::new(Mode::CopyOnWrite).open(path)? })
}

fn blank(mut series: ArrayViewMut1<'_, Le<f64>>) {
    for x in series.iter_mut().filter(|x| x.get() == SPIKE) {
        x.set(0.0);
    }
}

/// Replaces each spike by the mean of its neighbours.
fn bridge(mut series: ArrayViewMut1<'_, Le<f64>>) {
    for i in 1..series.len() - 1 {
        if series[i].get() == SPIKE {
            let mean = (series[i - 1].get() + series[i + 1].get()) / 2.0;
            series[i].set(mean);
        }
    }
}

/// Prints one spike in the array and in the file, and counts the pages in which these differ.
fn report(
    what: &str,
    series: &ArrayRef1<Le<f64>>,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    let file = MapOptions::new(Mode::ReadOnly).load::<Le<f64>>(path)?;
    let pages = series
        .axis_chunks_iter(Axis(0), PAGE)
        .zip(file.axis_chunks_iter(Axis(0), PAGE))
        .filter(|(array, file)| array != file);
    let spike = APART / 2;
    let bytes = &fs::read(path)?[8 * spike..][..8];
    let pages = format!("{} of {} pages differ", pages.count(), LEN.div_ceil(PAGE));
    println!("{what:<17} array {:>6}, file {bytes:02x?}, {pages}", series[spike]);
    Ok(())
}
