//! Mode `a+` of raw files: opens a file or creates an empty one, and never leaves a wrong file.

use std::fs;
use std::sync::Barrier;
use std::thread;

use ndarray::{Array2, Axis, Ix1, Ix2, arr0, array};
use ndarray_memmap::Mode::{Append, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions};
use test_support::{Place, open, text_at};

fn rows(lock: bool) -> MapOptions<Ix2> {
    MapOptions::new(Append).rows_of(2).lock(lock)
}

#[test]
fn a_missing_file_is_created_with_an_empty_array() {
    for lock in [false, true] {
        let place = Place::missing();
        let mut a = open::<u16, Ix2>(&rows(lock), &place).unwrap();
        assert_eq!((a.dim(), a.mode(), place.bytes()), ((0, 2), Append, Some(vec![])));
        assert_eq!(a.path(), Some(place.path()));
        a.push(Axis(0), &array![1, 2]).unwrap();
        a.append(Axis(0), &array![[3, 4], [5, 6]]).unwrap();
        a.view_mut().unwrap()[[0, 0]] = 9;
        assert_eq!(a, array![[9, 2], [3, 4], [5, 6]]);
        a.close().unwrap();
        let bytes: Vec<u8> = [9_u16, 2, 3, 4, 5, 6].map(u16::to_ne_bytes).concat();
        assert_eq!(place.bytes().unwrap(), bytes);
    }
    let place = Place::missing();
    let mut a = open::<u8, Ix1>(&MapOptions::new(Append), &place).unwrap();
    a.push(Axis(0), &arr0(7)).unwrap();
    drop(a);
    assert_eq!(place.bytes().unwrap(), [7]);
}

#[test]
fn an_existing_file_is_opened_with_its_rows() {
    for lock in [false, true] {
        let place = Place::of(&[1, 2, 3, 4]);
        let mut a = open::<u8, Ix2>(&rows(lock), &place).unwrap();
        assert_eq!(a, array![[1, 2], [3, 4]]);
        a.push(Axis(0), &array![5, 6]).unwrap();
        a.view_mut().unwrap()[[0, 0]] = 9;
        a.close().unwrap();
        assert_eq!(place.bytes().unwrap(), [9, 2, 3, 4, 5, 6]);
        // An offset leaves the bytes before it alone.
        let options = MapOptions::new(Append).offset(2).rows_of(2).lock(lock);
        let mut a = open::<u8, Ix2>(&options, &place).unwrap();
        a.push(Axis(0), &array![7, 8]).unwrap();
        assert_eq!(a, array![[3, 4], [5, 6], [7, 8]]);
        a.close().unwrap();
        assert_eq!(place.bytes().unwrap(), [9, 2, 3, 4, 5, 6, 7, 8]);
    }
}

#[test]
fn a_file_that_does_not_fit_is_refused_and_left_alone() {
    let place = Place::of(&[1, 2, 3]);
    let error = open::<u8, Ix2>(&rows(false), &place).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::PartialElement { available: 3, size: 2 }),
        "{error}"
    );
    let options = MapOptions::new(Append).shape((4, 2));
    let error = open::<u8, Ix2>(&options, &place).map(drop).unwrap_err();
    let text = "the 3 bytes from the offset to the end of the file are not a multiple of the 2 \
                bytes of an element or row (check the element type and the offset, or pass a \
                `shape` to map a part)";
    assert_eq!(text_at(&error, &place), text);
    let error =
        open::<bool, Ix1>(&MapOptions::new(Append), &place).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidElement { index: 1 }), "{error}");
    let npy = Place::of(b"\x93NUMPY\x01\x00\x02\x00{}.");
    let error = open::<u16, Ix1>(&MapOptions::new(Append), &npy).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NpyHeader), "{error}");
    assert_eq!(place.bytes().unwrap(), [1, 2, 3]);
    let options = MapOptions::new(Append).shape(3);
    assert_eq!(*open::<u8, Ix1>(&options, &place).unwrap(), array![1, 2, 3]);
}

#[test]
fn a_refused_creation_leaves_no_file() {
    for lock in [false, true] {
        let place = Place::missing();
        let refused = [
            open::<u8, _>(&MapOptions::new(Append).shape((4, 0)).lock(lock), &place)
                .map(drop),
            open::<u8, _>(&MapOptions::new(Append).offset(3).lock(lock), &place)
                .map(drop),
            open::<u64, _>(
                &MapOptions::new(Append).shape((1, usize::MAX)).lock(lock),
                &place,
            )
            .map(drop),
            open::<(), _>(&MapOptions::new(Append).lock(lock), &place).map(drop),
        ];
        let kinds = refused.map(|refused| {
            let error = refused.unwrap_err();
            assert_eq!(error.path(), Some(place.path()));
            format!("{:?}", error.kind())
        });
        assert_eq!(
            kinds,
            [
                "ShapeRequired",
                "OffsetPastEnd { offset: 3, found: 0 }",
                "TooLarge",
                "ZeroSizedElement",
            ]
        );
        assert_eq!(place.bytes(), None, "lock {lock}");
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0, "lock {lock}");
    }
}

#[test]
fn grow_extends_a_new_file_to_a_fixed_shape() {
    for start in [None, Some(&[1, 2][..])] {
        let place = start.map_or_else(Place::missing, Place::of);
        let options = MapOptions::new(Append).shape(4).grow(true);
        let mut a = open::<u8, Ix1>(&options, &place).unwrap();
        a.view_mut().unwrap()[3] = 9;
        a.close().unwrap();
        let expected = if start.is_some() { [1, 2, 0, 9] } else { [0, 0, 0, 9] };
        assert_eq!(place.bytes().unwrap(), expected);
    }
}

#[test]
fn a_locked_file_is_refused() {
    let place = Place::missing();
    let held = open::<u8, Ix2>(&rows(true), &place).unwrap();
    let error = open::<u8, Ix2>(&rows(true), &place).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Locked), "{error}");
    assert_eq!((error.path(), place.bytes()), (Some(place.path()), Some(vec![])));
    drop(held);
    open::<u8, Ix2>(&rows(true), &place).unwrap();
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_also_to_a_missing_file() {
    let place = Place::missing();
    let link = place.folder().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    // A refused creation removes the file and not the link.
    let options = MapOptions::new(Append).offset(4);
    let error = open::<u8, Ix1>(&options, &link).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::OffsetPastEnd { .. }), "{error}");
    assert_eq!((place.bytes(), error.path()), (None, Some(&*link)));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    for expected in [vec![1, 2], vec![1, 2, 1, 2]] {
        let mut a = open::<u8, Ix2>(&rows(true), &link).unwrap();
        a.push(Axis(0), &array![1, 2]).unwrap();
        a.close().unwrap();
        assert_eq!(place.bytes().unwrap(), expected);
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_folder_and_a_path_in_a_missing_folder_are_refused() {
    let place = Place::missing();
    let error = open::<u8, Ix2>(&rows(false), place.folder()).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotAFile { found: "a directory" }));
    let path = place.folder().join("no").join("where");
    let error = open::<u8, Ix2>(&rows(false), &path).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action: "create", .. }), "{error}");
    assert!(error.to_string().ends_with(" (create the folder first)"), "{error}");
}

#[test]
fn an_open_file_is_mapped_and_grows() {
    let place = Place::of(&[1, 2]);
    let mut a = test_support::map::<u8, Ix2>(&rows(true), &place.file()).unwrap();
    a.push(Axis(0), &array![3, 4]).unwrap();
    assert_eq!((a.to_owned(), a.path()), (array![[1, 2], [3, 4]], None));
    a.close().unwrap();
    assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn threads_that_create_one_file_lose_no_rows() {
    const THREADS: u8 = 8;

    for _ in 0..test_support::sampled(20) {
        let place = Place::missing();
        let barrier = Barrier::new(THREADS.into());
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (place, barrier) = (&place, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    // The lock of a writer is exclusive: one thread at a time appends.
                    let mut a = loop {
                        match open::<u8, Ix2>(&rows(true), place) {
                            Ok(a) => break a,
                            Err(error) => {
                                let is_locked = matches!(error.kind(), ErrorKind::Locked);
                                assert!(is_locked, "{error}");
                                thread::yield_now();
                            }
                        }
                    };
                    a.push(Axis(0), &array![thread, thread]).unwrap();
                    a.close().unwrap();
                });
            }
        });
        let all = open::<u8, Ix2>(&MapOptions::new(ReadOnly).rows_of(2), &place).unwrap();
        let mut found = all.column(0).to_vec();
        found.sort_unstable();
        assert_eq!(found, Vec::from_iter(0..THREADS));
        assert_eq!(all.column(0), all.column(1));
    }
}

#[test]
fn the_file_of_mode_append_opens_in_mode_r_plus() {
    let place = Place::missing();
    drop(open::<u8, Ix2>(&rows(false), &place).unwrap());
    let options = MapOptions::new(ReadWrite).rows_of(2);
    let mut a = open::<u8, Ix2>(&options, &place).unwrap();
    a.append(Axis(0), &Array2::ones((3, 2))).unwrap();
    a.close().unwrap();
    assert_eq!(
        *open::<u8, Ix2>(&rows(false), &place).unwrap(),
        Array2::<u8>::ones((3, 2))
    );
}

#[test]
fn a_shape_gives_the_rows_and_the_file_their_number() {
    use ndarray::ShapeBuilder;

    // The same call creates the file, and opens it with its rows.
    for (c_order, number) in [(true, 1), (false, 1), (true, 2), (false, 2)] {
        let place = Place::missing();
        for run in 0..3_u16 {
            let options = MapOptions::new(Append);
            let shape = (number, 2);
            let options = match c_order {
                true => options.shape(shape),
                false => options.shape((2, number).f()),
            };
            let mut a = open::<u16, Ix2>(&options, &place).unwrap();
            let axis = Axis(usize::from(!c_order));
            let rows = usize::from(run);
            assert_eq!((a.len_of(axis), a.len()), (rows, 2 * rows), "{c_order} {number}");
            a.push(axis, &array![run, 7]).unwrap();
            a.close().unwrap();
        }
        let bytes: Vec<u8> = [0_u16, 7, 1, 7, 2, 7].map(u16::to_ne_bytes).concat();
        assert_eq!(place.bytes().unwrap(), bytes);
        let custom = MapOptions::new(Append).shape((3, 2).strides((4, 1)));
        let error = open::<u16, Ix2>(&custom, &place).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NotInOrder), "{error}");
    }
}
