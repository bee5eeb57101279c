//! The work of a rank on the files: each function opens windows, works in place, and returns them.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::path::{Path, PathBuf};

use ndarray::{Ix2, s};
use ndarray_memmap::partition::Window;
use ndarray_memmap::{MmapArray2, Mode, Result, npy};

use crate::options::Run;
use crate::ranks::{PAGE, Ranks};
use crate::terrain::{Terrain, shade};

/// Creates a `.npy` file of zeros with reserved space. Its elements begin at a page.
fn create(path: &Path, shape: (usize, usize)) -> Result<()> {
    let options = npy::Options::new(Mode::Create).data_align(PAGE);
    // SAFETY: the other ranks do not open the file before it exists.
    unsafe { options.create::<f32, _>(path, shape)? }.close()
}

/// Returns the paths of the field and its shade in a folder.
pub(crate) fn paths(dir: &Path) -> [PathBuf; 2] {
    ["elevation.npy", "hillshade.npy"].map(|name| dir.join(name))
}

/// Creates the field and its shade.
pub(crate) fn create_in(dir: &Path, shape: (usize, usize)) -> Result<()> {
    paths(dir).iter().try_for_each(|path| create(path, shape))
}

/// Creates the field and its shade in rank 0. Returns their paths after all ranks can open them.
pub(crate) fn create_both(ranks: &Ranks, run: &Run) -> Result<[PathBuf; 2]> {
    if ranks.rank == 0 {
        create_in(&run.dir, run.shape)?;
    }
    ranks.barrier();
    Ok(paths(&run.dir))
}

/// Fills a window of the field.
pub(crate) fn fill_window(terrain: &Terrain, mine: &Window) -> Result<MmapArray2<f32>> {
    // SAFETY: no two ranks write to the same row, and no rank reads before all ranks are done.
    let mut rows = unsafe { mine.open::<f32, Ix2>(Mode::ReadWrite)? };
    terrain.fill(mine.rows().start, rows.view_mut()?);
    Ok(rows)
}

/// Fills a window up to the middle of a row, and unmaps it without a sync.
pub(crate) fn fill_half(terrain: &Terrain, mine: &Window, row: usize) -> Result<()> {
    // SAFETY: as above.
    let mut rows = unsafe { mine.open::<f32, Ix2>(Mode::ReadWrite)? };
    let mut rows = rows.view_mut()?;
    let whole = row - mine.rows().start;
    let half = rows.ncols() / 2;
    terrain.fill(mine.rows().start, rows.slice_mut(s![..whole, ..]));
    terrain.fill(row, rows.slice_mut(s![whole..=whole, ..half]));
    Ok(())
}

pub(crate) struct Shaded {
    /// The field with one row of each neighbour.
    pub(crate) field: MmapArray2<f32>,
    pub(crate) shades: MmapArray2<f32>,
    /// Sum of this rank's elevations. They are sixteenths of a metre, so the order does not matter.
    pub(crate) sum: f64,
}

/// Shades a window of the field into a window of another file.
pub(crate) fn shade_window(mine: &Window, shades: &Window) -> Result<Shaded> {
    let with_halo = mine.halo(1);
    // SAFETY: all ranks have filled the field and closed it.
    let field = unsafe { with_halo.open::<f32, Ix2>(Mode::ReadOnly)? };
    // SAFETY: no two ranks write to the same row, and no rank reads before all ranks are done.
    let mut out = unsafe { shades.open::<f32, Ix2>(Mode::ReadWrite)? };
    let first = mine.rows().start - with_halo.rows().start;
    shade(field.view(), first, out.view_mut()?);
    let own = field.slice(s![first..first + mine.rows().len(), ..]);
    let sum = own.fold(0.0, |sum, height| sum + f64::from(*height));
    Ok(Shaded { field, shades: out, sum })
}
