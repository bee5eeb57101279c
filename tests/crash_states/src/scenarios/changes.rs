//! Changes in place: stores, scattered rows, sweeps and commits.

use ndarray_memmap::Mode;

use super::Scenario;
use crate::element::PLAIN;
use crate::preparation::Preparation;
use crate::recorder::Recorder;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::prepared("store", prepare, store_and_sync),
    Scenario::prepared("scatter", prepare, scatter),
    Scenario::prepared("sweep", prepare, sweep_and_close),
    Scenario::prepared("commit", prepare, commit),
];

const NAMES: [&str; 2] = ["x.npy", "x.raw"];

fn prepare(files: &mut Preparation<'_>) -> std::io::Result<()> {
    files.npy("x.npy", PLAIN, (60, 100), None)?;
    files.raw("x.raw", (60, 100))
}

/// Syncs between two changes determine their order on disk.
fn store_and_sync(recorder: &mut Recorder<'_>) {
    for name in NAMES {
        let mut array = recorder.open(name, Mode::ReadWrite);
        recorder.store(&mut array, 10..50);
        recorder.sync(&array);
        recorder.store(&mut array, 0..1);
        recorder.sync(&array);
        recorder.store(&mut array, 30..60);
        recorder.sync_rows(&array, 35..40);
        recorder.store(&mut array, 0..60);
        recorder.drop(array);
    }
}

fn scatter(recorder: &mut Recorder<'_>) {
    for name in NAMES {
        let mut array = recorder.open(name, Mode::ReadWrite);
        recorder.scatter(&mut array, &[3, 41, 7, 59, 20]);
        recorder.sync(&array);
        recorder.scatter(&mut array, &[0, 41, 58]);
        recorder.scatter(&mut array, &[41]);
        recorder.sync_rows(&array, 41..42);
        recorder.scatter(&mut array, &[12, 13, 14, 15]);
        recorder.drop(array);
    }
}

fn sweep_and_close(recorder: &mut Recorder<'_>) {
    for name in NAMES {
        let mut array = recorder.open(name, Mode::ReadWrite);
        recorder.sweep(&mut array, 5000);
        recorder.close(array);
        let mut array = recorder.open(name, Mode::ReadWrite);
        recorder.sweep(&mut array, 1 << 20);
        recorder.drop(array);
    }
}

fn commit(recorder: &mut Recorder<'_>) {
    for name in NAMES {
        let mut array = recorder.open(name, Mode::CopyOnWrite);
        recorder.store(&mut array, 5..15);
        recorder.commit(&mut array);
        recorder.store(&mut array, 20..60);
        recorder.rollback(&mut array);
        recorder.store(&mut array, 14..16);
        recorder.store(&mut array, 50..51);
        recorder.commit(&mut array);
        recorder.store(&mut array, 0..60);
        recorder.drop(array);
        let mut array = recorder.open(name, Mode::CopyOnWrite);
        recorder.store(&mut array, 10..30);
        recorder.commit(&mut array);
    }
    recorder.settle();
}
