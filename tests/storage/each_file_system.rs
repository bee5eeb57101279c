//! Differences between file systems: locks, page cache, huge pages, files that cannot be mapped.
//!
//! `.ci/steps/file-systems` mounts each file system at the folder `TEST_FILE_SYSTEM`, and sets
//! `TEST_FILE_SYSTEM_NAME` to its name.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};
use ndarray::{Axis, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1, PageCache, Result};

fn folder() -> PathBuf {
    let folder =
        std::env::var_os("TEST_FILE_SYSTEM").expect("TEST_FILE_SYSTEM is a folder");
    let folder = PathBuf::from(folder);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::remove_file(path).unwrap();
        }
    }
    folder
}

fn is(name: &str) -> bool {
    std::env::var("TEST_FILE_SYSTEM_NAME").unwrap() == name
}

fn open(options: &MapOptions, path: &Path) -> Result<MmapArray1<u8>> {
    // SAFETY: no other program uses the folder, and the tests that use it run one at a time.
    unsafe { options.open(path) }
}

#[test]
#[ignore = "needs a mount; run by .ci/steps/file-systems"]
fn a_lock_lasts_as_long_as_its_array() {
    let path = folder().join("array");
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        fs::write(&path, [1, 2, 3]).unwrap();
        let a = open(&MapOptions::new(mode).lock(true).shape(3), &path).unwrap();
        let other = File::options().read(true).write(true).open(&path).unwrap();
        assert!(other.try_lock().is_err(), "{mode}");
        assert_eq!(other.try_lock_shared().is_ok(), !matches!(mode, ReadWrite | Create));
        drop(other);
        let writer = open(&MapOptions::new(ReadWrite).lock(true), &path);
        assert!(
            matches!(writer.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Locked)),
            "{mode}"
        );
        assert_eq!(a.to_vec(), if mode == Create { [0; 3] } else { [1, 2, 3] });
        drop(a);
        drop(open(&MapOptions::new(ReadWrite).lock(true), &path).unwrap());
    }
}

#[test]
#[ignore = "needs a mount; run by .ci/steps/file-systems"]
fn a_sweep_leaves_in_memory_what_it_found_there() {
    let path = folder().join("array");
    fs::write(&path, vec![1; 16 << 20]).unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    for mode in [ReadOnly, ReadWrite, CopyOnWrite] {
        let mut a = open(&MapOptions::new(mode), &path).unwrap();
        a.region(s![..]).prefetch().unwrap();
        assert!(a.region(s![..]).residency() > 0.99, "{mode}");
        let sum: u64 =
            a.sweep(Axis(0), 1 << 20).unwrap().flatten().map(|x| u64::from(*x)).sum();
        assert_eq!(sum, 16 << 20);
        assert!(a.region(s![..]).residency() > 0.99, "{mode}");
        if mode == ReadWrite {
            a.sweep_mut(Axis(0), 1 << 20).unwrap().for_each(|mut block| block.fill(1));
            assert!(a.region(s![..]).residency() > 0.99, "{mode}");
            a.sync().unwrap();
        }
    }
    // `PageCache::Drop` evicts all pages of a file on a disk.
    let mut a = open(&MapOptions::new(ReadWrite), &path).unwrap();
    a.sweep_mut(Axis(0), 1 << 20)
        .unwrap()
        .cache(PageCache::Drop)
        .for_each(|mut block| block.fill(2));
    a.sync().unwrap();
    let left = a.region(s![..]).residency();
    assert!(is("tmpfs") || is("fuse") || left < 0.3, "{left}");
    drop(a);
    assert!(fs::read(&path).unwrap() == vec![2; 16 << 20]);
}

/// Five bytes, four of them a `char`.
#[derive(Clone, Copy, CheckedBitPattern, NoUninit, Zeroable)]
#[repr(C, packed)]
struct Packed {
    _kind: u8,
    _letter: char,
}

#[test]
#[ignore = "needs a mount; run by .ci/steps/file-systems"]
fn elements_that_are_checked_have_their_blocks_on_the_disk() {
    let folder = folder();
    let a = MapOptions::scratch_in::<Packed, _>(&folder, 200_000).unwrap();
    let draft = MapOptions::new(Create).shape(200_000).draft::<Packed>(folder.join("d"));
    let files = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| {
        let path = entry.unwrap().path();
        let is_here = fs::read_link(&path).is_ok_and(|to| to.starts_with(&folder));
        is_here.then(|| fs::metadata(&path).unwrap())
    });
    let files: Vec<_> = files.filter(fs::Metadata::is_file).collect();
    assert!(files.len() >= 2, "{files:?}");
    for file in files {
        assert_eq!(file.len(), 1_000_000);
        assert!(file.blocks() * 512 >= 1_000_000, "{file:?}");
    }
    drop((a, draft));
    assert_eq!(
        fs::read_dir(&folder)
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().is_file())
            .count(),
        0
    );
}

#[test]
#[ignore = "needs hugetlbfs; run by .ci/steps/file-systems"]
fn huge_pages_are_unmapped_with_their_array() {
    let path = folder().join("array");
    let count = || {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        maps.lines().filter(|line| line.ends_with(path.to_str().unwrap())).count()
    };
    for len in [1, 1000, (2 << 20) - 1, 2 << 20, (2 << 20) + 1] {
        for offset in [0, 128, 1000] {
            let _ = fs::remove_file(&path);
            let options = MapOptions::new(CreateNew).offset(offset).shape(len);
            let mut a = open(&options, &path).unwrap();
            a.view_mut().unwrap().fill(3);
            assert_eq!((a.len(), count()), (len, 1), "{len} at {offset}");
            a.close().unwrap();
            assert_eq!(count(), 0, "{len} at {offset}");
            for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
                let a = open(&MapOptions::new(mode).offset(offset).shape(len), &path)
                    .unwrap();
                assert!(a.iter().all(|x| *x == 3));
                assert_eq!(
                    a.sweep(Axis(0), 1 << 20).unwrap().map(|b| b.len()).sum::<usize>(),
                    len
                );
                drop(a.region(s![..]).prefetch());
                drop(a);
                assert_eq!(count(), 0, "{mode}: {len} at {offset}");
            }
        }
    }
}

#[test]
#[ignore = "needs FUSE with direct I/O; run by .ci/steps/file-systems"]
fn what_cannot_be_mapped_to_write_is_refused_and_left_alone() {
    let path = folder().join("array");
    fs::write(&path, [1; 5000]).unwrap();
    let before = fs::metadata(&path).unwrap();
    for (mode, len) in
        [(ReadWrite, 5000), (ReadWrite, 9000), (Create, 100), (Create, 9000)]
    {
        let options = MapOptions::new(mode).grow(true).shape(len);
        let error = open(&options, &path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Io { action: "map", .. }), "{error:?}");
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (after.mtime_nsec(), after.blocks()),
            (before.mtime_nsec(), before.blocks())
        );
        assert_eq!(fs::read(&path).unwrap(), [1; 5000]);
    }
    let new = path.with_file_name("new");
    for mode in [Create, CreateNew] {
        assert!(open(&MapOptions::new(mode).shape(10), &new).is_err());
        assert!(!new.exists());
    }
    for mode in [ReadOnly, CopyOnWrite] {
        assert_eq!(open(&MapOptions::new(mode), &path).unwrap().to_vec(), [1; 5000]);
    }
}
