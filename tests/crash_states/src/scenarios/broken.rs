//! Programs that break promises, to show that the checks detect them.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::{Scenario, plain};
use crate::element::{PLAIN, rows};
use crate::model::{FileModel, Version};
use crate::preparation::{Preparation, numpy_header};
use crate::recorder::Recorder;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::prepared("broken-order", prepare, wrong_order).broken(),
    Scenario::prepared("broken-no-sync", prepare, durable_without_sync).broken(),
    Scenario::prepared("broken-no-rename", prepare, replaced_in_place).broken(),
];

fn prepare(files: &mut Preparation<'_>) -> std::io::Result<()> {
    files.npy("x.npy", PLAIN, (60, 100), None)
}

fn open(recorder: &Recorder<'_>) -> File {
    let path = recorder.path("x.npy");
    File::options().write(true).open(path).expect("the file opens")
}

fn write_rows(file: &File, stamp: u32, range: std::ops::Range<usize>) {
    let added = rows(stamp, range.clone(), 100);
    let bytes: Vec<u8> = added.iter().flat_map(|cell| cell.0.to_ne_bytes()).collect();
    file.write_all_at(&bytes, (128 + range.start * 400) as u64)
        .expect("rows can be written");
}

fn write_header(file: &File, count: usize) {
    let header = numpy_header(PLAIN, (count, 100)).expect("a header");
    file.write_all_at(&header, 0).expect("the header can be written");
}

/// Counts rows before it writes them, and removes rows while the header still counts them.
fn wrong_order(recorder: &mut Recorder<'_>) {
    let mut file = open(recorder);
    for count in [75, 90, 50, 80, 40, 95, 30, 45] {
        let before = recorder.model("x.npy").last().now;
        let stamp = recorder.new_stamp();
        let may_do = |model: &mut FileModel| model.last().resize(count, stamp);
        if count < before {
            let cut = || {
                file.set_len((128 + count * 400) as u64).expect("it can be truncated");
                Ok(())
            };
            recorder.call("cut, then header", "x.npy", may_do, cut, |_| ());
            write_header(&file, count);
        } else {
            let append = || {
                write_header(&file, count);
                write_rows(&file, stamp, before..count);
                Ok(())
            };
            recorder.call("header, then rows", "x.npy", may_do, append, |_| ());
        }
        file = open(recorder);
    }
    recorder.settle();
}

/// Claims that rows are durable after only storing them.
fn durable_without_sync(recorder: &mut Recorder<'_>) {
    let file = open(recorder);
    for start in 0..12 {
        let stamp = recorder.new_stamp();
        let range = start..start + 30;
        let may_do = |model: &mut FileModel| {
            range.clone().for_each(|row| model.last().store(row, stamp))
        };
        let write = || {
            write_rows(&file, stamp, range.clone());
            Ok(())
        };
        recorder.call("write without sync", "x.npy", may_do, write, FileModel::sync);
    }
    recorder.settle();
}

/// Claims that a file is replaced atomically, but overwrites it in place.
fn replaced_in_place(recorder: &mut Recorder<'_>) {
    let file = open(recorder);
    for _ in 0..12 {
        let stamp = recorder.new_stamp();
        let new = Version::new(plain(), 100, &[stamp; 60]);
        let replace = || {
            write_rows(&file, stamp, 0..60);
            Ok(())
        };
        recorder.call(
            "replace",
            "x.npy",
            |model| model.versions.push(new),
            replace,
            |_| (),
        );
    }
    recorder.settle();
}
