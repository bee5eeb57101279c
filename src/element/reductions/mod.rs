//! Sums, means and extremes with NumPy's results; knows arrays, and nothing of files.

mod along_axis;
mod compound;
mod lanes;
mod number;

pub use number::Reduce;

use ndarray::{Array, ArrayRef, Axis, Dimension, RemoveAxis};

use lanes::{extreme, total};
use number::sealed;

/// Sums, means and extremes of arrays, exact enough for any number of elements.
///
/// ndarray's `sum` and `mean` compute in the element type. Integers overflow there, and a sum of
/// `f32` loses whole elements: the sum of 3·10⁸ ones is 134,217,728. The methods of this trait
/// compute in the wide types of [`Reduce`]:
///
/// | elements | sum | mean | maximum, minimum |
/// |---|---|---|---|
/// | `f32`, `f64`, `half::f16`, `half::bf16` | `f64` | `f64` | the element type |
/// | `i8` to `i128`, `isize` | `i128` | `f64` | the element type |
/// | `u8` to `u128`, `usize` | `u128` | `f64` | the element type |
/// | `bool` | `u128`, the number of `true` | `f64` | `bool` |
/// | `num_complex::Complex<T>` | `Complex` of the sum of `T` | `Complex<f64>` | `Complex` |
/// | [`Be<T>`](crate::Be), [`Le<T>`](crate::Le) | as of `T` | as of `T` | as of `T` |
///
/// Sums of integers are exact. Sums of floats are accurate to about 10⁻¹⁴ of the sum of absolute
/// values: elements are added in blocks, and the sums of blocks with compensation. Contiguous
/// arrays of `f32` and `f64` are summed at the speed of memory. Other arrays are read in the order
/// of memory.
///
/// The trait is implemented for ndarray's `ArrayRef`. All arrays deref to it: handles, views, owned
/// arrays, and the blocks of a [`sweep`](crate::MmapArray::sweep). Arrays larger than memory are
/// reduced best by a sweep. The sum does not depend on the block size, except for the rounding
/// described above.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("samples.f32");
/// # std::fs::write(&path, bytemuck::cast_slice(&vec![0.1_f32; 100_000]))?;
/// use ndarray::Axis;
/// use ndarray_memmap::{MapOptions, Mode, Reductions};
///
/// // SAFETY: no other code uses the file.
/// let a = unsafe { MapOptions::new(Mode::ReadOnly).rows_of(10).open::<f32>(&path)? };
/// let sum = a.wide_sum();
/// assert_eq!(sum, 100_000.0 * f64::from(0.1_f32));
/// assert_eq!(a.maximum(), Some(0.1));
/// assert_ne!(a.sum(), sum as f32); // ndarray's sum of `f32`
///
/// // An array larger than memory, block by block.
/// let mut total = 0.0;
/// for block in a.sweep(Axis(0), 1 << 16)? {
///     total += block.wide_sum();
/// }
/// assert!((total / sum - 1.0).abs() < 1e-12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A function for arrays of any numbers whose sum is a float:
///
/// ```
/// use ndarray::{ArrayRef1, array};
/// use ndarray_memmap::{Reduce, Reductions};
///
/// fn spread<A: Reduce<Value = A> + Into<f64>>(a: &ArrayRef1<A>) -> Option<f64> {
///     Some(a.maximum()?.into() - a.minimum()?.into())
/// }
/// assert_eq!(spread(&array![1_u8, 255, 7]), Some(254.0));
/// ```
pub trait Reductions<A: Reduce, D: Dimension>: sealed::Array {
    /// Returns the sum of all elements.
    ///
    /// Returns 0 if the array is empty. A sum of floats with a NaN, or with infinities of both
    /// signs, is NaN.
    ///
    /// # Panics
    ///
    /// Panics if the sum of elements of type `i128` or `u128` does not fit into that type. Sums of
    /// other integers always fit.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use ndarray_memmap::{Be, Reductions};
    ///
    /// assert_eq!(array![i64::MAX, i64::MAX].wide_sum(), 2 * i128::from(i64::MAX));
    /// assert_eq!(array![[true, false], [true, true]].wide_sum(), 3);
    /// assert_eq!(array![Be::new(0.5_f32), Be::new(0.25)].wide_sum(), 0.75);
    /// assert_eq!(Array1::<f32>::zeros(0).wide_sum(), 0.0);
    /// ```
    fn wide_sum(&self) -> A::Sum;

    /// Returns the mean of all elements.
    ///
    /// Returns NaN if the array is empty, as NumPy does. Means of integers never overflow. The
    /// parts of complex means are independent: NaN in one part leaves the other as it is.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use ndarray_memmap::Reductions;
    ///
    /// assert_eq!(array![250_u8, 251].wide_mean(), 250.5);
    /// assert_eq!(array![true, true, false, false].wide_mean(), 0.5);
    /// assert!(Array1::<f32>::zeros(0).wide_mean().is_nan());
    /// ```
    fn wide_mean(&self) -> A::Mean;

    /// Returns the sums along an axis.
    ///
    /// Each sum is that of [`wide_sum`](Self::wide_sum) of one lane. The result keeps the order of
    /// the remaining axes in memory: sums of an array in Fortran order are in Fortran order.
    ///
    /// # Panics
    ///
    /// Panics if `axis` is out of bounds, and as `wide_sum` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::Reductions;
    ///
    /// let a = array![[100_u8, 200], [101, 201]];
    /// assert_eq!(a.wide_sum_axis(Axis(0)), array![201, 401]);
    /// assert_eq!(a.wide_sum_axis(Axis(1)), array![300, 302]);
    /// ```
    fn wide_sum_axis(&self, axis: Axis) -> Array<A::Sum, D::Smaller>
    where
        D: RemoveAxis;

    /// Returns the means along an axis.
    ///
    /// Each mean is that of [`wide_mean`](Self::wide_mean) of one lane, in the order of
    /// [`wide_sum_axis`](Self::wide_sum_axis). The means along an axis of length 0 are NaN.
    ///
    /// # Panics
    ///
    /// Panics if `axis` is out of bounds.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::Reductions;
    ///
    /// let a = array![[100_u8, 200], [101, 201]];
    /// assert_eq!(a.wide_mean_axis(Axis(0)), array![100.5, 200.5]);
    /// ```
    fn wide_mean_axis(&self, axis: Axis) -> Array<A::Mean, D::Smaller>
    where
        D: RemoveAxis;

    /// Returns the largest element, or `None` if the array is empty.
    ///
    /// As in NumPy, the result is NaN if any element is NaN. Complex numbers are compared by their
    /// real parts, and by their imaginary parts if the real parts are equal. A complex number is
    /// NaN if either part is NaN.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use ndarray_memmap::{Be, Reductions};
    ///
    /// assert_eq!(array![-3.0, f64::NEG_INFINITY].maximum(), Some(-3.0));
    /// assert!(array![1.0, f64::NAN, 3.0].maximum().is_some_and(f64::is_nan));
    /// assert_eq!(array![Be::new(-3_i16), Be::new(-2)].maximum(), Some(-2));
    /// assert_eq!(Array1::<f32>::zeros(0).maximum(), None);
    /// ```
    fn maximum(&self) -> Option<A::Value>;

    /// Returns the smallest element, or `None` if the array is empty.
    ///
    /// NaN and complex numbers are treated as in [`maximum`](Self::maximum).
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::array;
    /// use ndarray_memmap::Reductions;
    ///
    /// assert_eq!(array![3_u8, 1, 2].minimum(), Some(1));
    /// assert!(array![1.0, f64::NAN, 3.0].minimum().is_some_and(f64::is_nan));
    /// ```
    fn minimum(&self) -> Option<A::Value>;
}

impl<A, D> sealed::Array for ArrayRef<A, D> {}

impl<A: Reduce, D: Dimension> Reductions<A, D> for ArrayRef<A, D> {
    #[track_caller]
    fn wide_sum(&self) -> A::Sum {
        A::finish_sum(total(self))
    }

    fn wide_mean(&self) -> A::Mean {
        A::finish_mean(total(self), self.len())
    }

    #[track_caller]
    fn wide_sum_axis(&self, axis: Axis) -> Array<A::Sum, D::Smaller>
    where
        D: RemoveAxis,
    {
        along_axis::reduce(self, axis, A::finish_sum)
    }

    #[track_caller]
    fn wide_mean_axis(&self, axis: Axis) -> Array<A::Mean, D::Smaller>
    where
        D: RemoveAxis,
    {
        let count = self.shape().get(axis.index()).copied().unwrap_or(0);
        along_axis::reduce(self, axis, |total| A::finish_mean(total, count))
    }

    fn maximum(&self) -> Option<A::Value> {
        extreme(self, |value, best| A::is_value_less(best, value))
    }

    fn minimum(&self) -> Option<A::Value> {
        extreme(self, |value, best| A::is_value_less(value, best))
    }
}
