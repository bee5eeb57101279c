//! A large table of numbers in a file: rows of 4 KiB.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapMut};
use ndarray::{ArrayView1, ArrayView2, s};
use ndarray_memmap::{MapOptions, MmapArray2, Mode};
use rustix::fs::{Advice, fadvise};

use crate::rounds::Way;

/// The elements of a row.
pub(crate) const ROW: usize = 512;
/// The bytes of a row, and of a page.
pub(crate) const ROW_LEN: usize = 8 * ROW;

pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) len: usize,
}

impl Table {
    /// Writes small whole numbers, whose sums are exact in every order.
    pub(crate) fn write(dir: &Path, name: &str, len: usize) -> io::Result<Self> {
        let path = dir.join(name);
        let numbers: Vec<f64> = (0..=u16::MAX).map(f64::from).collect();
        let bytes: &[u8] = bytemuck::cast_slice(&numbers);
        let mut file = File::create_new(&path)?;
        for _ in 0..len / bytes.len() {
            file.write_all(bytes)?;
        }
        file.sync_all()?;
        Ok(Self { name: name.to_owned(), path, len })
    }

    /// Changes one row in a hundred, each in a page of its own; returns the value again.
    pub(crate) fn change(array: &mut MmapArray2<f64>, value: f64) -> f64 {
        let view = array.view_mut().expect("it can be changed");
        let mut changed = view.slice_move(s![..;100, 3]);
        changed.fill(value);
        changed.first().copied().unwrap_or(f64::NAN)
    }

    pub(crate) fn rows(&self) -> usize {
        self.len / ROW_LEN
    }

    pub(crate) fn open(&self, mode: Mode) -> MmapArray2<f64> {
        // SAFETY: the file is in a folder of this process alone, and only one way to it is
        // gone at a time.
        unsafe { MapOptions::new(mode).rows_of(ROW).open(&self.path) }.expect("it opens")
    }

    /// Maps as a careful user of memmap2 does.
    pub(crate) fn map(&self) -> Mmap {
        let file = File::open(&self.path).expect("it opens");
        assert_eq!(file.metadata().map(|m| m.len()).ok(), u64::try_from(self.len).ok());
        // SAFETY: as in `open`.
        unsafe { Mmap::map(&file) }.expect("it maps")
    }

    /// Maps for writing.
    pub(crate) fn map_mut(&self) -> MmapMut {
        let file = File::options().read(true).write(true).open(&self.path);
        // SAFETY: as in `open`.
        unsafe { MmapMut::map_mut(&file.expect("it opens")) }.expect("it maps")
    }

    /// Takes the file out of memory, and makes sure of that.
    pub(crate) fn chill(&self) {
        let file = File::open(&self.path).expect("it opens");
        file.sync_all().expect("it is written");
        fadvise(&file, 0, None, Advice::DontNeed).expect("it can be dropped");
        let residency = self.open(Mode::ReadOnly).region(s![.., ..]).residency();
        assert!(residency < 0.001, "{residency} of {} is in memory", self.name);
    }

    /// Brings the file into memory, as reading it from end to end does.
    pub(crate) fn warm(&self) {
        let residency = || {
            assert!(floats(&self.map()).sum() > 0.0);
            self.open(Mode::ReadOnly).region(s![.., ..]).residency()
        };
        // Pages that the kernel is just moving about in memory are not there for a moment.
        let found = (0..5).map(|_| residency()).find(|residency| *residency > 0.999);
        assert!(found.is_some(), "{} does not stay in memory", self.name);
    }

    /// Returns which part of the file is mapped by pages of 2 MiB once it has been read.
    pub(crate) fn huge_share(&self) -> f64 {
        let map = self.map();
        assert!(floats(&map).sum() > 0.0);
        let maps = fs::read_to_string("/proc/self/smaps").expect("the mappings");
        let path = self.path.to_str().expect("a plain path");
        let ours = maps.lines().skip_while(|line| !line.ends_with(path));
        let huge = ours.filter_map(|line| line.strip_prefix("FilePmdMapped:")).next();
        let kib = huge.and_then(|text| text.trim().split(' ').next()?.parse().ok());
        let len = u32::try_from(self.len >> 10).expect("not so large");
        kib.map_or(f64::NAN, |kib: u32| f64::from(kib) / f64::from(len))
    }

    /// A way whose runs each begin with a cold file.
    pub(crate) fn cold<'a>(
        &'a self,
        name: &'a str,
        work: impl Fn() -> f64 + 'a,
    ) -> Way<'a> {
        Way::new(name, work).after(|| self.chill())
    }

    /// A way whose runs each begin with a warm file.
    pub(crate) fn warmed<'a>(
        &'a self,
        name: &'a str,
        work: impl Fn() -> f64 + 'a,
    ) -> Way<'a> {
        Way::new(name, work).after(|| self.warm())
    }
}

/// Views bytes as numbers.
pub(crate) fn floats(bytes: &[u8]) -> ArrayView1<'_, f64> {
    ArrayView1::from(bytemuck::cast_slice(bytes))
}

/// Views bytes as rows.
pub(crate) fn rows(bytes: &[u8]) -> ArrayView2<'_, f64> {
    let rows = bytes.len() / ROW_LEN;
    ArrayView2::from_shape((rows, ROW), bytemuck::cast_slice(bytes)).expect("whole rows")
}

/// Numbers of rows in no order.
pub(crate) fn indices(count: usize, rows: usize) -> Vec<usize> {
    (0..count).map(|i| i.wrapping_mul(2_654_435_761) % rows).collect()
}
