//! Windows of one array for several processes.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod partitions;
mod two_caches;
mod windows_json;
