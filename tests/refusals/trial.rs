//! The work of a child process: runs one scenario, then checks for leaks.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use ndarray_memmap::{Error, Result};

use crate::calls::FREE;
use crate::contents::Left;
use crate::kernel;
use crate::plan::Refusal;
use crate::scenarios::Scenario;

/// Separates the parts of a message.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// The context of a scenario.
#[derive(Debug)]
pub(crate) struct Trial {
    dir: PathBuf,
    /// Whether the operation is omitted, to record the files without it.
    is_idle: bool,
    /// The refused system call, if any.
    refused: Option<i64>,
    socket: OwnedFd,
    left: Cell<Left>,
}

/// The messages of panics in any thread.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl Trial {
    /// Returns the path of a file of the scenario.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns whether the operation is omitted.
    pub(crate) fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Returns whether this system call is refused.
    pub(crate) fn refuses(&self, number: i64) -> bool {
        self.refused == Some(number)
    }

    /// Sets the files that a failed operation may leave (default: the same as before).
    pub(crate) fn may_leave(&self, left: Left) {
        self.left.set(left);
    }

    /// Runs the operation, whose system calls may be refused.
    pub(crate) fn refused<T>(&self, operate: impl FnOnce() -> Result<T>) -> Result<T> {
        if self.is_idle {
            let source = io::Error::other("the operation was left out");
            return Err(source.into());
        }
        let listener = kernel::install_filter(FREE);
        kernel::send(self.socket.as_fd(), "begin", Some(listener.as_fd()));
        drop(listener);
        let go = kernel::receive(self.socket.as_fd());
        assert!(go.is_some(), "the supervisor is gone");
        let result = panic::catch_unwind(AssertUnwindSafe(operate));
        let said = match &result {
            Ok(Ok(_)) => "done".to_owned(),
            Err(_) => "panicked".to_owned(),
            Ok(Err(e)) => format!("failed{SEPARATOR}{}", described(e)),
        };
        kernel::send(self.socket.as_fd(), &said, None);
        result.unwrap_or_else(|panic| panic::resume_unwind(panic))
    }
}

/// Returns the text of an error and its causes.
fn described(error: &Error) -> String {
    let mut said = format!("{error} [{error:?}]");
    let mut cause = error.source();
    while let Some(e) = cause {
        said.push_str(&format!(": {e}"));
        cause = e.source();
    }
    said
}

/// Runs a scenario and sends its result; never returns.
pub(crate) fn play(
    scenario: &Scenario,
    dir: &Path,
    refusal: Option<&Refusal>,
    is_idle: bool,
    socket: OwnedFd,
) -> ! {
    kernel::die_with_parent();
    panic::set_hook(Box::new(|info| {
        PANICS.lock().unwrap().push(info.to_string().replace('\n', " "));
    }));
    let left = Cell::new(Left::Same);
    let refused = refusal.map(|refusal| refusal.kind.0);
    let trial = Trial { dir: dir.to_owned(), is_idle, refused, socket, left };
    let files = open_files();
    let _ = panic::catch_unwind(AssertUnwindSafe(|| (scenario.run)(&trial)));
    let mut complaints = std::mem::take(&mut *PANICS.lock().unwrap());
    complaints.extend(leaks(&files, dir));
    let mut said = format!("end{SEPARATOR}{}", trial.left.get().to_text());
    for complaint in complaints {
        said.push(SEPARATOR);
        said.push_str(&complaint);
    }
    kernel::send(trial.socket.as_fd(), &said, None);
    let _ = kernel::receive(trial.socket.as_fd());
    kernel::exit_now();
}

/// Returns the descriptors of this process and their targets.
fn open_files() -> BTreeMap<String, PathBuf> {
    let listed = fs::read_dir("/proc/self/fd").unwrap();
    let mut files = BTreeMap::new();
    for entry in listed {
        let entry = entry.unwrap();
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        // The listing includes the descriptor of the listed folder.
        if !target.ends_with("fd") {
            files.insert(entry.file_name().into_string().unwrap(), target);
        }
    }
    files
}

/// Finds leaked descriptors, mappings and threads.
fn leaks(before: &BTreeMap<String, PathBuf>, dir: &Path) -> Vec<String> {
    let mut leaks = Vec::new();
    for (number, target) in open_files() {
        if before.get(&number) != Some(&target) {
            leaks.push(format!("descriptor {number} is left, of {}", target.display()));
        }
    }
    let dir = dir.to_str().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let of_files =
        maps.lines().filter(|line| line.contains(dir) || line.contains("/memfd:"));
    leaks.extend(of_files.map(|line| format!("a mapping is left: {line}")));
    // The kernel lists a joined thread for a moment longer.
    for pause in [0, 1, 10, 100, 1000] {
        thread::sleep(Duration::from_millis(pause));
        if readers() == 0 {
            return leaks;
        }
    }
    leaks.push("a thread is left".to_owned());
    leaks
}

/// Counts the threads that the crate has started.
fn readers() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let names = threads
        .filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|name| name.trim() == "ndarray-memmap").count()
}
