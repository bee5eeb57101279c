//! Test files of numbers.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::cell::Cell;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use ndarray::{ArrayRef1, ArrayView1, Axis, Dimension, Ix2, s};
use ndarray_memmap::npy::{Header, NpyElement};
use ndarray_memmap::{MapOptions, MmapArray2, Mode, PageCache};

/// The elements of a row.
pub const ROW: usize = 512;
/// The bytes of a row, and of a page.
pub const ROW_LEN: usize = 8 * ROW;
/// Where the elements of the `.npy` files begin.
pub const DATA: usize = 128;

/// The same array of `f64` in a raw and in a `.npy` file.
///
/// The numbers are 0 to 65,535, again and again: their sums are exact in every order.
pub struct Sample<D> {
    pub name: String,
    pub raw: PathBuf,
    pub npy: PathBuf,
    pub dim: D,
}

/// Rows of 4 KiB.
pub type Table = Sample<Ix2>;

impl<D: Dimension> Sample<D> {
    fn new(folder: &Path, name: &str, dim: D) -> Self {
        let [raw, npy] =
            ["raw", "npy"].map(|kind| folder.join(name).with_extension(kind));
        Self { name: name.to_owned(), raw, npy, dim }
    }

    /// Writes the raw file only.
    pub fn write_raw(folder: &Path, name: &str, dim: D) -> io::Result<Self> {
        let sample = Self::new(folder, name, dim);
        sample.write_to(&sample.raw, &[])?;
        Ok(sample)
    }

    /// Writes both files.
    pub fn write(folder: &Path, name: &str, dim: D) -> Result<Self, Box<dyn Error>> {
        let sample = Self::write_raw(folder, name, dim)?;
        sample.write_to(&sample.npy, &sample.header()?)?;
        Ok(sample)
    }

    /// Makes both files of zeros without blocks.
    pub fn sparse(folder: &Path, name: &str, dim: D) -> Result<Self, Box<dyn Error>> {
        let sample = Self::new(folder, name, dim);
        for (path, header) in [(&sample.raw, vec![]), (&sample.npy, sample.header()?)] {
            let mut file = File::create_new(path)?;
            file.write_all(&header)?;
            file.set_len(u64::try_from(header.len() + sample.len())?)?;
        }
        Ok(sample)
    }

    /// Returns the bytes of the elements.
    #[expect(clippy::len_without_is_empty, reason = "no sample is empty")]
    pub fn len(&self) -> usize {
        self.dim.size() * size_of::<f64>()
    }

    fn header(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        let mut bytes = Vec::new();
        Header::new(f64::dtype(), self.dim.slice(), ndarray::Order::C)?
            .write(&mut bytes)?;
        assert_eq!(bytes.len(), DATA);
        Ok(bytes)
    }

    fn write_to(&self, path: &Path, header: &[u8]) -> io::Result<()> {
        write_words(path, header, self.dim.size(), |i| number(i).to_ne_bytes())
    }
}

impl Table {
    /// Returns the shape of `len` bytes.
    pub fn shape(len: usize) -> Ix2 {
        Ix2(len / ROW_LEN, ROW)
    }

    pub fn rows(&self) -> usize {
        self.len() / ROW_LEN
    }

    pub fn open(&self, mode: Mode) -> MmapArray2<f64> {
        // SAFETY: the file is in a folder of this process, which runs one way at a time.
        unsafe { MapOptions::new(mode).rows_of(ROW).open(&self.raw) }.expect("it opens")
    }

    /// Sums all elements in blocks of 16 MiB.
    pub fn sweep(&self, cache: PageCache) -> f64 {
        let array = self.open(Mode::ReadOnly);
        array
            .sweep(Axis(0), 16 << 20)
            .expect("it has rows")
            .cache(cache)
            .map(|block| block.sum())
            .sum()
    }

    /// Changes one row in a hundred, each in a page of its own; returns the value again.
    pub fn change(array: &mut MmapArray2<f64>, value: f64) -> f64 {
        let view = array.view_mut().expect("it can be changed");
        let mut changed = view.slice_move(s![..;100, 3]);
        changed.fill(value);
        changed.first().copied().unwrap_or(f64::NAN)
    }
}

/// Returns the number at an index of a sample.
#[must_use]
pub fn number(index: u64) -> f64 {
    f64::from(u16::try_from(index % (1 << 16)).unwrap_or_default())
}

/// Writes `before` and `count` words into a new file, and syncs it, so that no write-back
/// disturbs the measurements.
pub fn write_words(
    path: &Path,
    before: &[u8],
    count: usize,
    word: impl Fn(u64) -> [u8; 8],
) -> io::Result<()> {
    const PIECE: usize = 1 << 20;
    let mut file = File::create_new(path)?;
    let mut piece = before.to_vec();
    for word in (0..count as u64).map(word) {
        piece.extend(word);
        // The kernel makes folios of the pages of one `write`, and one fault maps a folio. So
        // all files have the same pieces, whatever precedes the words.
        if piece.len() >= PIECE {
            file.write_all(piece.drain(..PIECE).as_slice())?;
        }
    }
    file.write_all(&piece)?;
    file.sync_all()
}

/// Creates a file of 1.5 in a shape, by a sweep, and syncs it; returns an element.
pub fn fill(path: &Path, shape: Ix2) -> f64 {
    let _ = fs::remove_file(path);
    let options = MapOptions::new(Mode::CreateNew).shape(shape);
    // SAFETY: the folder belongs to this process, which has no other mapping of the file.
    let array = unsafe { options.open(path) };
    let mut array: MmapArray2<f64> = array.expect("it is created");
    let sweep = array.sweep_mut(Axis(0), 16 << 20).expect("it can be changed");
    sweep.for_each(|mut block| block.fill(1.5));
    array.sync().expect("it is written");
    array[[7, 7]]
}

/// Maps a file as a careful user of memmap2 does.
pub fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    assert!(file.metadata()?.is_file(), "only regular files can be mapped");
    // SAFETY: the file is in a folder of this process, which does not change it while it is
    // mapped.
    unsafe { Mmap::map(&file) }
}

/// Views bytes as numbers.
#[must_use]
pub fn floats(bytes: &[u8]) -> ArrayView1<'_, f64> {
    ArrayView1::from(bytemuck::cast_slice(bytes))
}

/// Reads the first element.
#[must_use]
pub fn first(array: &ArrayRef1<f64>) -> f64 {
    array.first().copied().unwrap_or(f64::NAN)
}

/// Returns numbers of rows in no order.
#[must_use]
pub fn indices(count: usize, rows: usize) -> Vec<usize> {
    (0..count).map(|i| i.wrapping_mul(2_654_435_761) % rows).collect()
}

/// Returns values that differ from run to run, since equal values need no write.
pub fn counter() -> impl Fn() -> f64 {
    let last = Cell::new(0.0);
    move || {
        last.set(last.get() + 1.0);
        last.get()
    }
}
