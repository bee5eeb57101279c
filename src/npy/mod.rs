//! `.npy` files in place: what `numpy.lib.format.open_memmap` and `np.load` do.
//!
//! [`open`] maps the array of a `.npy` file, [`create`] writes a header and maps the zeros
//! behind it, [`load`] copies. The element type is checked against the file's exactly,
//! byte order included; C and Fortran order come out as they are in the file. [`Options`]
//! have the rest, [`Header`] and [`DType`] describe a file without mapping it, and
//! [`DynArray`] maps one whose type is not known beforehand, for [`match_real!`] to compute
//! with. Structs are elements by [`record!`].
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! use ndarray::Ix2;
//! use ndarray_memmap::{Mode, SyncToDisk, npy};
//!
//! // SAFETY: nothing else touches the file while the arrays live.
//! let mut x = unsafe { npy::create::<f32, _>(&path, (3, 4))? };
//! x.view_mut()?[[1, 2]] = 0.5;
//! x.close()?;
//!
//! // SAFETY: as above.
//! let x = unsafe { npy::open::<f32, Ix2>(&path, Mode::ReadOnly)? };
//! assert_eq!(x.sum(), 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What counts as a header
//!
//! Headers as NumPy writes them, and whatever else its format describes. NumPy evaluates the
//! header as a Python literal and so takes more; of that
//!
//! | | |
//! |---|---|
//! | leading spaces, any white space between tokens, brackets around a string or number | accepted |
//! | escapes in strings, `3L` of Python 2 in versions 1.0 and 2.0 | accepted |
//! | `=f4` and `\|f4` for the machine's own byte order | accepted |
//! | more than 64 axes | accepted, but not written |
//! | a key twice | refused: [`NpyError::Syntax`] |
//! | comments, `r''`, `u''`, `'''`, strings side by side, `0x3`, `1_0`, `+3` | refused: [`NpyError::Syntax`] |
//! | `f`, `f4`, `?`, `<i2,<i2`, tuples as types, records more than 16 deep | refused: [`NpyError::Descr`] |
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

mod descr;
mod dtype;
mod dyn_array;
mod element;
mod entries;
mod growable;
mod header;
mod header_bytes;
mod open;
mod parser;
mod row_count;
mod version;

use std::path::Path;

use ndarray::{Dimension, StrideShape};

#[doc(inline)]
pub use crate::{__npy_match_real as match_real, __npy_record as record};
pub use dtype::{DType, Field, Kind, Order, Scalar, Unit};
pub use dyn_array::DynArray;
pub use element::NpyElement;
#[doc(hidden)]
pub use element::{RustField, check_record, record_dtype};
pub use growable::make_growable;
pub use header::Header;
pub use open::Options;
pub use version::Version;

use crate::array::MmapArray;
use crate::error::Result;
use crate::mode::Mode;
use crate::open::draft::Draft;
#[cfg(doc)]
use crate::{Error, MapOptions, NpyError};

/// Maps the array of a `.npy` file.
///
/// # Safety
///
/// That of [`MapOptions::open`]: [the contract of a
/// mapping](crate#the-contract-of-a-mapping).
///
/// # Errors
///
/// - [`Error::Npy`] if it is not a `.npy` file, or one of other elements or axes.
/// - [`Error::UnsupportedMode`] in the modes `w+` and `x+`, which [`create`] is for.
/// - [`Error::Misaligned`] if the elements begin at an odd place, as some writers put them;
///   [`Le`](crate::Le) and [`Be`](crate::Be) map them there, and [`load`] copies them.
/// - Those of [`MapOptions::open`].
pub unsafe fn open<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    mode: Mode,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the caller vouches for the file.
    unsafe { Options::new(mode).open(path) }
}

/// Creates a `.npy` file of zeros, or replaces one, and maps its array.
///
/// `shape` is in C order, or in Fortran order by `.f()`.
///
/// # Safety
///
/// That of [`MapOptions::open`]: [the contract of a
/// mapping](crate#the-contract-of-a-mapping).
///
/// # Errors
///
/// - [`NpyError::Unwritable`] for arrays that NumPy does not have.
/// - [`Error::NoSpace`] and [`Error::Io`] if the header cannot be written: a file that was to
///   be replaced is lost then, which can happen only where its space is not reserved.
/// - Those of [`MapOptions::open`] in mode `w+`.
pub unsafe fn create<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the caller vouches for the file.
    unsafe { Options::new(Mode::Create).create(path, shape) }
}

/// Makes a `.npy` file of zeros that replaces `path` when it is published; see [`Draft`].
///
/// # Errors
///
/// Those of [`Options::draft`].
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.npy");
/// use ndarray::Ix2;
/// use ndarray_memmap::npy;
///
/// let mut draft = npy::draft::<f32, _>(&path, (100, 8))?;
/// draft.view_mut()?.fill(0.5);
/// draft.publish()?;
/// assert_eq!(npy::load::<f32, Ix2>(&path)?.sum(), 400.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn draft<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<Draft<A, D>> {
    Options::new(Mode::Create).draft(path, shape)
}

/// Reads the array of a `.npy` file into memory: the same handle over a copy.
///
/// # Errors
///
/// Those of [`open`], but for [`Error::Misaligned`].
pub fn load<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    Options::new(Mode::ReadOnly).load(path)
}
