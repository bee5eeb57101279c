//! The costs of a mapped array, compared with a bare mapping and with loading.
//!
//! `cargo bench --bench mapped_vs_loaded` times every way by criterion, then compares the
//! ways in alternating rounds and prints the ratios beside their targets. `-- none` prints the
//! ratios only. `SECTION=npy` selects the sections about `.npy` files; `SECTION=guard`, with
//! `--features sigbus-guard` on Linux, those about guarded arrays.
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]

mod files;
#[cfg(all(feature = "sigbus-guard", target_os = "linux"))]
mod guard;
mod headers;
mod openings;
mod sections;
mod sums;
mod updates;
mod ways;

use std::error::Error;

use crate::files::{Files, Sizes};
use crate::headers::Headers;
use crate::sections::Opened;

fn main() -> Result<(), Box<dyn Error>> {
    let files = Files::write(&bench_common::size(Sizes::FULL, Sizes::SMOKE))?;
    let opened = Opened::open(&files)?;
    let headers = Headers::make();
    headers.refuse_nesting_fast();
    #[cfg(all(feature = "sigbus-guard", target_os = "linux"))]
    let arrays = guard::Arrays::open(&files)?;
    let mut sections = sections::all(&files, &opened);
    sections.extend(headers.sections());
    sections.extend(openings::sections(&files));
    #[cfg(all(feature = "sigbus-guard", target_os = "linux"))]
    sections.extend(arrays.sections());
    bench_common::run(&sections, files.folder.path());
    Ok(())
}
