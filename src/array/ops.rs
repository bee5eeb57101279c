//! Operators and formats of handles, as ndarray has them for arrays; computes nothing itself.

use std::fmt;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

use ndarray::linalg::Dot;
use ndarray::{ArrayBase, ArrayRef, Data, DataMut, Dimension};

use super::MmapArray;
use crate::element::Element;

/// Forwards an operator between two references, which deref to references to ndarray's arrays.
macro_rules! references {
    ($Op:ident $op:ident: $Left:ty, $Right:ty; as $L:ty, $R:ty; with $($T:ident$(: $Bound:ident)?),*) => {
        impl<'a, $($T,)* D, E> $Op<&'a $Right> for &'a $Left
        where
            $($($T: $Bound,)?)*
            D: Dimension,
            E: Dimension,
            &'a $L: $Op<&'a $R>,
        {
            type Output = <&'a $L as $Op<&'a $R>>::Output;

            #[track_caller]
            fn $op(self, other: &'a $Right) -> Self::Output {
                let (left, right): (&'a $L, &'a $R) = (self, other);
                left.$op(right)
            }
        }
    };
}

/// Forwards an operator between handles, arrays and references to arrays to ndarray.
///
/// The bound `Element` ends the compiler's search for an operand. Without the bound, the compiler
/// also considers arrays of references to arrays, and does not compile generic code for ndarray
/// that has nothing to do with this crate.
macro_rules! binary {
    ($Op:ident, $op:ident, $OpAssign:ident, $op_assign:ident) => {
        references! { $Op $op: MmapArray<A, D>, MmapArray<B, E>;
        as ArrayRef<A, D>, ArrayRef<B, E>; with A: Element, B: Element }
        references! { $Op $op: MmapArray<A, D>, ArrayRef<B, E>;
        as ArrayRef<A, D>, ArrayRef<B, E>; with A: Element, B }
        references! { $Op $op: ArrayRef<A, D>, MmapArray<B, E>;
        as ArrayRef<A, D>, ArrayRef<B, E>; with A, B: Element }
        references! { $Op $op: MmapArray<A, D>, ArrayBase<S, E>;
        as ArrayRef<A, D>, ArrayRef<S::Elem, E>; with A: Element, S: Data }
        references! { $Op $op: ArrayBase<S, D>, MmapArray<B, E>;
        as ArrayRef<S::Elem, D>, ArrayRef<B, E>; with B: Element, S: Data }

        impl<'a, A, S, D, E> $Op<ArrayBase<S, E>> for &'a MmapArray<A, D>
        where
            A: Element,
            S: Data,
            D: Dimension,
            &'a ArrayRef<A, D>: $Op<ArrayBase<S, E>>,
        {
            type Output = <&'a ArrayRef<A, D> as $Op<ArrayBase<S, E>>>::Output;

            #[track_caller]
            fn $op(self, other: ArrayBase<S, E>) -> Self::Output {
                (&**self).$op(other)
            }
        }

        impl<'a, B, S, D, E> $Op<&'a MmapArray<B, E>> for ArrayBase<S, D>
        where
            B: Element,
            S: Data,
            E: Dimension,
            Self: $Op<&'a ArrayRef<B, E>>,
        {
            type Output = <Self as $Op<&'a ArrayRef<B, E>>>::Output;

            #[track_caller]
            fn $op(self, other: &'a MmapArray<B, E>) -> Self::Output {
                self.$op(&**other)
            }
        }

        impl<A, D, E> $OpAssign<&MmapArray<A, E>> for ArrayRef<A, D>
        where
            A: Element,
            D: Dimension,
            E: Dimension,
            Self: for<'a> $OpAssign<&'a ArrayRef<A, E>>,
        {
            #[track_caller]
            fn $op_assign(&mut self, other: &MmapArray<A, E>) {
                self.$op_assign(&**other);
            }
        }

        impl<A, S, D, E> $OpAssign<&MmapArray<A, E>> for ArrayBase<S, D>
        where
            A: Element,
            S: DataMut<Elem = A>,
            D: Dimension,
            E: Dimension,
            ArrayRef<A, D>: for<'a> $OpAssign<&'a ArrayRef<A, E>>,
        {
            #[track_caller]
            fn $op_assign(&mut self, other: &MmapArray<A, E>) {
                (**self).$op_assign(&**other);
            }
        }
    };
}

binary!(Add, add, AddAssign, add_assign);
binary!(Sub, sub, SubAssign, sub_assign);
binary!(Mul, mul, MulAssign, mul_assign);
binary!(Div, div, DivAssign, div_assign);

impl<'a, A: Element, D: Dimension> Neg for &'a MmapArray<A, D>
where
    &'a ArrayRef<A, D>: Neg,
{
    type Output = <&'a ArrayRef<A, D> as Neg>::Output;

    fn neg(self) -> Self::Output {
        (&**self).neg()
    }
}

/// Forwards operators with one number to ndarray, which has them for these types.
macro_rules! scalars {
    ($($Op:ident $op:ident: $($T:ty),*;)*) => {$($(
        impl<'a, A: Element, D: Dimension> $Op<$T> for &'a MmapArray<A, D>
        where
            &'a ArrayRef<A, D>: $Op<$T>,
        {
            type Output = <&'a ArrayRef<A, D> as $Op<$T>>::Output;

            fn $op(self, number: $T) -> Self::Output {
                (&**self).$op(number)
            }
        }

        impl<'a, D: Dimension> $Op<&'a MmapArray<$T, D>> for $T
        where
            $T: $Op<&'a ArrayRef<$T, D>>,
        {
            type Output = <$T as $Op<&'a ArrayRef<$T, D>>>::Output;

            fn $op(self, array: &'a MmapArray<$T, D>) -> Self::Output {
                $Op::$op(self, &**array)
            }
        }
    )*)*};
}

scalars! {
    Add add: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64;
    Sub sub: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64;
    Mul mul: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64;
    Div div: i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, f32, f64;
}

#[cfg(feature = "num-complex")]
mod complex {
    use num_complex::Complex;

    use super::{Add, ArrayRef, Dimension, Div, Element, MmapArray, Mul, Sub};

    scalars! {
        Add add: Complex<f32>, Complex<f64>;
        Sub sub: Complex<f32>, Complex<f64>;
        Mul mul: Complex<f32>, Complex<f64>;
        Div div: Complex<f32>, Complex<f64>;
    }
}

impl<A, B, D, E> Dot<MmapArray<B, E>> for ArrayRef<A, D>
where
    D: Dimension,
    E: Dimension,
    Self: Dot<ArrayRef<B, E>>,
{
    type Output = <Self as Dot<ArrayRef<B, E>>>::Output;

    #[track_caller]
    fn dot(&self, other: &MmapArray<B, E>) -> Self::Output {
        Dot::dot(self, &**other)
    }
}

impl<S, B, D, E> Dot<MmapArray<B, E>> for ArrayBase<S, D>
where
    S: Data,
    D: Dimension,
    E: Dimension,
    ArrayRef<S::Elem, D>: Dot<ArrayRef<B, E>>,
{
    type Output = <ArrayRef<S::Elem, D> as Dot<ArrayRef<B, E>>>::Output;

    #[track_caller]
    fn dot(&self, other: &MmapArray<B, E>) -> Self::Output {
        Dot::dot(&**self, &**other)
    }
}

impl<A, D, Rhs: ?Sized> Dot<Rhs> for MmapArray<A, D>
where
    D: Dimension,
    ArrayRef<A, D>: Dot<Rhs>,
{
    type Output = <ArrayRef<A, D> as Dot<Rhs>>::Output;

    #[track_caller]
    fn dot(&self, other: &Rhs) -> Self::Output {
        Dot::dot(&**self, other)
    }
}

/// Forwards a format of the elements to ndarray. `Debug` describes the handle instead.
macro_rules! formats {
    ($($Format:ident),*) => {$(
        impl<A: fmt::$Format, D: Dimension> fmt::$Format for MmapArray<A, D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::$Format::fmt(&**self, f)
            }
        }
    )*};
}

formats!(Display, LowerExp, UpperExp, LowerHex, Binary);
