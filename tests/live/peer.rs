//! The process that runs NumPy: what it is asked and what it answers.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::case::{Case, hex};

/// The process that runs NumPy, and the file that both sides work on.
pub(crate) struct Peer {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pub(crate) path: PathBuf,
    /// Combinations compared so far.
    pub(crate) count: usize,
}

impl Peer {
    pub(crate) fn start(python: OsString, dir: &Path) -> Self {
        let mut child = Command::new(python)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/numpy_peer.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        Self { child, to, from, path: dir.join("array"), count: 0 }
    }

    pub(crate) fn ask(&mut self, job: &Value) -> Value {
        writeln!(self.to, "{job}").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?}: {e}"))
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
        let Self { mut child, to, .. } = self;
        // The end of its input is the end of the process.
        drop(to);
        assert!(child.wait().unwrap().success());
    }
}
