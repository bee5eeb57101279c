//! Disks that are full or fail under arrays with a guard.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant};

use ndarray_memmap::Mode::{ReadOnly, ReadWrite};
use ndarray_memmap::guard::{self, FaultKind};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1};

use crate::disk::{cold, disk, fill, shut_down};
use crate::{child, open};

/// Opens a file with a guard.
fn guarded(options: MapOptions, file: &Path) -> MmapArray1<u8> {
    guard::install().unwrap();
    open(&options.guarded(true), file).unwrap()
}

fn assert_lost(a: &MmapArray1<u8>) {
    let fault = a.fault().expect("a fault");
    assert!(matches!(fault.kind, FaultKind::Io), "{fault:?}");
    assert!(fault.count > 0 && fault.offset < a.len() as u64, "{fault:?}");
    assert!(matches!(
        a.try_with(|view| view.len()).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Faulted { .. })
    ));
}

#[test]
#[ignore = "needs a disk that may be filled; run by .ci/steps/faults"]
fn a_store_into_a_hole_of_a_full_disk_is_an_error() {
    const LEN: u64 = 4 << 20;

    if let Some((_, file)) = child::part() {
        let mut a = guarded(MapOptions::new(ReadWrite), &file);
        a.view_mut().unwrap().fill(1);
        assert_lost(&a);
        assert!(matches!(
            a.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Faulted { .. })
        ));
        drop(a);
        // With free space again, the file accepts writes.
        fs::remove_file(file.with_file_name("filling")).unwrap();
        File::open(&file).unwrap().sync_all().unwrap();
        let mut a = guarded(MapOptions::new(ReadWrite), &file);
        assert!(a.iter().all(|&x| x < 2));
        a.view_mut().unwrap().fill(2);
        a.sync().unwrap();
        assert!(a.fault().is_none());
        a.close().unwrap();
        let bytes = fs::read(&file).unwrap();
        assert!(bytes.len() as u64 == LEN && bytes.iter().all(|&x| x == 2));
        return child::done();
    }
    let disk = disk();
    let file = disk.join("holes");
    File::create_new(&file).unwrap().set_len(LEN).unwrap();
    fill(&disk);
    let test = a_store_into_a_hole_of_a_full_disk_is_an_error;
    child::passes(test, "store", &file);
}

#[test]
#[ignore = "needs an XFS disk that may be shut down; run by .ci/steps/faults"]
fn a_page_that_cannot_be_read_is_an_error_and_zeros() {
    if let Some((_, file)) = child::part() {
        let mut a = guarded(MapOptions::new(ReadWrite), &file);
        shut_down(file.parent().unwrap());
        let read = a.try_with(|view| assert!(view.iter().all(|&x| x == 0)));
        assert!(
            matches!(
                read.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Faulted { offset: 0..4096 })
            ),
            "{read:?}"
        );
        assert_lost(&a);
        // Stores are lost.
        a.view_mut().unwrap().fill(1);
        for _ in 0..2 {
            assert!(matches!(
                a.sync().as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::Faulted { .. })
            ));
        }
        return child::done();
    }
    let disk = disk();
    let file = disk.join("cold");
    drop(cold(&file, &[1; 100_000]));
    child::passes(a_page_that_cannot_be_read_is_an_error_and_zeros, "read", &file);
}

#[test]
#[ignore = "needs an XFS disk that may be shut down; run by .ci/steps/faults"]
fn a_large_file_on_a_disk_that_failed_is_not_waited_for_page_by_page() {
    if let Some((_, file)) = child::part() {
        let a = guarded(MapOptions::new(ReadOnly), &file);
        shut_down(file.parent().unwrap());
        let start = Instant::now();
        let read =
            a.try_with(|view| view.iter().step_by(512).map(|&x| u64::from(x)).sum());
        let read: Result<u64, _> = read;
        assert!(
            matches!(read.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Faulted { .. })),
            "{read:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
        assert_lost(&a);
        return child::done();
    }
    let disk = disk();
    let file = disk.join("cold");
    drop(cold(&file, &vec![1; 64 << 20]));
    let test = a_large_file_on_a_disk_that_failed_is_not_waited_for_page_by_page;
    child::passes(test, "read", &file);
}
