//! Data on disk: sync, commit, drafts, space and full disks.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod commit_faults;
mod commits;
mod drafts;
mod each_file_system;
mod file_systems;
mod forks;
#[cfg(target_os = "linux")]
mod mounted;
mod refused_calls;
mod scatter_faults;
mod space;
mod sync;
mod sync_errors;
