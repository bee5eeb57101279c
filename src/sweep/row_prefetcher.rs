//! Rows in any order: their pages are requested before they are needed.

use std::ops::Range;

use ndarray::Axis;

use crate::layout::footprint::Footprint;
use crate::mapping::Backing;

/// How many rows are requested ahead.
const ROWS: usize = 128;
/// How many bytes, if that is less; at least the next row is requested.
const BYTES: usize = 16 << 20;
/// How many rows are passed over, at most, while all those asked about are in memory.
const TRUST: usize = 63;
/// How many rows are requested without a question after one that was not.
const DOUBT: usize = 7;

/// Requests rows in the order of `indices`.
#[derive(Clone, Debug)]
pub(crate) struct RowPrefetcher<'a> {
    backing: &'a Backing,
    span: Footprint,
    axis: Axis,
    indices: &'a [usize],
    /// How many have been requested, or found in memory.
    reached: usize,
    rows: usize,
    /// How many rows are passed over before the next question: a question costs more than
    /// a row that is in memory.
    skip: usize,
    trust: usize,
    doubt: usize,
}

impl<'a> RowPrefetcher<'a> {
    pub(crate) fn new(
        backing: &'a Backing,
        span: Footprint,
        axis: Axis,
        indices: &'a [usize],
    ) -> Self {
        let row = span.part(axis, 0..1).len();
        let rows = BYTES.checked_div(row).unwrap_or(ROWS).clamp(1, ROWS);
        Self {
            backing,
            span,
            axis,
            indices,
            reached: 0,
            rows,
            skip: 0,
            trust: 0,
            doubt: 0,
        }
    }

    /// Does the same for other rows.
    #[cfg(feature = "rayon")]
    pub(crate) fn of(&self, indices: &'a [usize]) -> Self {
        Self { indices, reached: 0, skip: 0, trust: 0, doubt: 0, ..self.clone() }
    }

    /// Sees to the rows that follow number `at`.
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

    /// Begins to read a row unless it is there.
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

    /// Begins to read what of a row is not there.
    fn request(&self, index: usize) {
        for range in self.pages(index) {
            let _ = self.backing.mapping.request(&range);
        }
    }

    fn pages(&self, index: usize) -> Vec<Range<usize>> {
        let row = self.span.part(self.axis, index..index.saturating_add(1));
        self.backing.mapping.touched(&row)
    }
}
