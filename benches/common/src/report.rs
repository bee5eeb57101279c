//! The table of ratios, and the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::rounds::{Outcome, Section, Target, Way};

/// Compares section by section and prints.
pub(crate) fn print(sections: &[&Section<'_>], folder: &Path) {
    println!("\n{}", machine(folder));
    println!("median of alternating rounds, closing and freeing included");
    println!("ratio to the first of each section, with quartiles");
    println!("bytes read and written by the block device, which other processes use too");
    for section in sections {
        println!("\n{}", section.name);
        let outcomes = section.compare();
        let costs = section.costs(folder);
        for ((way, outcome), cost) in section.ways.iter().zip(outcomes).zip(costs) {
            println!("{}", line(way, &outcome));
            if let Some(cost) = cost {
                println!("    {cost}");
            }
        }
    }
}

fn line(way: &Way<'_>, outcome: &Outcome) -> String {
    let [_, ratio, _] = outcome.ratio;
    let (target, met) = match way.target {
        Target::Unset => (String::new(), None),
        Target::AtMost(most) => (format!("<= {most:.2}"), Some(ratio <= most)),
        Target::AtLeast(least) => (format!(">= {least:.2}"), Some(ratio >= least)),
    };
    let verdict = met.map_or("", |met| if met { "ok" } else { "MISSED" });
    let [low, ratio, high] = outcome.ratio.map(digits);
    let range = format!("({low} to {high})");
    let time = seconds(outcome.median);
    let name = way.name;
    let line =
        format!("  {name:<26}{time:>10}{ratio:>9} {range:<18} {target:<8} {verdict}");
    line.trim_end().to_owned()
}

fn digits(ratio: f64) -> String {
    if ratio < 100.0 { format!("{ratio:.3}") } else { format!("{ratio:.0}") }
}

fn seconds(time: f64) -> String {
    match time {
        ..1e-6 => format!("{:.1} ns", time * 1e9),
        ..1e-3 => format!("{:.2} µs", time * 1e6),
        ..1.0 => format!("{:.2} ms", time * 1e3),
        _ => format!("{time:.2} s"),
    }
}

fn machine(folder: &Path) -> String {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} {}, {}, {cores} cores, built for {} with {}",
        std::env::consts::OS,
        kernel.trim_end(),
        file_system(folder).unwrap_or_else(|| "unknown file system".to_owned()),
        std::env::consts::ARCH,
        target_features(),
    )
}

/// Finds the type of the innermost mount that holds `folder` (Linux).
fn file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((PathBuf::from(fields.next()?), fields.next()?))
    });
    // The later of two mounts in one place hides the earlier.
    mounts
        .filter(|(place, _)| folder.starts_with(place))
        .max_by_key(|(place, _)| place.components().count())
        .map(|(_, kind)| kind.to_owned())
}

/// Names the vector instructions that the compiler may use.
fn target_features() -> String {
    let known = [
        (cfg!(target_feature = "sse2"), "sse2"),
        (cfg!(target_feature = "ssse3"), "ssse3"),
        (cfg!(target_feature = "avx2"), "avx2"),
        (cfg!(target_feature = "avx512f"), "avx512f"),
        (cfg!(target_feature = "neon"), "neon"),
        (cfg!(target_feature = "sve"), "sve"),
    ];
    let used: Vec<_> =
        known.iter().filter(|(used, _)| *used).map(|(_, name)| *name).collect();
    used.join(" ")
}
