//! A process that runs Python: each job and each answer is one line of JSON.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

pub struct Python {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the Python named by `NUMPY_PYTHON` with a script.
    pub fn start(script: &str) -> Self {
        Self::find(script).expect("NUMPY_PYTHON names a Python")
    }

    /// Starts the Python named by `NUMPY_PYTHON`, if set, with a script.
    pub fn find(script: &str) -> Option<Self> {
        Some(Self::run(std::env::var_os("NUMPY_PYTHON")?, script))
    }

    fn run(python: OsString, script: &str) -> Self {
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("NUMPY_PYTHON starts");
        let to = child.stdin.take().expect("it is piped");
        let from = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, to, from }
    }

    pub fn ask(&mut self, job: &Value) -> Value {
        writeln!(self.to, "{job}").expect("the process reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the process answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?} to {job}: {e}"))
    }

    pub fn end(self) {
        let Self { mut child, to, from: _ } = self;
        // The process ends at the end of its input.
        drop(to);
        assert!(child.wait().expect("it ends").success());
    }
}
