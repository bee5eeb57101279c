//! Operations on an open array, and on its file from outside.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use ndarray_memmap::{ErrorKind, Mode};
use serde_json::Value;

use crate::array::{Array, Axes, Refusal};
use crate::expect::Outcome;
use crate::json::{Fields, Hex, Result};

/// An operation of a case.
pub(crate) enum Op {
    Set {
        index: Vec<i64>,
        item: Vec<u8>,
        on: Axes,
    },
    Fill {
        item: Vec<u8>,
    },
    Assign {
        items: Vec<u8>,
    },
    Flush,
    /// NumPy's `a[slices].flush()`, which flushes the whole mapping.
    FlushView {
        slices: Vec<Vec<u64>>,
    },
    /// A write to the file by another process.
    FileWrite {
        at: u64,
        bytes: Vec<u8>,
    },
    Drop,
}

impl Op {
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let mut fields = Fields::of("ops", value)?;
        let bytes =
            |fields: &mut Fields, name| fields.need::<Hex>(name).map(|Hex(bytes)| bytes);
        let name: String = fields.need("op")?;
        let op = match name.as_str() {
            "set" | "set_T" => Self::Set {
                index: fields.need("index")?,
                item: bytes(&mut fields, "item_hex")?,
                on: if name == "set" { Axes::Straight } else { Axes::Transposed },
            },
            "fill" => Self::Fill { item: bytes(&mut fields, "item_hex")? },
            "assign_c" => Self::Assign { items: bytes(&mut fields, "c_order_hex")? },
            "flush" => Self::Flush,
            "flush_view" => Self::FlushView { slices: fields.need("slices")? },
            "file_write" => {
                let at = fields.need("at")?;
                Self::FileWrite { at, bytes: bytes(&mut fields, "hex")? }
            }
            "drop" => Self::Drop,
            _ => return Err(format!("unknown op `{name}`")),
        };
        fields.done()?;
        Ok(op)
    }

    /// Runs the operation and compares the outcome.
    pub(crate) fn run(
        &self,
        array: &mut Option<Box<dyn Array>>,
        path: &Path,
        expected: &Outcome,
    ) -> Result<()> {
        let done = match (self, &mut *array) {
            (Self::FileWrite { at, bytes }, _) => write_at(path, *at, bytes)
                .map_err(|e| Refusal::Misuse(format!("cannot write to the file: {e}"))),
            (_, Some(open)) => self.apply(open.as_mut()),
            (_, None) => Err(Refusal::Misuse("the array is dropped".into())),
        };
        if matches!(self, Self::Drop) {
            *array = None;
        }
        match done {
            Ok(()) if expected.ok => Ok(()),
            Ok(()) => Err(format!("succeeded instead of {:?}", expected.kinds)),
            Err(Refusal::Misuse(reason)) => Err(reason),
            Err(Refusal::Error(error)) if expected.ok => Err(error.to_string()),
            Err(Refusal::Error(error)) => expected.compare(&error),
        }
    }

    fn apply(&self, array: &mut dyn Array) -> Result<(), Refusal> {
        match self {
            Self::Set { index, item, on } => array.set(index, item, *on),
            Self::Fill { item } => array.fill(item),
            Self::Assign { items } => array.assign(items),
            Self::Flush => flush(array),
            Self::FlushView { slices } => {
                if !lie_within(slices, array.shape()) {
                    return Err(Refusal::Misuse(format!("no part {slices:?}")));
                }
                flush(array)
            }
            Self::FileWrite { .. } | Self::Drop => Ok(()),
        }
    }
}

/// Syncs an array; NumPy reports success although private changes reach no file.
fn flush(array: &dyn Array) -> Result<(), Refusal> {
    match array.sync() {
        Err(error)
            if matches!(error.kind(), ErrorKind::PrivateChanges)
                && array.mode() == Mode::CopyOnWrite =>
        {
            Ok(())
        }
        synced => Ok(synced?),
    }
}

/// Returns whether ranges of the first axes of an array lie within it.
fn lie_within(slices: &[Vec<u64>], shape: &[usize]) -> bool {
    let within = |(slice, length): (&Vec<u64>, &usize)| match slice.as_slice() {
        [start, end] => start <= end && usize::try_from(*end).is_ok_and(|e| e <= *length),
        _ => false,
    };
    slices.len() <= shape.len() && slices.iter().zip(shape).all(within)
}

fn write_at(path: &Path, at: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
