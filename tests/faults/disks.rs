//! Disks that are full or fail under an array without a guard.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use ndarray::s;
use ndarray_memmap::Mode::{Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions};

use crate::disk::{cold, disk, fill, shut_down};
use crate::{child, open};
use test_support::kernel::numbers;

#[test]
#[ignore = "needs a disk that may be filled; run by .ci/steps/faults"]
fn a_store_into_a_hole_of_a_full_disk_kills_the_process() {
    if let Some((_, file)) = child::part() {
        let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &file).unwrap();
        a.view_mut().unwrap().fill(1);
        return child::done();
    }
    let disk = disk();
    let file = disk.join("holes");
    File::create_new(&file).unwrap().set_len(4 << 20).unwrap();
    fill(&disk);
    let test = a_store_into_a_hole_of_a_full_disk_kills_the_process;
    child::dies(test, "store", &file, libc::SIGBUS);
    // With reserved space the array fails with an error, and the file stays as it was.
    let options = MapOptions::new(Create).shape(4 << 20);
    let error = open::<u8, _>(&options, &file).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSpace { expected: 4_194_304 }),
        "{error:?}"
    );
    assert_eq!(file.metadata().unwrap().len(), 4 << 20);
}

#[test]
#[ignore = "needs an XFS disk that may be shut down; run by .ci/steps/faults"]
fn a_page_that_cannot_be_read_kills_the_process_unless_it_was_prefetched() {
    if let Some((part, file)) = child::part() {
        let disk = file.parent().unwrap();
        let options = MapOptions::new(ReadOnly);
        let a = open::<u8, _>(&options, &file).unwrap();
        shut_down(disk);
        if part == "prefetch" {
            let error = a.region(s![..]).prefetch().unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Io { action: "read", .. }),
                "{error:?}"
            );
            // Opening the file now returns an error.
            let error = open::<u8, _>(&options, &file).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
            let error = options.load::<u8>(&file).map(drop).unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::Io { .. }), "{error:?}");
        }
        child::done_first(&part);
        black_box(a[50_000]);
        return child::done();
    }
    let disk = disk();
    let file: &Path = &disk.join("cold");
    drop(cold(file, &numbers()));
    let test = a_page_that_cannot_be_read_kills_the_process_unless_it_was_prefetched;
    let output = child::dies(test, "prefetch", file, libc::SIGBUS);
    assert!(child::has_done_first(&output, "prefetch"));
}
