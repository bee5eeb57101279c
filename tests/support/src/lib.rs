//! What several test programs, benchmarks and fuzz targets need.
#![expect(
    missing_docs,
    missing_debug_implementations,
    reason = "the interface is that of tests"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::len_without_is_empty,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "the numbers are small, and a panic is a failed test"
)]

mod child;
pub mod generate;
pub mod history;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub mod kernel;
pub mod layout_case;
pub mod npy_common;
mod place;
pub mod python;
pub mod twelve;
#[cfg(unix)]
mod user;

pub use child::{command, in_own_process};
pub use place::{Place, map, open};
#[cfg(unix)]
pub use user::become_nobody;
