//! What reaches the disk: sync, commit, drafts, space, full disks and power cuts.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small, and a panic is a failed test"
)]

mod commits;
mod drafts;
mod file_systems;
mod power_cut;
mod space;
mod sync;
