//! The array that is divided, as a header describes it.

use std::ops::Range;

use ndarray::Axis;

use crate::error::{Error, Result};
use crate::layout::slowest;
use crate::npy::{Header, Version};

/// An array with a slowest axis, whose bytes are those of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// What it says is the same for all versions of the format.
    pub(super) header: Header,
    /// The number of rows: of indices of the slowest axis.
    pub(super) rows: usize,
    /// The bytes of one row.
    pub(super) row_len: usize,
}

impl Whole {
    /// Makes sure that
    ///
    /// 1. there is an axis,
    /// 2. the number of rows, times the bytes of each, does not overflow,
    /// 3. nor does the end of the last, which a file can have.
    pub(super) fn new(header: Header) -> Result<Self> {
        let header = Header { version: Version::V1, ..header };
        // Condition 1.
        let none = Error::AxisOutOfBounds { axis: 0, ndim: 0 };
        let rows = header.count().ok_or(none)?;
        let mut row = header.clone();
        row.set_count(1);
        let row_len = usize::try_from(row.len()?).map_err(|_| Error::TooLarge)?;
        // Condition 2.
        let len = row_len.checked_mul(rows).and_then(|len| u64::try_from(len).ok());
        // Condition 3.
        let end = len.and_then(|len| len.checked_add(header.data_offset));
        match end.map(i64::try_from) {
            Some(Ok(_)) => Ok(Self { header, rows, row_len }),
            _ => Err(Error::TooLarge),
        }
    }

    pub(super) fn axis(&self) -> Axis {
        Axis(slowest(self.header.shape.len(), self.header.fortran_order))
    }

    /// Returns the byte of the file at which a row begins, or after the last.
    pub(super) fn start_of(&self, row: usize) -> u64 {
        // Conditions 2 and 3.
        let bytes = u64::try_from(self.row_len.saturating_mul(row)).unwrap_or(u64::MAX);
        self.header.data_offset.saturating_add(bytes)
    }

    /// Describes some of the rows as an array of their own.
    pub(super) fn part(&self, rows: &Range<usize>) -> Header {
        let mut part =
            Header { data_offset: self.start_of(rows.start), ..self.header.clone() };
        part.set_count(rows.len());
        part
    }
}
