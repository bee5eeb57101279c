//! Repeats the work of all ranks in one process, and compares the files.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::fs;
use std::path::Path;

use ndarray_memmap::{MapOptions, Mode};

use crate::Result;
use crate::field::{create_in, fill_window, paths, shade_window};
use crate::options::Run;
use crate::ranks::Ranks;
use crate::terrain::Terrain;

/// Repeats the whole work in rank 0, with the functions of all ranks, and compares every byte.
pub(crate) fn compare(ranks: &Ranks, terrain: &Terrain, run: &Run) -> Result<()> {
    if ranks.rank != 0 {
        return Ok(());
    }
    let alone = run.dir.join("alone");
    fs::create_dir_all(&alone)?;
    create_in(&alone, run.shape)?;
    let [field, hillshade] = paths(&alone);
    let whole = ranks.window(&field, 1)?;
    fill_window(terrain, &whole)?;
    shade_window(&whole, &ranks.window(&hillshade, 1)?)?;
    for (alone, shared) in paths(&alone).iter().zip(paths(&run.dir)) {
        compare_bytes(alone, &shared)?;
    }
    fs::remove_dir_all(&alone)?;
    Ok(())
}

fn compare_bytes(alone: &Path, shared: &Path) -> Result<()> {
    let options = MapOptions::new(Mode::ReadOnly);
    // SAFETY: only this process uses the file.
    let a = unsafe { options.open::<u8>(alone)? };
    // SAFETY: all ranks have closed the file.
    let b = unsafe { options.open::<u8>(shared)? };
    let path = shared.display();
    if a.view() != b.view() {
        let byte = a.iter().zip(&*b).take_while(|(a, b)| a == b).count();
        return Err(format!("`{path}` differs from one process's at byte {byte}").into());
    }
    println!("all {} bytes of `{path}` are those of one process", a.len());
    Ok(())
}
