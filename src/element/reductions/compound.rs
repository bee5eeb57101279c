//! The arithmetic of elements made of other numbers: byte orders, complex numbers, 128 bits.

use std::convert::identity;

use super::number::{Reduce, sealed};
use crate::element::{Be, Le, Number};

macro_rules! byte_orders {
    ($($Order:ident),*) => {$(
        impl<T: Number + Reduce> sealed::Sealed for $Order<T> {}

        impl<T: Number + Reduce> Reduce for $Order<T> {
            type Value = T::Value;
            type Sum = T::Sum;
            type Mean = T::Mean;
            type Wide = T::Wide;
            type Total = T::Total;

            #[inline]
            fn widen(self) -> T::Wide {
                self.get_alone().widen()
            }

            #[inline]
            fn plus(left: T::Wide, right: T::Wide) -> T::Wide {
                T::plus(left, right)
            }

            #[inline]
            fn add_block(total: &mut T::Total, block: T::Wide) {
                T::add_block(total, block);
            }

            fn finish_sum(total: T::Total) -> T::Sum {
                T::finish_sum(total)
            }

            fn finish_mean(total: T::Total, count: usize) -> T::Mean {
                T::finish_mean(total, count)
            }

            #[inline]
            fn to_value(self) -> T::Value {
                self.get().to_value()
            }

            #[inline]
            fn has_nan(self) -> bool {
                self.get().has_nan()
            }

            #[inline]
            fn is_value_less(left: T::Value, right: T::Value) -> bool {
                T::is_value_less(left, right)
            }
        }
    )*};
}

byte_orders!(Be, Le);

/// Implements `Reduce` for integers of 128 bits.
///
/// The type `$Halves` has the sums of the upper and of the lower 64 bits of fewer than 2⁶³
/// elements, neither of which overflows. Additions may thus wrap.
macro_rules! wide_integers {
    ($($T:ident $Halves:ident $to_unsigned:path, $from_unsigned:path);*) => {$(
        #[doc(hidden)]
        #[derive(Clone, Copy, Debug, Default)]
        #[expect(unnameable_types, reason = "it stays within this module")]
        pub struct $Halves {
            upper: $T,
            lower: u128,
        }

        impl $Halves {
            #[inline]
            fn new(value: $T) -> Self {
                Self { upper: value >> 64, lower: $to_unsigned(value) & LOWER }
            }

            /// Moves into the upper half what the lower half has carried.
            fn carry(self) -> ($T, $T) {
                let carried = $from_unsigned(self.lower >> 64);
                (self.upper.wrapping_add(carried), $from_unsigned(self.lower & LOWER))
            }
        }

        impl sealed::Sealed for $T {}

        impl Reduce for $T {
            type Value = $T;
            type Sum = $T;
            type Mean = f64;
            type Wide = $Halves;
            type Total = $Halves;

            #[inline]
            fn widen(self) -> $Halves {
                $Halves::new(self)
            }

            #[inline]
            fn plus(left: $Halves, right: $Halves) -> $Halves {
                $Halves {
                    upper: left.upper.wrapping_add(right.upper),
                    lower: left.lower.wrapping_add(right.lower),
                }
            }

            #[inline]
            fn add_block(total: &mut $Halves, block: $Halves) {
                *total = Self::plus(*total, block);
            }

            fn finish_sum(total: $Halves) -> $T {
                let (upper, lower) = total.carry();
                let upper = upper.checked_mul(1 << 64);
                upper.expect("the sum of integers fits into 128 bits") | lower
            }

            fn finish_mean(total: $Halves, count: usize) -> f64 {
                let (upper, lower) = total.carry();
                let sum = match upper.checked_mul(1 << 64) {
                    Some(upper) => (upper | lower) as f64,
                    // So large a number cancels no digits of the lower half.
                    None => upper as f64 * 2_f64.powi(64) + lower as f64,
                };
                sum / count as f64
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

/// The lower half of an integer.
const LOWER: u128 = (1 << 64) - 1;

wide_integers!(
    i128 SignedHalves i128::cast_unsigned, u128::cast_signed;
    u128 UnsignedHalves identity, identity
);

#[cfg(feature = "num-complex")]
mod complex {
    use num_complex::Complex;

    use super::{Reduce, sealed};

    impl<T: Reduce<Mean = f64>> sealed::Sealed for Complex<T> {}

    impl<T: Reduce<Mean = f64>> Reduce for Complex<T> {
        type Value = Complex<T::Value>;
        type Sum = Complex<T::Sum>;
        type Mean = Complex<f64>;
        type Wide = Complex<T::Wide>;
        type Total = Complex<T::Total>;

        #[inline]
        fn widen(self) -> Complex<T::Wide> {
            Complex::new(self.re.widen(), self.im.widen())
        }

        #[inline]
        fn plus(left: Complex<T::Wide>, right: Complex<T::Wide>) -> Complex<T::Wide> {
            Complex::new(T::plus(left.re, right.re), T::plus(left.im, right.im))
        }

        #[inline]
        fn add_block(total: &mut Complex<T::Total>, block: Complex<T::Wide>) {
            T::add_block(&mut total.re, block.re);
            T::add_block(&mut total.im, block.im);
        }

        fn finish_sum(total: Complex<T::Total>) -> Complex<T::Sum> {
            Complex::new(T::finish_sum(total.re), T::finish_sum(total.im))
        }

        fn finish_mean(total: Complex<T::Total>, count: usize) -> Complex<f64> {
            Complex::new(T::finish_mean(total.re, count), T::finish_mean(total.im, count))
        }

        #[inline]
        fn to_value(self) -> Complex<T::Value> {
            Complex::new(self.re.to_value(), self.im.to_value())
        }

        #[inline]
        fn has_nan(self) -> bool {
            self.re.has_nan() | self.im.has_nan()
        }

        #[inline]
        fn is_value_less(left: Complex<T::Value>, right: Complex<T::Value>) -> bool {
            T::is_value_less(left.re, right.re)
                || left.re == right.re && T::is_value_less(left.im, right.im)
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Axis, array};

    use crate::element::Reductions;

    #[test]
    fn means_of_128_bits_lose_no_small_number() {
        assert_eq!(array![-1_i128].wide_mean(), -1.0);
        assert_eq!(array![[-100_i128, -200], [1, 2]].wide_mean(), -74.25);
        let means = array![[-100_i128, -200], [1, 2]].wide_mean_axis(Axis(1));
        assert_eq!(means, array![-150.0, 1.5]);
        assert_eq!(array![i128::MAX, i128::MAX].wide_mean(), 2_f64.powi(127));
        assert_eq!(array![i128::MIN, i128::MIN, i128::MIN].wide_mean(), -2_f64.powi(127));
        assert_eq!(array![u128::MAX, u128::MAX].wide_mean(), 2_f64.powi(128));
    }

    #[test]
    fn an_axis_without_sums_may_have_any_length() {
        let empty = Array2::<f32>::zeros((usize::MAX / 8, 0));
        assert_eq!(empty.wide_sum_axis(Axis(0)).len(), 0);
        assert_eq!(empty.wide_mean_axis(Axis(0)).len(), 0);
    }
}
