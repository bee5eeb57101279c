//! Raw files: opening, layouts, modes, elements, reductions, errors, locks and threads.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod append_mode;
mod constructors;
mod dimensions;
mod elements;
mod endian;
mod errors;
mod failures;
mod files;
mod handle;
mod layout_oracle;
mod layouts;
#[cfg(target_os = "linux")]
mod lock_races;
mod locks;
mod modes;
mod operators;
mod reductions;
mod threads;
mod views;
