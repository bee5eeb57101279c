//! A file of twelve numbers, as an array of three rows.

use ndarray_memmap::{MapOptions, MmapArray2, Mode};

use crate::{Place, open};

/// Returns a file of the numbers from 1 to 12, in the native byte order.
pub fn twelve() -> Place {
    let numbers: Vec<f64> = (1..=12).map(f64::from).collect();
    Place::of(bytemuck::cast_slice(&numbers))
}

pub fn open_twelve(place: &Place, mode: Mode) -> MmapArray2<f64> {
    open(&MapOptions::new(mode).shape((3, 4)), place).unwrap()
}

pub fn numbers(place: &Place) -> Vec<f64> {
    let bytes = place.bytes().unwrap();
    bytes.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect()
}
