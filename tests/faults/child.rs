//! Processes that may die: this program once more, running one test, which plays a part there.

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const PART: &str = "NDARRAY_MEMMAP_TEST_PART";
const FILE: &str = "NDARRAY_MEMMAP_TEST_FILE";
/// Said by a process that has outlived what it was to do.
pub(crate) const DONE: &str = "the part is played";

/// What this process is to do, and with which file, if a test has started it.
pub(crate) fn part() -> Option<(String, PathBuf)> {
    let part = env::var(PART).ok()?;
    // A death that is expected leaves nothing behind.
    let maximum = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum }).unwrap();
    Some((part, PathBuf::from(env::var_os(FILE).unwrap())))
}

/// Says that the part has been played.
pub(crate) fn done() {
    println!("\n{DONE}");
}

/// Makes the command that runs a test in a process of its own, to do `part` with a file.
pub(crate) fn command<T: Fn()>(test: T, part: &str, file: &Path) -> Command {
    let mut command = test_support::command(test);
    command.env(PART, part).env(FILE, file).stdin(Stdio::null());
    // AddressSanitizer would exit instead of dying by the signal, and where memory ends.
    let signals = "handle_sigbus=0:handle_segv=0:handle_abort=0";
    command.env("ASAN_OPTIONS", format!("{signals}:allocator_may_return_null=1"));
    command
}

/// Has a process play its part, and makes sure that it comes to the end of it.
#[track_caller]
pub(crate) fn passes<T: Fn()>(test: T, part: &str, file: &Path) {
    let output = command(test, part, file).output().expect("a child process");
    let is_done = output.status.success() && says(&output, DONE);
    assert!(is_done, "{part}: {}", described(&output));
}

/// Has a process play its part, and makes sure that a signal is the end of it.
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

/// Says that all is done but what is to be the end.
pub(crate) fn done_first(what: &str) {
    println!("\nall but the end of {what}");
}

/// Tells whether a process came as far as that.
pub(crate) fn has_done_first(output: &Output, what: &str) -> bool {
    says(output, &format!("all but the end of {what}"))
}
