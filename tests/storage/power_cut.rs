//! What is there after a power cut: what was synced and what was published.
//!
//! `.ci/steps/power-cut` runs this twice on a disk that `POWER_CUT` names: once to write, then,
//! after the file system has been shut down without writing its log, once to check.
#![cfg(target_os = "linux")]
#![expect(unsafe_code, reason = "only libc can have some pages written")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, Ix2};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{MapOptions, MmapArray1, MmapArray2, SyncToDisk, npy};
use test_support::{npy_common, open};

const ROWS: usize = 3000;

fn numbers() -> Array2<u32> {
    Array2::from_shape_vec((ROWS, 100), (0..300_000).collect()).unwrap()
}

/// Has the kernel write the first pages of a file, and nothing else of it.
fn write_pages(file: &File, len: u64) {
    use std::os::fd::AsRawFd;

    let flags = libc::SYNC_FILE_RANGE_WAIT_BEFORE
        | libc::SYNC_FILE_RANGE_WRITE
        | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    let len = i64::try_from(len).unwrap();
    // SAFETY: the descriptor is open, and no memory is involved.
    let failed = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, len, flags) };
    assert_eq!(failed, 0, "{}", std::io::Error::last_os_error());
}

/// Writes the files, or checks them if they are there.
#[test]
#[ignore = "needs a disk that is shut down; run by .ci/steps/power-cut"]
fn what_was_synced_and_published_is_there() {
    let dir = std::env::var_os("POWER_CUT").expect("POWER_CUT names a disk");
    let dir = PathBuf::from(dir);
    if dir.join("synced").exists() {
        check(&dir);
        println!("checked");
    } else {
        write(&dir);
        println!("written");
    }
}

fn files(dir: &Path) -> ([PathBuf; 7], [PathBuf; 4]) {
    let files = ["synced", "part", "rows", "committed", "x.npy", "new", "replaced"]
        .map(|name| dir.join(name));
    let growing =
        ["grown", "grown.npy", "shrunk.npy", "unsynced.npy"].map(|name| dir.join(name));
    (files, growing)
}

fn write(dir: &Path) {
    let ([synced, part, rows, committed, npy, new, replaced], growing) = files(dir);
    let [grown, grown_npy, shrunk, unsynced] = growing;
    let options = MapOptions::new(Create).shape((ROWS, 100));
    let mut a: MmapArray2<u32> = open(&options, &synced).unwrap();
    a.view_mut().unwrap().assign(&numbers());
    a.sync().unwrap();

    let mut a: MmapArray2<u32> = open(&options, &part).unwrap();
    a.sync().unwrap();
    a.view_mut().unwrap().assign(&numbers());
    a.region(ndarray::s![1000..2000, ..]).sync().unwrap();

    let mut a: MmapArray2<u32> = open(&options, &rows).unwrap();
    let all: Vec<_> = (0..ROWS).collect();
    a.scatter(Axis(0), &all, &numbers()).unwrap();
    a.sync().unwrap();

    let a: MmapArray2<u32> = open(&options, &committed).unwrap();
    a.close().unwrap();
    let options = MapOptions::new(CopyOnWrite).rows_of(100);
    let mut a: MmapArray2<u32> = open(&options, &committed).unwrap();
    a.view_mut().unwrap().assign(&numbers());
    a.commit().unwrap();

    let options = npy::Options::new(Create);
    let mut a: MmapArray2<u32> = npy_common::create(&options, &npy, (ROWS, 100)).unwrap();
    for (mut block, rows) in a
        .sweep_mut(Axis(0), 100_000)
        .unwrap()
        .zip(numbers().axis_chunks_iter(Axis(0), 250))
    {
        block.assign(&rows);
    }
    a.close().unwrap();

    fs::write(&replaced, b"old").unwrap();
    File::open(&replaced).and_then(|file| file.sync_all()).unwrap();
    for path in [&new, &replaced] {
        let draft = MapOptions::new(Create).shape((ROWS, 100)).draft::<u32>(path);
        let mut draft = draft.unwrap();
        draft.view_mut().unwrap().assign(&numbers());
        draft.publish().unwrap();
    }

    let new = MapOptions::new(Create).shape((0, 100));
    let mut raw: MmapArray2<u32> = open(&new, &grown).unwrap();
    let mut npy: MmapArray2<u32> =
        npy_common::create(&options, &grown_npy, (0, 100)).unwrap();
    for a in [&mut raw, &mut npy] {
        let numbers = numbers();
        for row in numbers.outer_iter().take(1500) {
            a.push(Axis(0), &row).unwrap();
        }
        a.append(Axis(0), &numbers.slice(ndarray::s![1500.., ..])).unwrap();
        a.sync().unwrap();
        // Rows that were not synced may be there or not.
        a.append(Axis(0), &numbers).unwrap();
    }
    // No trimming: it is the power cut that ends these.
    std::mem::forget((raw, npy));

    let mut a: MmapArray2<u32> =
        npy_common::create(&options, &shrunk, (ROWS, 100)).unwrap();
    a.view_mut().unwrap().assign(&numbers());
    a.resize(Axis(0), 100).unwrap();
    a.close().unwrap();

    // The header comes to disk, the rows that it counts do not.
    let a: MmapArray2<u32> = npy_common::create(&options, &unsynced, (0, 100)).unwrap();
    a.close().unwrap();
    let growing = npy::Options::new(ReadWrite);
    let mut a: MmapArray2<u32> = npy_common::open(&growing, &unsynced).unwrap();
    for row in numbers().outer_iter() {
        a.push(Axis(0), &row).unwrap();
    }
    let header = File::open(&unsynced).unwrap();
    write_pages(&header, 4096);
    std::mem::forget(a);

    // What is not synced may be lost, and shows that there was a power cut.
    let mut lost: MmapArray1<u8> =
        open(&MapOptions::new(Create).shape(100), dir.join("lost")).unwrap();
    lost.view_mut().unwrap().fill(1);
}

fn check(dir: &Path) {
    let ([synced, part, rows, committed, npy, new, replaced], growing) = files(dir);
    let [grown, grown_npy, shrunk, unsynced] = growing;
    let table = MapOptions::new(ReadOnly).rows_of(100);
    for path in [&synced, &rows, &committed, &new, &replaced] {
        let a: MmapArray2<u32> = open(&table, path).unwrap();
        assert_eq!(a, numbers(), "{}", path.display());
    }
    let a: MmapArray2<u32> = open(&table, &part).unwrap();
    let synced_part = ndarray::s![1000..2000, ..];
    assert_eq!(a.slice(synced_part), numbers().slice(synced_part));
    let a = npy_common::read::<u32, Ix2>(&npy).unwrap();
    assert_eq!(a, numbers());
    // It may end with part of a row: nothing counts them.
    let options = MapOptions::new(ReadOnly).shape((ROWS, 100));
    let a: MmapArray2<u32> = open(&options, &grown).unwrap();
    assert_eq!(a, numbers());
    let a = npy_common::read::<u32, Ix2>(&grown_npy).unwrap();
    assert_eq!(a.slice(ndarray::s![..ROWS, ..]), numbers());
    let a = npy_common::read::<u32, Ix2>(&shrunk).unwrap();
    assert_eq!(a, numbers().slice(ndarray::s![..100, ..]));
    assert_eq!(fs::metadata(&shrunk).unwrap().len(), 128 + 100 * 400);
    let a = npy_common::read::<u32, Ix2>(&unsynced).unwrap();
    assert_eq!(a.nrows(), ROWS, "the header was written");
    let numbers = numbers();
    // What is not on disk is zeros.
    let lost = a.iter().zip(&numbers).filter(|(found, number)| {
        assert!(found == number || **found == 0, "{found} for {number}");
        found != number
    });
    assert!(lost.count() > 0, "the rows have come to disk too");
    // What is left of them grows on.
    drop(a);
    let mut a: MmapArray2<u32> =
        npy_common::open(&npy::Options::new(ReadWrite), &unsynced).unwrap();
    a.append(Axis(0), &numbers).unwrap();
    a.close().unwrap();
    assert_eq!(fs::metadata(&unsynced).unwrap().len(), 128 + 2 * 400 * ROWS as u64);
    let lost = fs::read(dir.join("lost")).unwrap_or_default();
    assert!(!lost.contains(&1), "there was no power cut");
    // And the disk goes on.
    let mut a: MmapArray2<u32> =
        open(&MapOptions::new(ReadWrite).rows_of(100), &synced).unwrap();
    a.view_mut().unwrap().fill(1);
    a.close().unwrap();
}
