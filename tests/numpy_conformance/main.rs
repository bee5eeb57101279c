//! NumPy's own results for `numpy.memmap`, case by case, from a file of cases.

#[path = "numpy_conformance/array.rs"]
mod array;
#[path = "numpy_conformance/call.rs"]
mod call;
#[path = "numpy_conformance/case.rs"]
mod case;
#[path = "numpy_conformance/dtype.rs"]
mod dtype;
#[path = "numpy_conformance/element.rs"]
mod element;
#[path = "numpy_conformance/expect.rs"]
mod expect;
#[cfg(test)]
#[path = "numpy_conformance/falls_short.rs"]
mod falls_short;
#[path = "numpy_conformance/file.rs"]
mod file;
#[path = "numpy_conformance/json.rs"]
mod json;
#[path = "numpy_conformance/non_root.rs"]
mod non_root;
#[path = "numpy_conformance/npy.rs"]
mod npy;
#[path = "numpy_conformance/op.rs"]
mod op;
#[cfg(not(all(feature = "half", feature = "num-complex")))]
#[path = "numpy_conformance/plain.rs"]
mod plain;
#[path = "numpy_conformance/report.rs"]
mod report;
#[path = "numpy_conformance/trial.rs"]
mod trial;
#[path = "numpy_conformance/ways.rs"]
mod ways;

use std::env;
use std::path::PathBuf;

use serde_json::Value;

use report::Report;

fn default_cases() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/numpy_cases.json"))
}

#[test]
fn arrays_and_files_are_as_numpy_makes_them() {
    let path = env::var_os("NUMPY_CASES").map_or_else(default_cases, PathBuf::from);
    let report = Report::of(&report::read(&path).unwrap());
    println!("{}", report.summary());
    if let Err(reasons) = report.verdict() {
        panic!("{reasons}");
    }
}

/// Has an effect only in a process that another test has started.
#[test]
fn a_case_is_run_as_another_user_if_asked() {
    non_root::run_as_asked().unwrap();
}

#[test]
fn a_file_without_cases_that_run_is_an_error() {
    let cases = report::read(&default_cases()).unwrap();
    let typed_out = |case: &&Value| case["rust"]["advice"] == "typed-out";
    let skipped: Vec<_> = cases.iter().filter(typed_out).cloned().collect();
    assert!(!skipped.is_empty());
    assert!(Report::of(&[]).verdict().is_err());
    assert!(Report::of(&skipped).verdict().is_err());
    assert_eq!(Report::of(&skipped).passed(), 0);
}
