//! Writing: new files, scattered changes, private changes.
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use ndarray::{Array1, Array2, Axis};
use ndarray_memmap::{MapOptions, MmapArray2, Mode, SyncToDisk};

use crate::rounds::{Pace, Section, Target, Way};
use crate::table::{ROW, ROW_LEN, Table, indices};

pub(crate) fn all<'a>(dir: &Path, table: &'a Table) -> Vec<Section<'a>> {
    vec![
        fill(dir, table),
        scatter(table, true),
        scatter(table, false),
        elements(table),
        private(table),
    ]
}

/// Makes a file as large as the table.
fn fill<'a>(dir: &Path, table: &'a Table) -> Section<'a> {
    let path = dir.join("filled");
    let [by_sweep, by_map, by_bare] = [(); 3].map(|()| path.clone());
    let by_write = path;
    let create = |path: &Path| -> MmapArray2<f64> {
        let _ = fs::remove_file(path);
        let options = MapOptions::new(Mode::CreateNew).shape((table.rows(), ROW));
        // SAFETY: the folder belongs to this process, which has no other mapping of the file.
        unsafe { options.open(path) }.expect("it is created")
    };
    let sweep = move || {
        let mut array = create(&by_sweep);
        let sweep = array.sweep_mut(Axis(0), 16 << 20).expect("it can be changed");
        sweep.for_each(|mut block| block.fill(1.5));
        array.sync().expect("it is written");
        array[[7, 7]]
    };
    let map = move || {
        let mut array = create(&by_map);
        array.view_mut().expect("it can be changed").fill(1.5);
        array.sync().expect("it is written");
        array[[7, 7]]
    };
    let write = move || {
        let _ = fs::remove_file(&by_write);
        let numbers = vec![1.5; table.len / 8];
        fs::write(&by_write, bytemuck::cast_slice::<f64, u8>(&numbers))
            .expect("it is written");
        File::open(&by_write).and_then(|file| file.sync_data()).expect("it is written");
        numbers[7]
    };
    // The floor: what the disk takes.
    let bare = move || {
        let _ = fs::remove_file(&by_bare);
        let numbers = vec![1.5; (16 << 20) / 8];
        let mut file = File::create_new(&by_bare).expect("it is created");
        for start in (0..table.len).step_by(16 << 20) {
            let bytes: &[u8] = bytemuck::cast_slice(&numbers);
            let len = bytes.len().min(table.len - start);
            file.write_all(&bytes[..len]).expect("it is written");
        }
        file.sync_data().expect("it is written");
        numbers[7]
    };
    Section {
        name: format!("new file of {}, filled and durable", table.name),
        pace: Pace::Heavy,
        ways: vec![
            Way::new("Create, sweep_mut + sync", sweep),
            Way::new("Create, fill + sync", map),
            Way::new("fs::write + fdatasync", write).target(Target::AtLeast(2.0)),
            Way::new("write 16 MiB at a time", bare),
        ],
    }
}

/// Changes 1000 elements and makes that durable.
fn scatter(table: &Table, is_cold: bool) -> Section<'_> {
    let indices = indices(1000, table.rows());
    let by_map = indices.clone();
    let changes = std::cell::Cell::new(0.0);
    let mapped_changes = changes.clone();
    let rows = Array2::from_elem((1000, 512), 1.0);
    let scatter = move || {
        changes.set(changes.get() + 1.0);
        let mut array = table.open(Mode::ReadWrite);
        let rows = &rows + changes.get();
        array.scatter(Axis(0), &indices, &rows).expect("rows of the table");
        array.sync().expect("it is written");
        f64::from(u8::from(array[[indices[0], 1]] == changes.get() + 1.0))
    };
    let store = move || {
        mapped_changes.set(mapped_changes.get() + 1.0);
        let value = mapped_changes.get() + 1.0;
        let mut map = table.map_mut();
        let numbers: &mut [f64] = bytemuck::cast_slice_mut(&mut map);
        for &row in &by_map {
            numbers[row * ROW..][..ROW].fill(value);
        }
        map.flush().expect("it is written");
        1.0
    };
    let (state, target) = match is_cold {
        true => ("cold", Target::AtLeast(15.0)),
        false => ("warm", Target::Unset),
    };
    let ways = match is_cold {
        true => vec![
            table.cold("scatter", scatter),
            table.cold("stores, bare mapping", store),
        ],
        false => {
            vec![
                table.warmed("scatter", scatter),
                table.warmed("stores, bare mapping", store),
            ]
        }
    };
    let mut ways: Vec<_> = ways.into_iter().map(|way| way.target(target)).collect();
    ways[0].target = Target::Unset;
    Section {
        name: format!(
            "1000 scattered rows of {}, {state}, durable ({} MiB)",
            table.name,
            (1000 * ROW_LEN) >> 20
        ),
        pace: Pace::Heavy,
        ways,
    }
}

/// Changes 1000 single elements, whose pages are 3.9 MiB, and makes that durable.
fn elements(table: &Table) -> Section<'_> {
    let indices: Vec<usize> = indices(1000, table.rows())
        .into_iter()
        .map(|row| row * ROW + row % ROW)
        .collect();
    let by_map = indices.clone();
    let changes = std::cell::Cell::new(0.0);
    let next = move || {
        changes.set(changes.get() + 1.0);
        changes.get()
    };
    let mapped_next = next.clone();
    let scatter = move || {
        let values = Array1::from_elem(indices.len(), next());
        let options = MapOptions::new(Mode::ReadWrite);
        // SAFETY: the file is in a folder of this process alone.
        let array = unsafe { options.open::<f64>(&table.path) };
        let mut array = array.expect("it opens");
        array.scatter(Axis(0), &indices, &values).expect("elements of the table");
        array.sync().expect("it is written");
        f64::from(u8::from(array[indices[7]] == values[7]))
    };
    let store = move || {
        let value = mapped_next();
        let mut map = table.map_mut();
        let numbers: &mut [f64] = bytemuck::cast_slice_mut(&mut map);
        by_map.iter().for_each(|&index| numbers[index] = value);
        map.flush().expect("it is written");
        1.0
    };
    Section {
        name: format!("1000 scattered elements of {}, warm, durable", table.name),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("scatter", scatter),
            table.warmed("stores, bare mapping", store),
        ],
    }
}

/// Changes 1 % of the rows privately.
fn private(table: &Table) -> Section<'_> {
    let change = move || Table::change(&mut table.open(Mode::CopyOnWrite), -1.0);
    let load = move || {
        let options = MapOptions::new(Mode::CopyOnWrite).rows_of(ROW);
        let mut array = options.load::<f64>(&table.path).expect("it loads");
        Table::change(&mut array, -1.0)
    };
    let pages = table.rows().div_ceil(100) * ROW_LEN;
    Section {
        name: format!(
            "1 % of {} changed privately ({} MiB of pages)",
            table.name,
            pages >> 20
        ),
        pace: Pace::Heavy,
        ways: vec![
            table.warmed("CopyOnWrite", change),
            table.warmed("load", load).target(Target::AtLeast(10.0)),
        ],
    }
}
