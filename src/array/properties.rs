//! The properties of a handle other than its elements, and conversions of its dimension.

use std::path::Path;

use ndarray::Dimension;

use super::{MmapArray, MmapArrayD};
use crate::error::{ErrorKind, Result};
use crate::layout::Layout;
use crate::mode::Mode;

impl<A, D: Dimension> MmapArray<A, D> {
    /// Returns the mode that the array was opened in.
    pub fn mode(&self) -> Mode {
        self.backing.mode()
    }

    /// Returns the path that the array was opened by, or `None` if it was not opened by a path.
    pub fn path(&self) -> Option<&Path> {
        Some(self.backing.path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Returns the byte offset in the file at which the array begins.
    pub fn offset(&self) -> u64 {
        self.layout.offset()
    }

    /// Returns the layout of the array in its file.
    pub fn layout(&self) -> &Layout<D> {
        &self.layout
    }

    /// Returns whether [`view_mut`](Self::view_mut) can change the array: in every mode except `r`.
    pub fn is_writable(&self) -> bool {
        self.mode().is_mutable()
    }

    /// Returns the size of the elements in bytes, as NumPy's `nbytes`.
    pub fn nbytes(&self) -> usize {
        self.len().saturating_mul(size_of::<A>())
    }

    /// Converts the array into one whose number of axes is known only at run time.
    pub fn into_dyn(self) -> MmapArrayD<A> {
        let Self { view, backing, layout, row_count, elements } = self;
        let (view, layout) = (view.into_dyn(), layout.into_dyn());
        MmapArray { view, backing, layout, row_count, elements }
    }

    /// Converts the array into one with another dimension type and the same number of axes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NdimMismatch`] if `D2` has another number of axes; the array is unmapped.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray::Ix2;
    /// use ndarray_memmap::{MapOptions, MmapArray2, MmapArrayD};
    ///
    /// let a: MmapArrayD<f32> = MapOptions::scratch::<f32, _>((2, 3))?.into_dyn();
    /// let a: MmapArray2<f32> = a.into_dimensionality::<Ix2>()?;
    /// assert_eq!((a.dim(), a.nbytes()), ((2, 3), 24));
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn into_dimensionality<D2: Dimension>(self) -> Result<MmapArray<A, D2>> {
        let Self { view, backing, layout, row_count, elements } = self;
        let mismatch = |found| {
            let expected = D2::NDIM.unwrap_or(found);
            ErrorKind::NdimMismatch { expected, found }.at(&backing.path)
        };
        let layout = layout.into_dimensionality().map_err(mismatch)?;
        let found = view.ndim();
        let view = view.into_dimensionality().map_err(|_| mismatch(found))?;
        Ok(MmapArray { view, backing, layout, row_count, elements })
    }
}
