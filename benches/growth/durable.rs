//! Few changes of a large file, until they are on the disk.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, Axis};
use ndarray_memmap::{MapOptions, Mode, SyncToDisk};

use crate::rounds::{Pace, Section, Target, Way};
use crate::table::{ROW, ROW_LEN, Table, indices};

pub(crate) fn all<'a>(dir: &'a Path, table: &'a Table) -> Vec<Section<'a>> {
    vec![random(table), committed(dir, table)]
}

/// Values that differ from run to run, or nothing would be written.
fn counter() -> impl Fn() -> f64 {
    let last = Cell::new(0.0);
    move || {
        last.set(last.get() + 1.0);
        last.get()
    }
}

/// Changes 1000 elements.
fn random(table: &Table) -> Section<'_> {
    let elements = move || indices(1000, table.len / 8).into_iter();
    let next = counter();
    let scattered = move || {
        let values = Array1::from_elem(1000, next());
        let indices: Vec<usize> = elements().collect();
        let options = MapOptions::new(Mode::ReadWrite);
        // SAFETY: the file is in a folder of this process, and one way is gone at a time.
        let mut array = unsafe { options.open::<f64>(&table.path) }.expect("it opens");
        array.scatter(Axis(0), &indices, &values).expect("elements of the table");
        array.sync().expect("it is written");
        1000.0
    };
    let next = counter();
    let mapped = move || {
        let value = next();
        let options = MapOptions::new(Mode::ReadWrite);
        // SAFETY: as above.
        let mut array = unsafe { options.open::<f64>(&table.path) }.expect("it opens");
        let mut view = array.view_mut().expect("it can be changed");
        elements().for_each(|index| view[index] = value);
        array.sync().expect("it is written");
        1000.0
    };
    let next = counter();
    let loaded = move || {
        let value = next();
        let options = MapOptions::new(Mode::CopyOnWrite);
        let mut array = options.load::<f64>(&table.path).expect("it loads");
        let mut view = array.view_mut().expect("it can be changed");
        elements().for_each(|index| view[index] = value);
        let bytes = bytemuck::cast_slice(array.as_slice().expect("it is in order"));
        let file = File::options().write(true).open(&table.path).expect("it opens");
        file.write_all_at(bytes, 0).expect("there is room");
        file.sync_data().expect("it is written");
        1000.0
    };
    Section {
        name: format!("1000 random elements of {}, warm, durable", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("scatter and sync", scattered),
            table.warmed("view_mut and sync", mapped),
            table.warmed("load, rewrite, fdatasync", loaded).target(Target::AtLeast(8.0)),
        ],
    }
}

/// Changes one page in a hundred privately, then brings that to the file.
fn committed<'a>(dir: &'a Path, table: &'a Table) -> Section<'a> {
    let next = counter();
    let commit = move |runs: u32| {
        (0..runs).fold((0.0, 0.0), |(_, seconds), _| {
            let mut array = table.open(Mode::CopyOnWrite);
            Table::change(&mut array, next());
            let start = Instant::now();
            array.commit().expect("it is written");
            (1.0, seconds + start.elapsed().as_secs_f64())
        })
    };
    // The numbers are in memory already, and the file has its blocks.
    let numbers = RefCell::new(vec![1.5; table.rows() * ROW]);
    let path = dir.join("rewritten");
    let next = counter();
    let rewrite = move |runs: u32| {
        (0..runs).fold((0.0, 0.0), |(_, seconds), _| {
            numbers.borrow_mut().iter_mut().step_by(100 * ROW).for_each(|x| *x = next());
            let numbers = numbers.borrow();
            let bytes = bytemuck::cast_slice::<f64, u8>(&numbers);
            let mut options = File::options();
            let options = options.write(true).create(true).truncate(false);
            let start = Instant::now();
            let file = options.open(&path).expect("it opens");
            file.write_all_at(bytes, 0).expect("there is room");
            file.sync_data().expect("it is written");
            (1.0, seconds + start.elapsed().as_secs_f64())
        })
    };
    let mib = (table.rows().div_ceil(100) * ROW_LEN) >> 20;
    Section {
        name: format!("1 % of {} changed privately ({mib} MiB), durable", table.name),
        pace: Pace::Heavy,
        ways: vec![
            Way::timing_itself("commit", commit).after(|| table.warm()),
            Way::timing_itself("rewrite the file", rewrite).target(Target::AtLeast(5.0)),
        ],
    }
}
