//! The expected result of a call: success with facts about the array, or an error of a kind.

use std::io;

use ndarray_memmap::{Error, ErrorKind, NpyErrorKind};
use serde_json::Value;

use crate::array::Array;
use crate::dtype::DType;
use crate::file::{compare_bytes, join};
use crate::json::{Fields, Hex, Result, one_or_many};

/// All kinds of errors that the cases name, including those of `.npy` files and of Python.
#[rustfmt::skip]
const KINDS: [&str; 34] = [
    "bad_argument_type", "bad_magic", "bad_version", "empty_file", "file_too_small",
    "header_descr", "header_encoding", "header_fortran", "header_keys", "header_not_dict",
    "header_shape", "header_syntax", "header_too_large", "invalid_bit_pattern",
    "invalid_mode", "io", "is_directory", "length_negative", "negative_dim", "not_found",
    "object_dtype", "offset_negative", "offset_past_eof", "permission_denied",
    "read_only", "shape_required", "size_not_multiple", "size_overflow", "too_many_dims",
    "truncated_header", "truncated_header_len", "truncated_magic", "unaligned",
    "zero_sized_element",
];

/// Success, or failure of one of several kinds.
#[derive(Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    pub(crate) kinds: Vec<String>,
}

/// The expected result of a call.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    pub(crate) outcome: Outcome,
    pub(crate) facts: Facts,
    pub(crate) file_unchanged: bool,
    pub(crate) file_size: Option<u64>,
}

/// The visible properties of an array; `None` is not compared.
#[derive(Clone, Default)]
pub(crate) struct Facts {
    pub(crate) shape: Option<Vec<usize>>,
    strides: Option<Vec<i64>>,
    item_size: Option<usize>,
    pub(crate) dtype: Option<DType>,
    writeable: Option<bool>,
    c_contiguous: Option<bool>,
    f_contiguous: Option<bool>,
    aligned: Option<bool>,
    pub(crate) mode: Option<String>,
    offset: Option<i64>,
    /// The bytes of all elements in C order.
    pub(crate) bytes: Option<Vec<u8>>,
    values: Option<Vec<Value>>,
}

impl Outcome {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        // NumPy's own words.
        fields.pass_over(&["error_type", "message", "warnings"]);
        let ok = fields.need("ok")?;
        let kinds = fields.get::<Value>("kind")?;
        let kinds = kinds.map_or(Some(Vec::new()), |kinds| one_or_many::<String>(&kinds));
        let kinds = kinds.ok_or("`kind` is neither a name nor a list of names")?;
        match kinds.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
            Some(kind) => Err(format!("unknown kind `{kind}`")),
            None => Ok(Self { ok, kinds }),
        }
    }

    /// Compares the error of a call that must fail.
    pub(crate) fn compare(&self, error: &Error) -> Result<()> {
        for kind in &self.kinds {
            match is_of_kind(error, kind) {
                Some(true) => return Ok(()),
                Some(false) => {}
                None => return Err(format!("no variant of `Error` stands for `{kind}`")),
            }
        }
        Err(format!("failed by `{error}` instead of {:?}", self.kinds))
    }
}

/// Returns whether an error is of a kind; `None` if no error of the crate can be.
fn is_of_kind(error: &Error, kind: &str) -> Option<bool> {
    let is_io = |kind| matches!(error.kind(), ErrorKind::Io { source, .. } if source.kind() == kind);
    Some(match kind {
        "not_found" => is_io(io::ErrorKind::NotFound),
        "permission_denied" => is_io(io::ErrorKind::PermissionDenied),
        "io" => matches!(error.kind(), ErrorKind::Io { .. } | ErrorKind::NoSpace { .. }),
        "is_directory" => matches!(error.kind(), ErrorKind::NotAFile { .. }),
        "file_too_small" => matches!(error.kind(), ErrorKind::FileTooShort { .. }),
        "size_not_multiple" => matches!(error.kind(), ErrorKind::PartialElement { .. }),
        "offset_past_eof" => matches!(error.kind(), ErrorKind::OffsetPastEnd { .. }),
        "unaligned" => matches!(error.kind(), ErrorKind::Misaligned { .. }),
        "size_overflow" => matches!(error.kind(), ErrorKind::TooLarge),
        "shape_required" => matches!(error.kind(), ErrorKind::ShapeRequired),
        "invalid_mode" => matches!(error.kind(), ErrorKind::UnknownMode { .. }),
        "invalid_bit_pattern" => matches!(error.kind(), ErrorKind::InvalidElement { .. }),
        "zero_sized_element" => matches!(error.kind(), ErrorKind::ZeroSizedElement),
        "read_only" => matches!(error.kind(), ErrorKind::ReadOnly),
        _ => return is_of_npy_kind(error, kind),
    })
}

/// Returns whether an error is of a kind that only `.npy` files have.
fn is_of_npy_kind(error: &Error, kind: &str) -> Option<bool> {
    use NpyErrorKind as E;
    let is =
        |of_kind: fn(&E) -> bool| matches!(error.kind(), ErrorKind::Npy(e) if of_kind(e));
    Some(match kind {
        "bad_magic" => is(|e| matches!(e, E::BadMagic | E::Npz)),
        "bad_version" => is(|e| matches!(e, E::BadVersion { .. })),
        "truncated_magic" => {
            is(|e| matches!(e, E::Truncated { part: "magic string", .. }))
        }
        "truncated_header_len" => {
            is(|e| matches!(e, E::Truncated { part: "header length", .. }))
        }
        "truncated_header" => is(|e| matches!(e, E::Truncated { part: "header", .. })),
        "header_too_large" => is(|e| matches!(e, E::HeaderTooLarge { .. })),
        "header_encoding" => is(|e| matches!(e, E::Encoding { .. })),
        "header_syntax" => is(|e| matches!(e, E::Syntax { .. })),
        "header_not_dict" => is(|e| matches!(e, E::NotADictionary)),
        "header_keys" => is(|e| matches!(e, E::Keys)),
        "header_descr" => is(|e| matches!(e, E::Descr { .. })),
        "header_fortran" => is(|e| matches!(e, E::FortranOrder { .. })),
        "header_shape" => is(|e| matches!(e, E::Shape { .. })),
        "negative_dim" => is(|e| matches!(e, E::NegativeLength { .. })),
        "object_dtype" => is(|e| matches!(e, E::ObjectType)),
        "too_many_dims" => is(|e| matches!(e, E::Unwritable { .. })),
        _ => return None,
    })
}

impl Expected {
    pub(crate) fn read(mut fields: Fields) -> Result<Self> {
        let expected = Self {
            outcome: Outcome::read(&mut fields)?,
            facts: Facts::read(&mut fields)?,
            file_unchanged: fields.get("file_unchanged")?.unwrap_or_default(),
            file_size: fields.get("file_size")?,
        };
        fields.done()?;
        Ok(expected)
    }

    /// Fills in unspecified properties from NumPy's result if both results agree.
    pub(crate) fn or_as(&self, numpy: &Self) -> Self {
        let mut expected = self.clone();
        let shape = &self.facts.shape;
        if self.outcome.ok != numpy.outcome.ok {
            return expected;
        }
        if shape.is_none() || *shape == numpy.facts.shape {
            expected.facts = self.facts.clone().or(&numpy.facts);
        }
        if self.outcome.kinds.is_empty() {
            expected.outcome.kinds.clone_from(&numpy.outcome.kinds);
        }
        expected
    }
}

impl Facts {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let dtype = fields.get::<Value>("dtype")?;
        let hex = fields.get("c_order_hex")?.map(|Hex(bytes)| bytes);
        let long = fields.get::<Value>("c_order")?;
        let long = long.map(|value| read_long(&value)).transpose()?;
        Ok(Self {
            shape: fields.get("shape")?,
            strides: fields.get("strides")?,
            item_size: fields.get("itemsize")?,
            dtype: dtype.map(|dtype| DType::read(&dtype)).transpose()?,
            writeable: fields.get("writeable")?,
            c_contiguous: fields.get("c_contiguous")?,
            f_contiguous: fields.get("f_contiguous")?,
            aligned: fields.get("aligned")?,
            mode: fields.get("mode")?,
            offset: fields.get("offset")?,
            bytes: hex.or(long),
            values: fields.get("values")?,
        })
    }

    pub(crate) fn or(self, other: &Self) -> Self {
        let other = other.clone();
        Self {
            shape: self.shape.or(other.shape),
            strides: self.strides.or(other.strides),
            item_size: self.item_size.or(other.item_size),
            dtype: self.dtype.or(other.dtype),
            writeable: self.writeable.or(other.writeable),
            c_contiguous: self.c_contiguous.or(other.c_contiguous),
            f_contiguous: self.f_contiguous.or(other.f_contiguous),
            aligned: self.aligned.or(other.aligned),
            mode: self.mode.or(other.mode),
            offset: self.offset.or(other.offset),
            bytes: self.bytes.or(other.bytes),
            values: self.values.or(other.values),
        }
    }

    /// Returns the visible properties of an array.
    pub(crate) fn seen(array: &dyn Array, dtype: &DType) -> Self {
        Self {
            shape: Some(array.shape().to_vec()),
            item_size: Some(array.item_size()),
            dtype: Some(dtype.clone()),
            bytes: Some(array.bytes()),
            values: Some(array.values(dtype)),
            ..Self::default()
        }
    }

    /// Keeps the properties that do not depend on how an array is opened.
    pub(crate) fn of_elements(&self) -> Self {
        let Self { shape, dtype, bytes, values, .. } = self.clone();
        Self { shape, dtype, bytes, values, ..Self::default() }
    }

    /// Compares an array whose elements are of NumPy's type `dtype`.
    pub(crate) fn compare(&self, array: &mut dyn Array, dtype: &DType) -> Result<()> {
        let is_empty = array.shape().contains(&0);
        let align = dtype.align().max(1);
        let aligned = is_empty || array.address().is_multiple_of(align);
        let mode = array.mode().to_string();
        same("shape", self.shape.as_deref(), array.shape())?;
        if !is_empty {
            let strides = self.strides.as_deref().map(|s| that_matter(s, array.shape()));
            same("strides", strides, that_matter(&array.strides(), array.shape()))?;
        }
        same("itemsize", self.item_size, array.item_size())?;
        same("dtype", self.dtype.as_ref(), dtype)?;
        same("writeable", self.writeable, array.is_writeable())?;
        same("c_contiguous", self.c_contiguous, array.is_c_contiguous())?;
        same("f_contiguous", self.f_contiguous, array.is_f_contiguous())?;
        same("aligned", self.aligned, aligned)?;
        same("mode", self.mode.as_deref(), mode.as_str())?;
        same("offset", self.offset, array.offset().try_into().unwrap_or(i64::MAX))?;
        if let Some(bytes) = &self.bytes {
            compare_bytes("the array", bytes, &array.bytes())?;
        }
        if let Some(values) = &self.values {
            compare_values(values, &array.values(dtype))?;
        }
        Ok(())
    }
}

/// Reads a long byte string from its parts; its hash contains the same information.
fn read_long(value: &Value) -> Result<Vec<u8>> {
    let mut fields = Fields::of("c_order", value)?;
    fields.pass_over(&["sha256"]);
    let bytes = join(&fields.need::<Vec<Value>>("parts")?)?;
    let size: usize = fields.need("size")?;
    fields.done()?;
    if size == bytes.len() {
        return Ok(bytes);
    }
    Err(format!("`c_order` has {} bytes instead of {size}", bytes.len()))
}

/// Omits the strides of axes of length 1, which ndarray may choose freely.
fn that_matter(strides: &[i64], shape: &[usize]) -> Vec<Option<i64>> {
    let keep = shape.iter().map(Some).chain(std::iter::repeat(None));
    let both = strides.iter().zip(keep);
    both.map(|(stride, length)| (length != Some(&1)).then_some(*stride)).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: Option<T>,
    found: T,
) -> Result<()> {
    match expected {
        Some(expected) if expected != found => {
            Err(format!("{what} is {found:?} instead of {expected:?}"))
        }
        _ => Ok(()),
    }
}

fn compare_values(expected: &[Value], found: &[Value]) -> Result<()> {
    same("number of values", Some(expected.len()), found.len())?;
    let mut both = expected.iter().zip(found).enumerate();
    match both.find(|(_, (expected, found))| !is_same_value(expected, found)) {
        Some((at, (expected, found))) => {
            Err(format!("value {at} is {found} instead of {expected}"))
        }
        None => Ok(()),
    }
}

/// Compares two values; floats may differ by the precision that serde_json loses.
fn is_same_value(expected: &Value, found: &Value) -> bool {
    const ULPS: u64 = 2;
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) if expected.is_f64() => {
            let bits = |value: &serde_json::Number| value.as_f64().map(f64::to_bits);
            let difference = bits(expected).zip(bits(found)).map(|(e, f)| e.abs_diff(f));
            difference.is_some_and(|difference| difference <= ULPS)
        }
        (Value::Array(expected), Value::Array(found)) => {
            let mut both = expected.iter().zip(found);
            expected.len() == found.len() && both.all(|(e, f)| is_same_value(e, f))
        }
        (expected, found) => expected == found,
    }
}
