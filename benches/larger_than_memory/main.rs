//! Sweeps, gathers, scatters and `load` beside the same work without them.
//!
//! `cargo bench --features rayon --bench larger_than_memory -- none` prints the ratios;
//! without the feature the sections on two threads are missing. No page of a cold file is
//! cached: each run begins with eviction and a check, which are not timed. Linux only.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")
)]

#[cfg(target_os = "linux")]
mod pressure;
#[cfg(target_os = "linux")]
mod scans;
#[cfg(target_os = "linux")]
mod stores;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use bench_common::{Table, run, size};

    let folder = bench_common::folder(env!("CARGO_TARGET_TMPDIR"))?;
    let at = folder.path();
    let small = Table::write_raw(at, "64 MiB", Table::shape(size(64 << 20, 1 << 20)))?;
    let medium = Table::write(at, "1 GiB", Table::shape(size(1 << 30, 1 << 20)))?;
    let large = Table::write_raw(at, "4 GiB", Table::shape(size(4 << 30, 1 << 21)))?;
    let mut sections = scans::all(&medium, &large);
    sections.push(scans::by_advice(&small));
    sections.extend(stores::all(at, &medium));
    for table in [&medium, &large] {
        table.warm();
        let share = 100.0 * scans::huge_share(table);
        println!("{}, read from end to end: {share:.0} % in pages of 2 MiB", table.name);
    }
    run(&sections, at);
    drop(sections);
    match pressure::Pressure::of(1 << 30) {
        Some(_limit) => run(&[scans::under_pressure(&large)], at),
        None => println!("SKIPPED: under memory pressure, which needs a control group"),
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: only Linux reports which pages are cached");
}
