//! Files that are truncated, punched with holes, removed or replaced while they are mapped.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use std::os::unix::fs::FileExt;

use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1, Mode};
use rustix::fs::{FallocateFlags, fallocate};

use crate::{child, later, open};
use test_support::Place;
use test_support::kernel::numbers;

/// A length in the middle of a page.
const CUT: usize = 50_000;

fn array(mode: Mode, path: impl AsRef<Path>) -> MmapArray1<u8> {
    open(&MapOptions::new(mode), path).unwrap()
}

#[test]
fn what_was_cut_off_and_grows_again_is_zeros_and_the_file_has_changed() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&numbers());
        let mut a = array(mode, &place);
        let mut expected = numbers();
        if mode == CopyOnWrite {
            // The truncation of its page discards a private change.
            let mut view = a.view_mut().unwrap();
            (view[0], view[99_999], expected[0]) = (255, 255, 255);
        }
        assert!(!a.file_changed().unwrap(), "{mode}");
        later();
        place.file().set_len(CUT as u64).unwrap();
        // An access to the lost pages would raise SIGBUS; `file_changed` does not access them.
        assert!(a.file_changed().unwrap() && a.is_same_file(&place).unwrap(), "{mode}");
        place.file().set_len(100_000).unwrap();
        expected[CUT..].fill(0);
        assert!(a.as_slice() == Some(&expected[..]), "{mode}");
        assert!(a.file_changed().unwrap() && a.is_same_file(&place).unwrap(), "{mode}");
        match mode {
            CopyOnWrite => {
                assert!(matches!(
                    a.commit().as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::Conflict)
                ));
                expected[0] = 0;
            }
            ReadWrite => {
                a.view_mut().unwrap()[99_999] = 9;
                expected[99_999] = 9;
                a.sync().unwrap();
            }
            _ => assert!(matches!(
                a.view_mut().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::ReadOnly)
            )),
        }
        place.assert_holds(&expected);
    }
}

#[test]
fn a_hole_under_an_array_is_zeros_and_the_file_has_changed() {
    const HOLE: std::ops::Range<usize> = 8192..60_000;

    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&numbers());
        let mut a = array(mode, &place);
        let mut expected = numbers();
        expected[HOLE].fill(0);
        if mode == CopyOnWrite {
            a.view_mut().unwrap()[20_480] = 255;
        }
        assert!(!a.file_changed().unwrap(), "{mode}");
        later();
        let punch = FallocateFlags::PUNCH_HOLE.union(FallocateFlags::KEEP_SIZE);
        let (start, len) = (HOLE.start as u64, HOLE.len() as u64);
        if fallocate(place.file(), punch, start, len).is_err() {
            // Zeros have the same effect on a file system without holes.
            place.file().write_all_at(&vec![0; HOLE.len()], start).unwrap();
        }
        let mut shown = expected.clone();
        if mode == CopyOnWrite {
            // The whole page of a private change is private.
            let page = 20_480..20_480 + rustix::param::page_size();
            shown[page.clone()].copy_from_slice(&numbers()[page]);
            shown[20_480] = 255;
        }
        assert!(a.as_slice() == Some(&shown[..]), "{mode}");
        assert!(a.file_changed().unwrap() && a.is_same_file(&place).unwrap(), "{mode}");
        match mode {
            CopyOnWrite => assert!(matches!(
                a.commit().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Conflict)
            )),
            _ => a.sync().unwrap(),
        }
        place.assert_holds(&expected);
    }
}

#[test]
fn an_access_beyond_the_end_of_a_file_that_was_cut_kills_the_process() {
    if let Some((mode, file)) = child::part() {
        let mut a = array(mode.parse().unwrap(), &file);
        fs::File::options().write(true).open(&file).unwrap().set_len(10).unwrap();
        assert_eq!(a[9], 9);
        assert_eq!(a[10], 0, "the rest of the page is mapped");
        match a.view_mut() {
            Ok(mut view) => view[CUT] = 1,
            Err(_) => drop(black_box(a[CUT])),
        }
        return child::done();
    }
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&numbers());
        let test = an_access_beyond_the_end_of_a_file_that_was_cut_kills_the_process;
        child::dies(test, &mode.to_string(), place.path(), libc::SIGBUS);
        place.assert_holds(&numbers()[..10]);
    }
}

#[test]
fn a_file_that_is_removed_stays_what_it_was_until_it_is_unmapped() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&numbers());
        let mut a = array(mode, &place);
        assert!(!a.file_changed().unwrap());
        fs::remove_file(&place).unwrap();
        assert!(a.as_slice() == Some(&numbers()[..]), "{mode}");
        assert!(a.file_changed().unwrap() && !a.is_same_file(&place).unwrap(), "{mode}");
        if let Ok(mut view) = a.view_mut() {
            view.fill(7);
            assert!(a.iter().all(|&x| x == 7), "{mode}");
        }
        match mode {
            CopyOnWrite => assert!(matches!(
                a.commit().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Conflict)
            )),
            _ => a.sync().unwrap(),
        }
        drop(a);
        assert_eq!(place.bytes(), None, "{mode}: the file stays removed");
    }
}

#[test]
fn a_file_that_is_replaced_stays_what_it_was_and_the_new_one_is_left_alone() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&numbers());
        let mut a = array(mode, &place);
        assert!(!a.file_changed().unwrap());
        let new = place.folder().join("new");
        // A shorter file, so that an access to its missing pages would raise SIGBUS.
        fs::write(&new, [3; 10]).unwrap();
        fs::rename(&new, &place).unwrap();
        assert!(a.as_slice() == Some(&numbers()[..]), "{mode}");
        assert!(a.file_changed().unwrap() && !a.is_same_file(&place).unwrap(), "{mode}");
        if let Ok(mut view) = a.view_mut() {
            view.fill(7);
        }
        match mode {
            CopyOnWrite => {
                for error in [a.commit().unwrap_err(), a.force_commit().unwrap_err()] {
                    assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
                }
            }
            _ => a.sync().unwrap(),
        }
        drop(a);
        place.assert_holds(&[3; 10]);
    }
}
