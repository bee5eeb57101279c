//! Races between processes that share files.
//!
//! In one test, two processes share a file, and one is paused at each of its system calls in
//! turn. In the other, six processes run all operations at the same time.
//!
//! `windows` has the pairs, and `tracer` pauses a process. `session` and `outside` have the
//! operations of a process, and `verdict` the conditions that must hold afterwards. `storm` and
//! `storm_part` are the six processes.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
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
