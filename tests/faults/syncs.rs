//! Syncs that fail: the array reports the loss, and keeps reporting it.

use ndarray_memmap::Mode::{Create, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions};
use rustix::io::Errno;

use crate::disk::{below, disk, fill};
use crate::open;
use test_support::Place;
use test_support::kernel::{assert_io, call, numbers, refusing};

#[test]
fn a_disk_that_fails_to_flush_its_cache_poisons_the_array() {
    let place = Place::of(&numbers());
    let a = open::<u8, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    let error = refusing(call::FSYNC, &[], Errno::IO, || a.sync().unwrap_err());
    assert_io(&error, "sync", Errno::IO);
    for _ in 0..3 {
        assert!(matches!(
            a.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
    }
    assert!(a.as_slice() == Some(&numbers()[..]), "a poisoned handle can still be read");
    assert!(matches!(a.close().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
}

#[test]
#[ignore = "needs a disk whose image lies, with holes, on another that fills up; run by .ci/steps/faults"]
fn a_disk_that_has_less_space_than_it_reports_poisons_the_array() {
    let (disk, below) = (disk(), below());
    let options = MapOptions::new(Create).shape(8 << 20);
    let mut a = open::<u8, _>(&options, disk.join("array")).unwrap();
    a.sync().unwrap();
    fill(&below);
    a.view_mut().unwrap().fill(1);
    match a.sync().unwrap_err().kind() {
        ErrorKind::Io { action: "sync", source, .. } => {
            let errno = Errno::from_io_error(source);
            assert!(matches!(errno, Some(Errno::NOSPC | Errno::IO)), "{source}");
        }
        error => panic!("{error:?}"),
    }
    for _ in 0..3 {
        assert!(matches!(
            a.sync().as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Poisoned)
        ));
    }
    // After space is free again, it is still unknown which writes were lost.
    std::fs::remove_file(below.join("filling")).unwrap();
    a.view_mut().unwrap().fill(2);
    assert!(matches!(a.sync().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
    assert!(a.iter().all(|&x| x == 2));
    assert!(matches!(a.close().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
    let again = MapOptions::new(ReadWrite);
    let mut a = open::<u8, _>(&again, disk.join("array")).unwrap();
    a.view_mut().unwrap().fill(3);
    a.close().unwrap();
}
