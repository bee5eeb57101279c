//! Changing few rows of a file durably.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use bench_common::{Pace, Section, Target, Way};
use memmap2::MmapMut;
use ndarray::{ArrayViewMut2, Dimension, Ix2};
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

use crate::files::{Files, LARGEST};

/// The time of the disk differs more from run to run than the time of the work.
const SYNCING: Target = Target::AtMost(1.25);
/// One row of this number is changed.
const STEP: usize = 100;

type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(crate) fn section(files: &Files) -> Section<'_> {
    let dim = files.table.dim;
    // A rewrite may change the folios of a file: the other ways have a file of their own.
    let [in_place, rewritten] = &files.changed;
    let way = |name, path, update: fn(&Path, Ix2) -> Outcome| {
        Way::timing_a_part(name, move || {
            let before = changed_sum(path, dim).expect("it is read");
            let start = Instant::now();
            update(path, dim).expect("it can be changed");
            let seconds = start.elapsed().as_secs_f64();
            (before + changed_sum(path, dim).expect("it is read"), seconds)
        })
    };
    Section::new(
        format!("change and sync 1 % of {}", files.table.name),
        Pace::Heavy,
        vec![
            way("bare map_mut + flush", in_place, by_map),
            way("handle", in_place, by_handle).target(SYNCING),
            way("read + rewrite", rewritten, by_rewrite),
            way("read + write by row", in_place, by_rows),
        ],
    )
}

/// Mirrors numbers, so that each run changes them and sums before and after make a constant.
fn change(mut array: ArrayViewMut2<'_, f64>) {
    for row in (0..array.nrows()).step_by(STEP) {
        array.row_mut(row).mapv_inplace(mirrored);
    }
}

fn mirrored(number: f64) -> f64 {
    LARGEST - number
}

/// Sums the rows that are changed, as read from the file.
fn changed_sum(path: &Path, dim: Ix2) -> io::Result<f64> {
    let mut file = File::open(path)?;
    let mut sum = 0.0;
    for offset in offsets(dim) {
        sum += read_row(&mut file, offset, dim)?.iter().sum::<f64>();
    }
    Ok(sum)
}

/// Returns the offsets of the rows that are changed.
fn offsets(dim: Ix2) -> impl Iterator<Item = u64> {
    let (rows, columns) = dim.into_pattern();
    (0..rows).step_by(STEP).map(move |row| (row * columns * size_of::<f64>()) as u64)
}

fn read_row(file: &mut File, offset: u64, dim: Ix2) -> io::Result<Vec<f64>> {
    let (_, columns) = dim.into_pattern();
    let mut numbers = vec![0.0; columns];
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}

fn by_map(path: &Path, dim: Ix2) -> Outcome {
    let file = File::options().read(true).write(true).open(path)?;
    // SAFETY: the file is in a folder of this process alone, which has no other mapping of
    // it and does not change its length.
    let mut map = unsafe { MmapMut::map_mut(&file) }?;
    change(ArrayViewMut2::from_shape(dim, bytemuck::cast_slice_mut(&mut map))?);
    Ok(map.flush()?)
}

fn by_handle(path: &Path, dim: Ix2) -> Outcome {
    let options = MapOptions::new(Mode::ReadWrite).shape(dim);
    // SAFETY: as in `by_map`.
    let mut array: MmapArray2<f64> = unsafe { options.open(path) }?;
    change(array.view_mut()?);
    Ok(array.sync()?)
}

fn by_rewrite(path: &Path, dim: Ix2) -> Outcome {
    let mut bytes = fs::read(path)?;
    change(ArrayViewMut2::from_shape(dim, bytemuck::cast_slice_mut(&mut bytes))?);
    let mut file = File::create(path)?;
    file.write_all(&bytes)?;
    Ok(file.sync_data()?)
}

fn by_rows(path: &Path, dim: Ix2) -> Outcome {
    let mut file = File::options().read(true).write(true).open(path)?;
    for offset in offsets(dim) {
        let mut numbers = read_row(&mut file, offset, dim)?;
        numbers.iter_mut().for_each(|number| *number = mirrored(*number));
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytemuck::cast_slice(&numbers))?;
    }
    Ok(file.sync_data()?)
}
