//! What is done with large files, beside NumPy (Linux).
#![expect(clippy::indexing_slicing, reason = "the sizes are known")]
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::cell::RefCell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use ndarray::{Axis, Ix1};
use ndarray_memmap::{MapOptions, MmapArray2, Mode, SyncToDisk, npy};

use crate::numpy;
use crate::rounds::{Pace, Section, Target, Way};
use crate::table::{ROW, Table, indices};
use test_support::python::Python;

const BLOCK: usize = 16 << 20;
const NEVER_SLOWER: Target = Target::AtLeast(1.0);

/// The files.
pub(crate) struct Large {
    medium: Table,
    large: Table,
    new: PathBuf,
}

impl Large {
    /// Writes tables of `len` bytes and of four times as many.
    pub(crate) fn write(dir: &Path, len: usize) -> io::Result<Self> {
        let table = |name, len| Table::write(dir, name, len);
        Ok(Self {
            medium: table("table of 1 GiB", len)?,
            large: table("table of 4 GiB", 4 * len)?,
            new: dir.join("new"),
        })
    }

    /// Lists what is compared; `npy` has the numbers of the smaller table.
    pub(crate) fn sections<'a>(
        &'a self,
        npy: &'a Path,
        python: &'a RefCell<Python>,
    ) -> Vec<Section<'a>> {
        let Self { medium, large, new } = self;
        let numpy =
            |name, what, path, target| numpy(name, python, what, path).target(target);
        let section = |name: String, ways| Section { name, pace: Pace::Heavy, ways };
        vec![
            section(
                format!("load and sum of {}, warm", medium.name),
                vec![
                    Way::new("npy::load", move || {
                        npy::load::<f64, Ix1>(npy).expect("it loads").sum()
                    }),
                    numpy("np.load", "load_sum", npy, NEVER_SLOWER),
                ],
            ),
            section(
                format!("cold sum of {} in bounded memory", large.name),
                vec![
                    Way::new("sweep", || sweep(large)).after(|| large.chill()),
                    numpy("np.memmap", "memmap_sum", &large.path, Target::AtLeast(1.4))
                        .after(|| large.chill()),
                ],
            ),
            section(
                format!("sum of {}, warm", medium.name),
                vec![
                    Way::new("sweep", || sweep(medium)).after(|| medium.warm()),
                    #[cfg(feature = "rayon")]
                    Way::new("sweep, 2 threads", || parallel_sweep(medium))
                        .after(|| medium.warm()),
                    numpy("np.memmap", "memmap_sum", &medium.path, Target::AtLeast(1.2))
                        .after(|| medium.warm()),
                ],
            ),
            section(
                format!("1000 random elements of {}, warm", medium.name),
                vec![
                    Way::new("MapOptions::open", move || {
                        let array = medium.open(Mode::ReadOnly);
                        let indices = indices(1000, medium.rows());
                        indices.into_iter().map(|row| array[[row, row % ROW]]).sum()
                    })
                    .after(|| medium.warm()),
                    numpy("np.memmap", "memmap_pick", &medium.path, NEVER_SLOWER)
                        .after(|| medium.warm()),
                ],
            ),
            section(
                format!("new file of {}, filled and durable", medium.name),
                vec![
                    Way::new("Create, sweep_mut + sync", move || fill(new, medium)),
                    numpy(
                        "np.memmap, w+ and flush",
                        "memmap_fill",
                        new,
                        Target::AtLeast(1.3),
                    ),
                ],
            ),
            section(
                format!("1 % of {} changed privately, warm", medium.name),
                vec![
                    Way::new("CopyOnWrite", move || {
                        Table::change(&mut medium.open(Mode::CopyOnWrite), -1.0)
                    })
                    .after(|| medium.warm()),
                    numpy("np.load + change", "load_change", npy, Target::AtLeast(10.0))
                        .after(|| medium.warm()),
                    numpy("np.memmap, c", "memmap_change", &medium.path, NEVER_SLOWER)
                        .after(|| medium.warm()),
                ],
            ),
        ]
    }
}

fn sweep(table: &Table) -> f64 {
    table.open(Mode::ReadOnly).sweep(Axis(0), BLOCK).map(|block| block.sum()).sum()
}

#[cfg(feature = "rayon")]
fn parallel_sweep(table: &Table) -> f64 {
    use rayon::prelude::*;

    let array = table.open(Mode::ReadOnly);
    array.sweep(Axis(0), BLOCK).into_par_iter().map(|block| block.sum()).sum()
}

fn fill(path: &Path, table: &Table) -> f64 {
    let _ = fs::remove_file(path);
    let options = MapOptions::new(Mode::CreateNew).shape((table.rows(), ROW));
    // SAFETY: the folder belongs to this benchmark, and NumPy is not at work.
    let array = unsafe { options.open(path) };
    let mut array: MmapArray2<f64> = array.expect("it is created");
    let sweep = array.sweep_mut(Axis(0), BLOCK).expect("it can be changed");
    sweep.for_each(|mut block| block.fill(1.5));
    array.sync().expect("it is written");
    array[[7, 7]]
}
