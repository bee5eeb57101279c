//! NumPy as a peer, in another process.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Value, json};
use test_support::python::Python;

use crate::rounds::Way;

/// A Python that runs `peer.py`.
pub struct Peer(RefCell<Python>);

impl Peer {
    /// Starts the Python that `NUMPY_PYTHON` names, if the variable is set.
    pub fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peer.py");
        Python::find(script).map(|python| Self(RefCell::new(python)))
    }

    /// Returns the version of NumPy.
    pub fn version(&self) -> String {
        self.ask("version", "", 1).0.as_str().unwrap_or("?").to_owned()
    }

    /// A way by a function of `peer.py`, which takes the time itself.
    pub fn way<'a>(&'a self, name: &'a str, work: &'static str, path: &Path) -> Way<'a> {
        let path = path.to_str().expect("the path is UTF-8").to_owned();
        Way::timing_itself(name, move |runs| {
            let (result, seconds) = self.ask(work, &path, runs);
            (result.as_f64().expect("a number"), seconds)
        })
    }

    /// Returns the last result and the seconds of all runs.
    fn ask(&self, work: &str, path: &str, runs: u32) -> (Value, f64) {
        let job = json!({ "do": work, "path": path, "runs": runs });
        let mut answer = self.0.borrow_mut().ask(&job);
        let seconds = answer["seconds"].as_f64().expect("Python answers by a number");
        (answer["result"].take(), seconds)
    }

    /// Ends the process, and checks that it succeeded.
    pub fn end(self) {
        self.0.into_inner().end();
    }
}
