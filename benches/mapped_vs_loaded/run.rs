//! Timing sections by criterion, then comparing their ways.

#[path = "smoke.rs"]
mod smoke;

use std::path::Path;
use std::time::Duration;

use criterion::Criterion;

pub(crate) use smoke::is_smoke;

use crate::report;
use crate::rounds::{Pace, Section};

/// Checks and times all sections, whose files are in `dir`.
///
/// Those alone whose names have the text of the variable `SECTION`, if it is set.
pub(crate) fn run(sections: &[Section<'_>], dir: &Path) {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let wanted = std::env::var("SECTION").unwrap_or_default();
    let sections: Vec<_> =
        sections.iter().filter(|section| section.name.contains(&wanted)).collect();
    for section in &sections {
        section.check();
        time(&mut criterion, section);
    }
    criterion.final_summary();
    if !is_smoke() {
        report::print(&sections, dir);
    }
}

fn time(criterion: &mut Criterion, section: &Section<'_>) {
    let samples = match section.pace {
        Pace::Single | Pace::Micro => 50,
        Pace::Milli | Pace::Slow => 10,
        Pace::Heavy | Pace::Once => return,
    };
    let mut group = criterion.benchmark_group(&section.name);
    group.sample_size(samples);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
    for way in &section.ways {
        group.bench_function(way.name, |b| b.iter_custom(|runs| way.time_all(runs)));
    }
    group.finish();
}
