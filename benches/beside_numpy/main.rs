//! The costs of mapped arrays and of NumPy's, which another process opens on the same files.
//!
//! `cargo bench --features rayon --bench beside_numpy -- none` prints the ratios if
//! `NUMPY_PYTHON` names a Python that has NumPy, as in `.ci/steps/numpy`; otherwise the program
//! does nothing. Both sides take their time themselves, so that requests and answers do not
//! count.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

#[cfg(target_os = "linux")]
mod large;

use std::error::Error;
use std::path::Path;

use bench_common::Target::AtLeast;
use bench_common::{DATA, Pace, Peer, Sample, Section, Way, first, map, size};
use ndarray::Ix1;
use ndarray_memmap::npy;
use ndarray_memmap::{MapOptions, MmapArray1, Mode};

fn main() -> Result<(), Box<dyn Error>> {
    let Some(python) = Peer::start() else { return Ok(()) };
    let folder = bench_common::folder(env!("CARGO_TARGET_TMPDIR"))?;
    let at = folder.path();
    let len = size(1 << 30, 1 << 16);
    let small = Sample::write(at, "1 KiB", Ix1((1 << 10) / 8))?;
    let medium = Sample::write(at, "1 GiB", Ix1(len / 8))?;
    #[cfg(target_os = "linux")]
    let large = large::Large::write(at, len)?;
    let mut sections = Vec::new();
    for sample in [&small, &medium] {
        sections.extend(openings(sample, &python));
    }
    sections.push(summing(&medium, &python));
    #[cfg(target_os = "linux")]
    sections.extend(large.sections(&medium.npy, &python));
    println!("NumPy {}", python.version());
    bench_common::run(&sections, at);
    drop(sections);
    python.end();
    Ok(())
}

fn open_raw(sample: &Sample<Ix1>) -> MmapArray1<f64> {
    let options = MapOptions::new(Mode::ReadOnly);
    // SAFETY: all accesses to the file, NumPy's too, are reads.
    unsafe { options.open(&sample.raw) }.expect("it opens")
}

fn open_npy(sample: &Sample<Ix1>) -> MmapArray1<f64> {
    // SAFETY: as in `open_raw`.
    unsafe { npy::open(&sample.npy, Mode::ReadOnly) }.expect("it opens")
}

/// Maps and reads one element; NumPy's caches are warm only in a loop.
fn openings<'a>(sample: &'a Sample<Ix1>, python: &'a Peer) -> [Section<'a>; 4] {
    let numpy =
        |name, work, path, target| python.way(name, work, path).target(AtLeast(target));
    let npy = |pace, how| {
        let ways = vec![
            Way::new("npy::open", || first(&open_npy(sample))),
            Way::new("bare mapping", || bare(&sample.npy, DATA)),
            numpy("np.load, mmap_mode", "load_mapped_first", &sample.npy, 8.0),
        ];
        Section::new(format!("first element of {}, .npy, {how}", sample.name), pace, ways)
    };
    let raw = |pace, how| {
        let ways = vec![
            Way::new("MapOptions::open", || first(&open_raw(sample))),
            Way::new("bare mapping", || bare(&sample.raw, 0)),
            numpy("np.memmap", "memmap_first", &sample.raw, 3.0),
        ];
        Section::new(format!("first element of {}, raw, {how}", sample.name), pace, ways)
    };
    let (single, many) = ("one at a time", "in a loop");
    [
        npy(Pace::Single, single),
        npy(Pace::Micro, many),
        raw(Pace::Single, single),
        raw(Pace::Micro, many),
    ]
}

fn summing<'a>(sample: &'a Sample<Ix1>, python: &'a Peer) -> Section<'a> {
    let Sample { name, raw, npy, .. } = sample;
    let numpy =
        |name, work, path, target| python.way(name, work, path).target(AtLeast(target));
    Section::new(
        format!("open and sum of {name}"),
        Pace::Slow,
        vec![
            Way::new("npy::open", || open_npy(sample).sum()),
            Way::new("MapOptions::open", || open_raw(sample).sum()),
            numpy("np.load, mmap_mode", "load_mapped_sum", npy, 1.2),
            numpy("np.memmap", "memmap_sum", raw, 1.2),
            numpy("np.load", "load_sum", npy, 4.0),
            numpy("np.fromfile", "fromfile_sum", raw, 4.0),
        ],
    )
}

/// Maps a file without reading a header.
fn bare(path: &Path, offset: usize) -> f64 {
    let map = map(path).expect("it maps");
    let word = map.get(offset..).and_then(|bytes| bytes.first_chunk());
    f64::from_ne_bytes(*word.expect("it has an element"))
}
