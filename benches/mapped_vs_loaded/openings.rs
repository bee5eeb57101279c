//! From a `.npy` file to its first element, and to the sum of all.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use bench_common::Target::{AtLeast, AtMost};
use bench_common::{DATA, Pace, Sample, Section, Way, first, map};
use memmap2::Mmap;
use ndarray::{Array1, ArrayView1, Ix1};
use ndarray_memmap::npy;
use ndarray_memmap::{MmapArray1, Mode};
use ndarray_npy::{ViewNpyExt, read_npy};

use crate::files::Files;

pub(crate) fn sections(files: &Files) -> Vec<Section<'_>> {
    let Files { small, medium, sparse, dense, .. } = files;
    let mut sections = Vec::new();
    for sample in [small, medium, sparse] {
        // Reading the whole sparse file for its first element is not measured.
        let loads = sample.name != sparse.name;
        sections.extend([beside_bare(sample), beside_readers(sample, loads)]);
    }
    sections.push(sum(dense));
    sections
}

fn beside_bare(sample: &Sample<Ix1>) -> Section<'_> {
    Section::new(
        format!("npy: first element of {}", sample.name),
        Pace::Micro,
        vec![
            Way::new("bare mapping", || first(&viewed(sample, &mapped(sample)))),
            Way::new("npy::open", || first(&open(sample))).target(AtMost(1.5)),
        ],
    )
}

fn beside_readers(sample: &Sample<Ix1>, loads: bool) -> Section<'_> {
    let view = || {
        let map = mapped(sample);
        first(&ArrayView1::view_npy(&map).expect("it is valid"))
    };
    let copy = || first(&npy::load(&sample.npy).expect("it is read"));
    let read = || {
        let array: Array1<f64> = read_npy(&sample.npy).expect("it is read");
        first(&array)
    };
    let mut ways = vec![
        Way::new("npy::open", || first(&open(sample))),
        Way::new("memmap2 + view_npy", view).target(AtLeast(2.5)),
    ];
    if loads {
        ways.extend([Way::new("npy::load", copy), Way::new("read_npy", read)]);
    }
    let name = format!("npy: first element of {}, by reader", sample.name);
    Section::new(name, Pace::Micro, ways)
}

fn sum(sample: &Sample<Ix1>) -> Section<'_> {
    Section::new(
        format!("npy: sum of {}", sample.name),
        Pace::Slow,
        vec![
            Way::new("bare mapping", || viewed(sample, &mapped(sample)).sum()),
            Way::new("npy::open", || open(sample).sum()).target(AtMost(1.03)),
        ],
    )
}

fn open(sample: &Sample<Ix1>) -> MmapArray1<f64> {
    // SAFETY: the file is in a folder of this process, and all accesses are reads.
    unsafe { npy::open(&sample.npy, Mode::ReadOnly) }.expect("it opens")
}

fn mapped(sample: &Sample<Ix1>) -> Mmap {
    map(&sample.npy).expect("it maps")
}

/// Views a mapping without reading the header: the least that opening can cost.
fn viewed<'a>(sample: &Sample<Ix1>, map: &'a Mmap) -> ArrayView1<'a, f64> {
    assert!(DATA + sample.len() <= map.len(), "it holds the array");
    let start = map.as_ptr().wrapping_add(DATA).cast();
    // SAFETY: the mapping begins at a page, so `start` is aligned. By the assertion it has the
    // bytes of all elements from `start` on. The view borrows it, and all accesses to the file
    // are reads.
    unsafe { ArrayView1::from_shape_ptr(sample.dim, start) }
}
