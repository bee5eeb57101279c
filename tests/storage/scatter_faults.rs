//! Scatters that the file system, a limit or another process stops.
#![cfg(target_os = "linux")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "the numbers are small; helpers of tests"
)]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::mounted::{self, Mark, Mounted, assert_marks, open, with_mounts};
use ndarray::{Array1, Array2, Axis};
use ndarray_memmap::Mode::{CopyOnWrite, ReadWrite};
use ndarray_memmap::{Element, ErrorKind, MapOptions, MmapArray};
use rustix::process::{Resource, Rlimit, setrlimit};
use test_support::{file_system, in_own_process};

const AXIS: Axis = Axis(0);

fn zero() -> Mark {
    bytemuck::Zeroable::zeroed()
}

/// Scatters to all rows of an array on a full disk; checks that only some rows are written.
fn scatter_on_a_full_disk(a: &mut MmapArray<Mark, ndarray::Ix1>) {
    let count = a.len();
    let indices: Vec<usize> = (0..count).collect();
    // The first scatter overwrites nothing, the second the elements of the first.
    for mark in [Mark::low(), Mark::high()] {
        let rows = Array1::from_elem(count, mark);
        let error = a.scatter(AXIS, &indices, &rows).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io { action: "write", .. }),
            "{error:?}"
        );
        assert_marks(a.iter(), &[zero(), Mark::low(), Mark::high()]);
        assert!(a.iter().any(|found| *found == mark), "some were written");
        assert_eq!(a[count - 1], zero(), "but not all");
    }
}

/// Fills a disk until about `free` bytes are free.
fn leave(disk: &Mounted, free: u64) {
    let filler = disk.fill();
    let file = File::options().write(true).open(filler).unwrap();
    file.set_len(file.metadata().unwrap().len() - free).unwrap();
    rustix::fs::syncfs(&file).unwrap();
}

#[test]
#[ignore = "needs root and ext2; run by .ci/steps/file-systems"]
fn a_private_array_on_a_full_disk_has_no_invalid_element() {
    with_mounts(a_private_array_on_a_full_disk_has_no_invalid_element, |folder| {
        let disk = mounted::disk(folder, "ext2", 4, &["-b", "1024"]);
        // The end of the free space lies once at each byte of an element.
        for blocks in 50..55 {
            let mut a =
                MapOptions::scratch_in::<Mark, _>(disk.folder(), 100_000).unwrap();
            leave(&disk, blocks * 1024);
            // The blocks of a scratch array were all allocated at its creation.
            let indices: Vec<usize> = (0..a.len()).collect();
            for mark in [Mark::low(), Mark::high()] {
                let rows = Array1::from_elem(a.len(), mark);
                a.scatter(AXIS, &indices, &rows).unwrap();
                assert_marks(a.iter(), &[mark]);
            }
        }
    });
}

#[test]
#[ignore = "needs root, ext4 and ext2; run by .ci/steps/file-systems"]
fn a_file_with_holes_on_a_full_disk_has_no_invalid_element() {
    with_mounts(a_file_with_holes_on_a_full_disk_has_no_invalid_element, |folder| {
        for (kind, mib, options) in [
            ("ext4", 8, &["-b", "1024", "-m", "0"][..]),
            ("ext4", 8, &["-m", "0"]),
            ("ext2", 4, &[]),
        ] {
            let folder = folder.join(format!("{kind}{}", options.len()));
            fs::create_dir(&folder).unwrap();
            // On tmpfs the check of the elements fills the holes.
            let disk = mounted::disk(&folder, kind, mib, options);
            let path = disk.path("file");
            File::create(&path).unwrap().set_len(500_000).unwrap();
            let mut a = open::<Mark, _>(&MapOptions::new(ReadWrite), &path).unwrap();
            leave(&disk, 50_000);
            scatter_on_a_full_disk(&mut a);
            drop(a);
            let a = open::<Mark, _>(&MapOptions::new(CopyOnWrite), &path).unwrap();
            assert_marks(a.iter(), &[zero(), Mark::low(), Mark::high()]);
        }
    });
}

/// Compares array, file and a copy in memory after a scatter in both modes.
fn scatter_shows<A: Element + std::fmt::Debug + PartialEq>(path: &Path, old: A, new: A) {
    let size = size_of::<A>();
    let start = Array2::from_elem((3000, 2), old);
    let bytes: &[u8] = bytemuck::cast_slice(start.as_slice().unwrap());
    fs::write(path, bytes).unwrap();
    let indices = [5, 2999, 0, 5];
    let rows = Array2::from_elem((4, 2), new);
    let mut expected = start.clone();
    for index in indices {
        expected.row_mut(index).fill(new);
    }
    for mode in [CopyOnWrite, ReadWrite] {
        let options = MapOptions::new(mode).shape((3000, 2));
        let mut a = open::<A, _>(&options, path).unwrap();
        a.scatter(AXIS, &indices, &rows).unwrap();
        assert_eq!(a, expected, "{mode}");
        if mode == ReadWrite {
            a.sync().unwrap();
        }
        drop(a);
        let found = fs::read(path).unwrap();
        assert_eq!(found.len(), 6000 * size);
        match mode {
            CopyOnWrite => assert_eq!(found, bytes),
            _ => assert_eq!(
                found,
                bytemuck::cast_slice::<A, u8>(expected.as_slice().unwrap())
            ),
        }
    }
}

fn scatter_shows_all(path: &Path) {
    scatter_shows::<f64>(path, 1.0, 2.0);
    scatter_shows::<bool>(path, true, false);
    scatter_shows::<char>(path, 'a', '\u{1F600}');
    scatter_shows::<Mark>(path, Mark::low(), Mark::high());
}

#[test]
fn array_and_file_show_what_was_scattered() {
    let folder = tempfile::tempdir().unwrap();
    scatter_shows_all(&folder.path().join("file"));
}

#[test]
#[ignore = "needs root, overlayfs and bindfs; run by .ci/steps/file-systems"]
fn array_and_file_show_what_was_scattered_on_other_file_systems() {
    with_mounts(array_and_file_show_what_was_scattered_on_other_file_systems, |folder| {
        let overlay = mounted::overlay(folder, "file", b"");
        scatter_shows_all(&overlay.path("file"));
        let fuse = mounted::fuse(folder, &["-n"]);
        scatter_shows_all(&fuse.path("file"));
        scatter_shows_all(&mounted::memory(folder).path("file"));
    });
}

#[test]
fn a_truncated_file_is_an_error_and_is_not_extended() {
    for is_checked in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![1; 40_000]).unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        let truncate = || file.set_len(20_000).unwrap();
        let error = if is_checked {
            let mut a = open::<bool, _>(&MapOptions::new(ReadWrite), &path).unwrap();
            truncate();
            a.scatter(AXIS, &[39_999, 0], &Array1::from_elem(2, false)).unwrap_err()
        } else {
            let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &path).unwrap();
            truncate();
            a.scatter(AXIS, &[39_999, 0], &Array1::from_elem(2, 7)).unwrap_err()
        };
        let ErrorKind::FileTooShort { expected: 40_000, found: 20_000 } = error.kind()
        else {
            panic!("{error:?}")
        };
        assert_eq!(fs::read(&path).unwrap(), [1; 20_000]);
    }
}

#[test]
fn a_private_array_whose_file_is_kept_open_keeps_its_changes_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, [1; 8192]).unwrap();
    let file = File::options().read(true).write(true).open(&path).unwrap();
    let options = MapOptions::new(CopyOnWrite).lock(true);
    // SAFETY: the file is this test's own.
    let mut a = unsafe { options.map::<u8>(&file) }.unwrap();
    a.scatter(AXIS, &[4000], &Array1::from_elem(1, 2)).unwrap();
    assert_eq!(a[4000], 2);
    let mut found = [0];
    file.read_exact_at(&mut found, 4000).unwrap();
    assert_eq!((found, fs::read(&path).unwrap()), ([1], vec![1; 8192]));
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_and_no_signal() {
    in_own_process(a_limit_of_the_size_of_files_is_an_error_and_no_signal, || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![1; 40_000]).unwrap();
        let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &path).unwrap();
        let limit = Rlimit { current: Some(20_000), maximum: Some(20_000) };
        setrlimit(Resource::Fsize, limit).unwrap();
        let rows = Array1::from_elem(2, 2);
        if matches!(file_system(&path), "overlay" | "fuse") {
            // Stores into a mapping never extend a file, and have no such limit.
            a.scatter(AXIS, &[100, 30_000], &rows).unwrap();
            assert_eq!((a[100], a[30_000]), (2, 2));
            let found = fs::read(&path).unwrap();
            assert_eq!((found[100], found[30_000], found.len()), (2, 2, 40_000));
            return;
        }
        let error = a.scatter(AXIS, &[100, 30_000], &rows).unwrap_err();
        let ErrorKind::Io { action: "write", source, .. } = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge);
        assert!(a.iter().all(|byte| *byte == 1), "nothing was written");
        a.scatter(AXIS, &[100], &Array1::from_elem(1, 2)).unwrap();
        let mut expected = vec![1; 40_000];
        expected[100] = 2;
        assert_eq!(a.as_slice().unwrap(), expected);
        assert_eq!(fs::read(&path).unwrap(), expected);
    });
}
