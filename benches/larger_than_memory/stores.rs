//! Writing: new files, scattered changes, private changes.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use bench_common::Target::AtLeast;
use bench_common::{Pace, ROW, ROW_LEN, Section, Table, Way, counter, indices};
use memmap2::MmapMut;
use ndarray::{Array1, Array2, Axis};
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

pub(crate) fn all<'a>(folder: &Path, table: &'a Table) -> Vec<Section<'a>> {
    vec![
        fill(folder, table),
        cold_rows(table),
        warm_rows(table),
        elements(table),
        private(table),
    ]
}

/// Makes a file of the size of the table.
fn fill<'a>(folder: &Path, table: &'a Table) -> Section<'a> {
    let path = folder.join("filled");
    let [by_sweep, by_map, by_write, by_pieces] = [(); 4].map(|()| path.clone());
    let sweep = move || bench_common::fill(&by_sweep, table.dim);
    let map = move || {
        let _ = fs::remove_file(&by_map);
        let options = MapOptions::new(Mode::CreateNew).shape(table.dim);
        // SAFETY: the folder belongs to this process, which has no other mapping of the file.
        let array = unsafe { options.open(&by_map) };
        let mut array: MmapArray2<f64> = array.expect("it is created");
        array.view_mut().expect("it can be changed").fill(1.5);
        array.sync().expect("it is written");
        array[[7, 7]]
    };
    let write = move || {
        let _ = fs::remove_file(&by_write);
        let numbers = vec![1.5; table.len() / 8];
        fs::write(&by_write, bytemuck::cast_slice::<f64, u8>(&numbers))
            .expect("it is written");
        File::open(&by_write).and_then(|file| file.sync_data()).expect("it is written");
        numbers[7]
    };
    // The time of the disk.
    let pieces = move || {
        let _ = fs::remove_file(&by_pieces);
        let numbers = vec![1.5; (16 << 20) / 8];
        let mut file = File::create_new(&by_pieces).expect("it is created");
        for start in (0..table.len()).step_by(16 << 20) {
            let bytes: &[u8] = bytemuck::cast_slice(&numbers);
            let len = bytes.len().min(table.len() - start);
            file.write_all(&bytes[..len]).expect("it is written");
        }
        file.sync_data().expect("it is written");
        numbers[7]
    };
    Section::new(
        format!("new file of {}, filled and durable", table.name),
        Pace::Heavy,
        vec![
            Way::new("Create, sweep_mut + sync", sweep),
            Way::new("Create, fill + sync", map),
            Way::new("fs::write + fdatasync", write).target(AtLeast(2.0)),
            Way::new("write 16 MiB at a time", pieces),
        ],
    )
}

/// Changes 1000 rows durably.
fn cold_rows(table: &Table) -> Section<'_> {
    let name = format!("1000 scattered rows of {}, cold, durable", table.name);
    let ways = vec![
        table.cold("scatter", scatter_rows(table)),
        table.cold("stores, bare mapping", store_rows(table)).target(AtLeast(15.0)),
    ];
    Section::new(name, Pace::Heavy, ways)
}

fn warm_rows(table: &Table) -> Section<'_> {
    let name = format!("1000 scattered rows of {}, warm, durable", table.name);
    let ways = vec![
        table.warmed("scatter", scatter_rows(table)),
        table.warmed("stores, bare mapping", store_rows(table)),
    ];
    Section::new(name, Pace::Heavy, ways)
}

fn scatter_rows(table: &Table) -> impl Fn() -> f64 {
    let indices = indices(1000, table.rows());
    let rows = Array2::from_elem((1000, ROW), 1.0);
    let next = counter();
    move || {
        let value = next();
        let mut array = table.open(Mode::ReadWrite);
        array.scatter(Axis(0), &indices, &(&rows * value)).expect("rows of the table");
        array.sync().expect("it is written");
        f64::from(u8::from(array[[indices[0], 1]] == value))
    }
}

fn store_rows(table: &Table) -> impl Fn() -> f64 {
    let indices = indices(1000, table.rows());
    let next = counter();
    move || {
        let value = next();
        let mut map = map_mut(table);
        let numbers: &mut [f64] = bytemuck::cast_slice_mut(&mut map);
        indices.iter().for_each(|row| numbers[row * ROW..][..ROW].fill(value));
        map.flush().expect("it is written");
        1.0
    }
}

/// Changes 1000 single elements, whose pages are 3.9 MiB, durably.
fn elements(table: &Table) -> Section<'_> {
    let element = |row| row * ROW + row % ROW;
    let indices: Vec<_> = indices(1000, table.rows()).into_iter().map(element).collect();
    let by_map = indices.clone();
    let next = counter();
    let scatter = move || {
        let values = Array1::from_elem(indices.len(), next());
        let options = MapOptions::new(Mode::ReadWrite);
        // SAFETY: the file is in a folder of this process, which runs one way at a time.
        let array = unsafe { options.open::<f64>(&table.raw) };
        let mut array = array.expect("it opens");
        array.scatter(Axis(0), &indices, &values).expect("elements of the table");
        array.sync().expect("it is written");
        f64::from(u8::from(array[indices[7]] == values[7]))
    };
    let next = counter();
    let store = move || {
        let value = next();
        let mut map = map_mut(table);
        let numbers: &mut [f64] = bytemuck::cast_slice_mut(&mut map);
        by_map.iter().for_each(|&index| numbers[index] = value);
        map.flush().expect("it is written");
        1.0
    };
    Section::new(
        format!("1000 scattered elements of {}, warm, durable", table.name),
        Pace::Heavy,
        vec![
            table.warmed("scatter", scatter),
            table.warmed("stores, bare mapping", store),
        ],
    )
}

/// Changes 1 % of the rows privately.
fn private(table: &Table) -> Section<'_> {
    let change = move || Table::change(&mut table.open(Mode::CopyOnWrite), -1.0);
    let load = move || {
        let options = MapOptions::new(Mode::CopyOnWrite).rows_of(ROW);
        let mut array = options.load::<f64>(&table.raw).expect("it loads");
        Table::change(&mut array, -1.0)
    };
    let mib = (table.rows().div_ceil(100) * ROW_LEN) >> 20;
    Section::new(
        format!("1 % of {} changed privately ({mib} MiB of pages)", table.name),
        Pace::Heavy,
        vec![
            table.warmed("CopyOnWrite", change),
            table.warmed("load", load).target(AtLeast(10.0)),
        ],
    )
}

/// Maps the table for writing.
fn map_mut(table: &Table) -> MmapMut {
    let file = File::options().read(true).write(true).open(&table.raw);
    // SAFETY: the file is in a folder of this process, which runs one way at a time.
    unsafe { MmapMut::map_mut(&file.expect("it opens")) }.expect("it maps")
}
