//! Requests the pages of rows before they are used, in any order; knows nothing of elements.
//!
//! All functions run on the thread that iterates. That thread calls `reach` before it uses a row,
//! and the kernel reads the requested pages at the same time. A check whether a row is cached costs
//! more than a row that is cached. After a cached row the prefetcher skips the checks of more and
//! more rows. After a row that is not cached the prefetcher requests some rows without a check.

use std::ops::Range;

use ndarray::Axis;

use crate::layout::Footprint;
use crate::mapping::Backing;

/// The number of rows to request ahead.
const ROWS: usize = 128;
/// The number of bytes to request ahead, if that is less; the next row is always requested.
const BYTES: usize = 16 << 20;
/// The most rows to skip while all checked rows are cached.
const TRUST: usize = 63;
/// The number of rows to request without a check after a row that was not cached.
const DOUBT: usize = 7;

/// Requests the rows of an array in the order of `indices`.
#[derive(Clone, Debug)]
pub(crate) struct RowPrefetcher<'a> {
    backing: &'a Backing,
    footprint: Footprint,
    axis: Axis,
    indices: &'a [usize],
    /// How many rows have been requested, skipped, or found cached.
    reached: usize,
    rows: usize,
    /// How many rows to skip before the next check: a check costs more than a row that is cached.
    skip: usize,
    trust: usize,
    doubt: usize,
}

impl<'a> RowPrefetcher<'a> {
    pub(crate) fn new(
        backing: &'a Backing,
        footprint: Footprint,
        axis: Axis,
        indices: &'a [usize],
    ) -> Self {
        let row = footprint.part(axis, 0..1).len();
        let rows = BYTES.checked_div(row).unwrap_or(ROWS).clamp(1, ROWS);
        Self {
            backing,
            footprint,
            axis,
            indices,
            reached: 0,
            rows,
            skip: 0,
            trust: 0,
            doubt: 0,
        }
    }

    /// Returns a prefetcher for other rows of the array.
    #[cfg(feature = "rayon")]
    pub(crate) fn of(&self, indices: &'a [usize]) -> Self {
        Self { indices, reached: 0, skip: 0, trust: 0, doubt: 0, ..self.clone() }
    }

    /// Requests the rows that follow position `at` of the list.
    #[inline]
    pub(crate) fn reach(&mut self, at: usize) {
        let end = at.saturating_add(self.rows).min(self.indices.len());
        let skipped = self.skip.min(end.saturating_sub(self.reached));
        self.skip = self.skip.saturating_sub(skipped);
        self.reached = self.reached.saturating_add(skipped);
        if self.reached < end {
            self.ask(end);
        }
    }

    #[cold]
    fn ask(&mut self, end: usize) {
        while self.reached < end {
            let index = self.indices.get(self.reached).copied().unwrap_or(0);
            self.reached = self.reached.saturating_add(1);
            if let Some(doubt) = self.doubt.checked_sub(1) {
                self.doubt = doubt;
                self.request(index);
            } else if self.is_in_memory(index) {
                self.trust = self.trust.saturating_mul(2).saturating_add(1).min(TRUST);
                let skipped = self.trust.min(end.saturating_sub(self.reached));
                self.reached = self.reached.saturating_add(skipped);
                self.skip = self.trust.saturating_sub(skipped);
            } else {
                self.trust = 0;
                self.doubt = DOUBT;
            }
        }
    }

    /// Returns whether a row is cached; starts to read those of its pages that are not.
    fn is_in_memory(&self, index: usize) -> bool {
        let mapping = &self.backing.mapping;
        let mut is_in = true;
        for range in self.pages(index) {
            let request = |run, is_here: bool| {
                if !is_here {
                    is_in = false;
                    let _ = mapping.request(&run);
                }
            };
            let _ = mapping.residency(&range, request);
        }
        is_in
    }

    /// Starts to read the pages of a row that are not cached.
    fn request(&self, index: usize) {
        for range in self.pages(index) {
            let _ = self.backing.mapping.request(&range);
        }
    }

    fn pages(&self, index: usize) -> Vec<Range<usize>> {
        let row = self.footprint.part(self.axis, index..index.saturating_add(1));
        self.backing.mapping.touched(&row)
    }
}
