//! Few changes of a large file, durable.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Instant;

use bench_common::Target::AtLeast;
use bench_common::{Pace, ROW, ROW_LEN, Section, Table, Way, counter, indices};
use ndarray::{Array1, Axis};
use ndarray_memmap::{MapOptions, MmapArray1, Mode};

pub(crate) fn all<'a>(folder: &Path, table: &'a Table) -> Vec<Section<'a>> {
    vec![random(table), committed(folder, table)]
}

/// Changes 1000 elements.
fn random(table: &Table) -> Section<'_> {
    let elements = move || indices(1000, table.len() / 8);
    let open = || -> MmapArray1<f64> {
        let options = MapOptions::new(Mode::ReadWrite);
        // SAFETY: the file is in a folder of this process, which runs one way at a time.
        unsafe { options.open(&table.raw) }.expect("it opens")
    };
    let store = move |array: &mut MmapArray1<f64>, value| {
        let mut view = array.view_mut().expect("it can be changed");
        elements().into_iter().for_each(|index| view[index] = value);
    };
    let next = counter();
    let scattered = move || {
        let values = Array1::from_elem(1000, next());
        let mut array = open();
        array.scatter(Axis(0), &elements(), &values).expect("elements of the table");
        array.sync().expect("it is written");
        1000.0
    };
    let next = counter();
    let mapped = move || {
        let mut array = open();
        store(&mut array, next());
        array.sync().expect("it is written");
        1000.0
    };
    let next = counter();
    let loaded = move || {
        let options = MapOptions::new(Mode::CopyOnWrite);
        let mut array = options.load::<f64>(&table.raw).expect("it loads");
        store(&mut array, next());
        let bytes = bytemuck::cast_slice(array.as_slice().expect("it is in order"));
        let file = File::options().write(true).open(&table.raw).expect("it opens");
        file.write_all_at(bytes, 0).expect("it is written");
        file.sync_data().expect("it is written");
        1000.0
    };
    Section::new(
        format!("1000 random elements of {}, warm, durable", table.name),
        Pace::Heavy,
        vec![
            table.warmed("scatter and sync", scattered),
            table.warmed("view_mut and sync", mapped),
            table.warmed("load, rewrite, fdatasync", loaded).target(AtLeast(8.0)),
        ],
    )
}

/// Changes one page in a hundred privately, then writes the changes to the file.
fn committed<'a>(folder: &Path, table: &'a Table) -> Section<'a> {
    let next = counter();
    let commit = move || {
        let mut array = table.open(Mode::CopyOnWrite);
        Table::change(&mut array, next());
        let start = Instant::now();
        array.commit().expect("it is written");
        (1.0, start.elapsed().as_secs_f64())
    };
    // The numbers are in memory already, and the file has its blocks.
    let numbers = RefCell::new(vec![1.5; table.rows() * ROW]);
    let path = folder.join("rewritten");
    let next = counter();
    let rewrite = move || {
        numbers.borrow_mut().iter_mut().step_by(100 * ROW).for_each(|x| *x = next());
        let numbers = numbers.borrow();
        let bytes = bytemuck::cast_slice::<f64, u8>(&numbers);
        let mut options = File::options();
        let options = options.write(true).create(true).truncate(false);
        let start = Instant::now();
        let file = options.open(&path).expect("it opens");
        file.write_all_at(bytes, 0).expect("it is written");
        file.sync_data().expect("it is written");
        (1.0, start.elapsed().as_secs_f64())
    };
    let mib = (table.rows().div_ceil(100) * ROW_LEN) >> 20;
    Section::new(
        format!("1 % of {} changed privately ({mib} MiB), durable", table.name),
        Pace::Heavy,
        vec![
            Way::timing_a_part("commit", commit).after(|| table.warm()),
            Way::timing_a_part("rewrite the file", rewrite).target(AtLeast(5.0)),
        ],
    )
}
