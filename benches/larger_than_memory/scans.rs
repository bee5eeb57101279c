//! Reading: sweeps, gathers, loads.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::cell::RefCell;
use std::fs::{self, File};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::thread;

use bench_common::Target::{AtLeast, AtMost};
use bench_common::{Pace, ROW, ROW_LEN, Section, Table, floats, indices, map};
use memmap2::{Mmap, MmapMut};
use ndarray::{Array2, ArrayRef2, ArrayView2, Axis, Ix2};
use ndarray_memmap::{Advice, MapOptions, Mode, PageCache, npy};
use rustix::fs::{Advice as Kernel, OFlags, fadvise};

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

/// Reading with little memory for the page cache.
pub(crate) fn under_pressure(large: &Table) -> Section<'_> {
    let mut section = cold_sweep(large);
    section.name += ", 1 GiB of memory for the process";
    section
}

fn cold_sum(table: &Table) -> Section<'_> {
    let nearly = AtLeast(0.9);
    Section::new(
        format!("cold sum of {}", table.name),
        Pace::Heavy,
        vec![
            table.cold("sweep", || table.sweep(PageCache::AsFound)),
            table.cold("sweep, cache kept", || table.sweep(PageCache::Keep)),
            table.cold("bare mapping", || floats(&mapped(table)).sum()).target(nearly),
            table
                .cold("pread 2 MiB", || stream(table, OFlags::empty(), 1))
                .target(nearly),
            table.cold("pread, 2 threads", || stream(table, OFlags::empty(), 2)),
            table.cold("O_DIRECT", || stream(table, OFlags::DIRECT, 1)).target(nearly),
            table.cold("O_DIRECT, 2 threads", || stream(table, OFlags::DIRECT, 2)),
        ],
    )
}

/// Sums by large reads into a buffer that begins at a page.
fn stream(table: &Table, flags: OFlags, threads: usize) -> f64 {
    let mut options = File::options();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(&table.raw).expect("it opens");
    let share = table.len() / threads;
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
    Section::new(
        format!("cold sum of {} in bounded memory", table.name),
        Pace::Heavy,
        vec![
            table.cold("sweep", || table.sweep(PageCache::AsFound)),
            table
                .cold("bare mapping", || floats(&mapped(table)).sum())
                .target(AtLeast(1.4)),
        ],
    )
}

fn warm_sweep(table: &Table) -> Section<'_> {
    Section::new(
        format!("warm sum of {} in bounded memory", table.name),
        Pace::Heavy,
        vec![
            table.warmed("sweep", || table.sweep(PageCache::AsFound)),
            table
                .warmed("bare mapping", || floats(&mapped(table)).sum())
                .target(AtLeast(0.97)),
            table.warmed("handle", || table.open(Mode::ReadOnly).sum()),
        ],
    )
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
        let map = mapped(table);
        let table = rows(&map);
        by_index.iter().map(|&row| table.row(row).sum()).sum()
    };
    let read = move || {
        let file = File::open(&table.raw).expect("it opens");
        let mut buffer = vec![0.0; ROW];
        by_read.iter().map(|row| read_row(&file, &mut buffer, *row)).sum()
    };
    // The least that it can cost: all requests before the first read.
    let requested = move || {
        let file = File::open(&table.raw).expect("it opens");
        let len = NonZeroU64::new(4096);
        for row in &by_request {
            let at = u64::try_from(row * ROW_LEN).expect("an offset");
            fadvise(&file, at, len, Kernel::WillNeed).expect("it is requested");
        }
        let mut buffer = vec![0.0; ROW];
        by_request.iter().map(|row| read_row(&file, &mut buffer, *row)).sum()
    };
    Section::new(
        format!("5000 cold rows of {}", table.name),
        Pace::Heavy,
        vec![
            table.cold("gather", gather),
            table.cold("index, bare mapping", index).target(AtLeast(30.0)),
            table.cold("pread of each", read).target(AtLeast(3.0)),
            table.cold("all requested, then pread", requested),
        ],
    )
}

/// Reads and sums a row.
fn read_row(file: &File, buffer: &mut [f64], row: usize) -> f64 {
    let at = u64::try_from(row * ROW_LEN).expect("an offset");
    file.read_exact_at(bytemuck::cast_slice_mut(buffer), at).expect("it is read");
    buffer.iter().sum()
}

fn warm_gather(table: &Table) -> Section<'_> {
    let indices = indices(10_000, table.rows());
    let by_index = indices.clone();
    let index = move || {
        let map = mapped(table);
        let rows = rows(&map);
        by_index.iter().map(|&row| rows.row(row).sum()).sum()
    };
    let gather = move || {
        let array = table.open(Mode::ReadOnly);
        let rows = array.gather(Axis(0), &indices).expect("rows of the table");
        rows.map(|row| row.sum()).sum()
    };
    Section::new(
        format!("10000 warm rows of {}", table.name),
        Pace::Heavy,
        vec![
            table.warmed("index, bare mapping", index),
            table.warmed("gather", gather).target(AtMost(1.1)),
        ],
    )
}

fn loads(table: &Table) -> Section<'_> {
    let load = || npy::load::<f64, Ix2>(&table.npy).expect("it loads").sum();
    let fresh = || {
        let bytes = fs::read(&table.raw).expect("it is read");
        floats(&bytes).sum()
    };
    let raw = || {
        let options = MapOptions::new(Mode::ReadOnly).rows_of(ROW);
        options.load::<f64>(&table.raw).expect("it loads").sum()
    };
    Section::new(
        format!("warm load and sum of {}", table.name),
        Pace::Heavy,
        vec![
            table.warmed("npy::load", load),
            table.warmed("MapOptions::load", raw),
            table.warmed("read_npy", || read_npy(table).sum()).target(AtLeast(2.5)),
            table.warmed("fs::read", fresh),
        ],
    )
}

/// Opening, a sum, and closing.
fn open_and_sum(table: &Table) -> Section<'_> {
    let handle = || {
        // SAFETY: the file is in a folder of this process, and all accesses are reads.
        let array = unsafe { npy::open::<f64, Ix2>(&table.npy, Mode::ReadOnly) };
        array.expect("it opens").sum()
    };
    let buffer = RefCell::new(MmapMut::map_anon(table.len()).expect("memory"));
    let reused = move || {
        let file = File::open(&table.raw).expect("it opens");
        let mut buffer = buffer.borrow_mut();
        file.read_exact_at(&mut buffer, 0).expect("it is read");
        floats(&buffer).sum()
    };
    Section::new(
        format!("open and sum of {}, warm", table.name),
        Pace::Heavy,
        vec![
            table.warmed("MapOptions::open", || table.open(Mode::ReadOnly).sum()),
            table.warmed("npy::open", handle),
            table.warmed("bare mapping", || floats(&mapped(table)).sum()),
            table.warmed("read_npy", || read_npy(table).sum()).target(AtLeast(10.0)),
            table.warmed("read, reused buffer", reused).target(AtLeast(2.5)),
        ],
    )
}

/// A few elements of a large file.
fn open_and_pick(table: &Table) -> Section<'_> {
    let indices = indices(1000, table.rows());
    let [by_load, by_map] = [(); 2].map(|()| indices.clone());
    let pick = |array: &ArrayRef2<f64>, indices: &[usize]| {
        indices.iter().map(|&row| array[[row, row % ROW]]).sum()
    };
    let handle = move || pick(&table.open(Mode::ReadOnly), &indices);
    Section::new(
        format!("open and 1000 random elements of {}, warm", table.name),
        Pace::Heavy,
        vec![
            table.warmed("MapOptions::open", handle),
            table.warmed("bare mapping", move || pick(&rows(&mapped(table)), &by_map)),
            table
                .warmed("read_npy", move || pick(&read_npy(table), &by_load))
                .target(AtLeast(1000.0)),
        ],
    )
}

/// Advice at opening, before all elements are read.
pub(crate) fn by_advice(table: &Table) -> Section<'_> {
    let open = |options: MapOptions| {
        let options = options.rows_of(ROW);
        // SAFETY: the file is in a folder of this process, and all accesses are reads.
        move || unsafe { options.open::<f64>(&table.raw) }.expect("it opens").sum()
    };
    let plain = || MapOptions::new(Mode::ReadOnly);
    let advised = |advice| open(plain().advice(advice));
    Section::new(
        format!("cold sum of {} by advice at opening", table.name),
        Pace::Heavy,
        vec![
            table.cold("Normal", open(plain())),
            table.cold("Sequential", advised(Advice::Sequential)),
            table.cold("HugePage", advised(Advice::HugePage)),
            table.cold("WillNeed", advised(Advice::WillNeed)),
            table.cold("Random", advised(Advice::Random)),
            table.cold("populate", open(plain().populate(true))),
            table.cold("sweep", || table.sweep(PageCache::AsFound)),
        ],
    )
}

/// Sums on two threads, beside resident memory.
#[cfg(feature = "rayon")]
fn two_threads(table: &Table) -> Section<'_> {
    use rayon::prelude::*;

    table.warm();
    let is_huge = huge_share(table) > 0.9;

    let resident = table.open(Mode::ReadOnly).to_owned();
    let halves = move || {
        let (first, second) = resident.view().split_at(Axis(0), resident.nrows() / 2);
        let (first, second) = rayon::join(|| first.sum(), || second.sum());
        first + second
    };
    let swept = move |cache| {
        move || {
            let array = table.open(Mode::ReadOnly);
            let blocks = array
                .sweep(Axis(0), 16 << 20)
                .expect("it has rows")
                .cache(cache)
                .into_par_iter();
            blocks.map(|block| block.sum()).sum::<f64>()
        }
    };
    let bare = || {
        let map = mapped(table);
        let (first, second) = floats(&map).split_at(Axis(0), table.len() / 16);
        let (first, second) = rayon::join(|| first.sum(), || second.sum());
        first + second
    };
    let nearly = AtMost(1.0 / if is_huge { 0.9 } else { 0.7 });
    Section::new(
        format!("warm sum of {} on 2 threads", table.name),
        Pace::Heavy,
        vec![
            table.warmed("resident memory", halves),
            table.warmed("sweep", swept(PageCache::AsFound)).target(nearly),
            table.warmed("sweep, cache kept", swept(PageCache::Keep)).target(nearly),
            table.warmed("bare mapping", bare),
            table.warmed("one thread, handle", || table.open(Mode::ReadOnly).sum()),
        ],
    )
}

fn read_npy(table: &Table) -> Array2<f64> {
    ndarray_npy::read_npy(&table.npy).expect("it is read")
}

fn mapped(table: &Table) -> Mmap {
    map(&table.raw).expect("it maps")
}

/// Views bytes as rows.
fn rows(bytes: &[u8]) -> ArrayView2<'_, f64> {
    let rows = bytes.len() / ROW_LEN;
    ArrayView2::from_shape((rows, ROW), bytemuck::cast_slice(bytes)).expect("whole rows")
}

/// Returns which part of the file the kernel maps by pages of 2 MiB once it has been read.
pub(crate) fn huge_share(table: &Table) -> f64 {
    let map = mapped(table);
    assert!(floats(&map).sum() > 0.0);
    let maps = fs::read_to_string("/proc/self/smaps").expect("the mappings");
    let path = table.raw.to_str().expect("a plain path");
    let ours = maps.lines().skip_while(|line| !line.ends_with(path));
    let huge = ours.filter_map(|line| line.strip_prefix("FilePmdMapped:")).next();
    let kib = huge.and_then(|text| text.trim().split(' ').next()?.parse().ok());
    let len = u32::try_from(table.len() >> 10).expect("not so large");
    kib.map_or(f64::NAN, |kib: u32| f64::from(kib) / f64::from(len))
}
