//! Growing arrays and durable changes, beside the same work without them.
//!
//! `cargo bench --features rayon --bench growth -- none` prints the ratios; with
//! `NUMPY_PYTHON`, also those to the Python package npy-append-array. Linux only.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")
)]

#[cfg(target_os = "linux")]
mod durable;
#[cfg(target_os = "linux")]
mod pushes;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use bench_common::{Peer, Table, is_smoke, size};

    let folder = bench_common::folder(env!("CARGO_TARGET_TMPDIR"))?;
    let at = folder.path();
    let table = Table::write_raw(at, "1 GiB", Table::shape(size(1 << 30, 1 << 21)))?;
    let python = if is_smoke() { None } else { Peer::start() };
    let mut sections = pushes::all(at, size(100 << 20, 1 << 20), python.as_ref());
    sections.extend(durable::all(at, &table));
    bench_common::run(&sections, at);
    drop(sections);
    if let Some(python) = python {
        python.end();
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("SKIPPED: only Linux preallocates file space");
}
