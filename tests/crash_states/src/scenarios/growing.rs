//! Arrays that grow and shrink, with and without syncs.

use ndarray_memmap::Mode;

use super::{Scenario, create_options, plain};
use crate::element::PLAIN;
use crate::model::Format;
use crate::recorder::{Handle, Recorder};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new("append-synced", append_with_syncs),
    Scenario::new("append-unsynced", append_without_syncs),
    Scenario::new("append-large", append_large_pieces),
    Scenario::new("append-raw", append_raw),
    Scenario::new("append-region", append_and_sync_rows),
    Scenario::new("push", push_one_by_one),
    Scenario::new("push-aligned", push_behind_a_page),
    Scenario::prepared(
        "reopen",
        |files| files.npy("x.npy", PLAIN, (8, 100), None),
        push_drop_and_reopen,
    ),
    Scenario::prepared(
        "resize-npy",
        |files| files.npy("x.npy", PLAIN, (40, 100), None),
        |recorder| resize(recorder, "x.npy"),
    ),
    Scenario::prepared(
        "resize-raw",
        |files| files.raw("x.raw", (40, 100)),
        |recorder| resize(recorder, "x.raw"),
    ),
    Scenario::prepared(
        "resize-after-growth",
        |files| files.npy("x.npy", PLAIN, (10, 100), None),
        resize_after_growth,
    ),
    Scenario::prepared("open-grow", |files| files.raw("x.raw", (30, 100)), open_to_grow),
];

fn log(recorder: &mut Recorder<'_>, format: Format) -> Handle {
    let handle = recorder.create("log", format, (0, 100), &create_options());
    recorder.sync(&handle);
    handle
}

fn append_with_syncs(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, plain());
    for added in [1, 5, 1, 30, 2, 1] {
        recorder.append(&mut log, added);
        recorder.append(&mut log, 1);
        recorder.sync(&log);
    }
    recorder.settle();
}

fn append_without_syncs(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, plain());
    for added in [3, 1, 20, 7, 1, 40, 12, 1] {
        recorder.append(&mut log, added);
    }
    recorder.settle();
}

/// Appends pieces that a write call writes, instead of stores through the mapping.
fn append_large_pieces(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, plain());
    for added in [1, 200, 3, 400] {
        recorder.append(&mut log, added);
    }
    recorder.sync(&log);
    for added in [300, 1, 300] {
        recorder.append(&mut log, added);
    }
    recorder.settle();
}

fn append_raw(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, Format::Raw);
    for added in [1, 30, 200] {
        recorder.append(&mut log, added);
        recorder.append(&mut log, 1);
        recorder.sync(&log);
        recorder.append(&mut log, 11);
    }
    recorder.settle();
}

/// Syncs only the rows that were added.
fn append_and_sync_rows(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, plain());
    for added in [30, 20, 40] {
        recorder.append(&mut log, added);
        let count = log.array.nrows();
        recorder.sync_rows(&log, count - 5..count);
        recorder.append(&mut log, 1);
    }
    recorder.settle();
}

fn push_one_by_one(recorder: &mut Recorder<'_>) {
    let mut log = log(recorder, plain());
    for count in 1..=14 {
        recorder.append(&mut log, 1);
        if count % 6 == 0 {
            recorder.sync(&log);
        }
    }
    recorder.settle();
}

/// Pushes rows in pages other than the header's.
fn push_behind_a_page(recorder: &mut Recorder<'_>) {
    for (name, align) in [("half", 512), ("one", 4096), ("two", 8192)] {
        let options = create_options().data_align(align);
        let mut log = recorder.create(name, plain(), (7, 100), &options);
        recorder.sync(&log);
        for added in [1, 1, 2, 20] {
            recorder.append(&mut log, added);
        }
        recorder.drop(log);
    }
}

fn push_drop_and_reopen(recorder: &mut Recorder<'_>) {
    for added in [1, 30, 1] {
        let mut log = recorder.open("x.npy", Mode::ReadWrite);
        recorder.append(&mut log, added);
        recorder.append(&mut log, 1);
        recorder.drop(log);
    }
    let mut log = recorder.open("x.npy", Mode::ReadWrite);
    recorder.append(&mut log, 4);
    recorder.close(log);
}

fn resize(recorder: &mut Recorder<'_>, name: &str) {
    let mut array = recorder.open(name, Mode::ReadWrite);
    for count in [60, 20, 45] {
        recorder.resize(&mut array, count);
        recorder.store(&mut array, count / 2..count);
    }
    recorder.sync(&array);
    for count in [12, 90] {
        recorder.resize(&mut array, count);
        recorder.sync(&array);
    }
    recorder.resize(&mut array, 30);
    recorder.settle();
}

/// Resizes while the file is longer than its array.
fn resize_after_growth(recorder: &mut Recorder<'_>) {
    let mut array = recorder.open("x.npy", Mode::ReadWrite);
    recorder.append(&mut array, 20);
    recorder.resize(&mut array, 25);
    recorder.append(&mut array, 3);
    recorder.resize(&mut array, 80);
    recorder.append(&mut array, 1);
    recorder.resize(&mut array, 81);
    recorder.settle();
}

fn open_to_grow(recorder: &mut Recorder<'_>) {
    let mut array = recorder.open_to_grow("x.raw", 55);
    recorder.store(&mut array, 20..55);
    recorder.sync(&array);
    recorder.drop(array);
    let mut array = recorder.open_to_grow("x.raw", 120);
    recorder.store(&mut array, 60..120);
    recorder.settle();
}
