//! Divides arrays into parts that workers map independently; opens no file.
//!
//! A [`Partition`] divides an array file into [`Window`]s, one for each thread, process or machine.
//! The array is divided along its outermost axis (axis 0 in C order, the last in Fortran order).
//! A window is a description: a program can clone a window, send it and, with the feature `serde`,
//! write it as JSON. A worker maps only the rows of its window.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("field.npy");
//! use std::fs::File;
//! use std::thread;
//!
//! use ndarray::{Axis, Ix2};
//! use ndarray_memmap::partition::{Partition, Window};
//! use ndarray_memmap::{Mode, Result, npy};
//!
//! // SAFETY: nothing else accesses the file while the array lives.
//! unsafe { npy::create::<f64, _>(&path, (1000, 3))? }.close()?;
//!
//! let header = npy::Header::read(&File::open(&path)?)?;
//! let fill = |window: Window| -> Result<()> {
//!     // SAFETY: no two windows have a row in common, and nothing else accesses the file.
//!     let mut rows = unsafe { window.open::<f64, Ix2>(Mode::ReadWrite)? };
//!     rows.view_mut()?.fill(window.rows().start as f64);
//!     rows.sync()
//! };
//! let windows = Partition::new(&header, Axis(0), 4)?.windows(&path);
//! let workers: Vec<_> =
//!     windows.into_iter().map(|window| thread::spawn(move || fill(window))).collect();
//! for worker in workers {
//!     worker.join().expect("a worker does not panic")?;
//! }
//!
//! // SAFETY: the workers have ended.
//! let field = unsafe { npy::open::<f64, Ix2>(&path, Mode::ReadOnly)? };
//! assert_eq!((field[[249, 0]], field[[250, 0]]), (0.0, 250.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`doc::beyond_one_machine`](crate::doc::beyond_one_machine) explains the rules for MPI, Dask,
//! Zarr and network file systems.

mod divided;
#[cfg(feature = "serde")]
mod json;
mod split;
mod window;

use std::path::Path;

use ndarray::{Axis, Dimension};

pub use window::Window;

use divided::DividedArray;
use split::Bounds;

use crate::error::{ErrorKind, Result};
use crate::layout::Layout;
use crate::layout::check_axis;
use crate::npy::{Header, NpyElement};

/// An array file divided into windows.
///
/// The outermost axis (axis 0 in C order, the last in Fortran order) is split like NumPy's
/// `array_split`. The parts are consecutive, and the first parts may have one row more than the
/// last. If there are more parts than rows, the last parts are empty.
///
/// # Examples
///
/// ```
/// use ndarray::Axis;
/// use ndarray_memmap::partition::{Partition, Window};
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let layout = MapOptions::new(Mode::ReadOnly).shape((10, 2)).resolve::<f32>(80)?;
/// let partition = Partition::from_layout::<f32, _>(&layout, Axis(0), 4)?;
/// let rows: Vec<_> = partition.windows("a.f32").iter().map(Window::rows).collect();
/// assert_eq!(rows, [0..3, 3..6, 6..8, 8..10]);
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    whole: DividedArray,
    bounds: Bounds,
}

impl Partition {
    /// Divides the array of a `.npy` file.
    ///
    /// `axis` must be the outermost axis: axis 0 in C order, the last in Fortran order.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NoParts`] if `parts` is 0.
    /// - [`ErrorKind::AxisOutOfBounds`] if the array has no such axis.
    /// - [`ErrorKind::NotOutermostAxis`] if `axis` is not the outermost axis.
    /// - [`ErrorKind::TooLarge`] if the sizes in the header overflow.
    pub fn new(header: &Header, axis: Axis, parts: usize) -> Result<Self> {
        check_axis(axis, header.shape.len())?;
        let whole = DividedArray::new(header.clone())?;
        let (Axis(axis), Axis(outermost)) = (axis, whole.axis());
        if axis != outermost {
            return Err(ErrorKind::NotOutermostAxis { axis, outermost }.into());
        }
        let bounds = Bounds::new(whole.rows, parts)?;
        Ok(Self { whole, bounds })
    }

    /// Divides an array of elements of type `A` in a raw file.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NotInOrder`] if the array is neither in C nor in Fortran order.
    /// - [`ErrorKind::ElementSize`] if the layout is for elements of another size.
    /// - [`NpyErrorKind::Unwritable`](crate::NpyErrorKind::Unwritable) for arrays that NumPy does not
    ///   support.
    /// - The errors of [`of`](Self::new).
    pub fn from_layout<A: NpyElement, D: Dimension>(
        layout: &Layout<D>,
        axis: Axis,
        parts: usize,
    ) -> Result<Self> {
        let (expected, found) = (layout.item_size(), size_of::<A>());
        if expected != found {
            return Err(ErrorKind::ElementSize { expected, found }.into());
        }
        check_axis(axis, layout.shape().len())?;
        let order = layout.order_along(axis, None)?;
        let mut header = Header::new(A::dtype(), layout.shape(), order)?;
        header.data_offset = layout.offset();
        Self::new(&header, axis, parts)
    }

    /// Moves the bounds between windows down to rows that begin at a multiple of `bytes`.
    ///
    /// Offsets count from the start of the file. If two machines write to the same page of a file,
    /// the writes of one machine are lost. A worker whose window begins at a stripe or block of the
    /// file system does not interfere with other workers. Choose the largest page size of all
    /// machines (4096 or 65536), or the stripe size.
    ///
    /// Windows become longer or shorter, and some become empty. If no row begins at a multiple of
    /// `bytes`, the last window has all rows.
    /// [`npy::Options::data_align(bytes)`](crate::npy::Options::data_align) creates `.npy` files
    /// whose elements begin at a multiple of `bytes`. Up to 8192, readers need no extra setting.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Axis;
    /// use ndarray_memmap::partition::{Partition, Window};
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// // Rows of 3072 bytes: every fourth row begins at a page.
    /// let layout = MapOptions::new(Mode::ReadOnly).shape((20, 768)).resolve::<f32>(61_440)?;
    /// let partition = Partition::from_layout::<f32, _>(&layout, Axis(0), 3)?.aligned_to(4096);
    /// let rows: Vec<_> = partition.windows("a.f32").iter().map(Window::rows).collect();
    /// assert_eq!(rows, [0..4, 4..12, 12..20]);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    #[must_use]
    pub fn aligned_to(self, bytes: u64) -> Self {
        let DividedArray { row_len, .. } = self.whole;
        let bounds = self.bounds.aligned(self.whole.start_of(0), row_len, bytes);
        Self { bounds, ..self }
    }

    /// Returns the number of windows, including empty windows; at least 1.
    #[expect(
        clippy::len_without_is_empty,
        reason = "a partition has at least one window"
    )]
    pub fn len(&self) -> usize {
        self.bounds.parts()
    }

    /// Returns the windows of the file at `path`, in order.
    pub fn windows(&self, path: impl AsRef<Path>) -> Vec<Window> {
        let path = path.as_ref();
        (0..self.len()).filter_map(|part| self.window(path, part)).collect()
    }

    /// Returns the window of one part of the file at `path`, or `None` if the part does not exist.
    ///
    /// The window stores the path unchanged. An absolute path means the same to all workers.
    pub fn window(&self, path: impl AsRef<Path>, part: usize) -> Option<Window> {
        let rows = self.bounds.rows(part)?;
        let (path, whole) = (path.as_ref().to_owned(), self.whole.clone());
        Some(Window { path, whole, rows, read_only: false })
    }
}
