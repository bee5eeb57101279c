//! Files that are replaced by other files.

use ndarray_memmap::Mode;

use super::{Scenario, plain};
use crate::element::{PLAIN, record};
use crate::model::Format;
use crate::preparation::Preparation;
use crate::recorder::Recorder;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::new("publish-new", publish_new_files),
    Scenario::prepared("publish-over", prepare, publish_over_files),
    Scenario::prepared("make-growable", prepare_tight, make_growable),
];

fn prepare(files: &mut Preparation<'_>) -> std::io::Result<()> {
    files.npy("x.npy", PLAIN, (60, 100), None)?;
    files.raw("x.raw", (60, 100))
}

fn publish_new_files(recorder: &mut Recorder<'_>) {
    recorder.publish("x.npy", plain(), (50, 100));
    recorder.publish("x.raw", Format::Raw, (50, 100));
    recorder.settle();
}

fn publish_over_files(recorder: &mut Recorder<'_>) {
    recorder.publish("x.npy", plain(), (90, 30));
    recorder.publish("x.raw", Format::Raw, (90, 30));
    recorder.publish("x.npy", plain(), (10, 100));
    let mut array = recorder.open("x.npy", Mode::ReadWrite);
    recorder.append(&mut array, 2);
    recorder.settle();
}

/// Makes headers without room for another digit, at an odd place.
fn prepare_tight(files: &mut Preparation<'_>) -> std::io::Result<()> {
    for (name, descr) in [("x.npy", PLAIN.to_owned()), ("y.npy", record(470))] {
        let quoted =
            if descr.starts_with('[') { descr.clone() } else { format!("'{descr}'") };
        let text = format!(
            "{{'descr': {quoted}, 'fortran_order': False, 'shape': (40, 100), }}"
        );
        let spaces = (10 + text.len() + 1).next_multiple_of(4) - 11 - text.len();
        let text = format!("{text}{:spaces$}\n", "");
        let len = u16::try_from(text.len()).map_err(std::io::Error::other)?.to_le_bytes();
        let header = [b"\x93NUMPY\x01\x00".as_slice(), &len, text.as_bytes()].concat();
        files.npy(name, &descr, (40, 100), Some(header))?;
    }
    Ok(())
}

fn make_growable(recorder: &mut Recorder<'_>) {
    for name in ["x.npy", "y.npy"] {
        recorder.make_growable(name);
        let mut array = recorder.open(name, Mode::ReadWrite);
        recorder.append(&mut array, 1);
        recorder.append(&mut array, 60);
        recorder.drop(array);
    }
}
