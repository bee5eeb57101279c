//! The arithmetic of each element type; knows slices, and no arrays.

use std::convert::identity;
use std::fmt::Debug;
use std::iter;

use num_traits::{NumAssign, WrappingAdd};

/// The most elements of a block: those that lanes of 16 bits can add.
pub(super) const BLOCK: usize = 2048;

/// A number that [`Reductions`](crate::Reductions) can sum and compare.
///
/// Implemented for all primitive integers and floats, for `bool`, for `half`'s floats with the
/// feature `half`, for `num_complex::Complex` of these with the feature `num-complex`, and for
/// numbers in [`Be`](crate::Be) and [`Le`](crate::Le). No other crate can implement it.
///
/// # Examples
///
/// ```
/// use ndarray::{ArrayRef, Axis, Dimension, array};
/// use ndarray_memmap::{Reduce, Reductions};
///
/// fn mean_of_means<A: Reduce<Mean = f64>, D: ndarray::RemoveAxis>(a: &ArrayRef<A, D>) -> f64 {
///     a.wide_mean_axis(Axis(0)).wide_mean()
/// }
/// assert_eq!(mean_of_means(&array![[1_u8, 2], [3, 4]]), 2.5);
/// ```
#[diagnostic::on_unimplemented(
    message = "elements of type `{Self}` cannot be summed or compared",
    note = "`Reductions` works for numbers and `bool`; use `mapv` or a view of one field"
)]
pub trait Reduce: sealed::Sealed + Copy + 'static {
    /// The number itself, without a declared byte order: `f32` for `Be<f32>`.
    type Value: Copy + PartialEq + Debug + Send + Sync + 'static;

    /// The type of sums: `f64`, `i128`, `u128`, or `Complex` of one of these.
    type Sum: NumAssign + iter::Sum + Copy + Debug + Send + Sync + 'static;

    /// The type of means: `f64` or `Complex<f64>`.
    type Mean: NumAssign + iter::Sum + Copy + Debug + Send + Sync + 'static;

    /// The sum of a block, or of as many rows.
    #[doc(hidden)]
    type Wide: Copy + Default;

    /// The sum of any number of elements, before it is rounded.
    #[doc(hidden)]
    type Total: Copy + Default;

    #[doc(hidden)]
    fn widen(self) -> Self::Wide;

    #[doc(hidden)]
    fn plus(left: Self::Wide, right: Self::Wide) -> Self::Wide;

    /// Returns the sum of up to `BLOCK` elements.
    #[doc(hidden)]
    #[inline]
    fn sum_block(values: &[Self]) -> Self::Wide {
        in_lanes(values)
    }

    #[doc(hidden)]
    fn add_block(total: &mut Self::Total, block: Self::Wide);

    #[doc(hidden)]
    fn finish_sum(total: Self::Total) -> Self::Sum;

    #[doc(hidden)]
    fn finish_mean(total: Self::Total, count: usize) -> Self::Mean;

    #[doc(hidden)]
    fn to_value(self) -> Self::Value;

    #[doc(hidden)]
    fn has_nan(self) -> bool {
        false
    }

    /// Compares two numbers, neither of which is NaN.
    #[doc(hidden)]
    fn is_value_less(left: Self::Value, right: Self::Value) -> bool;
}

pub(super) mod sealed {
    #[expect(unnameable_types, reason = "no other crate implements it")]
    pub trait Sealed {}
    #[expect(unnameable_types, reason = "no other crate implements it")]
    pub trait Array {}
}

/// Sums a block in 16 lanes, and the lanes pairwise.
#[inline]
fn in_lanes<A: Reduce>(values: &[A]) -> A::Wide {
    if values.len() < 64 {
        pairwise(lanes::<4, _, _>(values, A::widen, A::plus), A::plus)
    } else {
        pairwise(lanes::<16, _, _>(values, A::widen, A::plus), A::plus)
    }
}

/// Sums in independent lanes, so that the compiler can use vectors.
#[inline]
fn lanes<const N: usize, A: Copy, W: Copy + Default>(
    values: &[A],
    widen: impl Fn(A) -> W,
    plus: impl Fn(W, W) -> W,
) -> [W; N] {
    let mut lanes = [W::default(); N];
    let (chunks, rest) = values.as_chunks::<N>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = plus(*lane, widen(*value));
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = plus(*lane, widen(*value));
    }
    lanes
}

/// Sums lanes, whose number is a power of two.
#[inline]
fn pairwise<const N: usize, W: Copy + Default>(
    mut lanes: [W; N],
    plus: impl Fn(W, W) -> W,
) -> W {
    let mut width = N;
    while width > 1 {
        width = width.div_euclid(2);
        let (low, high) = lanes.split_at_mut(width);
        for (low, high) in low.iter_mut().zip(high) {
            *low = plus(*low, *high);
        }
    }
    lanes.first().copied().unwrap_or_default()
}

/// A sum of floats, and what its roundings have lost.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
#[expect(unnameable_types, reason = "it stays within this module")]
pub struct Compensated {
    sum: f64,
    lost: f64,
}

impl Compensated {
    /// Adds a number; `lost` is exact (Knuth's `TwoSum`).
    #[inline]
    fn add(&mut self, number: f64) {
        let sum = self.sum + number;
        let added = sum - self.sum;
        self.lost += (self.sum - (sum - added)) + (number - added);
        self.sum = sum;
    }

    /// Returns the rounded sum. `lost` is NaN once the sum is infinite or NaN.
    fn get(self) -> f64 {
        if self.lost.is_finite() { self.sum + self.lost } else { self.sum }
    }
}

macro_rules! floats {
    ($($T:ty: $widen:expr),*) => {$(
        impl sealed::Sealed for $T {}

        impl Reduce for $T {
            type Value = $T;
            type Sum = f64;
            type Mean = f64;
            type Wide = f64;
            type Total = Compensated;

            #[inline]
            fn widen(self) -> f64 {
                $widen(self)
            }

            #[inline]
            fn plus(left: f64, right: f64) -> f64 {
                left + right
            }

            #[inline]
            fn add_block(total: &mut Compensated, block: f64) {
                total.add(block);
            }

            fn finish_sum(total: Compensated) -> f64 {
                total.get()
            }

            fn finish_mean(total: Compensated, count: usize) -> f64 {
                total.get() / count as f64
            }

            #[inline]
            fn to_value(self) -> $T {
                self
            }

            #[inline]
            fn has_nan(self) -> bool {
                self.is_nan()
            }

            #[inline]
            fn is_value_less(left: $T, right: $T) -> bool {
                left < right
            }
        }
    )*};
}

floats!(f32: f64::from, f64: identity);
#[cfg(feature = "half")]
floats!(half::f16: widen_f16, half::bf16: widen_bf16);

/// Widens without a branch, so that the compiler can use vectors.
#[cfg(feature = "half")]
#[inline]
fn widen_f16(value: half::f16) -> f64 {
    let bits = u32::from(value.to_bits());
    // The exponent of an `f32` is larger by 112; this product is exact for subnormals too.
    let scaled =
        f32::from_bits((bits & 0x7fff) << 13) * f32::from_bits((127 + 112) << 23);
    // The largest exponent is that of infinity and NaN.
    let special = u32::from(scaled >= 65536.0).wrapping_neg() & f32::INFINITY.to_bits();
    let sign = (bits & 0x8000) << 16;
    f32::from_bits(scaled.to_bits() | special | sign).into()
}

#[cfg(feature = "half")]
#[inline]
fn widen_bf16(value: half::bf16) -> f64 {
    f32::from_bits(u32::from(value.to_bits()) << 16).into()
}

/// Widens without loss; the standard library has no `From` for `usize` and `isize`.
macro_rules! widen {
    ($value:ident: isize, $Wide:ty) => {
        $value as $Wide
    };
    ($value:ident: usize, $Wide:ty) => {
        $value as $Wide
    };
    ($value:ident: $T:ident, $Wide:ty) => {
        <$Wide>::from($value)
    };
}

/// Implements `Reduce` for integers.
///
/// No sum overflows, so that wrapping is not seen. An array has fewer than 2⁶³ elements, and
/// elements of 64 bits then have sums between -2¹²⁶ and 2¹²⁷. `Wide` holds the sum of 2³¹ elements
/// of 32 bits, or of any number of elements of 64 bits.
macro_rules! integers {
    ($Sum:ident, $Wide:ident: $($T:ident $block:expr),*) => {$(
        impl sealed::Sealed for $T {}

        impl Reduce for $T {
            type Value = $T;
            type Sum = $Sum;
            type Mean = f64;
            type Wide = $Wide;
            type Total = $Sum;

            #[inline]
            fn widen(self) -> $Wide {
                widen!(self: $T, $Wide)
            }

            #[inline]
            fn plus(left: $Wide, right: $Wide) -> $Wide {
                left.wrapping_add(right)
            }

            #[inline]
            fn sum_block(values: &[Self]) -> $Wide {
                $block(values)
            }

            #[inline]
            fn add_block(total: &mut $Sum, block: $Wide) {
                *total = total.wrapping_add(block.into());
            }

            fn finish_sum(total: $Sum) -> $Sum {
                total
            }

            fn finish_mean(total: $Sum, count: usize) -> f64 {
                total as f64 / count as f64
            }

            #[inline]
            fn to_value(self) -> $T {
                self
            }

            #[inline]
            fn is_value_less(left: $T, right: $T) -> bool {
                left < right
            }
        }
    )*};
}

integers!(i128, i64: i8 narrow::<_, i16, _>, i16 narrow::<_, i32, _>, i32 in_lanes);
integers!(u128, u64: u8 narrow::<_, u16, _>, u16 narrow::<_, u32, _>, u32 in_lanes, bool narrow::<_, u16, _>);
integers!(i128, i128: i64 |v| signed(v, |n| n), isize |v| signed(v, |n| n as i64));
integers!(u128, u128: u64 |v| unsigned(v, |n| n), usize |v| unsigned(v, |n| n as u64));

/// Sums a block in lanes of `L`, twice as wide as `T`: each of 16 lanes adds 128 elements.
#[inline]
fn narrow<T, L, W>(values: &[T]) -> W
where
    T: Copy,
    L: Copy + Default + WrappingAdd + From<T>,
    W: Copy + Default + WrappingAdd + From<L>,
{
    let lanes =
        lanes::<16, _, _>(values, L::from, |left: L, right| left.wrapping_add(&right));
    pairwise(lanes.map(W::from), |left: W, right| left.wrapping_add(&right))
}

/// Sums the upper and the lower half of each number, since vectors have no `u128`.
#[inline]
fn unsigned<T: Copy>(values: &[T], widen: impl Fn(T) -> u64) -> u128 {
    let (mut upper, mut lower) = ([0_u64; 8], [0_u64; 8]);
    let mut add = |chunk: &[T]| {
        for ((upper, lower), value) in upper.iter_mut().zip(&mut lower).zip(chunk) {
            let number = widen(*value);
            *upper = upper.wrapping_add(number >> 32);
            *lower = lower.wrapping_add(number & u64::from(u32::MAX));
        }
    };
    let (chunks, rest) = values.as_chunks::<8>();
    for chunk in chunks {
        add(chunk);
    }
    add(rest);
    let sum = |halves: [u64; 8]| halves.into_iter().map(u128::from).sum::<u128>();
    (sum(upper) << 32).wrapping_add(sum(lower))
}

/// Adds 2⁶³ to each number and subtracts it from the sum.
#[inline]
fn signed<T: Copy>(values: &[T], widen: impl Fn(T) -> i64) -> i128 {
    let sum = unsigned(values, |value| widen(value).cast_unsigned() ^ (1 << 63));
    let added = (values.len() as u128) << 63;
    sum.wrapping_sub(added).cast_signed()
}
