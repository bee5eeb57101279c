//! Reading: sweeps, gathers, loads.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::cell::RefCell;
use std::fs::File;
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread;

use memmap2::MmapMut;
use ndarray::{Array2, ArrayRef2, Axis, Ix2};
use ndarray_memmap::{Advice, MapOptions, Mode, PageCache};
use rustix::fs::{Advice as Kernel, OFlags, fadvise};

use crate::rounds::{Pace, Section, Target};
use crate::table::{ROW, ROW_LEN, Table, floats, indices, rows};

const BLOCK: usize = 16 << 20;
const PIECE: usize = 2 << 20;

pub(crate) fn all<'a>(medium: &'a Table, large: &'a Table) -> Vec<Section<'a>> {
    vec![
        cold_sum(medium),
        cold_sweep(large),
        warm_sweep(large),
        cold_gather(large),
        warm_gather(medium),
        loads(medium),
        open_and_sum(medium),
        open_and_pick(medium),
        #[cfg(feature = "rayon")]
        two_threads(medium),
    ]
}

fn sweep(table: &Table, cache: PageCache) -> f64 {
    let array = table.open(Mode::ReadOnly);
    array.sweep(Axis(0), BLOCK).cache(cache).map(|block| block.sum()).sum()
}

/// Reading with little memory for the page cache.
pub(crate) fn under_pressure(large: &Table) -> Vec<Section<'_>> {
    let section = cold_sweep(large);
    let name = format!("{}, 1 GiB of memory for the process", section.name);
    vec![Section { name, ..section }]
}

fn cold_sum(table: &Table) -> Section<'_> {
    let nearly = Target::AtLeast(0.9);
    Section {
        name: format!("cold sum of {}", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.cold("sweep", || sweep(table, PageCache::AsFound)),
            table.cold("sweep, cache kept", || sweep(table, PageCache::Keep)),
            table.cold("bare mapping", || floats(&table.map()).sum()).target(nearly),
            table
                .cold("pread 2 MiB", || stream(table, OFlags::empty(), 1))
                .target(nearly),
            table.cold("pread, 2 threads", || stream(table, OFlags::empty(), 2)),
            table.cold("O_DIRECT", || stream(table, OFlags::DIRECT, 1)).target(nearly),
            table.cold("O_DIRECT, 2 threads", || stream(table, OFlags::DIRECT, 2)),
        ],
    }
}

/// Sums up by large reads into a buffer that begins at a page.
fn stream(table: &Table, flags: OFlags, threads: usize) -> f64 {
    let mut options = File::options();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(&table.path).expect("it opens");
    let share = table.len / threads;
    let work = |number: usize| {
        let mut buffer = MmapMut::map_anon(PIECE).expect("there is memory");
        let mut sum = 0.0;
        for start in (number * share..(number + 1) * share).step_by(PIECE) {
            let at = u64::try_from(start).expect("an offset");
            let len = PIECE.min((number + 1) * share - start);
            file.read_exact_at(&mut buffer[..len], at).expect("it is read");
            sum += floats(&buffer[..len]).sum();
        }
        sum
    };
    thread::scope(|scope| {
        let others: Vec<_> =
            (1..threads).map(|number| scope.spawn(move || work(number))).collect();
        let first = work(0);
        first
            + others.into_iter().map(|other| other.join().expect("it sums")).sum::<f64>()
    })
}

fn cold_sweep(table: &Table) -> Section<'_> {
    Section {
        name: format!("cold sum of {} in bounded memory", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.cold("sweep", || sweep(table, PageCache::AsFound)),
            table
                .cold("bare mapping", || floats(&table.map()).sum())
                .target(Target::AtLeast(1.4)),
        ],
    }
}

fn warm_sweep(table: &Table) -> Section<'_> {
    Section {
        name: format!("warm sum of {} in bounded memory", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("sweep", || sweep(table, PageCache::AsFound)),
            table
                .warmed("bare mapping", || floats(&table.map()).sum())
                .target(Target::AtLeast(0.97)),
            table.warmed("handle", || table.open(Mode::ReadOnly).sum()),
        ],
    }
}

fn cold_gather(table: &Table) -> Section<'_> {
    let indices = indices(5000, table.rows());
    let [by_index, by_read, by_request] = [(); 3].map(|()| indices.clone());
    let gather = move || {
        let array = table.open(Mode::ReadOnly);
        let rows = array.gather(Axis(0), &indices).expect("rows of the table");
        rows.map(|row| row.sum()).sum()
    };
    let index = move || {
        let map = table.map();
        let table = rows(&map);
        by_index.iter().map(|&row| table.row(row).sum()).sum()
    };
    let read = move || {
        let file = File::open(&table.path).expect("it opens");
        let mut buffer = vec![0.0; ROW];
        by_read.iter().map(|row| read_row(&file, &mut buffer, *row)).sum()
    };
    // The floor: all requests before the first read.
    let requested = move || {
        let file = File::open(&table.path).expect("it opens");
        let len = NonZeroU64::new(4096);
        for row in &by_request {
            let at = u64::try_from(row * ROW_LEN).expect("an offset");
            fadvise(&file, at, len, Kernel::WillNeed).expect("it is requested");
        }
        let mut buffer = vec![0.0; ROW];
        by_request.iter().map(|row| read_row(&file, &mut buffer, *row)).sum()
    };
    Section {
        name: format!("5000 cold rows of {}", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.cold("gather", gather),
            table.cold("index, bare mapping", index).target(Target::AtLeast(30.0)),
            table.cold("pread of each", read).target(Target::AtLeast(3.0)),
            table.cold("all requested, then pread", requested),
        ],
    }
}

/// Reads a row and adds it up.
fn read_row(file: &File, buffer: &mut [f64], row: usize) -> f64 {
    let at = u64::try_from(row * ROW_LEN).expect("an offset");
    file.read_exact_at(bytemuck::cast_slice_mut(buffer), at).expect("it is read");
    buffer.iter().sum()
}

fn warm_gather(table: &Table) -> Section<'_> {
    let indices = indices(10_000, table.rows());
    let by_index = indices.clone();
    let index = move || {
        let map = table.map();
        let rows = rows(&map);
        by_index.iter().map(|&row| rows.row(row).sum()).sum()
    };
    let gather = move || {
        let array = table.open(Mode::ReadOnly);
        let rows = array.gather(Axis(0), &indices).expect("rows of the table");
        rows.map(|row| row.sum()).sum()
    };
    Section {
        name: format!("10000 warm rows of {}", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("index, bare mapping", index),
            table.warmed("gather", gather).target(Target::AtMost(1.1)),
        ],
    }
}

fn loads(table: &Table) -> Section<'_> {
    let npy = table.path.with_extension("npy");
    let array = table.open(Mode::ReadOnly);
    ndarray_npy::write_npy(&npy, &array.to_owned()).expect("it is written");
    drop(array);
    let by_npy = npy.clone();
    let load = move || {
        let array = ndarray_memmap::npy::load::<f64, ndarray::Ix2>(&npy);
        array.expect("it loads").sum()
    };
    let read_npy = move || {
        let array: Array2<f64> = ndarray_npy::read_npy(&by_npy).expect("it is read");
        array.sum()
    };
    let fresh = || {
        let bytes = std::fs::read(&table.path).expect("it is read");
        floats(&bytes).sum()
    };
    let raw = || {
        let options = MapOptions::new(Mode::ReadOnly).rows_of(ROW);
        options.load::<f64>(&table.path).expect("it loads").sum()
    };
    Section {
        name: format!("warm load and sum of {}", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("npy::load", load),
            table.warmed("MapOptions::load", raw),
            table.warmed("read_npy", read_npy).target(Target::AtLeast(2.5)),
            table.warmed("fs::read", fresh),
        ],
    }
}

/// From the closed file to the sum, and back to nothing.
fn open_and_sum(table: &Table) -> Section<'_> {
    let npy = table.path.with_extension("npy");
    let by_npy = npy.clone();
    let handle = move || {
        // SAFETY: the file is in a folder of this process alone, and is only read.
        let array =
            unsafe { ndarray_memmap::npy::open::<f64, Ix2>(&npy, Mode::ReadOnly) };
        array.expect("it opens").sum()
    };
    let read_npy = move || {
        let array: Array2<f64> = ndarray_npy::read_npy(&by_npy).expect("it is read");
        array.sum()
    };
    let buffer = RefCell::new(MmapMut::map_anon(table.len).expect("memory"));
    let reused = move || {
        let file = File::open(&table.path).expect("it opens");
        let mut buffer = buffer.borrow_mut();
        file.read_exact_at(&mut buffer, 0).expect("it is read");
        floats(&buffer).sum()
    };
    Section {
        name: format!("open and sum of {}, warm", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("MapOptions::open", || table.open(Mode::ReadOnly).sum()),
            table.warmed("npy::open", handle),
            table.warmed("bare mapping", || floats(&table.map()).sum()),
            table.warmed("read_npy", read_npy).target(Target::AtLeast(10.0)),
            table.warmed("read, reused buffer", reused).target(Target::AtLeast(2.5)),
        ],
    }
}

/// A few elements of a large file, as a reader of many files looks at each.
fn open_and_pick(table: &Table) -> Section<'_> {
    let npy = table.path.with_extension("npy");
    let indices = indices(1000, table.rows());
    let by_load = indices.clone();
    let by_map = indices.clone();
    let pick = |array: &ArrayRef2<f64>, indices: &[usize]| {
        indices.iter().map(|&row| array[[row, row % ROW]]).sum()
    };
    let handle = move || pick(&table.open(Mode::ReadOnly), &indices);
    let read_npy = move || {
        let array: Array2<f64> = ndarray_npy::read_npy(&npy).expect("it is read");
        pick(&array, &by_load)
    };
    Section {
        name: format!("open and 1000 random elements of {}, warm", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("MapOptions::open", handle),
            table.warmed("bare mapping", move || pick(&rows(&table.map()), &by_map)),
            table.warmed("read_npy", read_npy).target(Target::AtLeast(1000.0)),
        ],
    }
}

/// What is gained by advice at opening, when all is to be read.
pub(crate) fn by_advice(table: &Table) -> Section<'_> {
    let open = |options: MapOptions| {
        let options = options.rows_of(ROW);
        // SAFETY: the file is in a folder of this process alone, and is only read.
        move || unsafe { options.open::<f64>(&table.path) }.expect("it opens").sum()
    };
    let plain = || MapOptions::new(Mode::ReadOnly);
    let advised = |advice| open(plain().advice(advice));
    Section {
        name: format!("cold sum of {} by advice at opening", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.cold("Normal", open(plain())),
            table.cold("Sequential", advised(Advice::Sequential)),
            table.cold("HugePage", advised(Advice::HugePage)),
            table.cold("WillNeed", advised(Advice::WillNeed)),
            table.cold("Random", advised(Advice::Random)),
            table.cold("populate", open(plain().populate(true))),
            table.cold("sweep", || sweep(table, PageCache::AsFound)),
        ],
    }
}

/// Sums on two threads, beside memory that is there.
#[cfg(feature = "rayon")]
fn two_threads(table: &Table) -> Section<'_> {
    use rayon::prelude::*;

    table.warm();
    let is_huge = table.huge_share() > 0.9;

    let resident = table.open(Mode::ReadOnly).to_owned();
    let halves = move || {
        let (first, second) = resident.view().split_at(Axis(0), resident.nrows() / 2);
        let (first, second) = rayon::join(|| first.sum(), || second.sum());
        first + second
    };
    let swept = move |cache| {
        move || {
            let array = table.open(Mode::ReadOnly);
            let blocks = array.sweep(Axis(0), BLOCK).cache(cache).into_par_iter();
            blocks.map(|block| block.sum()).sum::<f64>()
        }
    };
    let bare = || {
        let map = table.map();
        let (first, second) = floats(&map).split_at(Axis(0), table.len / 16);
        let (first, second) = rayon::join(|| first.sum(), || second.sum());
        first + second
    };
    let nearly = Target::AtMost(1.0 / if is_huge { 0.9 } else { 0.7 });
    Section {
        name: format!("warm sum of {} on 2 threads", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("resident memory", halves),
            table.warmed("sweep", swept(PageCache::AsFound)).target(nearly),
            table.warmed("sweep, cache kept", swept(PageCache::Keep)).target(nearly),
            table.warmed("bare mapping", bare),
            table.warmed("one thread, handle", || table.open(Mode::ReadOnly).sum()),
        ],
    }
}
