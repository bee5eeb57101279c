//! Refused system calls: the old file remains, the error is clear, and no call falsely succeeds.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::io;
use std::thread;

use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Advice, ErrorKind, MapOptions, Mode};
use rustix::io::Errno;
use test_support::kernel::{
    F_DUPFD_CLOEXEC, SHARED_FOR_READING, SHARED_FOR_WRITING, assert_io, call, io_error,
    numbers, refusing,
};
use test_support::{Place, open, text_at};

#[test]
fn a_failed_sync_poisons_the_handle_and_no_other() {
    let place = Place::of(&[0; 5000]);
    let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    let other = open::<u8, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    a.view_mut().unwrap().fill(1);

    let error = refusing(call::MSYNC, &[], Errno::IO, || a.sync().unwrap_err());
    assert_io(&error, "sync", Errno::IO);
    let text = format!(
        "cannot sync the file: {} (changes may be lost: save the array to another disk)",
        io_error(Errno::IO)
    );
    assert_eq!(text_at(&error, &place), text);

    let poisoned = "an earlier sync failed, and changes may be lost (open the file again and compare)";
    for _ in 0..3 {
        let error = a.sync().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Poisoned), "{error:?}");
        assert_eq!(text_at(&error, &place), poisoned);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Other);
    }
    thread::scope(|s| {
        let elsewhere = s.spawn(|| a.sync().unwrap_err()).join().unwrap();
        assert!(matches!(elsewhere.kind(), ErrorKind::Poisoned));
    });
    assert!(a.iter().all(|&x| x == 1), "a poisoned handle can still be read");
    a.view_mut().unwrap().fill(2);
    assert!(matches!(a.close().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));

    other.sync().unwrap();
    let again = open::<u8, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    again.sync().unwrap();
    again.close().unwrap();
    place.assert_holds(&[2; 5000]);
}

#[test]
fn a_failed_sync_of_an_empty_array_poisons_it_too() {
    let place = Place::missing();
    let a = open::<u8, _>(&MapOptions::new(Create).offset(9).shape(0), &place).unwrap();
    let error = refusing(call::FSYNC, &[], Errno::IO, || a.sync().unwrap_err());
    assert_io(&error, "sync", Errno::IO);
    assert!(matches!(a.close().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
    place.assert_holds(&[0; 9]);
}

#[test]
fn where_nothing_can_be_mapped_shared_mode_read_only_maps_privately() {
    let place = Place::of(&numbers());
    for errno in [Errno::NODEV, Errno::INVAL] {
        refusing(call::MMAP, SHARED_FOR_READING, errno, || {
            let options = MapOptions::new(ReadOnly).offset(5).shape(90_000);
            let mut a = open::<u8, _>(&options, &place).unwrap();
            assert!(a.as_slice() == numbers().get(5..90_005));
            assert!(matches!(
                a.view_mut().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::ReadOnly)
            ));
            a.close().unwrap();
        });
    }
    let error = refusing(call::MMAP, SHARED_FOR_READING, Errno::NOMEM, || {
        open::<u8, _>(&MapOptions::new(ReadOnly), &place).map(drop).unwrap_err()
    });
    assert_io(&error, "map", Errno::NOMEM);
    place.assert_holds(&numbers());
}

#[test]
fn a_file_that_cannot_be_mapped_is_neither_cleared_nor_grown() {
    let start = numbers();
    for errno in [Errno::NODEV, Errno::NOMEM] {
        #[rustfmt::skip]
        let rows: [(Mode, Option<&Vec<u8>>, usize); 6] = [
            (Create,    None,         50),
            (CreateNew, None,         50),
            (Create,    Some(&start), 50),
            (Create,    Some(&start), 300_000),
            (ReadWrite, Some(&start), 50),
            (ReadWrite, Some(&start), 300_000),
        ];
        for (mode, start, len) in rows {
            for sparse in [false, true] {
                let place = start.map_or_else(Place::missing, |bytes| Place::of(bytes));
                let options = MapOptions::new(mode).grow(true).sparse(sparse).shape(len);
                let error = refusing(call::MMAP, SHARED_FOR_WRITING, errno, || {
                    open::<u8, _>(&options, &place).map(drop).unwrap_err()
                });
                assert_io(&error, "map", errno);
                assert!(place.bytes().as_ref() == start, "{mode} {len}");
            }
        }
    }
}

#[test]
fn a_kernel_that_takes_no_advice_opens_the_file_all_the_same() {
    let advice = [
        Advice::Normal,
        Advice::Sequential,
        Advice::Random,
        Advice::WillNeed,
        Advice::HugePage,
    ];
    for errno in [Errno::NOSYS, Errno::INVAL, Errno::AGAIN, Errno::IO] {
        for advice in advice {
            let place = Place::of(&numbers());
            for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
                let options = MapOptions::new(mode).advice(advice).shape(90_000);
                let a = refusing(call::MADVISE, &[], errno, || {
                    open::<u8, _>(&options, &place)
                });
                let a = a.unwrap_or_else(|e| panic!("{advice:?} with {errno}: {e:?}"));
                if mode != Create {
                    assert!(a.as_slice() == numbers().get(..90_000));
                    place.assert_holds(&numbers());
                }
            }
            place.assert_holds(&[0; 90_000]);
        }
    }
}

#[test]
fn populate_is_left_undone_where_unknown_and_fails_where_pages_cannot_be_read() {
    for errno in [Errno::INVAL, Errno::NOSYS, Errno::FAULT] {
        for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew] {
            let start = numbers();
            let is_new = mode == CreateNew;
            let place = if is_new { Place::missing() } else { Place::of(&start) };
            let options = MapOptions::new(mode).populate(true).shape(90_000);
            let opened = refusing(call::MADVISE, &[], errno, || {
                open::<u8, _>(&options, &place).map(|a| a.to_vec())
            });
            let creates = is_new || mode == Create;
            match opened {
                Err(error) => {
                    assert!(errno == Errno::FAULT && !creates, "{errno} {mode}: {error}");
                    assert_io(&error, "read", errno);
                }
                Ok(_) if creates => place.assert_holds(&[0; 90_000]),
                Ok(a) => {
                    assert_ne!(errno, Errno::FAULT, "{mode}");
                    assert!(a == start.get(..90_000).unwrap());
                    place.assert_holds(&start);
                }
            }
        }
    }
}

#[test]
fn create_clears_nothing_if_the_file_cannot_be_kept_open() {
    let place = Place::of(&numbers());
    let options = MapOptions::new(Create).shape(0);
    let error = refusing(call::FCNTL, F_DUPFD_CLOEXEC, Errno::MFILE, || {
        open::<u8, _>(&options, &place).map(drop).unwrap_err()
    });
    assert_io(&error, "keep open", Errno::MFILE);
    place.assert_holds(&numbers());
}

#[test]
fn a_file_system_without_locks_refuses_to_lock_and_keeps_the_file() {
    let place = Place::of(&numbers());
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let options = MapOptions::new(mode).lock(true).grow(true).shape(200_000);
        let options = if mode == ReadOnly { options.shape(5) } else { options };
        let options = if mode == CopyOnWrite { options.shape(5) } else { options };
        let error = refusing(call::FLOCK, &[], Errno::NOLCK, || {
            open::<u8, _>(&options, &place).map(drop).unwrap_err()
        });
        assert_io(&error, "lock", Errno::NOLCK);
        place.assert_holds(&numbers());
    }
}
