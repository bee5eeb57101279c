//! The arrays of a sweep, one or several, for reading or writing; knows nothing of pages.

use std::path::Path;

use ndarray::{ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension};

use crate::array::MmapArray;
use crate::element::Element;
use crate::error::{AtPath, ErrorKind, Result};
use crate::layout::{Footprint, check_axis};
use crate::mapping::Backing;

/// Views that a sweep can split: views of one array, or tuples of up to four.
pub trait Split: sealed::Sealed + Sized {
    /// Splits along an axis at an index.
    #[doc(hidden)]
    fn split_rows(self, axis: Axis, index: usize) -> (Self, Self);
}

/// Arrays that [`sweep_zip`](crate::sweep_zip) accepts: tuples of `&` and `&mut` handles.
pub trait Sweepable<'a>: sealed::Sealed {
    /// The views of one block.
    type Views: Split;

    /// Returns views of all rows.
    #[doc(hidden)]
    fn views(self, axis: Axis) -> Result<(Self::Views, SweptArrays<'a>)>;
}

/// The arrays of a sweep without their views.
///
/// The first field has backing, footprint, and whether the sweep changes the array. The second has
/// the number of rows, and a shape with that number.
#[doc(hidden)]
#[derive(Debug)]
#[expect(unnameable_types, reason = "only the traits here exchange it")]
pub struct SweptArrays<'a>(
    Vec<(&'a Backing, Footprint, bool)>,
    Option<(usize, Vec<usize>)>,
);

mod sealed {
    #[expect(unnameable_types, reason = "no other crate implements it")]
    pub trait Sealed {}
}

impl<'a> SweptArrays<'a> {
    /// Describes one array, which must have the axis.
    pub(crate) fn of<A: Element, D: Dimension>(
        view: &ArrayRef<A, D>,
        backing: &'a Backing,
        axis: Axis,
        writes: bool,
    ) -> Self {
        let shape = view.shape();
        let rows = shape.get(axis.index()).map(|&rows| (rows, shape.to_vec()));
        Self(vec![(backing, Footprint::of(view), writes)], rows)
    }

    fn and(mut self, other: Self, axis: Axis) -> Result<Self> {
        if let (Some((rows, _)), Some((others, shape))) = (&self.1, &other.1)
            && rows != others
        {
            let mut expected = shape.clone();
            if let Some(len) = expected.get_mut(axis.index()) {
                *len = *rows;
            }
            let mismatch = ErrorKind::ShapeMismatch { expected, found: shape.clone() };
            let path = other.0.first().map(|(backing, ..)| &*backing.path);
            return Err(mismatch.at(path.unwrap_or(Path::new(""))));
        }
        self.0.extend(other.0);
        Ok(self)
    }

    /// Returns the backing and footprint of each array, whether it changes, and the number of rows.
    pub(crate) fn into_parts(self) -> (Vec<(&'a Backing, Footprint, bool)>, usize) {
        (self.0, self.1.map_or(0, |(rows, _)| rows))
    }
}

impl<A, D> sealed::Sealed for ArrayView<'_, A, D> {}
impl<A, D> sealed::Sealed for ArrayViewMut<'_, A, D> {}
impl<A, D> sealed::Sealed for &MmapArray<A, D> {}
impl<A, D> sealed::Sealed for &mut MmapArray<A, D> {}

impl<A, D: Dimension> Split for ArrayView<'_, A, D> {
    fn split_rows(self, axis: Axis, index: usize) -> (Self, Self) {
        self.split_at(axis, index)
    }
}

impl<A, D: Dimension> Split for ArrayViewMut<'_, A, D> {
    fn split_rows(self, axis: Axis, index: usize) -> (Self, Self) {
        self.split_at(axis, index)
    }
}

impl<'a, A: Element, D: Dimension> Sweepable<'a> for &'a MmapArray<A, D> {
    type Views = ArrayView<'a, A, D>;

    fn views(self, axis: Axis) -> Result<(Self::Views, SweptArrays<'a>)> {
        check_axis(axis, self.ndim()).at(&self.backing().path)?;
        Ok((self.view(), SweptArrays::of(self, self.backing(), axis, false)))
    }
}

impl<'a, A: Element, D: Dimension> Sweepable<'a> for &'a mut MmapArray<A, D> {
    type Views = ArrayViewMut<'a, A, D>;

    fn views(self, axis: Axis) -> Result<(Self::Views, SweptArrays<'a>)> {
        check_axis(axis, self.ndim()).at(&self.backing().path)?;
        let (view, backing) = self.view_and_backing()?;
        let whole = SweptArrays::of(&view, backing, axis, true);
        Ok((view, whole))
    }
}

macro_rules! tuples {
    ($($first:ident $($other:ident)+;)+) => {$(
        impl<$first, $($other),+> sealed::Sealed for ($first, $($other),+) {}

        impl<$first: Split, $($other: Split),+> Split for ($first, $($other),+) {
            #[expect(non_snake_case, reason = "a name for each type")]
            fn split_rows(self, axis: Axis, index: usize) -> (Self, Self) {
                let ($first, $($other),+) = self;
                let $first = $first.split_rows(axis, index);
                $(let $other = $other.split_rows(axis, index);)+
                (($first.0, $($other.0),+), ($first.1, $($other.1),+))
            }
        }

        impl<'a, $first: Sweepable<'a>, $($other: Sweepable<'a>),+> Sweepable<'a>
            for ($first, $($other),+)
        {
            type Views = ($first::Views, $($other::Views),+);

            #[expect(non_snake_case, reason = "a name for each type")]
            fn views(self, axis: Axis) -> Result<(Self::Views, SweptArrays<'a>)> {
                let ($first, $($other),+) = self;
                let ($first, whole) = $first.views(axis)?;
                $(let ($other, other) = $other.views(axis)?; let whole = whole.and(other, axis)?;)+
                Ok((($first, $($other),+), whole))
            }
        }
    )+};
}

tuples! {
    T U;
    T U V;
    T U V W;
}
