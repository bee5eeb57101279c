//! Reports bus errors in mapped files as errors, and keeps the process alive (Linux).
//!
//! The kernel raises `SIGBUS` if a thread accesses a mapped page that
//!
//! - the file no longer has, because the file was truncated,
//! - has no space, because the page is a hole on a full disk, or
//! - cannot be read, because the disk fails.
//!
//! `SIGBUS` ends the process. An application that must continue can [`install`] this guard once,
//! at its start, and open arrays with [`MapOptions::guarded`](crate::MapOptions::guarded). On a
//! fault the guard replaces the lost pages by zeros, records the fault, and lets the thread
//! continue:
//!
//! - [`MmapArray::fault`](crate::MmapArray::fault) returns the recorded fault; the record is
//!   permanent.
//! - [`MmapArray::try_with`](crate::MmapArray::try_with) runs a closure on the array and returns
//!   its result only if nothing was lost.
//! - After a fault, `sync`, `append`, `resize`, `commit`, `rollback` and `refresh` return
//!   [`ErrorKind::Faulted`] and write nothing.
//!
//! Only an application should install the guard, never a library: a process has one handler for
//! each signal. The guard passes all other bus errors to the previous handler, such as the
//! handler of Rust's standard library. A program that later sets its own handler must call
//! [`handle`] from the new handler.
//!
//! Without a fault the guard costs less than 100 ns when an array is opened, and no other time.
//! A guarded array keeps its file open.
//!
//! # Replaced pages
//!
//! | fault | replaced pages |
//! |---|---|
//! | past the end of the file | all pages from the end of the file to the end of the mapping |
//! | elsewhere: no space, or the disk fails | the page; at the 17th, all pages from there on |
//!
//! Values stored in replaced pages take memory, and are lost when the array is dropped. In mode
//! `c`, private changes in replaced pages are lost too. The guard replaces whole pages: an
//! element that lies in two pages can become half zeros. Half an element of some types could be
//! an invalid value (a packed struct with a `char`). For these types, opening with
//! [`guarded`](crate::MapOptions::guarded) is an error.
//!
//! # Limits of the guard
//!
//! The guard does not relax [the contract](crate#the-contract-of-a-mapping). An element that
//! becomes zero while it is borrowed is a change like any other: Rust forbids the change, and
//! results computed from the element are meaningless. The guard lets the program discard the
//! result and continue.
//!
//! The guard detects only bus errors. The guard does not detect:
//!
//! - A file that is truncated within a page, or truncated and extended again before the next
//!   access. [`try_with`] compares the length afterwards, and [`file_changed`] the time.
//! - Reads and writes of the array by the kernel in a system call. This call returns an error.
//! - An access that the compiler removes because its value is unused.
//!
//! Signals other than `SIGBUS` are blocked while the handler runs. A `SIGBUS` that a process sends
//! goes to the previous handler. The handler of the standard library then restores the default
//! action. A second `SIGBUS` therefore ends the process, as without the guard.
//!
//! [`try_with`]: crate::MmapArray::try_with
//! [`file_changed`]: crate::MmapArray::file_changed
//!
//! # Examples
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("table.f64");
//! use ndarray_memmap::{ErrorKind, MapOptions, Mode, guard};
//!
//! std::fs::write(&path, [0; 80_000])?;
//! # #[cfg(target_os = "linux")] {
//! guard::install()?;
//! let options = MapOptions::new(Mode::ReadOnly).guarded(true);
//! // SAFETY: only this example accesses the file, and truncates the file to show the guard.
//! let a = unsafe { options.open::<f64>(&path)? };
//! assert_eq!(a.try_with(|a| a.sum())?, 0.0);
//! std::fs::File::options().write(true).open(&path)?.set_len(8)?;
//! let error = a.try_with(|a| a.sum()).unwrap_err();
//! assert!(matches!(error.kind(), ErrorKind::Faulted { offset: 4096 }));
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod handler;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[path = "unsupported.rs"]
mod handler;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod slots;

pub(crate) use handler::Registration;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
pub use handler::handle;

use std::path::Path;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{Error, Result};

/// The first fault of a guarded array, and the number of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The byte offset in the file at which the first access failed.
    pub offset: u64,
    /// The reason for the failure.
    pub kind: FaultKind,
    /// The number of times that the guard replaced pages by zeros.
    pub count: usize,
}

/// The reason why an access to a mapped page failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The file ends before the page.
    PastEnd,
    /// The disk has no space for the page, or cannot read the page.
    Io,
}

/// Installs the guard for the whole process; does nothing if the guard is already installed.
///
/// The guard stays installed until the process ends.
///
/// # Errors
///
/// [`ErrorKind::Io`] if the system call fails, and on all platforms except Linux with 64-bit pointers.
pub fn install() -> Result<()> {
    handler::install().map_err(Error::io("install the guard for", Path::new("")))
}

/// Returns whether the guard was installed, even if another handler has replaced it since.
pub fn is_active() -> bool {
    handler::is_active()
}
