//! The pages that a view touches: arithmetic with addresses and strides; knows no mapping.

use std::ops::Range;

use ndarray::{ArrayRef, Axis, Dimension};

/// The maximum number of ranges that describe a view; see [`Region`](crate::Region).
pub(crate) const MOST_RANGES: usize = 4096;

/// The positions of a view's elements in memory.
#[derive(Clone, Debug)]
pub(crate) struct Footprint {
    /// The address of the first element.
    start: usize,
    item_size: usize,
    axes: Vec<Steps>,
}

/// One axis: the number of elements, and the bytes from one element to the next.
#[derive(Clone, Copy, Debug)]
struct Steps {
    count: usize,
    stride: isize,
}

impl Footprint {
    /// Describes a view without reading its elements.
    pub(crate) fn of<A, D: Dimension>(view: &ArrayRef<A, D>) -> Self {
        let bytes = size_of::<A>().cast_signed();
        let axes = view.shape().iter().zip(view.strides());
        let axes = axes.map(|(&count, &stride)| {
            // The stride of an axis with at most one element can be any number.
            let stride = if count > 1 { stride.wrapping_mul(bytes) } else { 0 };
            Steps { count, stride }
        });
        Self {
            start: view.as_ptr().addr(),
            item_size: size_of::<A>(),
            axes: axes.collect(),
        }
    }

    /// Returns the footprint of the part of the view with the given indices of an axis.
    pub(crate) fn part(&self, axis: Axis, rows: Range<usize>) -> Self {
        let mut part = self.clone();
        if let Some(steps) = part.axes.get_mut(axis.index()) {
            let skipped = steps.stride.wrapping_mul(rows.start.cast_signed());
            part.start = part.start.wrapping_add_signed(skipped);
            steps.count = rows.len();
        }
        part
    }

    /// Returns the size of all elements in bytes.
    pub(crate) fn len(&self) -> usize {
        self.axes.iter().fold(self.item_size, |len, axis| len.saturating_mul(axis.count))
    }

    /// Returns the ranges of whole pages that the elements touch, in order and disjoint.
    ///
    /// Positions count from the first byte of `bytes`, and the ranges lie within `bytes`. The
    /// ranges are exact up to [`MOST_RANGES`]; above this number they include the innermost gaps.
    pub(crate) fn pages(&self, bytes: Range<usize>, page: usize) -> Vec<Range<usize>> {
        let mut axes: Vec<(usize, usize)> = Vec::with_capacity(self.axes.len());
        let mut start = self.start;
        for &Steps { count, stride } in &self.axes {
            let Some(steps) = count.checked_sub(1) else { return Vec::new() };
            if stride < 0 {
                start = start.wrapping_sub(stride.unsigned_abs().saturating_mul(steps));
            }
            axes.push((stride.unsigned_abs(), steps));
        }
        axes.retain(|&(_, steps)| steps > 0);
        axes.sort_unstable();

        // Contiguous elements, and elements with less than a page between them, form one run.
        let mut run = self.item_size;
        let mut runs = axes.iter().fold(1_usize, |runs, (_, steps)| {
            runs.saturating_mul(steps.saturating_add(1))
        });
        let mut starts = vec![start];
        let mut outer = Vec::new();
        for (stride, steps) in axes {
            if stride.saturating_sub(run) < page || runs > MOST_RANGES {
                run = run.saturating_add(stride.saturating_mul(steps));
                runs = runs.checked_div(steps.saturating_add(1)).unwrap_or(runs);
            } else {
                outer.push((stride, steps));
            }
        }
        for (stride, steps) in outer.into_iter().rev() {
            let along = |start: usize| {
                (0..=steps).map(move |i| start.wrapping_add(stride.wrapping_mul(i)))
            };
            starts = starts.into_iter().flat_map(along).collect();
        }
        starts.sort_unstable();
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(starts.len());
        for start in starts {
            let range = around(start..start.saturating_add(run), page, &bytes);
            match ranges.last_mut() {
                Some(last) if range.start <= last.end => {
                    last.end = range.end.max(last.end)
                }
                _ if range.is_empty() => {}
                _ => ranges.push(range),
            }
        }
        ranges
    }
}

/// Rounds a range of addresses out to pages, limits the range to `bytes`, and counts from the
/// first address of `bytes`.
fn around(range: Range<usize>, page: usize, bytes: &Range<usize>) -> Range<usize> {
    let below = range.start.checked_rem(page).unwrap_or(0);
    let start = range.start.saturating_sub(below).clamp(bytes.start, bytes.end);
    let end = range.end.checked_next_multiple_of(page).unwrap_or(usize::MAX);
    let end = end.clamp(start, bytes.end);
    start.saturating_sub(bytes.start)..end.saturating_sub(bytes.start)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "the numbers are small")]
mod tests {
    use std::collections::BTreeSet;

    use ndarray::{Array, ArrayView, Dimension, ShapeBuilder, SliceArg, s};

    use super::*;

    /// Computes the pages from the address of each element, and compares.
    fn assert_exact<D: Dimension, E: Dimension>(
        whole: &ArrayView<'_, u16, E>,
        part: &ArrayView<'_, u16, D>,
        page: usize,
    ) {
        let base = whole.as_ptr().addr();
        let bytes = base..base + 2 * whole.len();
        let touched = part.iter().flat_map(|element| {
            let start = std::ptr::from_ref(element).addr();
            start / page..=(start + 1) / page
        });
        let touched: BTreeSet<usize> = touched.collect();
        let ranges = Footprint::of(part).pages(bytes.clone(), page);
        let mut found = BTreeSet::new();
        let mut last = None;
        for range in ranges {
            assert!(range.start < range.end && range.end <= bytes.len(), "{range:?}");
            assert!(
                last.is_none_or(|last| last < range.start),
                "{range:?} follows {last:?}"
            );
            last = Some(range.end);
            found.extend((base + range.start) / page..=(base + range.end - 1) / page);
        }
        assert_eq!(found, touched, "{:?} {:?}, {page}", part.shape(), part.strides());
    }

    fn check<E: Dimension, I: SliceArg<E>>(whole: &ArrayView<'_, u16, E>, info: I) {
        for page in [2, 4, 8, 64, 4096] {
            assert_exact(whole, &whole.slice(info.clone_arg()), page);
        }
    }

    /// `SliceArg` does not imply `Clone`, but slices of ranges implement `Clone`.
    trait CloneArg {
        fn clone_arg(&self) -> &Self;
    }

    impl<I: ?Sized> CloneArg for I {
        fn clone_arg(&self) -> &Self {
            self
        }
    }

    #[test]
    fn the_ranges_are_the_pages_that_elements_touch_and_no_others() {
        let c = Array::<u16, _>::zeros((9, 10, 11));
        let f = Array::<u16, _>::zeros((9, 10, 11).f());
        for whole in [c.view(), f.view()] {
            check(&whole, s![.., .., ..]);
            check(&whole, s![3..5, .., ..]);
            check(&whole, s![.., 4, ..]);
            check(&whole, s![.., .., 10]);
            check(&whole, s![..;-2, 1..;3, ..;-5]);
            check(&whole, s![8, 9, 10]);
            check(&whole, s![0, ..;4, ..;-1]);
            check(&whole, s![2..2, .., ..]);
        }
    }

    #[test]
    fn a_part_is_the_slice_along_the_axis() {
        let mut whole = Array::<u16, _>::zeros((9, 10));
        whole.invert_axis(Axis(0));
        let base =
            whole.view().iter().map(|x| std::ptr::from_ref(x).addr()).min().unwrap();
        let bytes = base..base + 180;
        let parts = [(Axis(0), s![2..5, ..]), (Axis(1), s![.., 2..5])];
        for (axis, part) in parts {
            let expected = Footprint::of(&whole.slice(part)).pages(bytes.clone(), 4);
            assert_eq!(
                Footprint::of(&whole).part(axis, 2..5).pages(bytes.clone(), 4),
                expected
            );
        }
    }

    #[test]
    fn too_many_ranges_become_fewer_that_enclose_them() {
        let rows = 2 * MOST_RANGES;
        let whole = Array::<u16, _>::zeros((2, rows, 4));
        let base = whole.as_ptr().addr();
        let bytes = base..base + 16 * rows;
        let part = whole.slice(s![.., .., 0]);
        let ranges = Footprint::of(&part).pages(bytes, 2);
        assert_eq!(ranges, [0..8 * rows - 6, 8 * rows..16 * rows - 6]);
    }
}
