//! Computes the rows of each part of an array: pure arithmetic, knows no file.

use std::ops::Range;

use crate::error::{ErrorKind, Result};

/// Rows divided into parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    rows: usize,
    parts: usize,
    /// The rows at which parts may begin; `None` if parts may begin at any row.
    steps: Option<Steps>,
}

/// Rows at a fixed period, starting at a first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Steps {
    /// Less than `period`.
    first: usize,
    /// Not 0.
    period: usize,
}

impl Bounds {
    pub(super) fn new(rows: usize, parts: usize) -> Result<Self> {
        if parts == 0 {
            return Err(ErrorKind::NoParts.into());
        }
        Ok(Self { rows, parts, steps: None })
    }

    /// Restricts parts to begin at rows whose offset in the file is a multiple of `bytes`.
    ///
    /// Each row has `row` bytes, and the first row begins at `offset`.
    pub(super) fn aligned(self, offset: u64, row: usize, bytes: u64) -> Self {
        // Rows without bytes have no byte in common.
        if row == 0 || bytes <= 1 {
            return Self { steps: None, ..self };
        }
        // No row is aligned: no array has the row `usize::MAX - 1`, so that no part begins there.
        let nowhere = Steps { first: usize::MAX - 1, period: usize::MAX };
        let steps = Steps::solve(offset, row, bytes).unwrap_or(nowhere);
        Self { steps: Some(steps), ..self }
    }

    pub(super) fn parts(&self) -> usize {
        self.parts
    }

    /// Returns the rows of a part.
    pub(super) fn rows(&self, part: usize) -> Option<Range<usize>> {
        (part < self.parts).then(|| self.start(part)..self.start(part.saturating_add(1)))
    }

    /// Returns the first row of a part, or the number of rows for the part after the last.
    fn start(&self, part: usize) -> usize {
        // `parts` is not 0.
        let each = self.rows.checked_div(self.parts).unwrap_or(0);
        let more = self.rows.checked_rem(self.parts).unwrap_or(0);
        let start = each.saturating_mul(part).saturating_add(part.min(more));
        match self.steps {
            Some(Steps { first, period }) if start < self.rows => {
                let past = start.checked_sub(first);
                let beyond = past.and_then(|past| past.checked_rem(period));
                beyond.map_or(0, |beyond| start.saturating_sub(beyond))
            }
            _ => start,
        }
    }
}

impl Steps {
    /// Solves `offset + first * row = 0` modulo `bytes`; `row` and `bytes` are not 0.
    fn solve(offset: u64, row: usize, bytes: u64) -> Option<Self> {
        // The product of two `i64` values fits into an `i128`.
        let [offset, row, bytes]: [i128; 3] = [
            i64::try_from(offset).ok()?.into(),
            i64::try_from(row).ok()?.into(),
            i64::try_from(bytes).ok()?.into(),
        ];
        let (gcd, inverse) = gcd_and_inverse(row, bytes)?;
        if offset.checked_rem(gcd)? != 0 {
            return None;
        }
        let period = bytes.checked_div(gcd)?;
        let offset = offset.checked_div(gcd)?.checked_rem(period)?;
        let first = offset.checked_mul(inverse)?.checked_neg()?;
        let first = first.checked_rem_euclid(period)?;
        Some(Self {
            first: usize::try_from(first).ok()?,
            period: usize::try_from(period).ok()?,
        })
    }
}

/// Returns `gcd`, the greatest common divisor of `a` and `b`, and an `x` with `a * x = gcd` modulo
/// `b`.
///
/// This is the extended Euclidean algorithm. `a` and `b` are positive. `x` may be negative, and its
/// absolute value is at most `b`.
fn gcd_and_inverse(a: i128, b: i128) -> Option<(i128, i128)> {
    // At each turn `a * x = r` and `a * next_x = next_r`, both modulo `b`.
    let (mut r, mut next_r) = (a, b);
    let (mut x, mut next_x) = (1_i128, 0_i128);
    while next_r != 0 {
        let quotient = r.checked_div(next_r)?;
        (r, next_r) = (next_r, r.checked_rem(next_r)?);
        (x, next_x) = (next_x, x.checked_sub(quotient.checked_mul(next_x)?)?);
    }
    Some((r, x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_the_rows_that_begin_at_a_multiple() {
        for offset in [0, 1, 6, 64, 80, 128, 4096, 5000] {
            for row in [1, 2, 3, 8, 24, 100, 768, 4096, 4099, 12_288] {
                for bytes in [2, 3, 64, 100, 4096] {
                    let begins = |r: &usize| {
                        let row = u64::try_from(r * row).unwrap();
                        (offset + row).is_multiple_of(bytes)
                    };
                    let found = Steps::solve(offset, row, bytes);
                    let expected: Vec<_> = (0..10_000).filter(begins).collect();
                    let listed = found.map(|Steps { first, period }| {
                        (first..10_000).step_by(period).collect::<Vec<_>>()
                    });
                    assert_eq!(listed.unwrap_or_default(), expected);
                }
            }
        }
    }

    #[test]
    fn the_inverse_of_a_number_gives_the_greatest_common_divisor() {
        for a in 1..200 {
            for b in 1..200 {
                let (gcd, inverse) = gcd_and_inverse(a, b).unwrap();
                let divisors = (1..=a).rev();
                let mut common = divisors.filter(|d| a % d == 0 && b % d == 0);
                assert_eq!(common.next(), Some(gcd), "{a}, {b}");
                assert_eq!((a * inverse - gcd) % b, 0, "{a}, {b}");
                assert!(inverse.abs() <= b, "{a}, {b}: {inverse}");
            }
        }
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let most = u64::try_from(i64::MAX).unwrap();
        for (row, bytes) in
            [(usize::MAX / 2, most), (usize::MAX / 2 - 1, most), (3, most)]
        {
            let steps = Steps::solve(most - 1, row, bytes);
            let holds = steps.is_none_or(|Steps { first, .. }| {
                let [offset, row, bytes, first] =
                    [most - 1, row as u64, bytes, first as u64].map(u128::from);
                (offset + first * row).is_multiple_of(bytes)
            });
            assert!(holds, "{row}, {bytes}: {steps:?}");
        }
        assert_eq!(Steps::solve(0, 8, u64::MAX), None);
        let bounds = Bounds::new(usize::MAX, usize::MAX - 1).unwrap();
        assert_eq!(bounds.rows(0), Some(0..2));
        assert_eq!(bounds.rows(usize::MAX - 2), Some(usize::MAX - 1..usize::MAX));
        assert_eq!(bounds.rows(usize::MAX - 1), None);
    }
}
