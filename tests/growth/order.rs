//! Arrays that grow: the bytes after them, when rows are counted, and the file after a refusal.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

#[cfg(target_os = "linux")]
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2, Axis, Ix2, IxDyn, ShapeBuilder, arr0, array};
use ndarray_memmap::Mode::{Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::{
    ErrorKind, MapOptions, MmapArray, MmapArray2, MmapArrayD, NpyErrorKind, Result,
};
use tempfile::TempDir;

/// A path in its own folder.
struct Place {
    _folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.npy");
        Self { _folder: folder, path }
    }

    fn of(bytes: &[u8]) -> Self {
        let place = Self::new();
        fs::write(&place.path, bytes).unwrap();
        place
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).unwrap()
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.path).unwrap().len()
    }

    fn file(&self) -> File {
        File::options().read(true).write(true).open(&self.path).unwrap()
    }
}

impl AsRef<Path> for Place {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

fn created(place: &Place, rows: usize) -> MmapArray2<u32> {
    // SAFETY: the file lies in the test's own folder.
    let mut a = unsafe { npy::create(place, (rows, 3)) }.unwrap();
    a.view_mut().unwrap().fill(1);
    a
}

fn opened(place: &Place) -> MmapArray2<u32> {
    opened_by(place, &npy::Options::new(ReadWrite)).unwrap()
}

fn opened_by(place: &Place, options: &npy::Options) -> Result<MmapArray2<u32>> {
    // SAFETY: the file lies in the test's own folder.
    unsafe { options.open(place) }
}

/// Returns a file of `count` rows of three ones.
fn whole(count: usize) -> Vec<u8> {
    let header =
        Header::new("<u4".parse().unwrap(), &[count, 3], ndarray::Order::C).unwrap();
    let mut bytes = Vec::new();
    header.write(&mut bytes).unwrap();
    bytes.extend([1, 0, 0, 0].repeat(3 * count));
    bytes
}

/// Checks that a file holds `count` rows of ones, and nothing else.
#[track_caller]
fn assert_rows(place: &Place, count: usize) {
    let bytes = place.bytes();
    let header = Header::parse(&bytes).unwrap();
    assert_eq!(header.shape(), [count, 3]);
    assert_eq!(bytes.len(), 128 + 12 * count);
    assert!(bytes[128..] == [1, 0, 0, 0].repeat(3 * count));
}

const ROW: [u32; 3] = [1; 3];

#[test]
fn a_writer_that_was_killed_leaves_a_file_that_grows_on() {
    let place = Place::new();
    let mut a = created(&place, 2);
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    // The state after a kill: nothing is truncated, and some rows are not counted.
    let row: Vec<u8> = [7_u32; 3].into_iter().flat_map(u32::to_ne_bytes).collect();
    std::mem::forget(a);
    let is_longer = place.len() > 128 + 36;
    assert_eq!(is_longer, cfg!(unix), "{}", place.len());
    if is_longer {
        let mut file = place.file();
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(128 + 36)).unwrap();
        file.write_all(&row).unwrap();
    }
    let before = place.len();
    let mut a = opened(&place);
    assert_eq!(a.nrows(), 3);
    a.sync().unwrap();
    assert_eq!(place.len(), before, "only growth changes the bytes after the array");
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    a.close().unwrap();
    assert_rows(&place, 4);

    for len in [4, 6, 1, 4] {
        let mut a = opened(&place);
        a.push(Axis(0), &array![1, 1, 1]).unwrap();
        std::mem::forget(a);
        let mut a = opened(&place);
        a.resize(Axis(0), len).unwrap();
        a.view_mut().unwrap().fill(1);
        a.close().unwrap();
        assert_rows(&place, len);
    }
}

/// Reading a hole through a mapping allocates pages in a file system in memory.
#[test]
fn a_reader_of_all_bytes_does_not_stop_the_growth_after_a_kill() {
    let place = Place::new();
    let mut a = created(&place, 2);
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    let len = usize::try_from(place.len()).unwrap();
    // SAFETY: the file lies in the test's own folder.
    let all = unsafe { MapOptions::new(ReadOnly).shape(len).open::<u8>(&place) }.unwrap();
    let last = all.slice(ndarray::s![len.saturating_sub(1 << 16)..]);
    std::hint::black_box(last.iter().map(|&byte| usize::from(byte)).sum::<usize>());
    drop(all);
    std::mem::forget(a);
    let mut a = opened(&place);
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    a.close().unwrap();
    assert_rows(&place, 4);
}

#[cfg(unix)]
#[test]
fn what_was_written_behind_a_killed_writer_is_not_overwritten() {
    let place = Place::new();
    let mut a = created(&place, 2);
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    std::mem::forget(a);
    let mut file = File::options().append(true).open(&place).unwrap();
    file.write_all(b"pickle").unwrap();
    let found = place.len();
    let mut a = opened(&place);
    for error in [
        a.push(Axis(0), &array![1, 1, 1]).unwrap_err(),
        a.resize(Axis(0), 3).unwrap_err(),
    ] {
        let is_right = matches!(error.kind(), ErrorKind::TrailingBytes { end: 164, found: n } if *n == found);
        assert!(is_right, "{error}");
    }
    a.close().unwrap();
    assert_eq!(place.len(), found);
}

#[test]
fn bytes_behind_an_array_are_the_users_unless_they_are_a_hole() {
    let array = whole(2);
    for tail in [&b"\x80\x04K\x01."[..], &[0; 8], &[0; 100_000], &[7; 5000]] {
        let both = [&array[..], tail].concat();
        let place = Place::of(&both);
        for axis_len in [0, 1, 2, 3] {
            let mut a = opened(&place);
            let refused = [
                a.push(Axis(0), &array![1, 1, 1]),
                a.append(Axis(0), &Array2::ones((100_000, 3))),
                a.resize(Axis(0), axis_len),
            ];
            for refused in refused {
                let found = both.len() as u64;
                assert!(
                    matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::TrailingBytes { end: 152, found: n }) if *n == found),
                    "{refused:?}"
                );
            }
            assert_eq!(a.nrows(), 2);
            drop(a);
            assert!(place.bytes() == both);
        }
    }
    let place = Place::of(&array);
    place.file().set_len(152).unwrap();
    let mut a = opened(&place);
    a.push(Axis(0), &Array1::from_iter(ROW)).unwrap();
    a.close().unwrap();
    assert_rows(&place, 3);
}

#[test]
fn a_refused_append_leaves_the_file_as_it_was() {
    let place = Place::of(&whole(2));
    let mut a = opened(&place);
    a.push(Axis(0), &array![1, 1, 1]).unwrap();
    for _ in 0..2 {
        let refused = a.append(Axis(0), &Array2::ones((3, 4)));
        assert!(
            matches!(
                refused.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::ShapeMismatch { .. })
            ),
            "{refused:?}"
        );
        assert!(matches!(
            a.resize(Axis(0), usize::MAX / 2).as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::TooLarge)
        ));
    }
    a.close().unwrap();
    assert_rows(&place, 3);
}

#[test]
fn rows_of_another_number_of_axes_are_refused() {
    let place = Place::of(&whole(2));
    // SAFETY: the file lies in the test's own folder.
    let a = unsafe { npy::open::<u32, IxDyn>(&place, ReadWrite) };
    let mut a: MmapArrayD<u32> = a.unwrap();
    let is_mismatch =
        |error: Result<()>| match error.map_err(ndarray_memmap::Error::into_kind) {
            Err(ErrorKind::ShapeMismatch { .. }) => {}
            found => panic!("{found:?}"),
        };
    for rows in [
        arr0(1).into_dyn(),
        array![1, 1, 1].into_dyn(),
        array![[1, 1]].into_dyn(),
        Array1::<u32>::zeros(0).into_dyn(),
        ndarray::Array3::<u32>::ones((1, 1, 3)).into_dyn(),
        ndarray::Array3::<u32>::ones((1, 3, 1)).into_dyn(),
    ] {
        is_mismatch(a.append(Axis(0), &rows));
        is_mismatch(a.scatter(Axis(0), &[1], &rows));
    }
    is_mismatch(a.push(Axis(0), &arr0(1).into_dyn()));
    is_mismatch(a.push(Axis(0), &array![[1, 1, 1]].into_dyn()));
    for axis in [1, 2, 7] {
        let row = array![[1, 1, 1]].into_dyn();
        assert!(a.append(Axis(axis), &row).is_err());
        assert!(a.push(Axis(axis), &array![1, 1].into_dyn()).is_err());
        assert!(a.resize(Axis(axis), 1).is_err());
    }
    a.append(Axis(0), &array![[1, 1, 1]].into_dyn()).unwrap();
    drop(a);
    assert_rows(&place, 3);

    let place = Place::new();
    // SAFETY: as above.
    let a = unsafe { npy::create::<u32, _>(&place, IxDyn(&[])) };
    let mut a: MmapArrayD<u32> = a.unwrap();
    let none = |error: Result<()>| match error.map_err(ndarray_memmap::Error::into_kind) {
        Err(ErrorKind::AxisOutOfBounds { axis: 0, ndim: 0 }) => {}
        found => panic!("{found:?}"),
    };
    for rows in [arr0(1).into_dyn(), array![1].into_dyn(), array![[1]].into_dyn()] {
        none(a.append(Axis(0), &rows));
        none(a.push(Axis(0), &rows));
        none(a.scatter(Axis(0), &[0], &rows));
    }
    none(a.resize(Axis(0), 1));
    none(a.gather(Axis(0), &[0]).map(drop));
    none(a.sweep_mut(Axis(0), 100).map(drop));
    drop(a);
    // SAFETY: as above.
    let a = unsafe { npy::open::<u32, IxDyn>(&place, ReadOnly) };
    a.unwrap().refresh().unwrap();
    assert_eq!(place.len(), 132);
}

#[test]
fn a_file_that_grows_row_by_row_is_never_too_short_for_its_header() {
    let place = Place::of(&whole(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A writer of another kind, whose file is never longer than its rows.
            let mut file = place.file();
            let mut append = File::options().append(true).open(&place).unwrap();
            for count in 1..=3000 {
                append.write_all(&[1, 0, 0, 0].repeat(3)).unwrap();
                std::io::Seek::rewind(&mut file).unwrap();
                file.write_all(&whole(count)[..128]).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
        // SAFETY: rows that are in the file do not change.
        let follower = unsafe { npy::open::<u32, Ix2>(&place, ReadOnly) };
        let mut follower = follower.unwrap();
        while !done.load(Ordering::Relaxed) {
            let loaded = npy::load::<u32, Ix2>(&place).unwrap();
            assert!(loaded.iter().all(|x| *x == 1));
            let opened = opened_by(&place, &npy::Options::new(ReadOnly)).unwrap();
            assert!(opened.nrows() >= loaded.nrows());
            // SAFETY: as above.
            let any = unsafe { npy::DynArray::open(&place, ReadOnly) }.unwrap();
            assert!(any.shape()[0] >= opened.nrows());
            follower.refresh().unwrap();
            assert!(follower.nrows() >= any.shape()[0]);
        }
    });
    assert_rows(&place, 3000);
}

#[test]
fn a_file_that_lacks_rows_opens_with_those_that_are_whole() {
    let bytes = whole(5);
    for (len, rows) in [(188, 5), (187, 4), (128 + 13, 1), (128 + 11, 0), (128, 0)] {
        let place = Place::of(&bytes[..len]);
        let before = place.bytes();
        let whole_rows = npy::Options::new(ReadOnly).whole_rows(true);
        let refused = opened_by(&place, &npy::Options::new(ReadOnly)).map(drop);
        match refused {
            Ok(()) => assert_eq!(rows, 5),
            Err(error) => {
                let is_short =
                    matches!(error.kind(), ErrorKind::FileTooShort { expected: 188, .. });
                assert!(is_short && rows < 5, "{error}");
                assert!(error.to_string().contains("whole_rows(true)"), "{error}");
            }
        }
        let mut a = opened_by(&place, &whole_rows).unwrap();
        assert_eq!(a, Array2::<u32>::ones((rows, 3)));
        a.refresh().unwrap();
        assert_eq!(a.nrows(), rows);
        let loaded: MmapArray2<u32> = whole_rows.load(&place).unwrap();
        assert_eq!(*loaded, *a);
        assert!(place.bytes() == before);
        drop((a, loaded));

        // Growth first writes a correct header.
        let options = npy::Options::new(ReadWrite).whole_rows(true);
        let mut a = opened_by(&place, &options).unwrap();
        a.sync().unwrap();
        assert!(place.bytes() == before);
        a.push(Axis(0), &array![1, 1, 1]).unwrap();
        a.close().unwrap();
        assert_rows(&place, rows + 1);
    }
    // In Fortran order a row is a column.
    let place = Place::new();
    let header = Header::new("<u4".parse().unwrap(), &[3, 4], ndarray::Order::F).unwrap();
    let mut bytes = Vec::new();
    header.write(&mut bytes).unwrap();
    bytes.extend([1; 30]);
    fs::write(&place, &bytes).unwrap();
    let options = npy::Options::new(ReadOnly).whole_rows(true);
    let a = opened_by(&place, &options).unwrap();
    assert_eq!(a.shape(), [3, 2]);
    assert_eq!(*a, Array2::from_elem((3, 2).f(), 0x0101_0101));
}

#[test]
fn make_growable_reads_no_header_beyond_the_limit() {
    let place = Place::of(b"\x93NUMPY\x02\x00\x00\x00\x00\xc0{");
    place.file().set_len((3 << 30) + 100).unwrap();
    match npy::make_growable(&place).map_err(ndarray_memmap::Error::into_kind) {
        Err(ErrorKind::Npy(NpyErrorKind::HeaderTooLarge {
            len: 0xc000_0000,
            limit: 10_000,
        })) => {}
        found => panic!("{found:?}"),
    }
    let place = Place::new();
    let text = format!(
        "{{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }}{}\n",
        " ".repeat(12_000)
    );
    let len = u16::try_from(text.len()).unwrap().to_le_bytes();
    let file = [&b"\x93NUMPY\x01\x00"[..], &len, text.as_bytes(), b"abc"].concat();
    fs::write(&place, &file).unwrap();
    let refused = npy::make_growable(&place);
    assert!(
        matches!(
            refused.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { .. }))
        ),
        "{refused:?}"
    );
    assert!(place.bytes() == file);
    let options = npy::Options::new(ReadWrite).max_header_size(20_000);
    options.make_growable(&place).unwrap();
    // SAFETY: the file lies in the test's own folder.
    let a: Result<MmapArray<u8>> = unsafe { npy::open(&place, ReadWrite) };
    let mut a = a.unwrap();
    a.push(Axis(0), &arr0(b'd')).unwrap();
    assert_eq!(a.as_slice(), Some(&b"abcd"[..]));
}

#[cfg(all(target_os = "linux", feature = "sigbus-guard"))]
#[test]
fn a_guarded_array_that_lost_its_end_does_not_grow() {
    ndarray_memmap::guard::install().unwrap();
    for len in [0, 100, 140, 4096] {
        for is_raw in [false, true] {
            let place = Place::of(&whole(2));
            let mut a: MmapArray2<u32> = if is_raw {
                let options = MapOptions::new(ReadWrite).guarded(true).offset(128);
                // SAFETY: the file lies in the test's own folder; the guard handles its truncation.
                unsafe { options.rows_of(3).open(&place) }.unwrap()
            } else {
                opened_by(&place, &npy::Options::new(ReadWrite).guarded(true)).unwrap()
            };
            a.push(Axis(0), &array![1, 1, 1]).unwrap();
            a.push(Axis(0), &array![1, 1, 1]).unwrap();
            if len == 4096 && is_raw {
                continue;
            }
            place.file().set_len(len).unwrap();
            for _ in 0..2 {
                let refused = a.push(Axis(0), &array![1, 1, 1]);
                let is_lost = matches!(
                    refused.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::FileTooShort { .. } | ErrorKind::Faulted { .. })
                );
                assert!(is_lost, "{len} raw {is_raw}: {refused:?}");
            }
            assert!(a.append(Axis(0), &Array2::ones((50_000, 3))).is_err());
            assert!(a.resize(Axis(0), 9).is_err());
            assert_eq!(a.nrows(), 4);
            drop(a);
            assert_eq!(place.len(), len, "nothing hides the loss");
        }
    }
}

#[test]
fn an_array_whose_file_became_shorter_does_not_grow() {
    for is_raw in [false, true] {
        let place = Place::of(&whole(4));
        let mut a: MmapArray2<u32> = if is_raw {
            let options = MapOptions::new(ReadWrite).offset(128).rows_of(3);
            // SAFETY: the file lies in the test's own folder, and the test accesses no lost row.
            unsafe { options.open(&place) }.unwrap()
        } else {
            opened(&place)
        };
        place.file().set_len(150).unwrap();
        for refused in [
            a.push(Axis(0), &array![1, 1, 1]),
            a.append(Axis(0), &Array2::ones((50_000, 3))),
            a.resize(Axis(0), 9),
            a.resize(Axis(0), 3),
            a.resize(Axis(0), 4),
        ] {
            let is_short = matches!(
                refused.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::FileTooShort { expected: 176, found: 150 })
            );
            assert!(is_short, "{refused:?}");
        }
        drop(a);
        assert!(place.bytes() == whole(4)[..150]);
    }
}

#[test]
fn growth_without_a_place_to_reach_to_is_exact() {
    // Sizes around a page, and a step to more digits.
    let place = Place::new();
    let mut a = created(&place, 0);
    for count in [1, 8, 90, 901, 9000, 20_000] {
        a.append(Axis(0), &Array2::ones((count, 3))).unwrap();
        a.sync().unwrap();
        assert_rows(&place, a.nrows());
    }
    let shorter = a.nrows() - 15_000;
    a.resize(Axis(0), shorter).unwrap();
    assert_rows(&place, shorter);
    a.append(Axis(0), &Array2::ones((30_000, 3))).unwrap();
    a.resize(Axis(0), shorter + 7).unwrap();
    assert_rows(&place, shorter + 7);
    a.close().unwrap();
    let options = npy::Options::new(Create);
    // SAFETY: as in `created`.
    let a: MmapArray2<u32> = unsafe { options.create(&place, (0, 3)) }.unwrap();
    a.close().unwrap();
    assert_rows(&place, 0);
}

/// Runs `work` in a thread whose `fsync` and `fdatasync` fail.
#[cfg(target_os = "linux")]
fn without_fsync<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    let calls = [libc::SYS_fsync, libc::SYS_fdatasync].map(|call| (call, Vec::new()));
    let refuse = SeccompAction::Errno(libc::EIO.unsigned_abs());
    let target = env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(calls.into(), SeccompAction::Allow, refuse, target);
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| {
            seccompiler::apply_filter(&filter).unwrap();
            work()
        });
        refused.join().unwrap()
    })
}

/// Without a sync of the whole file, the region's pages would be durable with an old header.
#[cfg(target_os = "linux")]
#[test]
fn the_first_sync_of_a_region_brings_the_header_to_disk_too() {
    let last = |a: &MmapArray2<u32>| a.region(ndarray::s![-1.., ..]).sync();
    let place = Place::new();
    let a = created(&place, 100_000);
    assert!(matches!(
        without_fsync(|| last(&a)).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { .. })
    ));
    let a = created(&place, 100_000);
    last(&a).unwrap();
    // After the first sync, only the region is written.
    without_fsync(|| last(&a)).unwrap();
    drop(a);
    // Another handle writes the header alone, unless the file system ignores such a call.
    let a = opened(&place);
    let is_alone = test_support::file_system(&place) != "overlay";
    assert_eq!(without_fsync(|| last(&a)).is_ok(), is_alone);
    drop(a);
    let mut a = opened(&place);
    a.resize(Axis(0), 100_001).unwrap();
    assert!(without_fsync(|| last(&a)).is_err(), "the header has changed");
    drop(a);
    // The same applies to headers of many pages.
    let options = npy::Options::new(Create).data_align(8192);
    // SAFETY: the file lies in the test's own folder.
    let a: MmapArray2<u32> = unsafe { options.create(&place, (100_000, 3)) }.unwrap();
    assert!(without_fsync(|| last(&a)).is_err());
}

/// If rows cannot be counted ahead of their space, they are durable before they are counted.
#[cfg(target_os = "linux")]
#[test]
fn rows_are_counted_only_in_a_file_that_has_their_bytes_on_disk() {
    let place = Place::new();
    let mut a = created(&place, 2);
    a.sync().unwrap();
    let before = place.bytes();
    // Here neither the longer file nor the rows can be made durable.
    let (pushed, a) = without_fsync(|| (a.push(Axis(0), &array![1, 1, 1]), a));
    assert!(pushed.is_err());
    assert_eq!(a.nrows(), 2);
    drop(a);
    assert!(place.bytes() == before);
    let mut a = opened(&place);
    let (cut, a) = without_fsync(|| (a.resize(Axis(0), 1), a));
    assert!(cut.is_err());
    assert_eq!(a.nrows(), 2);
    drop(a);
    assert_rows(&place, 2);
}

/// A failed append leaves nonzero bytes after the array if the kernel also refuses to truncate.
#[test]
fn rows_that_a_resize_adds_are_zeros_whatever_lies_there() {
    let place = Place::new();
    // SAFETY: the file lies in the test's own folder.
    let mut a = unsafe { npy::create::<f64, _>(&place.path, 10) }.unwrap();
    a.push(Axis(0), &arr0(1.0)).unwrap();
    let end = a.layout().end();
    let mut file = File::options().write(true).open(&place.path).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(end)).unwrap();
    file.write_all(&[7; 4000]).unwrap();
    drop(file);
    a.resize(Axis(0), 1000).unwrap();
    assert_eq!((a[10], a.iter().skip(11).filter(|x| **x != 0.0).count()), (1.0, 0));
    a.close().unwrap();
    let a = npy::load::<f64, ndarray::Ix1>(&place.path).unwrap();
    assert_eq!((a.len(), a.sum()), (1000, 1.0));
}
