//! The behaviour of an array when something under it fails, one row of a table for each failure.
//!
//! `tests/faults/rows` has the rows. `.ci/steps/faults` runs them all, including the ones that
//! need root and their own disks, runs the same in NumPy, and prints the table.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod child;
mod disk;
mod disks;
#[cfg(feature = "sigbus-guard")]
mod guarded;
#[cfg(feature = "sigbus-guard")]
mod guarded_disks;
mod interrupts;
mod lengths;
mod limits;
mod opening;
mod processes;
mod rows;
mod syncs;

use std::path::Path;
use std::thread;
use std::time::Duration;

use ndarray::Dimension;
use ndarray_memmap::{Element, Error, ErrorKind, MapOptions, MmapArray, Result};
use rustix::io::Errno;

/// Opens a file that a test is going to change.
fn open<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: some tests break the contract in order to test the result. They do so in a process
    // that must die of it, or while no reference into the file lives.
    unsafe { options.open(path) }
}

/// Waits until a change gives a file a new modification time.
fn later() {
    thread::sleep(Duration::from_millis(50));
}

/// Asserts that an error has an error number of the operating system.
#[track_caller]
fn assert_errno(error: &Error, doing: &[&str], errno: Errno) {
    match error.kind() {
        ErrorKind::Io { action, source, .. } => {
            assert_eq!(Errno::from_io_error(source), Some(errno), "{error:?}");
            assert!(doing.contains(action), "{error:?}");
        }
        _ => panic!("{error:?}"),
    }
}
