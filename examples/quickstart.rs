//! The Guide to NumPy's memmap session, then an elevation model mapped in place.
#![expect(unsafe_code, reason = "mapping is the one unsafe step")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices and counts within a known shape"
)]

use std::error::Error;
use std::fs;
use std::path::Path;

use ndarray::{Array1, ArrayRef2, ArrayView1, ArrayViewMut2, Axis, Zip};
use ndarray_memmap::{Be, MapOptions, Mode, SyncToDisk};

const DEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/jacksboro_dem.bin");
/// Rows from north to south, columns from west to east.
const SHAPE: (usize, usize) = (344, 403);
/// Degrees.
const CELL: f64 = 3.0 / 3600.0;
const WEST: f64 = -84.41375;
const NORTH: f64 = 36.732_916_666_666_67;
/// Metres above the sea.
const LAKE: i16 = 300;
const EARTH_RADIUS_KM: f64 = 6371.0088;

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    guide_to_numpy(&dir.path().join("newfile.dat"))?;
    elevation_model()?;
    flooded_valley()
}

fn guide_to_numpy(path: &Path) -> Result<(), Box<dyn Error>> {
    println!("1. The Guide to NumPy's session: newfile.dat\n");

    // SAFETY: the file is in a folder of our own, where nobody else touches it.
    let mut a = unsafe { MapOptions::new(Mode::Create).shape(1000).open::<f64>(path)? };
    let mut w = a.view_mut()?;
    w[10] = 10.0;
    w[30] = 30.0;
    a.sync()?;
    drop(a);

    let bytes = fs::read(path)?;
    let numbers = bytes.chunks_exact(8).flat_map(<[u8; 8]>::try_from);
    let b: Array1<f64> = numbers.map(f64::from_ne_bytes).collect();
    println!(
        "   read, {} bytes:     b[10] = {:?}, b[30] = {:?}",
        bytes.len(),
        b[10],
        b[30]
    );

    // SAFETY: as above.
    let a = unsafe { MapOptions::new(Mode::ReadOnly).open::<f64>(path)? };
    println!("   mapped, {} numbers: a[10] = {:?}, a[30] = {:?}", a.len(), a[10], a[30]);
    Ok(())
}

fn elevation_model() -> Result<(), Box<dyn Error>> {
    println!("\n2. Jacksboro, Tennessee: big-endian 16-bit elevations, mapped\n");

    // SAFETY: nobody changes the example's data while it runs.
    let dem =
        unsafe { MapOptions::new(Mode::ReadOnly).shape(SHAPE).open::<Be<i16>>(DEM)? };
    let (rows, columns) = dem.dim();
    let lowest = dem.iter().min().ok_or("an empty model")?;
    let ((row, column), highest) =
        dem.indexed_iter().max_by_key(|(_, height)| **height).ok_or("an empty model")?;
    let mean =
        dem.fold(0.0, |sum, height| sum + f64::from(height.get())) / dem.len() as f64;
    println!("   {rows} × {columns} cells of 3 arc-seconds");
    println!("   lowest {lowest} m, highest {highest} m, mean {mean:.1} m");
    let longitude = -(column as f64 + 0.5).mul_add(CELL, WEST);
    let latitude = (row as f64 + 0.5).mul_add(-CELL, NORTH);
    println!(
        "   summit at row {row}, column {column}: {latitude:.4}° N, {longitude:.4}° W"
    );
    println!("\n   West to east through the summit:\n");
    draw_profile(&dem, row);
    Ok(())
}

fn draw_profile(dem: &ArrayRef2<Be<i16>>, row: usize) {
    let peak = |cells: ArrayView1<'_, Be<i16>>| cells.iter().map(|z| z.get()).max();
    let profile: Vec<i16> =
        dem.row(row).axis_chunks_iter(Axis(0), 6).filter_map(peak).collect();
    for floor in (200..=1000).rev().step_by(100) {
        let line: String = profile
            .iter()
            .map(|height| match height - floor {
                ..=0 => ' ',
                1..=33 => '▂',
                34..=66 => '▅',
                _ => '█',
            })
            .collect();
        println!("   {floor:>5} m {}", line.trim_end());
    }
}

fn flooded_valley() -> Result<(), Box<dyn Error>> {
    println!(
        "\n3. The valley of the lowest cell, flooded to {LAKE} m in a private copy\n"
    );

    let before = fs::read(DEM)?;
    // SAFETY: nobody changes the example's data while it runs.
    let mut copy =
        unsafe { MapOptions::new(Mode::CopyOnWrite).shape(SHAPE).open::<Be<i16>>(DEM)? };
    let lowest = copy.indexed_iter().min_by_key(|(_, height)| **height);
    let (source, _) = lowest.ok_or("an empty model")?;
    let area = flood(copy.view_mut()?, source);

    // SAFETY: as above.
    let dem =
        unsafe { MapOptions::new(Mode::ReadOnly).shape(SHAPE).open::<Be<i16>>(DEM)? };
    let wet = Zip::from(&copy).and(&dem).fold(0, |n: u32, a, b| n + u32::from(a != b));
    println!("   under water: {wet} cells, {area:.2} km²");
    println!("   file unchanged: {}", fs::read(DEM)? == before);
    Ok(())
}

/// Raises all land below the lake's level that the source reaches; returns its area.
fn flood(mut dem: ArrayViewMut2<'_, Be<i16>>, source: (usize, usize)) -> f64 {
    let mut area = 0.0;
    let mut shore = vec![source];
    while let Some((row, column)) = shore.pop() {
        match dem.get_mut((row, column)) {
            Some(height) if *height < LAKE => height.set(LAKE),
            _ => continue,
        }
        area += cell_area(row);
        shore.extend([(row.wrapping_sub(1), column), (row.wrapping_add(1), column)]);
        shore.extend([(row, column.wrapping_sub(1)), (row, column.wrapping_add(1))]);
    }
    area
}

/// Returns the area of a cell of a row on the sphere, in square kilometres.
fn cell_area(row: usize) -> f64 {
    let north = (row as f64).mul_add(-CELL, NORTH).to_radians();
    let south = (row as f64 + 1.0).mul_add(-CELL, NORTH).to_radians();
    EARTH_RADIUS_KM.powi(2) * CELL.to_radians() * (north.sin() - south.sin())
}
