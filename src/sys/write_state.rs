//! Whether all writes through an open file have reached the disk, as far as the kernel says.
//!
//! The kernel reports a failed write once to each open file description, and may drop the data.
//! A forked child has the descriptions of its parent. So the report that one of them gets is
//! kept where both see it, and they take turns: a sync that succeeds in the one has missed no
//! failure that the other was told of.

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
    /// It was made, and has failed.
    Now(E),
    /// An earlier one had failed, which was noted and not reported yet.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "sync alone writes"))]
    Noted(io::Error),
    /// An earlier one has failed, and that was reported.
    Earlier,
}
