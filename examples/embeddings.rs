//! Finds the nearest neighbours of a vector among the rows of a mapped matrix.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(clippy::arithmetic_side_effects, reason = "arrays do not overflow")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, ArrayRef1, ArrayRef2, Axis};
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

const SHAPE: (usize, usize) = (50_000, 256);
const BLOCK: usize = 8 << 20;
const QUERY: usize = 12_345;
const NEIGHBOURS: usize = 6;
/// Rows that repeat the query row, each with its amplitude of noise.
const PLANTED: [(usize, f32); 5] =
    [(49_999, 0.1), (7, 0.2), (31_415, 0.3), (27_182, 0.5), (16_180, 0.8)];

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("embeddings.f32");
    create(&path)?;

    // SAFETY: the file is in a temporary folder that only this program uses.
    let matrix =
        unsafe { MapOptions::new(Mode::ReadOnly).rows_of(SHAPE.1).open::<f32>(&path)? };
    let (rows, columns) = matrix.dim();
    println!("{rows} unit vectors of {columns} numbers; nearest to row {QUERY}:\n");
    let start = Instant::now();
    let nearest = nearest(&matrix, &matrix.row(QUERY), NEIGHBOURS)?;
    let took = start.elapsed();

    println!("   row  cosine  distance  first numbers");
    let indices: Vec<usize> = nearest.iter().map(|(row, _)| *row).collect();
    for (row, (index, cosine)) in matrix.gather(Axis(0), &indices)?.zip(&nearest) {
        let distance = (&row - &matrix.row(QUERY)).pow2().sum().sqrt();
        let first: String = row.iter().take(5).map(|x| format!(" {x:>6.3}")).collect();
        println!("{index:>6}  {cosine:.3}  {distance:>8.3} {first}");
    }
    let rate = (4 * matrix.len()) as f64 / took.as_secs_f64() / 1e9;
    println!("\n{} ms, {rate:.1} GB/s", took.as_millis());
    Ok(())
}

/// Returns the rows with the largest cosines to a unit vector, the nearest first.
fn nearest(
    matrix: &MmapArray2<f32>,
    query: &ArrayRef1<f32>,
    count: usize,
) -> ndarray_memmap::Result<Vec<(usize, f32)>> {
    let mut nearest = Vec::new();
    let mut first = 0;
    for block in matrix.sweep(Axis(0), BLOCK)? {
        nearest.extend((first..).zip(block.dot(query)));
        nearest.sort_by(|(_, a): &(_, f32), (_, b)| b.total_cmp(a));
        nearest.truncate(count);
        first += block.nrows();
    }
    Ok(nearest)
}

/// Creates a file of pseudo-random unit vectors.
fn create(path: &Path) -> Result<(), Box<dyn Error>> {
    let options = MapOptions::new(Mode::Create).shape(SHAPE);
    // SAFETY: the file is in a temporary folder that only this program uses.
    let mut matrix = unsafe { options.open::<f32>(path)? };
    let mut random = Random(1);
    for mut block in matrix.sweep_mut(Axis(0), BLOCK)? {
        for mut row in block.rows_mut() {
            row.assign(&random.unit_vector());
        }
    }
    plant(&mut random, &mut matrix.view_mut()?);
    Ok(matrix.close()?)
}

fn plant(random: &mut Random, matrix: &mut ArrayRef2<f32>) {
    let query = matrix.row(QUERY).to_owned();
    for (row, noise) in PLANTED {
        matrix.row_mut(row).assign(&unit(&query + random.unit_vector() * noise));
    }
}

fn unit(vector: Array1<f32>) -> Array1<f32> {
    let length = vector.pow2().sum().sqrt();
    vector / length
}

/// The xorshift64 generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f32::from((self.0 >> 48) as u16) / 32_768.0 - 1.0
    }

    fn unit_vector(&mut self) -> Array1<f32> {
        unit(Array1::from_shape_simple_fn(SHAPE.1, || self.next()))
    }
}
