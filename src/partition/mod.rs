//! Arrays in parts that workers map by themselves: which rows each has; opens no file.
//!
//! A [`Partition`] divides an array file along its slowest axis into [`Window`]s, one for each
//! thread, process or machine. A window is a description: it can be cloned, sent and, with the
//! feature `serde`, written as JSON; whoever has it maps its rows, and nothing but them.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("field.npy");
//! use std::fs::File;
//! use std::thread;
//!
//! use ndarray::{Axis, Ix2};
//! use ndarray_memmap::partition::{Partition, Window};
//! use ndarray_memmap::{Mode, Result, SyncToDisk, npy};
//!
//! // SAFETY: nothing else touches the file while the array lives.
//! unsafe { npy::create::<f64, _>(&path, (1000, 3))? }.close()?;
//!
//! let header = npy::Header::read(&File::open(&path)?)?;
//! let fill = |window: Window| -> Result<()> {
//!     // SAFETY: no two windows have a row in common, and nobody else has the file.
//!     let mut rows = unsafe { window.open::<f64, Ix2>(Mode::ReadWrite)? };
//!     rows.view_mut()?.fill(window.range().start as f64);
//!     rows.sync()
//! };
//! let windows = Partition::of(&header, Axis(0), 4)?.windows(&path);
//! let workers: Vec<_> =
//!     windows.into_iter().map(|window| thread::spawn(move || fill(window))).collect();
//! for worker in workers {
//!     worker.join().expect("a worker does not panic")?;
//! }
//!
//! // SAFETY: the workers are gone.
//! let field = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly)? };
//! assert_eq!((field[[249, 0]], field[[250, 0]]), (0.0, 250.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`doc::beyond_one_machine`](crate::doc::beyond_one_machine) says what to heed with MPI, Dask,
//! Zarr and file systems on networks.

#[cfg(feature = "serde")]
mod json;
mod split;
mod whole;
mod window;

use std::path::Path;

use ndarray::{Axis, Dimension};

pub use window::Window;

use split::Bounds;
use whole::Whole;

use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::layout::check_axis;
use crate::npy::{Header, NpyElement};

/// An array file divided into windows.
///
/// The slowest axis is split as NumPy's `array_split` does it: into consecutive parts of which
/// the first may have one row more than the last. If there are more parts than rows, the last
/// are empty.
///
/// # Examples
///
/// ```
/// use ndarray::Axis;
/// use ndarray_memmap::partition::{Partition, Window};
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let layout = MapOptions::new(Mode::ReadOnly).shape((10, 2)).resolve::<f32>(80)?;
/// let partition = Partition::of_layout::<f32, _>(&layout, Axis(0), 4)?;
/// let rows: Vec<_> = partition.windows("a.f32").iter().map(Window::range).collect();
/// assert_eq!(rows, [0..3, 3..6, 6..8, 8..10]);
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    whole: Whole,
    bounds: Bounds,
}

impl Partition {
    /// Divides the array of a `.npy` file.
    ///
    /// `axis` is the slowest one: the first in C order, the last in Fortran order.
    ///
    /// # Errors
    ///
    /// - [`Error::NoParts`] if there are to be no parts.
    /// - [`Error::AxisOutOfBounds`], and [`Error::NotSlowestAxis`] for another axis.
    /// - [`Error::TooLarge`] if the sizes in the header overflow.
    pub fn of(header: &Header, axis: Axis, parts: usize) -> Result<Self> {
        check_axis(axis, header.shape.len())?;
        let whole = Whole::new(header.clone())?;
        let (Axis(axis), Axis(slowest)) = (axis, whole.axis());
        if axis != slowest {
            return Err(Error::NotSlowestAxis { axis, slowest });
        }
        let bounds = Bounds::new(whole.rows, parts)?;
        Ok(Self { whole, bounds })
    }

    /// Divides an array in a raw file, which has elements of type `A`.
    ///
    /// # Errors
    ///
    /// - [`Error::NotInOrder`] if the array is neither in C nor in Fortran order.
    /// - [`Error::ElementSize`] if the layout is one of other elements.
    /// - [`NpyError::Unwritable`](crate::NpyError::Unwritable) for arrays that NumPy does not have.
    /// - Those of [`of`](Self::of).
    pub fn of_layout<A: NpyElement, D: Dimension>(
        layout: &Layout<D>,
        axis: Axis,
        parts: usize,
    ) -> Result<Self> {
        let (expected, found) = (layout.item_size(), size_of::<A>());
        if expected != found {
            return Err(Error::ElementSize { expected, found });
        }
        check_axis(axis, layout.shape().len())?;
        let fortran = layout.order_along(axis, None)?;
        let mut header = Header::new(A::dtype(), layout.shape(), fortran)?;
        header.data_offset = layout.offset();
        Self::of(&header, axis, parts)
    }

    /// Moves the bounds between windows down to multiples of so many bytes of the file.
    ///
    /// For two machines that write to one page of a file lose what one of them has written; and a
    /// worker that begins where a stripe or block of a file system does gets in nobody's way. Take
    /// the largest page of all machines, 4096 or 65536, or the stripe. Windows become longer and
    /// shorter by it, some empty; if no row begins at such a place, the last has all rows.
    /// [`npy::Options::data_align`](crate::npy::Options::data_align) makes `.npy` files whose
    /// elements begin at one, up to 8192 for readers that are told nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::partition::{Partition, Window};
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// // Rows of 3072 bytes: each fourth begins at a page.
    /// let layout = MapOptions::new(Mode::ReadOnly).shape((20, 768)).resolve::<f32>(61_440)?;
    /// let partition = Partition::of_layout::<f32, _>(&layout, Axis(0), 3)?.page_aligned(4096);
    /// let rows: Vec<_> = partition.windows("a.f32").iter().map(Window::range).collect();
    /// assert_eq!(rows, [0..4, 4..12, 12..20]);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[must_use]
    pub fn page_aligned(self, bytes: u64) -> Self {
        let Whole { row_len, .. } = self.whole;
        let bounds = self.bounds.aligned(self.whole.start_of(0), row_len, bytes);
        Self { bounds, ..self }
    }

    /// Returns the number of windows, empty ones included.
    pub fn parts(&self) -> usize {
        self.bounds.parts()
    }

    /// Returns the windows of the file at `path`, in order.
    pub fn windows(&self, path: impl AsRef<Path>) -> Vec<Window> {
        let path = path.as_ref();
        (0..self.parts()).filter_map(|part| self.window(path, part)).collect()
    }

    /// Returns the window of one part of the file at `path`, if there is such a part.
    ///
    /// The path goes with the window as it is; an absolute one is the same everywhere.
    pub fn window(&self, path: impl AsRef<Path>, part: usize) -> Option<Window> {
        let rows = self.bounds.rows(part)?;
        let (path, whole) = (path.as_ref().to_owned(), self.whole.clone());
        Some(Window { path, whole, rows, read_only: false })
    }
}
