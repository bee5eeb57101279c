//! Work on large files, beside NumPy (Linux).
#![expect(clippy::arithmetic_side_effects, reason = "sizes are small and constant")]

use std::io;
use std::path::{Path, PathBuf};

use bench_common::Target::AtLeast;
use bench_common::{Pace, Peer, ROW, Section, Table, Way, fill, indices};
use ndarray::Ix1;
use ndarray_memmap::{Mode, PageCache, npy};

/// The files.
pub(crate) struct Large {
    medium: Table,
    large: Table,
    new: PathBuf,
}

impl Large {
    /// Writes tables of `len` bytes and of four times as many.
    pub(crate) fn write(folder: &Path, len: usize) -> io::Result<Self> {
        let table = |name, len| Table::write_raw(folder, name, Table::shape(len));
        Ok(Self {
            medium: table("table of 1 GiB", len)?,
            large: table("table of 4 GiB", 4 * len)?,
            new: folder.join("new"),
        })
    }

    /// Lists the sections; `npy` has the numbers of the smaller table.
    pub(crate) fn sections<'a>(
        &'a self,
        npy: &'a Path,
        python: &'a Peer,
    ) -> Vec<Section<'a>> {
        let Self { medium, large, new } = self;
        let numpy = |name, work, path, target| {
            python.way(name, work, path).target(AtLeast(target))
        };
        let section = |name: String, ways| Section::new(name, Pace::Heavy, ways);
        vec![
            section(
                format!("load and sum of {}, warm", medium.name),
                vec![
                    Way::new("npy::load", move || {
                        npy::load::<f64, Ix1>(npy).expect("it loads").sum()
                    }),
                    numpy("np.load", "load_sum", npy, 1.0),
                ],
            ),
            section(
                format!("cold sum of {} in bounded memory", large.name),
                vec![
                    large.cold("sweep", || large.sweep(PageCache::AsFound)),
                    numpy("np.memmap", "memmap_sum", &large.raw, 1.4)
                        .after(|| large.chill()),
                ],
            ),
            section(
                format!("sum of {}, warm", medium.name),
                vec![
                    medium.warmed("sweep", || medium.sweep(PageCache::AsFound)),
                    #[cfg(feature = "rayon")]
                    medium.warmed("sweep, 2 threads", || parallel_sweep(medium)),
                    numpy("np.memmap", "memmap_sum", &medium.raw, 1.2)
                        .after(|| medium.warm()),
                ],
            ),
            section(
                format!("1000 random elements of {}, warm", medium.name),
                vec![
                    medium.warmed("MapOptions::open", || pick(medium)),
                    numpy("np.memmap", "memmap_pick", &medium.raw, 1.0)
                        .after(|| medium.warm()),
                ],
            ),
            section(
                format!("new file of {}, filled and durable", medium.name),
                vec![
                    Way::new("Create, sweep_mut + sync", || fill(new, medium.dim)),
                    numpy("np.memmap, w+ and flush", "memmap_fill", new, 1.3),
                ],
            ),
            section(
                format!("1 % of {} changed privately, warm", medium.name),
                vec![
                    medium.warmed("CopyOnWrite", || {
                        Table::change(&mut medium.open(Mode::CopyOnWrite), -1.0)
                    }),
                    numpy("np.load + change", "load_change", npy, 10.0)
                        .after(|| medium.warm()),
                    numpy("np.memmap, c", "memmap_change", &medium.raw, 1.0)
                        .after(|| medium.warm()),
                ],
            ),
        ]
    }
}

#[cfg(feature = "rayon")]
fn parallel_sweep(table: &Table) -> f64 {
    use rayon::prelude::*;

    let array = table.open(Mode::ReadOnly);
    let sweep = array.sweep(ndarray::Axis(0), 16 << 20).expect("it has rows");
    sweep.into_par_iter().map(|block| block.sum()).sum()
}

#[expect(clippy::indexing_slicing, reason = "the indices are those of rows")]
fn pick(table: &Table) -> f64 {
    let array = table.open(Mode::ReadOnly);
    let indices = indices(1000, table.rows());
    indices.into_iter().map(|row| array[[row, row % ROW]]).sum()
}
