//! Space on disk: the allocation of a file, and its state if the disk is full.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;

use ndarray_memmap::Mode::{Create, CreateNew, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, Mode};
use rustix::io::Errno;
use test_support::kernel::{Argument, ZERO_RANGE, assert_io, call, numbers, refusing};
use test_support::{
    Place, allocates, file_system, in_own_process, open, text_at, wait_for_tick,
};

#[test]
fn a_file_system_that_cannot_reserve_space_gets_a_sparse_file() {
    for errno in [Errno::OPNOTSUPP, Errno::NOSYS] {
        for (mode, start) in
            [(Create, &b""[..]), (Create, &[1; 200_000]), (ReadWrite, &[1; 10])]
        {
            let place = Place::of(start);
            let options = MapOptions::new(mode).grow(true).shape(100_000);
            let mut a = refusing(call::FALLOCATE, &[], errno, || {
                open::<u8, _>(&options, &place).unwrap()
            });
            let mut expected = if mode == Create { Vec::new() } else { start.to_vec() };
            expected.resize(100_000, 0);
            assert!(a.as_slice() == Some(&expected[..]));
            place.assert_holds(&expected);
            a.view_mut().unwrap().fill(3);
            a.close().unwrap();
            place.assert_holds(&[3; 100_000]);
        }
    }
}

#[test]
fn a_reservation_that_signals_interrupt_is_made_in_smaller_pieces() {
    // As on kernels that undo the whole call at a signal: a long call never succeeds.
    const TOO_LONG: &[Argument] = &[(3, 1 << 22, 1 << 22)];
    let place = Place::missing();
    let options = MapOptions::new(Create).shape(1 << 22);
    let a = refusing(call::FALLOCATE, TOO_LONG, Errno::INTR, || {
        open::<u8, _>(&options, &place).unwrap()
    });
    assert_eq!(a.len(), 1 << 22);
    let space = fs::metadata(&place).unwrap().blocks() * 512;
    // If the file system cannot preallocate, the file is sparse.
    assert_eq!(space >= 1 << 22, allocates(place.folder()), "{space} bytes");
}

#[test]
fn create_writes_the_zeros_that_the_file_system_cannot_make_at_once() {
    for len in [1, 65_535, 65_536, 65_537, 99_999, 100_000, 140_000] {
        let place = Place::of(&numbers());
        let options = MapOptions::new(Create).shape(len);
        let a = refusing(call::FALLOCATE, ZERO_RANGE, Errno::OPNOTSUPP, || {
            open::<u8, _>(&options, &place).unwrap()
        });
        assert!(a.iter().all(|&x| x == 0));
        place.assert_holds(&vec![0; len]);
    }
}

#[test]
fn create_stores_zeros_on_a_full_disk_only_where_stores_need_no_space() {
    for len in [1, 65_536, 100_000] {
        let place = Place::of(&numbers());
        let options = MapOptions::new(Create).shape(len);
        let opened = refusing(call::FALLOCATE, ZERO_RANGE, Errno::NOSPC, || {
            open::<u8, _>(&options, &place).map(drop)
        });
        let needs_space = ["btrfs", "xfs", "overlay", "fuse"];
        let is_refused = needs_space.contains(&file_system(place.folder()))
            // Where nothing was allocated, the file is truncated and extended.
            && allocates(place.folder());
        match opened.map_err(ndarray_memmap::Error::into_kind) {
            Ok(()) if !is_refused => place.assert_holds(&vec![0; len]),
            Err(ErrorKind::NoSpace { expected }) if is_refused => {
                assert_eq!(expected, u64::try_from(len).unwrap());
                place.assert_holds(&numbers());
            }
            opened => panic!("{len}: {opened:?}"),
        }
    }
}

#[test]
fn a_file_that_is_long_enough_is_not_written_to() {
    let place = Place::of(&[2; 100]);
    let modified = || fs::metadata(&place).unwrap().modified().unwrap();
    let before = modified();
    wait_for_tick(&place);
    for sparse in [false, true] {
        for len in [50, 100] {
            let options = MapOptions::new(ReadWrite).grow(true).sparse(sparse).shape(len);
            let refused = open::<bool, _>(&options, &place).map(drop);
            assert!(matches!(
                refused.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::InvalidElement { index: 0 })
            ));
            assert_eq!(open::<u8, _>(&options, &place).unwrap().len(), len);
            assert_eq!(modified(), before, "{len} sparse {sparse}");
        }
    }
    place.assert_holds(&[2; 100]);
}

#[test]
fn create_clears_nothing_if_the_zeros_cannot_be_written() {
    // The array has an offset, so that the array and the zeros are mapped separately.
    let whole_file: &[Argument] = &[(2, u64::MAX, 3), (3, 0x0f, 1), (5, u64::MAX, 0)];
    for len in [50, 80_000, 200_000] {
        let place = Place::of(&numbers());
        let options = MapOptions::new(Create).offset(8192).shape(len);
        let opened = refusing(call::FALLOCATE, ZERO_RANGE, Errno::OPNOTSUPP, || {
            refusing(call::MMAP, whole_file, Errno::NOMEM, || {
                open::<u8, _>(&options, &place).map(drop)
            })
        });
        match opened {
            Ok(()) => place.assert_holds(&vec![0; 8192 + len]),
            Err(_) => place.assert_holds(&numbers()),
        }
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_everything_as_it_was() {
    let start = numbers();
    for (errno, refuse) in
        [(Errno::NOSPC, true), (Errno::DQUOT, true), (Errno::IO, false)]
    {
        for (mode, start) in [
            (Create, None),
            (CreateNew, None),
            (Create, Some(&start)),
            (ReadWrite, Some(&start)),
        ] {
            let place = start.map_or_else(Place::missing, |bytes| Place::of(bytes));
            let options = MapOptions::new(mode).grow(true).offset(8).shape(150_000);
            let error = refusing(call::FALLOCATE, &[], errno, || {
                open::<u64, _>(&options, &place).map(drop).unwrap_err()
            });
            if refuse {
                assert!(
                    matches!(error.kind(), ErrorKind::NoSpace { expected: 1_200_008 }),
                    "{error}"
                );
                let text = "the disk or the quota has no space for a file of 1200008 bytes (free \
                            space and call again)";
                assert_eq!(text_at(&error, &place), text);
                assert_eq!(io::Error::from(error).kind(), io::ErrorKind::StorageFull);
            } else {
                assert_io(&error, "extend", errno);
            }
            assert!(place.bytes().as_ref() == start, "{mode} {errno}");
        }
    }
}

#[test]
fn a_refused_creation_through_a_link_leaves_no_file() {
    let place = Place::missing();
    let link = place.folder().join("link");
    std::os::unix::fs::symlink(place.path(), &link).unwrap();
    let error = refusing(call::FALLOCATE, &[], Errno::NOSPC, || {
        let options = MapOptions::new(Create).shape(50);
        open::<u8, _>(&options, &link).map(drop).unwrap_err()
    });
    assert!(matches!(error.kind(), ErrorKind::NoSpace { expected: 50 }));
    assert!(link.is_symlink());
    assert_eq!(place.bytes(), None);
}

#[test]
fn holes_that_the_disk_cannot_fill_stay_holes() {
    let place = Place::of(&[1; 100]);
    let disk = rustix::fs::fstatvfs(place.file()).unwrap();
    let len = (disk.f_bfree * disk.f_frsize).saturating_mul(2) + (1 << 20);
    assert!(disk.f_blocks > 0, "a file system that has a size");
    // A file system that does not support such lengths refuses the array.
    let is_long = place.file().set_len(len).is_ok();
    let before = fs::metadata(&place).unwrap();
    let options = MapOptions::new(Create).shape(usize::try_from(len).unwrap());
    match open::<u8, _>(&options, &place)
        .map(drop)
        .map_err(ndarray_memmap::Error::into_kind)
    {
        Err(ErrorKind::NoSpace { expected }) => assert_eq!(expected, len),
        Err(ErrorKind::Io { .. }) if !is_long => {}
        opened => panic!("{opened:?}"),
    }
    let after = fs::metadata(&place).unwrap();
    assert_eq!((after.len(), after.blocks()), (before.len(), before.blocks()));
    place.file().set_len(100).unwrap();
    place.assert_holds(&[1; 100]);
}

#[test]
fn a_limit_of_file_sizes_is_an_error_not_death_by_signal() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const LIMIT: usize = 65_536;

    in_own_process(a_limit_of_file_sizes_is_an_error_not_death_by_signal, || {
        let (long, short) = (numbers(), vec![7; 10]);
        #[rustfmt::skip]
    let rows: [(Mode, Option<&Vec<u8>>, usize, bool); 12] = [
        (Create,    None,         LIMIT,     true),
        (Create,    None,         LIMIT + 1, false),
        (CreateNew, None,         LIMIT + 1, false),
        (Create,    Some(&short), LIMIT,     true),
        (Create,    Some(&short), LIMIT + 1, false),
        (Create,    Some(&long),  LIMIT,     true),
        (Create,    Some(&long),  LIMIT + 1, false),
        (Create,    Some(&long),  200_000,   false),
        (ReadWrite, Some(&short), LIMIT + 1, false),
        (ReadWrite, Some(&long),  80_000,    true),
        (ReadWrite, Some(&long),  100_000,   true),
        (ReadWrite, Some(&long),  200_000,   false),
    ];
        let prepare =
            |start: Option<&Vec<u8>>| start.map_or_else(Place::missing, |b| Place::of(b));
        let places: Vec<_> =
            rows.iter().map(|row| (prepare(row.1), prepare(row.1))).collect();
        let maximum = getrlimit(Resource::Fsize).maximum;
        let limit = Rlimit { current: Some(65_536), maximum };
        setrlimit(Resource::Fsize, limit).unwrap();

        for ((mode, start, len, fits), (reserved, sparse)) in rows.into_iter().zip(places)
        {
            for (place, is_sparse) in [(reserved, false), (sparse, true)] {
                let case = format!("{mode} {len} sparse {is_sparse}");
                let options =
                    MapOptions::new(mode).grow(true).sparse(is_sparse).shape(len);
                match open::<u8, _>(&options, &place) {
                    Ok(mut a) if fits => {
                        a.view_mut().unwrap().fill(1);
                        let mut expected = vec![1; len];
                        if mode == ReadWrite {
                            expected.extend_from_slice(long.get(len..).unwrap());
                        }
                        place.assert_holds(&expected);
                    }
                    Err(error) if !fits => {
                        let text = "cannot extend the file: file too large";
                        assert_eq!(text_at(&error, &place), text, "{case}");
                        let kind = io::Error::from(error).kind();
                        assert_eq!(kind, io::ErrorKind::FileTooLarge, "{case}");
                        assert!(place.bytes().as_ref() == start, "{case}");
                    }
                    opened => panic!("{case}: {opened:?}"),
                }
            }
        }
        let error = MapOptions::scratch::<u8, _>(LIMIT + 1).map(drop).unwrap_err();
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(MapOptions::scratch::<u8, _>(LIMIT).unwrap().sum(), 0);
    });
}
