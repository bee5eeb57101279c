//! Sweeps: all blocks of an array in little memory, with an unchanged page cache.
#![cfg(target_os = "linux")]

use ndarray::{Array2, Axis, ShapeBuilder, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{
    Advice, ErrorKind, MapOptions, MmapArray2, Mode, PageCache, Progress, sweep_zip,
};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use test_support::kernel;
use test_support::{Place, open};

const ROW: usize = 1024;
const ROWS: usize = 2048;
/// 16 MiB of `f64`.
const LEN: usize = ROW * ROWS * 8;

fn numbers() -> Vec<u8> {
    (0..ROW * ROWS).flat_map(|i| (i as f64).to_ne_bytes()).collect()
}

fn array(mode: Mode, place: &Place) -> MmapArray2<f64> {
    open(&MapOptions::new(mode).rows_of(ROW), place).unwrap()
}

fn total() -> f64 {
    (0..ROW * ROWS).map(|i| i as f64).sum()
}

#[test]
fn the_blocks_are_the_array_in_order_from_both_ends() {
    let place = Place::sparse(7 * 5 * 8);
    for fortran in [false, true] {
        let options = MapOptions::new(ReadWrite).shape((7, 5).set_f(fortran));
        let mut a = open::<u64, _>(&options, &place).unwrap();
        let numbers = Array2::from_shape_fn((7, 5), |(i, j)| (10 * i + j) as u64);
        a.view_mut().unwrap().assign(&numbers);
        for axis in [Axis(0), Axis(1)] {
            let row = 8 * a.len() / a.len_of(axis);
            for rows in 1..=8 {
                let expected: Vec<_> = numbers.axis_chunks_iter(axis, rows).collect();
                // Bytes for a part of a row do not count.
                for bytes in [rows * row, rows * row + row - 1] {
                    let blocks: Vec<_> = a.sweep(axis, bytes).unwrap().collect();
                    assert_eq!(blocks, expected);
                    let mut blocks: Vec<_> =
                        a.sweep(axis, bytes).unwrap().rev().collect();
                    blocks.reverse();
                    assert_eq!(blocks, expected);
                    let mut sweep = a.sweep(axis, bytes).unwrap();
                    let (mut front, mut back) = (Vec::new(), Vec::new());
                    for left in (0..expected.len()).rev() {
                        let from_back = left % 3 == 1;
                        let block =
                            if from_back { sweep.next_back() } else { sweep.next() };
                        if from_back { &mut back } else { &mut front }.extend(block);
                        assert_eq!(sweep.len(), left);
                    }
                    assert!(sweep.next().is_none() && sweep.next_back().is_none());
                    front.extend(back.into_iter().rev());
                    assert_eq!(front, expected);
                }
            }
            assert_eq!(a.sweep(axis, 0).unwrap().len(), a.len_of(axis), "a row at least");
        }
    }
}

#[test]
fn empty_arrays_have_no_blocks_or_empty_ones() {
    let place = Place::of(b"");
    for (shape, count) in [((0, 5), 0), ((5, 0), 1)] {
        let a = open::<u8, _>(&MapOptions::new(ReadOnly).shape(shape), &place).unwrap();
        let blocks: Vec<_> = a.sweep(Axis(0), 100).unwrap().collect();
        assert_eq!(blocks.len(), count);
        assert!(blocks.iter().all(|block| block.dim() == shape));
    }
}

#[test]
fn a_sweep_along_no_axis_is_an_error() {
    let a = MapOptions::scratch::<u8, _>((2, 3)).unwrap();
    let error = a.sweep(Axis(2), 9).unwrap_err();
    let text = "axis 2 is out of bounds for an array of 2 axes (axes count from 0)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn the_process_holds_one_block_and_the_sum_is_right() {
    let place = Place::cold(&numbers());
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let mut a = array(mode, &place);
        let mut sum = 0.0;
        let mut most = 0;
        for block in a.sweep(Axis(0), 1 << 20).unwrap() {
            sum += block.sum();
            most = place.mapped("Rss").max(most);
        }
        assert_eq!(sum, total());
        assert!((1024..=2 * 1024 + 4096).contains(&most), "{mode}: {most} KiB");
        assert_eq!(place.mapped("Rss"), 0, "{mode}");

        if mode == ReadWrite {
            most = 0;
            for mut block in a.sweep_mut(Axis(0), 1 << 20).unwrap() {
                block += 1.0;
                most = place.mapped("Rss").max(most);
            }
            assert!((1024..=2 * 1024 + 4096).contains(&most), "{most} KiB");
            assert_eq!(place.mapped("Rss"), 0);
            a.sync().unwrap();
            assert_eq!(a.sum(), total() + a.len() as f64);
        }
    }
}

#[test]
fn a_sweep_leaves_the_page_cache_as_it_found_it() {
    let place = Place::cold(&numbers());
    let a: MmapArray2<f64> =
        open(&MapOptions::new(ReadOnly).advice(Advice::Random).rows_of(ROW), &place)
            .unwrap();
    let (hot, cold) = (a.region(s![512..768, ..]), a.region(s![1024.., ..]));
    hot.prefetch().unwrap();
    let before = (hot.residency(), cold.residency(), a.region(s![.., ..]).residency());
    assert!(before.0 > 0.99 && before.1 < 0.01, "{before:?}");
    // Some blocks of 100 rows contain hot and cold pages; blocks of 77 rows are unaligned.
    for rows in [256, 100, 77] {
        for backwards in [false, true] {
            let sweep = a.sweep(Axis(0), rows * ROW * 8).unwrap();
            let sum: f64 = match backwards {
                false => sweep.map(|block| block.sum()).sum(),
                true => sweep.rev().map(|block| block.sum()).sum(),
            };
            assert_eq!(sum, total());
            let after =
                (hot.residency(), cold.residency(), a.region(s![.., ..]).residency());
            // Pages that the kernel is moving in memory seem absent for a moment.
            let near = |a: f64, b: f64| (a - b).abs() < 0.01;
            assert!(
                near(after.0, before.0)
                    && near(after.1, before.1)
                    && near(after.2, before.2),
                "{rows} {backwards}: {after:?}"
            );
        }
    }
    let mut broken_off = a.sweep(Axis(0), 256 * ROW * 8).unwrap();
    broken_off.nth(4).unwrap();
    let residency = cold.residency();
    assert!(
        (0.25..=0.5).contains(&residency),
        "one block in use, one being read: {residency}"
    );
    drop(broken_off);
    assert!(cold.residency() < 0.01);

    let all = || a.region(s![.., ..]).residency();
    a.sweep(Axis(0), 1 << 20).unwrap().cache(PageCache::Keep).for_each(drop);
    assert!(all() > 0.99);
    a.sweep(Axis(0), 1 << 20).unwrap().for_each(drop);
    assert!(all() > 0.99);
    a.sweep(Axis(0), 1 << 20).unwrap().cache(PageCache::Drop).for_each(drop);
    assert!(all() < 0.01);
}

#[test]
fn a_sweep_that_changes_leaves_the_page_cache_too() {
    let place = Place::cold(&numbers());
    let mut a = array(ReadWrite, &place);
    for mut block in a.sweep_mut(Axis(0), 1 << 20).unwrap() {
        block *= 2.0;
    }
    let residency = a.region(s![.., ..]).residency();
    assert!(residency < 0.05, "{residency} is still cached");
    a.sync().unwrap();
    assert_eq!(a.sum(), 2.0 * total());
    let bytes: Vec<u8> =
        (0..ROW * ROWS).flat_map(|i| (2.0 * i as f64).to_ne_bytes()).collect();
    place.assert_holds(&bytes);
}

#[test]
fn private_changes_stay_private_and_stay() {
    let bytes = numbers();
    let place = Place::cold(&bytes);
    let mut a = array(CopyOnWrite, &place);
    for mut block in a.sweep_mut(Axis(0), 1 << 20).unwrap() {
        block.row_mut(0).fill(0.5);
    }
    let sweep: f64 = a.sweep(Axis(0), 1 << 20).unwrap().map(|block| block.sum()).sum();
    assert_eq!(sweep, a.sum());
    assert_eq!(a[[0, 7]], 0.5);
    assert_eq!(a[[1, 7]], 1031.0);
    drop(a);
    place.assert_holds(&bytes);
}

#[test]
fn the_progress_counts_what_was_handed_out() {
    let place = Place::sparse(LEN as u64);
    let a = array(ReadOnly, &place);
    let mut sweep = a.sweep(Axis(0), 1000 * ROW * 8).unwrap();
    let at = |rows: usize| Progress { rows, bytes: (rows * ROW * 8) as u64 };
    assert_eq!((sweep.progress(), sweep.total()), (at(0), at(ROWS)));
    sweep.next().unwrap();
    assert_eq!((sweep.progress(), sweep.total()), (at(1000), at(ROWS)));
    sweep.next_back().unwrap();
    assert_eq!((sweep.progress(), sweep.total()), (at(1048), at(ROWS)));
    sweep.next().unwrap();
    assert_eq!(sweep.progress(), at(ROWS));
    let text = format!("{:?}", a.sweep(Axis(1), 1).unwrap());
    assert!(text.starts_with("Blocks { axis: Axis(1), progress: Progress"), "{text}");
}

#[test]
fn several_arrays_are_swept_by_equal_rows() {
    let places = [Place::cold(&numbers()), Place::sparse(2 * (ROWS * ROW) as u64)];
    let mut small: MmapArray2<u16> =
        open(&MapOptions::new(ReadWrite).rows_of(ROW), &places[1]).unwrap();
    let large = array(ReadOnly, &places[0]);
    let mut rows = 0;
    for (from, mut to) in sweep_zip(Axis(0), 1 << 20, (&large, &mut small)).unwrap() {
        assert_eq!(from.dim(), to.dim());
        assert_eq!(from.nrows(), 102.min(ROWS - rows), "1 MiB in both together");
        rows += from.nrows();
        to.zip_mut_with(&from, |to, from| *to = from.rem_euclid(1000.0) as u16);
    }
    assert_eq!(rows, ROWS);
    let expected =
        Array2::from_shape_fn((ROWS, ROW), |(i, j)| ((i * ROW + j) % 1000) as u16);
    assert_eq!(small, expected);
    assert!(large.region(s![.., ..]).residency() < 0.01);

    let other = MapOptions::scratch::<u8, _>((3, ROWS)).unwrap();
    let mismatch = sweep_zip(Axis(0), 1, (&large, &other)).unwrap_err();
    let text = "expected an array of shape [2048, 2048], found shape [3, 2048] (reshape or slice the \
                array that is passed)";
    assert_eq!(mismatch.to_string(), text);
    let flat = MapOptions::scratch::<u8, _>(ROW).unwrap();
    let axis = sweep_zip(Axis(1), 1, (&large, &flat)).unwrap_err();
    let text = "axis 1 is out of bounds for an array of 1 axis (axes count from 0)";
    assert_eq!(axis.to_string(), text);
    let three = sweep_zip(Axis(1), 1, (&large, &small, &large)).unwrap();
    assert_eq!(three.len(), ROW);
}

#[test]
fn what_cannot_be_changed_is_not_swept_to_be() {
    let place = Place::sparse(LEN as u64);
    let mut a = array(ReadOnly, &place);
    assert!(matches!(
        a.sweep_mut(Axis(0), 1).as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::ReadOnly)
    ));
    let axis = array(ReadWrite, &place).sweep_mut(Axis(2), 1).map(drop).unwrap_err();
    assert!(matches!(axis.kind(), ErrorKind::AxisOutOfBounds { axis: 2, ndim: 2 }));
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[test]
fn what_a_sweep_could_not_write_the_next_sync_reports() {
    use rustix::io::Errno;
    use test_support::kernel::call::SYNC_FILE_RANGE;

    let place = Place::cold(&numbers());
    let mut a = array(ReadWrite, &place);
    kernel::refusing(SYNC_FILE_RANGE, &[], Errno::IO, || {
        a.sweep_mut(Axis(0), 1 << 20).unwrap().for_each(|mut block| block.fill(1.0));
    });
    kernel::assert_io(&a.sync().unwrap_err(), "sync", Errno::IO);
    assert!(matches!(a.sync().as_ref().map_err(|e| e.kind()), Err(ErrorKind::Poisoned)));
}

#[test]
fn private_changes_of_other_threads_are_not_lost() {
    let place = Place::cold(&numbers());
    for _ in 0..10 {
        let mut a = array(CopyOnWrite, &place);
        let (sender, blocks) = std::sync::mpsc::sync_channel(8);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for block in blocks {
                    let mut block: ndarray::ArrayViewMut2<'_, f64> = block;
                    block.fill(7.0);
                }
            });
            let sweep = a.sweep_mut(Axis(0), 100_000).unwrap();
            sweep.for_each(|block| sender.send(block).unwrap());
            drop(sender);
        });
        assert!(a.iter().all(|&number| number == 7.0), "a thread changed all of it");
    }
    place.assert_holds(&numbers());
}

#[cfg(feature = "rayon")]
#[test]
fn threads_share_a_sweep() {
    use rayon::prelude::*;

    let place = Place::cold(&numbers());
    let mut a = array(ReadWrite, &place);
    let sums: Vec<f64> = a
        .sweep(Axis(0), 100_000)
        .unwrap()
        .into_par_iter()
        .map(|block| block.sum())
        .collect();
    let expected: Vec<f64> = a.axis_chunks_iter(Axis(0), 12).map(|b| b.sum()).collect();
    assert_eq!(sums, expected);
    let sweep =
        a.sweep(Axis(0), 100_000).unwrap().into_par_iter().map(|block| block.sum());
    let mut again = Vec::new();
    sweep.collect_into_vec(&mut again);
    assert_eq!(again, expected);
    let sweep = a.sweep_mut(Axis(0), 100_000).unwrap();
    assert_eq!(sweep.into_par_iter().map(|mut block| block += 1.0).count(), 171);
    assert_eq!(a.sum(), total() + a.len() as f64);
}
