//! Existing `.npy` files: their arrays in each mode, and when they are refused.

use std::error::Error as _;
use std::fs;
use std::io;

use ndarray::{Dimension, Ix0, Ix1, Ix2, Ix3, Ix5, IxDyn, array, indices};
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, NpyElement, Options};
use ndarray_memmap::{Advice, Be, Error, ErrorKind, Le, Mode, NpyErrorKind};
use test_support::npy_common::{file, file_at, open, open_any, read, tuple};
use test_support::{Place, npy_common, text_at};

const SHAPES: [&[usize]; 9] =
    [&[], &[1], &[5], &[0], &[3, 4], &[4, 1], &[2, 3, 4], &[3, 0, 2], &[2, 1, 3, 2, 2]];

/// Returns the bytes of little-endian numbers that count from 0.
fn counted(count: usize) -> Vec<u8> {
    (0_u32..).take(count).flat_map(u32::to_le_bytes).collect()
}

/// Returns the position of an element in the file, computed from the definition of the order.
fn position(index: &[usize], shape: &[usize], order: char) -> u32 {
    let step = |at, (&i, &length): (&usize, &usize)| at * length + i;
    let axes = index.iter().zip(shape);
    let position =
        if order == 'C' { axes.fold(0, step) } else { axes.rev().fold(0, step) };
    u32::try_from(position).unwrap()
}

fn error<A: NpyElement, D: Dimension>(mode: Mode, place: &Place) -> Error {
    open::<A, D>(&Options::new(mode), place).map(drop).unwrap_err()
}

#[test]
fn each_element_is_at_its_index_in_both_orders_and_every_mode() {
    for (shape, order) in SHAPES.into_iter().flat_map(|s| [(s, 'C'), (s, 'F')]) {
        let count = shape.iter().product();
        let start = file("'<u4'", order, &tuple(shape), &counted(count));
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let place = Place::of(&start);
            let mut a = open::<Le<u32>, IxDyn>(&Options::new(mode), &place).unwrap();
            assert_eq!((a.shape(), a.len(), a.mode()), (shape, count, mode));
            for index in indices(IxDyn(shape)) {
                let expected = position(index.slice(), shape, order);
                assert_eq!(
                    a[&index], expected,
                    "{index:?} of {shape:?} in {order} order"
                );
            }
            let mut expected = start.clone();
            if mode != ReadOnly {
                a.view_mut().unwrap().map_inplace(|x| *x += 256);
            }
            if mode == ReadWrite {
                let data = expected.len() - 4 * count;
                expected.iter_mut().skip(data + 1).step_by(4).for_each(|byte| *byte = 1);
            }
            drop(a);
            place.assert_holds(&expected);
        }
        let place = Place::of(&start);
        let a = npy::load::<Le<u32>, IxDyn>(&place).unwrap();
        let by_the_book =
            |(index, x): (IxDyn, &Le<u32>)| *x == position(index.slice(), shape, order);
        assert!(a.indexed_iter().all(by_the_book), "{shape:?} in {order} order");
        place.assert_holds(&start);
    }
}

#[test]
fn the_number_of_axes_can_be_part_of_the_type() {
    let place = Place::of(&file("'>f8'", 'C', "()", &1.5_f64.to_be_bytes()));
    assert_eq!(read::<Be<f64>, Ix0>(&place).unwrap()[()], 1.5);
    let place = Place::of(&file("'|u1'", 'F', "(2, 3)", &[1, 2, 3, 4, 5, 6]));
    assert_eq!(*read::<u8, Ix2>(&place).unwrap(), array![[1, 3, 5], [2, 4, 6]]);
    let place = Place::of(&file("'|i1'", 'C', "(1, 1, 3)", &[1, 2, 255]));
    assert_eq!(*read::<i8, Ix3>(&place).unwrap(), array![[[1, 2, -1]]]);
    let place = Place::of(&file("'|b1'", 'C', "(1, 0, 3, 2, 1)", b""));
    assert_eq!(read::<bool, Ix5>(&place).unwrap().dim(), (1, 0, 3, 2, 1));

    let place = Place::of(&file("'|u1'", 'C', "(2, 3)", &[1, 2, 3, 4, 5, 6]));
    let error = error::<u8, Ix1>(ReadOnly, &place);
    assert!(matches!(
        error.kind(),
        ErrorKind::Npy(NpyErrorKind::Axes { found: 2, expected: 1 })
    ));
    let text =
        "expected an array of 1 axis, found 2 axes (use the dimension `Ix2` or `IxDyn`)";
    assert_eq!(text_at(&error, &place), text);
    assert_eq!(text_at(&npy::load::<u8, Ix1>(&place).unwrap_err(), &place), text);
}

#[test]
fn another_element_type_is_refused_by_both_names() {
    type Row = (&'static str, &'static str, fn(&Place) -> Error);
    #[rustfmt::skip]
    let rows: [Row; 7] = [
        ("'>f8'", "expected elements of type `<f8`, found `>f8` (use the element type `BE<f64>`)", |p| error::<Le<f64>, Ix1>(ReadOnly, p)),
        ("'<f8'", "expected elements of type `>f8`, found `<f8` (use the element type `LE<f64>`)", |p| error::<Be<f64>, Ix1>(ReadWrite, p)),
        ("'<f4'", "expected elements of type `<i4`, found `<f4` (use the element type `LE<f32>`)", |p| error::<Le<i32>, Ix1>(CopyOnWrite, p)),
        ("'<u8'", "expected elements of type `<i8`, found `<u8` (use the element type `LE<u64>`)", |p| npy::load::<Le<i64>, Ix1>(p).map(drop).unwrap_err()),
        ("'|u1'", "expected elements of type `|b1`, found `|u1` (use the element type `u8`)", |p| error::<bool, Ix1>(ReadOnly, p)),
        ("'<M8[ns]'", "expected elements of type `<i8`, found `<M8[ns]` (convert the elements in NumPy by `astype`)", |p| error::<Le<i64>, Ix1>(ReadOnly, p)),
        ("[('x', '<f8')]", "expected elements of type `<f8`, found `[('x', '<f8')]` (describe a struct by `npy::record!`)", |p| error::<Le<f64>, Ix1>(ReadOnly, p)),
    ];
    for (descr, text, wrong) in rows {
        let start = file(descr, 'C', "(2,)", &[1; 16]);
        let place = Place::of(&start);
        let error = wrong(&place);
        assert!(
            matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::ElementType { .. })),
            "{error:?}"
        );
        // Numbers in the byte order of the machine need no wrapper.
        let own = if cfg!(target_endian = "big") { "BE<" } else { "LE<" };
        let text = match text.split_once(own) {
            Some((before, after)) => before.to_owned() + &after.replacen('>', "", 1),
            None => text.replace("BE<", "Be<").replace("LE<", "Le<"),
        };
        assert_eq!(text_at(&error, &place), text);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidData);
        place.assert_holds(&start);
    }
}

#[test]
fn misaligned_data_can_be_mapped_bytewise_or_copied() {
    let numbers = [1.0, 2.0, 3.0, 4.0_f64];
    let data = numbers.map(f64::to_ne_bytes);
    let descr = if cfg!(target_endian = "big") { "'>f8'" } else { "'<f8'" };
    let native = if cfg!(target_endian = "big") { "Be" } else { "Le" };
    for offset in [71, 76, 84] {
        let start = file_at(offset, descr, 'F', "(2, 2)", data.as_flattened());
        let place = Place::of(&start);
        let align = align_of::<f64>();
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let error = error::<f64, Ix2>(mode, &place);
            assert!(matches!(error.kind(), ErrorKind::Misaligned { .. }), "{error:?}");
            let text = format!(
                "the elements from byte {offset} on are not aligned to {align} bytes \
                 (use the element type `{native}<f64>`, or copy by `load`)"
            );
            assert_eq!(text_at(&error, &place), text);
        }
        let loaded = npy::load::<f64, Ix2>(&place).unwrap();
        assert_eq!(*loaded, array![[1.0, 3.0], [2.0, 4.0]]);
        if cfg!(target_endian = "big") {
            let mapped = read::<Be<f64>, Ix2>(&place).unwrap();
            assert_eq!(mapped.mapv(Be::get), *loaded);
        } else {
            let mapped = read::<Le<f64>, Ix2>(&place).unwrap();
            assert_eq!(mapped.mapv(Le::get), *loaded);
        }
        place.assert_holds(&start);
    }
    // An array without elements is never misaligned.
    let place = Place::of(&file_at(71, descr, 'C', "(2, 0)", b""));
    assert_eq!(read::<f64, Ix2>(&place).unwrap().dim(), (2, 0));
}

#[test]
fn bytes_behind_the_array_are_left_alone() {
    let start = file("'<u2'", 'C', "(2,)", &[1, 0, 2, 0, 9, 9, 9]);
    let place = Place::of(&start);
    let mut a = open::<Le<u16>, Ix1>(&Options::new(ReadWrite), &place).unwrap();
    assert_eq!(a.as_slice(), Some(&[Le::new(1), Le::new(2)][..]));
    a.view_mut().unwrap().fill(Le::new(0x0303));
    a.close().unwrap();
    place.assert_holds(&file("'<u2'", 'C', "(2,)", &[3, 3, 3, 3, 9, 9, 9]));
}

#[test]
fn a_file_that_ends_too_early_is_refused_whatever_it_lacks() {
    let whole = file("'<f8'", 'C', "(2, 3)", &[1; 48]);
    assert_eq!(whole.len(), 128 + 48);
    for len in [0, 1, 6, 7, 8, 9, 10, 11, 127, 128, 129, 175] {
        let start = whole.get(..len).unwrap();
        let place = Place::of(start);
        let text = match len {
            0 => "the file ends in its magic string: expected 8 bytes, found 0 (the file is \
                  empty)"
                .to_owned(),
            1..8 => format!(
                "the file ends in its magic string: expected 8 bytes, found {len} (the file is \
                 incomplete: copy it again)"
            ),
            8..10 => format!(
                "the file ends in its header length: expected 10 bytes, found {len} (the file is \
                 incomplete: copy it again)"
            ),
            10..128 => format!(
                "the file ends in its header: expected 128 bytes, found {len} (the file is \
                 incomplete: copy it again)"
            ),
            _ => format!(
                "the array ends at byte 176, but the file has {len} bytes (it is incomplete: \
                 `npy::Options::whole_rows(true)` opens its whole rows)"
            ),
        };
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let error = error::<Le<f64>, Ix2>(mode, &place);
            assert_eq!(text_at(&error, &place), text, "{mode}");
        }
        let loaded = npy::load::<Le<f64>, Ix2>(&place).map(drop);
        assert_eq!(text_at(&loaded.unwrap_err(), &place), text);
        place.assert_holds(start);
    }
}

#[test]
fn options_of_speed_and_locks_change_no_byte() {
    let start = file("'|u1'", 'C', "(3,)", &[1, 2, 3]);
    let changes: [fn(Options) -> Options; 5] = [
        |options| options.populate(true),
        |options| options.advice(Advice::Random),
        |options| options.lock(true),
        |options| options.sparse(true),
        |options| options.lock(true).populate(true).advice(Advice::Sequential),
    ];
    for (mode, change) in [ReadOnly, CopyOnWrite, ReadWrite]
        .into_iter()
        .flat_map(|m| changes.map(|c| (m, c)))
    {
        let place = Place::of(&start);
        let options = change(Options::new(mode));
        let a = open::<u8, Ix1>(&options, &place).unwrap();
        assert_eq!(*a, array![1, 2, 3], "{options:?}");
        drop(a);
        place.assert_holds(&start);
    }
}

#[test]
fn a_locked_file_is_refused_before_it_is_read() {
    let place = Place::of(&file("'|u1'", 'C', "(3,)", &[1, 2, 3]));
    let locked = Options::new(ReadWrite).lock(true);
    let held = open::<u8, Ix1>(&locked, &place).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let options = Options::new(mode).lock(true);
        let error = open::<u8, Ix1>(&options, &place).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Locked), "{error:?}");
    }
    let error = Options::new(ReadOnly).lock(true).load::<u8, Ix1>(&place);
    assert!(matches!(error.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)));
    drop(held);
    let readers = [(); 2]
        .map(|()| open::<u8, Ix1>(&Options::new(ReadOnly).lock(true), &place).unwrap());
    assert!(readers.iter().all(|a| a.sum() == 6));
    assert!(matches!(
        open::<u8, Ix1>(&locked, &place).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Locked)
    ));
}

#[test]
fn private_changes_stay_private_and_shared_ones_reach_the_file() {
    let start = file("'<i2'", 'F', "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 0]);
    let place = Place::of(&start);
    let mut private = open::<Le<i16>, Ix2>(&Options::new(CopyOnWrite), &place).unwrap();
    private.view_mut().unwrap()[[1, 0]] = Le::new(9);
    assert_eq!(private.mapv(Le::get), array![[1, 3], [9, 4]]);
    assert!(matches!(
        private.sync().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::PrivateChanges)
    ));
    place.assert_holds(&start);
    drop(private);
    place.assert_holds(&start);

    let mut shared = open::<Le<i16>, Ix2>(&Options::new(ReadWrite), &place).unwrap();
    shared.view_mut().unwrap()[[1, 0]] = Le::new(9);
    shared.sync().unwrap();
    place.assert_holds(&file("'<i2'", 'F', "(2, 2)", &[1, 0, 9, 0, 3, 0, 4, 0]));

    let mut fixed = read::<Le<i16>, Ix2>(&place).unwrap();
    assert!(matches!(
        fixed.view_mut().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::ReadOnly)
    ));
    fixed.sync().unwrap();
}

#[test]
fn a_copy_can_be_changed_without_the_file() {
    let start = file("'|u1'", 'C', "(3,)", &[1, 2, 3]);
    let place = Place::of(&start);
    let mut a = Options::new(CopyOnWrite).load::<u8, Ix1>(&place).unwrap();
    a.view_mut().unwrap()[0] = 9;
    assert_eq!(*a, array![9, 2, 3]);
    place.assert_holds(&start);
}

#[test]
fn modes_of_other_doors_are_refused() {
    let start = file("'|u1'", 'C', "(3,)", &[1, 2, 3]);
    let place = Place::of(&start);
    for mode in [Create, CreateNew] {
        let text = format!(
            "cannot open a `.npy` file in mode `{mode}` (use `npy::create`, which writes a header)"
        );
        assert_eq!(text_at(&error::<u8, Ix1>(mode, &place), &place), text);
    }
    for mode in [ReadWrite, Create, CreateNew, Append] {
        let loaded = Options::new(mode).load::<u8, Ix1>(&place);
        let text =
            format!("cannot load a file in mode `{mode}` (use mode `r` or mode `c`)");
        assert_eq!(text_at(&loaded.map(drop).unwrap_err(), &place), text);
    }
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let error = npy_common::create::<u8, _>(&Options::new(mode), &place, 5);
        let text = format!(
            "cannot create a `.npy` file in mode `{mode}` (use mode `w+`, `x+` or `a+`, or `npy::open`)"
        );
        assert_eq!(text_at(&error.map(drop).unwrap_err(), &place), text);
    }
    place.assert_holds(&start);
}

#[test]
fn a_long_header_is_read_once_the_cap_is_lifted() {
    let padding = " ".repeat(20_000);
    let header = file("'|u1'", 'C', &format!("({padding}3,)"), &[1, 2, 3]);
    let place = Place::of(&header);
    let error = error::<u8, Ix1>(ReadOnly, &place);
    let len = header.len() - 13;
    let text = format!(
        "the header has {len} bytes, more than the limit of 10000 bytes (raise the limit: `npy::Options::max_header_size`, or `Header::read_with_limit`)"
    );
    assert_eq!(text_at(&error, &place), text);
    for (cap, accepted) in [(len, true), (len - 1, false), (usize::MAX, true)] {
        let options = Options::new(ReadOnly).max_header_size(u64::try_from(cap).unwrap());
        let opened = open::<u8, Ix1>(&options, &place);
        assert_eq!(opened.is_ok_and(|a| *a == array![1, 2, 3]), accepted, "{cap}");
    }
}

#[test]
fn archives_and_pickled_objects_are_called_what_they_are() {
    for start in [&b"PK\x03\x04\x14\0\0\0"[..], b"PK\x05\x06\0\0\0\0"] {
        let place = Place::of(start);
        let text = "the file is a zip archive (`.npz`), not a `.npy` file (extract the `.npy` files that it contains, by `unzip`)";
        assert_eq!(text_at(&error::<u8, Ix1>(ReadOnly, &place), &place), text);
    }
    for descr in ["'|O'", "[('x', '|O')]", "[('x', [('y', '|O8', (2,))])]"] {
        let place = Place::of(&file(descr, 'C', "(3,)", b"pickle"));
        let text = "the elements are Python objects, which only Python can load (convert them in \
                    Python: `a.astype(float)`)";
        assert_eq!(text_at(&error::<u8, Ix1>(ReadOnly, &place), &place), text);
        assert_eq!(text_at(&open_any(&place).map(drop).unwrap_err(), &place), text);
    }
}

#[test]
fn a_missing_file_has_the_systems_own_words() {
    let place = Place::missing();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let error = error::<u8, Ix1>(mode, &place);
        let cause = error.source().unwrap().to_string();
        let text = format!(
            "cannot open the file: {cause} (check the path; `npy::create` and `npy::Options::create` create a file)"
        );
        assert_eq!(text_at(&error, &place), text);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        assert_eq!(place.bytes(), None);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_at_once() {
    let place = Place::missing();
    let fifo = place.folder().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let folder = place.folder().join("folder");
    fs::create_dir(&folder).unwrap();
    for (path, text) in [
        (&fifo, "found a FIFO (copy the data to a regular file)"),
        (&folder, "found a directory (pass the path of a file)"),
    ] {
        let text = format!("expected a regular file, {text}");
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let opened = open::<u8, Ix1>(&Options::new(mode), path);
            assert_eq!(text_at(&opened.map(drop).unwrap_err(), path), text, "{mode}");
        }
        let created = npy_common::create::<u8, _>(&Options::new(Create), path, 3);
        assert_eq!(text_at(&created.map(drop).unwrap_err(), path), text);
        let loaded = npy::load::<u8, Ix1>(path).map(drop).unwrap_err();
        assert_eq!(text_at(&loaded, path), text);
        assert_eq!(text_at(&open_any(path).map(drop).unwrap_err(), path), text);
    }
}
