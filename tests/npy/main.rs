//! `.npy` files: headers, types, opening and creating.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod npy_created;
mod npy_descr;
mod npy_differential;
mod npy_files;
mod npy_headers;
mod npy_records;
mod npy_round_trip;
mod npy_types;
