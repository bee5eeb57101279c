//! Plots of mapped arrays beside loaded ones, as the README and the documentation show them.
//!
//! `cargo bench --bench plots` measures by criterion, then draws criterion's results into
//! `benches/plots/*.svg`. The plots show medians. Only the numbers change.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "sizes are constant"
)]

mod draw;
mod resident;

use std::error::Error;
use std::hint::black_box;
use std::iter::Sum;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bench_common::{ROW, Table};
use criterion::measurement::Measurement;
use criterion::{BenchmarkId, Criterion};
use ndarray::{Array2, ArrayRef2, Axis, Ix2};
use ndarray_memmap::{MmapArray2, Mode, npy};

use crate::draw::Plot;
use crate::resident::Resident;

/// MiB of the arrays; a MiB has 256 rows.
const SIZES: [usize; 4] = [1, 8, 64, 512];
/// The ways to open or load an array, in the order of the drawing.
const WAYS: [&str; 3] = ["mapped", "loaded", "read_npy"];
/// The ways to read an array that may be larger than memory.
const PASSES: [&str; 2] = ["swept", "loaded"];

/// Work on an array.
type Work = fn(&ArrayRef2<f64>) -> f64;

const WORKS: [(&str, &str, Work); 4] = [
    ("open", "open a file, read one element", |a| a[[0, 0]]),
    ("scan", "open a file, sum all elements", |a| a.sum()),
    ("random", "open a file, read 1,000 random elements", random),
    ("strided", "open a file, sum one column of 512", |a| a.column(7).sum()),
];

fn random(array: &ArrayRef2<f64>) -> f64 {
    let mut state: usize = 1;
    let elements = (0..1000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        array[[(state >> 33) % array.nrows(), (state >> 20) % ROW]]
    });
    elements.sum()
}

fn main() -> Result<(), Box<dyn Error>> {
    let parent = env!("CARGO_TARGET_TMPDIR");
    let folder = bench_common::folder(parent)?;
    let files = files(folder.path(), &SIZES[..bench_common::size(4, 1)])?;

    let results = Path::new(parent).join("criterion");
    let criterion = || Criterion::default().output_directory(&results).without_plots();
    let mut time = criterion().configure_from_args();
    for (name, _, work) in WORKS {
        measure(&mut time, name, &WAYS, &files, |way, path| {
            let start = Instant::now();
            black_box(run(way, path, work));
            start.elapsed()
        });
    }
    // Only Linux reports resident memory.
    let has_memory = cfg!(target_os = "linux");
    if has_memory {
        let mut memory = criterion().with_measurement(Resident).configure_from_args();
        measure(&mut memory, "memory", &PASSES, &files, |way, path| {
            let before = resident::bytes();
            peak(way, path).saturating_sub(before)
        });
    }
    if bench_common::is_smoke() {
        return Ok(());
    }
    let plots = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/plots");
    let times = WORKS.map(|(name, title, _)| {
        let (ways, unit, scale) = (&WAYS[..], "ms", 1e6);
        Plot { name, title, ways, unit, scale }
    });
    let (name, title) = ("memory", "memory to sum all elements");
    let (ways, unit, scale) = (&PASSES[..], "MiB", 1_048_576.0);
    let memory = Plot { name, title, ways, unit, scale };
    for plot in times.into_iter().chain(has_memory.then_some(memory)) {
        plot.draw(&results, &SIZES, &plots)?;
    }
    Ok(())
}

/// Writes a file of each size, and checks that all ways give the same results.
fn files(
    folder: &Path,
    sizes: &[usize],
) -> Result<Vec<(usize, PathBuf)>, Box<dyn Error>> {
    let file = |mib: &usize| -> Result<_, Box<dyn Error>> {
        let path = Table::write(folder, &mib.to_string(), Ix2(mib * 256, ROW))?.npy;
        for (name, _, work) in WORKS {
            let results = WAYS.map(|way| run(way, &path, work));
            assert!(results.iter().all(|x| *x == results[0]), "{name}: {results:?}");
        }
        Ok((*mib, path))
    };
    sizes.iter().map(file).collect()
}

fn map(path: &Path) -> MmapArray2<f64> {
    // SAFETY: the file is in a folder of this process, and all accesses are reads.
    unsafe { npy::open::<f64, Ix2>(path, Mode::ReadOnly) }.expect("it opens")
}

/// Opens a file in one way, works on the array, then closes and frees it.
fn run<T>(way: &str, path: &Path, work: impl FnOnce(&ArrayRef2<f64>) -> T) -> T {
    match way {
        "mapped" => work(&map(path)),
        "loaded" => work(&npy::load::<f64, Ix2>(path).expect("it is read")),
        _ => {
            let array: Result<Array2<f64>, _> = ndarray_npy::read_npy(path);
            work(&array.expect("it is read"))
        }
    }
}

/// Returns the largest resident memory during the sum of all elements.
fn peak(way: &str, path: &Path) -> u64 {
    let look = |rows: &ArrayRef2<f64>| {
        black_box(rows.sum());
        resident::bytes()
    };
    match way {
        "swept" => {
            let array = map(path);
            array
                .sweep(Axis(0), 8 << 20)
                .expect("it has rows")
                .map(|rows| look(&rows))
                .max()
                .unwrap_or(0)
        }
        way => run(way, path, look),
    }
}

fn measure<M: Measurement<Value: Sum>>(
    criterion: &mut Criterion<M>,
    name: &str,
    ways: &[&str],
    files: &[(usize, PathBuf)],
    once: impl Fn(&str, &Path) -> M::Value,
) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(800));
    for (mib, path) in files {
        for &way in ways {
            group.bench_function(BenchmarkId::new(way, mib), |b| {
                b.iter_custom(|runs| (0..runs).map(|_| once(way, path)).sum());
            });
        }
    }
    group.finish();
}
