//! The serialized form of windows, for other processes and languages; reads no file.

use std::path::PathBuf;

use ndarray::Order;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{DividedArray, Window};
use crate::error::{Error, ErrorKind};
use crate::npy::{DType, Header};

/// The facts of a window, with NumPy's names where NumPy has them.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WindowFields {
    path: PathBuf,
    dtype: String,
    fortran_order: bool,
    data_offset: u64,
    shape: Vec<usize>,
    start: usize,
    end: usize,
    read_only: bool,
}

// Not derived: documentation marks the implementations of a module that needs a feature.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        WindowFields::from(self.clone()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fields = WindowFields::deserialize(from)?;
        fields.try_into().map_err(de::Error::custom)
    }
}

impl From<Window> for WindowFields {
    fn from(Window { path, whole, rows, read_only }: Window) -> Self {
        Self {
            path,
            dtype: whole.header.dtype.to_string(),
            fortran_order: whole.header.fortran_order,
            data_offset: whole.header.data_offset,
            shape: whole.header.shape,
            start: rows.start,
            end: rows.end,
            read_only,
        }
    }
}

impl TryFrom<WindowFields> for Window {
    type Error = Error;

    fn try_from(facts: WindowFields) -> Result<Self, Error> {
        let WindowFields { path, shape, start, end, read_only, .. } = facts;
        let dtype = facts.dtype.parse::<DType>()?;
        let order = if facts.fortran_order { Order::F } else { Order::C };
        let mut header = Header::new(dtype, &shape, order)?;
        header.data_offset = facts.data_offset;
        let whole = DividedArray::new(header)?;
        match start.max(end) {
            index if index > whole.rows => {
                Err(ErrorKind::IndexOutOfBounds { index, len: whole.rows }.into())
            }
            _ if start > end => {
                Err(ErrorKind::IndexOutOfBounds { index: start, len: end }.into())
            }
            _ => Ok(Self { path, whole, rows: start..end, read_only }),
        }
    }
}
