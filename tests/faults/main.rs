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
    reason = "the numbers are small, and a panic is a failed test"
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
