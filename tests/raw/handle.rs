//! The handle is usable as an array: by ndarray, by functions of arrays, threads and other crates.

use std::path::Path;

use ndarray::{
    Array1, Array2, ArrayRef, ArrayView, ArrayView2, ArrayViewD, AsArray, Axis,
    Dimension, Ix1, Ix2, IxDyn, LayoutRef, ShapeBuilder, Zip, array, azip, s,
};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{
    Layout, MapOptions, MmapArray, MmapArray1, MmapArray2, MmapArray3, MmapArray4,
    MmapArray5, MmapArray6, MmapArrayD,
};
use test_support::twelve::{numbers, open_twelve, twelve};
use test_support::{Place, open};

#[test]
fn it_is_indexed_sliced_and_reduced_like_an_array() {
    let place = twelve();
    let a = open_twelve(&place, ReadOnly);
    assert_eq!((a[[0, 0]], a[(2, 3)], a.get((3, 0)), a[[1, 1]]), (1.0, 12.0, None, 6.0));
    assert_eq!(a.slice(s![1.., ..;2]), array![[5.0, 7.0], [9.0, 11.0]]);
    assert_eq!((a.sum(), a.mean(), a.len()), (78.0, Some(6.5), 12));
    assert_eq!(a.fold(0.0, |max, &x| f64::max(max, x)), 12.0);
    assert_eq!(a.row(1), array![5.0, 6.0, 7.0, 8.0]);
    assert_eq!(AsRef::<LayoutRef<f64, Ix2>>::as_ref(&a).shape(), [3, 4]);
    assert_eq!(a.sum_axis(Axis(1)), array![10.0, 26.0, 42.0]);
    assert_eq!(a.t().dot(&a.view()).diag().sum(), 650.0);
    assert_eq!(a.to_owned(), a.view());
    assert_eq!(a.outer_iter().count(), 3);
    assert_eq!((a.as_slice().unwrap().len(), a.is_standard_layout()), (12, true));
    assert!(a.windows((2, 2)).into_iter().all(|w| w[[1, 1]] - w[[0, 0]] == 5.0));
}

#[test]
fn it_is_iterated_over_by_reference() {
    let place = twelve();
    let a = open_twelve(&place, ReadOnly);
    let mut sum = 0.0;
    for x in &a {
        sum += x;
    }
    assert_eq!(sum, 78.0);
    assert!((&a).into_iter().copied().eq((1..=12).map(f64::from)));
    assert_eq!(a.indexed_iter().nth(5), Some(((1, 1), &6.0)));
}

#[test]
fn it_is_a_producer_for_zip() {
    let place = twelve();
    let (a, b) = (open_twelve(&place, ReadOnly), open_twelve(&place, CopyOnWrite));
    let mut product = Array2::zeros((3, 4));
    Zip::from(&mut product).and(&a).and(b.view()).for_each(|p, &x, &y| *p = x * y);
    assert_eq!(product, a.mapv(|x| x * x));
    assert_eq!(Zip::from(&a).and(&b).map_collect(|&x, &y| x - y).sum(), 0.0);
    assert!(Zip::from(&a).and_broadcast(&array![12.0]).all(|&x, &max| x <= max));
    azip!((p in &mut product, &x in &a) *p = x);
    assert_eq!(product, a.view());

    let mut c = open_twelve(&place, ReadWrite);
    Zip::from(c.view_mut().unwrap()).and(&product).for_each(|c, &x| *c += x);
    drop(c);
    assert!(numbers(&place).into_iter().eq((1..=12).map(|n| 2.0 * f64::from(n))));
}

/// A function with the signature that libraries use for ndarray 0.17.
fn trace<D: Dimension>(a: &ArrayRef<f64, D>) -> f64 {
    a.diag().sum()
}

/// A function with the signature that libraries used before ndarray 0.17.
fn total<'a>(a: impl AsArray<'a, f64, Ix2>) -> f64 {
    a.into().sum()
}

fn of_a_view(a: ArrayView2<'_, f64>) -> f64 {
    a.sum()
}

#[test]
fn it_goes_where_arrays_go() {
    let place = twelve();
    let a = open_twelve(&place, ReadOnly);
    assert_eq!((trace(&a), total(&a), of_a_view((&a).into())), (18.0, 78.0, 78.0));
    let view = ArrayView::from(&a);
    assert_eq!((view, view.as_ptr()), (a.view(), a.as_ptr()));
    let dynamic: ArrayViewD<'_, f64> = a.view().into_dyn();
    assert_eq!(trace(&dynamic), 18.0);
}

#[test]
fn arithmetic_takes_two_handles_or_two_views() {
    let place = twelve();
    let (a, b) = (open_twelve(&place, ReadOnly), open_twelve(&place, ReadWrite));
    let owned = Array2::from_elem((3, 4), 2.0);
    assert_eq!(&*a + &*b, &owned * &a.view());
    assert_eq!(&a.view() * &owned, a.mapv(|x| x * 2.0));
    assert_eq!(&owned - &b.view(), a.mapv(|x| 2.0 - x));
    assert_eq!(&a.view() / 2.0, a.mapv(|x| x / 2.0));
    let mut changed = owned.clone();
    changed += &a.view();
    changed.assign(&a);
    assert_eq!((changed, *a == *b), (a.to_owned(), true));
    assert_eq!(numbers(&place).len(), 12);
}

#[test]
fn it_equals_handles_and_arrays_of_the_same_elements() {
    let place = twelve();
    let (a, b) = (open_twelve(&place, ReadOnly), open_twelve(&place, CopyOnWrite));
    let (owned, shared) = (a.to_owned(), a.to_owned().into_shared());
    assert_eq!(a, b);
    assert_eq!(a, owned);
    assert_eq!(owned, a);
    assert_eq!(a, shared);
    assert_eq!(b.view(), a);
    let mut c = open_twelve(&place, CopyOnWrite);
    c.view_mut().unwrap()[[2, 3]] = 0.0;
    assert_ne!(a, c);
    assert_ne!(c, owned);
    assert_ne!(owned, c);
    let flat = open::<f64, Ix2>(&MapOptions::new(ReadOnly).rows_of(12), &place).unwrap();
    assert_ne!(flat, a);
    assert!(flat.iter().eq(&a));
    let nan = Place::of(&f64::NAN.to_ne_bytes());
    let nan = open::<f64, _>(&MapOptions::new(ReadOnly), &nan).unwrap();
    assert_ne!(nan, nan);
}

#[test]
fn it_tells_its_mode_path_offset_and_layout() {
    let place = Place::of(&[7; 100]);
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let options = MapOptions::new(mode).offset(12).shape((2, 5).f());
        let a = open::<u32, _>(&options, &place).unwrap();
        assert_eq!((a.mode(), a.path(), a.offset()), (mode, Some(place.path()), 12));
        let layout: &Layout<Ix2> = a.layout();
        assert_eq!((layout.offset(), layout.end(), layout.byte_len()), (12, 52, 40));
        assert_eq!((layout.item_size(), layout.count()), (4, 10));
        assert_eq!((layout.shape(), layout.strides()), (&[2, 5][..], &[1, 2][..]));
        assert_eq!(*layout, options.resolve::<u32>(100).unwrap());
        let text = format!(
            "MmapArray {{ path: Some({:?}), shape: [2, 5], mode: {mode:?}, .. }}",
            place.path()
        );
        assert_eq!(format!("{a:?}"), text);
    }
    assert_eq!(place.len(), 52);
    let relative = Path::new("Cargo.toml");
    let a = MapOptions::new(ReadOnly).load::<u8>(relative).unwrap();
    assert_eq!(a.path(), Some(relative));
}

#[test]
fn debug_shows_no_element() {
    let a = MapOptions::scratch::<f32, _>((0, 3)).unwrap();
    let expected = "MmapArray { path: None, shape: [0, 3], mode: CreateNew, .. }";
    assert_eq!(format!("{a:?}"), expected);
    let b = MapOptions::scratch::<u8, _>(()).unwrap();
    let expected =
        "MmapArray {\n    path: None,\n    shape: [],\n    mode: CreateNew,\n    ..\n}";
    assert_eq!(format!("{b:#?}"), expected);
}

#[test]
fn aliases_name_the_number_of_axes() {
    let one: MmapArray1<u8> = MapOptions::scratch(2).unwrap();
    let two: MmapArray2<u8> = MapOptions::scratch((2, 2)).unwrap();
    let three: MmapArray3<u8> = MapOptions::scratch((2, 2, 2)).unwrap();
    let four: MmapArray4<u8> = MapOptions::scratch((2, 2, 2, 2)).unwrap();
    let five: MmapArray5<u8> = MapOptions::scratch((2, 2, 2, 2, 2)).unwrap();
    let six: MmapArray6<u8> = MapOptions::scratch([2; 6]).unwrap();
    let many: MmapArrayD<u8> = MapOptions::scratch(IxDyn(&[2; 7])).unwrap();
    let plain: MmapArray = MapOptions::scratch(2).unwrap();
    let ranks =
        [one.ndim(), two.ndim(), three.ndim(), four.ndim(), five.ndim(), six.ndim()];
    assert_eq!((ranks, many.ndim(), plain.ndim()), ([1, 2, 3, 4, 5, 6], 7, 1));
    assert_eq!((many.len(), many.mode(), many.sum()), (128, CreateNew, 0));
}

#[test]
fn two_handles_on_one_file_see_each_others_changes() {
    let place = twelve();
    let (mut a, mut b) = (open_twelve(&place, ReadWrite), open_twelve(&place, ReadWrite));
    let reader = open_twelve(&place, ReadOnly);
    a.view_mut().unwrap()[[0, 1]] = 20.0;
    assert_eq!((b[[0, 1]], reader[[0, 1]]), (20.0, 20.0));
    b.view_mut().unwrap()[[2, 2]] = 110.0;
    assert_eq!((a[[2, 2]], reader[[2, 2]]), (110.0, 110.0));
    drop((a, b));
    assert_eq!(reader.sum(), 78.0 + 18.0 + 99.0);
    assert_eq!((numbers(&place)[1], numbers(&place)[10]), (20.0, 110.0));
}

#[test]
fn a_handle_that_is_moved_leaves_its_elements_where_they_are() {
    let place = twelve();
    let a = open_twelve(&place, ReadWrite);
    let address = a.as_ptr();
    let mut handles = vec![a];
    for _ in 0..100 {
        handles.insert(0, open_twelve(&place, ReadOnly));
    }
    let mut boxed = Box::new(handles.pop().unwrap());
    assert_eq!((boxed.as_ptr(), boxed.sum()), (address, 78.0));
    assert_eq!(boxed.view_mut().unwrap().as_ptr(), address);
    boxed.view_mut().unwrap().fill(1.0);
    let swapped = std::mem::replace(&mut handles[0], *boxed);
    assert_eq!((handles[0].as_ptr(), handles[0].sum()), (address, 12.0));
    assert_eq!(swapped.sum(), 12.0);
    handles.truncate(1);
    handles.pop().unwrap().close().unwrap();
    assert_eq!(numbers(&place), [1.0; 12]);
}

#[test]
fn it_is_written_to_npy_as_any_array() {
    let place = twelve();
    let npy = place.folder().join("array.npy");
    let a = open_twelve(&place, ReadOnly);
    ndarray_npy::write_npy(&npy, &*a).unwrap();
    let b: Array2<f64> = ndarray_npy::read_npy(&npy).unwrap();
    assert_eq!(*a, b);
    let data = MapOptions::new(ReadOnly).offset(128);
    let c: MmapArray1<f64> = open(&data, &npy).unwrap();
    assert_eq!(c.as_slice(), a.as_slice());

    let fortran: MmapArray<u16, Ix2> =
        MapOptions::new(ReadOnly).shape((2, 3).f()).load(&place).unwrap();
    ndarray_npy::write_npy(&npy, &fortran.view()).unwrap();
    let d: Array2<u16> = ndarray_npy::read_npy(&npy).unwrap();
    assert_eq!((&*fortran, fortran.strides()), (&*d, d.strides()));
}

#[test]
fn shapes_are_changed_on_views_and_not_on_the_handle() {
    let place = twelve();
    let mut a: MmapArray<f64, Ix1> = open(&MapOptions::new(ReadWrite), &place).unwrap();
    let grid = a.view().into_shape_with_order((3, 4)).unwrap();
    assert_eq!(
        grid,
        array![[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0], [9.0, 10.0, 11.0, 12.0]]
    );
    let mut grid = a.view_mut().unwrap().into_shape_with_order((4, 3)).unwrap();
    grid.invert_axis(Axis(0));
    grid.row_mut(0).fill(0.0);
    assert_eq!(a.slice(s![8..]), array![9.0, 0.0, 0.0, 0.0]);
    assert_eq!(a.shape(), [12]);
    a.sync().unwrap();
    assert_eq!(numbers(&place)[8..], [9.0, 0.0, 0.0, 0.0]);
    assert_eq!(Array1::from(numbers(&place)), *a);
}

#[cfg(feature = "approx")]
#[test]
fn it_is_compared_within_a_tolerance() {
    use approx::{assert_abs_diff_eq, assert_abs_diff_ne, assert_relative_eq};

    let place = twelve();
    let a = open_twelve(&place, ReadOnly);
    let near = a.mapv(|x| x + 1e-9);
    assert_abs_diff_eq!(a.view(), near.view(), epsilon = 1e-8);
    assert_abs_diff_ne!(a.view(), near.view(), epsilon = 1e-10);
    assert_relative_eq!(*a, *near, max_relative = 1e-8);
}

#[cfg(feature = "rayon")]
#[test]
fn it_is_a_parallel_producer() {
    use ndarray::parallel::prelude::*;

    let place = twelve();
    let mut a = open_twelve(&place, ReadWrite);
    assert_eq!((&a).into_par_iter().sum::<f64>(), 78.0);
    assert_eq!(a.par_iter().filter(|&&x| x > 6.0).count(), 6);
    assert_eq!(
        a.axis_iter(Axis(0)).into_par_iter().map(|row| row.sum()).max_by(f64::total_cmp),
        Some(42.0)
    );
    let squares = Zip::from(&a).par_map_collect(|&x| x * x);
    Zip::from(a.view_mut().unwrap()).and(&squares).par_for_each(|x, &y| *x = y);
    a.view_mut().unwrap().par_mapv_inplace(|x| x + 1.0);
    assert_eq!(*a, &squares + 1.0);
    drop(a);
    assert!(numbers(&place).into_iter().eq((1..=12).map(|n| f64::from(n * n + 1))));
}
