//! What a mapped array costs beside a bare mapping, and what it saves beside loading.
//!
//! `cargo bench --bench mapped_vs_loaded` times every way by criterion, then compares the
//! ways in alternating rounds and prints the ratios beside their targets. A filter that
//! matches nothing, as in `cargo bench --bench mapped_vs_loaded -- none`, prints the ratios
//! alone. Before anything is timed, all ways of a section must give the same result.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]

#[path = "mapped_vs_loaded/files.rs"]
mod files;
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[path = "mapped_vs_loaded/rounds.rs"]
mod rounds;
#[path = "mapped_vs_loaded/sections.rs"]
mod sections;
#[path = "mapped_vs_loaded/ways.rs"]
mod ways;

use std::error::Error;
use std::time::Duration;

use criterion::Criterion;

use crate::files::{Files, Sizes};
use crate::rounds::{Pace, Section};
use crate::sections::Opened;

fn main() -> Result<(), Box<dyn Error>> {
    // As criterion decides: without `--bench`, as under `cargo test`, nothing is timed.
    let asked = |flag: &str| std::env::args().any(|arg| arg == flag);
    let smoke = !asked("--bench") || asked("--test") || asked("--list");

    let files = Files::write(if smoke { &Sizes::SMOKE } else { &Sizes::FULL })?;
    let opened = Opened::open(&files)?;
    let sections = sections::all(&files, &opened);

    let mut criterion = Criterion::default().without_plots().configure_from_args();
    for section in &sections {
        section.check();
        time(&mut criterion, section);
    }
    criterion.final_summary();
    if !smoke {
        report::print(&sections, files.dir());
    }
    Ok(())
}

fn time(criterion: &mut Criterion, section: &Section<'_>) {
    let samples = match section.pace {
        Pace::Micro => 50,
        Pace::Milli | Pace::Slow => 10,
        Pace::Once => return,
    };
    let mut group = criterion.benchmark_group(&section.name);
    group.sample_size(samples);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
    for way in &section.ways {
        group.bench_function(way.name, |b| b.iter(&way.run));
    }
    group.finish();
}
