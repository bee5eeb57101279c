//! NumPy's own results for `numpy.memmap`, case by case, from a file of cases.

#[path = "numpy_conformance/array.rs"]
mod array;
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
#[path = "numpy_conformance/op.rs"]
mod op;
#[path = "numpy_conformance/report.rs"]
mod report;
#[path = "numpy_conformance/trial.rs"]
mod trial;

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
    let group = |case: &Value| case["group"].as_str().unwrap().to_owned();
    let npy: Vec<_> =
        cases.iter().filter(|case| group(case).starts_with("npy-")).cloned().collect();
    assert!(!npy.is_empty());
    assert!(Report::of(&[]).verdict().is_err());
    assert!(Report::of(&npy).verdict().is_err());
    assert_eq!(Report::of(&npy).passed, 0);
}
