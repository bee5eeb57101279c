//! Arrays that grow, and changes that become durable, beside what one would do without them.
//!
//! `cargo bench --bench growth -- none` prints the ratios, as in `mapped_vs_loaded`; those to
//! the Python package npy-append-array if `NUMPY_PYTHON` names a Python that has it. Linux
//! alone.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")
)]

#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[cfg(target_os = "linux")]
#[path = "growth/durable.rs"]
mod durable;
#[cfg(target_os = "linux")]
#[path = "beside_numpy/peer.rs"]
mod peer;
#[cfg(target_os = "linux")]
#[path = "growth/pushes.rs"]
mod pushes;
#[cfg(target_os = "linux")]
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "other benchmarks have other paces")]
mod rounds;
#[cfg(target_os = "linux")]
#[path = "mapped_vs_loaded/run.rs"]
mod run;
#[cfg(target_os = "linux")]
#[path = "larger_than_memory/table.rs"]
#[expect(dead_code, reason = "another benchmark has other ways to a table")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let parent = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(parent)?;
    let small = run::is_smoke();
    let total = if small { 1 << 20 } else { 100 << 20 };
    let len = if small { 1 << 21 } else { 1 << 30 };
    let table = table::Table::write(dir.path(), "1 GiB", len)?;
    let python = if small { None } else { peer::start() };
    let mut sections = pushes::all(dir.path(), total, python.as_ref());
    sections.extend(durable::all(dir.path(), &table));
    run::run(&sections, dir.path());
    drop(sections);
    if let Some(python) = python {
        python.into_inner().end();
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: only Linux reserves space for what is to come");
}
