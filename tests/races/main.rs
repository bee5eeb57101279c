//! Two processes on one file, one of them paused at each of its system calls in turn, and six
//! processes that do everything at the same time.
//!
//! `windows` has the pairs, `tracer` pauses, `session` and `outside` have what a process does,
//! `verdict` what must hold afterwards. `storm` and `storm_part` are the six.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![expect(unsafe_code, reason = "files are mapped; processes are forked and traced")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small; helpers of tests"
)]

mod apart;
mod outside;
mod rows;
mod session;
mod storm;
mod storm_part;
mod tracer;
mod verdict;
mod windows;
