//! Rows at a list of indices: read in the order of the list, and replaced.
#![cfg(target_os = "linux")]

use std::fs::File;

use ndarray::{Array1, Array2, Array3, ArrayRef2, Axis, ShapeBuilder, array, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Be, ErrorKind, MapOptions, MmapArray2, Progress};
use test_support::{Place, map, open, text_at};

const ROWS: usize = 4096;
/// The number of `u32` in a page.
const ROW: usize = 1024;

fn bytes() -> Vec<u8> {
    (0..ROWS * ROW).flat_map(|i| (i as u32).to_ne_bytes()).collect()
}

/// Returns unordered row numbers, some of them more than once.
fn indices(count: usize) -> Vec<usize> {
    (0..count).map(|i| (i * 2_654_435_761) % ROWS).collect()
}

#[test]
fn rows_come_in_the_order_of_the_indices() {
    let a = Array3::from_shape_fn((4, 5, 6), |(i, j, k)| (100 * i + 10 * j + k) as u16);
    let place = Place::sparse(240);
    for fortran in [false, true] {
        let options = MapOptions::new(ReadWrite).shape((4, 5, 6).set_f(fortran));
        let mut mapped = open::<u16, _>(&options, &place).unwrap();
        mapped.view_mut().unwrap().assign(&a);
        for (axis, indices) in [(0, vec![3, 0, 0, 2]), (1, vec![4, 1]), (2, vec![])] {
            let rows: Vec<_> = mapped.gather(Axis(axis), &indices).unwrap().collect();
            let expected: Vec<_> =
                indices.iter().map(|&i| a.index_axis(Axis(axis), i)).collect();
            assert_eq!(rows, expected);
            let rows = mapped.gather(Axis(axis), &indices).unwrap();
            assert!(rows.rev().eq(expected.into_iter().rev()));
        }
        let wrong = mapped.gather(Axis(1), &[0, 5]).unwrap_err();
        let text =
            "index 5 is out of bounds for an axis of length 5 (indices count from 0)";
        assert_eq!(text_at(&wrong, &place), text);
        let wrong = mapped.gather(Axis(3), &[]).unwrap_err();
        let text = "axis 3 is out of bounds for an array of 3 axes (axes count from 0)";
        assert_eq!(text_at(&wrong, &place), text);
    }
}

#[test]
fn a_cold_gather_reads_its_rows_and_little_else() {
    let place = Place::cold(&bytes());
    let a: MmapArray2<u32> =
        open(&MapOptions::new(ReadOnly).rows_of(ROW), &place).unwrap();
    let indices = indices(300);
    let mut gather = a.gather(Axis(0), &indices).unwrap();
    for &index in &indices {
        let row = gather.next().unwrap();
        assert_eq!((row[0], row.len()), ((index * ROW) as u32, ROW));
    }
    assert!(gather.next().is_none());
    let at = Progress { rows: 300, bytes: 300 * 4096 };
    assert_eq!((gather.progress(), gather.total(), gather.len()), (at, at, 0));
    let residency = a.region(s![.., ..]).residency();
    assert!((0.07..0.1).contains(&residency), "{residency} of the file was read");
    // All these rows are now cached, except the last, whose residency was not queried.
    let again: u64 = a.gather(Axis(0), &indices).unwrap().map(|r| u64::from(r[1])).sum();
    assert_eq!(again, indices.iter().map(|i| (i * ROW + 1) as u64).sum::<u64>());
}

#[cfg(feature = "rayon")]
#[test]
fn threads_share_a_gather() {
    use rayon::prelude::*;

    let place = Place::cold(&bytes());
    let a: MmapArray2<u32> =
        open(&MapOptions::new(ReadOnly).rows_of(ROW), &place).unwrap();
    let indices = indices(1000);
    let gather = || a.gather(Axis(0), &indices).unwrap().into_par_iter();
    let first: Vec<u32> = gather().map(|row| row[0]).collect();
    assert!(first.iter().zip(&indices).all(|(&first, i)| first == (i * ROW) as u32));
    assert_eq!(first.len(), 1000);
    let mut again = Vec::new();
    gather().map(|row| row[0]).collect_into_vec(&mut again);
    assert_eq!(again, first);
}

/// Scatters the same rows into an owned array.
fn scattered(
    mut a: Array2<u32>,
    axis: Axis,
    indices: &[usize],
    rows: &ArrayRef2<u32>,
) -> Array2<u32> {
    for (&index, row) in indices.iter().zip(rows.axis_iter(axis)) {
        a.index_axis_mut(axis, index).assign(&row);
    }
    a
}

#[test]
fn scatter_replaces_rows_in_the_array_and_in_the_file() {
    let start = Array2::from_shape_fn((40, 50), |(i, j)| (100 * i + j) as u32);
    let indices = [7, 39, 7, 0];
    for fortran in [false, true] {
        for axis in [Axis(0), Axis(1)] {
            let mut shape = [40, 50];
            shape[axis.index()] = indices.len();
            let rows = Array2::from_shape_fn(shape, |(i, j)| (7000 + 10 * i + j) as u32);
            // The memory order of the new rows must make no difference.
            let turned = rows.t().as_standard_layout().into_owned().reversed_axes();
            for rows in [rows, turned] {
                for mode in [ReadWrite, CopyOnWrite] {
                    let place = Place::sparse(8 + 40 * 50 * 4);
                    let shape = (40, 50).set_f(fortran);
                    let options = MapOptions::new(ReadWrite).offset(8).shape(shape);
                    let mut a = open::<u32, _>(&options, &place).unwrap();
                    a.view_mut().unwrap().assign(&start);
                    drop(a);
                    let before = place.bytes();

                    let mut a = open::<u32, _>(
                        &MapOptions::new(mode).offset(8).shape((40, 50).set_f(fortran)),
                        &place,
                    )
                    .unwrap();
                    a.scatter(axis, &indices, &rows).unwrap();
                    let expected = scattered(start.clone(), axis, &indices, &rows);
                    assert_eq!(a, expected, "{mode} {fortran} {axis:?}");
                    drop(a);
                    let found = open::<u32, _>(&options, &place).unwrap();
                    match mode {
                        CopyOnWrite => assert_eq!(place.bytes(), before),
                        _ => assert_eq!(found, expected),
                    }
                }
            }
        }
    }
}

#[test]
fn scatter_refuses_what_does_not_fit_and_changes_nothing() {
    let place = Place::of(&[1; 12]);
    let mut a = open::<u8, _>(&MapOptions::new(ReadWrite).rows_of(3), &place).unwrap();
    for (axis, indices, rows, text) in [
        (
            0,
            &[0, 4][..],
            Array2::zeros((2, 3)),
            "index 4 is out of bounds for an axis of length 4 (indices count from 0)",
        ),
        (
            2,
            &[0][..],
            Array2::zeros((1, 3)),
            "axis 2 is out of bounds for an array of 2 axes (axes count from 0)",
        ),
        (
            0,
            &[0][..],
            Array2::zeros((2, 3)),
            "expected an array of shape [1, 3], found shape [2, 3] (reshape or slice the array \
             that is passed)",
        ),
        (
            1,
            &[0][..],
            Array2::zeros((1, 3)),
            "expected an array of shape [4, 1], found shape [1, 3] (reshape or slice the array \
             that is passed)",
        ),
    ] {
        let error = a.scatter(Axis(axis), indices, &rows).unwrap_err();
        assert_eq!(text_at(&error, &place), text);
    }
    a.scatter(Axis(0), &[], &Array2::zeros((0, 3))).unwrap();
    place.assert_holds(&[1; 12]);
    let mut a = open::<u8, _>(&MapOptions::new(ReadOnly).rows_of(3), &place).unwrap();
    let refused = a.scatter(Axis(0), &[], &Array2::zeros((0, 3)));
    assert!(matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::ReadOnly)));
}

#[test]
fn scatter_works_on_files_that_append_and_on_single_elements() {
    let place = Place::of(&[0; 40]);
    let file = File::options().read(true).append(true).open(&place).unwrap();
    let mut a = map::<Be<u32>, _>(&MapOptions::new(ReadWrite), &file).unwrap();
    let values: Array1<Be<u32>> = array![Be::new(5), Be::new(6)];
    a.scatter(Axis(0), &[9, 1], &values).unwrap();
    a.sync().unwrap();
    let mut bytes = [0; 40];
    (bytes[39], bytes[7]) = (5, 6);
    place.assert_holds(&bytes);
}
