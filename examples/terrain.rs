//! Shades an elevation model in parallel into a mapped `.npy` file and draws the relief.
//!
//! `cargo run --release --features rayon --example terrain [PNG]` writes the picture to `PNG`, by
//! default in the temporary folder of the system. The shades go to a `.npy` file in this folder.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small")]
#![expect(clippy::indexing_slicing, reason = "the indices are within a known shape")]
#![expect(clippy::reversed_empty_ranges, reason = "a negative end counts from the back")]

use std::error::Error;
use std::f32::consts::FRAC_1_SQRT_2;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayRef2, Ix2, Zip, s};
use ndarray_memmap::{Be, MapOptions, MmapArray2, Mode, Reductions, npy};

const DEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/jacksboro_dem.bin");
/// Rows from north to south, columns from west to east.
const SHAPE: (usize, usize) = (344, 403);
/// Metres from a cell to its western neighbour, and to its northern neighbour.
const CELL: (f32, f32) = (74.4, 92.7);
const EXAGGERATION: f32 = 2.0;
/// Direction to the sun, as east, north and up: north-west, half-way to the zenith.
const SUN: (f32, f32, f32) = (-0.5, 0.5, FRAC_1_SQRT_2);
/// Heights in metres above the sea, with the colour of the land.
const TINTS: [(f32, [f32; 3]); 5] = [
    (230.0, [88.0, 140.0, 96.0]),
    (350.0, [164.0, 190.0, 122.0]),
    (550.0, [234.0, 218.0, 160.0]),
    (800.0, [190.0, 144.0, 104.0]),
    (1100.0, [250.0, 248.0, 246.0]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = || std::env::temp_dir().join("terrain.png");
    let picture = std::env::args_os().nth(1).map_or_else(temporary, PathBuf::from);

    // SAFETY: no process changes the data of the example while it runs.
    let dem =
        unsafe { MapOptions::new(Mode::ReadOnly).shape(SHAPE).open::<Be<i16>>(DEM)? };
    let shades = picture.with_extension("npy");
    shade(&dem, &shades)?.close()?;

    // SAFETY: no process writes to the file while this program draws the picture.
    let shade = unsafe { npy::open::<f32, Ix2>(&shades, Mode::ReadOnly)? };
    let mean = shade.wide_mean();
    let dark = shade.iter().filter(|x| **x < 0.5).count();
    println!("{}: {:?}, mean shade {mean:.4}", shades.display(), shade.shape());
    println!("{dark} of {} cells have less than half the light", shade.len());

    let pixels = Zip::from(dem.slice(s![1..-1, 1..-1]))
        .and(&*shade)
        .par_map_collect(|z, &shade| colour(z.get().into(), shade));
    draw(&pixels, &picture)?;
    let (width, height) = size(&picture)?;
    println!("{}: {width} × {height} pixels", picture.display());
    Ok(())
}

/// Creates a file with the light on each inner cell, from 0 to 1.
fn shade(
    dem: &ArrayRef2<Be<i16>>,
    path: &Path,
) -> Result<MmapArray2<f32>, Box<dyn Error>> {
    let (north, south) = (dem.slice(s![..-2, 1..-1]), dem.slice(s![2.., 1..-1]));
    let (west, east) = (dem.slice(s![1..-1, ..-2]), dem.slice(s![1..-1, 2..]));
    // SAFETY: no process opens the file before it is complete.
    let mut shade = unsafe { npy::create::<f32, _>(path, north.raw_dim())? };
    Zip::from(shade.view_mut()?).and(north).and(south).and(west).and(east).par_for_each(
        |shade, north, south, west, east| {
            let rise = |from: &Be<i16>, to: &Be<i16>, cell: f32| {
                f32::from(to.get() - from.get()) * EXAGGERATION / (2.0 * cell)
            };
            let (x, y) = (rise(west, east, CELL.0), rise(south, north, CELL.1));
            let light = (SUN.2 - x * SUN.0 - y * SUN.1) / (1.0 + x * x + y * y).sqrt();
            *shade = light.max(0.0);
        },
    );
    Ok(shade)
}

fn colour(height: f32, shade: f32) -> [u8; 3] {
    let above = TINTS.partition_point(|(z, _)| *z < height).clamp(1, TINTS.len() - 1);
    let ((low, from), (high, to)) = (TINTS[above - 1], TINTS[above]);
    let part = (height - low) / (high - low);
    let light = 0.35 + 0.75 * shade;
    [0, 1, 2].map(|i| byte((from[i] + part * (to[i] - from[i])) * light))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers out of range become 0 or 255"
)]
fn byte(number: f32) -> u8 {
    number as u8
}

fn draw(pixels: &Array2<[u8; 3]>, path: &Path) -> Result<(), Box<dyn Error>> {
    let (height, width) = pixels.dim();
    let file = BufWriter::new(File::create(path)?);
    let mut encoder = png::Encoder::new(file, width.try_into()?, height.try_into()?);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels.as_slice().unwrap_or_default().as_flattened())?;
    Ok(writer.finish()?)
}

/// Decodes the whole picture, and returns its width and height.
fn size(path: &Path) -> Result<(u32, u32), Box<dyn Error>> {
    let mut reader = png::Decoder::new(BufReader::new(File::open(path)?)).read_info()?;
    while reader.next_row()?.is_some() {}
    Ok(reader.info().size())
}
