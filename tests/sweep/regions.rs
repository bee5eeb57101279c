//! Regions of an array: their pages, and the operations on them.
#![cfg(target_os = "linux")]

use ndarray::{Axis, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Advice, ErrorKind, MapOptions, MmapArray2, Mode};
use rustix::param::page_size;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use test_support::kernel;
use test_support::{Place, open, text_at};

const ROWS: usize = 64;

/// Returns a cold file of `ROWS` pages, one row a page, and its bytes.
fn pages() -> (Place, Vec<u8>) {
    let bytes = (0..ROWS * page_size()).map(|i| (i % 251) as u8).collect::<Vec<_>>();
    (Place::cold(&bytes), bytes)
}

fn rows(mode: Mode, place: &Place) -> MmapArray2<u8> {
    open(&MapOptions::new(mode).advice(Advice::Random).rows_of(page_size()), place)
        .unwrap()
}

#[test]
#[rustfmt::skip]
fn the_ranges_are_those_of_the_pages_touched() {
    let page = page_size() as u64;
    let place = Place::sparse(10 * page);
    let a: MmapArray2<u8> =
        open(&MapOptions::new(ReadOnly).offset(100).shape((9, page_size())), &place).unwrap();
    let end = 100 + 9 * page;
    let ranges = |region: ndarray_memmap::Region<'_>| region.byte_ranges().collect::<Vec<_>>();
    for (found, expected) in [
        (ranges(a.region(s![.., ..])), vec![100..end]),
        (ranges(a.region(s![0, 0])), vec![100..page]),
        (ranges(a.region(s![1, ..])), vec![page..3 * page]),
        (ranges(a.region(s![1..;4, 5])), vec![page..2 * page, 5 * page..6 * page]),
        (ranges(a.region(s![..;-4, 5])), vec![100..page, 4 * page..5 * page, 8 * page..9 * page]),
        (ranges(a.region(s![8, -1..])), vec![9 * page..end]),
        (ranges(a.region(s![3..3, ..])), vec![]),
    ] {
        assert_eq!(found, expected);
    }
    let text = format!("{:?}", a.region(s![1, ..]));
    assert!(text.contains("byte_ranges: [4096..12288]") || page != 4096, "{text}");
}

#[test]
fn prefetch_reads_the_region_and_nothing_else() {
    let (place, bytes) = pages();
    let a = rows(ReadOnly, &place);
    let (hot, cold) = (a.region(s![8..16, ..]), a.region(s![24.., ..]));
    assert_eq!((hot.residency(), cold.residency()), (0.0, 0.0));
    hot.prefetch().unwrap();
    assert_eq!((hot.residency(), cold.residency()), (1.0, 0.0));
    assert!(place.mapped("Rss") >= 8 * page_size() as u64 / 1024);
    assert_eq!(a.region(s![12..20, ..]).residency(), 0.5);
    assert_eq!(a.region(s![3..3, ..]).residency(), 1.0);
    assert_eq!(a.as_slice(), Some(&bytes[..]));

    drop(a);
    place.chill();
    let a = rows(ReadWrite, &place);
    a.region(s![.., ..]).start_prefetch().unwrap();
    let arrived = || a.region(s![.., ..]).residency() == 1.0;
    let mut waits = 0..1000;
    while !arrived() && waits.next().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(arrived(), "the requested pages are cached");
    assert_eq!(place.mapped("Rss"), 0, "but not in the page table");
}

#[test]
fn evict_gives_memory_back_and_loses_nothing() {
    for mode in [ReadOnly, ReadWrite, CopyOnWrite] {
        let (place, mut bytes) = pages();
        let mut a = rows(mode, &place);
        a.region(s![.., ..]).prefetch().unwrap();
        if mode != ReadOnly {
            let mut view = a.view_mut().unwrap();
            for number in (0..ROWS).step_by(3) {
                view[[number, 1]] = 255;
                bytes[number * page_size() + 1] = 255;
            }
        }
        let before = place.mapped("Rss");
        assert_eq!(before, (ROWS * page_size()) as u64 / 1024, "{mode}");
        a.region(s![..32, ..]).evict().unwrap();
        let kept = if mode == CopyOnWrite { 32 + 11 } else { 32 };
        assert_eq!(place.mapped("Rss"), kept * page_size() as u64 / 1024, "{mode}");
        a.region(s![.., ..]).evict().unwrap();
        let kept = if mode == CopyOnWrite { 22 } else { 0 };
        assert_eq!(place.mapped("Rss"), kept * page_size() as u64 / 1024, "{mode}");
        assert_eq!(a.region(s![.., ..]).residency(), 1.0, "the page cache has it");
        assert_eq!(a.as_slice(), Some(&bytes[..]), "{mode}");
        assert_eq!(place.bytes().unwrap() == bytes, mode != CopyOnWrite, "{mode}");
    }
}

#[test]
fn a_loaded_array_keeps_its_elements_whatever_is_asked() {
    let place = Place::of(&[7; 10_000]);
    for (mode, offset) in [(ReadOnly, 0), (CopyOnWrite, 5000), (CopyOnWrite, 1)] {
        let options = MapOptions::new(mode).offset(offset).shape(5000);
        let mut a = options.load::<u8>(&place).unwrap();
        if mode == CopyOnWrite {
            a.view_mut().unwrap()[3] = 8;
        }
        let before = a.to_owned();
        let region = a.region(s![1..4000;3]);
        for did in [
            region.advise(Advice::WillNeed),
            region.prefetch(),
            region.start_prefetch(),
            region.evict(),
            region.lock(),
            region.unlock(),
        ] {
            did.unwrap();
        }
        assert_eq!((region.residency(), region.byte_ranges().count()), (1.0, 0));
        assert_eq!(
            a.sweep(Axis(0), 999).unwrap().map(|b| u64::from(b[0])).sum::<u64>(),
            42
        );
        assert_eq!(a, before);
    }
}

#[test]
fn sync_of_a_region_is_that_of_the_mode() {
    let (place, mut bytes) = pages();
    assert!(rows(ReadOnly, &place).region(s![1, ..]).sync().is_ok());
    assert!(rows(ReadOnly, &place).region(s![1, ..]).start_sync().is_ok());
    let a = rows(CopyOnWrite, &place);
    for did in [a.region(s![1, ..]).sync(), a.region(s![1, ..]).start_sync()] {
        assert!(matches!(
            did.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::PrivateChanges)
        ));
    }
    let mut a = rows(ReadWrite, &place);
    a.view_mut().unwrap().column_mut(5).fill(9);
    bytes.iter_mut().skip(5).step_by(page_size()).for_each(|byte| *byte = 9);
    a.region(s![..;2, 5]).start_sync().unwrap();
    a.region(s![..;2, 5]).sync().unwrap();
    a.region(s![.., ..]).sync().unwrap();
    place.assert_holds(&bytes);
}

#[test]
fn start_sync_begins_to_write_the_region_and_nothing_else() {
    let (place, _) = pages();
    let mut a = rows(ReadWrite, &place);
    a.view_mut().unwrap().column_mut(5).fill(9);
    let dirty = || place.mapped("Shared_Dirty") + place.mapped("Private_Dirty");
    let all = (ROWS * page_size()) as u64 / 1024;
    assert_eq!(dirty(), all);
    a.region(s![..16, ..]).start_sync().unwrap();
    if test_support::file_system(&place) == "overlay" {
        assert_eq!(dirty(), all, "the kernel leaves the pages to the next sync");
        return;
    }
    // By itself the kernel waits 30 s before it writes.
    let mut waits = 0..500;
    while dirty() > all / 4 * 3 && waits.next().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(dirty(), all / 4 * 3);
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn a_failed_sync_of_a_region_poisons_the_array() {
    use rustix::io::Errno;

    let (place, _) = pages();
    let mut a = rows(ReadWrite, &place);
    a.view_mut().unwrap().fill(1);
    let sync = || a.region(s![3, ..]).sync().unwrap_err();
    let error = kernel::refusing(kernel::call::MSYNC, &[], Errno::IO, sync);
    kernel::assert_io(&error, "sync", Errno::IO);
    assert!(matches!(a.sync().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
    assert!(matches!(
        a.region(s![9, ..]).sync().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Poisoned)
    ));
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn pages_are_locked_and_the_limit_is_named() {
    use rustix::io::Errno;
    use rustix::process::{Resource, getrlimit};

    let (place, _) = pages();
    let a = rows(ReadOnly, &place);
    let region = a.region(s![4..8, ..]);
    let size = 4 * page_size() as u64;
    let limit = getrlimit(Resource::Memlock).current;
    if limit.is_none_or(|limit| limit >= size) {
        region.lock().unwrap();
        assert_eq!((region.residency(), place.mapped("Locked")), (1.0, size / 1024));
        let error = region.evict().unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io { action: "evict pages of", .. }),
            "{error:?}"
        );
        region.unlock().unwrap();
        assert_eq!(place.mapped("Locked"), 0);
        region.evict().unwrap();
    }
    let lock = || region.lock().unwrap_err();
    let error = kernel::refusing(kernel::call::MLOCK, &[], Errno::NOMEM, lock);
    match limit {
        Some(limit) => {
            let text = format!(
                "cannot lock {size} bytes in memory: the limit is {limit} bytes (raise \
                 RLIMIT_MEMLOCK, or lock a smaller region)"
            );
            assert_eq!(text_at(&error, &place), text);
        }
        None => kernel::assert_io(&error, "lock pages of", Errno::NOMEM),
    }
}
