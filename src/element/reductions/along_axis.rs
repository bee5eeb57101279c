//! Sums along one axis, in the order of memory; knows no element type.

use ndarray::{
    Array, ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, RemoveAxis, Zip,
};

use num_traits::Zero;

use super::Reduce;
use super::lanes::{add_lane, in_memory_order};

/// The elements of a part that stays in the cache of one core.
const CACHED: usize = 1 << 14;
/// The sums of a part, each of which has pages of its own in every row.
const GROUP: usize = 1 << 16;
/// The sums that are added to at the same time.
const TILE: usize = 1 << 11;
/// The rows that are added to a tile before the tile is added to the sums.
const ROWS: usize = 32;
/// Fewer rows, or fewer sums beside each other, are added in a simpler way.
const FEW: usize = 16;

/// Returns the sums along an axis, each as `finish` rounds it.
///
/// # Panics
///
/// Panics if `axis` is out of bounds.
#[track_caller]
pub(super) fn reduce<A: Reduce, D: RemoveAxis, R: Copy + Zero>(
    array: &ArrayRef<A, D>,
    axis: Axis,
    finish: impl Fn(A::Total) -> R,
) -> Array<R, D::Smaller> {
    let (axes, axis) = (array.ndim(), axis.index());
    assert!(axis < axes, "axis {axis} is out of bounds for an array with {axes} axes");
    let (view, order) = in_memory_order(array.view());
    let place = order.slice().iter().position(|&other| other == axis).unwrap_or(axis);
    let shape = view.raw_dim().remove_axis(Axis(place));
    let mut sums = Array::from_elem(shape, R::zero());
    in_parts(view, Axis(place), sums.view_mut(), &finish);

    // Puts the remaining axes into the order of the array.
    let mut back = D::Smaller::zeros(sums.ndim());
    let remaining = order.slice().iter().filter(|&&other| other != axis);
    for (from, &other) in remaining.enumerate() {
        let to = if other > axis { other.saturating_sub(1) } else { other };
        if let Some(place) = back.slice_mut().get_mut(to) {
            *place = from;
        }
    }
    sums.permuted_axes(back)
}

/// Makes the sums of one part after the other, so that memory is read in order.
fn in_parts<A: Reduce, D: RemoveAxis, R>(
    view: ArrayView<'_, A, D>,
    axis: Axis,
    sums: ArrayViewMut<'_, R, D::Smaller>,
    finish: &impl Fn(A::Total) -> R,
) {
    let long = (0..sums.ndim()).map(Axis).find(|&long| sums.len_of(long) > 1);
    if let Some(long) = long
        && (sums.len() > GROUP || view.len() > CACHED && long.index() < axis.index())
    {
        let middle = sums.len_of(long).div_euclid(2);
        let (view, other_view) = view.split_at(beside(long, axis), middle);
        let (sums, other_sums) = sums.split_at(long, middle);
        in_parts(view, axis, sums, finish);
        return in_parts(other_view, axis, other_sums, finish);
    }
    let mut totals = Array::from_elem(sums.raw_dim(), A::Total::default());
    if sums.is_empty() {
        // The axis may be of any length.
        return;
    }
    let inner = view.shape().iter().skip(axis.index()).skip(1);
    let inner = inner.fold(1_usize, |count, &len| count.saturating_mul(len));
    if view.len_of(axis) < FEW || inner >= FEW {
        for rows in view.axis_chunks_iter(axis, ROWS) {
            in_tiles(rows, axis, totals.view_mut());
        }
    } else {
        for rows in view.axis_chunks_iter(axis, CACHED) {
            Zip::from(&mut totals)
                .and(rows.lanes(axis))
                .for_each(|total, lane| add_lane(total, lane));
        }
    }
    Zip::from(sums).and(&totals).for_each(|sum, &total| *sum = finish(total));
}

/// Returns the axis of an array that is axis `other` of the sums along `axis`.
fn beside(other: Axis, axis: Axis) -> Axis {
    let skipped = usize::from(other.index() >= axis.index());
    Axis(other.index().saturating_add(skipped))
}

/// Adds a few rows, as many sums at a time as stay in the cache.
fn in_tiles<A: Reduce, D: RemoveAxis>(
    rows: ArrayView<'_, A, D>,
    axis: Axis,
    totals: ArrayViewMut<'_, A::Total, D::Smaller>,
) {
    let long = (0..totals.ndim()).map(Axis).find(|&long| totals.len_of(long) > 1);
    if let Some(long) = long
        && totals.len() > TILE
    {
        let middle = totals.len_of(long).div_euclid(2);
        let (rows, other_rows) = rows.split_at(beside(long, axis), middle);
        let (totals, other_totals) = totals.split_at(long, middle);
        in_tiles(rows, axis, totals);
        return in_tiles(other_rows, axis, other_totals);
    }
    let mut tile = Array::from_elem(totals.raw_dim(), A::Wide::default());
    for rows in rows.axis_chunks_iter(axis, 4) {
        add_rows(&mut tile, rows, axis);
    }
    Zip::from(totals).and(&tile).for_each(|total, &sum| A::add_block(total, sum));
}

/// Adds up to four rows, whose sum is in a register before it is added.
#[inline]
fn add_rows<A: Reduce, D: RemoveAxis>(
    tile: &mut Array<A::Wide, D::Smaller>,
    rows: ArrayView<'_, A, D>,
    axis: Axis,
) {
    if rows.len_of(axis) < 4 {
        for row in rows.axis_iter(axis) {
            Zip::from(&mut *tile)
                .and(row)
                .for_each(|sum, value| *sum = A::plus(*sum, value.widen()));
        }
        return;
    }
    let [a, b, c, d] = [0, 1, 2, 3].map(|index| rows.index_axis(axis, index));
    Zip::from(tile).and(a).and(b).and(c).and(d).for_each(|sum, a, b, c, d| {
        let (first, second) =
            (A::plus(a.widen(), b.widen()), A::plus(c.widen(), d.widen()));
        *sum = A::plus(*sum, A::plus(first, second));
    });
}
