//! The arithmetic of a row of the field and of its shade. The only file is the model's.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::f32::consts::{FRAC_PI_4, PI};

use ndarray::{Array2, ArrayView2, ArrayViewMut2};
use ndarray_memmap::{Be, MapOptions, Mode, Result};

const DEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/jacksboro_dem.bin");
const SHAPE: (usize, usize) = (344, 403);
/// Positions of the steps between two heights of the model. Results from them are exact in `f32`.
const WEIGHTS: [f32; 4] = [0.0, 0.25, 0.5, 0.75];
/// Length of a step in metres.
const CELL: f32 = 23.2;
/// Direction to the sun: north-west, half-way to the zenith.
const AZIMUTH: f32 = PI - FRAC_PI_4;
const ZENITH: f32 = FRAC_PI_4;

/// An elevation model without end. Each tile is the mirror image of the last.
pub(crate) struct Terrain {
    /// Heights in metres above the sea.
    heights: Array2<f32>,
}

/// A position between two heights of the model.
#[derive(Clone, Copy)]
struct Place {
    from: usize,
    to: usize,
    weight: f32,
}

impl Terrain {
    pub(crate) fn open() -> Result<Self> {
        let options = MapOptions::new(Mode::ReadOnly).shape(SHAPE);
        // SAFETY: no process changes the data of the example while it runs.
        let dem = unsafe { options.open::<Be<i16>>(DEM)? };
        Ok(Self { heights: dem.mapv(|height| f32::from(height.get())) })
    }

    /// Fills rows of the field, from row `first` and column 0 on.
    pub(crate) fn fill(&self, first: usize, mut rows: ArrayViewMut2<'_, f32>) {
        let (height, width) = self.heights.dim();
        let places: Vec<_> =
            (0..rows.ncols()).map(|column| Place::of(column, width)).collect();
        let mut line = vec![0.0; width];
        for (row, mut out) in (first..).zip(rows.rows_mut()) {
            let north = Place::of(row, height);
            let pairs =
                self.heights.row(north.from).into_iter().zip(self.heights.row(north.to));
            for (mean, (a, b)) in line.iter_mut().zip(pairs) {
                *mean = a + (b - a) * north.weight;
            }
            for (out, west) in out.iter_mut().zip(&places) {
                let (a, b) = (line[west.from], line[west.to]);
                *out = a + (b - a) * west.weight;
            }
        }
    }
}

impl Place {
    /// Returns the position of an index of the field among `count` heights and their mirror image.
    fn of(index: usize, count: usize) -> Self {
        let steps = WEIGHTS.len();
        let last = (count - 1) * steps;
        let there = index % (2 * last);
        let back = 2 * last - there;
        let step = there.min(back);
        let (from, weight) = (step / steps, WEIGHTS[step % steps]);
        Self { from, to: (from + 1).min(count - 1), weight }
    }
}

/// Shades rows of the field. The first of them is the row `first` of `field`.
///
/// `field` has one more row on either side, except at the ends of the whole field. There the
/// outermost row or column stands for the row or column beyond. Slope and aspect follow Horn. 0 is
/// dark, and 255 faces the sun.
pub(crate) fn shade(
    field: ArrayView2<'_, f32>,
    first: usize,
    mut rows: ArrayViewMut2<'_, f32>,
) {
    let (height, width) = field.dim();
    for (row, mut out) in (first..).zip(rows.rows_mut()) {
        let north = field.row(row.saturating_sub(1));
        let here = field.row(row);
        let south = field.row((row + 1).min(height - 1));
        for (column, out) in out.iter_mut().enumerate() {
            let west = column.saturating_sub(1);
            let east = (column + 1).min(width - 1);
            let eastward = (north[east] + 2.0 * here[east] + south[east])
                - (north[west] + 2.0 * here[west] + south[west]);
            let southward = (south[west] + 2.0 * south[column] + south[east])
                - (north[west] + 2.0 * north[column] + north[east]);
            *out = light(eastward / (8.0 * CELL), southward / (8.0 * CELL));
        }
    }
}

/// Returns the brightness of a surface with these slopes, in metres a metre.
fn light(eastward: f32, southward: f32) -> f32 {
    let slope = eastward.hypot(southward).atan();
    let aspect = southward.atan2(-eastward);
    let facing = ZENITH.sin() * slope.sin() * (AZIMUTH - aspect).cos();
    255.0 * (ZENITH.cos() * slope.cos() + facing).max(0.0)
}
