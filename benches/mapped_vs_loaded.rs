//! What a mapped array costs beside a bare mapping, and what it saves beside loading.
//!
//! `cargo bench --bench mapped_vs_loaded` times every way by criterion, then compares the
//! ways in alternating rounds and prints the ratios beside their targets. A filter that
//! matches nothing, as in `cargo bench --bench mapped_vs_loaded -- none`, prints the ratios
//! alone. Before anything is timed, all ways of a section must give the same result.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]

#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[path = "mapped_vs_loaded/files.rs"]
mod files;
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "other benchmarks have other paces")]
mod rounds;
#[path = "mapped_vs_loaded/run.rs"]
mod run;
#[path = "mapped_vs_loaded/sections.rs"]
mod sections;
#[path = "mapped_vs_loaded/sums.rs"]
mod sums;
#[path = "mapped_vs_loaded/updates.rs"]
mod updates;
#[path = "mapped_vs_loaded/ways.rs"]
mod ways;

use std::error::Error;

use crate::files::{Files, Sizes};
use crate::sections::Opened;

fn main() -> Result<(), Box<dyn Error>> {
    let files = Files::write(if run::is_smoke() { &Sizes::SMOKE } else { &Sizes::FULL })?;
    let opened = Opened::open(&files)?;
    let sections = sections::all(&files, &opened);
    run::run(&sections, files.dir());
    Ok(())
}
