//! The ways to open or load an array.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::ops::Deref;
use std::path::Path;

use bench_common::{Sample, Target, Way, map};
use memmap2::Mmap;
use ndarray::{Array, ArrayRef, ArrayView, Dimension, StrideShape};
use ndarray_memmap::{Element, MapOptions, MmapArray};
use ndarray_npy::{ReadNpyError, ViewNpyError, ViewNpyExt, read_npy};
use npyz::NpyFile;

/// Work on an array, the same for every way to open or load it.
pub(crate) trait Work<D>: Copy {
    /// Takes a type that dereferences to the array, so that the result includes this cost.
    fn run<V: Deref<Target = ArrayRef<f64, D>>>(self, array: &V) -> f64;
}

/// Lists the ways that open or load, work, and close; the bare mapping first.
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
    vec![
        Way::new("bare mapping", bare),
        Way::new("handle", handle).target(target),
        Way::new("fs::read + cast", read),
        Way::new("BufReader", buffered),
        Way::new("read_npy", npy),
    ]
}

/// Lists the ways by other libraries, and by a buffer that exists already.
pub(crate) fn by_peers<'a, D: Dimension>(
    sample: &'a Sample<D>,
    work: impl Work<D> + 'a,
) -> Vec<Way<'a>> {
    let Sample { raw, npy, dim, .. } = sample;
    let view = move || {
        let map = map(npy).expect("the file maps");
        let array: Result<ArrayView<'_, f64, D>, ViewNpyError> =
            ArrayView::view_npy(&map);
        work.run(&array.expect("it is valid"))
    };
    let read = move || {
        let file = BufReader::new(File::open(npy).expect("it opens"));
        let file = NpyFile::new(file).expect("it is valid");
        let numbers: Vec<f64> = file.into_vec().expect("it is read");
        work.run(&ArrayView::from_shape(dim.clone(), &numbers).expect("the sizes match"))
    };
    let buffer = RefCell::new(Array::zeros(dim.clone()));
    let reused = move || {
        let mut array = buffer.borrow_mut();
        let numbers = array.as_slice_mut().expect("it is contiguous");
        let mut file = File::open(raw).expect("it opens");
        file.read_exact(bytemuck::cast_slice_mut(numbers)).expect("it is read");
        work.run(&*array)
    };
    vec![
        Way::new("memmap2 + view_npy", view),
        Way::new("npyz", read),
        Way::new("read, reused buffer", reused),
    ]
}

/// Opens the handle.
pub(crate) fn handle<A: Element, D: Dimension>(
    options: &MapOptions<D>,
    path: &Path,
) -> ndarray_memmap::Result<MmapArray<A, D>> {
    // SAFETY: the file is in a folder of this process, and all accesses are reads.
    unsafe { options.open(path) }
}

/// Views a mapping as an array: the least that a handle can cost.
pub(crate) fn bare_view<A: bytemuck::Pod, D: Dimension>(
    map: &Mmap,
    shape: impl Into<StrideShape<D>>,
) -> ArrayView<'_, A, D> {
    let shape = shape.into();
    assert!(shape.size() * size_of::<A>() <= map.len(), "the mapping holds the array");
    // SAFETY: the mapping begins at a page, has the bytes of all elements, and is borrowed
    // for as long as the view lives; all accesses to the file are reads, and `A` is
    // valid for all bytes.
    unsafe { ArrayView::from_shape_ptr(shape, map.as_ptr().cast()) }
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
