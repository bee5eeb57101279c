//! Windows read by Dask: the test writes JSON, and two Dask processes map the rows.
//!
//! `NUMPY_PYTHON` names a Python that has Dask.
#![cfg(feature = "serde")]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

use ndarray::{Axis, IxDyn, ShapeBuilder};
use ndarray_memmap::npy::{Header, NpyElement, Options};
use ndarray_memmap::partition::{Partition, Window};
use ndarray_memmap::{Be, Le, MapOptions, MmapArrayD, Mode};
use serde_json::{Value, json};
use test_support::python::Python;

const SHAPES: [&[usize]; 3] = [&[101], &[13, 40], &[5, 6, 7]];

/// The numbers of parts: smaller and larger than the number of rows.
const PARTS: [usize; 4] = [1, 2, 7, 17];

fn fill<A>(array: &mut MmapArrayD<A>, number: fn(i32) -> A)
where
    A: NpyElement,
{
    let numbers = (0..).map(|i: i32| number(i * i % 8191 - 4000));
    for (element, number) in array.view_mut().unwrap().iter_mut().zip(numbers) {
        *element = number;
    }
    array.sync().unwrap();
}

/// Makes two processes sum the windows, and compares the sums with arrays mapped here.
fn compare<A: NpyElement>(python: &mut Python, windows: &[Window], get: fn(A) -> i64) {
    let answer = python.ask(&json!(windows));
    let mut sum = 0;
    for (i, window) in windows.iter().enumerate() {
        // SAFETY: the file is the test's own, and is only read.
        let rows = unsafe { window.open::<A, IxDyn>(Mode::ReadOnly) }.unwrap();
        let own: i64 = rows.iter().map(|x| get(*x)).sum();
        assert_eq!(answer["sums"][i], own, "{window:?}");
        assert_eq!(answer["shapes"][i], json!(window.shape()), "{window:?}");
        sum += own;
    }
    assert_eq!(answer["sum"], sum);
    assert_eq!(answer["shape"], json!(windows[0].full_shape()));
    let pids: BTreeSet<_> =
        answer["pids"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(pids.len(), windows.len().min(2), "{pids:?}");
    assert!(!pids.contains(&answer["client"].to_string()), "{pids:?}");
}

/// Makes a file of each kind, divides it, and returns how many windows were compared.
fn each<A: NpyElement>(
    python: &mut Python,
    dir: &Path,
    number: fn(i32) -> A,
    get: fn(A) -> i64,
) -> usize {
    let mut count = 0;
    for shape in SHAPES {
        for fortran in [false, true] {
            let axis = Axis(if fortran { shape.len() - 1 } else { 0 });
            let place = IxDyn(shape).set_f(fortran);
            let npy = dir.join("array.npy");
            let options =
                Options::new(Mode::Create).order(test_support::memory_order(fortran));
            // SAFETY: the file is the test's own.
            let created = unsafe { options.create::<A, _>(&npy, place.clone()) };
            fill(&mut created.unwrap(), number);
            let raw = dir.join("array.raw");
            let options = MapOptions::new(Mode::Create).offset(24).shape(place);
            // SAFETY: as above.
            let mut array = unsafe { options.open::<A>(&raw) }.unwrap();
            fill(&mut array, number);
            let header = Header::read(&File::open(&npy).unwrap()).unwrap();
            for parts in PARTS {
                let of_npy = Partition::new(&header, axis, parts).unwrap();
                let of_raw = Partition::from_layout::<A, _>(array.layout(), axis, parts);
                for windows in [of_npy.windows(&npy), of_raw.unwrap().windows(&raw)] {
                    compare(python, &windows, get);
                    count += windows.len();
                }
            }
        }
    }
    count
}

#[test]
#[ignore = "needs Python with Dask; run by .ci/steps/zarr-dask"]
fn two_workers_of_dask_sum_the_windows_that_are_described_to_them() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/dask_peer.py");
    let mut python = Python::start(script);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut count = each(&mut python, dir, |i| i, i64::from);
    let short = |i| Be::new(i16::try_from(i).unwrap());
    count += each::<Be<i16>>(&mut python, dir, short, |x| x.get().into());
    let long = |i: i32| Le::new(i64::from(i) << 30);
    count += each::<Le<i64>>(&mut python, dir, long, Le::get);
    python.end();
    println!("{count} windows have the same sum in two workers of Dask");
}
