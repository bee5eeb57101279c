//! One file seen through two independent page caches, as two machines see it.
//!
//! `TWO_CACHES` names three folders separated by `:`: one on a disk, and two mounts of it by a
//! FUSE daemon. The kernel gives each mount its own cache; `.ci/steps/two-caches` makes them.
//! They represent the clients of a network file system that does not keep caches coherent.
#![cfg(target_os = "linux")]

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis, Ix2};
use ndarray_memmap::npy::{self, Header, Options};
use ndarray_memmap::partition::{Partition, Window};
use ndarray_memmap::{MmapArray2, Mode};

const SHAPE: (usize, usize) = (5000, 3);
/// The number of windows. A page holds 170 2/3 rows of 24 bytes.
const PARTS: usize = 4;

/// The disk and the two machines.
fn folders() -> [PathBuf; 3] {
    let folders = env::var_os("TWO_CACHES").expect("TWO_CACHES names three folders");
    let folders: Vec<_> = env::split_paths(&folders).collect();
    folders.try_into().unwrap()
}

fn open(window: &Window, mode: Mode) -> MmapArray2<f64> {
    // SAFETY: one worker writes each window, and the window is read after the worker has reported.
    unsafe { window.open::<f64, Ix2>(mode) }.unwrap()
}

/// Creates a file on one machine and partitions it on another.
fn divided(first: &Path, second: &Path, options: &Options) -> Partition {
    // SAFETY: the other machine opens the file after this one has closed it.
    let created = unsafe { options.create::<f64, _>(first, SHAPE) };
    created.unwrap().close().unwrap();
    let header = Header::read(&File::open(second).unwrap()).unwrap();
    Partition::new(&header, Axis(0), PARTS).unwrap()
}

/// Fills alternating windows on two machines at the same time, and returns the array on disk.
fn filled(name: &str, page: Option<u64>) -> (Array2<f64>, Vec<Window>) {
    let [disk, first, second] = folders();
    let options = Options::new(Mode::CreateNew).data_align(4096);
    let mut partition = divided(&first.join(name), &second.join(name), &options);
    if let Some(page) = page {
        partition = partition.aligned_to(page);
    }
    let windows = partition.windows(first.join(name));
    let machines = [&first, &second].into_iter().cycle();
    let mut parts: Vec<_> = windows
        .iter()
        .zip(machines)
        .map(|(w, machine)| {
            open(&w.clone().with_path(machine.join(name)), Mode::ReadWrite)
        })
        .collect();
    for (part, number) in parts.iter_mut().zip(1_u8..) {
        part.view_mut().unwrap().fill(number.into());
    }
    for part in parts {
        part.close().unwrap();
    }
    (npy::load::<f64, Ix2>(disk.join(name)).unwrap().to_owned(), windows)
}

#[test]
#[ignore = "needs two mounts of one folder; run by .ci/steps/two-caches"]
fn windows_of_two_machines_lose_nothing_if_they_share_no_page() {
    let (found, windows) = filled("aligned.npy", Some(4096));
    assert!(windows.iter().all(|window| !window.is_empty()), "{windows:?}");
    for (window, number) in windows.iter().zip(1_u8..) {
        let rows = found.slice_axis(Axis(0), window.rows().into());
        assert!(rows.iter().all(|x| *x == f64::from(number)), "{window:?}");
    }
    println!("aligned windows are whole");
}

#[test]
#[ignore = "needs two mounts of one folder; run by .ci/steps/two-caches"]
fn windows_of_two_machines_that_share_a_page_lose_some_of_it() {
    let (found, windows) = filled("even.npy", None);
    let is_lost = |window: &Window, number: u8| {
        let rows = found.slice_axis(Axis(0), window.rows().into());
        rows.iter().filter(|x| **x != f64::from(number)).count()
    };
    let lost: usize = windows.iter().zip(1..).map(|(w, number)| is_lost(w, number)).sum();
    // The other test proves nothing if this one never loses elements.
    assert!(lost > 0, "nothing is lost: these are not two caches");
    println!("{lost} elements of even windows are lost");
}

#[test]
#[ignore = "needs two mounts of one folder; run by .ci/steps/two-caches"]
fn a_machine_sees_the_changes_of_another_when_it_opens_the_file_again() {
    let [_, first, second] = folders();
    let [here, there] = [first, second].map(|folder| folder.join("handed-over.npy"));
    let partition = divided(&here, &there, &Options::new(Mode::Create));
    let there = partition.window(there, 1).unwrap();
    let here = partition.window(here, 1).unwrap();
    for number in [1.0, 2.0, 3.0] {
        let before = open(&there, Mode::ReadOnly);
        assert!(before.iter().all(|x| *x == number - 1.0));
        let mut part = open(&here, Mode::ReadWrite);
        part.view_mut().unwrap().fill(number);
        part.sync().unwrap();
        part.close().unwrap();
        drop(before);
        let after = open(&there.halo(1), Mode::ReadOnly);
        let own = after.slice_axis(Axis(0), (1..there.rows().len() + 1).into());
        assert!(own.iter().all(|x| *x == number), "{number}");
    }
    println!("changes are seen after the file is opened again");
}
