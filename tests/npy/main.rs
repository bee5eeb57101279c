//! `.npy` files: headers, types, opening and creating.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    unsafe_code,
    reason = "files are mapped, the numbers are small, and a panic is a failed test"
)]

mod npy_append;
mod npy_created;
mod npy_descr;
mod npy_differential;
mod npy_errors;
mod npy_files;
mod npy_headers;
mod npy_options;
mod npy_records;
mod npy_round_trip;
mod npy_save;
mod npy_streams;
mod npy_types;
