//! The errors of a sync after a truncation of the file, and after failed writes.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use ndarray::{Axis, Ix2, arr1, s};
use ndarray_memmap::Mode::{Create, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1, Result, npy};
use tempfile::TempDir;

fn file_of(len: usize) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("array");
    fs::write(&path, vec![1; len]).unwrap();
    (folder, path)
}

fn open(options: &MapOptions, path: &Path) -> MmapArray1<u8> {
    // SAFETY: no borrowed byte is changed, and none beyond the end of a file is accessed.
    unsafe { options.open(path) }.unwrap()
}

fn map(options: &MapOptions, file: &File) -> Result<MmapArray1<u8>> {
    // SAFETY: as in `open`.
    unsafe { options.map(file) }
}

fn cut(path: &Path, len: u64) {
    File::options().write(true).open(path).unwrap().set_len(len).unwrap();
}

#[test]
fn a_file_that_was_cut_is_an_error_of_sync_and_of_close() {
    for (offset, len, found) in [(0, 10_000, 0), (0, 10_000, 9_999), (3, 9_000, 5_000)] {
        let needed = offset + len as u64;
        let is_short =
            |result: Result<()>| match result.map_err(ndarray_memmap::Error::into_kind) {
                Err(ErrorKind::FileTooShort { expected: n, found: f }) => {
                    (n, f) == (needed, found)
                }
                result => panic!("{result:?}"),
            };
        let (_folder, path) = file_of(10_000);
        let options = MapOptions::new(ReadWrite).offset(offset).shape(len);
        let whole = open(&options, &path);
        let part = open(&options, &path);
        let closed = open(&options, &path);
        for a in [&whole, &part, &closed] {
            a.sync().unwrap();
            a.region(s![..10]).sync().unwrap();
        }
        cut(&path, found);
        assert!(is_short(whole.sync()));
        assert!(is_short(part.region(s![..10]).sync()));
        assert!(is_short(closed.close()));
        // Extending the file to its old length does not restore the data.
        cut(&path, 10_000);
        assert!(matches!(
            whole.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        assert!(matches!(
            part.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        assert!(matches!(
            whole.close().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
        open(&options, &path).close().unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes.iter().map(|x| u64::from(*x)).sum::<u64>(), found);
    }
}

#[test]
fn a_file_that_grows_may_be_longer_than_its_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.npy");
    // SAFETY: as in `open`.
    let mut log = unsafe { npy::create::<u32, _>(&path, (0, 2)) }.unwrap();
    for row in 0..5 {
        log.push(Axis(0), &arr1(&[row, row])).unwrap();
        log.region(s![.., ..]).sync().unwrap();
        if row == 2 {
            log.sync().unwrap();
        }
    }
    log.push(Axis(0), &arr1(&[5, 5])).unwrap();
    log.close().unwrap();
    assert_eq!(
        npy::load::<u32, Ix2>(&path).unwrap().column(0).to_vec(),
        [0, 1, 2, 3, 4, 5]
    );
}

#[cfg(feature = "sigbus-guard")]
#[test]
fn a_guarded_array_says_what_was_lost() {
    ndarray_memmap::guard::install().unwrap();
    for close in [false, true] {
        let (_folder, path) = file_of(10_000);
        let a = open(&MapOptions::new(ReadWrite).guarded(true), &path);
        cut(&path, 9_000);
        let synced = if close { a.close() } else { a.region(s![..10]).sync() };
        assert!(
            matches!(
                synced.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Faulted { offset: 9_000 })
            ),
            "{synced:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), [1; 9_000]);
    }
}

#[test]
fn an_array_leaves_the_description_of_the_callers_file_alone() {
    let (_folder, path) = file_of(100);
    let mut file = File::options().read(true).write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let mut a = map(&MapOptions::new(ReadWrite).shape(100), &file).unwrap();
    a.view_mut().unwrap()[7] = 9;
    a.append(Axis(0), &arr1(&[3; 50])).unwrap();
    let mut byte = [0];
    file.read_exact(&mut byte).unwrap();
    assert_eq!((byte, file.stream_position().unwrap()), ([9], 8));
    drop(file);
    a.close().unwrap();
    let mut expected = vec![1; 100];
    expected[7] = 9;
    expected.extend([3; 50]);
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn files_without_a_name_are_written_by_their_arrays() {
    use rustix::fs::{MemfdFlags, memfd_create};

    let memory = File::from(memfd_create("array", MemfdFlags::CLOEXEC).unwrap());
    for file in [tempfile::tempfile().unwrap(), memory] {
        let mut a = map(&MapOptions::new(Create).lock(true).shape(5), &file).unwrap();
        assert!(file.try_lock().is_err(), "the array has its own lock");
        a.view_mut().unwrap().fill(4);
        a.sync().unwrap();
        drop(a);
        // A process that another test has just forked holds the lock for a moment.
        file.lock().unwrap();
        let a = map(&MapOptions::new(ReadWrite), &file).unwrap();
        assert_eq!(a.as_slice().unwrap(), [4; 5]);
    }
}

/// A loop device whose sparse image lies on a small tmpfs that the tests fill.
struct Failing {
    work: PathBuf,
    disk: PathBuf,
}

impl Failing {
    fn new() -> Self {
        let work = PathBuf::from(std::env::var_os("TEST_FAILING_DISK").unwrap());
        let disk = work.join("disk");
        let _ = fs::remove_file(work.join("below/filling"));
        Self { work, disk }
    }

    /// Fills the tmpfs, so that the disk can write no new blocks.
    fn fill(&self) {
        use std::io::Write;

        let mut filling = File::create(self.work.join("below/filling")).unwrap();
        while filling.write_all(&[1; 4096]).is_ok() {}
    }

    /// Creates a file whose blocks are reserved, but which the image has not allocated.
    fn create(&self, name: &str) -> (File, PathBuf) {
        let path = self.disk.join(name);
        let options = MapOptions::new(Create).shape(4 << 20);
        open(&options, &path).close().unwrap();
        (File::options().read(true).write(true).open(&path).unwrap(), path)
    }
}

#[test]
#[ignore = "needs a disk that fails; run by .ci/steps/file-systems"]
fn each_array_of_one_file_is_told_of_a_failed_write() {
    let failing = Failing::new();
    let (file, path) = failing.create("two");
    let mut a = map(&MapOptions::new(ReadWrite), &file).unwrap();
    let b = map(&MapOptions::new(ReadWrite), &file).unwrap();
    let child_and_parent = map(&MapOptions::new(ReadWrite), &file).unwrap();
    failing.fill();
    a.view_mut().unwrap().fill(7);
    for array in [&a, &b] {
        assert!(matches!(
            array.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Io { action: "sync", .. })
        ));
        assert!(matches!(
            array.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
    }
    assert!(file.sync_all().is_err(), "the caller's own description gets the error too");
    // SAFETY: the child syncs and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let failed = matches!(
            child_and_parent.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Io { .. })
        );
        // SAFETY: this process has nothing to clean up.
        unsafe { libc::_exit(i32::from(!failed)) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the write of the kernel.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert_eq!(status, 0, "the child gets the error");
    assert!(
        matches!(
            child_and_parent.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ),
        "and the parent reports it"
    );
    drop((a, b, child_and_parent, file));
    let _ = fs::remove_file(path);
}

#[test]
#[ignore = "needs a disk that fails; run by .ci/steps/file-systems"]
fn a_failed_write_that_a_resize_meets_is_an_error_of_each_sync() {
    for len in [600_001, 600_002, 600_000] {
        let failing = Failing::new();
        let path = failing.disk.join("resized.npy");
        // SAFETY: the file lies on the test's own disk.
        let mut a = unsafe { npy::create::<f64, _>(&path, 600_000) }.unwrap();
        a.sync().unwrap();
        a.push(Axis(0), &ndarray::arr0(1.0)).unwrap();
        a.view_mut().unwrap().fill(7.0);
        failing.fill();
        // Write the pages back without a sync, as the kernel does after some time.
        let other = File::open(&path).unwrap();
        // SAFETY: the descriptor is open.
        let _ = unsafe { libc::sync_file_range(other.as_raw_fd(), 0, 0, 7) };
        drop((other, Failing::new()));
        let resized = a.resize(Axis(0), len);
        let synced = a.sync();
        assert!(
            matches!(
                synced.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Io { action: "sync", .. } | ErrorKind::Poisoned)
            ),
            "{len}: {resized:?}, {synced:?}"
        );
        assert!(
            matches!(a.sync().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)),
            "{len}"
        );
        assert!(a.close().is_err());
        let _ = fs::remove_file(path);
    }
}
