//! Tests that need their own process or a second process.

use std::any::type_name;
use std::env;
use std::process::{Command, Output};

const CHILD: &str = "NDARRAY_MEMMAP_TEST_CHILD";

/// Runs `body`, which is the whole test, in a process that runs no other test.
///
/// The limits, descriptors, signals and threads of that process belong to this test alone.
pub fn in_own_process<T: Fn()>(test: T, body: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        body();
    } else {
        run_in_child(test);
    }
}

/// Returns a command that runs one test of this program in another process.
pub fn command<T: Fn()>(_: T) -> Command {
    let test = type_name::<T>().split_once("::").expect("a path").1;
    let mut command = Command::new(env::current_exe().expect("the path of the test"));
    command.args([test, "--exact", "--include-ignored"]);
    command.args(["--nocapture", "--test-threads=1"]);
    command
}

fn run_in_child<T: Fn()>(test: T) {
    let output = command(test).env(CHILD, "1").output();
    let Output { status, stdout, stderr } = output.expect("a child process");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "the child ended with {status}\n{out}\n{err}");
    assert!(out.contains("1 passed"), "the child ran another number of tests\n{out}");
}
