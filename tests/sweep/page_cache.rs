//! A sweep leaves the page cache as it found it, for any array offset and any end of the sweep.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::FileExt;

use ndarray::{Array2, Axis, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{MapOptions, MmapArray2, Mode, PageCache, sweep_zip};
use test_support::{Place, file_system, map, open, sampled};

/// Not a multiple of a page or of 2 MiB.
const ROW: usize = 5000;
const ROWS: usize = 4500;
const OFFSET: u64 = (3 << 20) + 123;

fn bytes() -> Vec<u8> {
    let len = usize::try_from(OFFSET).unwrap() + ROW * ROWS + 777;
    (0..len).map(|i| (i % 251) as u8).collect()
}

fn array(mode: Mode, place: &Place) -> MmapArray2<u8> {
    let options = MapOptions::new(mode).offset(OFFSET).shape((ROWS, ROW));
    open(&options, place).unwrap()
}

/// Returns for each page of the whole file whether it is cached.
fn cached(place: &Place) -> Vec<bool> {
    let page = rustix::param::page_size();
    let all: ndarray_memmap::MmapArray1<u8> =
        open(&MapOptions::new(ReadOnly), place).unwrap();
    let pages = (0..all.len()).step_by(page);
    pages.map(|start| all.region(s![start]).residency() == 1.0).collect()
}

/// Caches some parts of a cold file by ordinary reads, after which the kernel reads ahead.
fn warm_some(place: &Place) {
    place.chill();
    let file = File::open(place).unwrap();
    let mut buffer = vec![0; 300_000];
    for at in [4 << 20, (9 << 20) + 5000] {
        file.read_exact_at(&mut buffer, at).unwrap();
    }
    // Wait until the kernel has finished reading ahead.
    let before = (0..1000).map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        cached(place)
    });
    let mut last = Vec::new();
    let settled =
        before.into_iter().any(|now| std::mem::replace(&mut last, now.clone()) == now);
    assert!(settled && last.contains(&true) && last.contains(&false));
}

/// Reads a byte of each row, which is longer than a page.
fn sum(block: ndarray::ArrayView2<'_, u8>) -> u64 {
    block.column(1).fold(0, |sum, byte| sum + u64::from(*byte))
}

/// The number of pages that may differ: 256 KiB, while the kernel reads 2 MiB ahead.
///
/// A page that the kernel is moving in memory seems absent. A page that it is mapping cannot be
/// dropped.
const FEW: usize = 64;

#[track_caller]
fn assert_as(before: &[bool], place: &Place, how: &str) {
    let (come, gone) = differences(before, place);
    assert!(
        come <= FEW && gone <= FEW,
        "{come} pages have come, {gone} have gone: {how}"
    );
}

/// Counts the pages that entered the page cache since `before`, and the pages evicted from it.
fn differences(before: &[bool], place: &Place) -> (usize, usize) {
    let after = cached(place);
    let count = |which: bool| {
        let pairs = before.iter().zip(&after);
        pairs.filter(|(before, after)| before != after && **after == which).count()
    };
    (count(true), count(false))
}

#[test]
fn whatever_the_blocks_the_order_and_the_mode() {
    let bytes = bytes();
    let place = Place::cold(&bytes);
    let start = usize::try_from(OFFSET).unwrap();
    let second = bytes[start..][..ROW * ROWS].iter().skip(1).step_by(ROW);
    let expected = second.map(|byte| u64::from(*byte)).sum::<u64>();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let blocks = [3 << 20, 300_000, 7 * ROW, 1 << 20, 64 << 20];
        for block in blocks.into_iter().take(sampled(5)) {
            warm_some(&place);
            let before = cached(&place);
            let a = array(mode, &place);
            assert_eq!(a.sweep(Axis(0), block).unwrap().map(sum).sum::<u64>(), expected);
            assert_as(&before, &place, &format!("{mode} {block}"));
            assert_eq!(
                a.sweep(Axis(0), block).unwrap().rev().map(sum).sum::<u64>(),
                expected
            );
            assert_as(&before, &place, &format!("{mode} {block}, from the back"));
            let mut sweep = a.sweep(Axis(0), block).unwrap();
            let mut total = 0;
            while let Some(front) = sweep.next() {
                total += sum(front) + sweep.next_back().map_or(0, sum);
            }
            assert_eq!(total, expected);
            drop(sweep);
            assert_as(&before, &place, &format!("{mode} {block}, from both ends"));
        }
    }
}

#[test]
fn when_it_is_broken_off() {
    let place = Place::cold(&bytes());
    for block in [7 * ROW, 3 << 20, 1 << 20].into_iter().take(sampled(3)) {
        for blocks in [1, 2, 5] {
            warm_some(&place);
            let before = cached(&place);
            let a = array(ReadOnly, &place);
            assert!(
                a.sweep(Axis(0), block).unwrap().take(blocks).map(sum).sum::<u64>() > 0
            );
            assert_as(&before, &place, &format!("{blocks} of {block}"));
            assert!(
                a.sweep(Axis(0), block).unwrap().rev().take(blocks).map(sum).sum::<u64>()
                    > 0
            );
            assert_as(&before, &place, &format!("{blocks} of {block}, from the back"));
        }
    }
}

#[test]
fn with_arrays_of_very_different_rows() {
    let (wide, narrow) = (Place::cold(&bytes()), Place::cold(&vec![1; 3 * ROWS]));
    warm_some(&wide);
    let before = [cached(&wide), cached(&narrow)];
    let a = array(ReadOnly, &wide);
    let b: MmapArray2<u8> = open(&MapOptions::new(ReadOnly).rows_of(3), &narrow).unwrap();
    let ones = sweep_zip(Axis(0), 500_000, (&a, &b)).unwrap().map(|(_, ones)| sum(ones));
    assert_eq!(ones.sum::<u64>(), ROWS as u64);
    assert_as(&before[0], &wide, "wide rows");
    assert_as(&before[1], &narrow, "narrow rows");
}

#[test]
fn a_sweep_that_changes_drops_what_it_read_once_it_is_written() {
    let place = Place::cold(&bytes());
    for times in 1..=2 {
        warm_some(&place);
        let before = cached(&place);
        let mut a = array(ReadWrite, &place);
        for mut block in a.sweep_mut(Axis(0), 1 << 20).unwrap() {
            block.mapv_inplace(|byte| byte ^ 1);
        }
        // Pages that the kernel was writing back when the sweep released them may stay.
        let after = cached(&place);
        let come =
            before.iter().zip(&after).filter(|(before, after)| !**before && **after);
        let come = come.count();
        assert!(come < 512, "{come} of {} pages, the {times}. time", before.len());
        a.sync().unwrap();
    }
    place.assert_holds(&bytes());
}

#[test]
fn a_sweep_that_is_forgotten_does_no_harm() {
    static FORGOTTEN: std::sync::Mutex<Vec<usize>> = std::sync::Mutex::new(Vec::new());
    let place = Place::cold(&bytes());
    for _ in 0..sampled(20) {
        let a = array(ReadOnly, &place);
        let mut sweep = a.sweep(Axis(0), 1 << 20).unwrap();
        assert!(sweep.next().is_some());
        // Keep the address of the forgotten sweep, or a leak checker would rightly report it.
        let sweep = Box::leak(Box::new(sweep));
        FORGOTTEN.lock().unwrap().push(std::ptr::from_ref(sweep).addr());
        // The sweep's thread may be reading while another array is mapped at the same address.
        drop(a);
        let mut b: MmapArray2<u8> = MapOptions::scratch((ROWS, ROW)).unwrap();
        b.view_mut().unwrap().fill(3);
        assert_eq!(
            b.sweep(Axis(0), 1 << 20).unwrap().map(sum).sum::<u64>(),
            3 * ROWS as u64
        );
    }
    place.assert_holds(&bytes());
}

#[test]
fn blocks_outlive_their_sweep() {
    let place = Place::cold(&bytes());
    let a = array(ReadOnly, &place);
    let blocks: Vec<_> =
        a.sweep(Axis(0), 300_000).unwrap().cache(PageCache::Drop).collect();
    let whole = a.sweep(Axis(0), 300_000).unwrap().map(sum).sum::<u64>();
    assert_eq!(blocks.into_iter().map(sum).sum::<u64>(), whole);
}

#[test]
fn the_mapping_is_one_and_advised_as_before_after_a_sweep() {
    let place = Place::cold(&bytes());
    let a = array(ReadOnly, &place);
    let flags = || {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let path = place.path().to_str().unwrap().to_owned();
        let mut is_ours = false;
        let mut flags = Vec::new();
        for line in maps.lines() {
            if !line.split(' ').next().unwrap().ends_with(':') {
                is_ours = line.ends_with(&path);
            } else if is_ours && line.starts_with("VmFlags:") {
                flags.push(line.to_owned());
            }
        }
        flags
    };
    let before = flags();
    assert_eq!(before.len(), 1);
    for axis in [Axis(0), Axis(1)] {
        for block in [1 << 20, 3 << 20, 12 << 20] {
            a.sweep(axis, block).unwrap().for_each(drop);
            assert_eq!(flags(), before, "{axis:?} {block}");
            a.sweep(axis, block).unwrap().take(3).for_each(drop);
            assert_eq!(flags(), before);
            let mut sweep = a.sweep(axis, block).unwrap();
            assert!(sweep.next_back().is_some() && sweep.next().is_some());
            assert!(flags().len() < 10, "{} mappings", flags().len());
            drop(sweep);
            assert_eq!(flags(), before);
        }
    }
}

#[test]
fn along_the_other_axis_if_the_file_was_cold() {
    const COLUMNS: usize = 700_003;
    let place =
        Place::cold(&(0..30 * COLUMNS).map(|i| (i % 251) as u8).collect::<Vec<_>>());
    for mode in [ReadOnly, ReadWrite] {
        place.chill();
        let before = cached(&place);
        let options = MapOptions::new(mode).rows_of(COLUMNS);
        let a: MmapArray2<u8> = open(&options, &place).unwrap();
        for block in [3 << 20, 8 << 20] {
            let first_row = |block: ndarray::ArrayView2<'_, u8>| {
                block
                    .row(0)
                    .iter()
                    .step_by(1000)
                    .map(|byte| u64::from(*byte))
                    .sum::<u64>()
            };
            let count = a.sweep(Axis(1), block).unwrap().len();
            assert!(count > 2);
            assert!(a.sweep(Axis(1), block).unwrap().map(first_row).sum::<u64>() > 0);
            assert_as(&before, &place, &format!("{mode} {block}"));
            assert!(
                a.sweep(Axis(1), block).unwrap().rev().map(first_row).sum::<u64>() > 0
            );
            assert_as(&before, &place, &format!("{mode} {block}, from the back"));
        }
    }
}

#[cfg(feature = "rayon")]
#[test]
fn on_several_threads_if_rows_are_whole_pages() {
    use rayon::prelude::*;

    let page = rustix::param::page_size();
    let place = Place::cold(&vec![1; 6000 * page]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for block in [300_000, 1 << 20, 5 << 20] {
        // The kernel cannot drop a folio that it is mapping for another thread.
        let found: Vec<_> = (0..5)
            .map(|_| {
                warm_some(&place);
                let before = cached(&place);
                let a: MmapArray2<u8> =
                    open(&MapOptions::new(ReadOnly).rows_of(page), &place).unwrap();
                let sweep = a.sweep(Axis(0), block).unwrap();
                let sums: u64 = pool.install(|| sweep.into_par_iter().map(sum).sum());
                assert_eq!(sums, 6000);
                differences(&before, &place)
            })
            .collect();
        let is_near = |(come, gone): &(usize, usize)| *come <= FEW && *gone <= FEW;
        assert!(found.iter().any(is_near), "{block}: {found:?}");
    }
}

#[test]
fn private_changes_take_the_memory_of_their_pages() {
    let page = rustix::param::page_size();
    let place = Place::cold(&vec![7; 1000 * page]);
    let options = MapOptions::new(CopyOnWrite).rows_of(page);
    let mut a: MmapArray2<u8> = open(&options, &place).unwrap();
    let mut view = a.view_mut().unwrap();
    (0..1000).step_by(100).for_each(|row| view[[row, 3]] = 8);
    let private = place.mapped("Anonymous");
    assert_eq!(private, 10 * page as u64 / 1024, "KiB for 10 pages changed");
    let expected = Array2::from_shape_fn((1000, page), |(row, column)| {
        if row % 100 == 0 && column == 3 { 8 } else { 7 }
    });
    assert_eq!(a, expected);
}

#[test]
fn of_an_open_file_and_of_one_that_was_renamed() {
    let place = Place::cold(&bytes());
    let moved = place.folder().join("moved");
    for mode in [ReadOnly, ReadWrite] {
        let options = MapOptions::new(mode).offset(OFFSET).shape((ROWS, ROW));
        for is_renamed in [false, true] {
            warm_some(&place);
            let before = cached(&place);
            let file = place.file();
            let a: MmapArray2<u8> = match is_renamed {
                true => open(&options, &place).unwrap(),
                false => map(&options, &file).unwrap(),
            };
            if is_renamed {
                std::fs::rename(&place, &moved).unwrap();
            }
            assert!(a.sweep(Axis(0), 3 << 20).unwrap().map(sum).sum::<u64>() > 0);
            if is_renamed {
                std::fs::rename(&moved, &place).unwrap();
            }
            // A file without a path cannot be opened again to evict its pages, and overlayfs keeps
            // the pages that were read ahead.
            let stays = mode == ReadOnly && file_system(&place) == "overlay";
            match differences(&before, &place) {
                (_, gone) if stays => assert!(gone <= FEW, "{gone} pages have gone"),
                _ => {
                    assert_as(&before, &place, &format!("{mode}, renamed: {is_renamed}"))
                }
            }
        }
    }
}
