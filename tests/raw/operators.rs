//! Operators, `dot` and formats of handles: the same values as ndarray's own, with every operand.

use std::ops::{Add, Mul};

use ndarray::linalg::Dot;
use ndarray::{Array1, Array2, ArrayRef2, Axis, CowArray, Ix2, array, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{MapOptions, MmapArray, MmapArray1, MmapArray2};
use test_support::twelve::{numbers, open_twelve, twelve};

/// Returns an array of integers from 1 on, and its handle.
fn counted(rows: usize, columns: usize) -> (Array2<i32>, MmapArray2<i32>) {
    let count = i32::try_from(rows * columns).unwrap();
    let own = Array1::from_iter(1..=count).into_shape_with_order((rows, columns));
    let own = own.unwrap();
    let mut mapped = MapOptions::scratch((rows, columns)).unwrap();
    mapped.view_mut().unwrap().assign(&own);
    (own, mapped)
}

/// Compares an operator on handles with the same operator on arrays, for every kind of operand.
macro_rules! assert_same {
    ($op:tt) => {{
        let (x, a) = counted(3, 4);
        let (y, b) = (&x + 5, counted(3, 4).1);
        let (row, mapped_row) = (array![2, 3, 4, 5], row());
        assert_eq!(&a $op &b, &x $op &x, "handle and handle");
        assert_eq!(&a $op &a, &x $op &x, "the same handle twice");
        assert_eq!(&a $op &y, &x $op &y, "handle and array");
        assert_eq!(&y $op &a, &y $op &x, "array and handle");
        assert_eq!(&a $op y.clone(), &x $op y.clone(), "handle and owned array");
        assert_eq!(y.clone() $op &a, y.clone() $op &x, "owned array and handle");
        assert_eq!(&a $op &y.view(), &x $op &y, "handle and view");
        assert_eq!(&y.view() $op &a, &y $op &x, "view and handle");
        assert_eq!(&a $op &CowArray::from(&y), &x $op &y, "handle and shared array");
        assert_eq!(&a $op &y.to_shared(), &x $op &y, "handle and counted array");
        let whole: &ArrayRef2<i32> = &y;
        assert_eq!(&a $op whole, &x $op &y, "handle and `ArrayRef`");
        assert_eq!(whole $op &a, &y $op &x, "`ArrayRef` and handle");
        assert_eq!(&a $op &row, &x $op &row, "the row is broadcast");
        assert_eq!(&row $op &a, &row $op &x, "the row is broadcast");
        assert_eq!(&a $op &mapped_row, &x $op &row, "the mapped row is broadcast");
        assert_eq!(&mapped_row $op &a, &row $op &x, "the mapped row is broadcast");
        assert_eq!(&a $op &y.slice(s![1, ..]), &x $op &y.slice(s![1, ..]), "a slice");
        assert_eq!(&a $op 7, &x $op 7, "a number on the right");
        assert_eq!(7 $op &a, 7 $op &x, "a number on the left");
        assert_eq!((&a $op &b) $op &a, (&x $op &x) $op &x, "the result is an array");
        assert_eq!(a, x, "the operands are unchanged");
    }};
}

fn row() -> MmapArray1<i32> {
    let mut row = MapOptions::scratch(4).unwrap();
    row.view_mut().unwrap().assign(&array![2, 3, 4, 5]);
    row
}

#[test]
fn operators_return_the_values_of_ndarray_for_every_operand() {
    assert_same!(+);
    assert_same!(-);
    assert_same!(*);
    assert_same!(/);
    let (x, a) = counted(2, 3);
    assert_eq!(-&a, -&x);
}

#[test]
fn operators_work_on_files_in_every_mode_and_order() {
    let place = twelve();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let a = open_twelve(&place, mode);
        let x = a.to_owned();
        assert_eq!(&a + &a, &x * 2.0, "{mode}");
        assert_eq!(2.0 * &a - 1.0, 2.0 * &x - 1.0, "{mode}");
        assert_eq!(&a.t() * &a.t(), &x.t() * &x.t(), "{mode}");
        let a = a.into_dyn();
        assert_eq!(&a / &x, Array2::<f64>::ones((3, 4)).into_dyn(), "{mode}");
        assert_eq!(&x - &a, Array2::<f64>::zeros((3, 4)).into_dyn(), "{mode}");
    }
}

/// Applies each operator to a handle and a number, on either side.
macro_rules! assert_number {
    ($number:expr) => {{
        let number = $number;
        let zero = number - number;
        let mut a = MapOptions::scratch(2).unwrap();
        assert_eq!(&a + number, array![number, number]);
        assert_eq!(number + &a, array![number, number]);
        a.view_mut().unwrap().fill(number);
        assert_eq!(&a - number, array![zero, zero]);
        assert_eq!(number - &a, array![zero, zero]);
        assert_eq!(number * &a, array![number * number, number * number]);
        assert_eq!(&a * number, array![number * number, number * number]);
        assert_eq!(number / &a, array![number / number, number / number]);
        assert_eq!(&a / number, array![number / number, number / number]);
    }};
}

#[test]
fn every_number_type_of_ndarray_stands_on_either_side() {
    assert_number!(5_i8);
    assert_number!(5_u8);
    assert_number!(5_i16);
    assert_number!(5_u16);
    assert_number!(5_i32);
    assert_number!(5_u32);
    assert_number!(5_i64);
    assert_number!(5_u64);
    assert_number!(5_isize);
    assert_number!(5_usize);
    assert_number!(0.5_f32);
    assert_number!(0.5_f64);
    #[cfg(feature = "num-complex")]
    {
        use num_complex::Complex;

        assert_number!(Complex::new(1.0_f32, 2.0));
        assert_number!(Complex::new(1.0_f64, 2.0));
    }
}

#[test]
fn assigning_operators_change_the_file_through_views() {
    let place = twelve();
    let other = open_twelve(&twelve(), ReadOnly);
    let mut a = open_twelve(&place, ReadWrite);
    let mut expected = a.to_owned();
    let mut view = a.view_mut().unwrap();
    view += &other;
    view *= &other;
    view -= 1.0;
    view.row_mut(1).assign(&other.row(0));
    view /= &other;
    let mut row = view.row_mut(2);
    row += &other.row(0);
    a.sync().unwrap();
    expected += &other;
    expected *= &other.view();
    expected -= 1.0;
    expected.row_mut(1).assign(&other.row(0));
    expected /= &other;
    let mut row = expected.row_mut(2);
    row += &other.row(0);
    assert_eq!(a, expected);
    assert_eq!(numbers(&place), expected.into_raw_vec_and_offset().0);

    let mut sum = Array2::zeros((3, 4));
    sum += &other;
    sum -= &open_twelve(&place, ReadOnly);
    assert_eq!(sum, &other - &a);
}

#[test]
#[should_panic(expected = "IncompatibleShape")]
fn operands_of_other_shapes_panic_as_in_ndarray() {
    let _ = &counted(3, 4).1 + &counted(4, 3).1;
}

/// The compiler infers the operand of such a function only if no operator of this crate fits.
#[test]
fn generic_code_for_ndarray_compiles_beside_the_operators_of_handles() {
    fn plus<A: Clone>(x: A) -> Array1<A>
    where
        for<'a> &'a Array1<A>: Add<A, Output = Array1<A>>,
    {
        &Array1::from(vec![x.clone()]) + x
    }
    fn times<A>(x: A) -> Array1<A>
    where
        for<'a> A: Clone + Mul<&'a Array1<A>, Output = Array1<A>>,
    {
        x.clone() * &Array1::from(vec![x])
    }
    fn generic<A, B, C>(a: &A, b: B) -> C
    where
        for<'a> &'a A: Add<B, Output = C>,
    {
        a + b
    }
    assert_eq!(plus(2.0), array![4.0]);
    assert_eq!(times(3.0), array![9.0]);
    assert_eq!(generic(&array![1.0], 2.0), array![3.0]);
    let mut a = MapOptions::scratch(1).unwrap();
    a.view_mut().unwrap().fill(5);
    assert_eq!(generic(&a, 2), array![7]);
}

#[test]
fn dot_returns_the_products_of_ndarray_both_ways() {
    let (x, a) = counted(3, 4);
    let (y, b) = counted(4, 2);
    let (v, w) = (array![2, 3, 4, 5], row());
    assert_eq!(a.dot(&b), x.dot(&y), "handle and handle");
    assert_eq!(a.dot(&y), x.dot(&y), "handle and array");
    assert_eq!(a.dot(&y.view()), x.dot(&y), "handle and view");
    assert_eq!(Dot::dot(&*x, &b), x.dot(&y), "`ArrayRef` and handle");
    assert_eq!(x.dot(&*b), x.dot(&y), "array and handle");
    assert_eq!(a.dot(&v), x.dot(&v), "matrix and vector");
    assert_eq!(a.dot(&w), x.dot(&v), "matrix and mapped vector");
    assert_eq!(w.dot(&b), v.dot(&y), "mapped vector and matrix");
    assert_eq!(w.dot(&w), v.dot(&v), "the inner product");
    assert_eq!(w.dot(&v), 54);
    assert_eq!(a.t().dot(&*a), x.t().dot(&x), "transposed");
    // BLAS-like kernels of ndarray: the same bits for numbers that are rounded.
    let mut c: MmapArray<f64, Ix2> = MapOptions::scratch((40, 30)).unwrap();
    let d = Array2::from_shape_fn((40, 30), |(i, j)| 1.0 / (1 + i + 7 * j) as f64);
    c.view_mut().unwrap().assign(&d);
    assert_eq!(c.dot(&c.t()), d.dot(&d.t()));
    assert_eq!(c.into_dyn().sum_axis(Axis(0)), d.sum_axis(Axis(0)).into_dyn());
}

#[test]
fn formats_are_those_of_the_elements() {
    let (x, a) = counted(2, 3);
    assert_eq!(format!("{a}"), "[[1, 2, 3],\n [4, 5, 6]]");
    assert_eq!(format!("{a:04}"), format!("{x:04}"));
    assert_eq!(format!("{a:x}"), format!("{x:x}"));
    assert_eq!(format!("{a:#06x}"), format!("{x:#06x}"));
    assert_eq!(format!("{a:b}"), format!("{x:b}"));
    assert_eq!(format!("{a:#010b}"), format!("{x:#010b}"));
    assert_eq!(format!("{a:e}"), format!("{x:e}"));
    let b = open_twelve(&twelve(), ReadOnly);
    assert_eq!(format!("{b:.3}"), format!("{:.3}", b.to_owned()));
    assert_eq!(format!("{b:e}"), format!("{:e}", b.to_owned()));
    assert_eq!(format!("{b:.1E}"), format!("{:.1E}", b.to_owned()));
    // Large arrays are shortened as in ndarray.
    let c = MapOptions::scratch::<u8, _>((600, 600)).unwrap();
    assert_eq!(format!("{c}"), format!("{}", c.to_owned()));
    assert!(format!("{c}").len() < 10_000);
    // `Debug` describes the handle.
    assert_eq!(
        format!("{a:?}"),
        "MmapArray { path: None, shape: [2, 3], mode: CreateNew, .. }"
    );
}

#[test]
fn references_to_arrays_are_assigned_to_with_handles() {
    let mut ones = Array2::<f64>::ones((2, 2));
    let mut a = MapOptions::scratch::<f64, _>((2, 2)).unwrap();
    a.view_mut().unwrap().assign(&array![[1.0, 2.0], [3.0, 4.0]]);
    let target: &mut ArrayRef2<f64> = &mut ones;
    *target += &a;
    *target *= &a;
    assert_eq!(ones, array![[2.0, 6.0], [12.0, 20.0]]);
    assert_eq!(Dot::dot(&ones, &a), ones.dot(&a.to_owned()));
}
