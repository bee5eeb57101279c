//! Arrays that grow: the contents of the file at any time, and the refused calls.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{
    Array1, Array2, ArrayRef2, Axis, Ix1, Ix2, IxDyn, ShapeBuilder, arr0, array, s,
};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::{
    Error, ErrorKind, MapOptions, MmapArray1, MmapArray2, MmapArrayD, NpyErrorKind,
};
use test_support::{Place, map, npy_common, open, text_at};

fn rows(range: std::ops::Range<u32>, len: u32) -> Array2<u32> {
    let all = range.start * len..range.end * len;
    Array1::from_iter(all).into_shape_with_order(((range.len()), len as usize)).unwrap()
}

fn bytes(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_ne_bytes).collect()
}

fn created(place: &Place, shape: (usize, usize)) -> MmapArray2<u32> {
    npy_common::create_plain(place, shape).unwrap()
}

/// Returns the rows that a reader finds in a copy of the file.
fn copied(place: &Place) -> Array2<u32> {
    let file = place.bytes().unwrap();
    let header = Header::parse(&file).unwrap();
    let data = &file[header.data_offset() as usize..];
    let shape = (header.shape()[0], header.shape()[1]);
    let numbers = data.chunks_exact(4).map(|c| u32::from_ne_bytes(c.try_into().unwrap()));
    let numbers = numbers.take(shape.0 * shape.1).collect();
    match header.fortran_order() {
        false => Array2::from_shape_vec(shape, numbers).unwrap(),
        true => Array2::from_shape_vec(shape.f(), numbers).unwrap(),
    }
}

#[test]
fn a_raw_file_has_each_row_when_it_is_pushed_and_nothing_else() {
    let place = Place::of(&bytes(0..6));
    let options = MapOptions::new(ReadWrite).rows_of(3);
    let mut a: MmapArray2<u32> = open(&options, &place).unwrap();
    for row in 2..100 {
        a.push(Axis(0), &rows(row..row + 1, 3).row(0)).unwrap();
        assert_eq!(a, rows(0..row + 1, 3));
        place.assert_holds(&bytes(0..3 * row + 3));
    }
    a.append(Axis(0), &rows(100..50_000, 3)).unwrap();
    a.append(Axis(0), &rows(0..0, 3)).unwrap();
    assert_eq!(a, rows(0..50_000, 3));
    place.assert_holds(&bytes(0..150_000));
    a.view_mut().unwrap()[[49_999, 2]] = 7;
    a.close().unwrap();
    let b: MmapArray2<u32> = open(&MapOptions::new(ReadOnly).rows_of(3), &place).unwrap();
    assert_eq!((b.nrows(), b[[49_999, 2]]), (50_000, 7));
}

#[test]
fn rows_of_any_order_are_written_in_that_of_the_file() {
    let c = rows(0..500, 1000);
    let f = c.t().as_standard_layout().reversed_axes().to_owned();
    assert!(!f.is_standard_layout());
    let wide = rows(0..500, 2000);
    let other = wide.slice(s![.., ..;-2]);
    for (fortran, axis) in [(false, Axis(0)), (true, Axis(1))] {
        for block in [c.view(), f.view(), other.view()] {
            let mut expected = Array2::zeros((500, 1000));
            expected.assign(&block);
            let place = Place::missing();
            let dim = if fortran { (500, 0) } else { (0, 1000) };
            let shape = dim.set_f(fortran);
            let mut a: MmapArray2<u32> =
                open(&MapOptions::new(Create).offset(8).shape(shape), &place).unwrap();
            a.append(axis, &block).unwrap();
            assert_eq!(a, expected);
            let numbers: Vec<u32> = match fortran {
                false => expected.iter().copied().collect(),
                true => expected.t().iter().copied().collect(),
            };
            assert!(place.bytes().unwrap()[8..] == bytes(numbers), "{fortran}");
        }
    }
}

#[test]
fn a_npy_file_is_right_after_each_row() {
    let place = Place::missing();
    let mut a = created(&place, (0, 3));
    for row in 0..1100 {
        a.push(Axis(0), &rows(row..row + 1, 3).row(0)).unwrap();
        assert_eq!(a.nrows(), row as usize + 1);
        if row < 20 || row % 97 == 0 || row > 990 {
            assert_eq!(a, rows(0..row + 1, 3));
            assert_eq!(header_of(&place).shape(), [row as usize + 1, 3]);
        }
    }
    assert_eq!(copied_start(&place, 1100 * 3), rows(0..1100, 3));
    for way in 0..3 {
        let count = a.nrows() as u32;
        match way {
            0 => a.sync().unwrap(),
            1 => {
                a.push(Axis(0), &rows(count..count + 1, 3).row(0)).unwrap();
                a.close().unwrap();
                a = reopened(&place);
            }
            _ => {
                a.append(Axis(0), &rows(count..count + 40_000, 3)).unwrap();
                a.push(Axis(0), &rows(count + 40_000..count + 40_001, 3).row(0)).unwrap();
                drop(a);
                a = reopened(&place);
            }
        }
        let count = a.nrows() as u32;
        assert_eq!(place.len(), 128 + 12 * u64::from(count), "exact, way {way}");
        assert_eq!(copied(&place), rows(0..count, 3));
    }
}

fn header_of(place: &Place) -> Header {
    Header::read(&place.file()).unwrap()
}

/// Like [`copied`], but without the bytes after the array, which may be many.
fn copied_start(place: &Place, count: u64) -> Array2<u32> {
    use std::io::Read;

    let mut start = Vec::new();
    place.file().take(128 + 4 * count).read_to_end(&mut start).unwrap();
    let copy = Place::of(&start);
    copied(&copy)
}

fn reopened(place: &Place) -> MmapArray2<u32> {
    npy_common::open(&npy::Options::new(ReadWrite), place).unwrap()
}

#[test]
fn a_file_that_is_opened_while_it_grows_has_whole_rows() {
    const ROWS: u32 = 20_000;
    let place = Place::missing();
    let mut a = created(&place, (0, 5));
    let done = AtomicBool::new(false);
    let opened = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut opened = 0_u32;
            let mut last = 0;
            while !done.load(Ordering::Relaxed) || opened == 0 {
                let found = npy_common::read::<u32, Ix2>(&place).unwrap();
                let count = found.nrows() as u32;
                assert!(count >= last, "{count} after {last}");
                last = count;
                let tail = count.saturating_sub(50);
                assert_eq!(found.slice(s![tail as usize.., ..]), rows(tail..count, 5));
                opened += 1;
            }
            opened
        });
        for row in 0..ROWS {
            a.push(Axis(0), &rows(row..row + 1, 5).row(0)).unwrap();
            // Gives the reader processor time on a busy machine.
            if row % 200 == 0 {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(opened > 10, "opened {opened} times");
}

#[test]
fn fortran_order_grows_along_the_last_axis() {
    let place = Place::missing();
    let options = npy::Options::new(Create).order(ndarray::Order::F);
    let mut a: MmapArray2<u32> =
        npy_common::create(&options, &place, (3, 0).f()).unwrap();
    for column in 0..12 {
        a.push(Axis(1), &rows(column..column + 1, 3).row(0)).unwrap();
    }
    a.append(Axis(1), &rows(12..30_000, 3).t()).unwrap();
    assert_eq!(a, rows(0..30_000, 3).t());
    assert!(matches!(
        a.push(Axis(0), &Array1::zeros(30_000)).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::NotOutermostAxis { axis: 0, outermost: 1 })
    ));
    a.resize(Axis(1), 5).unwrap();
    a.close().unwrap();
    assert_eq!(copied(&place), rows(0..5, 3).t());
}

#[test]
fn resize_adds_zeros_and_cuts_off() {
    let raw = Place::of(&bytes(0..12));
    let file = Place::missing();
    let mut npy = created(&file, (4, 3));
    npy.view_mut().unwrap().assign(&rows(0..4, 3));
    let mut a: MmapArray2<u32> =
        open(&MapOptions::new(ReadWrite).rows_of(3), &raw).unwrap();
    for (a, start) in [(&mut a, 0), (&mut npy, 128)] {
        let len = |rows: u64| start + 12 * rows;
        let place = if start == 0 { &raw } else { &file };
        a.resize(Axis(0), 4).unwrap();
        assert_eq!((a.nrows(), place.len()), (4, len(4)));
        a.resize(Axis(0), 10_000).unwrap();
        assert_eq!(place.len(), len(10_000));
        assert_eq!(a.slice(s![..4, ..]), rows(0..4, 3));
        assert!(a.slice(s![4.., ..]).iter().all(|x| *x == 0));
        a.view_mut().unwrap().fill(9);
        a.resize(Axis(0), 2).unwrap();
        assert_eq!((a.nrows(), place.len(), a.sum()), (2, len(2), 54));
        a.resize(Axis(0), 3).unwrap();
        assert_eq!(*a, array![[9, 9, 9], [9, 9, 9], [0, 0, 0]], "old rows do not return");
        a.resize(Axis(0), 0).unwrap();
        assert_eq!((a.nrows(), place.len()), (0, len(0)));
        a.push(Axis(0), &array![1, 2, 3]).unwrap();
        assert_eq!(*a, array![[1, 2, 3]]);
        a.sync().unwrap();
        assert_eq!(place.len(), len(1));
    }
    assert_eq!(copied(&file), array![[1, 2, 3]]);
}

#[test]
fn elements_of_one_axis_and_of_many_grow() {
    let place = Place::missing();
    let mut a: MmapArray1<bool> =
        npy_common::create(&npy::Options::new(Create), &place, 0).unwrap();
    for i in 0..1000 {
        a.push(Axis(0), &arr0(i % 3 == 0)).unwrap();
    }
    assert_eq!(a.iter().filter(|x| **x).count(), 334);
    drop(a);
    let place = Place::missing();
    let shape = IxDyn(&[0, 2, 3]);
    let mut a: MmapArrayD<i16> =
        npy_common::create(&npy::Options::new(CreateNew), &place, shape).unwrap();
    let row = Array2::from_elem((2, 3), 4_i16).into_dyn();
    a.push(Axis(0), &row).unwrap();
    a.append(Axis(0), &ndarray::ArrayD::ones(IxDyn(&[2, 2, 3]))).unwrap();
    assert_eq!((a.shape(), a.sum()), (&[3, 2, 3][..], 36));
    let found = a.push(Axis(0), &Array1::<i16>::zeros(6).into_dyn());
    assert!(
        matches!(
            found.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::ShapeMismatch { .. })
        ),
        "{found:?}"
    );
    let mut scratch = MapOptions::scratch::<f32, _>((0, 7)).unwrap();
    for _ in 0..500 {
        scratch.push(Axis(0), &Array1::ones(7)).unwrap();
    }
    assert_eq!(scratch.sum(), 3500.0);
    // Rows of zero bytes are counted too.
    let place = Place::missing();
    let mut a = created(&place, (2, 0));
    a.push(Axis(0), &Array1::zeros(0)).unwrap();
    a.close().unwrap();
    assert_eq!(header_of(&place).shape(), [3, 0]);
}

#[test]
fn what_is_refused_changes_nothing() {
    let place = Place::of(&bytes(0..12));
    let table = |mode| MapOptions::new(mode).rows_of(3);
    let refused = |a: &mut MmapArray2<u32>, axis: usize, rows: &ArrayRef2<u32>| {
        let before = a.to_owned();
        let error = a.append(Axis(axis), rows).unwrap_err();
        let len = rows.len_of(Axis(axis.min(1))) + before.len_of(Axis(axis.min(1)));
        let _ = a.resize(Axis(axis), len).map_err(|_| ());
        place.assert_holds(&bytes(0..12));
        assert_eq!(*a, before);
        error
    };
    let row = rows(4..5, 3);
    let mut a = open(&table(ReadOnly), &place).unwrap();
    assert!(matches!(refused(&mut a, 0, &row).kind(), ErrorKind::ReadOnly));
    let mut a = open(&table(CopyOnWrite), &place).unwrap();
    assert!(matches!(refused(&mut a, 0, &row).kind(), ErrorKind::PrivateChanges));
    let mut a = open(&table(ReadWrite), &place).unwrap();
    let error = refused(&mut a, 1, &Array2::zeros((4, 1)));
    assert!(
        matches!(error.kind(), ErrorKind::NotOutermostAxis { axis: 1, outermost: 0 }),
        "{error}"
    );
    let error = refused(&mut a, 2, &row);
    assert!(
        matches!(error.kind(), ErrorKind::AxisOutOfBounds { axis: 2, ndim: 2 }),
        "{error}"
    );

    let error = a.append(Axis(0), &Array2::zeros((1, 4))).unwrap_err();
    assert_eq!(
        text_at(&error, &place),
        "expected an array of shape [1, 3], found shape [1, 4] (reshape or slice the array that \
         is passed)"
    );
    let error = a.push(Axis(0), &Array1::zeros(2)).unwrap_err();
    assert_eq!(
        text_at(&error, &place),
        "expected an array of shape [3], found shape [2] (reshape or slice the array that is \
         passed)"
    );
    let error = a.resize(Axis(0), usize::MAX / 2).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
    place.assert_holds(&bytes(0..12));
    assert_eq!(a, rows(0..4, 3));

    let fortran = MapOptions::new(ReadWrite).shape((4, 3).f());
    let mut a = open(&fortran, &place).unwrap();
    let error = refused(&mut a, 0, &row);
    assert!(
        matches!(error.kind(), ErrorKind::NotOutermostAxis { axis: 0, outermost: 1 }),
        "{error}"
    );
    let gaps = MapOptions::new(ReadWrite).shape((2, 3).strides((6, 1)));
    let mut a = open(&gaps, &place).unwrap();
    assert!(matches!(refused(&mut a, 0, &row).kind(), ErrorKind::NotInOrder));
    let part = MapOptions::new(ReadWrite).shape((3, 3));
    let mut a = open(&part, &place).unwrap();
    let error = refused(&mut a, 0, &row);
    assert!(
        matches!(error.kind(), ErrorKind::TrailingBytes { end: 36, found: 48 }),
        "{error}"
    );
    let mut a = map(&table(ReadWrite), &place.file()).unwrap();
    place.file().set_len(60).unwrap();
    let error = a.append(Axis(0), &row).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::TrailingBytes { end: 48, found: 60 }),
        "{error}"
    );
    place.file().set_len(48).unwrap();
    a.append(Axis(0), &row).unwrap();
    place.assert_holds(&bytes(0..15));
    let mut a: MmapArrayD<u32> =
        open(&MapOptions::new(ReadWrite).shape(IxDyn(&[])), &place).unwrap();
    let error = a.resize(Axis(0), 1).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::AxisOutOfBounds { axis: 0, ndim: 0 }),
        "{error}"
    );
}

#[test]
fn a_header_without_room_is_refused_until_it_is_made_growable() {
    let text = "{'descr': '<u4', 'fortran_order': False, 'shape': (99, 1), }";
    let file = npy_common::raw(1, format!("{text}\n").as_bytes());
    let place = Place::of(&[file, bytes(0..99)].concat());
    let before = place.bytes().unwrap();
    let mut a =
        npy_common::open::<npy_element::Le, Ix2>(&npy::Options::new(ReadWrite), &place)
            .unwrap();
    let row = Array1::from_elem(1, ndarray_memmap::Le::new(99_u32));
    let error = a.push(Axis(0), &row).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::NoRoom { count: 100 })),
        "{error}"
    );
    assert_eq!(
        text_at(&error, &place),
        "the header has no space for a length of 100 (call `npy::make_growable` first)"
    );
    a.sync().unwrap();
    place.assert_holds(&before);
    npy::make_growable(&place).unwrap();
    assert_eq!(copied(&place), rows(0..99, 1));
    let mut a = reopened(&place);
    for row in 99..1001 {
        a.push(Axis(0), &rows(row..row + 1, 1).row(0)).unwrap();
    }
    a.close().unwrap();
    assert_eq!(copied(&place), rows(0..1001, 1));
    let before = place.bytes().unwrap();
    let inode = fs::metadata(&place).unwrap().modified().unwrap();
    npy::make_growable(&place).unwrap();
    place.assert_holds(&before);
    assert_eq!(
        fs::metadata(&place).unwrap().modified().unwrap(),
        inode,
        "not written again"
    );
}

mod npy_element {
    pub(crate) type Le = ndarray_memmap::Le<u32>;
}

#[test]
fn make_growable_refuses_what_is_not_whole() {
    let short = npy_common::file("'<u4'", 'C', "(3,)", &bytes(0..2));
    let two = npy_common::file("'<u4'", 'C', "(1,)", &bytes(0..1));
    let two = [two.clone(), two].concat();
    for (file, is_right) in [
        (
            short,
            &(|e: &Error| matches!(e.kind(), ErrorKind::FileTooShort { .. }))
                as &dyn Fn(&Error) -> bool,
        ),
        (two, &|e| matches!(e.kind(), ErrorKind::TrailingBytes { .. })),
        (b"nothing of the kind".to_vec(), &|e| matches!(e.kind(), ErrorKind::Npy(_))),
    ] {
        let place = Place::of(&file);
        assert!(is_right(&npy::make_growable(&place).unwrap_err()));
        place.assert_holds(&file);
    }
    assert!(matches!(
        npy::make_growable(Place::missing()).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { .. })
    ));
}

#[test]
fn what_lies_behind_an_array_is_not_overwritten() {
    let file = npy_common::file("'<u4'", 'C', "(4, 3)", &bytes(0..12));
    for tail in [file.clone(), vec![7; 17], vec![0; 17], vec![0; 9000]] {
        let found = 176 + tail.len() as u64;
        let both = [file.clone(), tail].concat();
        let place = Place::of(&both);
        let mut a = reopened(&place);
        for error in [
            a.push(Axis(0), &rows(4..5, 3).row(0)).unwrap_err(),
            a.resize(Axis(0), 9).unwrap_err(),
            a.resize(Axis(0), 4).unwrap_err(),
            a.resize(Axis(0), 2).unwrap_err(),
        ] {
            let ErrorKind::TrailingBytes { end: 176, found: n } = error.kind() else {
                panic!("{error}")
            };
            assert_eq!(*n, found);
        }
        a.close().unwrap();
        place.assert_holds(&both);
    }
}

#[test]
fn a_header_that_another_process_has_written_is_not_overwritten() {
    let place = Place::missing();
    let mut a = created(&place, (4, 3));
    let mut b = reopened(&place);
    b.push(Axis(0), &rows(4..5, 3).row(0)).unwrap();
    b.close().unwrap();
    let before = place.bytes().unwrap();
    let error = a.push(Axis(0), &rows(4..5, 3).row(0)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Replaced), "{error}");
    drop(a);
    place.assert_holds(&before);
}

#[test]
fn another_array_of_the_file_does_not_cut_off_what_lies_ahead() {
    let place = Place::missing();
    let mut a = created(&place, (0, 3));
    a.push(Axis(0), &rows(0..1, 3).row(0)).unwrap();
    assert!(place.len() >= 140);
    let mut b = reopened(&place);
    b.sync().unwrap();
    b.view_mut().unwrap()[[0, 0]] = 5;
    drop(b);
    let long = place.len();
    a.push(Axis(0), &rows(1..2, 3).row(0)).unwrap();
    assert_eq!(place.len(), long);
    assert_eq!(a, array![[5, 1, 2], [3, 4, 5]]);
}

#[test]
fn a_follower_shows_new_rows_when_it_refreshes() {
    let raw = Place::of(&bytes(0..6));
    let mut writer: MmapArray2<u32> =
        open(&MapOptions::new(ReadWrite).rows_of(3), &raw).unwrap();
    let mut reader: MmapArray2<u32> =
        open(&MapOptions::new(ReadOnly).rows_of(3), &raw).unwrap();
    let mut flat: MmapArray1<u32> = open(&MapOptions::new(ReadOnly), &raw).unwrap();
    for row in 2..60 {
        writer.push(Axis(0), &rows(row..row + 1, 3).row(0)).unwrap();
        assert_eq!(reader.nrows() as u32, row);
        assert!(reader.file_changed().unwrap());
        reader.refresh().unwrap();
        flat.refresh().unwrap();
        assert_eq!(reader, rows(0..row + 1, 3));
        assert_eq!(flat.len(), reader.len());
        assert!(!reader.file_changed().unwrap());
    }
    raw.file().set_len(12 * 60 + 5).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader.nrows(), 60, "half a row does not count");
    raw.file().set_len(12 * 2).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader, rows(0..2, 3));

    let place = Place::missing();
    let mut writer = created(&place, (0, 3));
    let mut reader = npy_common::read::<u32, Ix2>(&place).unwrap();
    let mut count = 0;
    for added in [1, 2, 30, 1, 100_000, 3] {
        writer.append(Axis(0), &rows(count..count + added, 3)).unwrap();
        count += added;
        reader.refresh().unwrap();
        assert_eq!(reader, rows(0..count, 3));
    }
    writer.resize(Axis(0), 7).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader, rows(0..7, 3));
}

#[test]
fn a_follower_stays_as_it_was_if_it_cannot_refresh() {
    let place = Place::of(&[1; 8]);
    for options in [MapOptions::new(ReadWrite), MapOptions::new(CopyOnWrite)] {
        let mut a: MmapArray1<u8> = open(&options, &place).unwrap();
        assert!(matches!(
            a.refresh().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::UnsupportedMode { .. })
        ));
    }
    let mut a: MmapArray1<u8> =
        open(&MapOptions::new(ReadOnly).shape(8), &place).unwrap();
    assert!(matches!(
        a.refresh().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::FixedShape)
    ));
    let mut a = MapOptions::new(ReadOnly).load::<u8>(&place).unwrap();
    assert!(matches!(
        a.refresh().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { .. })
    ));
    let mut a: MmapArray1<u8> = map(&MapOptions::new(ReadOnly), &place.file()).unwrap();
    assert!(matches!(
        a.refresh().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { .. })
    ));

    let mut a: MmapArray1<bool> = open(&MapOptions::new(ReadOnly), &place).unwrap();
    fs::OpenOptions::new().append(true).open(&place).unwrap();
    place.file().set_len(9).unwrap();
    a.refresh().unwrap();
    std::io::Write::write_all(
        &mut fs::OpenOptions::new().append(true).open(&place).unwrap(),
        &[1, 0, 2],
    )
    .unwrap();
    let error = a.refresh().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidElement { index: 11 }), "{error}");
    assert_eq!((a.len(), a[8]), (9, false));

    let mut a: MmapArray1<u8> = open(&MapOptions::new(ReadOnly), &place).unwrap();
    let other = place.folder().join("other");
    fs::write(&other, [3; 20]).unwrap();
    fs::rename(&other, &place).unwrap();
    if cfg!(unix) {
        assert!(matches!(
            a.refresh().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Replaced)
        ));
        assert_eq!(a.len(), 12);
    }

    let place = Place::of(&npy_common::file("'|u1'", 'C', "(3, 2)", &[1; 6]));
    let mut a = npy_common::read::<u8, Ix2>(&place).unwrap();
    for (shape, is_right) in [
        (
            "(9, 2)",
            &(|e: &Error| matches!(e.kind(), ErrorKind::FileTooShort { .. }))
                as &dyn Fn(&Error) -> bool,
        ),
        ("(2, 3)", &|e| matches!(e.kind(), ErrorKind::Replaced)),
        ("nothing", &|e| matches!(e.kind(), ErrorKind::Npy(_))),
    ] {
        fs::write(&place, npy_common::file("'|u1'", 'C', shape, &[1; 6])).unwrap();
        assert!(is_right(&a.refresh().unwrap_err()), "{shape}");
        assert_eq!(a.shape(), [3, 2]);
    }
    fs::write(&place, npy_common::file("'|u1'", 'C', "(3, 2)", &[1; 6])).unwrap();
    a.refresh().unwrap();
    assert_eq!(a, Array2::<u8>::ones((3, 2)));
}

#[test]
fn the_header_changes_in_one_word_and_keeps_its_length() {
    let place = Place::missing();
    let mut a: MmapArray1<u8> =
        npy_common::create(&npy::Options::new(Create), &place, 0).unwrap();
    let first = &place.bytes().unwrap()[..128];
    a.push(Axis(0), &arr0(1)).unwrap();
    let header = || {
        use std::io::Read;
        let mut bytes = vec![0; 128];
        place.file().read_exact(&mut bytes).unwrap();
        bytes
    };
    let mut last = header();
    assert_eq!(last[..50], first[..50]);
    for i in 2..2000_usize {
        a.push(Axis(0), &arr0(1)).unwrap();
        let now = header();
        let changed: Vec<usize> = (0..128).filter(|i| now[*i] != last[*i]).collect();
        let words = changed.iter().map(|at| at / 8);
        let words: std::collections::BTreeSet<usize> = words.collect();
        assert_eq!(words.len(), 1, "{changed:?} at {i}");
        assert_eq!(Header::parse(&now).unwrap().shape(), [i]);
        last = now;
    }
    drop(a);
    assert_eq!(npy_common::read::<u8, Ix1>(&place).unwrap().len(), 1999);
}

#[test]
fn an_array_of_unknown_type_grows_with_its_header() {
    let place = Place::missing();
    created(&place, (2, 3)).close().unwrap();
    // SAFETY: the file lies in the test's own folder.
    let opened = unsafe { npy::DynArray::open(&place, ReadWrite) };
    let npy::DynArray::U32(mut a) = opened.unwrap() else { panic!("another type") };
    a.push(Axis(0), &array![7, 8, 9].into_dyn()).unwrap();
    a.close().unwrap();
    assert_eq!(copied(&place), array![[0, 0, 0], [0, 0, 0], [7, 8, 9]]);
    let opened = npy_common::open_any(&place);
    let npy::DynArray::U32(mut a) = opened.unwrap() else { panic!("another type") };
    let mut writer = reopened(&place);
    writer.resize(Axis(0), 5).unwrap();
    a.refresh().unwrap();
    assert_eq!(a.shape(), [5, 3]);
}

#[test]
fn a_number_alone_has_no_rows_to_follow() {
    let place = Place::of(&bytes([7]));
    let mut a = open::<u32, _>(&MapOptions::new(ReadOnly).shape(()), &place).unwrap();
    a.refresh().unwrap();
    assert_eq!(*a, arr0(7));
}

#[test]
fn a_follower_keeps_its_lock() {
    let place = Place::of(&[1; 12]);
    let mut a: MmapArray1<u8> =
        open(&MapOptions::new(ReadOnly).lock(true), &place).unwrap();
    assert!(place.file().try_lock().is_err());
    for len in [18, 1 << 20, 1 << 27] {
        place.file().set_len(len).unwrap();
        a.refresh().unwrap();
        assert_eq!(a.len() as u64, len);
        assert!(place.file().try_lock().is_err());
    }
    drop(a);
    place.file().try_lock().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_forks_leaves_the_file_to_the_one_that_goes_on() {
    test_support::in_own_process(
        a_process_that_forks_leaves_the_file_to_the_one_that_goes_on,
        || {
            let place = Place::missing();
            let mut a = created(&place, (0, 3));
            a.push(Axis(0), &array![1, 2, 3]).unwrap();
            let long = place.len();
            assert!(long > 1 << 20);
            // SAFETY: this process has one other thread, which waits for this one.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let checked = std::panic::catch_unwind(move || {
                    a.sync().unwrap();
                    assert_eq!(place.len(), long, "the file belongs to the parent");
                    a.resize(Axis(0), 2).unwrap();
                    assert_eq!(place.len(), 128 + 24);
                    for _ in 0..1000 {
                        a.push(Axis(0), &array![4, 5, 6]).unwrap();
                    }
                    a.sync().unwrap();
                    assert_eq!((a.nrows(), place.len()), (1002, 128 + 12 * 1002));
                    std::mem::forget((a, place));
                });
                // SAFETY: this process has nothing to clean up.
                unsafe { libc::_exit(i32::from(checked.is_err())) }
            }
            let mut status = 0;
            // SAFETY: `status` is valid for the write of the kernel.
            let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!((waited, status), (child, 0));
            assert_eq!(header_of(&place).shape(), [1002, 3]);
        },
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_limit_of_the_file_size_that_is_lowered_later_is_an_error() {
    use rustix::process::{Resource, Rlimit, setrlimit};

    test_support::in_own_process(
        a_limit_of_the_file_size_that_is_lowered_later_is_an_error,
        || {
            for is_npy in [false, true] {
                let place = Place::missing();
                let mut a = match is_npy {
                    true => created(&place, (0, 1000)),
                    false => {
                        open(&MapOptions::new(Create).shape((0, 1000)), &place).unwrap()
                    }
                };
                a.push(Axis(0), &Array1::ones(1000)).unwrap();
                let limit = Rlimit { current: Some(8_000_000), maximum: None };
                setrlimit(Resource::Fsize, limit).unwrap();
                let block = Array2::ones((100, 1000));
                let error =
                    (0..100).find_map(|_| a.append(Axis(0), &block).err()).unwrap();
                let found = std::io::Error::from(error);
                assert!(found.to_string().contains("extend"), "{found}");
                assert!(matches!(
                    a.resize(Axis(0), 2100).as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::Io { .. })
                ));
                let count = a.nrows();
                assert!(count > 1000 && a.iter().all(|x| *x == 1), "{count}");
                a.close().unwrap();
                assert_eq!(
                    place.len(),
                    if is_npy { 128 } else { 0 } + 4000 * count as u64
                );
                let limit = Rlimit { current: None, maximum: None };
                setrlimit(Resource::Fsize, limit).unwrap();
            }
        },
    );
}
