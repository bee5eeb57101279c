//! One part of an array file, and its mapping; does not know how the array was divided.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::{Axis, Dimension};

use super::divided::DividedArray;
use crate::array::{MmapArray, RowCount};
use crate::error::{AtPath, Result};
use crate::mode::Mode;
use crate::npy::{DType, NpyElement, Options};
use crate::open::MapOptions;

/// A description of consecutive rows of an array file, which any worker can map.
///
/// [`Partition`](super::Partition) creates windows. A window contains a range of rows, and the
/// facts of the file's header or of a raw file's layout. A window holds no open file and no bytes.
/// Rows are counted along the outermost [`axis`](Self::axis) (axis 0 in C order, the last in
/// Fortran order).
///
/// With the feature `serde`, a window is serialized as
///
/// ```json
/// {"path": "/data/field.npy", "dtype": "<f8", "fortran_order": false, "data_offset": 128,
///  "shape": [1000, 3], "start": 250, "end": 500, "read_only": false}
/// ```
///
/// where `shape` is the shape of the whole array. Deserialization checks the values like a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub(super) path: PathBuf,
    pub(super) whole: DividedArray,
    /// A range within the rows of `whole`.
    pub(super) rows: Range<usize>,
    pub(super) read_only: bool,
}

impl Window {
    /// Maps only the rows of the window, as an array of the window's shape.
    ///
    /// The mode must be `r`, `c` or `r+`. The element type must match the window's type exactly.
    /// The only condition on the file is its length. [`sync`](crate::MmapArray::sync) flushes the
    /// pages of this array only. The array cannot grow. [`lock`](MapOptions::lock) locks the whole
    /// file.
    ///
    /// # Safety
    ///
    /// The same as for [`MapOptions::open`], for the window's bytes: [the contract of a
    /// mapping](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::UnsupportedMode`](crate::ErrorKind::UnsupportedMode) in modes `w+` and `x+`, and
    ///   for a [halo](Self::halo) in `r+`.
    /// - [`ErrorKind::Npy`](crate::ErrorKind::Npy) if the window has other elements or another number of
    ///   axes.
    /// - The errors of [`MapOptions::open`].
    pub unsafe fn open<A: NpyElement, D: Dimension>(
        &self,
        mode: Mode,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller guarantees the contract for the file.
        unsafe { self.open_with(&MapOptions::new(mode)) }
    }

    /// Maps the rows with [`advice`](MapOptions::advice), [`populate`](MapOptions::populate) and
    /// all other options that do not set the position of the array.
    ///
    /// # Safety
    ///
    /// The same as for [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
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
        options.require(modes, action).at(&self.path)?;
        let options = Options::mapping(options.clone().grow(false));
        let options = options.options_for::<A, D>(&self.whole.part(&self.rows));
        let options = options.at(&self.path)?;
        // SAFETY: the caller guarantees the contract for the file.
        let mut array = unsafe { options.open(&self.path)? };
        array.backing_mut().preallocation.header_end = self.whole.header.data_offset;
        array.set_row_count(RowCount::Window);
        Ok(array)
    }

    /// Returns a read-only window with up to `rows` more rows on either side.
    ///
    /// The window does not extend beyond the array. Only the neighbours write the added rows.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::partition::Partition;
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// let layout = MapOptions::new(Mode::ReadOnly).shape((100, 8)).resolve::<f32>(3200)?;
    /// let windows = Partition::from_layout::<f32, _>(&layout, Axis(0), 4)?.windows("a.f32");
    /// assert_eq!(windows[0].halo(1).rows(), 0..26);
    /// assert_eq!(windows[1].halo(1).rows(), 24..51);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[must_use]
    pub fn halo(&self, rows: usize) -> Self {
        let Range { start, end } = self.rows;
        let rows =
            start.saturating_sub(rows)..end.saturating_add(rows).min(self.whole.rows);
        Self { rows, read_only: true, ..self.clone() }
    }

    /// Returns the same window with another path, such as the path of the file on another machine.
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

    /// Returns whether the array is in Fortran order, in which the first axis varies fastest.
    pub fn fortran_order(&self) -> bool {
        self.whole.header.fortran_order
    }

    /// Returns the byte offset in the file at which the whole array begins.
    pub fn data_offset(&self) -> u64 {
        self.whole.header.data_offset
    }

    /// Returns the length of each axis of the whole array.
    pub fn full_shape(&self) -> &[usize] {
        &self.whole.header.shape
    }

    /// Returns the axis that is divided: the outermost axis.
    pub fn axis(&self) -> Axis {
        self.whole.axis()
    }

    /// Returns the range of the window's rows in the whole array.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Returns the length of each axis of the window.
    pub fn shape(&self) -> Vec<usize> {
        self.whole.part(&self.rows).shape
    }

    /// Returns the range of the window's bytes in the file.
    pub fn byte_range(&self) -> Range<u64> {
        self.whole.start_of(self.rows.start)..self.whole.start_of(self.rows.end)
    }

    /// Returns whether the window has no elements.
    pub fn is_empty(&self) -> bool {
        self.byte_range().is_empty()
    }

    /// Returns whether the window contains rows of its neighbours, as a [halo](Self::halo) does.
    pub fn is_read_only(&self) -> bool {
        self.read_only
    }
}
