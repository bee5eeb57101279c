//! Programs that break promises, to show that this is found.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::{Scenario, plain};
use crate::element::PLAIN;
use crate::model::FileModel;
use crate::recorder::{Recorder, numpy_header, rows};

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::prepared(
        "broken-header-first",
        |files| files.npy("x.npy", PLAIN, (30, 100), None),
        header_before_rows,
    )
    .broken(),
    Scenario::prepared(
        "broken-no-sync",
        |files| files.npy("x.npy", PLAIN, (30, 100), None),
        durable_without_sync,
    )
    .broken(),
    Scenario::prepared(
        "broken-no-rename",
        |files| files.npy("x.npy", PLAIN, (30, 100), None),
        replaced_in_place,
    )
    .broken(),
];

/// Appends rows, and counts them before they are there.
fn header_before_rows(recorder: &mut Recorder<'_>) {
    for count in (30..90).step_by(15) {
        let stamp = recorder.new_stamp();
        let path = recorder.path("x.npy");
        let added = rows(stamp, count..count + 15, 100);
        let may_do = |model: &mut FileModel| model.last().resize(count + 15, stamp);
        let append = || {
            let file = File::options().write(true).open(&path).expect("the file opens");
            let header = numpy_header(PLAIN, (count + 15, 100)).expect("a header");
            file.write_all_at(&header, 0).expect("the header can be written");
            let bytes: Vec<u8> = added.iter().flat_map(|cell| cell.0.to_ne_bytes()).collect();
            let at = (header.len() + count * 400) as u64;
            file.write_all_at(&bytes, at).expect("rows can be written");
            Ok(())
        };
        recorder.call("header, then rows", "x.npy", may_do, append, |_| ());
    }
}

/// Claims that rows are durable which were only stored.
fn durable_without_sync(recorder: &mut Recorder<'_>) {
    let mut array = recorder.open("x.npy", ndarray_memmap::Mode::ReadWrite);
    recorder.store(&mut array, 10..30);
    recorder.call("no sync", "x.npy", |_| (), || Ok(()), FileModel::sync);
    recorder.settle();
}

/// Claims that a file is replaced as a whole which is written over.
fn replaced_in_place(recorder: &mut Recorder<'_>) {
    let path = recorder.path("x.npy");
    let stamp = recorder.new_stamp();
    let new = crate::model::Version::new(plain(), 100, &[stamp; 60]);
    let replace = || {
        let mut bytes = numpy_header(PLAIN, (60, 100)).expect("a header");
        let rows = rows(stamp, 0..60, 100);
        bytes.extend(rows.iter().flat_map(|cell| cell.0.to_ne_bytes()));
        fs::write(&path, bytes).expect("the file can be written");
        Ok(())
    };
    recorder.call("replace", "x.npy", |model| model.versions.push(new), replace, |_| ());
    recorder.settle();
}
