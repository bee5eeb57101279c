//! Arrays whose element type becomes known when the file is opened; adds no element types.

use std::path::Path;

use super::open::OpenedFile;
use super::{DType, Header, NpyElement};
use crate::array::MmapArrayD;
use crate::element::{Be, Le};
use crate::error::{Error, NpyErrorKind, Result};

macro_rules! dynamic {
    ($($(#[$meta:meta])* $Variant:ident: $A:ty,)*) => {
        /// The array of a `.npy` file, with the element type that its header declares.
        ///
        /// The elements have their primitive type if byte order and alignment fit the machine.
        /// Otherwise they have the type [`Be`] or [`Le`].
        /// [`match_real!`](crate::npy::match_real) runs an expression on any variant of real
        /// numbers.
        #[derive(Debug)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the names describe the variants")]
        pub enum DynArray {
            $($(#[$meta])* $Variant(MmapArrayD<$A>),)*
        }

        impl DynArray {
            /// Returns the length of each axis.
            pub fn shape(&self) -> &[usize] {
                match self {
                    $($(#[$meta])* Self::$Variant(array) => array.shape(),)*
                }
            }

            /// Returns the number of axes.
            pub fn ndim(&self) -> usize {
                self.shape().len()
            }

            /// Returns the path that the array was opened by, or `None` if it was not opened by a
            /// path.
            pub fn path(&self) -> Option<&Path> {
                match self {
                    $($(#[$meta])* Self::$Variant(array) => array.path(),)*
                }
            }

            /// Maps the array as the first variant whose type matches the header and the alignment.
            // Inline: only crates that call this function compile it for all types.
            #[inline]
            pub(super) fn map_opened(file: OpenedFile<'_>) -> Result<Self> {
                $($(#[$meta])* if allows::<$A>(file.header()) {
                    return file.map().map(Self::$Variant);
                })*
                Err(unsupported(file.header().dtype.clone()).at(file.path()))
            }
        }
    };
}

dynamic! {
    Bool: bool,
    I8: i8,
    I16: i16,
    I32: i32,
    I64: i64,
    U8: u8,
    U16: u16,
    U32: u32,
    U64: u64,
    F32: f32,
    F64: f64,
    #[cfg(feature = "half")]
    F16: half::f16,
    #[cfg(feature = "num-complex")]
    C64: num_complex::Complex<f32>,
    #[cfg(feature = "num-complex")]
    C128: num_complex::Complex<f64>,
    BeI16: Be<i16>,
    BeI32: Be<i32>,
    BeI64: Be<i64>,
    BeU16: Be<u16>,
    BeU32: Be<u32>,
    BeU64: Be<u64>,
    BeF32: Be<f32>,
    BeF64: Be<f64>,
    #[cfg(feature = "half")]
    BeF16: Be<half::f16>,
    #[cfg(feature = "num-complex")]
    BeC64: num_complex::Complex<Be<f32>>,
    #[cfg(feature = "num-complex")]
    BeC128: num_complex::Complex<Be<f64>>,
    LeI16: Le<i16>,
    LeI32: Le<i32>,
    LeI64: Le<i64>,
    LeU16: Le<u16>,
    LeU32: Le<u32>,
    LeU64: Le<u64>,
    LeF32: Le<f32>,
    LeF64: Le<f64>,
    #[cfg(feature = "half")]
    LeF16: Le<half::f16>,
    #[cfg(feature = "num-complex")]
    LeC64: num_complex::Complex<Le<f32>>,
    #[cfg(feature = "num-complex")]
    LeC128: num_complex::Complex<Le<f64>>,
}

/// Returns whether the elements are of type `A` and aligned for `A`.
fn allows<A: NpyElement>(header: &Header) -> bool {
    let align = u64::try_from(align_of::<A>()).unwrap_or(u64::MAX);
    let is_empty = header.shape.contains(&0);
    A::check(&header.dtype).is_ok()
        && (is_empty || header.data_offset.is_multiple_of(align))
}

fn unsupported(found: DType) -> Error {
    let expected = "bool, int, uint or float".to_owned();
    NpyErrorKind::ElementType { found: found.to_string(), expected }.into()
}

/// Runs an expression on the array of a `DynArray` if its elements are real numbers.
///
/// In the expression, the name is a reference to the array with its element type. Every such
/// element type implements `PartialOrd` and `num_traits::ToPrimitive`. For other arrays the macro
/// runs the `else` branch.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("x.npy");
/// # // SAFETY: only this example accesses the file.
/// # drop(unsafe { ndarray_memmap::npy::create::<i16, _>(&path, (2, 2))? });
/// use ndarray_memmap::{Mode, npy};
/// use num_traits::ToPrimitive;
///
/// // SAFETY: nothing else accesses the file.
/// let array = unsafe { npy::DynArray::open(&path, Mode::ReadOnly)? };
/// let sum = npy::match_real!(&array, a => {
///     a.iter().filter_map(ToPrimitive::to_f64).sum::<f64>()
/// }, else => f64::NAN);
/// assert_eq!(sum, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __npy_match_real {
    ($array:expr, $name:ident => $run:expr, else => $other:expr $(,)?) => {
        $crate::__npy_match_numbers!($array, $name, $run, $other)
    };
}

/// Adds the variants of the enabled features, which the crate of the caller cannot query.
#[cfg(not(feature = "half"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __npy_match_numbers {
    ($array:expr, $name:ident, $run:expr, $other:expr) => {
        $crate::__npy_match_variants!($array, $name, $run, $other,)
    };
}

/// Adds the variants of the enabled features, which the crate of the caller cannot query.
#[cfg(feature = "half")]
#[macro_export]
#[doc(hidden)]
macro_rules! __npy_match_numbers {
    ($array:expr, $name:ident, $run:expr, $other:expr) => {
        $crate::__npy_match_variants!($array, $name, $run, $other, F16 BeF16 LeF16)
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __npy_match_variants {
    ($array:expr, $name:ident, $run:expr, $other:expr, $($More:ident)*) => {
        $crate::__npy_match_variants!(@ $array, $name, $run, $other,
            I8 I16 I32 I64 U8 U16 U32 U64 F32 F64
            BeI16 BeI32 BeI64 BeU16 BeU32 BeU64 BeF32 BeF64
            LeI16 LeI32 LeI64 LeU16 LeU32 LeU64 LeF32 LeF64 $($More)*)
    };
    (@ $array:expr, $name:ident, $run:expr, $other:expr, $($Variant:ident)*) => {
        match $array {
            $($crate::npy::DynArray::$Variant($name) => $run,)*
            _ => $other,
        }
    };
}
