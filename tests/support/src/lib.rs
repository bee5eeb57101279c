//! Helpers shared by test programs, benchmarks and fuzz targets.
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
#[cfg(target_os = "linux")]
mod file_system;
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

/// Returns how many of `count` rounds a test makes: all, or one in `TEST_SAMPLE` of them.
///
/// Steps of `.ci` set the variable when they run the same tests again, elsewhere or more slowly.
pub fn sampled(count: usize) -> usize {
    let every =
        std::env::var("TEST_SAMPLE").map_or(1, |text| text.parse().expect("a number"));
    count.div_ceil(every)
}

/// Returns the memory order of a test's parameter.
pub fn memory_order(is_fortran: bool) -> ndarray::Order {
    if is_fortran { ndarray::Order::F } else { ndarray::Order::C }
}

pub use child::{command, in_own_process};
#[cfg(target_os = "linux")]
pub use file_system::{
    allocates, assert_unmappable, file_system, keep_mappable, maps_for_writing,
    wait_for_tick,
};
pub use place::{Place, map, open, text_at};
#[cfg(unix)]
pub use user::drop_privileges;
