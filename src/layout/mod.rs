//! The positions of an array's elements in a file: pure arithmetic; knows no file and no bytes.

mod footprint;
mod view;

pub(crate) use footprint::Footprint;
pub(crate) use view::{
    check, check_part, invalid_element, misaligned, view_at, view_mut_at,
};

use bytemuck::cast_slice;
use ndarray::{
    ArrayView, ArrayViewMut, Axis, Dimension, Ix1, IxDyn, Order, ShapeBuilder,
    StrideShape,
};

use crate::error::{ErrorKind, Result};

/// The largest slice of zero-sized elements; ndarray checks shapes and strides against it.
const UNITS: [(); isize::MAX as usize] = [(); isize::MAX as usize];

/// The position of an array in a file: a range of bytes, and a shape and strides within the range.
///
/// [`MapOptions::resolve`](crate::MapOptions::resolve) creates a layout and checks that:
///
/// 1. The product of the non-zero axis lengths, times the element size, is at most
///    `isize::MAX`, even if another axis has length zero.
/// 2. The distance in bytes from the lowest element to the end of the highest is at most
///    `isize::MAX`.
/// 3. `offset + len` is at most `i64::MAX`, the largest length of a file.
/// 4. `offset` is a multiple of the element's alignment, unless the array has no element.
/// 5. The strides of an array without elements are zero, and no stride is `isize::MIN`.
///
/// [`view`](Self::view) and [`view_mut`](Self::view_mut) are for programs that map a file by
/// other means.
///
/// # Examples
///
/// ```
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let layout = MapOptions::new(Mode::ReadOnly).offset(16).rows_of(3).resolve::<f32>(64)?;
/// assert_eq!((layout.shape(), layout.strides()), (&[4, 3][..], &[3, 1][..]));
/// assert_eq!((layout.offset(), layout.end()), (16, 64));
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<D = Ix1> {
    offset: u64,
    len: usize,
    item_size: usize,
    dim: D,
    strides: D,
    overlaps: bool,
}

impl<D: Dimension> Layout<D> {
    /// Creates the checked layout of an array with elements of `size` bytes at `offset`.
    pub(crate) fn new(
        offset: u64,
        shape: StrideShape<D>,
        size: usize,
        align: usize,
    ) -> Result<Self> {
        let units = ArrayView::from_shape(shape, &UNITS).map_err(|e| match e.kind() {
            ndarray::ErrorKind::IncompatibleLayout => ErrorKind::StridesMismatch,
            _ => ErrorKind::TooLarge,
        })?;
        let dim = units.raw_dim();
        let is_empty = dim.slice().contains(&0);
        let mut strides = D::zeros(dim.ndim());
        if !is_empty {
            strides.slice_mut().copy_from_slice(cast_slice(units.strides()));
        }

        let mut count: usize = 1;
        let mut reach: usize = 0;
        for (&length, stride) in dim.slice().iter().zip(signed(&strides)) {
            // Condition 5.
            let _ = stride.checked_abs().ok_or(ErrorKind::TooLarge)?;
            count = count.checked_mul(length.max(1)).ok_or(ErrorKind::TooLarge)?;
            let steps = length.saturating_sub(1);
            reach = steps
                .checked_mul(stride.unsigned_abs())
                .and_then(|step| reach.checked_add(step))
                .ok_or(ErrorKind::TooLarge)?;
        }
        // Conditions 1 and 2.
        let _ = bytes(count, size)?;
        let span = reach.checked_add(1).ok_or(ErrorKind::TooLarge)?;
        let len = if is_empty { 0 } else { bytes(span, size)? };

        let mut layout =
            Self { offset, len, item_size: size, dim, strides, overlaps: false };
        // Condition 3.
        if layout.checked_end().is_none_or(|end| i64::try_from(end).is_err()) {
            return Err(ErrorKind::TooLarge.into());
        }
        // Condition 4.
        if !is_empty && !is_multiple(offset, align) {
            return Err(ErrorKind::Misaligned { offset, align }.into());
        }
        layout.overlaps =
            ArrayViewMut::from_shape(layout.upward_shape(), &mut { UNITS }).is_err();
        Ok(layout)
    }

    /// Converts the layout into one whose number of axes is known only at run time.
    pub(crate) fn into_dyn(self) -> Layout<IxDyn> {
        let Self { offset, len, item_size, dim, strides, overlaps } = self;
        let (dim, strides) = (dim.into_dyn(), strides.into_dyn());
        Layout { offset, len, item_size, dim, strides, overlaps }
    }

    /// Converts the layout to another dimension type, or returns its number of axes if they differ.
    pub(crate) fn into_dimensionality<D2: Dimension>(self) -> Result<Layout<D2>, usize> {
        let Self { offset, len, item_size, dim, strides, overlaps } = self;
        let found = dim.ndim();
        let (dim, strides) = (D2::from_dimension(&dim), D2::from_dimension(&strides));
        let (dim, strides) = dim.zip(strides).ok_or(found)?;
        Ok(Layout { offset, len, item_size, dim, strides, overlaps })
    }

    /// Returns the byte offset in the file at which the array begins.
    ///
    /// With negative strides, this is the offset of the lowest element, not of the first element.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the byte offset in the file after the last byte of the array.
    pub fn end(&self) -> u64 {
        self.checked_end().unwrap_or(u64::MAX)
    }

    /// Returns the size of the array in bytes, from its first byte to its last, including gaps.
    pub fn byte_len(&self) -> usize {
        self.len
    }

    /// Returns whether the array has no elements, and therefore no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the number of elements.
    pub fn count(&self) -> usize {
        self.dim.size()
    }

    /// Returns the size of one element in bytes.
    pub fn item_size(&self) -> usize {
        self.item_size
    }

    /// Returns the length of each axis, in elements.
    pub fn shape(&self) -> &[usize] {
        self.dim.slice()
    }

    /// Returns the stride of each axis, in elements.
    pub fn strides(&self) -> &[isize] {
        signed(&self.strides)
    }

    /// Returns whether two indices refer to the same element; such an array must not be written.
    pub(crate) fn overlaps(&self) -> bool {
        self.overlaps
    }

    /// Returns the length of the outermost axis (axis 0 in C order, the last in Fortran order).
    pub(crate) fn rows(&self, order: Order) -> usize {
        self.shape().get(outermost(self.dim.ndim(), order)).copied().unwrap_or(0)
    }

    /// Returns whether the array is contiguous in the given order, C or Fortran.
    pub(crate) fn is_in_order(&self, order: Order) -> bool {
        let mut expected = Some(1_isize);
        let mut is_next = |(length, stride): (&usize, &isize)| {
            let fits = expected == Some(*stride);
            let length = isize::try_from(*length).ok();
            expected = expected.and_then(|expected| expected.checked_mul(length?));
            fits
        };
        let mut axes = self.shape().iter().zip(self.strides());
        self.is_empty()
            || match order.is_column_major() {
                true => axes.all(is_next),
                false => axes.rev().all(&mut is_next),
            }
    }

    /// Returns the order that makes `axis` the outermost axis.
    ///
    /// An array may be in both orders, unless `known` names its order.
    pub(crate) fn order_along(&self, axis: Axis, known: Option<Order>) -> Result<Order> {
        let (axis, ndim) = (axis.index(), self.dim.ndim());
        let mut orders = [Order::C, Order::F].into_iter().filter(|order| {
            known.is_none_or(|known| known == *order) && self.is_in_order(*order)
        });
        let first = orders.next().ok_or(ErrorKind::NotInOrder)?;
        let found = std::iter::once(first)
            .chain(orders)
            .find(|order| outermost(ndim, *order) == axis);
        let outermost = outermost(ndim, first);
        Ok(found.ok_or(ErrorKind::NotOutermostAxis { axis, outermost })?)
    }

    /// Returns the layout in C or Fortran order with length `count` of the outermost axis.
    ///
    /// `align` is the alignment of the elements in bytes. An array with elements must already be in
    /// this order.
    pub(crate) fn with_rows(
        &self,
        order: Order,
        count: usize,
        align: usize,
    ) -> Result<Self> {
        let mut dim = self.dim.clone();
        let axis = outermost(dim.ndim(), order);
        if let Some(length) = dim.slice_mut().get_mut(axis) {
            *length = count;
        }
        if self.is_empty() || count == 0 {
            return Self::new(
                self.offset,
                dim.set_f(order.is_column_major()).into(),
                self.item_size,
                align,
            );
        }
        // The strides are unchanged. Only the conditions on the length must be checked again.
        let row = self.len.checked_div(self.rows(order)).ok_or(ErrorKind::TooLarge)?;
        let longer = Self { len: bytes(count, row)?, dim, ..self.clone() };
        match longer.checked_end().map(i64::try_from) {
            Some(Ok(_)) => Ok(longer),
            _ => Err(ErrorKind::TooLarge.into()),
        }
    }

    /// Returns the shape with all strides made positive.
    pub(crate) fn upward_shape(&self) -> StrideShape<D> {
        // ndarray accepts zeros as custom strides only if other axes have at most one element.
        if self.is_empty() {
            return self.dim.clone().into();
        }
        let mut upward = self.strides.clone();
        for (up, stride) in upward.slice_mut().iter_mut().zip(self.strides()) {
            *up = stride.unsigned_abs();
        }
        self.dim.clone().strides(upward)
    }

    fn checked_end(&self) -> Option<u64> {
        self.offset.checked_add(u64::try_from(self.len).ok()?)
    }
}

/// Returns an error if an array has no such axis.
pub(crate) fn check_axis(axis: Axis, ndim: usize) -> Result<()> {
    if axis.index() < ndim {
        return Ok(());
    }
    Err(ErrorKind::AxisOutOfBounds { axis: axis.index(), ndim }.into())
}

/// Returns the size in bytes of one row, which has all axes except the first.
pub(crate) fn row_len(shape: &[usize], item_size: usize) -> Result<usize> {
    let mut lengths = shape.iter().skip(1);
    let size = lengths.try_fold(item_size, |size, length| size.checked_mul(*length));
    Ok(size.ok_or(ErrorKind::TooLarge)?)
}

/// Returns the outermost axis: axis 0 in C order, the last in Fortran order.
pub(crate) fn outermost(ndim: usize, order: Order) -> usize {
    if order.is_column_major() { ndim.saturating_sub(1) } else { 0 }
}

fn signed<D: Dimension>(strides: &D) -> &[isize] {
    cast_slice(strides.slice())
}

/// Multiplies a count of elements by their size, up to `isize::MAX`.
fn bytes(count: usize, size: usize) -> Result<usize> {
    let bytes = count.checked_mul(size).filter(|bytes| isize::try_from(*bytes).is_ok());
    Ok(bytes.ok_or(ErrorKind::TooLarge)?)
}

fn is_multiple(offset: u64, align: usize) -> bool {
    u64::try_from(align).is_ok_and(|align| offset.is_multiple_of(align))
}
