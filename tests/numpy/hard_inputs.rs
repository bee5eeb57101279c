//! Elements that are hard to compute with, for the rows of `table`.

use std::fmt::Display;

use ndarray::{ArrayRef, Dimension};
use ndarray_memmap::npy::NpyElement;
use ndarray_memmap::{Be, Number};

/// Shapes of 12 elements, with and without elements, and without axes.
pub(crate) const SHAPES: &[&[usize]] =
    &[&[], &[0], &[1], &[12], &[4, 3], &[0, 3], &[3, 0], &[2, 3, 2]];

/// A type of elements with hard inputs.
pub(crate) trait Hard: NpyElement + Display {
    /// Returns the elements of several files, to be repeated up to the size of an array.
    fn inputs() -> Vec<Vec<Self>>;
    /// Converts a small number.
    fn small(number: u8) -> Self;
    /// Returns the number, for the tolerance of a sum.
    fn approximate(self) -> f64;
}

/// Large numbers, NaN as one or all elements, infinities, and zeros of both signs.
const FLOATS: [&[f32]; 8] = [
    &[65_000.0, 0.1, -3.75, 65_504.0, 1e-3, 65_504.0, 60_000.0],
    &[3.0e38, 2.5, 1.0, 1.0e30],
    &[1.0, f32::NAN, 3.0, 0.5],
    &[f32::NAN],
    &[f32::NEG_INFINITY],
    &[f32::INFINITY, 1.0, 2.0, f32::NEG_INFINITY, 5.0],
    &[-0.0],
    &[1.0, -2.0, 3.0, 4.0, 0.0],
];

fn from_f32<T>(convert: impl Fn(f32) -> T) -> Vec<Vec<T>> {
    FLOATS.map(|values| values.iter().copied().map(&convert).collect()).into()
}

macro_rules! hard {
    ($($T:ty: $inputs:expr, $small:expr, $approximate:expr;)*) => {$(
        impl Hard for $T {
            fn inputs() -> Vec<Vec<Self>> {
                $inputs
            }

            fn small(number: u8) -> Self {
                $small(number)
            }

            fn approximate(self) -> f64 {
                $approximate(self)
            }
        }
    )*};
}

hard! {
    f64: from_f32(f64::from), f64::from, |x| x;
    f32: from_f32(|x| x), f32::from, f64::from;
    i64: vec![vec![i64::MAX, i64::MAX, 7, i64::MIN], vec![i64::MIN], vec![1, -2, 3, 4, 0]],
        i64::from, |x| x as f64;
    u64: vec![vec![u64::MAX, u64::MAX, 7], vec![1, 2, 3, 4, 0]], u64::from, |x| x as f64;
    i16: vec![vec![i16::MAX, 7, i16::MIN]], i16::from, f64::from;
    u8: vec![vec![255, 254, 7], vec![1, 2, 3, 0]], |x| x, f64::from;
    bool: vec![vec![true, false, true], vec![false]], |x| x > 0, f64::from;
}
#[cfg(feature = "half")]
hard! {
    half::f16: from_f32(half::f16::from_f32), half::f16::from, f64::from;
}

impl<T: Hard + Number> Hard for Be<T> {
    fn inputs() -> Vec<Vec<Self>> {
        let swap = |values: Vec<T>| values.into_iter().map(Be::new).collect();
        T::inputs().into_iter().map(swap).collect()
    }

    fn small(number: u8) -> Self {
        Be::new(T::small(number))
    }

    fn approximate(self) -> f64 {
        self.get().approximate()
    }
}

/// Converts a small number to the element type of an array.
pub(crate) fn small<A: Hard, D: Dimension>(_: &ArrayRef<A, D>, number: u8) -> A {
    A::small(number)
}

/// Returns the sum of the absolute values of all finite elements.
pub(crate) fn scale<A: Hard, D: Dimension>(a: &ArrayRef<A, D>) -> f64 {
    a.iter().map(|x| x.approximate().abs()).filter(|x| x.is_finite()).sum()
}

/// Runs a block for arrays of some types and shapes, in both memory orders.
macro_rules! each {
    ($live:ident, [$($A:ty),*], $shapes:expr, $array:ident => $block:block) => {$({
        let shapes: &[&[usize]] = $shapes;
        for (i, input) in <$A as crate::hard_inputs::Hard>::inputs().into_iter().enumerate() {
            let orders = shapes.iter().flat_map(|shape| [(shape, 'C'), (shape, 'F')]);
            // The order matters from two axes, and the elements if there are any.
            for (shape, order) in orders.filter(|(shape, order)| {
                (*order == 'C' || shape.len() > 1) && (i == 0 || !shape.contains(&0))
            }) {
                let mut $array = $live.open::<$A>(&input, shape, order);
                // Only some blocks change the array.
                let _ = &mut $array;
                $block
            }
        }
    })*};
}

/// Runs a block for arrays of floats.
macro_rules! floats {
    ($live:ident, $($rest:tt)*) => {{
        each!($live, [f64, f32, ndarray_memmap::Be<f64>, ndarray_memmap::Be<f32>], $($rest)*);
        #[cfg(feature = "half")]
        each!($live, [half::f16, ndarray_memmap::Be<half::f16>], $($rest)*);
    }};
}

/// Runs a block for arrays of 64-bit integers and of bytes.
macro_rules! integers {
    ($live:ident, $($rest:tt)*) => {
        each!($live, [i64, u64, u8, ndarray_memmap::Be<i64>, ndarray_memmap::Be<u64>], $($rest)*)
    };
}

/// Runs a block for arrays of numbers and of `bool`.
macro_rules! all {
    ($live:ident, $($rest:tt)*) => {{
        floats!($live, $($rest)*);
        integers!($live, $($rest)*);
        each!($live, [bool], $($rest)*);
    }};
}

pub(crate) use {all, each, floats, integers};
