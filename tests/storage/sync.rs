//! The guarantees of sync and close in each mode, and the file after only a drop.

use std::thread;

use ndarray::{Axis, ShapeBuilder, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, ErrorKind, MapOptions, Mode, SyncToDisk};
#[cfg(target_os = "linux")]
use test_support::file_system;
use test_support::{Place, open};

fn sync(array: &impl SyncToDisk) -> Result<(), Error> {
    array.sync()
}

#[test]
fn sync_and_close_answer_by_mode() {
    #[rustfmt::skip]
    let rows: [(Mode, bool, bool); 5] = [
        // mode, changes the file, may sync
        (ReadOnly,    false, true),
        (CopyOnWrite, false, false),
        (ReadWrite,   true,  true),
        (Create,      true,  true),
        (CreateNew,   true,  true),
    ];
    for (mode, writes, syncs) in rows {
        let start =
            if mode == CreateNew { Place::missing() } else { Place::of(&[1; 9000]) };
        let options = MapOptions::new(mode).offset(1000).shape(8000);
        let mut a = open::<u8, _>(&options, &start).unwrap();
        if mode != ReadOnly {
            a.view_mut().unwrap().slice_mut(s![10..20]).fill(7);
        }
        let mut expected =
            vec![if mode == Create || mode == CreateNew { 0 } else { 1 }; 9000];
        if writes {
            expected.get_mut(1010..1020).unwrap().fill(7);
        }
        for _ in 0..2 {
            match sync(&a).map_err(ndarray_memmap::Error::into_kind) {
                Ok(()) => assert!(syncs, "{mode}"),
                Err(ErrorKind::PrivateChanges) => assert!(!syncs, "{mode}"),
                Err(error) => panic!("{mode}: {error}"),
            }
            start.assert_holds(&expected);
        }
        if mode != ReadOnly {
            a.view_mut().unwrap()[0] = 9;
        }
        match a.close().map_err(ndarray_memmap::Error::into_kind) {
            Ok(()) => assert!(syncs, "{mode}"),
            Err(ErrorKind::PrivateChanges) => assert!(!syncs, "{mode}"),
            Err(error) => panic!("{mode}: {error}"),
        }
        if writes {
            expected[1000] = 9;
        }
        start.assert_holds(&expected);
    }
}

#[test]
fn changes_reach_other_readers_without_sync() {
    for (mode, start) in
        [(ReadWrite, Place::of(&[1; 10_000])), (Create, Place::missing())]
    {
        let options = MapOptions::new(mode).shape((100, 100));
        let mut a = open::<u8, _>(&options, &start).unwrap();
        a.view_mut().unwrap().index_axis_mut(Axis(0), 99).fill(5);
        let mut expected = vec![u8::from(mode == ReadWrite); 9900];
        expected.extend([5; 100]);
        if cfg!(unix) {
            start.assert_holds(&expected);
        }
        drop(a);
        start.assert_holds(&expected);
    }
}

#[test]
fn sync_keeps_the_length_of_the_file() {
    for (mode, offset, len, expected) in [
        (ReadWrite, 0, 3, 10),
        (ReadWrite, 7, 3, 10),
        (ReadWrite, 9, 5000, 5009),
        (Create, 0, 3, 3),
        (Create, 4095, 2, 4097),
        (Create, 5000, 0, 5000),
    ] {
        let place = Place::of(&[1; 10]);
        let options = MapOptions::new(mode).grow(true).offset(offset).shape(len);
        let mut a = open::<u8, _>(&options, &place).unwrap();
        assert_eq!(place.len(), expected);
        a.view_mut().unwrap().fill(2);
        a.sync().unwrap();
        assert_eq!(place.len(), expected);
        a.close().unwrap();
        let kept = if mode == ReadWrite { 1 } else { 0 };
        let mut bytes = vec![kept; 10];
        bytes.resize(usize::try_from(expected).unwrap(), 0);
        let array = usize::try_from(offset).unwrap();
        bytes.get_mut(array..array + len).unwrap().fill(2);
        place.assert_holds(&bytes);
    }
}

#[test]
fn empty_arrays_sync_and_close_like_others() {
    for (mode, syncs) in
        [(ReadOnly, true), (CopyOnWrite, false), (ReadWrite, true), (Create, true)]
    {
        let place = Place::of(&[1, 2, 3]);
        let options = MapOptions::new(mode).offset(2).shape((0, 4));
        let a = open::<u16, _>(&options, &place).unwrap();
        for answer in [a.sync(), a.sync(), a.close()] {
            match answer.map_err(ndarray_memmap::Error::into_kind) {
                Ok(()) => assert!(syncs, "{mode}"),
                Err(ErrorKind::PrivateChanges) => assert!(!syncs, "{mode}"),
                Err(error) => panic!("{mode}: {error}"),
            }
        }
        place.assert_holds(if mode == Create { &[0, 0] } else { &[1, 2, 3] });
    }
}

#[test]
fn scratch_and_loaded_arrays_sync_by_their_mode() {
    let mut scratch = MapOptions::scratch::<u32, _>(5000).unwrap();
    scratch.view_mut().unwrap().fill(3);
    scratch.sync().unwrap();
    assert_eq!(scratch.sum(), 15_000);
    scratch.close().unwrap();
    MapOptions::scratch::<u32, _>(0).unwrap().close().unwrap();

    let place = Place::of(&[1; 12]);
    let loaded = MapOptions::new(ReadOnly).load::<u32>(&place).unwrap();
    loaded.close().unwrap();
    let mut copy = MapOptions::new(CopyOnWrite).load::<u32>(&place).unwrap();
    copy.view_mut().unwrap().fill(0);
    assert!(matches!(
        copy.sync().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::PrivateChanges)
    ));
    place.assert_holds(&[1; 12]);
}

#[test]
fn several_threads_sync_one_handle() {
    let place = Place::of(&[0; 40_000]);
    let mut a = open::<u32, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    for round in 1..=5_u32 {
        a.view_mut().unwrap().fill(round);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| a.sync())).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap().unwrap());
        });
        place.assert_holds([round.to_ne_bytes(); 10_000].as_flattened());
    }
}

#[test]
fn sync_of_a_part_of_a_page_leaves_the_rest_of_it() {
    let start: Vec<u8> = (0..200).collect();
    let place = Place::of(&start);
    let options = MapOptions::new(ReadWrite).offset(101).shape(3.strides(7));
    let mut a = open::<u8, _>(&options, &place).unwrap();
    a.view_mut().unwrap().fill(255);
    a.close().unwrap();
    let mut expected = start;
    (expected[101], expected[108], expected[115]) = (255, 255, 255);
    place.assert_holds(&expected);
}

#[cfg(target_os = "linux")]
#[test]
fn sync_of_a_part_writes_no_more_than_it() {
    let place = Place::cold(&vec![0; 16 << 20]);
    let mut a = open::<u8, _>(&MapOptions::new(ReadWrite).rows_of(4096), &place).unwrap();
    let dirty = || place.mapped("Private_Dirty") + place.mapped("Shared_Dirty");
    // In KiB. The kernel writes a folio of up to 2 MiB as a whole, and sometimes all dirty pages.
    let is_left = (1..20).any(|number| {
        a.view_mut().unwrap().fill(number);
        a.region(s![7, ..]).sync().unwrap();
        assert!(dirty() <= (16 << 10) - 4, "one page is written");
        dirty() >= 8 << 10
    });
    // btrfs writes all contiguous dirty pages of the file.
    assert!(is_left || file_system(&place) == "btrfs");
    a.sync().unwrap();
    assert_eq!(dirty(), 0);
}
