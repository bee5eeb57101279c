//! Parts of arrays: sweeps, gathers, regions, and the page cache.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::single_range_in_vec_init,
    clippy::unwrap_used,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod gathers;
mod page_cache;
mod regions;
mod sweeps;
