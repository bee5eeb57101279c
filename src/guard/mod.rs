//! Bus errors as errors: what becomes of a program whose mapped file goes away (Linux).
//!
//! An access to a mapped page that the file no longer has (it was made shorter), that has no
//! space (a hole, on a full disk) or cannot be read (the disk fails) raises `SIGBUS`, which
//! ends the process. An application that would rather go on can [`install`] this guard, once,
//! at its start, and open arrays with [`MapOptions::guarded`](crate::MapOptions::guarded). At
//! such a fault the guard puts pages of zeros in the place of what is lost, notes that, and
//! lets the thread go on:
//!
//! - [`MmapArray::fault`](crate::MmapArray::fault) tells whether that has happened; once it
//!   has, it stays so;
//! - [`MmapArray::guarded`](crate::MmapArray::guarded) runs a closure on the array and returns
//!   its result only if nothing was lost;
//! - `sync`, `append`, `resize`, `commit`, `rollback` and `refresh` are
//!   [`Error::Faulted`] from then on, and nothing is written.
//!
//! Only an application should install the guard, never a library: a process has one handler of
//! a signal. The guard hands all that is not its own to the handler that was there before, as
//! that of Rust's standard library. A program that sets its own handler afterwards calls
//! [`handle`] from it.
//!
//! It costs nothing while nothing is lost, but for less than 100 ns when an array is opened;
//! a guarded array keeps its file open.
//!
//! # What is replaced
//!
//! | the fault is | replaced is |
//! |---|---|
//! | past the end of the file | all from there to the end of the mapping |
//! | elsewhere: no space, or the disk fails | the page; at the 17th, all from there on |
//!
//! What is stored there is lost with the array, and takes memory until then. In mode `c`
//! private changes in what is replaced are lost too. Whole pages are replaced: an element that
//! lies in two of them can become half zeros. Where half an element could be an invalid value (a
//! packed struct with a `char`), opening with [`guarded`](crate::MapOptions::guarded) is an error.
//!
//! # What the guard does not change
//!
//! [The contract](crate#the-contract-of-a-mapping). Elements that turn into zeros while they
//! are borrowed are changes like any others: for Rust they must not happen, and what a program
//! computes from them means nothing. The guard sees to it that the result can be thrown away,
//! rather than the process.
//!
//! It sees bus errors alone. What gives none is not noticed: a file that is cut within a page,
//! or cut and grown again before anybody looks (for these, [`guarded`] compares the length
//! afterwards, and [`file_changed`] the time), and what the kernel itself reads from or writes
//! to the array in a system call, which is an error of that call. Nor is an access that the
//! compiler leaves out, since nobody wants its value.
//!
//! Signals other than `SIGBUS` wait while the handler runs. A `SIGBUS` that somebody sends goes
//! to the handler that was there before; that of the standard library gives the signal back to
//! the system then, so that a second one ends the process, as without the guard.
//!
//! [`guarded`]: crate::MmapArray::guarded
//! [`file_changed`]: crate::MmapArray::file_changed
//!
//! # Examples
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("table.f64");
//! use ndarray_memmap::{Error, MapOptions, Mode, guard};
//!
//! std::fs::write(&path, [0; 80_000])?;
//! # #[cfg(target_os = "linux")] {
//! guard::install()?;
//! let options = MapOptions::new(Mode::ReadOnly).guarded(true);
//! // SAFETY: the file is ours; that it is cut below is what the guard is for.
//! let a = unsafe { options.open::<f64>(&path)? };
//! assert_eq!(a.guarded(|a| a.sum())?, 0.0);
//! std::fs::File::options().write(true).open(&path)?.set_len(8)?;
//! assert!(matches!(a.guarded(|a| a.sum()), Err(Error::Faulted { offset: 4096 })));
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

use crate::error::{Error, Result};

/// What was lost of a guarded array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The byte of the file at which the first access failed.
    pub offset: u64,
    /// Why it failed.
    pub kind: FaultKind,
    /// How often something was replaced by zeros.
    pub count: usize,
}

/// Why an access to a mapped page failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// The file ends before it.
    PastEnd,
    /// The disk has no space for it, or cannot read it.
    Io,
}

/// Installs the guard for the whole process; does nothing if it is installed.
///
/// The guard stays until the process ends.
///
/// # Errors
///
/// [`Error::Io`] if the system refuses, and elsewhere than on Linux with pointers of 64 bits.
pub fn install() -> Result<()> {
    handler::install().map_err(Error::io("install the guard for", Path::new("")))
}

/// Tells whether the guard was installed; not whether another handler has replaced it since.
pub fn is_active() -> bool {
    handler::is_active()
}
