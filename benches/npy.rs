//! What `.npy` files cost beside bare mappings and other readers.
//!
//! `cargo bench --bench npy` times every way by criterion, then compares the ways in
//! alternating rounds, as `mapped_vs_loaded` does. A filter that matches nothing, as in
//! `cargo bench --bench npy -- none`, prints the ratios alone. Before anything is timed,
//! all ways of a section must give the same result.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]

#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[path = "npy/headers.rs"]
mod headers;
#[path = "npy/openings.rs"]
mod openings;
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "the other benchmark has slower sections")]
mod rounds;
#[path = "mapped_vs_loaded/run.rs"]
mod run;

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::headers::Headers;
use crate::openings::Files;

fn main() -> Result<(), Box<dyn Error>> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(parent)?;

    let headers = Headers::make(run::is_smoke());
    headers.refuse_nesting_fast();
    let files = Files::write(dir.path(), run::is_smoke())?;
    let mut sections = headers.sections();
    sections.extend(files.sections());
    run::run(&sections, dir.path());
    Ok(())
}
