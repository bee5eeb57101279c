//! Whether all writes through an open file have reached the disk, as far as the kernel reports.
//!
//! The kernel reports a failed write once to each open file description, and may drop the data. A
//! forked child has the descriptions of its parent. So a report that one of these processes gets is
//! kept where both see it, and only one of them writes at a time. A sync that succeeds in one
//! process has missed no failure that the kernel reported to the other.

#[cfg(target_os = "linux")]
mod shared;
#[cfg(not(target_os = "linux"))]
mod single;

use std::io;

#[cfg(target_os = "linux")]
pub(crate) use shared::WriteState;
#[cfg(not(target_os = "linux"))]
pub(crate) use single::WriteState;

/// Why a write was not made or has failed.
#[derive(Debug)]
pub(crate) enum Failure<E> {
    /// The write was made, and has failed.
    Now(E),
    /// An earlier write has failed, which was noted and not reported yet.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "sync alone writes"))]
    Noted(io::Error),
    /// An earlier write has failed, which was reported.
    Earlier,
}
