//! What is there after a power cut: what was synced and what was published.
//!
//! `.ci/steps/power-cut` runs this twice on a disk that `POWER_CUT` names: once to write, then,
//! after the file system has been shut down without writing its log, once to check.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;
mod npy_common;

use std::fs::{self, File};
use std::path::PathBuf;

use common::open;
use ndarray::{Array2, Axis, Ix2};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{MapOptions, MmapArray1, MmapArray2, SyncToDisk, npy};

const ROWS: usize = 3000;

fn numbers() -> Array2<u32> {
    Array2::from_shape_vec((ROWS, 100), (0..300_000).collect()).unwrap()
}

#[test]
fn what_was_synced_and_published_is_there() {
    let Some(dir) = std::env::var_os("POWER_CUT").map(PathBuf::from) else {
        println!("not run: POWER_CUT names no disk");
        return;
    };
    let [synced, part, rows, committed, npy, new, replaced] =
        ["synced", "part", "rows", "committed", "x.npy", "new", "replaced"]
            .map(|name| dir.join(name));
    let table = MapOptions::new(ReadOnly).rows_of(100);
    if !synced.exists() {
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
        let mut a: MmapArray2<u32> =
            npy_common::create(&options, &npy, (ROWS, 100)).unwrap();
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

        // What is not synced may be lost, and shows that there was a power cut.
        let mut lost: MmapArray1<u8> =
            open(&MapOptions::new(Create).shape(100), dir.join("lost")).unwrap();
        lost.view_mut().unwrap().fill(1);
        println!("written");
        return;
    }
    for path in [&synced, &rows, &committed, &new, &replaced] {
        let a: MmapArray2<u32> = open(&table, path).unwrap();
        assert_eq!(a, numbers(), "{}", path.display());
    }
    let a: MmapArray2<u32> = open(&table, &part).unwrap();
    let synced_part = ndarray::s![1000..2000, ..];
    assert_eq!(a.slice(synced_part), numbers().slice(synced_part));
    let a = npy_common::read::<u32, Ix2>(&npy).unwrap();
    assert_eq!(a, numbers());
    let lost = fs::read(dir.join("lost")).unwrap_or_default();
    assert!(!lost.contains(&1), "there was no power cut");
    // And the disk goes on.
    let mut a: MmapArray2<u32> =
        open(&MapOptions::new(ReadWrite).rows_of(100), &synced).unwrap();
    a.view_mut().unwrap().fill(1);
    a.close().unwrap();
    println!("checked");
}
