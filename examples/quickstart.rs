//! Replays the memmap example of the *Guide to NumPy*, then maps an elevation model in place.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small")]
#![expect(clippy::indexing_slicing, reason = "the indices are within a known shape")]

use std::error::Error;
use std::fs;
use std::path::Path;

use ndarray::{Array1, ArrayViewMut2, Axis, Zip};
use ndarray_memmap::{Be, MapOptions, MmapArray2, Mode, Reductions};

const DEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/jacksboro_dem.bin");
/// Rows from north to south, columns from west to east.
const SHAPE: (usize, usize) = (344, 403);
/// In degrees.
const CELL: f64 = 3.0 / 3600.0;
const WEST: f64 = -84.41375;
const NORTH: f64 = 36.732_916_666_666_67;
/// In metres above the sea.
const LAKE: i16 = 300;
/// Kilometres of a cell from north to south, on a sphere of the earth's mean radius.
const CELL_KM: f64 = 6371.0088 * CELL.to_radians();

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    guide_to_numpy(&dir.path().join("newfile.dat"))?;
    elevation_model()?;
    flooded_valley()
}

fn guide_to_numpy(path: &Path) -> Result<(), Box<dyn Error>> {
    println!("1. The Guide to NumPy's session: newfile.dat\n");
    // SAFETY: the file is in a temporary folder that only this program uses.
    let mut a = unsafe { MapOptions::new(Mode::Create).shape(1000).open::<f64>(path)? };
    let mut w = a.view_mut()?;
    w[10] = 10.0;
    w[30] = 30.0;
    a.close()?;

    let bytes = fs::read(path)?;
    let numbers = bytes.chunks_exact(8).flat_map(<[u8; 8]>::try_from);
    let b: Array1<f64> = numbers.map(f64::from_ne_bytes).collect();
    let len = bytes.len();
    println!("   read, {len} bytes:     b[10] = {:?}, b[30] = {:?}", b[10], b[30]);

    // SAFETY: as above.
    let a = unsafe { MapOptions::new(Mode::ReadOnly).open::<f64>(path)? };
    println!("   mapped, {} numbers: a[10] = {:?}, a[30] = {:?}", a.len(), a[10], a[30]);
    Ok(())
}

fn elevation_model() -> Result<(), Box<dyn Error>> {
    println!("\n2. Jacksboro, Tennessee: big-endian 16-bit elevations, mapped\n");
    let dem = open_dem(Mode::ReadOnly)?;
    let (rows, columns) = dem.dim();
    let lowest = dem.minimum().ok_or("an empty model")?;
    let highest = dem.indexed_iter().max_by_key(|(_, height)| **height);
    let ((row, column), highest) = highest.ok_or("an empty model")?;
    let mean = dem.wide_mean();
    println!("   {rows} × {columns} cells of 3 arc-seconds");
    println!("   lowest {lowest} m, highest {highest} m, mean {mean:.1} m");
    let longitude = -(column as f64 + 0.5).mul_add(CELL, WEST);
    print!("   summit at row {row}, column {column}: ");
    println!("{:.4}° N, {longitude:.4}° W", latitude(row));
    println!("\n   West to east through the summit:\n");
    let profile = dem.row(row);
    let peaks = profile.axis_chunks_iter(Axis(0), 6).filter_map(|z| z.into_iter().max());
    for floor in (200..=1000).rev().step_by(100) {
        let above = |peak: &Be<i16>| match peak.get() - floor {
            ..=0 => ' ',
            1..=33 => '▂',
            34..=66 => '▅',
            _ => '█',
        };
        let line: String = peaks.clone().map(above).collect();
        println!("   {floor:>5} m {}", line.trim_end());
    }
    Ok(())
}

fn open_dem(mode: Mode) -> Result<MmapArray2<Be<i16>>, Box<dyn Error>> {
    // SAFETY: no process changes the data of the example while it runs.
    Ok(unsafe { MapOptions::new(mode).shape(SHAPE).open(DEM)? })
}

fn flooded_valley() -> Result<(), Box<dyn Error>> {
    println!("\n3. The lowest valley, flooded to {LAKE} m in a private copy\n");
    let before = fs::read(DEM)?;
    let mut copy = open_dem(Mode::CopyOnWrite)?;
    let lowest = copy.indexed_iter().min_by_key(|(_, height)| **height);
    let (source, _) = lowest.ok_or("an empty model")?;
    let area = flood(copy.view_mut()?, source);
    let dem = open_dem(Mode::ReadOnly)?;
    let wet = Zip::from(&copy).and(&dem).fold(0, |n: u32, a, b| n + u32::from(a != b));
    println!("   under water: {wet} cells, {area:.2} km²");
    println!("   file unchanged: {}", fs::read(DEM)? == before);
    Ok(())
}

/// Floods the land below the level of the lake from `source` on, and returns its area in km².
fn flood(mut dem: ArrayViewMut2<'_, Be<i16>>, source: (usize, usize)) -> f64 {
    let mut area = 0.0;
    let mut shore = vec![source];
    while let Some((row, column)) = shore.pop() {
        let land = dem.get_mut((row, column)).filter(|height| **height < LAKE);
        let Some(height) = land else { continue };
        height.set(LAKE);
        area += CELL_KM.powi(2) * latitude(row).to_radians().cos();
        shore.extend([(row.wrapping_sub(1), column), (row.wrapping_add(1), column)]);
        shore.extend([(row, column.wrapping_sub(1)), (row, column.wrapping_add(1))]);
    }
    area
}

/// Returns the latitude of the middle of a row, in degrees.
fn latitude(row: usize) -> f64 {
    (row as f64 + 0.5).mul_add(-CELL, NORTH)
}
