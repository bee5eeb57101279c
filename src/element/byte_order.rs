//! Elements with a declared byte order; knows nothing of files or arrays.
#![expect(unsafe_code, reason = "`Pod` and `Zeroable` are unsafe traits")]

use std::hash::{Hash, Hasher};
use std::iter::{Product, Sum};
use std::{cmp::Ordering, fmt, hint::black_box, ops};

use bytemuck::{Pod, Zeroable};
use ndarray::ScalarOperand;
use num_traits::{
    Bounded, FromBytes, FromPrimitive, Num, NumCast, One, ToBytes, ToPrimitive, Zero,
};

/// A number that can be stored as bytes of a declared order in [`Be`] and [`Le`].
///
/// Implemented for every type that `num_traits` can turn into an array of bytes and
/// back: all primitive integers and floats, and `half`'s floats with the feature `half`.
pub trait Number:
    ToBytes<Bytes: Pod> + FromBytes<Bytes = <Self as ToBytes>::Bytes> + Copy + 'static
{
}

impl<T> Number for T where
    T: ToBytes<Bytes: Pod> + FromBytes<Bytes = <T as ToBytes>::Bytes> + Copy + 'static
{
}

/// Prevents vectorized swaps of eight bytes where scalar swaps are faster.
///
/// Without SSSE3, swapping a vector of two numbers takes nine instructions. Sums of `Be<f64>` then
/// run at half the speed of memory.
#[inline(always)]
fn scalar<B: Copy>(bytes: B) -> B {
    let slow = cfg!(all(target_arch = "x86_64", not(target_feature = "ssse3")));
    if slow && size_of::<B>() == 8 { black_box(bytes) } else { bytes }
}

macro_rules! binary_operators {
    ($Order:ident: $($Op:ident $op:ident $OpAssign:ident $op_assign:ident),*) => {$(
        impl<T: Number + ops::$Op<Output = T>> ops::$Op for $Order<T> {
            type Output = Self;

            #[inline]
            fn $op(self, other: Self) -> Self {
                Self::new(self.get().$op(other.get_alone()))
            }
        }

        impl<T: Number + ops::$Op<Output = T>> ops::$Op<T> for $Order<T> {
            type Output = Self;

            #[inline]
            fn $op(self, other: T) -> Self {
                Self::new(self.get().$op(other))
            }
        }

        impl<T: Number + ops::$Op<Output = T>> ops::$OpAssign for $Order<T> {
            #[inline]
            fn $op_assign(&mut self, other: Self) {
                self.set(self.get().$op(other.get()));
            }
        }

        impl<T: Number + ops::$Op<Output = T>> ops::$OpAssign<T> for $Order<T> {
            #[inline]
            fn $op_assign(&mut self, other: T) {
                self.set(self.get().$op(other));
            }
        }
    )*};
}

macro_rules! into_primitive {
    ($Order:ident: $($T:ty),*) => {$(
        impl From<$Order<$T>> for $T {
            #[inline]
            fn from(value: $Order<$T>) -> $T {
                value.get()
            }
        }
    )*};
}

macro_rules! folds {
    ($Order:ident: $($Fold:ident $fold:ident),*) => {$(
        impl<T: Number + $Fold> $Fold for $Order<T> {
            fn $fold<I: Iterator<Item = Self>>(numbers: I) -> Self {
                Self::new(numbers.map(Self::get).$fold())
            }
        }

        impl<'a, T: Number + $Fold> $Fold<&'a $Order<T>> for $Order<T> {
            fn $fold<I: Iterator<Item = &'a Self>>(numbers: I) -> Self {
                numbers.copied().$fold()
            }
        }
    )*};
}

macro_rules! conversions {
    ($Order:ident: $($N:ident $to:ident $from:ident),*) => {
        impl<T: Number + ToPrimitive> ToPrimitive for $Order<T> {$(
            fn $to(&self) -> Option<$N> {
                self.get().$to()
            }
        )*}

        impl<T: Number + FromPrimitive> FromPrimitive for $Order<T> {$(
            fn $from(n: $N) -> Option<Self> {
                T::$from(n).map(Self::new)
            }
        )*}
    };
}

macro_rules! byte_order {
    ($(#[$doc:meta])* $Order:ident, $to_bytes:ident, $from_bytes:ident, $Other:literal) => {
        $(#[$doc])*
        #[repr(transparent)]
        pub struct $Order<T: Number>(<T as ToBytes>::Bytes);

        // SAFETY: `$Order<T>` is transparent over `T::Bytes`, which is `Pod` by the bound
        // of `Number`. `Pod` types are valid when all their bytes are zero.
        unsafe impl<T: Number> Zeroable for $Order<T> {}

        // SAFETY: `$Order<T>` is transparent over `T::Bytes`, which is `Pod` by the bound
        // of `Number`: no padding, every bit pattern valid, no interior mutability.
        unsafe impl<T: Number> Pod for $Order<T> {}

        impl<T: Number> $Order<T> {
            /// Stores a number in this byte order.
            #[inline]
            pub fn new(value: T) -> Self {
                const { assert!(align_of::<<T as ToBytes>::Bytes>() == 1) };
                Self(value.$to_bytes())
            }

            /// Returns the number.
            #[inline]
            pub fn get(self) -> T {
                const { assert!(align_of::<<T as ToBytes>::Bytes>() == 1) };
                T::$from_bytes(&self.0)
            }

            /// Returns the number, with a scalar swap if that is faster: see `scalar`.
            #[inline]
            pub(super) fn get_alone(self) -> T {
                let swaps = cfg!(target_endian = $Other);
                Self(if swaps { scalar(self.0) } else { self.0 }).get()
            }

            /// Replaces the number.
            #[inline]
            pub fn set(&mut self, value: T) {
                *self = Self::new(value);
            }
        }

        impl<T: Number> Copy for $Order<T> {}

        impl<T: Number> Clone for $Order<T> {
            #[inline]
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: Number> From<T> for $Order<T> {
            #[inline]
            fn from(value: T) -> Self {
                Self::new(value)
            }
        }

        into_primitive!($Order: u8, u16, u32, u64, u128, usize);
        into_primitive!($Order: i8, i16, i32, i64, i128, isize, f32, f64);

        impl<T: Number + Default> Default for $Order<T> {
            fn default() -> Self {
                Self::new(T::default())
            }
        }

        impl<T: Number + fmt::Debug> fmt::Debug for $Order<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl<T: Number + fmt::Display> fmt::Display for $Order<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl<T: Number + PartialEq> PartialEq for $Order<T> {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.get() == other.get()
            }
        }

        impl<T: Number + PartialEq> PartialEq<T> for $Order<T> {
            #[inline]
            fn eq(&self, other: &T) -> bool {
                self.get() == *other
            }
        }

        impl<T: Number + Eq> Eq for $Order<T> {}

        impl<T: Number + PartialOrd> PartialOrd for $Order<T> {
            #[inline]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                self.get().partial_cmp(&other.get())
            }
        }

        impl<T: Number + PartialOrd> PartialOrd<T> for $Order<T> {
            #[inline]
            fn partial_cmp(&self, other: &T) -> Option<Ordering> {
                self.get().partial_cmp(other)
            }
        }

        impl<T: Number + Ord> Ord for $Order<T> {
            #[inline]
            fn cmp(&self, other: &Self) -> Ordering {
                self.get().cmp(&other.get())
            }
        }

        impl<T: Number + Hash> Hash for $Order<T> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.get().hash(state);
            }
        }

        binary_operators!($Order:
            Add add AddAssign add_assign, Sub sub SubAssign sub_assign,
            Mul mul MulAssign mul_assign, Div div DivAssign div_assign,
            Rem rem RemAssign rem_assign);

        impl<T: Number + ops::Neg<Output = T>> ops::Neg for $Order<T> {
            type Output = Self;

            #[inline]
            fn neg(self) -> Self {
                Self::new(self.get().neg())
            }
        }

        impl<T: Number + ops::Neg<Output = T>> ops::Neg for &$Order<T> {
            type Output = $Order<T>;

            #[inline]
            fn neg(self) -> $Order<T> {
                ops::Neg::neg(*self)
            }
        }

        folds!($Order: Sum sum, Product product);

        impl<T: Number + Zero> Zero for $Order<T> {
            #[inline]
            fn zero() -> Self {
                Self::new(T::zero())
            }

            #[inline]
            fn is_zero(&self) -> bool {
                self.get().is_zero()
            }
        }

        impl<T: Number + One> One for $Order<T> {
            #[inline]
            fn one() -> Self {
                Self::new(T::one())
            }
        }

        impl<T: Number + Num> Num for $Order<T> {
            type FromStrRadixErr = T::FromStrRadixErr;

            fn from_str_radix(text: &str, radix: u32) -> Result<Self, T::FromStrRadixErr> {
                T::from_str_radix(text, radix).map(Self::new)
            }
        }

        impl<T: Number + Bounded> Bounded for $Order<T> {
            fn min_value() -> Self {
                Self::new(T::min_value())
            }

            fn max_value() -> Self {
                Self::new(T::max_value())
            }
        }

        conversions!($Order:
            i64 to_i64 from_i64, u64 to_u64 from_u64, i128 to_i128 from_i128,
            u128 to_u128 from_u128, f32 to_f32 from_f32, f64 to_f64 from_f64);

        impl<T: Number + NumCast> NumCast for $Order<T> {
            fn from<N: ToPrimitive>(n: N) -> Option<Self> {
                <T as NumCast>::from(n).map(Self::new)
            }
        }

        impl<T: Number> ScalarOperand for $Order<T> {}
    };
}

byte_order! {
    /// A number stored with its most significant byte first, at any offset.
    ///
    /// Use this element type for NumPy's `>i2`, `>f8` and similar types, and for SRTM, FITS and
    /// other big-endian formats. The alignment is 1, so that elements can be mapped at any
    /// offset. On a big-endian machine the alignment is the only difference from `T`.
    ///
    /// Comparison, hashing, arithmetic and printing are those of the number. ndarray's `sum` and
    /// `mean` therefore work as for `T`, and sums of small integers overflow. Use
    /// [`Reductions`](crate::Reductions) for sums, means and extremes in wide types. Use
    /// [`get`](Be::get) for other methods of the number, as in `a.mapv(Be::get).std(0.0)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray_memmap::Be;
    ///
    /// let height = Be::new(1076_i16);
    /// assert_eq!(bytemuck::bytes_of(&height), [0x04, 0x34]);
    /// assert_eq!(f64::from(height.get()) / 1000.0, 1.076);
    /// assert_eq!(height + 24, Be::new(1100));
    /// ```
    #[doc(alias = "big endian")]
    #[doc(alias = "byteswap")]
    Be, to_be_bytes, from_be_bytes, "little"
}

byte_order! {
    /// A number stored with its least significant byte first, at any offset.
    ///
    /// On a little-endian machine, `Le<T>` has the same bytes as `T`, but the alignment is 1.
    /// Use this element type for data whose offset is not aligned for `T`. The documentation
    /// of [`Be`] applies to `Le` too.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray_memmap::Le;
    ///
    /// assert_eq!(bytemuck::bytes_of(&Le::new(1076_i16)), [0x34, 0x04]);
    /// assert_eq!(align_of::<Le<f64>>(), 1);
    /// ```
    #[doc(alias = "little endian")]
    #[doc(alias = "byteswap")]
    Le, to_le_bytes, from_le_bytes, "big"
}
