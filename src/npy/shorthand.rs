//! Saving an array, and functions of `.npy` files that need only the element type.

use std::marker::PhantomData;
use std::path::Path;

use ndarray::{
    ArrayRef, Dimension, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6, IxDyn, Order, ShapeBuilder,
};

use super::{NpyElement, Options};
use crate::error::Result;
use crate::mode::Mode;

/// Saves an array as a `.npy` file, which replaces `path` when it is complete.
///
/// The file is in Fortran order if the array is contiguous in that order, as with NumPy's `save`.
/// A process that opens the path finds the old file or the new one; see
/// [`Draft`](crate::Draft).
///
/// # Errors
///
/// The errors of [`draft`](super::draft) and of [`Draft::publish`](crate::Draft::publish).
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("a.npy");
/// use ndarray::{Ix2, array};
/// use ndarray_memmap::npy;
///
/// npy::save(&path, &array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(npy::load::<f64, Ix2>(&path)?, array![[1.0, 2.0], [3.0, 4.0]]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn save<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    array: &ArrayRef<A, D>,
) -> Result<()> {
    let is_fortran = !array.is_standard_layout() && array.t().is_standard_layout();
    let order = if is_fortran { Order::F } else { Order::C };
    let shape = array.raw_dim().set_f(is_fortran);
    let mut draft = Options::new(Mode::Create).order(order).draft::<A, D>(path, shape)?;
    draft.view_mut().assign(array);
    draft.publish()
}

/// The functions of `.npy` files for one number of axes, which need only the element type.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("a.npy");
/// use ndarray_memmap::{Mode, npy};
///
/// # npy::save(&path, &ndarray::Array2::<f32>::zeros((3, 2)))?;
/// // SAFETY: no other code changes the file while `a` lives.
/// let a = unsafe { npy::Array2::<f32>::open(&path, Mode::ReadOnly)? };
/// assert_eq!(a.dim(), (3, 2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Array<A, D>(PhantomData<(A, D)>);

macro_rules! dimensions {
    ($($(#[$doc:meta])* $Name:ident: $D:ty;)*) => {$(
        $(#[$doc])*
        pub type $Name<A> = Array<A, $D>;
    )*};
}

dimensions! {
    /// The functions of `.npy` files with one axis: `npy::Array1::<f64>::open(path, mode)`.
    Array1: Ix1;
    /// The functions of `.npy` files with two axes: `npy::Array2::<f64>::open(path, mode)`.
    Array2: Ix2;
    /// The functions of `.npy` files with three axes.
    Array3: Ix3;
    /// The functions of `.npy` files with four axes.
    Array4: Ix4;
    /// The functions of `.npy` files with five axes.
    Array5: Ix5;
    /// The functions of `.npy` files with six axes.
    Array6: Ix6;
    /// The functions of `.npy` files with any number of axes.
    ArrayD: IxDyn;
}
