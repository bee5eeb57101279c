//! What the guard costs: when an array is opened, and while it is used.
//!
//! `cargo bench --features sigbus-guard --bench guard -- none` prints the ratios, as in
//! `mapped_vs_loaded`.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]
#![cfg_attr(
    not(all(feature = "sigbus-guard", target_os = "linux")),
    expect(dead_code, unused_imports, reason = "there is no guard")
)]
#![cfg_attr(
    all(feature = "sigbus-guard", target_os = "linux"),
    expect(
        unsafe_code,
        clippy::indexing_slicing,
        reason = "files that are known are mapped"
    )
)]

#[path = "mapped_vs_loaded/costs.rs"]
mod costs;
#[path = "mapped_vs_loaded/report.rs"]
mod report;
#[path = "mapped_vs_loaded/rounds.rs"]
#[expect(dead_code, reason = "other benchmarks have other paces and targets")]
mod rounds;
#[path = "mapped_vs_loaded/run.rs"]
mod run;

use std::error::Error;
use std::fs;
use std::path::Path;

use ndarray_memmap::{MapOptions, MmapArray1, Mode};

use crate::rounds::{Pace, Section, Target, Way};

#[cfg(all(feature = "sigbus-guard", target_os = "linux"))]
fn main() -> Result<(), Box<dyn Error>> {
    ndarray_memmap::guard::install()?;
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(parent)?;
    let dir = tempfile::tempdir_in(parent)?;
    let [small, large] = ["small", "large"].map(|name| dir.path().join(name));
    fs::write(&small, vec![0; 1024])?;
    fs::write(&large, vec![0; if run::is_smoke() { 1 << 16 } else { 64 << 20 }])?;
    let open = |path, guarded| {
        let options = MapOptions::new(Mode::ReadWrite).guarded(guarded);
        // SAFETY: the files are in a folder of this process alone, and are not changed.
        let array: MmapArray1<f64> = unsafe { options.open(path) }.expect("it opens");
        array
    };
    let first = |path, guarded| move || open(path, guarded)[0];
    let arrays = [false, true].map(|guarded| open(&large, guarded));
    let [plain, guarded] = &arrays;
    let sections = [
        Section {
            name: "open, first element and close of 1 KiB".to_owned(),
            pace: Pace::Micro,
            ways: vec![
                Way::new("r+", first(&small, false)),
                Way::new("r+, guarded", first(&small, true)).target(Target::AtMost(1.02)),
            ],
        },
        Section {
            name: "sum of 64 MiB, warm".to_owned(),
            pace: Pace::Milli,
            ways: vec![
                Way::new("r+", || plain.sum()),
                Way::new("r+, guarded", || guarded.sum()).target(Target::AtMost(1.03)),
            ],
        },
    ];
    run::run(&sections, dir.path());
    Ok(())
}

#[cfg(not(all(feature = "sigbus-guard", target_os = "linux")))]
fn main() {
    println!("SKIPPED: there is no guard without `sigbus-guard` and Linux");
}
