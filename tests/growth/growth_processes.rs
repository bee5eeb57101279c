//! Files that grow in one process while another reads them, or until the process is killed.
#![cfg(target_os = "linux")]

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use ndarray::{Array1, Axis};
use ndarray_memmap::Mode::{Append, Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::Options;
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray2};
use serde_json::json;
use test_support::python::Python;
use test_support::{Place, command, npy_common, open, sampled};

const WIDTH: usize = 25;
const FILE: &str = "NDARRAY_MEMMAP_TEST_FILE";
/// How many rows the two processes exchange.
const ROWS: usize = 10_000;
/// How often the writer is killed.
const KILLS: usize = 200;

/// Returns a row with its number in each element and a checksum at the end.
fn row(number: usize) -> Array1<u64> {
    let mut row = Array1::from_iter((0..WIDTH as u64).map(|i| number as u64 * 1000 + i));
    row[WIDTH - 1] = checksum(&row);
    row
}

fn checksum(row: &ndarray::ArrayRef1<u64>) -> u64 {
    row.iter().take(WIDTH - 1).fold(7, |sum, x| sum.rotate_left(5) ^ *x)
}

/// Checks rows from a number on.
fn assert_right(a: &ndarray::ArrayRef2<u64>, from: usize) {
    for (number, found) in a.outer_iter().enumerate().skip(from) {
        assert_eq!(found[WIDTH - 1], checksum(&found), "row {number}");
        assert_eq!(found, row(number), "row {number}");
    }
}

/// Starts this test in another process that writes to a file.
fn writer<T: Fn()>(test: T, file: &Path) -> Child {
    let mut child = command(test);
    child.env(FILE, file);
    child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Returns the file to write to if this is the other process.
fn file() -> Option<PathBuf> {
    env::var_os(FILE).map(PathBuf::from)
}

#[test]
fn a_process_that_is_killed_leaves_a_file_that_opens_with_all_synced_rows() {
    match file() {
        Some(file) => write_until_killed(&file),
        None => kill_writers(None),
    }
}

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn files_of_killed_writers_load_in_numpy() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/npy_peer.py");
    kill_writers(Some(Python::start(script)));
}

fn write_until_killed(file: &Path) {
    let options = Options::new(ReadWrite);
    let mut a: MmapArray2<u64> = npy_common::open(&options, file).unwrap();
    loop {
        for _ in 0..10 {
            // Single rows, and sometimes blocks, which `append` writes in another way.
            if a.nrows() % 70 == 13 {
                let rows: Vec<_> = (0..900).map(|i| row(a.nrows() + i)).collect();
                let views: Vec<_> = rows.iter().map(|row| row.view()).collect();
                a.append(Axis(0), &ndarray::stack(Axis(0), &views).unwrap()).unwrap();
            }
            let next = row(a.nrows());
            a.push(Axis(0), &next).unwrap();
        }
        a.sync().unwrap();
        let count = u64::try_from(a.nrows()).unwrap();
        // A mark, because the test runner prints too.
        let said = [&[0xff][..], &count.to_le_bytes()].concat();
        std::io::stdout().write_all(&said).unwrap();
        std::io::stdout().flush().unwrap();
    }
}

/// Kills writers at random moments, and reads the file after each kill, also with NumPy.
fn kill_writers(mut numpy: Option<Python>) {
    let mut random = 88_172_645_463_325_252_u64;
    let mut place = Place::cold(b"old");
    let (mut checked, mut with_synced, mut unsynced) = (0, 0, 0);
    let test = a_process_that_is_killed_leaves_a_file_that_opens_with_all_synced_rows;
    let start = time_to_first_row(test);
    let kills = sampled(KILLS);
    for round in 0..kills {
        if round % 8 == 0 {
            place = Place::cold(b"old");
            let options = Options::new(Create);
            let a: MmapArray2<u64> =
                npy_common::create(&options, &place, (0, WIDTH)).unwrap();
            a.close().unwrap();
            checked = 0;
        }
        let mut child = writer(test, place.path());
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut bytes = Vec::new();
        if round % 2 == 0 {
            // Kill half of the writers after a sync, the others at any moment.
            let _ = said.read_until(0xff, &mut bytes).unwrap();
        }
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(start.mul_f64((random % 1000) as f64 / 1000.0));
        child.kill().unwrap();
        let _ = child.wait().unwrap();
        let _ = said.read_to_end(&mut bytes).unwrap();
        let synced = last_count(&bytes).unwrap_or(0);

        let a: MmapArray2<u64> =
            npy_common::open(&Options::new(ReadOnly), &place).unwrap();
        let count = a.nrows();
        assert!(count >= synced.max(checked), "{count} rows, {synced} synced, {checked}");
        assert_right(&a, 0);
        with_synced += usize::from(synced > 0);
        unsynced += usize::from(count > synced);
        checked = count;
        if let Some(numpy) = &mut numpy {
            let found = numpy.ask(&json!({
                "do": "rows", "path": place.path(), "mapped": round % 2 == 0
            }));
            assert_eq!(found, json!({ "rows": count, "sum": sum(&a).to_string() }));
        }
    }
    assert!(with_synced > kills / 4, "only {with_synced} wrote anything");
    assert!(unsynced > 0, "none was killed between a push and a sync");
    if let Some(numpy) = numpy {
        numpy.end();
        println!("{kills} files of killed writers load in NumPy");
    }
}

/// Measures how long it takes until a writer has synced its first rows.
fn time_to_first_row(test: impl Fn()) -> Duration {
    let place = Place::cold(b"old");
    let options = Options::new(Create);
    let a: MmapArray2<u64> = npy_common::create(&options, &place, (0, WIDTH)).unwrap();
    a.close().unwrap();
    let start = Instant::now();
    let mut child = writer(test, place.path());
    let said = BufReader::new(child.stdout.take().unwrap());
    let mark = said.bytes().find(|byte| matches!(byte, Ok(0xff)));
    let took = start.elapsed();
    child.kill().unwrap();
    let _ = child.wait().unwrap();
    assert!(mark.is_some(), "the writer wrote nothing");
    took
}

fn sum(a: &ndarray::ArrayRef2<u64>) -> u64 {
    a.iter().fold(0, |sum, x| sum.wrapping_add(*x))
}

/// Finds the last complete count after a mark.
fn last_count(bytes: &[u8]) -> Option<usize> {
    let at = (0..bytes.len()).rev().find(|at| {
        bytes.get(*at) == Some(&0xff) && bytes.get(at + 1..at + 9).is_some()
    })?;
    let count = bytes.get(at + 1..at + 9)?.try_into().ok()?;
    usize::try_from(u64::from_le_bytes(count)).ok()
}

#[test]
fn one_process_appends_and_another_follows() {
    match file() {
        Some(file) => append_rows(&file),
        None => ["log.npy", "log.raw"].map(follow).into_iter().collect(),
    }
}

fn append_rows(file: &Path) {
    let is_npy = file.extension().is_some_and(|ext| ext == "npy");
    let mut a: MmapArray2<u64> = match is_npy {
        true => npy_common::open(&Options::new(ReadWrite), file).unwrap(),
        false => open(&MapOptions::new(ReadWrite).rows_of(WIDTH), file).unwrap(),
    };
    while a.nrows() < ROWS {
        let next = row(a.nrows());
        a.push(Axis(0), &next).unwrap();
        if a.nrows().is_multiple_of(1000) {
            a.sync().unwrap();
        }
        // Gives the other process processor time on a busy machine.
        if a.nrows().is_multiple_of(100) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Reads the rows of another process until all are in the file.
fn follow(name: &str) {
    let place = Place::missing();
    let path = place.folder().join(name);
    let mut reader: MmapArray2<u64> = if name == "log.npy" {
        let options = Options::new(Create);
        let a: MmapArray2<u64> = npy_common::create(&options, &path, (0, WIDTH)).unwrap();
        a.close().unwrap();
        npy_common::open(&Options::new(ReadOnly), &path).unwrap()
    } else {
        std::fs::write(&path, []).unwrap();
        open(&MapOptions::new(ReadOnly).rows_of(WIDTH), &path).unwrap()
    };
    let mut child = writer(one_process_appends_and_another_follows, &path);
    let (mut checked, mut steps) = (0, 0);
    let start = Instant::now();
    while checked < ROWS {
        reader.refresh().unwrap();
        assert_right(&reader, checked);
        steps += usize::from(reader.nrows() > checked);
        checked = reader.nrows();
        assert!(start.elapsed() < Duration::from_secs(120), "{checked} of {ROWS} rows");
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(reader.nrows(), ROWS);
    assert!(steps > 3, "{name}: all rows came in {steps} steps");
    assert_right(&reader, 0);
}

/// Opens or creates a `.npy` file, and waits until no other process has locked it.
fn lock_and_create(path: &Path) -> MmapArray2<u64> {
    loop {
        let options = Options::new(Append).lock(true);
        match npy_common::create(&options, path, (0, WIDTH)) {
            Ok(a) => return a,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Locked), "{error}");
                std::thread::yield_now();
            }
        }
    }
}

#[test]
fn all_creating_processes_get_one_whole_file() {
    const PROCESSES: usize = 6;

    if let Some(path) = file() {
        let mut a = lock_and_create(&path);
        a.push(Axis(0), &row(7)).unwrap();
        a.close().unwrap();
        return;
    }
    for _ in 0..sampled(3) {
        let place = Place::missing();
        let start = |_| {
            let mut command = command(all_creating_processes_get_one_whole_file);
            command.env(FILE, place.path()).stdout(Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..PROCESSES).map(start).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let a: MmapArray2<u64> = npy_common::read(&place).unwrap();
        assert_eq!(a.dim(), (PROCESSES, WIDTH));
        assert!(a.outer_iter().all(|found| found == row(7)));
        assert_eq!(
            std::fs::read_dir(place.folder()).unwrap().count(),
            1,
            "no draft is left"
        );
    }
}
