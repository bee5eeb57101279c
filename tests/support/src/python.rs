//! A process that runs Python: jobs and answers are one line of JSON each.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

pub(crate) struct Python {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Python {
    /// Starts the Python that `NUMPY_PYTHON` names, if it does, with a script.
    pub(crate) fn start(script: &str) -> Option<Self> {
        let Some(python) = std::env::var_os("NUMPY_PYTHON") else {
            // Past the test runner, which keeps back what a passing test prints.
            let said = std::io::stderr().write_all(b"not run: NUMPY_PYTHON is not set\n");
            said.expect("there is somewhere to say so");
            return None;
        };
        Some(Self::run(python, script))
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

    pub(crate) fn ask(&mut self, job: &Value) -> Value {
        writeln!(self.to, "{job}").expect("the process reads");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the process answers");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?} to {job}: {e}"))
    }

    pub(crate) fn end(self) {
        let Self { mut child, to, from: _ } = self;
        // The end of its input is the end of the process.
        drop(to);
        assert!(child.wait().expect("it ends").success());
    }
}
