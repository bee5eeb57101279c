//! Options for open files and for arrays of unknown type: each option acts, locks are released.

use std::fs::File;

use ndarray::{Axis, Ix1, Ix2, array};
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{DynArray, NpyElement, Options};
use ndarray_memmap::{
    Advice, Error, ErrorKind, Le, MmapArray, MmapArray2, NpyErrorKind, Result,
};
use test_support::npy_common::{file, open};
use test_support::{Place, text_at};

fn map<A: NpyElement, D: ndarray::Dimension>(
    options: &Options,
    file: &File,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file lies in the folder of this test, which changes it through one array at a
    // time.
    unsafe { options.map(file) }
}

fn map_any(options: &Options, file: &File) -> Result<DynArray> {
    // SAFETY: as in `map`.
    unsafe { DynArray::map(file, options) }
}

fn open_any(options: &Options, place: &Place) -> Result<DynArray> {
    // SAFETY: as in `map`.
    unsafe { DynArray::open_with(place, options) }
}

/// Returns what the two functions of open files and the one of a path return.
fn all(options: &Options, place: &Place) -> [Result<DynArray>; 3] {
    let mapped = map::<u8, ndarray::IxDyn>(options, &place.file()).map(DynArray::U8);
    [mapped, map_any(options, &place.file()), open_any(options, place)]
}

fn bytes_of(array: &DynArray) -> Vec<u8> {
    match array {
        DynArray::U8(a) => a.iter().copied().collect(),
        other => panic!("{other:?}"),
    }
}

fn four() -> Place {
    Place::of(&file("'|u1'", 'C', "(2, 2)", &[1, 2, 3, 4]))
}

#[test]
fn an_open_file_is_mapped_in_every_mode() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Append] {
        let place = four();
        let start = place.bytes().unwrap();
        let caller = place.file();
        let mut a: MmapArray2<u8> = map(&Options::new(mode), &caller).unwrap();
        drop(caller);
        assert_eq!((a.mode(), a.path(), a.offset()), (mode, None, 128));
        assert_eq!(*a, array![[1, 2], [3, 4]]);
        if mode != ReadOnly {
            a.view_mut().unwrap()[[1, 1]] = 9;
        }
        if matches!(mode, ReadWrite | Append) {
            a.push(Axis(0), &array![5, 6]).unwrap();
            a.close().unwrap();
            let end = file("'|u1'", 'C', "(3, 2)", &[1, 2, 3, 9, 5, 6]);
            assert!(place.bytes().unwrap().ends_with(&end[128..]));
            assert_eq!(
                *open::<u8, Ix2>(&Options::new(ReadOnly), &place).unwrap().row(2),
                array![5, 6]
            );
        } else {
            drop(a);
            place.assert_holds(&start);
        }
        for array in all(&Options::new(mode), &place) {
            assert_eq!(array.unwrap().shape()[1], 2);
        }
    }
}

#[test]
fn a_file_without_permission_to_write_is_mapped_to_read() {
    let place = four();
    let caller = File::open(&place).unwrap();
    for mode in [ReadOnly, CopyOnWrite] {
        assert_eq!(map::<u8, Ix2>(&Options::new(mode), &caller).unwrap()[[1, 0]], 3);
        assert_eq!(
            bytes_of(&map_any(&Options::new(mode), &caller).unwrap()),
            [1, 2, 3, 4]
        );
    }
}

#[test]
fn errors_of_open_files_have_no_path_and_those_of_paths_have_one() {
    let place = Place::of(&file("'<u2'", 'C', "(2,)", &[1, 0, 2, 0]));
    let check = |error: Error, text: &str, has_path: bool| {
        let found = if has_path { text_at(&error, &place) } else { error.to_string() };
        assert_eq!((&*found, error.path().is_some()), (text, has_path));
    };
    let text = "expected elements of type `|u1`, found `<u2`";
    let error = map::<u8, Ix1>(&Options::new(ReadOnly), &place.file()).map(drop);
    assert!(error.unwrap_err().to_string().starts_with(text));
    let text =
        "expected an array of 2 axes, found 1 axis (use the dimension `Ix1` or `IxDyn`)";
    let error = map::<Le<u16>, Ix2>(&Options::new(ReadOnly), &place.file()).map(drop);
    check(error.unwrap_err(), text, false);
    for mode in [Create, CreateNew] {
        let options = Options::new(mode);
        let text = format!(
            "cannot open a `.npy` file in mode `{mode}` (use `npy::create`, which writes a header)"
        );
        check(
            map::<Le<u16>, Ix1>(&options, &place.file()).map(drop).unwrap_err(),
            &text,
            false,
        );
        check(map_any(&options, &place.file()).map(drop).unwrap_err(), &text, false);
        check(open_any(&options, &place).map(drop).unwrap_err(), &text, true);
    }
    let place = Place::of(b"no header at all");
    for (error, has_path) in
        all(&Options::new(ReadOnly), &place).into_iter().zip([false, false, true])
    {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::BadMagic)),
            "{error:?}"
        );
        assert_eq!(error.path().is_some(), has_path);
    }
}

#[test]
fn the_limit_of_headers_applies() {
    let shape = format!("({}3,)", " ".repeat(20_000));
    let place = Place::of(&file("'|u1'", 'C', &shape, &[1, 2, 3]));
    for error in all(&Options::new(ReadOnly), &place) {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { .. })),
            "{error:?}"
        );
    }
    for array in all(&Options::new(ReadOnly).max_header_size(30_000), &place) {
        assert_eq!(bytes_of(&array.unwrap()), [1, 2, 3]);
    }
}

#[test]
fn whole_rows_opens_what_an_interrupted_copy_left() {
    let start = file("'|u1'", 'C', "(9, 2)", &[1, 2, 3, 4, 5]);
    let place = Place::of(&start);
    for error in all(&Options::new(ReadOnly), &place) {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::FileTooShort { expected: 146, found: 133 }),
            "{error:?}"
        );
        let way_out =
            " (it is incomplete: `npy::Options::whole_rows(true)` opens its whole rows)";
        assert!(error.to_string().ends_with(way_out), "{error}");
    }
    for array in all(&Options::new(ReadOnly).whole_rows(true), &place) {
        let array = array.unwrap();
        assert_eq!((array.shape(), bytes_of(&array)), (&[2, 2][..], vec![1, 2, 3, 4]));
    }
    place.assert_holds(&start);
}

#[test]
fn options_of_speed_change_no_element() {
    let place = four();
    let start = place.bytes().unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        for options in [
            Options::new(mode).populate(true),
            Options::new(mode).advice(Advice::Random),
            Options::new(mode).advice(Advice::HugePage).populate(true),
        ] {
            for array in all(&options, &place) {
                let array = array.unwrap();
                assert_eq!(
                    (array.shape(), bytes_of(&array)),
                    (&[2, 2][..], vec![1, 2, 3, 4])
                );
            }
        }
    }
    place.assert_holds(&start);
}

/// Returns whether another handle can lock the file as a writer.
fn is_free(place: &Place) -> bool {
    match open::<u8, Ix2>(&Options::new(ReadWrite).lock(true), place) {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Locked), "{error}");
            false
        }
    }
}

#[test]
fn a_lock_lasts_as_long_as_the_array() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Append] {
        let place = four();
        let options = Options::new(mode).lock(true);
        let caller = place.file();
        let arrays: [fn(&Options, &File, &Place) -> DynArray; 3] = [
            |options, file, _| DynArray::U8(map(options, file).unwrap()),
            |options, file, _| map_any(options, file).unwrap(),
            |options, _, place| open_any(options, place).unwrap(),
        ];
        for map in arrays {
            let array = map(&options, &caller, &place);
            assert!(!is_free(&place), "{mode}");
            drop(array);
            assert!(is_free(&place), "{mode}");
        }
    }
}

#[test]
fn after_an_error_the_file_of_the_caller_is_unlocked() {
    let place = four();
    let wrong = Place::of(b"no header at all");
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Append] {
        let options = Options::new(mode).lock(true);
        let caller = place.file();
        let errors = [
            map::<bool, Ix2>(&options, &caller).map(drop),
            map::<u8, Ix1>(&options, &caller).map(drop),
            map::<u8, Ix2>(&options.clone().max_header_size(1), &caller).map(drop),
            map_any(&options.clone().max_header_size(1), &caller).map(drop),
        ];
        for error in errors {
            let error = error.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Npy(_)), "{error:?}");
            assert!(is_free(&place), "{mode}");
        }
        let caller = wrong.file();
        assert!(map_any(&options, &caller).is_err());
        caller.try_lock().unwrap();
        // A lock that the caller holds stays.
        assert!(map::<u8, Ix2>(&options, &caller).is_err());
        assert!(wrong.file().try_lock_shared().is_err(), "the caller still has the lock");
    }
}

#[test]
fn a_lock_of_another_handle_is_respected() {
    let place = four();
    let held = open::<u8, Ix2>(&Options::new(ReadWrite).lock(true), &place).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Append] {
        for error in all(&Options::new(mode).lock(true), &place) {
            let error = error.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Locked), "{error:?}");
        }
    }
    drop(held);
    assert!(is_free(&place));
}
