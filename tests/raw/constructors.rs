//! The other ways to open an array: open files, scratch, load, immutable files.

use std::fs::{self, File};
use std::io;

use ndarray::{Ix0, IxDyn, ShapeBuilder, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, Le, MapOptions, MmapArray, Mode};
use test_support::{Place, map, text_at};

/// Returns one byte followed by little-endian `1.0, 2.0, 3.0`.
fn odd_floats() -> Vec<u8> {
    let floats = [1.0_f64, 2.0, 3.0].map(f64::to_ne_bytes);
    [&[7][..], floats.as_flattened()].concat()
}

#[test]
fn an_open_file_is_mapped_as_its_path_is_and_may_be_closed() {
    type Bytes = &'static [u8];
    type Row = (Mode, bool, Bytes, Result<[u8; 4], io::ErrorKind>, Bytes);
    #[rustfmt::skip]
    let rows: [Row; 13] = [
        (ReadOnly,    false, &[1, 2, 3, 4, 5], Ok([1, 2, 3, 4]),               &[1, 2, 3, 4, 5]),
        (ReadOnly,    false, &[1, 2],          Err(io::ErrorKind::UnexpectedEof),  &[1, 2]),
        (CopyOnWrite, true,  &[1, 2, 3, 4, 5], Ok([1, 2, 3, 4]),               &[1, 2, 3, 4, 5]),
        (CopyOnWrite, true,  &[1, 2],          Err(io::ErrorKind::UnexpectedEof),  &[1, 2]),
        (ReadWrite,   false, &[1, 2, 3, 4, 5], Ok([1, 2, 3, 4]),               &[1, 9, 3, 4, 5]),
        (ReadWrite,   false, &[1, 2],          Err(io::ErrorKind::UnexpectedEof),  &[1, 2]),
        (ReadWrite,   true,  &[1, 2],          Ok([1, 2, 0, 0]),               &[1, 9, 0, 0]),
        (Create,      false, b"",              Ok([0; 4]),                     &[0, 9, 0, 0]),
        (Create,      false, &[1, 2],          Ok([0; 4]),                     &[0, 9, 0, 0]),
        (Create,      false, &[1, 2, 3, 4, 5], Ok([0; 4]),                     &[0, 9, 0, 0]),
        (CreateNew,   false, b"",              Ok([0; 4]),                     &[0, 9, 0, 0]),
        (CreateNew,   false, &[1],             Err(io::ErrorKind::AlreadyExists),  &[1]),
        (CreateNew,   true,  &[1, 2, 3, 4],    Err(io::ErrorKind::AlreadyExists),  &[1, 2, 3, 4]),
    ];
    for (mode, grow, start, seen, after) in rows {
        let case = format!("{mode} {start:?} {grow}");
        let place = Place::of(start);
        let file = place.file();
        let mapped = map::<u8, _>(&MapOptions::new(mode).grow(grow).shape(4), &file);
        drop(file);
        match (mapped, seen) {
            (Ok(mut a), Ok(seen)) => {
                assert_eq!((a.as_slice(), a.mode()), (Some(&seen[..]), mode), "{case}");
                assert_eq!(a.path(), None);
                if mode != ReadOnly {
                    a.view_mut().unwrap()[1] = 9;
                    assert_eq!(a[1], 9, "{case}");
                }
                if mode != CopyOnWrite {
                    a.close().expect(&case);
                }
            }
            (Err(error), Err(kind)) => {
                assert_eq!(io::Error::from(error).kind(), kind, "{case}");
            }
            (mapped, _) => panic!("{case}: {mapped:?}"),
        }
        assert_eq!(place.bytes().unwrap(), after, "{case}");
    }
}

#[test]
fn the_position_of_an_open_file_does_not_matter() {
    use std::io::{Read, Seek, SeekFrom};

    let place = Place::of(&[1, 2, 3, 4]);
    let mut file = place.file();
    file.seek(SeekFrom::Start(3)).unwrap();
    let a = map::<u8, _>(&MapOptions::new(ReadOnly), &file).unwrap();
    assert_eq!(*a, array![1, 2, 3, 4]);
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, [4]);
}

/// Returns the names of the files that are left in the folder.
fn names(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.folder()).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn scratch_is_an_array_of_zeros_that_can_be_changed_and_synced() {
    let mut a = MapOptions::scratch::<f32, _>((30, 20).f()).unwrap();
    assert_eq!(
        (a.shape(), a.strides(), a.mode()),
        (&[30, 20][..], &[1, 30][..], CreateNew)
    );
    assert_eq!((a.path(), a.offset(), a.sum()), (None, 0, 0.0));
    a.view_mut().unwrap().fill(0.5);
    a.sync().unwrap();
    assert_eq!(a.sum(), 300.0);
    a.close().unwrap();
}

#[test]
fn scratch_in_a_folder_leaves_nothing_there() {
    let place = Place::missing();
    let dir = place.folder();
    let mut a = MapOptions::scratch_in::<u64, _>(dir, IxDyn(&[3, 4, 5])).unwrap();
    a.view_mut().unwrap()[[2, 3, 4]] = 9;
    assert_eq!((a.sum(), a.shape()), (9, &[3, 4, 5][..]));
    if cfg!(unix) {
        // FUSE gives an unlinked open file a hidden name.
        let is_ours = |name: &String| !name.starts_with(".fuse_hidden");
        assert!(!names(&place).iter().any(is_ours));
    }
    let b = MapOptions::scratch_in::<u64, _>(dir, Ix0()).unwrap();
    let c = MapOptions::scratch_in::<bool, _>(dir, (0, 3)).unwrap();
    assert_eq!((b[()], c.shape()), (0, &[0, 3][..]));
    drop((a, b, c));
    assert_eq!(names(&place), [""; 0]);
}

#[test]
fn scratch_refuses_what_cannot_be() {
    let place = Place::missing();
    let dir = place.folder();
    let error = |made: Result<MmapArray<u16, IxDyn>, _>| made.map(drop).unwrap_err();
    let huge = MapOptions::scratch_in(dir, IxDyn(&[usize::MAX, 2]));
    assert!(matches!(error(huge).kind(), ErrorKind::TooLarge));
    let overlapping = MapOptions::scratch_in(dir, IxDyn(&[3, 3]).strides(IxDyn(&[1, 1])));
    assert!(matches!(error(overlapping).kind(), ErrorKind::OverlappingStrides));
    let odd = MapOptions::scratch_in(dir, IxDyn(&[3, 3]).strides(IxDyn(&[1])));
    assert!(matches!(error(odd).kind(), ErrorKind::StridesMismatch));
    let nowhere = error(MapOptions::scratch_in(place.path(), IxDyn(&[1])));
    let text = text_at(&nowhere, &place);
    assert!(text.starts_with("cannot create a file in the folder: "), "{nowhere}");
    assert_eq!(io::Error::from(nowhere).kind(), io::ErrorKind::NotFound);
    assert_eq!(names(&place), [""; 0]);
}

#[test]
fn load_gives_the_array_that_open_gives_at_any_offset() {
    let bytes = odd_floats();
    let place = Place::of(&bytes);
    for mode in [ReadOnly, CopyOnWrite] {
        let options = MapOptions::new(mode).offset(1);
        let mut a = options.load::<f64>(&place).unwrap();
        assert_eq!(*a, array![1.0, 2.0, 3.0]);
        assert_eq!((a.mode(), a.offset(), a.path()), (mode, 1, Some(place.path())));
        assert_eq!((a.layout().end(), a.layout().byte_len()), (25, 24));
        let mapped = test_support::open::<f64, _>(&options, &place);
        assert!(matches!(
            mapped.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Misaligned { offset: 1, .. })
        ));
        if mode == ReadOnly {
            assert!(matches!(
                a.view_mut().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::ReadOnly)
            ));
            a.sync().unwrap();
        } else {
            a.view_mut().unwrap()[1] = -2.0;
            assert_eq!(*a, array![1.0, -2.0, 3.0]);
            assert!(matches!(
                a.sync().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::PrivateChanges)
            ));
            assert!(matches!(
                a.close().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::PrivateChanges)
            ));
        }
        place.assert_holds(&bytes);
    }
}

#[test]
fn load_reads_every_shape() {
    let bytes: Vec<u8> = (0..120).collect();
    let place = Place::of(&bytes);
    let options = MapOptions::new(ReadOnly);
    let a = options.clone().offset(3).shape((5, 4).f()).load::<u8>(&place).unwrap();
    assert_eq!((a[[0, 0]], a[[4, 0]], a[[0, 3]], a.strides()), (3, 7, 18, &[1, 5][..]));
    let a = options.clone().rows_of((4, 3)).load::<Le<u16>>(&place).unwrap();
    assert_eq!((a.shape(), a[[4, 3, 2]].get()), (&[5, 4, 3][..], 0x7776));
    let strided = options.clone().offset(7).shape((4, 2).strides((10, 2)));
    let a = strided.load::<u8>(&place).unwrap();
    assert_eq!(*a, array![[7, 9], [17, 19], [27, 29], [37, 39]]);
    let a = options.clone().offset(120).load::<u32>(&place).unwrap();
    assert_eq!(a.len(), 0);
    let windows = options.shape((118, 3).strides((1, 1))).load::<u8>(&place).unwrap();
    assert_eq!(windows.row(117).as_slice(), Some(&[117, 118, 119][..]));
    place.assert_holds(&bytes);
}

#[test]
fn load_shows_the_file_as_it_was() {
    let place = Place::of(&[1; 10_000]);
    let a = MapOptions::new(ReadOnly).load::<u8>(&place).unwrap();
    fs::write(&place, [2; 3]).unwrap();
    assert!(a.iter().all(|&x| x == 1));
    fs::remove_file(&place).unwrap();
    assert_eq!(a.len(), 10_000);
}

#[test]
fn load_refuses_modes_that_write_and_files_that_are_short_or_missing() {
    let place = Place::of(&[1, 2, 3]);
    for mode in [ReadWrite, Create, CreateNew] {
        let error =
            MapOptions::new(mode).shape(2).load::<u8>(&place).map(drop).unwrap_err();
        match error.kind() {
            ErrorKind::UnsupportedMode { mode: found, .. } => assert_eq!(*found, mode),
            error => panic!("{error}"),
        }
    }
    let options = MapOptions::new(CopyOnWrite).grow(true).shape(4);
    let short = options.load::<u8>(&place).map(drop).unwrap_err();
    assert!(matches!(short.kind(), ErrorKind::FileTooShort { expected: 4, found: 3 }));
    assert_eq!(place.bytes().unwrap(), [1, 2, 3]);
    let folder = options.load::<u8>(place.folder()).map(drop).unwrap_err();
    assert!(matches!(folder.kind(), ErrorKind::NotAFile { found: "a directory", .. }));
    let missing = Place::missing();
    let error = options.load::<u8>(&missing).map(drop).unwrap_err();
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    assert_eq!(missing.bytes(), None);
}

#[cfg(target_os = "linux")]
mod memfd {
    use std::io::Write;
    use std::os::fd::AsRawFd;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    use super::*;

    fn memfd(bytes: &[u8], seals: SealFlags) -> (File, String) {
        let fd = memfd_create("array", MemfdFlags::ALLOW_SEALING).unwrap();
        let mut file = File::from(fd);
        file.write_all(bytes).unwrap();
        fcntl_add_seals(&file, seals).unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        (file, path)
    }

    const SEALED: SealFlags = SealFlags::WRITE.union(SealFlags::SHRINK);

    #[test]
    fn a_sealed_memfd_is_mapped_without_a_promise() {
        let (file, path) = memfd(&odd_floats(), SEALED);
        let options = MapOptions::new(ReadOnly).offset(1);
        let a = options.open_immutable::<Le<f64>>(&path).unwrap();
        let b = options.map_immutable::<Le<f64>>(&file).unwrap();
        assert_eq!((a.path().unwrap().to_str(), b.path()), (Some(path.as_str()), None));
        drop(file);
        for mut c in [a, b] {
            assert_eq!(c.mapv(Le::get), array![1.0, 2.0, 3.0]);
            assert_eq!((c.mode(), c.offset()), (ReadOnly, 1));
            assert!(matches!(
                c.view_mut().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::ReadOnly)
            ));
            c.close().unwrap();
        }
    }

    #[test]
    fn an_immutable_file_obeys_the_other_options() {
        let (file, path) = memfd(&[0, 1, 0, 1, 2, 1], SEALED);
        let options = MapOptions::new(ReadOnly).populate(true);
        let flags =
            options.clone().shape((2, 2).f()).map_immutable::<bool>(&file).unwrap();
        assert_eq!(*flags, array![[false, false], [true, true]]);
        let bad = options.open_immutable::<bool>(&path).map(drop).unwrap_err();
        assert!(matches!(bad.kind(), ErrorKind::InvalidElement { index: 4 }));
        let empty = options.clone().offset(6).map_immutable::<u32>(&file).unwrap();
        assert!(empty.is_empty());
        let odd = options.offset(1).shape(1).map_immutable::<u16>(&file);
        assert!(matches!(
            odd.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Misaligned { offset: 1, align: 2 })
        ));
    }

    #[test]
    fn an_unsealed_memfd_and_an_ordinary_file_are_no_proof() {
        let place = Place::of(&[1, 2, 3]);
        let path = place.path().to_str().unwrap().to_owned();
        #[rustfmt::skip]
        let files = [
            (place.file(), path),
            memfd(&[1, 2, 3], SealFlags::empty()),
            memfd(&[1, 2, 3], SealFlags::WRITE),
            memfd(&[1, 2, 3], SealFlags::SHRINK),
            memfd(&[1, 2, 3], SealFlags::GROW),
        ];
        for (file, path) in files {
            let options = MapOptions::new(ReadOnly);
            let error = options.open_immutable::<u8>(&path).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::NotImmutable { .. }), "{error:?}");
            assert_eq!(
                error.path().and_then(std::path::Path::to_str),
                Some(path.as_str())
            );
            let mapped = options.map_immutable::<u8>(&file).map(drop);
            assert!(
                matches!(
                    mapped.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::NotImmutable { .. })
                ),
                "{path}"
            );
            assert_eq!(fs::read(&path).unwrap(), [1, 2, 3]);
        }
    }

    #[test]
    fn what_is_immutable_is_only_for_reading() {
        let (file, path) = memfd(&[1, 2, 3], SEALED);
        for mode in [CopyOnWrite, ReadWrite, Create, CreateNew] {
            let options = MapOptions::new(mode).shape(3);
            for refused in
                [options.open_immutable::<u8>(&path), options.map_immutable::<u8>(&file)]
            {
                match refused.map(drop).map_err(ndarray_memmap::Error::into_kind) {
                    Err(ErrorKind::UnsupportedMode { mode: found, .. }) => {
                        assert_eq!(found, mode);
                    }
                    other => panic!("{mode}: {other:?}"),
                }
            }
        }
        assert_eq!(fs::read(path).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_seal_that_stops_create_stops_it_before_anything_is_lost() {
        // A sparse file is truncated to 0 bytes and extended again.
        #[rustfmt::skip]
        let rows = [
            (SealFlags::WRITE,  3, false, false), (SealFlags::WRITE,  3, true,  false),
            (SealFlags::WRITE,  2, false, false), (SealFlags::WRITE,  9, false, false),
            (SealFlags::GROW,   2, false, true),  (SealFlags::GROW,   2, true,  false),
            (SealFlags::GROW,   3, false, true),  (SealFlags::GROW,   3, true,  false),
            (SealFlags::GROW,   9, false, false), (SealFlags::GROW,   9, true,  false),
            (SealFlags::SHRINK, 2, false, false), (SealFlags::SHRINK, 2, true,  false),
            (SealFlags::SHRINK, 3, false, true),  (SealFlags::SHRINK, 3, true,  false),
            (SealFlags::SHRINK, 9, false, true),  (SealFlags::SHRINK, 9, true,  false),
        ];
        for (seals, len, sparse, fits) in rows {
            let case = format!("{seals:?} {len} sparse {sparse}");
            let (file, path) = memfd(&[1, 2, 3], seals);
            let options = MapOptions::new(Create).sparse(sparse).shape(len);
            match map::<u8, _>(&options, &file).map_err(ndarray_memmap::Error::into_kind)
            {
                Ok(a) => {
                    assert!(
                        fits && a.len() == len && a.iter().all(|&x| x == 0),
                        "{case}"
                    );
                    assert_eq!(fs::read(&path).unwrap(), vec![0; len], "{case}");
                }
                Err(ErrorKind::Io { source, .. }) => {
                    assert!(!fits, "{case}");
                    assert_eq!(source.kind(), io::ErrorKind::PermissionDenied, "{case}");
                    assert_eq!(fs::read(&path).unwrap(), [1, 2, 3], "{case}");
                }
                Err(error) => panic!("{case}: {error}"),
            }
        }
    }
}
