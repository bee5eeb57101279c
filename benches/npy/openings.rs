//! From a `.npy` file to its first element, and to the sum of all.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::error::Error;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{Array1, ArrayRef1, ArrayView1};
use ndarray_memmap::npy::{self, Header, NpyElement};
use ndarray_memmap::{MmapArray1, Mode, SyncToDisk};
use ndarray_npy::{ViewNpyExt, read_npy};

use crate::rounds::{Pace, Section, Target, Way};

const OPENING: Target = Target::AtMost(1.5);
const VIEWING: Target = Target::AtLeast(2.5);
const SUMMING: Target = Target::AtMost(1.03);
/// Where the elements of all files begin, as those who map by themselves have to know.
const DATA: usize = 128;

/// A `.npy` file of one axis of `f64`.
struct Sample {
    name: &'static str,
    path: PathBuf,
    count: usize,
    /// Nobody wants to read the others into memory only to see their first element.
    loads: bool,
}

/// All files.
pub(crate) struct Files {
    opened: [Sample; 3],
    dense: Sample,
}

impl Files {
    pub(crate) fn write(dir: &Path, smoke: bool) -> Result<Self, Box<dyn Error>> {
        let large = if smoke { 1 << 16 } else { 1 << 30 };
        let sample = |name: &'static str, len: usize, loads| {
            let path = dir.join(format!("{name}.npy"));
            Sample { name, path, count: len / size_of::<f64>(), loads }
        };
        let files = Self {
            opened: [
                sample("1 KiB", 1 << 10, true),
                sample("1 MiB", 1 << 20, true),
                sample("1 GiB sparse", large, false),
            ],
            dense: sample("1 GiB", large, false),
        };
        let [small, medium, sparse] = &files.opened;
        for sample in [small, medium, &files.dense] {
            sample.write(sample.count)?;
        }
        sparse.write(1)?;
        Ok(files)
    }

    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        let mut sections = Vec::new();
        for sample in &self.opened {
            sections.extend([sample.beside_floor(), sample.beside_readers()]);
        }
        sections.push(self.dense.sum());
        sections
    }
}

impl Sample {
    /// Creates the file and fills its first elements with small whole numbers, whose sums
    /// are exact in every order. Synced, so that no writeback disturbs the measurements.
    fn write(&self, filled: usize) -> Result<(), Box<dyn Error>> {
        let options = npy::Options::new(Mode::CreateNew).sparse(filled < self.count);
        // SAFETY: the folder belongs to this process alone, which has no other mapping.
        let mut array: MmapArray1<f64> =
            unsafe { options.create(&self.path, self.count)? };
        let numbers = (1_u16..).chain(0..=u16::MAX).map(f64::from);
        for (element, number) in array.view_mut()?.iter_mut().take(filled).zip(numbers) {
            *element = number;
        }
        array.sync()?;
        drop(array);
        let header = Header::read(&File::open(&self.path)?)?;
        assert_eq!((header.dtype(), header.shape()), (&f64::dtype(), &[self.count][..]));
        assert_eq!(header.data_offset(), DATA as u64);
        Ok(())
    }

    fn beside_floor(&self) -> Section<'_> {
        let bare = || first(&self.viewed(&self.map().expect("it maps")));
        let open = || first(&self.open().expect("it opens"));
        Section {
            name: format!("first element of {}", self.name),
            pace: Pace::Micro,
            ways: vec![
                Way::new("bare mapping", bare),
                Way::new("npy::open", open).target(OPENING),
            ],
        }
    }

    fn beside_readers(&self) -> Section<'_> {
        let open = || first(&self.open().expect("it opens"));
        let view = || {
            let map = self.map().expect("it maps");
            first(&ArrayView1::view_npy(&map).expect("it is valid"))
        };
        let copy = || first(&npy::load(&self.path).expect("it is read"));
        let read = || {
            let array: Array1<f64> = read_npy(&self.path).expect("it is read");
            first(&array)
        };
        let mut ways = vec![
            Way::new("npy::open", open),
            Way::new("memmap2 + view_npy", view).target(VIEWING),
        ];
        if self.loads {
            ways.extend([Way::new("npy::load", copy), Way::new("read_npy", read)]);
        }
        let name = format!("first element of {}, by reader", self.name);
        Section { name, pace: Pace::Micro, ways }
    }

    fn sum(&self) -> Section<'_> {
        let bare = || self.viewed(&self.map().expect("it maps")).sum();
        let open = || self.open().expect("it opens").sum();
        Section {
            name: format!("sum of {}", self.name),
            pace: Pace::Slow,
            ways: vec![
                Way::new("bare mapping", bare),
                Way::new("npy::open", open).target(SUMMING),
            ],
        }
    }

    fn open(&self) -> ndarray_memmap::Result<MmapArray1<f64>> {
        // SAFETY: `write` is done, the file is in a folder of this process alone, and all
        // later accesses are reads.
        unsafe { npy::open(&self.path, Mode::ReadOnly) }
    }

    fn map(&self) -> io::Result<Mmap> {
        let file = File::open(&self.path)?;
        // SAFETY: as in `open`.
        unsafe { Mmap::map(&file) }
    }

    /// Views a mapping without reading the header; the floor of what opening can cost.
    fn viewed<'a>(&self, map: &'a Mmap) -> ArrayView1<'a, f64> {
        assert!(DATA + self.count * size_of::<f64>() <= map.len(), "it holds the array");
        let start = map.as_ptr().wrapping_add(DATA).cast();
        // SAFETY: the mapping begins at a page, so that `start` is aligned; it has the bytes
        // of all elements behind `start` and is borrowed for as long as the view lives;
        // nobody changes the file (see `open`).
        unsafe { ArrayView1::from_shape_ptr(self.count, start) }
    }
}

/// Reads one element.
fn first(array: &ArrayRef1<f64>) -> f64 {
    array.first().copied().unwrap_or(f64::NAN)
}
