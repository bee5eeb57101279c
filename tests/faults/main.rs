//! What happens when something fails under an array, one row of a table each.
//!
//! `tests/faults/rows` has the rows; `.ci/steps/faults` runs them all, those that need root
//! and disks of their own too, has NumPy do the same, and prints the table.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![expect(unsafe_code, reason = "files are mapped; processes fork and are interrupted")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "the numbers are small; helpers of tests"
)]

#[path = "faults/child.rs"]
mod child;
mod common;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/disks.rs"]
mod disks;
#[cfg(feature = "sigbus-guard")]
#[path = "faults/guarded.rs"]
mod guarded;
#[cfg(feature = "sigbus-guard")]
#[path = "faults/guarded_disks.rs"]
mod guarded_disks;
#[path = "faults/interrupts.rs"]
mod interrupts;
#[path = "common/kernel.rs"]
mod kernel;
#[path = "faults/lengths.rs"]
mod lengths;
#[path = "faults/limits.rs"]
mod limits;
mod npy_common;
#[path = "faults/opening.rs"]
mod opening;
#[path = "faults/processes.rs"]
mod processes;
#[path = "faults/rows.rs"]
mod rows;
#[path = "faults/syncs.rs"]
mod syncs;

use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use ndarray::Dimension;
use ndarray_memmap::{Element, Error, MapOptions, MmapArray, Result};
use rustix::io::Errno;

/// Opens a file that something is going to happen to.
fn open<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: some tests break the contract, since what comes of that is what they are about:
    // in a process that is to die of it, or while no reference into the file lives.
    unsafe { options.open(path) }
}

/// Says, past the test runner, that a test has done nothing.
fn not_run(why: &str) {
    let said = std::io::stderr().write_all(format!("not run: {why}\n").as_bytes());
    said.expect("there is somewhere to say so");
}

/// Waits until a change gives a file another time of modification.
fn later() {
    thread::sleep(Duration::from_millis(50));
}

/// Makes sure that an error is the system's own.
#[track_caller]
fn assert_errno(error: &Error, doing: &[&str], errno: Errno) {
    match error {
        Error::Io { action, source, .. } => {
            assert_eq!(Errno::from_io_error(source), Some(errno), "{error:?}");
            assert!(doing.contains(action), "{error:?}");
        }
        _ => panic!("{error:?}"),
    }
}
