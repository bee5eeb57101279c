//! Growth on full disks, on overlay file systems and in PID namespaces.
//!
//! `TEST_FILE_SYSTEM` names an empty folder of a small disk that may be filled.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests"
)]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use ndarray::{Array2, Axis, Ix2, array};
use ndarray_memmap::Mode::{Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray2, npy};
use rustix::fs::{statvfs, syncfs};

const MIB: u64 = 1 << 20;

/// Returns the folder of the small disk, for one test at a time.
fn disk() -> (PathBuf, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());

    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = PathBuf::from(env::var_os("TEST_FILE_SYSTEM").unwrap()).join("growth");
    let _ = fs::remove_dir_all(&disk);
    fs::create_dir(&disk).unwrap();
    (disk, turn)
}

fn free(disk: &Path) -> u64 {
    syncfs(File::open(disk).unwrap()).unwrap();
    let found = statvfs(disk).unwrap();
    found.f_bfree * found.f_frsize
}

/// Waits until the file system reports the freed space as free.
#[track_caller]
fn assert_free(disk: &Path, expected: u64) {
    for _ in 0..50 {
        if free(disk) + MIB >= expected {
            return;
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("{} bytes are free, {expected} were free before", free(disk));
}

fn created(path: &Path, is_npy: bool) -> MmapArray2<u8> {
    let mut log: MmapArray2<u8> = match is_npy {
        // SAFETY: no other program uses the disk, and these tests run one at a time.
        true => unsafe { npy::create(path, (2, 1000)) },
        // SAFETY: as above.
        false => unsafe { MapOptions::new(Create).shape((2, 1000)).open(path) },
    }
    .unwrap();
    log.view_mut().unwrap().fill(3);
    log
}

#[test]
#[ignore = "needs a small disk; run by .ci/steps/file-systems"]
fn what_has_no_space_leaves_the_disk_as_free_as_it_was() {
    let (disk, _turn) = disk();
    for is_npy in [false, true] {
        let path = disk.join("log");
        let mut log = created(&path, is_npy);
        log.push(Axis(0), &ndarray::Array1::from_elem(1000, 3)).unwrap();
        log.sync().unwrap();
        let before = fs::read(&path).unwrap();
        let free_before = free(&disk);
        let rows = usize::try_from(free_before / 1000).unwrap() + 3000;
        let block = Array2::from_elem((rows, 1000), 3);
        for round in 0..2 {
            let error = match round {
                0 => log.append(Axis(0), &block).unwrap_err(),
                _ => log.resize(Axis(0), rows).map_or_else(
                    |e| e,
                    |()| {
                        // Without reservations, zeros may take no space.
                        log.resize(Axis(0), 3).unwrap();
                        ErrorKind::NoSpace { expected: 0 }.into()
                    },
                ),
            };
            assert!(matches!(error.kind(), ErrorKind::NoSpace { .. }), "{error}");
            assert_eq!(log.nrows(), 3);
            assert!(fs::read(&path).unwrap() == before, "npy {is_npy}, round {round}");
            assert_free(&disk, free_before);
        }
        log.push(Axis(0), &ndarray::Array1::from_elem(1000, 3)).unwrap();
        log.close().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().len(), before.len() as u64 + 1000);
        fs::remove_file(&path).unwrap();
    }
}

/// A folder whose files come from a lower layer.
struct Overlay {
    dir: tempfile::TempDir,
}

impl Overlay {
    fn new(name: &str, contents: &[u8]) -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let path = |part| dir.path().join(part);
        for part in ["lower", "upper", "work", "merged"] {
            fs::create_dir(path(part)).unwrap();
        }
        fs::write(path("lower").join(name), contents).unwrap();
        let layers = ["lower", "upper", "work"]
            .map(|part| format!("{part}dir={}", path(part).display()));
        let mount = Command::new("mount")
            .args(["-t", "overlay", "overlay", "-o", &layers.join(",")])
            .arg(path("merged"))
            .status();
        assert!(mount.unwrap().success());
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("merged").join(name)
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let merged = self.dir.path().join("merged");
        let _ = Command::new("umount").arg("--lazy").arg(merged).status();
    }
}

#[test]
#[ignore = "needs root, to mount; run by .ci/steps/file-systems"]
fn a_follower_shows_a_file_that_left_its_lower_layer() {
    for (rows, lock) in [(0, true), (0, false), (5, true), (5, false)] {
        let header =
            npy::Header::new("<u4".parse().unwrap(), &[rows, 3], ndarray::Order::C);
        let mut bytes = Vec::new();
        header.unwrap().write(&mut bytes).unwrap();
        bytes.extend([1, 0, 0, 0].repeat(3 * rows));
        let overlay = Overlay::new("log.npy", &bytes);
        let path = overlay.path("log.npy");
        let options = npy::Options::new(ReadOnly).lock(lock);
        // SAFETY: nothing is borrowed while the writer changes it.
        let follower = unsafe { options.open::<u32, Ix2>(&path) };
        let mut follower = follower.unwrap();
        assert_eq!(*follower, Array2::<u32>::ones((rows, 3)));
        // SAFETY: as above.
        let mut writer = unsafe { npy::open::<u32, Ix2>(&path, ReadWrite) }.unwrap();
        for count in rows + 1..rows + 3000 {
            writer.push(Axis(0), &array![1, 1, 1]).unwrap();
            if count % 700 == 0 || count < rows + 3 {
                follower.refresh().unwrap();
                assert_eq!(*follower, Array2::<u32>::ones((count, 3)));
            }
        }
        let count = writer.nrows();
        writer.view_mut().unwrap().fill(7);
        writer.close().unwrap();
        follower.refresh().unwrap();
        assert_eq!(*follower, Array2::from_elem((count, 3), 7));
        drop(follower);
        let found = npy::load::<u32, Ix2>(&path).unwrap();
        assert_eq!(*found, Array2::from_elem((count, 3), 7));
        assert_eq!(fs::metadata(&path).unwrap().len(), 128 + 12 * count as u64);
    }
}

const NAMESPACE: &str = "NDARRAY_MEMMAP_TEST_NAMESPACE";

#[test]
#[ignore = "needs root, to make PID namespaces; run by .ci/steps/file-systems"]
fn a_child_with_the_pid_of_its_parent_leaves_its_file_alone() {
    let test = "mounts::a_child_with_the_pid_of_its_parent_leaves_its_file_alone";
    if env::var_os(NAMESPACE).is_none() {
        let program = env::current_exe().unwrap();
        let child = Command::new("unshare")
            .args(["--pid", "--fork"])
            .arg(program)
            .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
            .env(NAMESPACE, "1")
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success() && out.contains("1 passed"), "{child:?}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.npy");
    let mut a = created(&path, true);
    a.push(Axis(0), &ndarray::Array1::from_elem(1000, 3)).unwrap();
    let long = fs::metadata(&path).unwrap().len();
    assert!(long > 128 + 3000);
    // SAFETY: the call affects only children of this process.
    assert_eq!(unsafe { libc::unshare(libc::CLONE_NEWPID) }, 0);
    // SAFETY: the child only drops the array.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let is_same = std::process::id() == 1;
        drop(a);
        // SAFETY: this process has nothing to clean up.
        unsafe { libc::_exit(if is_same { 0 } else { 9 }) }
    }
    let mut status = 0;
    // SAFETY: `status` is valid for the write of the kernel.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0));
    assert_eq!(std::process::id(), 1);
    assert_eq!(fs::metadata(&path).unwrap().len(), long);
    a.push(Axis(0), &ndarray::Array1::from_elem(1000, 3)).unwrap();
    a.close().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), 128 + 4000);
}
