//! `save`, and the functions of one number of axes: whole files, and the old file after an error.

use std::fs;

use ndarray::{
    Array, Array0, Array1, Array2, Array3, ArrayD, Axis, Dimension, Ix2, IxDyn,
    ShapeBuilder, array, s,
};
use ndarray_memmap::Mode::{Append, CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::{ErrorKind, Le, MmapArray2, NpyErrorKind};
use test_support::npy_common::{file, read};
use test_support::{Place, text_at};

/// Saves an array, and compares the header and the array that is read back.
#[track_caller]
fn round_trip<D: Dimension>(array: &ndarray::ArrayRef<i64, D>, is_fortran: bool) {
    let place = Place::missing();
    npy::save(&place, array).unwrap();
    let header = Header::read(&place.file()).unwrap();
    assert_eq!((header.shape(), header.fortran_order()), (array.shape(), is_fortran));
    let loaded = npy::load::<i64, D>(&place).unwrap();
    assert_eq!(*loaded, *array);
    let elements = u64::try_from(8 * array.len()).unwrap();
    assert_eq!(
        place.len(),
        header.data_offset() + elements,
        "the file ends with the array"
    );
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn arrays_of_every_layout_are_saved() {
    let a = Array::from_iter(0..24_i64).into_shape_with_order((2, 3, 4)).unwrap();
    round_trip(&a, false);
    round_trip(&a.t(), true);
    round_trip(&Array3::from_shape_fn((2, 3, 4).f(), |i| a[i]), true);
    round_trip(&a.slice(s![.., ..;2, 1..]), false);
    round_trip(&a.slice(s![..;-1, .., ..]), false);
    round_trip(&a.slice(s![0, .., ..;-1]), false);
    round_trip(&a.view().permuted_axes([1, 0, 2]), false);
    round_trip(&a.view().into_dyn(), false);
    round_trip(&a.view().reversed_axes().into_dyn(), true);
    round_trip(&a.slice(s![1, 1, 1..]), false);
    round_trip(&Array0::from_elem((), 7), false);
    round_trip(&ArrayD::from_elem(IxDyn(&[]), 7), false);
    round_trip(&Array1::zeros(0), false);
    round_trip(&Array2::zeros((0, 3)), false);
    round_trip(&Array2::zeros((3, 0)), false);
    round_trip(&array![5].broadcast((2, 3)).unwrap(), false);
    round_trip(&a.index_axis(Axis(2), 3), false);
}

#[test]
fn the_bytes_are_those_of_numpy() {
    let place = Place::missing();
    npy::save(&place, &array![[1, 2], [3, 4]].mapv(Le::<u16>::new)).unwrap();
    place.assert_holds(&file("'<u2'", 'C', "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]));
    npy::save(&place, &array![[1, 2], [3, 4]].t().mapv(Le::<u16>::new)).unwrap();
    place.assert_holds(&file("'<u2'", 'F', "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]));
    npy::save(&place, &array![true, false]).unwrap();
    place.assert_holds(&file("'|b1'", 'C', "(2,)", &[1, 0]));
}

#[test]
fn a_mapped_array_saves_itself_elsewhere_and_in_its_own_place() {
    let place = Place::missing();
    npy::save(&place, &array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
    let a: MmapArray2<f64> = read(&place).unwrap();
    let other = place.folder().join("other.npy");
    npy::save(&other, &a).unwrap();
    assert_eq!(fs::read(&other).unwrap(), place.bytes().unwrap());
    npy::save(&place, &(&a * 2.0)).unwrap();
    // The old array keeps the file that it maps.
    assert_eq!(*a, array![[1.0, 2.0], [3.0, 4.0]]);
    assert!(!a.is_same_file(&place).unwrap());
    assert_eq!(*read::<f64, Ix2>(&place).unwrap(), array![[2.0, 4.0], [6.0, 8.0]]);
    npy::save(&other, &a.t()).unwrap();
    assert_eq!(*read::<f64, Ix2>(&other).unwrap(), a.t());
}

#[test]
fn readers_find_the_old_file_or_the_new_one() {
    let place = Place::missing();
    npy::save(&place, &Array1::from_elem(1000, 0_u8)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for value in 1..=200_u8 {
                npy::save(&place, &Array1::from_elem(1000 + usize::from(value), value))
                    .unwrap();
            }
        });
        while !writer.is_finished() {
            let a = npy::load::<u8, ndarray::Ix1>(&place).unwrap();
            assert_eq!(a.len(), 1000 + usize::from(a[0]));
            assert!(a.iter().all(|x| *x == a[0]), "a whole file");
        }
    });
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1);
}

#[test]
fn an_error_leaves_the_old_file() {
    let place = Place::of(b"precious");
    let error = npy::save(&place, &Array1::from_elem(2, [1.0_f32; 3])).unwrap_err();
    let text = "NumPy cannot read such an array: the elements are arrays, which it has only in \
                records";
    assert_eq!(text_at(&error, &place), text);
    let axes = ArrayD::<u8>::zeros(IxDyn(&[1; 65]));
    let error = npy::save(&place, &axes).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::Unwritable { .. })),
        "{error}"
    );
    place.assert_holds(b"precious");
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1);

    let nowhere = place.folder().join("no").join("where.npy");
    let error = npy::save(&nowhere, &array![1]).unwrap_err();
    assert!(error.path().is_some_and(|path| path.starts_with(place.folder())), "{error}");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
    let folder = place.folder().join("folder");
    fs::create_dir(&folder).unwrap();
    let error = npy::save(&folder, &array![1]).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotAFile { .. }), "{error}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn the_element_type_alone_selects_the_functions_of_two_axes() {
    let place = Place::missing();
    // SAFETY: the file lies in the folder of this test, which uses it from one thread.
    let mut a = unsafe { npy::Array2::<f32>::create(&place, (2, 3)) }.unwrap();
    a.view_mut().unwrap()[[1, 2]] = 0.5;
    a.close().unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Append] {
        // SAFETY: as above.
        let a = unsafe { npy::Array2::<f32>::open(&place, mode) }.unwrap();
        assert_eq!((a.dim(), a.mode(), a[[1, 2]]), ((2, 3), mode, 0.5));
    }
    let a: MmapArray2<f32> = npy::Array2::<f32>::load(&place).unwrap();
    assert_eq!(a.sum(), 0.5);
    let error = npy::Array1::<f32>::load(&place).unwrap_err();
    let text =
        "expected an array of 1 axis, found 2 axes (use the dimension `Ix2` or `IxDyn`)";
    assert_eq!(text_at(&error, &place), text);
    assert!(npy::Array2::<f64>::load(&place).is_err());
    assert_eq!(npy::ArrayD::<f32>::load(&place).unwrap().shape(), [2, 3]);

    let mut draft = npy::Array3::<u8>::draft(&place, (1, 1, 2)).unwrap();
    draft.view_mut().fill(7);
    assert_eq!(npy::Array2::<f32>::load(&place).unwrap().sum(), 0.5, "not published yet");
    draft.publish().unwrap();
    assert_eq!(*npy::Array3::<u8>::load(&place).unwrap(), array![[[7, 7]]]);
    for shape in [&[1; 1][..], &[1; 4], &[1; 5], &[1; 6]] {
        npy::save(&place, &ArrayD::<u8>::ones(IxDyn(shape))).unwrap();
        let is_ok = match shape.len() {
            1 => npy::Array1::<u8>::load(&place).map(drop),
            4 => npy::Array4::<u8>::load(&place).map(drop),
            5 => npy::Array5::<u8>::load(&place).map(drop),
            _ => npy::Array6::<u8>::load(&place).map(drop),
        };
        is_ok.unwrap();
    }
}
