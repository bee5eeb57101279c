//! Creates ndarray views of bytes: alignment, validity, pointers; knows nothing of files.
#![expect(unsafe_code, reason = "views of checked bytes are created from a pointer")]

use std::{any::type_name, ops::Range, ptr};

use bytemuck::try_cast_slice;
use ndarray::{ArrayView, ArrayViewMut, Axis, Dimension};

use crate::element::{Element, first_invalid, needs_check};
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Layout;

impl<D: Dimension> Layout<D> {
    /// Returns a read-only view of the array in the bytes of its file.
    ///
    /// `bytes` must begin with the first byte of the file, like a map by `memmap2::Mmap::map`. The
    /// array is at [`offset`](Self::offset) to [`end`](Self::end).
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ElementSize`] if the layout was resolved for elements of another size than `A`.
    /// - [`ErrorKind::FileTooShort`] if `bytes` end before the array.
    /// - [`ErrorKind::Misaligned`] if the addresses of the elements are not aligned for `A`.
    /// - [`ErrorKind::InvalidElement`] if an element is not a value of `A`.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    /// // SAFETY: the file does not change while it is mapped.
    /// let bytes = unsafe { memmap2::Mmap::map(&std::fs::File::open(path)?)? };
    ///
    /// let options = MapOptions::new(Mode::ReadOnly).offset(1).shape(7);
    /// let layout = options.resolve::<u8>(bytes.len() as u64)?;
    /// assert_eq!(layout.view::<u8>(&bytes)?.as_slice(), Some(&b"package"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn view<'a, A: Element>(&self, bytes: &'a [u8]) -> Result<ArrayView<'a, A, D>> {
        let found = bytes.len();
        let bytes = self.range().and_then(|range| bytes.get(range));
        let bytes = bytes.ok_or_else(|| self.too_short(found))?;
        check::<A, D>(self, bytes)?;
        // SAFETY: `bytes` are the `len` bytes of the layout, readable and unchanged for `'a`,
        // and `check` has passed.
        Ok(unsafe { view_at(self, bytes.as_ptr()) })
    }

    /// Returns a view of the array in the bytes of its file, for reading and writing.
    ///
    /// # Errors
    ///
    /// The errors of [`view`](Self::view), and [`ErrorKind::OverlappingStrides`] if two indices refer
    /// to the same element.
    pub fn view_mut<'a, A: Element>(
        &self,
        bytes: &'a mut [u8],
    ) -> Result<ArrayViewMut<'a, A, D>> {
        if self.overlaps() {
            return Err(ErrorKind::OverlappingStrides.into());
        }
        let found = bytes.len();
        let bytes = self.range().and_then(|range| bytes.get_mut(range));
        let bytes = bytes.ok_or_else(|| self.too_short(found))?;
        check::<A, D>(self, bytes)?;
        // SAFETY: `bytes` are the `len` bytes of the layout, exclusively borrowed for `'a`;
        // `check` has passed, and no two indices overlap.
        Ok(unsafe { view_mut_at(self, bytes.as_mut_ptr()) })
    }

    fn range(&self) -> Option<Range<usize>> {
        let start = usize::try_from(self.offset()).ok()?;
        Some(start..start.checked_add(self.byte_len())?)
    }

    fn too_short(&self, found: usize) -> Error {
        let found = u64::try_from(found).unwrap_or(u64::MAX);
        ErrorKind::FileTooShort { expected: self.end(), found }.into()
    }
}

/// Checks that `bytes`, which are exactly the bytes of a layout, are elements of type `A`.
pub(crate) fn check<A: Element, D: Dimension>(
    layout: &Layout<D>,
    bytes: &[u8],
) -> Result<()> {
    if layout.item_size() != size_of::<A>() {
        let expected = layout.item_size();
        return Err(ErrorKind::ElementSize { expected, found: size_of::<A>() }.into());
    }
    if layout.is_empty() {
        return Ok(());
    }
    let elements = try_cast_slice::<u8, A::Bits>(bytes)
        .map_err(|_| misaligned::<A>(layout.offset()))?;
    if !needs_check::<A>() {
        return Ok(());
    }
    let invalid = if elements.len() == layout.count() && !layout.overlaps() {
        first_invalid::<A>(elements)
    } else {
        let view = ArrayView::from_shape(layout.upward_shape(), elements);
        let mut view = view.map_err(|_| ErrorKind::TooLarge)?;
        // With stride 0, all indices along the axis refer to one element.
        for (axis, _) in layout.strides().iter().enumerate().filter(|(_, s)| **s == 0) {
            view.collapse_axis(Axis(axis), 0);
        }
        let invalid = view.iter().filter(|bits| !A::is_valid_bit_pattern(bits));
        let lowest = invalid.map(|bits| ptr::from_ref(bits).addr()).min();
        lowest.and_then(|at| {
            at.checked_sub(bytes.as_ptr().addr())?.checked_div(size_of::<A>())
        })
    };
    invalid.map_or(Ok(()), |index| Err(invalid_element::<A>(index)))
}

/// Checks at least the elements of a layout that have bytes in `range`.
///
/// `bytes` are all bytes of the layout. The other elements must have passed [`check`] before.
pub(crate) fn check_part<A: Element, D: Dimension>(
    layout: &Layout<D>,
    bytes: &[u8],
    range: &Range<usize>,
) -> Result<()> {
    if !needs_check::<A>() || range.is_empty() {
        return Ok(());
    }
    let size = size_of::<A>().max(1);
    let is_dense = layout.count().checked_mul(size) == Some(bytes.len());
    if !is_dense || layout.overlaps() {
        return check::<A, D>(layout, bytes);
    }
    let first = range.start.checked_div(size).unwrap_or(0);
    let start = first.saturating_mul(size);
    let end = range.end.checked_next_multiple_of(size).unwrap_or(bytes.len());
    let part = bytes.get(start..end.min(bytes.len())).ok_or(ErrorKind::TooLarge)?;
    let elements = try_cast_slice::<u8, A::Bits>(part)
        .map_err(|_| misaligned::<A>(layout.offset()))?;
    let invalid = first_invalid::<A>(elements).map(|index| index.saturating_add(first));
    invalid.map_or(Ok(()), |index| Err(invalid_element::<A>(index)))
}

/// Makes the error of elements that are not aligned, which names a type that needs no alignment.
pub(crate) fn misaligned<A>(offset: u64) -> Error {
    let error = Error::from(ErrorKind::Misaligned { offset, align: align_of::<A>() });
    match unaligned_name(type_name::<A>()) {
        Some(name) => error
            .with_way_out(format!("use the element type `{name}`, or copy by `load`")),
        None => error,
    }
}

/// Returns the name of the type with the same bytes as a number or complex number, but without its
/// alignment.
fn unaligned_name(name: &str) -> Option<String> {
    let order = if cfg!(target_endian = "little") { "Le" } else { "Be" };
    if let Some(part) = name.strip_prefix("num_complex::Complex<") {
        return Some(format!("Complex<{}>", unaligned_name(part.strip_suffix('>')?)?));
    }
    let short = name.rsplit("::").next()?;
    let is_number = short.trim_start_matches(['b', 'f', 'i', 'u']).parse::<u32>().is_ok();
    is_number.then(|| format!("{order}<{short}>"))
}

/// Makes the error of an element that is no valid value of its type.
pub(crate) fn invalid_element<A: Element>(index: usize) -> Error {
    let error = Error::from(ErrorKind::InvalidElement { index });
    match type_name::<A>() {
        "bool" => error.with_way_out("a `bool` is 0 or 1; map the bytes as `u8`"),
        _ => error,
    }
}

/// Returns a view of the array whose lowest byte is at `low`.
///
/// # Safety
///
/// 1. [`check`] has passed for `A`, this layout and the `len` bytes from `low` on. If the
///    layout is empty, there is no condition on `low`.
/// 2. For `'a` these bytes must be readable and unchanged.
pub(crate) unsafe fn view_at<'a, A: Element, D: Dimension>(
    layout: &Layout<D>,
    low: *const u8,
) -> ArrayView<'a, A, D> {
    let low = if layout.is_empty() { ptr::dangling() } else { low.cast::<A>() };
    // SAFETY: the elements are within the `len` bytes (`Layout`'s conditions 1 and 2), aligned
    // and valid (condition 1), live and unchanged (2). The strides are not negative, and are
    // zero if there is no element (`Layout`'s condition 5).
    let mut view = unsafe { ArrayView::from_shape_ptr(layout.upward_shape(), low) };
    for axis in downward_axes(layout) {
        view.invert_axis(axis);
    }
    view
}

/// Returns a view for reading and writing of the array whose lowest byte is at `low`.
///
/// # Safety
///
/// The conditions of [`view_at`], and:
///
/// 3. For `'a` the bytes must be writable, and read only through this view.
/// 4. The layout must not overlap itself.
pub(crate) unsafe fn view_mut_at<'a, A: Element, D: Dimension>(
    layout: &Layout<D>,
    low: *mut u8,
) -> ArrayViewMut<'a, A, D> {
    let low = if layout.is_empty() { ptr::dangling_mut() } else { low.cast::<A>() };
    // SAFETY: as in `view_at`; the view is the only access (3), and no two of its indices refer
    // to the same element (4).
    let mut view = unsafe { ArrayViewMut::from_shape_ptr(layout.upward_shape(), low) };
    for axis in downward_axes(layout) {
        view.invert_axis(axis);
    }
    view
}

fn downward_axes<D: Dimension>(layout: &Layout<D>) -> impl Iterator<Item = Axis> {
    let strides = layout.strides().iter().enumerate();
    strides.filter(|(_, stride)| **stride < 0).map(|(axis, _)| Axis(axis))
}
