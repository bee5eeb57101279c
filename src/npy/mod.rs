//! Maps `.npy` files in place, like `numpy.lib.format.open_memmap` and `np.load`.
//!
//! - [`open`] maps the array of a `.npy` file. [`create`] writes a header and maps the zeros
//!   after the header. [`load`] copies the array into memory.
//! - The element type must match the type in the file exactly, byte order included. An array
//!   keeps the order that its file has, C or Fortran.
//! - [`Options`] has all other settings. [`Header`] and [`DType`] describe a file without
//!   mapping the array.
//! - [`DynArray`] maps a file whose element type is unknown at compile time. [`match_real!`]
//!   computes with a `DynArray`. [`record!`] makes a struct an element type.
//!
//! ```
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("x.npy");
//! use ndarray::Ix2;
//! use ndarray_memmap::{Mode, npy};
//!
//! // SAFETY: nothing else accesses the file while the arrays live.
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
//! # Accepted headers
//!
//! This module accepts the headers that NumPy writes, and all others that the format describes.
//! NumPy evaluates the header as a Python literal and therefore accepts more. This module treats
//! the rest as follows:
//!
//! | | |
//! |---|---|
//! | leading spaces, any white space between tokens, brackets around a string or number | accepted |
//! | escapes in strings, `3L` of Python 2 in versions 1.0 and 2.0 | accepted |
//! | `=f4` and `\|f4` for the machine's own byte order | accepted |
//! | more than 64 axes | accepted, but not written |
//! | a key twice | refused: [`NpyErrorKind::Syntax`] |
//! | comments, `r''`, `u''`, `'''`, strings side by side, `0x3`, `1_0`, `+3` | refused: [`NpyErrorKind::Syntax`] |
//! | `f`, `f4`, `?`, `<i2,<i2`, tuples as types, records more than 16 deep | refused: [`NpyErrorKind::Descr`] |

mod descr;
mod dtype;
mod dyn_array;
mod element;
mod entries;
mod growable;
mod header;
mod header_bytes;
mod open;
mod options;
mod parser;
mod row_count;
mod shorthand;
mod version;

#[doc(inline)]
pub use crate::{__npy_match_real as match_real, __npy_record as record};
pub use dtype::{ByteOrder, DType, Field, Kind, Scalar, Unit};
pub use dyn_array::DynArray;
pub use element::NpyElement;
#[doc(hidden)]
pub use element::{RustField, check_record, record_dtype};
pub use growable::make_growable;
pub use header::Header;
pub use open::{create, draft, load, open};
pub use options::Options;
pub use shorthand::{
    Array, Array1, Array2, Array3, Array4, Array5, Array6, ArrayD, save,
};
pub use version::Version;

#[cfg(doc)]
use crate::{MapOptions, NpyErrorKind};
