//! Child processes that may die: this program runs one of its tests again in another role.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const PART: &str = "NDARRAY_MEMMAP_TEST_PART";
const FILE: &str = "NDARRAY_MEMMAP_TEST_FILE";
/// Printed by a process that survives its part.
pub(crate) const DONE: &str = "the part is played";

/// Returns the part of this process and its file if a test started it.
pub(crate) fn part() -> Option<(String, PathBuf)> {
    let part = env::var(PART).ok()?;
    // An expected death must leave no core dump.
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum }).unwrap();
    Some((part, PathBuf::from(env::var_os(FILE).unwrap())))
}

/// Prints that the part is complete.
pub(crate) fn done() {
    println!("\n{DONE}");
}

/// Returns a command that runs a test in its own process, with `part` and a file.
pub(crate) fn command<T: Fn()>(test: T, part: &str, file: &Path) -> Command {
    let mut command = test_support::command(test);
    command.env(PART, part).env(FILE, file).stdin(Stdio::null());
    // AddressSanitizer would exit instead of dying by the signal, and where memory ends.
    let signals = "handle_sigbus=0:handle_segv=0:handle_abort=0";
    command.env("ASAN_OPTIONS", format!("{signals}:allocator_may_return_null=1"));
    command
}

/// Runs a part in a process, and asserts that it succeeds.
#[track_caller]
pub(crate) fn passes<T: Fn()>(test: T, part: &str, file: &Path) {
    let output = command(test, part, file).output().expect("a child process");
    let is_done = output.status.success() && says(&output, DONE);
    assert!(is_done, "{part}: {}", described(&output));
}

/// Runs a part in a process, and asserts that a signal kills it.
#[track_caller]
pub(crate) fn dies<T: Fn()>(test: T, part: &str, file: &Path, signal: i32) -> Output {
    let output = command(test, part, file).output().expect("a child process");
    assert_eq!(output.status.signal(), Some(signal), "{part}: {}", described(&output));
    assert!(!says(&output, DONE), "{part}: {}", described(&output));
    output
}

fn says(output: &Output, words: &str) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(words)
}

fn described(output: &Output) -> String {
    let Output { status, stdout, stderr } = output;
    let (out, err) = (String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr));
    format!("the child ended with {status}\n{out}\n{err}")
}

/// Prints that only the fatal step remains.
pub(crate) fn done_first(what: &str) {
    println!("\nall but the end of {what}");
}

/// Returns whether a process reached [`done_first`].
pub(crate) fn has_done_first(output: &Output, what: &str) -> bool {
    says(output, &format!("all but the end of {what}"))
}
