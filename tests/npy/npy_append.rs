//! Mode `a+` of `.npy` files: opens a file or creates a whole one, for any number of creators.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use ndarray::{Array2, Axis, Ix1, Ix2, Order, ShapeBuilder, array};
use ndarray_memmap::Mode::{Append, ReadOnly};
use ndarray_memmap::npy::{self, Options};
use ndarray_memmap::{ErrorKind, Le, MmapArray2, NpyErrorKind};
use test_support::npy_common::{create, file, open, read};
use test_support::{Place, text_at};

fn appending() -> Options {
    Options::new(Append)
}

fn table(place: &Place) -> MmapArray2<Le<u16>> {
    create(&appending(), place, (0, 3)).unwrap()
}

/// Opens or creates the file, and waits until no other handle has locked it.
fn lock_and_create(path: &Path) -> MmapArray2<Le<u16>> {
    loop {
        match create(&appending().lock(true), path, (0, 3)) {
            Ok(a) => return a,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Locked), "{error}");
                thread::yield_now();
            }
        }
    }
}

fn row(start: u16) -> ndarray::Array1<Le<u16>> {
    array![start, start + 1, start + 2].mapv(Le::new)
}

#[test]
fn a_missing_file_is_created_and_an_existing_one_keeps_its_rows() {
    for options in [appending(), appending().lock(true), appending().data_align(4096)] {
        let place = Place::missing();
        let mut a = create::<Le<u16>, Ix2>(&options, &place, (0, 3)).unwrap();
        assert_eq!((a.dim(), a.mode(), a.path()), ((0, 3), Append, Some(place.path())));
        a.push(Axis(0), &row(1)).unwrap();
        a.close().unwrap();
        let mut a = create::<Le<u16>, Ix2>(&options, &place, (0, 3)).unwrap();
        assert_eq!(a.dim(), (1, 3));
        a.append(Axis(0), &array![[4, 5, 6], [7, 8, 9]].mapv(Le::new)).unwrap();
        a.view_mut().unwrap()[[0, 0]] = Le::new(11);
        a.close().unwrap();
        let expected = array![[11, 2, 3], [4, 5, 6], [7, 8, 9]];
        assert_eq!(read::<Le<u16>, Ix2>(&place).unwrap().mapv(Le::get), expected);
        // The requested number of rows determines only the rows of a new file.
        for rows in [0, 1, 100] {
            let a = create::<Le<u16>, Ix2>(&options, &place, (rows, 3)).unwrap();
            assert_eq!(a.mapv(Le::get), expected);
        }
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1);
    }
    let place = Place::missing();
    let a = create::<u8, Ix2>(&appending(), &place, (2, 2)).unwrap();
    assert_eq!(a.dim(), (0, 2), "a new file has an empty array");
    drop(a);
    assert_eq!(read::<u8, Ix2>(&place).unwrap().dim(), (0, 2));
}

#[test]
fn the_last_axis_grows_in_fortran_order() {
    let place = Place::missing();
    // An array without elements is in both orders: the shape does not tell.
    let a = create::<u8, Ix2>(&appending(), &place, (3, 0).f()).unwrap();
    assert_eq!(a.dim(), (0, 0));
    drop(a);
    fs::remove_file(&place).unwrap();
    let mut a = create::<u8, Ix2>(&appending(), &place, (3, 1).f()).unwrap();
    assert_eq!(a.dim(), (3, 0));
    a.push(Axis(1), &array![1, 2, 3]).unwrap();
    a.close().unwrap();
    fs::remove_file(&place).unwrap();
    let options = appending().order(Order::F);
    for columns in 1..=2 {
        let mut a = create::<u8, Ix2>(&options, &place, (3, 0)).unwrap();
        a.push(Axis(1), &array![1, 2, 3]).unwrap();
        assert_eq!(a.dim(), (3, columns));
        a.close().unwrap();
    }
    let bytes = place.bytes().unwrap();
    assert!(bytes.ends_with(&[1, 2, 3, 1, 2, 3]));
    let error = create::<u8, Ix2>(&appending(), &place, (0, 2)).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::MemoryOrder { .. })),
        "{error}"
    );
    place.assert_holds(&bytes);
}

#[test]
fn an_array_of_another_type_or_row_shape_is_refused_and_left_alone() {
    let start = file("'<u2'", 'C', "(2, 3)", &[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0]);
    let place = Place::of(&start);
    let error = create::<Le<i32>, Ix2>(&appending(), &place, (0, 3)).map(drop);
    let error = error.unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::ElementType { .. })),
        "{error}"
    );
    assert_eq!(error.path(), Some(place.path()));
    let error = create::<Le<u16>, Ix2>(&appending(), &place, (0, 4)).map(drop);
    let error = error.unwrap_err();
    let ErrorKind::ShapeMismatch { expected, found } = error.kind() else {
        panic!("{error:?}")
    };
    assert_eq!((&**expected, &**found), (&[2, 4][..], &[2, 3][..]));
    let text = "expected an array of shape [2, 4], found shape [2, 3] (pass the row shape of the \
                file, or another path)";
    assert_eq!(text_at(&error, &place), text);
    let error = create::<Le<u16>, Ix1>(&appending(), &place, 0).map(drop).unwrap_err();
    assert_eq!(error.path(), Some(place.path()));
    let transposed = file("'<u2'", 'F', "(3, 2)", &[0; 12]);
    let place = Place::of(&transposed);
    let error = create::<Le<u16>, Ix2>(&appending(), &place, (3, 2)).map(drop);
    let text = "expected an array in C order, found Fortran order (pass the shape in the order of \
                the file)";
    assert_eq!(text_at(&error.unwrap_err(), &place), text);
    place.assert_holds(&transposed);
}

#[test]
fn a_refused_creation_leaves_no_file() {
    let place = Place::missing();
    let error = create::<u8, Ix2>(&appending(), &place, (2, 2).strides((4, 1)));
    let error = error.map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::Unwritable { .. })),
        "{error}"
    );
    assert_eq!(error.path(), Some(place.path()));
    let path = place.folder().join("no").join("where");
    let error = create::<u8, Ix2>(&appending(), &path, (0, 3)).map(drop).unwrap_err();
    assert_eq!(error.path().map(|path| path.starts_with(place.folder())), Some(true));
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
    let error = create::<u8, Ix2>(&appending(), place.folder(), (0, 3)).map(drop);
    assert!(matches!(error.unwrap_err().kind(), ErrorKind::NotAFile { .. }));
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0);
}

#[test]
fn open_creates_no_file() {
    let place = Place::missing();
    let error = open::<u8, Ix2>(&appending(), &place).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action: "open", .. }), "{error}");
    assert_eq!(error.path(), Some(place.path()));
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
    // SAFETY: the file lies in the folder of this test.
    let any = unsafe { npy::DynArray::open(&place, Append) };
    assert!(any.is_err());
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0);
    // An existing file opens for writing.
    drop(table(&place));
    let mut a = open::<Le<u16>, Ix2>(&appending(), &place).unwrap();
    a.push(Axis(0), &row(1)).unwrap();
    a.close().unwrap();
    assert_eq!(table(&place).mapv(Le::get), array![[1, 2, 3]]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_file_is_followed() {
    let place = Place::missing();
    drop(table(&place));
    let link = place.folder().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    let mut a = create::<Le<u16>, Ix2>(&appending(), &link, (0, 3)).unwrap();
    a.push(Axis(0), &row(1)).unwrap();
    a.close().unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(table(&place).mapv(Le::get), array![[1, 2, 3]]);
}

#[cfg(unix)]
#[test]
fn a_link_to_a_missing_file_is_an_error_and_stays() {
    let place = Place::missing();
    let link = place.folder().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    let error = create::<u8, Ix2>(&appending(), &link, (0, 3)).map(drop).unwrap_err();
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::NotFound);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 1, "only the link");
}

#[test]
fn all_creators_at_the_same_time_get_one_whole_file() {
    const THREADS: usize = 8;

    for round in 0..test_support::sampled(30) {
        let place = Place::missing();
        let barrier = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                let (place, barrier) = (&place, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let a = table(place);
                    assert_eq!(a.dim(), (0, 3));
                    assert!(
                        a.is_same_file(place).unwrap(),
                        "the file that the path names"
                    );
                });
            }
        });
        let a = read::<Le<u16>, Ix2>(&place).unwrap();
        assert_eq!(a.dim(), (0, 3), "{round}");
        let names = fs::read_dir(place.folder()).unwrap().count();
        assert_eq!(names, 1, "no draft is left");
    }
}

#[test]
fn creators_of_different_arrays_at_the_same_time_do_not_share_a_file() {
    for _ in 0..test_support::sampled(30) {
        let place = Place::missing();
        let barrier = Barrier::new(2);
        let create = |columns: usize| {
            barrier.wait();
            let made = create::<u8, Ix2>(&appending(), &place, (0, columns));
            made.map(|a| assert_eq!(a.ncols(), columns, "the requested rows")).is_ok()
        };
        let made = thread::scope(|scope| {
            let other = scope.spawn(|| create(3));
            let made = create(4);
            [made, other.join().unwrap()]
        });
        assert_eq!(made.iter().filter(|made| **made).count(), 1, "the second is refused");
    }
}

#[test]
fn writers_of_several_threads_lose_no_rows() {
    const THREADS: u16 = 6;

    let place = Place::missing();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let place = &place;
            scope.spawn(move || {
                let mut a = lock_and_create(place.path());
                a.push(Axis(0), &row(3 * thread)).unwrap();
                a.close().unwrap();
            });
        }
    });
    let a: MmapArray2<Le<u16>> = open(&Options::new(ReadOnly), &place).unwrap();
    let mut rows: Vec<_> = a.outer_iter().map(|row| row.mapv(Le::get).to_vec()).collect();
    rows.sort_unstable();
    let expected = Array2::from_shape_fn((usize::from(THREADS), 3), |(i, j)| 3 * i + j);
    let rows = rows.concat().into_iter().map(usize::from);
    assert_eq!(rows.collect::<Vec<_>>(), expected.into_raw_vec_and_offset().0);
}
