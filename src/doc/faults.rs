//! What can happen to a mapped file, and what becomes of the program.
//!
//! Each row is a test in `tests/`, and the step `faults` of `.ci/run` runs them all, with NumPy
//! at its side.
//!
//! TABLE
//!
//! # The guard
//!
//! The module `guard`, with the feature `sigbus-guard`, on Linux. An application calls its
//! `install` once and opens arrays with `guarded(true)`; when a bus error happens in one of
//! them, zeros take the place of what is lost, the thread goes on, and the array says so:
//!
//! | | without the guard | with it |
//! |---|---|---|
//! | an access to what is lost | the process ends | reads zeros; what is stored there is lost |
//! | `array.fault()` | – | where the first fault was, why, and how many there were |
//! | `array.guarded(\|view\| ..)` | the result | the result, or [`Error::Faulted`] |
//! | `sync`, `append`, `commit` and the like | as ever | [`Error::Faulted`], and nothing is written |
//! | any other access | as ever | as ever: no instruction more |
//! | opening | as ever | less than 100 ns more, and the file stays open |
//!
//! It costs an application its `SIGBUS` handler: what is not the guard's goes to the handler
//! that was there before. A library has no business to install it.

#[cfg(doc)]
use crate::Error;
