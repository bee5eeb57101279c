//! Limits of the process and of the kernel.

use std::fs;
use std::path::Path;

use ndarray::{Axis, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray1, MmapArray2};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{assert_errno, child, open};
use test_support::kernel::{call, numbers, refusing};
use test_support::{Place, npy_common, sampled};

/// Returns the sum of the numbers in a file.
fn sum() -> u64 {
    numbers().iter().map(|&x| u64::from(x)).sum()
}

fn sum_of(a: &MmapArray1<u8>) -> u64 {
    a.iter().map(|&x| u64::from(x)).sum()
}

fn limit(resource: Resource, current: u64) {
    let maximum = getrlimit(resource).maximum;
    setrlimit(resource, Rlimit { current: Some(current), maximum }).unwrap();
}

#[test]
fn what_has_no_room_in_the_address_space_is_an_error_and_leaves_the_file() {
    const LARGE: usize = 1 << 27;

    if let Some((_, file)) = child::part() {
        let large = Place::sparse(LARGE as u64);
        let header = Place::of(b"\x93NUMPY\x02\x00\x00\x00\x00\xc0{");
        header.file().set_len((3 << 30) + 100).unwrap();
        let grows = Place::missing();
        let created = npy_common::create(
            &ndarray_memmap::npy::Options::new(Create),
            &grows,
            (0, 1000),
        );
        let mut log: MmapArray2<u8> = created.unwrap();
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
        let page = rustix::param::page_size() as u64;
        // Less address space than a growing array tries to reserve.
        limit(Resource::As, pages * page + (48 << 20));

        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let opened = open::<u8, _>(&MapOptions::new(mode), &large);
            assert_errno(&opened.map(drop).unwrap_err(), &["map"], Errno::NOMEM);
        }
        let loaded = MapOptions::new(ReadOnly).load::<u8>(&large);
        let doing = ["allocate memory for"];
        assert_errno(&loaded.map(drop).unwrap_err(), &doing, Errno::NOMEM);
        let options =
            ndarray_memmap::npy::Options::new(ReadOnly).max_header_size(u64::MAX);
        let opened: Result<MmapArray2<u8>, _> = npy_common::open(&options, &header);
        let error = opened.map(drop).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Io { action: "allocate memory for", .. }),
            "{error:?}"
        );
        for mode in [ReadWrite, Create] {
            let options = MapOptions::new(mode).grow(true).sparse(true).shape(LARGE);
            let opened = open::<u8, _>(&options, &file);
            assert_errno(&opened.map(drop).unwrap_err(), &["map"], Errno::NOMEM);
            assert!(fs::read(&file).unwrap() == numbers(), "{mode}");
        }
        let new = file.with_file_name("new");
        let options = MapOptions::new(CreateNew).sparse(true).shape(LARGE);
        let opened = open::<u8, _>(&options, &new);
        assert_errno(&opened.map(drop).unwrap_err(), &["map"], Errno::NOMEM);
        assert!(!new.exists());

        // Arrays that fit still work.
        let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &file).unwrap();
        assert_eq!(sum_of(&a), sum());
        a.view_mut().unwrap().fill(2);
        a.close().unwrap();
        let rows = sampled(3000);
        for _ in 0..rows {
            log.push(Axis(0), &ndarray::Array1::from_elem(1000, 7)).unwrap();
        }
        assert!(log.iter().all(|&x| x == 7));
        log.close().unwrap();
        assert_eq!(grows.len(), 128 + 1000 * rows as u64);
        return child::done();
    }
    let place = Place::of(&numbers());
    let test = what_has_no_room_in_the_address_space_is_an_error_and_leaves_the_file;
    child::passes(test, "open", place.path());
    place.assert_holds(&[2; 100_000]);
}

#[test]
fn ten_thousand_arrays_open_with_64_descriptors() {
    const LIMIT: u64 = 64;

    if let Some((_, file)) = child::part() {
        limit(Resource::Nofile, LIMIT);
        let mut arrays = Vec::new();
        for number in 0..10_000 {
            let mode = if number % 2 == 0 { ReadOnly } else { CopyOnWrite };
            arrays.push(open::<u8, _>(&MapOptions::new(mode), &file).unwrap());
        }
        assert!(arrays.iter().all(|a| (a[250], a.len()) == (250, 100_000)));
        assert_eq!(arrays.iter().step_by(1000).map(sum_of).sum::<u64>(), 10 * sum());

        // Each writable array keeps a descriptor open, until none is left.
        let mut writers = Vec::new();
        let error = loop {
            match open::<u8, _>(&MapOptions::new(ReadWrite), &file) {
                Ok(a) => writers.push(a),
                Err(error) => break error,
            }
        };
        assert_errno(&error, &["open", "keep open"], Errno::MFILE);
        let count = writers.len() as u64;
        assert!((LIMIT / 2..LIMIT).contains(&count), "{count}");
        let new = file.with_file_name("new");
        for (mode, path) in [(Create, &file), (Create, &new), (CreateNew, &new)] {
            let opened = open::<u8, _>(&MapOptions::new(mode).shape(10), path);
            let doing = ["open", "create", "keep open"];
            assert_errno(&opened.map(drop).unwrap_err(), &doing, Errno::MFILE);
            assert!(!new.exists(), "{mode}");
        }
        for a in &mut writers {
            let mut view = a.view_mut().unwrap();
            view[0] += 1;
            a.sync().unwrap();
        }
        assert_eq!(u64::from(writers[0][0]), count);
        drop(writers.pop());
        drop(open::<u8, _>(&MapOptions::new(ReadWrite), &file).unwrap());
        return child::done();
    }
    let place = Place::of(&numbers());
    child::passes(ten_thousand_arrays_open_with_64_descriptors, "open", place.path());
    let bytes = place.bytes().unwrap();
    assert!(bytes[1..] == numbers()[1..] && bytes.len() == 100_000);
}

/// The most mappings that a test makes.
const MOST_TRIED: usize = 200_000;

fn most_mappings() -> usize {
    let text = fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    text.trim().parse().unwrap()
}

#[test]
fn one_array_more_than_the_kernel_maps_is_an_error_and_the_others_go_on() {
    if let Some((_, file)) = child::part() {
        let rows = Place::of(&numbers());
        let rows = open::<u8, _>(&MapOptions::new(ReadWrite).rows_of(1000), &rows);
        let mut rows: MmapArray2<u8> = rows.unwrap();
        let most = most_mappings();
        if most > MOST_TRIED || test_support::file_system(&file) == "fuse" {
            // This number of mappings would take all memory, or all descriptors of a FUSE server,
            // which opens one file for each mapping. The filter refuses the first mapping instead.
            return refusing(call::MMAP, &[], Errno::NOMEM, || {
                let error = open::<u8, _>(&MapOptions::new(ReadOnly), &file);
                assert_errno(&error.map(drop).unwrap_err(), &["map"], Errno::NOMEM);
                at_the_limit(&file, &mut rows);
                child::done();
            });
        }
        // Allocate the vector beforehand: later the allocator can map no memory for it.
        let mut arrays = Vec::with_capacity(most);
        let error = loop {
            match open::<u8, _>(&MapOptions::new(ReadOnly), &file) {
                Ok(a) => arrays.push(a),
                Err(error) => break error,
            }
        };
        assert_errno(&error, &["map"], Errno::NOMEM);
        let count = arrays.len();
        assert!((most - 500..most).contains(&count), "{count} of {most}");
        at_the_limit(&file, &mut rows);
        assert!(arrays.iter().all(|a| a[250] == 250));
        assert_eq!(sum_of(&arrays[count / 2]), sum());
        // Dropping one array makes room for another.
        drop(arrays.pop());
        let a = open::<u8, _>(&MapOptions::new(ReadOnly), &file).unwrap();
        assert_eq!(sum_of(&a), sum());
        return child::done();
    }
    let place = Place::of(&numbers());
    let test = one_array_more_than_the_kernel_maps_is_an_error_and_the_others_go_on;
    child::passes(test, "open", place.path());
    place.assert_holds(&numbers());
    // This process can still use the same file.
    let mut a = open::<u8, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    a.view_mut().unwrap().fill(2);
    a.close().unwrap();
    place.assert_holds(&[2; 100_000]);
}

/// Checks the calls of an array while the kernel refuses further mappings.
fn at_the_limit(file: &Path, rows: &mut MmapArray2<u8>) {
    let new = file.with_file_name("new");
    for (mode, path) in [(ReadWrite, file), (Create, file), (Create, &new)] {
        let opened = open::<u8, _>(&MapOptions::new(mode).shape(10), path);
        assert_errno(&opened.map(drop).unwrap_err(), &["map"], Errno::NOMEM);
        assert!(!new.exists() && fs::metadata(file).unwrap().len() == 100_000);
    }
    let total: u64 = rows.iter().map(|&x| u64::from(x)).sum();
    let swept = rows
        .sweep(Axis(0), 10_000)
        .unwrap()
        .map(|block| block.iter().map(|&x| u64::from(x)).sum::<u64>());
    assert_eq!(swept.sum::<u64>(), total);
    for mut block in rows.sweep_mut(Axis(0), 10_000).unwrap() {
        block.fill(5);
    }
    let indices: Vec<_> = (0..100).rev().collect();
    let gathered = rows.gather(Axis(0), &indices).unwrap();
    assert!(gathered.into_iter().all(|row| row.iter().all(|&x| x == 5)));
    rows.region(s![.., ..10]).prefetch().unwrap();
    rows.sync().unwrap();
    // Growth needs a mapping, and fails before it changes anything.
    let block = ndarray::Array2::from_elem((200, 1000), 5);
    let error = rows.append(Axis(0), &block).unwrap_err();
    assert_errno(&error, &["map"], Errno::NOMEM);
    assert_eq!(rows.nrows(), 100);
    let path = rows.path().unwrap();
    assert_eq!(fs::metadata(path).unwrap().len(), 100_000);
}
