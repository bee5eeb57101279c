//! The harness of the benchmarks: alternating rounds, costs, test files, tables.
//!
//! [`run`] checks that all ways of a section have the same result, times each way by
//! criterion, then compares the ways in alternating rounds and prints their ratios beside the
//! targets. A filter that matches nothing, as in `-- none`, prints the ratios only.
//!
//! A package of its own rather than a module, since each program uses a part of it.
#![expect(
    missing_docs,
    missing_debug_implementations,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "sizes are small and constant, and a panic is a failed benchmark"
)]

mod cost;
mod disk;
#[cfg(target_os = "linux")]
mod page_cache;
mod peer;
mod report;
mod rounds;
mod sample;

use std::fs;
use std::io;
use std::path::Path;

use criterion::Criterion;
use tempfile::TempDir;

pub use peer::Peer;
pub use rounds::{Pace, Section, Target, Way};
pub use sample::{
    DATA, ROW, ROW_LEN, Sample, Table, counter, fill, first, floats, indices, map,
    number, write_words,
};

/// Returns whether the benchmark runs once, without measuring.
#[must_use]
pub fn is_smoke() -> bool {
    // As criterion decides: without `--bench`, as under `cargo test`, it times nothing.
    let asked = |flag: &str| std::env::args().any(|arg| arg == flag);
    !asked("--bench") || asked("--test") || asked("--list")
}

/// Returns `full`, or `smoke` if the benchmark runs once, without measuring.
pub fn size<T>(full: T, smoke: T) -> T {
    if is_smoke() { smoke } else { full }
}

/// Creates a folder in `parent` that is removed with its files when it is dropped.
pub fn folder(parent: &str) -> io::Result<TempDir> {
    fs::create_dir_all(parent)?;
    tempfile::tempdir_in(parent)
}

/// Checks and measures all sections, whose files are in `folder`.
///
/// If the variable `SECTION` is set, runs only the sections whose names contain its text.
pub fn run(sections: &[Section<'_>], folder: &Path) {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let text = std::env::var("SECTION").unwrap_or_default();
    let sections: Vec<_> =
        sections.iter().filter(|section| section.name.contains(&text)).collect();
    for section in &sections {
        section.check();
        section.time(&mut criterion);
    }
    criterion.final_summary();
    if !is_smoke() && !sections.is_empty() {
        report::print(&sections, folder);
    }
}
