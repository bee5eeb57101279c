//! What mapped arrays cost beside NumPy's, in another process on the same files.
//!
//! Runs if `NUMPY_PYTHON` names a Python that has NumPy; `.ci/steps/numpy` sees to that and
//! prints the table. Both sides take their time themselves, so that jobs and answers cost
//! nothing, in alternating rounds as in `mapped_vs_loaded`.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[cfg(target_os = "linux")]
#[path = "beside_numpy/large.rs"]
mod large;
#[path = "beside_numpy/peer.rs"]
mod peer;
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "other benchmarks have other paces and targets")]
mod rounds;
#[path = "mapped_vs_loaded/run.rs"]
mod run;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/table.rs"]
#[expect(dead_code, reason = "another benchmark has other peers")]
mod table;

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::peer::{job, numpy};
use crate::rounds::{Pace, Section, Target, Way};
use ndarray::ArrayRef1;
use ndarray_memmap::npy;
use ndarray_memmap::{MapOptions, MmapArray1, Mode, SyncToDisk};
use test_support::python::Python;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let Some(python) = peer::start() else { return Ok(()) };
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(parent)?;
    let len = if run::is_smoke() { 1 << 16 } else { 1 << 30 };
    let samples = [
        Sample::write(dir.path(), "1 KiB", 1 << 10)?,
        Sample::write(dir.path(), "1 GiB", len)?,
    ];
    #[cfg(target_os = "linux")]
    let large = large::Large::write(dir.path(), len)?;
    let mut sections = Vec::new();
    for sample in &samples {
        sections.extend(sample.openings(&python));
    }
    let [_, sample] = &samples;
    sections.push(sample.summing(&python));
    #[cfg(target_os = "linux")]
    sections.extend(large.sections(&sample.npy, &python));
    let numpy = python.borrow_mut().ask(&job("version", "", 1));
    println!("NumPy {}", numpy.get("result").and_then(|v| v.as_str()).unwrap_or("?"));
    run::run(&sections, dir.path());
    drop(sections);
    python.into_inner().end();
    Ok(())
}

/// The same numbers in a raw and in a `.npy` file.
struct Sample {
    name: &'static str,
    raw: PathBuf,
    npy: PathBuf,
}

impl Sample {
    /// Writes small whole numbers, whose sums are exact in every order, and syncs them, so
    /// that no writeback disturbs the measurements.
    fn write(dir: &Path, name: &'static str, len: usize) -> Result<Self, Box<dyn Error>> {
        let [raw, npy] = ["raw", "npy"].map(|kind| dir.join(name).with_extension(kind));
        let count = len / size_of::<f64>();
        let mut file = BufWriter::with_capacity(1 << 20, fs::File::create_new(&raw)?);
        for number in (0..=u16::MAX).cycle().take(count) {
            file.write_all(&f64::from(number).to_ne_bytes())?;
        }
        file.into_inner()?.sync_all()?;
        let sample = Self { name, raw, npy };
        // SAFETY: the folder belongs to this process, which has no other mapping.
        let mut array: MmapArray1<f64> = unsafe { npy::create(&sample.npy, count)? };
        array.view_mut()?.assign(&sample.open_raw());
        array.sync()?;
        Ok(sample)
    }

    fn open_raw(&self) -> MmapArray1<f64> {
        let options = MapOptions::new(Mode::ReadOnly);
        // SAFETY: the file is written, and all later accesses, NumPy's too, are reads.
        unsafe { options.open(&self.raw) }.expect("it opens")
    }

    fn open_npy(&self) -> MmapArray1<f64> {
        // SAFETY: as in `open_raw`.
        unsafe { npy::open(&self.npy, Mode::ReadOnly) }.expect("it opens")
    }

    /// Maps and looks at one element; NumPy's caches are warm only in a loop.
    fn openings<'a>(&'a self, python: &'a RefCell<Python>) -> [Section<'a>; 4] {
        let npy = |pace, how| Section {
            name: format!("first element of {}, .npy, {how}", self.name),
            pace,
            ways: vec![
                Way::new("npy::open", || first(&self.open_npy())),
                Way::new("bare mapping", || bare(&self.npy, DATA)),
                numpy("np.load, mmap_mode", python, "load_mapped_first", &self.npy)
                    .target(Target::AtLeast(8.0)),
            ],
        };
        let raw = |pace, how| Section {
            name: format!("first element of {}, raw, {how}", self.name),
            pace,
            ways: vec![
                Way::new("MapOptions::open", || first(&self.open_raw())),
                Way::new("bare mapping", || bare(&self.raw, 0)),
                numpy("np.memmap", python, "memmap_first", &self.raw)
                    .target(Target::AtLeast(3.0)),
            ],
        };
        let (single, many) = ("one at a time", "in a loop");
        [
            npy(Pace::Single, single),
            npy(Pace::Micro, many),
            raw(Pace::Single, single),
            raw(Pace::Micro, many),
        ]
    }

    fn summing<'a>(&'a self, python: &'a RefCell<Python>) -> Section<'a> {
        let faster = Target::AtLeast(1.2);
        Section {
            name: format!("open and sum of {}", self.name),
            pace: Pace::Slow,
            ways: vec![
                Way::new("npy::open", || self.open_npy().sum()),
                Way::new("MapOptions::open", || self.open_raw().sum()),
                numpy("np.load, mmap_mode", python, "load_mapped_sum", &self.npy)
                    .target(faster),
                numpy("np.memmap", python, "memmap_sum", &self.raw).target(faster),
                numpy("np.load", python, "load_sum", &self.npy)
                    .target(Target::AtLeast(4.0)),
                numpy("np.fromfile", python, "fromfile_sum", &self.raw)
                    .target(Target::AtLeast(4.0)),
            ],
        }
    }
}

/// Where the elements of the `.npy` files begin.
const DATA: usize = 128;

/// The floor: maps a file without reading a header.
fn bare(path: &Path, offset: usize) -> f64 {
    let file = fs::File::open(path).expect("it opens");
    // SAFETY: as in `open_raw`.
    let map = unsafe { memmap2::Mmap::map(&file) }.expect("it maps");
    let word = map.get(offset..).and_then(|bytes| bytes.first_chunk());
    f64::from_ne_bytes(*word.expect("it has an element"))
}

fn first(array: &ArrayRef1<f64>) -> f64 {
    array.first().copied().unwrap_or(f64::NAN)
}
