//! Headers whose row count gains a digit, at any place in a sector and in a page.

use std::io;

use ndarray_memmap::Mode;

use super::Scenario;
use crate::element::{PLAIN, record};
use crate::model::{FileModel, Format, Version};
use crate::preparation::{Preparation, numpy_header};
use crate::recorder::Recorder;

pub(crate) const SCENARIOS: &[Scenario] = &[
    Scenario::prepared("digits", prepare_plain, digits),
    Scenario::prepared("digits-at-512", |files| prepare_at(files, 512), push_to_all),
    Scenario::prepared("digits-at-1024", |files| prepare_at(files, 1024), push_to_all),
    Scenario::prepared("digits-at-4096", |files| prepare_at(files, 4096), push_to_all),
    Scenario::prepared("digits-at-8192", |files| prepare_at(files, 8192), push_to_all),
    Scenario::prepared("digits-tight", |files| prepare_tight_at(files, 512), push_to_all),
    Scenario::prepared("two-words", prepare_huge, two_words),
];

fn prepare_plain(files: &mut Preparation<'_>) -> io::Result<()> {
    for (name, count) in [("nine", 9), ("ninety-nine", 99), ("many", 998)] {
        files.npy(name, PLAIN, (count, 10), None)?;
    }
    Ok(())
}

fn digits(recorder: &mut Recorder<'_>) {
    for name in ["nine", "ninety-nine", "many"] {
        let mut array = recorder.open(name, Mode::ReadWrite);
        for _ in 0..3 {
            recorder.append(&mut array, 1);
        }
        recorder.sync(&array);
        recorder.append(&mut array, 1);
        recorder.resize(&mut array, 5);
        recorder.drop(array);
    }
}

/// Makes files whose row count begins around the byte `at`, with the header that NumPy writes.
fn prepare_at(files: &mut Preparation<'_>, at: usize) -> io::Result<()> {
    for (index, name) in NAMES.iter().enumerate() {
        // The places range from the whole shape before the boundary to the whole shape after it.
        let descr = record(at - 70 - 28 + 2 * index);
        files.npy(name, &descr, (99, 10), None)?;
    }
    Ok(())
}

const NAMES: [&str; 16] = [
    "00", "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13",
    "14", "15",
];

/// Makes files whose header has room for one more digit, but not for a whole 8-byte word.
fn prepare_tight_at(files: &mut Preparation<'_>, at: usize) -> io::Result<()> {
    for (index, name) in NAMES.iter().enumerate() {
        let descr = record(at - 70 - 20 + index);
        let text =
            format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (99, 10), }}");
        let len = (10 + text.len() + 3).next_multiple_of(4) - 10;
        let text = format!("{text:len$}");
        let text = format!("{}\n", &text[..len - 1]);
        let count = u16::try_from(len).map_err(io::Error::other)?.to_le_bytes();
        let header = [b"\x93NUMPY\x01\x00".as_slice(), &count, text.as_bytes()].concat();
        files.npy(name, &descr, (99, 10), Some(header))?;
    }
    Ok(())
}

fn push_to_all(recorder: &mut Recorder<'_>) {
    let mut arrays: Vec<_> =
        NAMES.iter().map(|name| recorder.open_growable(name)).collect();
    for array in &mut arrays {
        recorder.append(array, 1);
    }
    for array in arrays.iter().step_by(2) {
        recorder.sync(array);
    }
    for array in &mut arrays {
        recorder.append(array, 1);
    }
    recorder.settle();
}

const HUNDRED_MILLION: usize = 100_000_000;

/// Makes a file of zeros whose row count gains a ninth digit with the next rows.
fn prepare_huge(files: &mut Preparation<'_>) -> io::Result<()> {
    let count = HUNDRED_MILLION - 1;
    let path = files.root.join("huge");
    let header = numpy_header(PLAIN, (count, 1))?;
    std::fs::write(&path, &header)?;
    let file = std::fs::File::options().write(true).open(&path)?;
    file.set_len((header.len() + 4 * count) as u64)?;
    let format = Format::Npy { descr: PLAIN.to_owned() };
    let mut version = Version::new(format, 1, &[]);
    (version.first, version.now, version.counts) = (count, count, [count].into());
    files.files.insert("huge".to_owned(), FileModel::durable(version));
    Ok(())
}

fn two_words(recorder: &mut Recorder<'_>) {
    let mut array = recorder.open("huge", Mode::ReadWrite);
    for _ in 0..3 {
        recorder.append(&mut array, 1);
    }
    recorder.sync(&array);
    recorder.append(&mut array, 1);
    recorder.settle();
}
