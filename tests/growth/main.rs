//! Arrays that grow: raw and `.npy`, within one process and between several.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod growth;
mod growth_model;
mod growth_processes;
mod mounts;
mod order;
