//! One part of an array file, and its mapping.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Axis, Dimension};

#[cfg(feature = "serde")]
use super::json::Facts;
use super::whole::Whole;
use crate::array::MmapArray;
use crate::array::row_count::Source;
use crate::error::Result;
use crate::mode::Mode;
use crate::npy::{DType, NpyElement, Options};
use crate::open::options::MapOptions;

/// Some consecutive rows of an array file, as a description that any worker can map.
///
/// Made by [`Partition`](super::Partition). It says of a file what its header says, or what the
/// layout of a raw one does, and which rows of it are meant; it holds no file and no bytes. Rows
/// are counted along the slowest [`axis`](Self::axis).
///
/// With the feature `serde`, it is written as
///
/// ```json
/// {"path": "/data/field.npy", "dtype": "<f8", "fortran_order": false, "data_offset": 128,
///  "shape": [1000, 3], "start": 250, "end": 500, "read_only": false}
/// ```
///
/// where `shape` is that of the whole array, and what is read back is checked like a header.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Facts", into = "Facts"))]
pub struct Window {
    pub(super) path: PathBuf,
    pub(super) whole: Whole,
    /// Within those of the whole.
    pub(super) rows: Range<usize>,
    pub(super) read_only: bool,
}

impl Window {
    /// Maps the rows, and nothing else of the file, as an array of the window's shape.
    ///
    /// In mode `r`, `c` or `r+`. The element type is checked against the window's exactly; the
    /// file has only to be long enough. [`sync`](crate::SyncToDisk::sync) of the array is one of
    /// its own pages. It does not grow, and [`lock`](MapOptions::lock) locks the whole file.
    ///
    /// # Safety
    ///
    /// That of [`MapOptions::open`], for the window's bytes: [the contract of a
    /// mapping](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`](crate::Error::UnsupportedMode) in modes `w+` and `x+`, and
    ///   for a [halo](Self::halo) in `r+`.
    /// - [`Error::Npy`](crate::Error::Npy) if the window has other elements or axes.
    /// - Those of [`MapOptions::open`].
    pub unsafe fn open<A: NpyElement, D: Dimension>(
        &self,
        mode: Mode,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller vouches for the file.
        unsafe { self.open_with(&MapOptions::new(mode)) }
    }

    /// Maps the rows with [`advice`](MapOptions::advice), [`populate`](MapOptions::populate) and
    /// other options than those that say where an array lies.
    ///
    /// # Safety
    ///
    /// That of [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub unsafe fn open_with<A: NpyElement, D: Dimension>(
        &self,
        options: &MapOptions,
    ) -> Result<MmapArray<A, D>> {
        let (modes, action) = if self.read_only {
            (&[Mode::ReadOnly, Mode::CopyOnWrite][..], "open a halo")
        } else {
            let modes = &[Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite][..];
            (modes, "open a window")
        };
        options.require(modes, action)?;
        let options = Options::mapping(options.clone().grow(false));
        let options = options.options_for::<A, D>(&self.whole.part(&self.rows))?;
        // SAFETY: the caller vouches for the file.
        let mut array = unsafe { options.open(&self.path)? };
        array.set_source(Source::Window);
        Ok(array)
    }

    /// Returns a window of up to `rows` more rows on either side, for reading.
    ///
    /// It ends where the array does. To write is for the neighbours.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::partition::Partition;
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// let layout = MapOptions::new(Mode::ReadOnly).shape((100, 8)).resolve::<f32>(3200)?;
    /// let windows = Partition::of_layout::<f32, _>(&layout, Axis(0), 4)?.windows("a.f32");
    /// assert_eq!(windows[0].halo(1).range(), 0..26);
    /// assert_eq!(windows[1].halo(1).range(), 24..51);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[must_use]
    pub fn halo(&self, rows: usize) -> Self {
        let Range { start, end } = self.rows;
        let rows =
            start.saturating_sub(rows)..end.saturating_add(rows).min(self.whole.rows);
        Self { rows, read_only: true, ..self.clone() }
    }

    /// Returns the same window of the file at another path, as another machine may call it.
    #[must_use]
    pub fn with_path(self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..self }
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the type of the elements.
    pub fn dtype(&self) -> &DType {
        &self.whole.header.dtype
    }

    /// Tells whether the first axis varies fastest.
    pub fn fortran_order(&self) -> bool {
        self.whole.header.fortran_order
    }

    /// Returns the byte of the file at which the whole array begins.
    pub fn data_offset(&self) -> u64 {
        self.whole.header.data_offset
    }

    /// Returns the length of each axis of the whole array.
    pub fn full_shape(&self) -> &[usize] {
        &self.whole.header.shape
    }

    /// Returns the axis that is divided: the slowest one.
    pub fn axis(&self) -> Axis {
        self.whole.axis()
    }

    /// Returns which rows of the whole array the window has.
    pub fn range(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Returns the length of each axis of the window.
    pub fn shape(&self) -> Vec<usize> {
        self.whole.part(&self.rows).shape
    }

    /// Returns which bytes of the file the window has.
    pub fn byte_range(&self) -> Range<u64> {
        self.whole.start_of(self.rows.start)..self.whole.start_of(self.rows.end)
    }

    /// Tells whether the window has no elements.
    pub fn is_empty(&self) -> bool {
        self.byte_range().is_empty()
    }

    /// Tells whether the window has rows of its neighbours, as a [halo](Self::halo) does.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
}
