//! The process that runs NumPy: its requests and answers.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::case::Case;
use crate::elements::hex;
use test_support::python::Python;

/// The process that runs NumPy, and the file that both sides work on.
pub(crate) struct Peer {
    python: Python,
    pub(crate) path: PathBuf,
    /// Combinations compared so far.
    pub(crate) count: usize,
}

impl Peer {
    pub(crate) fn start(dir: &Path) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/numpy_peer.py");
        let python = Python::start(script);
        Self { python, path: dir.join("array"), count: 0 }
    }

    pub(crate) fn ask(&mut self, job: &Value) -> Value {
        self.python.ask(job)
    }

    pub(crate) fn open(&mut self, case: &Case, mode: &str) -> Value {
        let Case { dtype, order, offset, shape, .. } = case;
        self.ask(&json!({
            "do": "open", "path": self.path, "dtype": dtype, "mode": mode,
            "offset": offset, "shape": shape, "order": order,
        }))
    }

    pub(crate) fn assign(&mut self, elements: &[u8]) {
        let elements = hex(elements);
        let array = self.ask(&json!({ "do": "assign", "hex": elements }));
        assert_eq!(array["hex"], elements);
    }

    pub(crate) fn flush(&mut self) -> Value {
        self.ask(&json!({ "do": "flush" }))
    }

    pub(crate) fn look(&mut self) -> Value {
        self.ask(&json!({ "do": "look" }))
    }

    pub(crate) fn close(&mut self) {
        assert_eq!(self.ask(&json!({ "do": "close" })), json!({}));
    }

    pub(crate) fn end(self) {
        self.python.end();
    }
}
