//! The other ways to open the array of a `.npy` file, which must give the same elements.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::path::Path;

use ndarray_memmap::npy::DynArray;
use ndarray_memmap::{Error, ErrorKind, Mode, NpyErrorKind};

use crate::array::Array;
use crate::dtype::DType;
use crate::element;
use crate::expect::{Facts, Outcome};
use crate::json::Result;
use crate::npy::{NpyRequest, Opened, Way};

macro_rules! boxed {
    ($array:expr; $($(#[$meta:meta])* $Variant:ident)*) => {
        match $array {
            $($(#[$meta])* DynArray::$Variant(array) => {
                Ok(Box::new(array) as Box<dyn Array>)
            })*
            other => Err(format!("unknown variant: {other:?}")),
        }
    };
}

/// Compares an open array with its copies and with an array opened by `DynArray`.
pub(crate) fn compare_opened(
    request: &NpyRequest,
    path: &Path,
    opened: &Opened,
) -> Result<()> {
    let Opened { array, dtype } = opened;
    let facts = Facts::seen(array.as_ref(), dtype);
    // A written header may be longer than the default limit for reading.
    let is_new = request.creation.is_some();
    let cap = if is_new { Some(u64::MAX) } else { request.max_header_size };
    compare_loaded(cap, path, dtype, &facts)?;
    let mode = if is_new { Mode::ReadOnly } else { request.mode };
    match open_dynamic(request, mode, path)? {
        None => Ok(()),
        Some(Err(error))
            if is_new
                && is_npy(&error, |kind| {
                    matches!(kind, NpyErrorKind::HeaderTooLarge { .. })
                }) =>
        {
            Ok(())
        }
        Some(Ok(dynamic)) if dynamic.element() != array.element() => {
            let (dynamic, array) = (dynamic.element(), array.element());
            Err(format!("`DynArray` is of `{dynamic}` instead of `{array}`"))
        }
        Some(dynamic) => compare_dynamic(dynamic, dtype, &facts),
    }
}

/// Returns whether an error has a kind of `.npy` files.
fn is_npy(error: &Error, is_kind: impl Fn(&NpyErrorKind) -> bool) -> bool {
    matches!(error.kind(), ErrorKind::Npy(kind) if is_kind(kind))
}

/// Compares the results of the other ways for a refused file.
pub(crate) fn compare_refused(
    request: &NpyRequest,
    path: &Path,
    refused: (&Error, &Outcome),
    numpy: &Facts,
) -> Result<()> {
    if request.creation.is_some() {
        return Ok(());
    }
    let (error, outcome) = refused;
    let dynamic = open_dynamic(request, request.mode, path)?;
    match (error.kind(), &numpy.dtype, dynamic) {
        // Misalignment is the only defect that the other ways accept.
        (ErrorKind::Misaligned { .. }, Some(dtype), dynamic) => {
            let facts = numpy.of_elements();
            compare_loaded(request.max_header_size, path, dtype, &facts)?;
            dynamic.map_or(Ok(()), |dynamic| compare_dynamic(dynamic, dtype, &facts))
        }
        (_, _, Some(Ok(_))) => Err("`DynArray` opened it".into()),
        (_, _, None) => Ok(()),
        (_, _, Some(Err(error)))
            if is_npy(&error, |kind| {
                matches!(kind, NpyErrorKind::ElementType { .. })
            }) =>
        {
            Ok(())
        }
        (_, _, Some(Err(error))) => {
            outcome.compare(&error).map_err(|reason| format!("`DynArray` {reason}"))
        }
    }
}

fn compare_loaded(
    max_header_size: Option<u64>,
    path: &Path,
    dtype: &DType,
    facts: &Facts,
) -> Result<()> {
    let Some(open) = element::npy_opener(dtype) else {
        return Ok(());
    };
    let options = NpyRequest::of(Mode::ReadOnly, max_header_size).options();
    let compared = open(&options, Way::Load, path)
        .map_err(|error| format!("refused: {error}"))
        .and_then(|mut loaded| facts.compare(loaded.as_mut(), dtype));
    compared.map_err(|reason| format!("loaded, {reason}"))
}

fn compare_dynamic(
    dynamic: Result<Box<dyn Array>, Error>,
    dtype: &DType,
    facts: &Facts,
) -> Result<()> {
    let is_complex = matches!(dtype, DType::Plain { kind: 'c', .. });
    let is_half = matches!(dtype, DType::Plain { kind: 'f', count: 2, .. });
    let known = element::npy_opener(dtype).is_some()
        && dtype.number().is_some()
        && (!is_complex || cfg!(feature = "num-complex"))
        && (!is_half || cfg!(feature = "half"));
    let compared = match dynamic.map_err(ndarray_memmap::Error::into_kind) {
        Ok(mut dynamic) if known => facts.compare(dynamic.as_mut(), dtype),
        Ok(dynamic) => Err(format!("opened as `{}`", dynamic.element())),
        Err(ErrorKind::Npy(NpyErrorKind::ElementType { .. })) if !known => Ok(()),
        Err(error) => Err(format!("refused: {error}")),
    };
    compared.map_err(|reason| format!("`DynArray`: {reason}"))
}

/// Opens a file by `DynArray`, which has no options; `None` if some are needed.
fn open_dynamic(
    request: &NpyRequest,
    mode: Mode,
    path: &Path,
) -> Result<Option<Result<Box<dyn Array>, Error>>> {
    if request.max_header_size.is_some() {
        return Ok(None);
    }
    // SAFETY: the file lies in a folder made for this case, which no other code uses. The
    // case itself writes to the file or maps it again only while no view is borrowed.
    let array = match unsafe { DynArray::open(path, mode) } {
        Ok(array) => array,
        Err(error) => return Ok(Some(Err(error))),
    };
    let boxed: Result<Box<dyn Array>> = boxed!(array;
        Bool I8 I16 I32 I64 U8 U16 U32 U64 F32 F64
        BeI16 BeI32 BeI64 BeU16 BeU32 BeU64 BeF32 BeF64
        LeI16 LeI32 LeI64 LeU16 LeU32 LeU64 LeF32 LeF64
        #[cfg(feature = "half")] F16
        #[cfg(feature = "half")] BeF16
        #[cfg(feature = "half")] LeF16
        #[cfg(feature = "num-complex")] C64
        #[cfg(feature = "num-complex")] C128
        #[cfg(feature = "num-complex")] BeC64
        #[cfg(feature = "num-complex")] BeC128
        #[cfg(feature = "num-complex")] LeC64
        #[cfg(feature = "num-complex")] LeC128
    );
    boxed.map(|array| Some(Ok(array)))
}
