//! Which files can be mapped by which names, their disk space, and that no descriptor stays open.
#![cfg(unix)]

use std::error::Error as _;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ndarray::array;
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, ErrorKind, MapOptions, Mode, Result};
use test_support::{Place, open, text_at};

/// Runs `work` and fails, instead of waiting forever, if it blocks.
fn at_once<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    receiver.recv_timeout(Duration::from_secs(20)).expect("an answer without waiting")
}

fn refused(mode: Mode, path: &Path) -> Error {
    let path = path.to_owned();
    at_once(move || {
        let options = MapOptions::new(mode).shape(3).grow(true).lock(true);
        open::<u8, _>(&options, path).map(drop).unwrap_err()
    })
}

fn not_a_file(found: &str) -> String {
    let way_out = match found {
        "a directory" => "pass the path of a file",
        _ => "copy the data to a regular file",
    };
    format!("expected a regular file, found {found} ({way_out})")
}

fn is_not_a_file(error: &Error, path: &Path, found: &str) {
    assert_eq!(text_at(error, path), not_a_file(found));
    assert!(matches!(error.kind(), ErrorKind::NotAFile { .. }));
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting() {
    let place = Place::missing();
    let fifo = place.folder().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success() && fs::metadata(&fifo).unwrap().file_type().is_fifo());
    let folder = place.folder().join("folder");
    fs::create_dir(&folder).unwrap();
    let socket = place.folder().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let null = PathBuf::from("/dev/null");

    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        is_not_a_file(&refused(mode, &fifo), &fifo, "a FIFO");
        is_not_a_file(&refused(mode, &null), &null, "a device");
        is_not_a_file(&refused(mode, &folder), &folder, "a directory");
        is_not_a_file(&refused(mode, &socket), &socket, "a socket");
    }
    for path in [&fifo, &null, &folder, &socket] {
        let kind = io::Error::from(refused(CreateNew, path)).kind();
        assert_eq!(kind, io::ErrorKind::AlreadyExists, "{}", path.display());
    }
    let entries = fs::read_dir(place.folder()).unwrap();
    assert_eq!((entries.count(), fs::read_dir(&folder).unwrap().count()), (3, 0));
    assert!(fs::metadata(&null).unwrap().file_type().is_char_device());
}

#[test]
fn safe_constructors_refuse_them_too() {
    let place = Place::missing();
    let folder = place.folder().to_owned();
    let options = MapOptions::new(ReadOnly).shape(1);
    for path in [folder, PathBuf::from("/dev/null")] {
        let found = if path.is_dir() { "a directory" } else { "a device" };
        let error = options.load::<u8>(&path).map(drop).unwrap_err();
        is_not_a_file(&error, &path, found);
        let error = options.open_immutable::<u8>(&path).map(drop).unwrap_err();
        is_not_a_file(&error, &path, found);
        let file = File::open(&path).unwrap();
        for error in [
            options.map_immutable::<u8>(&file).map(drop).unwrap_err(),
            test_support::map::<u8, _>(&options, &file).map(drop).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), not_a_file(found));
        }
    }
}

#[test]
fn a_link_stands_for_its_file() {
    let place = Place::of(&[1, 2, 3]);
    let link = place.folder().join("link");
    symlink(place.path(), &link).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let a = open::<u8, _>(&MapOptions::new(mode), &link).unwrap();
        assert_eq!((&*a, a.path()), (&*array![1, 2, 3], Some(link.as_path())));
    }
    let exists = open::<u8, _>(&MapOptions::new(CreateNew).shape(1), &link);
    let kind = io::Error::from(exists.map(drop).unwrap_err()).kind();
    assert_eq!(
        (kind, place.bytes().unwrap()),
        (io::ErrorKind::AlreadyExists, vec![1, 2, 3])
    );

    let mut a = open::<u8, _>(&MapOptions::new(Create).shape(2), &link).unwrap();
    a.view_mut().unwrap().fill(7);
    drop(a);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(place.bytes().unwrap(), [7, 7]);
}

#[test]
fn a_link_to_nothing_is_created_through_and_not_opened() {
    let place = Place::missing();
    let link = place.folder().join("link");
    symlink(place.path(), &link).unwrap();
    #[rustfmt::skip]
    let rows = [
        (ReadOnly,    io::ErrorKind::NotFound),
        (CopyOnWrite, io::ErrorKind::NotFound),
        (ReadWrite,   io::ErrorKind::NotFound),
        (CreateNew,   io::ErrorKind::AlreadyExists),
    ];
    for (mode, kind) in rows {
        assert_eq!(io::Error::from(refused(mode, &link)).kind(), kind, "{mode}");
        assert_eq!(place.bytes(), None, "{mode}");
    }
    let a = open::<u8, _>(&MapOptions::new(Create).shape(2), &link).unwrap();
    assert_eq!((&*a, place.bytes()), (&*array![0, 0], Some(vec![0, 0])));
}

#[test]
fn a_path_in_a_missing_folder_is_an_error_in_every_mode() {
    let place = Place::missing();
    let path = place.folder().join("no").join("where");
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew, Append] {
        let error = refused(mode, &path);
        let (doing, way_out) = match mode {
            Create | CreateNew | Append => ("create", "create the folder first"),
            _ => ("open", "check the path; mode `w+` or `a+` creates a file"),
        };
        let cause = error.source().unwrap();
        let text = format!("cannot {doing} the file: {cause} ({way_out})");
        assert_eq!(text_at(&error, &path), text);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(place.folder()).unwrap().count(), 0);
    }
}

/// Returns the number of bytes allocated for a file.
fn allocated(metadata: &Metadata) -> u64 {
    metadata.blocks() * 512
}

#[cfg(target_os = "linux")]
#[test]
fn space_is_reserved_unless_the_file_is_to_be_sparse() {
    use rustix::fs::{FallocateFlags, fallocate};
    const LEN: u64 = 1 << 20;

    let probe = Place::of(b"");
    let reserves = fallocate(probe.file(), FallocateFlags::empty(), 0, LEN).is_ok();
    let full = vec![1; 1 << 20];
    #[rustfmt::skip]
    let rows: [(&str, Mode, Place, Place); 4] = [
        ("new",     Create,    Place::missing(),    Place::missing()),
        ("holes",   Create,    Place::sparse(LEN),  Place::sparse(LEN)),
        ("full",    Create,    Place::of(&full),    Place::of(&full)),
        ("grown",   ReadWrite, Place::of(&[1]),     Place::of(&[1])),
    ];
    for (name, mode, reserved, sparse) in rows {
        let options = MapOptions::new(mode).grow(true).shape(1 << 20);
        for (place, is_sparse) in [(reserved, false), (sparse, true)] {
            let a = open::<u8, _>(&options.clone().sparse(is_sparse), &place).unwrap();
            let metadata = fs::metadata(&place).unwrap();
            let space = allocated(&metadata);
            assert_eq!(metadata.len(), LEN, "{name}");
            // If the file system cannot reserve space, every file is sparse.
            let fits = match reserves && !is_sparse {
                true => space >= LEN,
                false => space < LEN / 4,
            };
            assert!(fits, "{name}: {space} bytes, sparse {is_sparse}");
            assert_eq!(a.iter().map(|&x| u64::from(x)).sum::<u64>(), u64::from(a[0]));
            assert_eq!(a[0], u8::from(mode == ReadWrite), "{name}");
        }
    }
}

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod huge {
    use super::*;

    const TIB: u64 = 1 << 40;

    /// Returns the resident memory of the mapping at `address` in KiB.
    fn resident(address: *const u8) -> u64 {
        let start = format!("{:x}-", address.addr());
        let maps = fs::read_to_string("/proc/self/smaps").unwrap();
        let mut lines = maps.lines().skip_while(|line| !line.starts_with(&start));
        let line = lines.find(|line| line.starts_with("Rss:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[test]
    fn a_file_larger_than_memory_opens_and_prints_without_a_page_read() {
        let place = Place::sparse(TIB);
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let mut a = open::<f64, _>(&MapOptions::new(mode), &place).unwrap();
            assert_eq!(a.len(), 1 << 37);
            let text = format!(
                "MmapArray {{ path: Some({:?}), shape: [137438953472], mode: {mode:?}, .. }}",
                place.path()
            );
            assert_eq!(format!("{a:?}"), text);
            let address = a.as_ptr().cast();
            assert_eq!(resident(address), 0, "{mode}");

            if mode == CopyOnWrite {
                a.view_mut().unwrap()[1 << 36] = 2.5;
                assert_eq!((a[1 << 36], a[(1 << 36) - 1]), (2.5, 0.0));
            }
            assert_eq!(a[(1 << 37) - 1], 0.0);
            assert!((1..=4096).contains(&resident(address)), "the count sees pages");
        }
        let metadata = fs::metadata(&place).unwrap();
        assert_eq!(metadata.len(), TIB);
        assert!(allocated(&metadata) < 1 << 20);
    }

    #[test]
    fn offsets_beyond_four_gigabytes_reach_their_bytes() {
        use std::os::unix::fs::FileExt;

        const OFFSET: u64 = (5 << 30) + 24;
        let place = Place::sparse(0);
        let options = MapOptions::new(Create).sparse(true).offset(OFFSET).shape((2, 3));
        let mut a = open::<i64, _>(&options, &place).unwrap();
        a.view_mut().unwrap().assign(&array![[1, 2, 3], [4, 5, -6]]);
        assert_eq!((a.offset(), a.layout().end()), (OFFSET, OFFSET + 48));
        a.close().unwrap();
        let mut bytes = [0; 48];
        place.file().read_exact_at(&mut bytes, OFFSET).unwrap();
        let expected = [1_i64, 2, 3, 4, 5, -6].map(i64::to_ne_bytes);
        assert_eq!(bytes, expected.as_flattened());
        assert_eq!(place.len(), OFFSET + 48);

        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let rows = MapOptions::new(mode).offset(OFFSET + 24).rows_of(3);
            let b = open::<i64, _>(&rows, &place).unwrap();
            assert_eq!(*b, array![[4, 5, -6]]);
        }
        let b = MapOptions::new(ReadOnly).offset(OFFSET + 8).load::<i64>(&place).unwrap();
        assert_eq!(*b, array![2, 3, 4, 5, -6]);
        let far = (1_usize << 32) / 8;
        let strided = MapOptions::new(ReadOnly).offset(1 << 30).shape(far + 4);
        let b = open::<i64, _>(&strided, &place).unwrap();
        assert_eq!((b[far + 3], b[far + 2]), (1, 0));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn descriptors_are_kept_for_writing_and_locks_alone() {
    let count = || fs::read_dir("/proc/self/fd").unwrap().count();
    test_support::in_own_process(
        descriptors_are_kept_for_writing_and_locks_alone,
        || {
            let place = Place::of(&[1, 2, 3, 4]);
            let open = |mode: Mode, lock: bool| -> Result<_> {
                open::<u8, _>(&MapOptions::new(mode).lock(lock), &place)
            };
            let before = count();
            let mut arrays = Vec::new();
            for _ in 0..500 {
                for mode in [ReadOnly, CopyOnWrite] {
                    arrays.push(open(mode, false).unwrap());
                }
            }
            assert_eq!((arrays.len(), count()), (1000, before));
            for mode in [ReadOnly, CopyOnWrite] {
                let locked = open(mode, true).unwrap();
                assert_eq!((locked.sum(), count()), (10, before + 1), "{mode}");
            }
            assert_eq!(count(), before);
            assert!(arrays.iter().all(|a| a.sum() == 10));
            let writable = open(ReadWrite, false).unwrap();
            writable.sync().unwrap();
            assert_eq!(count(), before + 1);
            drop(writable);
            drop(arrays);
            let scratch = MapOptions::scratch::<u8, _>(3).unwrap();
            let loaded = MapOptions::new(ReadOnly).load::<u8>(&place).unwrap();
            assert_eq!((scratch.sum(), loaded.sum(), count()), (0, 10, before + 1));
            assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4]);
        },
    );
}
