//! Guarded `.npy` files: open files, and arrays of unknown element type.

use ndarray::IxDyn;
use ndarray_memmap::Mode::ReadOnly;
use ndarray_memmap::npy::{DynArray, Options};
use ndarray_memmap::{ErrorKind, Result, guard};
use test_support::npy_common::file;
use test_support::{Place, in_own_process};

/// Returns what the two functions of open files and the one of a path return.
fn all(options: &Options, place: &Place) -> [Result<DynArray>; 3] {
    let file = place.file();
    // SAFETY: the file lies in the folder of the test. The test truncates the file only while the
    // arrays are guarded.
    let mapped = unsafe { options.map::<u8, IxDyn>(&file) }.map(DynArray::U8);
    // SAFETY: as above.
    let any = unsafe { DynArray::map(&file, options) };
    // SAFETY: as above.
    [mapped, any, unsafe { DynArray::open_with(place, options) }]
}

#[test]
fn a_guard_is_required_and_applied() {
    in_own_process(a_guard_is_required_and_applied, || {
        let place = Place::of(&file("'|u1'", 'C', "(2, 2)", &[1, 2, 3, 4]));
        let options = Options::new(ReadOnly).guarded(true);
        for (error, has_path) in
            all(&options, &place).into_iter().zip([false, false, true])
        {
            let error = error.unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotGuarded), "{error:?}");
            assert_eq!(error.path().is_some(), has_path);
        }
        guard::install().unwrap();
        let arrays = all(&options, &place).map(Result::unwrap);
        place.file().set_len(0).unwrap();
        for array in arrays {
            let DynArray::U8(a) = array else { panic!("{array:?}") };
            let faulted = a.try_with(|a| a.sum());
            assert!(
                matches!(
                    faulted.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::Faulted { .. })
                ),
                "{faulted:?}"
            );
        }
    });
}
