//! The ways to get at an array in a file.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::ops::Deref;
use std::path::Path;

use memmap2::Mmap;
use ndarray::{Array, ArrayRef, ArrayView, Dimension};
use ndarray_memmap::{Element, MapOptions, MmapArray};
use ndarray_npy::{ReadNpyError, read_npy};

use crate::files::Sample;
use crate::rounds::{Target, Way};

/// What is done with an array; the same for every way to get it.
pub(crate) trait Work<D>: Copy {
    /// Takes what derefs to the array, so that the price of dereferencing is in it.
    fn run<V: Deref<Target = ArrayRef<f64, D>>>(self, array: &V) -> f64;
}

/// Lists all ways from a file to a result and back to nothing; the bare mapping first.
pub(crate) fn from_file<'a, D: Dimension>(
    sample: &'a Sample<D>,
    options: MapOptions<D>,
    work: impl Work<D> + 'a,
    target: Target,
) -> Vec<Way<'a>> {
    let Sample { raw, npy, dim, .. } = sample;
    let bare = move || {
        let map = map(raw).expect("the file maps");
        work.run(&bare_view::<f64, D>(&map, dim.clone()))
    };
    let handle = move || work.run(&handle::<f64, D>(&options, raw).expect("it opens"));
    let handle = Way::new("handle", handle).target(target);
    let mut ways = vec![Way::new("bare mapping", bare), handle];
    let Some(npy) = npy else { return ways };

    let read = move || {
        let bytes = fs::read(raw).expect("the file is read");
        let numbers = bytemuck::cast_slice(&bytes);
        work.run(&ArrayView::from_shape(dim.clone(), numbers).expect("the sizes match"))
    };
    let buffered = move || work.run(&buffered(raw, dim.clone()).expect("it is read"));
    let npy = move || {
        let array: Result<Array<f64, D>, ReadNpyError> = read_npy(npy);
        work.run(&array.expect("the file is read"))
    };
    ways.push(Way::new("fs::read + cast", read));
    ways.push(Way::new("BufReader", buffered));
    ways.push(Way::new("read_npy", npy));
    ways
}

/// Opens the handle.
pub(crate) fn handle<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: &Path,
) -> ndarray_memmap::Result<MmapArray<A, D>> {
    // SAFETY: `Files::write` has closed the file, it is in a folder of this process alone,
    // and all later accesses are reads.
    unsafe { options.open(path) }
}

/// Maps a file as a careful user of memmap2 does.
pub(crate) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    assert!(metadata.is_file(), "only regular files can be mapped");
    // SAFETY: as in `handle`.
    unsafe { Mmap::map(&file) }
}

/// Views a mapping as an array; the floor that the handle is measured against.
pub(crate) fn bare_view<A: bytemuck::Pod, D: Dimension>(
    map: &Mmap,
    dim: D,
) -> ArrayView<'_, A, D> {
    assert!(dim.size() * size_of::<A>() <= map.len(), "the mapping holds the array");
    // SAFETY: the mapping begins at a page, has the bytes of all elements, and is borrowed
    // for as long as the view lives; nobody changes the file (see `handle`), and `A` is
    // valid for all bytes.
    unsafe { ArrayView::from_shape_ptr(dim, map.as_ptr().cast()) }
}

/// Reads number by number.
fn buffered<D: Dimension>(path: &Path, dim: D) -> io::Result<Array<f64, D>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut numbers = Vec::with_capacity(dim.size());
    for _ in 0..dim.size() {
        let mut word = [0; size_of::<f64>()];
        file.read_exact(&mut word)?;
        numbers.push(f64::from_ne_bytes(word));
    }
    Array::from_shape_vec(dim, numbers).map_err(io::Error::other)
}
