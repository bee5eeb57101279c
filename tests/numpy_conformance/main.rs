//! Compares this crate with NumPy's own results for `numpy.memmap`, from a file of cases.

mod array;
mod call;
mod case;
mod dtype;
mod element;
mod expect;
#[cfg(test)]
mod falls_short;
mod file;
mod json;
mod non_root;
mod npy;
mod op;
#[cfg(not(all(feature = "half", feature = "num-complex")))]
mod plain;
mod report;
mod trial;
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

#[cfg(unix)]
#[test]
#[ignore = "needs a request; run by the tests that have cases for another user than root"]
fn a_case_is_run_as_another_user() {
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
