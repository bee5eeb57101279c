//! The other process: what NumPy is asked to do, and how long it says that took.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Value, json};

use crate::rounds::Way;
use test_support::python::Python;

/// Starts NumPy, if there is one.
pub(crate) fn start() -> Option<RefCell<Python>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/beside_numpy/peer.py");
    Python::find(script).map(RefCell::new)
}

/// A way that NumPy goes.
pub(crate) fn numpy<'a>(
    name: &'a str,
    python: &'a RefCell<Python>,
    what: &'static str,
    path: &Path,
) -> Way<'a> {
    let path = path.to_str().expect("the path is UTF-8").to_owned();
    Way::timing_itself(name, move |runs| {
        let answer = python.borrow_mut().ask(&job(what, &path, runs));
        let number = |key| answer.get(key).and_then(Value::as_f64);
        let number = |key| number(key).expect("NumPy answers by a number");
        (number("result"), number("seconds"))
    })
}

pub(crate) fn job(what: &str, path: &str, runs: u32) -> Value {
    json!({ "do": what, "path": path, "runs": runs })
}
