//! Private changes that are committed to the file or discarded.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use ndarray_memmap::Mode::{self, CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1};
use rustix::param::page_size;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use test_support::kernel;
use test_support::{
    Place, file_system, keep_mappable, maps_for_writing, npy_common, open, text_at,
    wait_for_tick,
};

/// The offset of the array, so that its first and last page also hold other bytes.
const OFFSET: usize = 100;
const PAGES: usize = 20;

fn len() -> usize {
    PAGES * page_size() - 50
}

fn bytes() -> Vec<u8> {
    (0..OFFSET + len() + 1000).map(|i| (i % 251) as u8).collect()
}

fn array(mode: Mode, place: &Place) -> MmapArray1<u8> {
    let options = MapOptions::new(mode).offset(OFFSET as u64).shape(len());
    open(&options, place).unwrap()
}

/// Changes the first, the last and some other pages, in the array and in `bytes`.
fn change(a: &mut MmapArray1<u8>, bytes: &mut [u8], value: u8) -> usize {
    let mut view = a.view_mut().unwrap();
    let at = [0, 3 * page_size(), 4 * page_size() + 7, 9 * page_size(), len() - 1];
    for at in at {
        view[at] = value;
        bytes[OFFSET + at] = value;
    }
    at.len()
}

#[test]
fn a_file_that_became_too_short_gets_no_changes_whatever_is_asked() {
    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut expected, 255);
    let end = (OFFSET + len()) as u64;
    place.file().set_len(end - 1).unwrap();
    let found = place.bytes().unwrap();
    match a.force_commit().unwrap_err().kind() {
        ErrorKind::FileTooShort { expected, found } => {
            assert_eq!((*expected, *found), (end, end - 1))
        }
        error => panic!("{error:?}"),
    }
    assert!(matches!(
        a.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Conflict)
    ));
    place.assert_holds(&found);
}

#[test]
fn the_file_has_the_changes_and_the_array_goes_on_without_them() {
    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    for value in [255, 254] {
        let pages = change(&mut a, &mut expected, value);
        assert_ne!(place.bytes().unwrap(), expected);
        assert_eq!(place.mapped("Anonymous"), (pages * page_size()) as u64 / 1024);
        a.commit().unwrap();
        place.assert_holds(&expected);
        assert_eq!(place.mapped("Anonymous"), 0, "no page is private any more");
        assert_eq!(a.as_slice().unwrap(), &expected[OFFSET..][..len()]);
        a.commit().unwrap();
    }
    change(&mut a, &mut bytes(), 1);
    drop(a);
    place.assert_holds(&expected);
}

#[test]
fn only_changed_pages_are_written() {
    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut expected, 255);
    // Another handle changes another page, which the array has not accessed.
    let other = OFFSET + 6 * page_size();
    place.file().write_all_at(&[99], other as u64).unwrap();
    expected[other] = 99;
    a.force_commit().unwrap();
    place.assert_holds(&expected);
    assert!(!a.file_changed().unwrap(), "the commit records the present state");
}

#[test]
fn a_file_that_has_changed_is_left_alone() {
    let original = bytes();
    type Change = fn(&Place);
    let changes: [(&str, Change); 4] = [
        ("written to", |place| place.file().write_all_at(&[1], 5).unwrap()),
        ("longer", |place| place.file().set_len(1 << 20).unwrap()),
        ("replaced", |place| {
            let other = place.folder().join("other");
            fs::copy(place, &other).unwrap();
            fs::rename(other, place).unwrap();
        }),
        ("removed", |place| fs::remove_file(place).unwrap()),
    ];
    for (name, make) in changes {
        let place = Place::of(&original);
        let mut a = array(CopyOnWrite, &place);
        assert!(!a.file_changed().unwrap(), "{name}");
        change(&mut a, &mut bytes(), 255);
        wait_for_tick(&place);
        make(&place);
        assert!(a.file_changed().unwrap(), "{name}");
        let before = place.bytes();
        let error = a.commit().unwrap_err();
        let text = "the file has changed since it was opened, and nothing was committed (open it \
                    again, or overwrite it by `force_commit`)";
        assert_eq!(text_at(&error, &place), text, "{name}");
        assert_eq!(place.bytes(), before, "{name}");
        assert_eq!(a[0], 255, "the changes are still there");
    }
}

#[test]
fn another_file_that_is_shorter_is_not_extended() {
    let place = Place::of(&bytes());
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut bytes(), 255);
    // Another file, because the mapped file must not be truncated.
    let other = place.folder().join("other");
    fs::write(&other, [0; 200]).unwrap();
    fs::rename(other, &place).unwrap();
    let error = a.force_commit().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
    place.assert_holds(&[0; 200]);
}

#[test]
fn another_file_of_the_name_is_left_alone_by_all() {
    let place = Place::of(&bytes());
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut bytes(), 255);
    let other = place.folder().join("other");
    fs::write(&other, vec![2; bytes().len()]).unwrap();
    fs::rename(other, &place).unwrap();
    for _ in 0..2 {
        for error in [a.commit().unwrap_err(), a.force_commit().unwrap_err()] {
            assert!(matches!(error.kind(), ErrorKind::Conflict), "{error:?}");
        }
    }
    assert_eq!(a[0], 255, "the changes are still there");
    place.assert_holds(&vec![2; bytes().len()]);
}

#[test]
fn pages_that_are_locked_but_not_changed_are_not_written() {
    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    // If the limit is too low for all pages, lock only the first.
    if let Err(error) = a.region(ndarray::s![..]).lock() {
        assert!(matches!(error.kind(), ErrorKind::MemoryLock { .. }), "{error:?}");
        a.region(ndarray::s![..1]).lock().unwrap();
    }
    change(&mut a, &mut expected, 255);
    let anyway = a.force_commit().unwrap_err();
    assert!(
        matches!(anyway.kind(), ErrorKind::Io { action: "commit", .. }),
        "{anyway:?}"
    );
    if matches!(file_system(&place), "overlay" | "fuse") {
        // A commit would have to map the file again.
        let error = a.commit().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io { action: "commit", .. }),
            "{error:?}"
        );
        place.assert_holds(&bytes());
        return;
    }
    a.commit().unwrap();
    place.assert_holds(&expected);
    assert!(matches!(
        a.rollback().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "roll back", .. })
    ));
}

#[test]
fn files_that_were_just_opened_have_not_changed() {
    let place = Place::of(&bytes());
    let mut modes = vec![ReadOnly, CopyOnWrite, ReadWrite, Create];
    keep_mappable(&mut modes, place.folder());
    for mode in modes {
        let a = array(mode, &place);
        assert!(!a.file_changed().unwrap() && a.is_same_file(&place).unwrap(), "{mode}");
    }
    let a = MapOptions::new(ReadOnly).load::<u8>(&place).unwrap();
    assert!(!a.file_changed().unwrap() && a.is_same_file(&place).unwrap());
    if !maps_for_writing(place.folder()) {
        return;
    }
    let longer = MapOptions::new(ReadWrite).grow(true).shape(1 << 20);
    let a: MmapArray1<u8> = open(&longer, &place).unwrap();
    assert!(!a.file_changed().unwrap());
    let a: MmapArray1<f64> =
        npy_common::create(&ndarray_memmap::npy::Options::new(Create), &place, 3)
            .unwrap();
    assert!(!a.file_changed().unwrap());
}

#[test]
fn rollback_shows_the_file_again() {
    let expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut bytes(), 255);
    a.rollback().unwrap();
    assert_eq!(place.mapped("Anonymous"), 0);
    assert_eq!(a.as_slice().unwrap(), &expected[OFFSET..][..len()]);
    change(&mut a, &mut bytes(), 254);
    assert_eq!(a[0], 254, "the array can be changed again");
    place.assert_holds(&expected);
}

#[test]
fn other_modes_have_nothing_to_commit() {
    let place = Place::of(&bytes());
    let mut modes = vec![ReadOnly, ReadWrite, Create];
    keep_mappable(&mut modes, place.folder());
    for mode in modes {
        let mut a = array(mode, &place);
        let commit = a.commit().unwrap_err();
        let text =
            format!("cannot commit in mode `{mode}` (only mode `c` has private changes)");
        assert_eq!(text_at(&commit, &place), text);
        for error in [a.force_commit().unwrap_err(), a.rollback().unwrap_err()] {
            assert!(
                matches!(error.kind(), ErrorKind::UnsupportedMode { .. }),
                "{error:?}"
            );
        }
    }
    let mut loaded = MapOptions::new(CopyOnWrite).load::<u8>(&place).unwrap();
    assert!(matches!(
        loaded.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "commit", .. })
    ));
    assert!(matches!(
        loaded.rollback().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "roll back", .. })
    ));
    drop(loaded);
    let file = File::open(&place).unwrap();
    let mut unnamed: MmapArray1<u8> =
        test_support::map(&MapOptions::new(CopyOnWrite), &file).unwrap();
    assert!(matches!(
        unnamed.file_changed().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "inspect", .. })
    ));
    assert!(matches!(
        unnamed.commit().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "inspect", .. })
    ));

    let empty = Place::of(b"");
    let mut a: MmapArray1<u8> = open(&MapOptions::new(CopyOnWrite), &empty).unwrap();
    a.commit().unwrap();
    a.rollback().unwrap();
    assert_eq!(empty.bytes().unwrap(), b"");
}

#[test]
fn a_file_is_known_by_all_its_names_and_no_other_is() {
    let place = Place::of(&bytes());
    let a = array(ReadOnly, &place);
    let (link, moved) = (place.folder().join("link"), place.folder().join("moved"));
    fs::hard_link(&place, &link).unwrap();
    assert!(a.is_same_file(&place).unwrap() && a.is_same_file(&link).unwrap());
    fs::rename(&place, &moved).unwrap();
    assert!(a.is_same_file(&moved).unwrap());
    assert!(!a.is_same_file(&place).unwrap(), "there is no such file");
    fs::copy(&moved, &place).unwrap();
    assert!(!a.is_same_file(&place).unwrap(), "it is a copy");
    assert!(a.file_changed().unwrap());
    let error = a.is_same_file(place.path().join("below a file")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action: "inspect", .. }), "{error:?}");

    if !maps_for_writing(place.folder()) {
        return;
    }
    let mut scratch = MapOptions::scratch::<u8, _>(10).unwrap();
    assert!(!scratch.file_changed().unwrap(), "no path, but the file is kept");
    assert!(!scratch.is_same_file(&place).unwrap());
    scratch.view_mut().unwrap().fill(1);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn where_the_kernel_does_not_tell_pages_are_compared() {
    use rustix::io::Errno;

    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut expected, 255);
    // Only the page map is read at 64-bit offsets beyond all files.
    let beyond: &[kernel::Argument] =
        &[(3, 0x7f00_0000_0000_u64 >> 9, 0x7f00_0000_0000 >> 9)];
    kernel::refusing(kernel::call::PREAD, beyond, Errno::PERM, || a.commit().unwrap());
    place.assert_holds(&expected);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_failed_commit_keeps_the_changes() {
    use rustix::io::Errno;

    // Only holes need an allocation.
    let mut expected = bytes();
    let place = Place::sparse(expected.len() as u64);
    let hole = 8 * page_size()..12 * page_size();
    place.file().write_all_at(&expected[..hole.start], 0).unwrap();
    place.file().write_all_at(&expected[hole.end..], hole.end as u64).unwrap();
    expected[hole].fill(0);
    let original = expected.clone();
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut expected, 255);
    let mut refused =
        vec![(kernel::call::FALLOCATE, Errno::NOSPC), (kernel::call::PWRITE, Errno::IO)];
    // tmpfs has filled the hole when the mapping read it, so no allocation is needed.
    if file_system(&place) == "tmpfs" {
        refused.remove(0);
    }
    for (call, errno) in refused {
        let error = kernel::refusing(call, &[], errno, || a.commit().unwrap_err());
        match errno {
            Errno::NOSPC => {
                assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error:?}")
            }
            _ => kernel::assert_io(&error, "commit to", errno),
        }
        place.assert_holds(&original);
        assert_eq!(a[0], 255);
    }
    a.commit().unwrap();
    place.assert_holds(&expected);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_commit_that_the_disk_did_not_take_never_succeeds_later() {
    use rustix::io::Errno;

    let mut expected = bytes();
    let place = Place::of(&expected);
    let mut a = array(CopyOnWrite, &place);
    change(&mut a, &mut expected, 255);
    let error =
        kernel::refusing(kernel::call::FSYNC, &[], Errno::IO, || a.commit().unwrap_err());
    kernel::assert_io(&error, "commit to", Errno::IO);
    for number in 0..2 {
        // The page cache has the changes, so the array and the file do not differ.
        assert!(matches!(
            a.commit().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        a.view_mut().unwrap()[0] = number;
        assert!(matches!(
            a.force_commit().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        place.assert_holds(&expected);
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_commit_that_meets_locked_pages_keeps_the_changes() {
    let (page, place) = (page_size(), Place::of(&vec![1; 8 * page_size()]));
    let options = MapOptions::new(CopyOnWrite).shape(8 * page);
    let mut a: MmapArray1<u8> = open(&options, &place).unwrap();
    let mut expected = vec![1; 8 * page];
    for number in [0, 1, 3, 5] {
        a.view_mut().unwrap()[number * page] = 42;
        expected[number * page] = 42;
    }
    let locked = a.as_ptr().wrapping_add(4 * page).cast_mut().cast();
    // SAFETY: the pages are mapped; locking changes no byte.
    unsafe { rustix::mm::mlock(locked, 2 * page) }.unwrap();
    let committed = a.commit();
    assert_eq!(a.as_slice(), Some(&expected[..]), "{committed:?}");
    // SAFETY: as above.
    unsafe { rustix::mm::munlock(locked, 2 * page) }.unwrap();
    a.commit().unwrap();
    assert_eq!(a.as_slice(), Some(&expected[..]));
    place.assert_holds(&expected);
}
