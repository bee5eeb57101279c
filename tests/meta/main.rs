//! The source and its documentation: imports, unsafe code, and the tests that chapters name.
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "the numbers are small, and a panic is a failed test"
)]

mod chapters;
mod floors;
