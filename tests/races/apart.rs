//! Separate processes: this program run again for one test, and forks of that process.

use std::any::type_name;
use std::env;
use std::fs;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

const CHILD: &str = "NDARRAY_MEMMAP_TEST_CHILD";
/// How many seconds an operation may take: a longer one is considered a deadlock.
pub(crate) const PATIENCE: u32 = 10;

/// Runs the work of a test in its own process, so that it may fork.
///
/// The only other thread of this process is the test runner, which waits for the test.
pub(crate) fn alone<T: Fn()>(_: T, work: impl FnOnce()) {
    if env::var_os(CHILD).is_some() {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        assert!(status.contains("Threads:\t2\n"), "{status}");
        work();
        return;
    }
    let name = type_name::<T>().split_once("::").expect("a path").1;
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--include-ignored"]);
    command.arg("--test-threads=1").env(CHILD, "1").env("RUST_BACKTRACE", "0");
    command.stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{errors}", output.status);
    assert!(said.contains("1 passed"), "another number of tests\n{said}");
    println!("{said}");
}

/// Forks a process that does some work and ends; the work must not return by a panic.
pub(crate) fn fork(work: impl FnOnce()) -> i32 {
    // SAFETY: the other thread of this process waits and holds no lock, see `alone`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: the call has no preconditions.
        let _ = unsafe { libc::alarm(PATIENCE) };
        work();
        // SAFETY: the call has no preconditions; this process has nothing to clean up.
        unsafe { libc::_exit(0) };
    }
    pid
}

/// Waits until a process changes its state, and returns the status of `waitpid`.
pub(crate) fn wait(pid: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` is valid for the write of an integer.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid, "{}", io::Error::last_os_error());
    status
}

/// Describes an end other than an exit with code 0.
pub(crate) fn bad_end(status: i32) -> Option<String> {
    if libc::WIFSIGNALED(status) {
        return Some(match libc::WTERMSIG(status) {
            libc::SIGALRM => format!("hangs for {PATIENCE} s"),
            libc::SIGBUS => "SIGBUS".to_owned(),
            signal => format!("signal {signal}"),
        });
    }
    Some(format!("exit code {}", libc::WEXITSTATUS(status))).filter(|_| status != 0)
}

/// Where a process reports its steps, line by line.
#[derive(Debug)]
pub(crate) struct Said(pub(crate) io::PipeWriter);

impl Said {
    pub(crate) fn say(&mut self, line: &str) {
        self.0.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(crate) fn fd(&self) -> u64 {
        u64::from(self.0.as_raw_fd().unsigned_abs())
    }
}

/// Returns the lines that a process has written so far.
pub(crate) fn heard(pipe: &mut PipeReader) -> Vec<String> {
    let fd = pipe.as_raw_fd();
    // SAFETY: the descriptor is open.
    let set = unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK) };
    assert_eq!(set, 0);
    let mut bytes = Vec::new();
    match pipe.read_to_end(&mut bytes) {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
        read => drop(read.unwrap()),
    }
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}
