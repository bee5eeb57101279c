//! Sweeps, gathers, scatters and `load` beside what one would do without them.
//!
//! `cargo bench --features rayon --bench larger_than_memory -- none` prints the ratios, as
//! in `mapped_vs_loaded`; without the feature the sections on two threads are left out. A
//! file is cold if none of it is in memory, which is made sure of before each run and not
//! timed. Linux alone.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")
)]

#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/pressure.rs"]
mod pressure;
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "other benchmarks have other paces and targets")]
mod rounds;
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/run.rs"]
mod run;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/scans.rs"]
mod scans;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/stores.rs"]
mod stores;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/table.rs"]
mod table;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let small = run::is_smoke();
    let parent = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(parent)?;
    let medium =
        table::Table::write(dir.path(), "1 GiB", if small { 1 << 20 } else { 1 << 30 })?;
    let large =
        table::Table::write(dir.path(), "4 GiB", if small { 1 << 21 } else { 4 << 30 })?;
    let small = table::Table::write(
        dir.path(),
        "64 MiB",
        if small { 1 << 20 } else { 64 << 20 },
    )?;
    let mut sections = scans::all(&medium, &large);
    sections.push(scans::by_advice(&small));
    sections.extend(stores::all(dir.path(), &medium));
    for table in [&medium, &large] {
        table.warm();
        let share = 100.0 * table.huge_share();
        println!("{}, read from end to end: {share:.0} % in pages of 2 MiB", table.name);
    }
    run::run(&sections, dir.path());
    drop(sections);
    match pressure::Pressure::of(1 << 30) {
        Some(_limit) => run::run(&scans::under_pressure(&large), dir.path()),
        None => println!("SKIPPED: under memory pressure, which needs a control group"),
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: only Linux tells what is in memory");
}
