//! The array that is divided, as a header describes it; knows nothing of its parts.

use std::ops::Range;

use ndarray::Axis;

use crate::error::{ErrorKind, Result};
use crate::layout::outermost;
use crate::npy::{Header, Version};

/// An array in a file, with at least one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DividedArray {
    /// The header, always as version 1.0: the format version is irrelevant here.
    pub(super) header: Header,
    /// The number of rows: the length of the outermost axis.
    pub(super) rows: usize,
    /// The size of one row in bytes.
    pub(super) row_len: usize,
}

impl DividedArray {
    /// Checks that
    ///
    /// 1. the array has an axis,
    /// 2. the number of rows, times the size of a row, does not overflow,
    /// 3. the end of the last row is at most `i64::MAX`, the largest length of a file.
    pub(super) fn new(header: Header) -> Result<Self> {
        let header = Header { version: Version::V1, ..header };
        // Condition 1.
        let none = ErrorKind::AxisOutOfBounds { axis: 0, ndim: 0 };
        let rows = header.count().ok_or(none)?;
        let mut row = header.clone();
        row.set_count(1);
        let row_len = usize::try_from(row.len()?).map_err(|_| ErrorKind::TooLarge)?;
        // Condition 2.
        let len = row_len.checked_mul(rows).and_then(|len| u64::try_from(len).ok());
        // Condition 3.
        let end = len.and_then(|len| len.checked_add(header.data_offset));
        match end.map(i64::try_from) {
            Some(Ok(_)) => Ok(Self { header, rows, row_len }),
            _ => Err(ErrorKind::TooLarge.into()),
        }
    }

    pub(super) fn axis(&self) -> Axis {
        Axis(outermost(self.header.shape.len(), self.header.order()))
    }

    /// Returns the byte offset in the file of a row, or of the end after the last row.
    pub(super) fn start_of(&self, row: usize) -> u64 {
        // Conditions 2 and 3.
        let bytes = u64::try_from(self.row_len.saturating_mul(row)).unwrap_or(u64::MAX);
        self.header.data_offset.saturating_add(bytes)
    }

    /// Returns the header of an array that consists of the given rows only.
    pub(super) fn part(&self, rows: &Range<usize>) -> Header {
        let mut part =
            Header { data_offset: self.start_of(rows.start), ..self.header.clone() };
        part.set_count(rows.len());
        part
    }
}
