//! Calls in a random order.

use ndarray_memmap::Mode;

use super::{Scenario, create_options, plain};
use crate::element::PLAIN;
use crate::recorder::{Handle, Recorder};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::prepared(
        "mixed-npy",
        |files| files.npy("x.npy", PLAIN, (20, 100), None),
        |recorder| mixed(recorder, "x.npy"),
    ),
    Scenario::prepared(
        "mixed-raw",
        |files| files.raw("x.raw", (20, 100)),
        |recorder| mixed(recorder, "x.raw"),
    ),
    Scenario::new("mixed-new", |recorder| {
        let array = recorder.create("x.npy", plain(), (0, 100), &create_options());
        recorder.sync(&array);
        recorder.drop(array);
        mixed(recorder, "x.npy");
    }),
];

fn mixed(recorder: &mut Recorder<'_>, name: &str) {
    let mut array = recorder.open(name, Mode::ReadWrite);
    for _ in 0..14 {
        step(recorder, &mut array);
        if recorder.random.chance(12) {
            recorder.drop(array);
            array = recorder.open(name, Mode::ReadWrite);
        }
    }
    recorder.settle();
}

fn step(recorder: &mut Recorder<'_>, array: &mut Handle) {
    let count = array.array.nrows();
    let start = recorder.random.below(count.max(1));
    let end = (start + 1 + recorder.random.below(30)).min(count);
    match recorder.random.below(10) {
        0..=1 => recorder.append(array, 1),
        2 => {
            let added = 1 + recorder.random.below(50);
            recorder.append(array, added);
        }
        3 => recorder.append(array, 180),
        4 => {
            let count = recorder.random.below(count + 40);
            recorder.resize(array, count);
        }
        5 => recorder.sync(array),
        6 if start < end => recorder.sync_rows(array, start..end),
        7 if start < end => recorder.scatter(array, &[start, end - 1]),
        _ if start < end => recorder.store(array, start..end),
        _ => recorder.append(array, 2),
    }
}
