//! The source and its documentation: imports, unsafe code, and the tests named by chapters.
#![expect(
    clippy::unwrap_used,
    reason = "the numbers are small, and a panic is a failed test"
)]

mod chapters;
mod layers;
