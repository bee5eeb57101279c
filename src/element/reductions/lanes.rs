//! Reductions of whole arrays and of single lanes; knows no element type.

use std::cmp::Reverse;

use ndarray::{ArrayRef, ArrayView, ArrayView1, Axis, Dimension};

use super::Reduce;
use super::number::BLOCK;

/// The elements of a strided lane that are added one after the other.
const RUN: usize = 128;

/// Returns the view whose axes go from the largest to the smallest step in memory, and the axes of
/// `view` in this order.
///
/// Axes along which the view repeats its elements come first, so that the last axis is contiguous
/// if any is.
pub(super) fn in_memory_order<A, D: Dimension>(
    view: ArrayView<'_, A, D>,
) -> (ArrayView<'_, A, D>, D) {
    let rank = |axis: usize| {
        let stride = view.strides().get(axis).map_or(0, |stride| stride.unsigned_abs());
        match view.len_of(Axis(axis)) {
            0 | 1 => usize::MAX,
            _ if stride == 0 => usize::MAX,
            _ => stride,
        }
    };
    let mut order = D::zeros(view.ndim());
    for (axis, place) in order.slice_mut().iter_mut().enumerate() {
        *place = axis;
    }
    order.slice_mut().sort_by_key(|&axis| Reverse(rank(axis)));
    (view.permuted_axes(order.clone()), order)
}

/// Calls `visit` with lanes that together are all elements, in the order of memory.
fn for_each_lane<A, D: Dimension>(
    array: &ArrayRef<A, D>,
    mut visit: impl FnMut(ArrayView1<'_, A>),
) {
    if array.is_empty() {
        return;
    }
    if let Some(elements) = array.as_slice_memory_order() {
        return visit(ArrayView1::from(elements));
    }
    let mut view = array.view();
    for axis in 0..view.ndim() {
        if view.strides().get(axis).is_some_and(|&stride| stride < 0) {
            view.invert_axis(Axis(axis));
        }
    }
    let (mut view, _) = in_memory_order(view);
    // An array of no axes is contiguous.
    if let Some(last) = view.ndim().checked_sub(1) {
        for axis in (0..last).rev() {
            view.merge_axes(Axis(axis), Axis(last));
        }
    }
    view.rows().into_iter().for_each(visit);
}

/// Returns the sum of all elements.
pub(super) fn total<A: Reduce, D: Dimension>(array: &ArrayRef<A, D>) -> A::Total {
    let mut total = A::Total::default();
    for_each_lane(array, |lane| add_lane(&mut total, lane));
    total
}

/// Adds the elements of a lane to `total`.
#[inline]
pub(super) fn add_lane<A: Reduce>(total: &mut A::Total, lane: ArrayView1<'_, A>) {
    if let Some(elements) = lane.as_slice() {
        for block in elements.chunks(BLOCK) {
            A::add_block(total, A::sum_block(block));
        }
    } else if lane.len() <= RUN {
        A::add_block(total, one_by_one(lane));
    } else {
        for run in lane.axis_chunks_iter(Axis(0), RUN) {
            A::add_block(total, one_by_one(run));
        }
    }
}

/// Returns the sum of a few elements.
#[inline]
fn one_by_one<A: Reduce>(run: ArrayView1<'_, A>) -> A::Wide {
    run.iter().fold(A::Wide::default(), |sum, value| A::plus(sum, value.widen()))
}

/// Returns a NaN if there is any, or the element that is better than all others.
///
/// `is_better` compares a value with the best one so far.
pub(super) fn extreme<A: Reduce, D: Dimension>(
    array: &ArrayRef<A, D>,
    is_better: impl Fn(A::Value, A::Value) -> bool,
) -> Option<A::Value> {
    let mut best = None;
    let mut nan = None;
    let better = |best, value| if is_better(value, best) { value } else { best };
    for_each_lane(array, |lane| {
        if nan.is_some() {
            return;
        }
        let Some(elements) = lane.as_slice() else {
            nan = lane.iter().find(|value| value.has_nan()).map(|value| value.to_value());
            best =
                best.into_iter().chain(lane.iter().map(|x| x.to_value())).reduce(better);
            return;
        };
        for block in elements.chunks(BLOCK) {
            if block.iter().fold(false, |found, value| found | value.has_nan()) {
                nan = block
                    .iter()
                    .find(|value| value.has_nan())
                    .map(|value| value.to_value());
                return;
            }
            best = best.into_iter().chain(extreme_of_block(block, better)).reduce(better);
        }
    });
    nan.or(best)
}

/// Compares in 16 independent lanes, so that the compiler can use vectors.
#[inline]
fn extreme_of_block<A: Reduce>(
    block: &[A],
    better: impl Fn(A::Value, A::Value) -> A::Value,
) -> Option<A::Value> {
    let mut lanes = [block.first()?.to_value(); 16];
    let (chunks, rest) = block.as_chunks::<16>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = better(*lane, value.to_value());
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane = better(*lane, value.to_value());
    }
    lanes.into_iter().reduce(better)
}
