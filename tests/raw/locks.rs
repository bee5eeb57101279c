//! Which modes may open a locked file, when the lock ends, and that no call waits for a lock.

use std::fs::File;

use ndarray::array;
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, Mode};
use test_support::{Place, map, open};

fn locking(mode: Mode) -> MapOptions {
    MapOptions::new(mode).lock(true).shape(4)
}

#[test]
fn readers_share_a_file_and_a_writer_has_it_alone() {
    #[rustfmt::skip]
    let rows = [
        (ReadOnly,    ReadOnly,    true),
        (ReadOnly,    CopyOnWrite, true),
        (ReadOnly,    ReadWrite,   false),
        (ReadOnly,    Create,      false),
        (CopyOnWrite, ReadOnly,    true),
        (CopyOnWrite, CopyOnWrite, true),
        (CopyOnWrite, ReadWrite,   false),
        (CopyOnWrite, Create,      false),
        (ReadWrite,   ReadOnly,    false),
        (ReadWrite,   CopyOnWrite, false),
        (ReadWrite,   ReadWrite,   false),
        (ReadWrite,   Create,      false),
    ];
    for (first, second, together) in rows {
        let case = format!("{first} then {second}");
        let place = Place::of(&[1, 2, 3, 4, 5]);
        let held = open::<u8, _>(&locking(first), &place).unwrap();
        match open::<u8, _>(&locking(second), &place)
            .map_err(ndarray_memmap::Error::into_kind)
        {
            Ok(a) => {
                assert_eq!((*a == array![1, 2, 3, 4], together), (true, true), "{case}")
            }
            Err(ErrorKind::Locked) => assert!(!together, "{case}"),
            Err(error) => panic!("{case}: {error}"),
        }
        assert_eq!(*held, array![1, 2, 3, 4], "{case}");
        drop(held);
        assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4, 5], "{case}");

        let a = open::<u8, _>(&locking(second), &place).expect(&case);
        let expected =
            if second == Create { array![0, 0, 0, 0] } else { array![1, 2, 3, 4] };
        assert_eq!(*a, expected, "{case}");
    }
}

#[test]
fn a_new_file_is_locked_until_its_array_is_dropped() {
    for mode in [Create, CreateNew] {
        let place = Place::missing();
        let mut a = open::<u8, _>(&locking(mode), &place).unwrap();
        for other in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
            let refused = open::<u8, _>(&locking(other), &place);
            assert!(
                matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)),
                "{mode} then {other}"
            );
        }
        a.view_mut().unwrap()[3] = 9;
        drop(a);
        let b = open::<u8, _>(&locking(ReadWrite), &place).unwrap();
        assert_eq!(*b, array![0, 0, 0, 9]);
        drop(b);
        assert_eq!(place.bytes().unwrap(), [0, 0, 0, 9]);
    }
}

#[test]
fn growing_a_locked_file_leaves_it_as_short_as_it_was() {
    for sparse in [false, true] {
        let place = Place::of(&[1, 2]);
        let held = open::<u8, _>(&MapOptions::new(ReadOnly).lock(true), &place).unwrap();
        let options = locking(ReadWrite).grow(true).sparse(sparse);
        let refused = open::<u8, _>(&options, &place);
        assert!(matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)));
        assert_eq!(*held, array![1, 2]);
        drop(held);
        assert_eq!(place.bytes().unwrap(), [1, 2]);
        assert_eq!(*open::<u8, _>(&options, &place).unwrap(), array![1, 2, 0, 0]);
    }
}

#[test]
fn closing_the_mapped_file_does_not_end_the_lock() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let place = Place::of(&[1, 2, 3, 4]);
        let file = place.file();
        let a = map::<u8, _>(&locking(mode), &file).unwrap();
        drop(file);
        let refused = open::<u8, _>(&locking(ReadWrite), &place);
        assert!(
            matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)),
            "{mode}"
        );
        assert_eq!(a.len(), 4);
        drop(a);
        let b = open::<u8, _>(&locking(ReadWrite), &place).unwrap();
        assert_eq!(b.sum(), if mode == Create { 0 } else { 10 }, "{mode}");
    }
}

#[test]
fn a_file_that_could_not_be_mapped_is_not_left_locked() {
    for mode in [ReadOnly, ReadWrite] {
        let place = Place::of(&[1, 2]);
        let file = place.file();
        let refused = map::<u8, _>(&locking(mode), &file).map(drop);
        assert!(matches!(
            refused.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::FileTooShort { expected: 4, found: 2 })
        ));
        let a = open::<u8, _>(&MapOptions::new(ReadWrite).lock(true), &place).unwrap();
        assert_eq!(*a, array![1, 2]);
        // A call that is refused the lock does not release the lock of the other array.
        let refused = map::<u8, _>(&locking(mode), &file).map(drop);
        assert!(matches!(
            refused.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Locked | ErrorKind::FileTooShort { .. })
        ));
        assert!(file.try_lock_shared().is_err());
        drop(a);
        assert_eq!(place.bytes().unwrap(), [1, 2]);
    }
}

#[test]
fn an_empty_array_holds_the_lock_too() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let place = Place::of(b"");
        let options = MapOptions::new(mode).lock(true).shape(0);
        let a = open::<u64, _>(&options, &place).unwrap();
        let refused = open::<u8, _>(&locking(Create), &place);
        assert!(
            matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)),
            "{mode}"
        );
        assert!(a.is_empty());
        drop(a);
        assert_eq!(place.bytes().unwrap(), b"");
        assert_eq!(open::<u8, _>(&locking(Create), &place).unwrap().len(), 4);
    }
}

#[test]
fn locks_of_the_standard_library_count() {
    let place = Place::of(&[1, 2, 3, 4]);
    let file = place.file();
    file.lock_shared().unwrap();
    assert_eq!(*open::<u8, _>(&locking(ReadOnly), &place).unwrap(), array![1, 2, 3, 4]);
    let refused = open::<u8, _>(&locking(Create), &place);
    assert!(matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)));
    file.unlock().unwrap();

    let a = open::<u8, _>(&locking(ReadWrite), &place).unwrap();
    assert!(file.try_lock_shared().is_err());
    drop(a);
    file.try_lock().unwrap();
    drop(file);
    assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4]);
}

#[test]
fn only_those_who_ask_are_refused() {
    let place = Place::of(&[1, 2, 3, 4]);
    let mut a = open::<u8, _>(&locking(ReadWrite), &place).unwrap();
    a.view_mut().unwrap()[0] = 9;
    if cfg!(unix) {
        let b = open::<u8, _>(&MapOptions::new(CopyOnWrite), &place).unwrap();
        assert_eq!(*b, array![9, 2, 3, 4]);
    }
    drop(a);
    assert_eq!(place.bytes().unwrap(), [9, 2, 3, 4]);
}

#[test]
fn load_locks_while_it_reads_and_no_longer() {
    let place = Place::of(&[1, 2, 3, 4]);
    let held = open::<u8, _>(&locking(ReadWrite), &place).unwrap();
    for mode in [ReadOnly, CopyOnWrite] {
        let refused = locking(mode).load::<u8>(&place);
        assert!(matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)));
    }
    drop(held);
    let a = locking(CopyOnWrite).load::<u8>(&place).unwrap();
    let b = open::<u8, _>(&locking(Create), &place).unwrap();
    assert_eq!((&*a, &*b), (&*array![1, 2, 3, 4], &*array![0, 0, 0, 0]));
}

#[cfg(target_os = "linux")]
#[test]
fn an_immutable_file_can_be_locked() {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    use std::io::Write;

    let fd = memfd_create("locked", MemfdFlags::ALLOW_SEALING).unwrap();
    let mut file = File::from(fd);
    file.write_all(&[1, 2, 3, 4]).unwrap();
    fcntl_add_seals(&file, SealFlags::WRITE | SealFlags::SHRINK).unwrap();
    let a = locking(ReadOnly).map_immutable::<u8>(&file).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    let other = File::open(path).unwrap();
    assert!(other.try_lock().is_err());
    drop(file);
    assert!(other.try_lock().is_err());
    assert_eq!(*a, array![1, 2, 3, 4]);
    drop(a);
    other.try_lock().unwrap();
}
