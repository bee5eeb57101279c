//! The costs of the guard: when an array is opened, and while it is used.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::error::Error;
use std::path::{Path, PathBuf};

use bench_common::Target::AtMost;
use bench_common::{Pace, Section, Way, first};
use ndarray_memmap::{MapOptions, MmapArray1, Mode};

use crate::files::Files;

/// The arrays that stay open.
pub(crate) struct Arrays {
    small: PathBuf,
    plain: MmapArray1<f64>,
    guarded: MmapArray1<f64>,
}

impl Arrays {
    pub(crate) fn open(files: &Files) -> Result<Self, Box<dyn Error>> {
        ndarray_memmap::guard::install()?;
        let large = files.folder.path().join("guarded");
        std::fs::write(&large, vec![0; bench_common::size(64 << 20, 1 << 16)])?;
        Ok(Self {
            small: files.small.raw.clone(),
            plain: open(&large, false)?,
            guarded: open(&large, true)?,
        })
    }

    pub(crate) fn sections(&self) -> [Section<'_>; 2] {
        let Self { small, plain, guarded } = self;
        let opened = |guarded| move || first(&open(small, guarded).expect("it opens"));
        [
            Section::new(
                "guard: open, first element and close of 1 KiB",
                Pace::Micro,
                vec![
                    Way::new("r+", opened(false)),
                    Way::new("r+, guarded", opened(true)).target(AtMost(1.02)),
                ],
            ),
            Section::new(
                "guard: sum of 64 MiB, warm",
                Pace::Milli,
                vec![
                    Way::new("r+", || plain.sum()),
                    Way::new("r+, guarded", || guarded.sum()).target(AtMost(1.03)),
                ],
            ),
        ]
    }
}

fn open(path: &Path, guarded: bool) -> ndarray_memmap::Result<MmapArray1<f64>> {
    let options = MapOptions::new(Mode::ReadWrite).guarded(guarded);
    // SAFETY: the file is in a folder of this process, and all accesses are reads.
    unsafe { options.open(path) }
}
