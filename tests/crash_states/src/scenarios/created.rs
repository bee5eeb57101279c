//! New files: when the file and the stored rows are durable.

use super::{Scenario, create_options, plain};
use crate::model::Format;
use crate::recorder::Recorder;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new("create-sync", create_and_sync),
    Scenario::new("create-close", create_and_close),
    Scenario::new("create-region-npy", create_and_sync_rows_npy),
    Scenario::new("create-region-raw", create_and_sync_rows_raw),
    Scenario::new("create-region-aligned", create_and_sync_rows_behind_a_page),
    Scenario::new("reopen-region", reopen_and_sync_rows),
    Scenario::prepared(
        "create-over",
        |files| files.npy("x.npy", crate::element::PLAIN, (70, 100), None),
        create_over_a_file,
    ),
];

fn create_and_sync(recorder: &mut Recorder<'_>) {
    let mut npy = recorder.create("x.npy", plain(), (40, 100), &create_options());
    let mut raw = recorder.create("x.raw", Format::Raw, (40, 100), &create_options());
    for handle in [&mut npy, &mut raw] {
        recorder.store(handle, 0..40);
        recorder.sync(handle);
        recorder.store(handle, 15..33);
        recorder.sync(handle);
        recorder.store(handle, 3..20);
    }
    recorder.settle();
}

fn create_and_close(recorder: &mut Recorder<'_>) {
    for (name, format) in [("x.npy", plain()), ("x.raw", Format::Raw)] {
        let mut handle = recorder.create(name, format, (30, 64), &create_options());
        recorder.store(&mut handle, 5..30);
        recorder.close(handle);
    }
}

/// Syncs rows in pages other than the header's.
fn create_and_sync_rows_npy(recorder: &mut Recorder<'_>) {
    create_and_sync_rows(recorder, "x.npy", plain(), 1);
}

fn create_and_sync_rows_raw(recorder: &mut Recorder<'_>) {
    create_and_sync_rows(recorder, "x.raw", Format::Raw, 1);
}

/// Syncs rows of a file whose header fills whole pages.
fn create_and_sync_rows_behind_a_page(recorder: &mut Recorder<'_>) {
    create_and_sync_rows(recorder, "x.npy", plain(), 4096);
}

fn create_and_sync_rows(
    recorder: &mut Recorder<'_>,
    name: &str,
    format: Format,
    align: u64,
) {
    let options = create_options().data_align(align);
    let mut handle = recorder.create(name, format, (100, 100), &options);
    recorder.store(&mut handle, 0..100);
    recorder.sync_rows(&handle, 60..70);
    recorder.store(&mut handle, 20..70);
    recorder.sync_rows(&handle, 20..45);
    recorder.store(&mut handle, 0..20);
    recorder.sync(&handle);
    recorder.store(&mut handle, 0..100);
    recorder.sync_rows(&handle, 99..100);
    recorder.settle();
}

/// Syncs rows of files whose headers no handle has synced.
fn reopen_and_sync_rows(recorder: &mut Recorder<'_>) {
    for name in ["a.npy", "b.npy", "c.npy", "d.npy"] {
        let mut handle = recorder.create_and_reopen(name, plain(), (100, 100));
        recorder.sync_rows(&handle, 70..80);
        recorder.store(&mut handle, 0..60);
        recorder.sync_rows(&handle, 50..60);
    }
    recorder.settle();
}

fn create_over_a_file(recorder: &mut Recorder<'_>) {
    let mut handle = recorder.create("x.npy", plain(), (50, 100), &create_options());
    recorder.store(&mut handle, 10..50);
    recorder.sync(&handle);
    recorder.append(&mut handle, 3);
    recorder.settle();
}
