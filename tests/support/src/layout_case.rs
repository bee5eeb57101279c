//! Layouts of files, and an oracle that is independent of the crate's arithmetic.
//!
//! The oracle computes with numbers that cannot overflow, and lists the bytes of every element.

use std::fmt::Debug;
use std::ops::Range;

use bytemuck::Pod;
use ndarray::{Dimension, IxDyn, ShapeBuilder, StrideShape, indices};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Element, ErrorKind, Layout, MapOptions, Mode, Result};

use crate::{Place, open};

/// The most bytes of an array, and the last byte of a file.
const LIMIT: i128 = i64::MAX as i128;

/// A requested layout of a file.
#[derive(Clone, Debug)]
pub struct Case {
    pub mode: Mode,
    pub grow: bool,
    pub offset: u64,
    pub shape: Vec<usize>,
    pub order: Order,
}

#[derive(Clone, Debug)]
pub enum Order {
    C,
    F,
    Strides(Vec<isize>),
}

impl Case {
    pub fn stride_shape(&self) -> StrideShape<IxDyn> {
        let shape = IxDyn(&self.shape);
        match &self.order {
            Order::C => shape.into(),
            Order::F => shape.f().into(),
            Order::Strides(strides) => {
                let strides: Vec<usize> =
                    strides.iter().map(|s| s.cast_unsigned()).collect();
                shape.strides(IxDyn(&strides))
            }
        }
    }

    pub fn options(&self) -> MapOptions<IxDyn> {
        let options = MapOptions::new(self.mode).grow(self.grow).offset(self.offset);
        options.shape(self.stride_shape())
    }

    pub fn is_empty(&self) -> bool {
        self.shape.contains(&0)
    }

    /// Returns the byte after the last element.
    pub fn end(&self, size: usize) -> i128 {
        let span = (self.reach() + 1).saturating_mul(wide(size));
        i128::from(self.offset)
            + if self.is_empty() { 0 } else { span.min(i128::MAX / 2) }
    }

    /// Returns whether two indices may name one element.
    ///
    /// ndarray's rule: each stride must be longer than all axes of shorter strides together.
    pub fn overlaps(&self) -> bool {
        let axes = self.shape.iter().zip(self.strides());
        let mut axes: Vec<_> = axes
            .filter(|(length, _)| **length > 1)
            .map(|(&length, stride)| (stride.abs(), wide(length)))
            .collect();
        axes.sort_unstable();
        let mut shorter = 0_i128;
        !self.is_empty()
            && axes.into_iter().any(|(stride, length)| {
                let overlaps = stride <= shorter;
                shorter = shorter.saturating_add(stride.saturating_mul(length - 1));
                overlaps
            })
    }

    /// Returns the bytes of each element, in the order of the indices; for small cases only.
    pub fn elements(&self, size: usize) -> Vec<Range<usize>> {
        let strides = self.strides();
        let places: Vec<i128> = indices(IxDyn(&self.shape))
            .into_iter()
            .map(|index| {
                let pairs = index.slice().iter().zip(&strides);
                pairs.map(|(&i, stride)| wide(i) * stride).sum()
            })
            .collect();
        let lowest = places.iter().copied().min().unwrap_or(0);
        let starts = places.iter().map(|place| {
            let start = i128::from(self.offset) + (place - lowest) * wide(size);
            usize::try_from(start).unwrap()
        });
        starts.map(|start| start..start + size).collect()
    }

    /// Compares the result of `resolve` with the oracle.
    pub fn assert_resolved<A: Element>(
        &self,
        found: &Result<Layout<IxDyn>>,
        file_len: u64,
    ) {
        let (size, alignment) = (size_of::<A>(), align_of::<A>());
        let mismatched =
            matches!(&self.order, Order::Strides(s) if s.len() != self.shape.len());
        if size == 0 || mismatched {
            let expected = match size {
                0 => matches!(
                    found.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::ZeroSizedElement)
                ),
                _ => matches!(
                    found.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::StridesMismatch | ErrorKind::TooLarge)
                ),
            };
            assert!(expected, "{found:?}");
            return;
        }
        let is_custom = matches!(self.order, Order::Strides(_));
        let bytes = self.count().saturating_mul(wide(size));
        let end = self.end(size);
        // The negation of such a stride would overflow.
        let endless =
            !self.is_empty() && self.strides().contains(&wide_signed(isize::MIN));
        let too_large =
            bytes > LIMIT || end > LIMIT || end - i128::from(self.offset) > LIMIT;
        let too_large = too_large || endless && is_custom;
        // The strides of an empty array may be refused too.
        let reach = (self.reach() + 1).saturating_mul(wide(size));
        let may_be_too_large = self.is_empty() && is_custom && reach > LIMIT;

        let aligned = wide_unsigned(self.offset) % wide(alignment) == 0;
        let misaligned = !self.is_empty() && !aligned;
        let refused = self.mode != ReadOnly && self.overlaps();
        let short = !self.extends() && end > i128::from(file_len);
        match found.as_ref().map_err(ndarray_memmap::Error::kind) {
            Ok(layout) => {
                let faults = [too_large, misaligned, refused, short];
                assert_eq!(faults, [false; 4], "{layout:?}");
                self.assert_facts(layout, size);
            }
            Err(ErrorKind::TooLarge) => assert!(too_large || may_be_too_large),
            Err(ErrorKind::Misaligned { offset, align }) => {
                assert!(misaligned);
                assert_eq!((*offset, *align), (self.offset, alignment));
            }
            Err(ErrorKind::OverlappingStrides) => assert!(refused),
            Err(ErrorKind::FileTooShort { expected, found }) => {
                assert!(short);
                assert_eq!((wide_unsigned(*expected), *found), (end, file_len));
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    fn assert_facts(&self, layout: &Layout<IxDyn>, size: usize) {
        let (offset, end) = (i128::from(self.offset), self.end(size));
        assert_eq!(wide_unsigned(layout.offset()), offset);
        assert_eq!(wide_unsigned(layout.end()), end);
        assert_eq!(wide(layout.byte_len()), end - offset);
        assert_eq!((layout.shape(), layout.item_size()), (&self.shape[..], size));
        assert_eq!(layout.is_empty(), self.is_empty());
        let count = if self.is_empty() { 0 } else { self.count() };
        assert_eq!(wide(layout.count()), count);
        if !self.is_empty() {
            let strides = layout.strides().iter().copied().map(wide_signed);
            assert!(strides.eq(self.strides()), "{:?}", layout.strides());
        }
    }

    fn extends(&self) -> bool {
        matches!(self.mode, Create | CreateNew) || self.grow && self.mode == ReadWrite
    }

    /// Returns the given strides, or the strides of the order.
    fn strides(&self) -> Vec<i128> {
        let rank = self.shape.len();
        let product = |axes: Range<usize>| {
            self.shape[axes].iter().fold(1, |n: i128, &len| n.saturating_mul(wide(len)))
        };
        match &self.order {
            Order::C => (0..rank).map(|axis| product(axis + 1..rank)).collect(),
            Order::F => (0..rank).map(|axis| product(0..axis)).collect(),
            Order::Strides(strides) => strides.iter().copied().map(wide_signed).collect(),
        }
    }

    /// Returns the number of elements, with each length of zero counted as one.
    fn count(&self) -> i128 {
        self.shape.iter().fold(1, |n: i128, &len| n.saturating_mul(wide(len.max(1))))
    }

    /// Returns the distance in elements between the first and the last.
    fn reach(&self) -> i128 {
        let axes = self.shape.iter().zip(self.strides());
        let reach = axes.fold(0, |n: i128, (&length, stride)| {
            let steps = wide(length.saturating_sub(1));
            n.saturating_add(steps.saturating_mul(stride.abs()))
        });
        reach.min(i128::MAX - 1)
    }
}

/// Checks a case of few elements in a file of `file_len` bytes, for elements of one type.
pub fn check<A: Pod + Debug + PartialEq>(case: &Case, file_len: usize) {
    let resolved = case.options().resolve::<A>(u64::try_from(file_len).unwrap());
    case.assert_resolved::<A>(&resolved, u64::try_from(file_len).unwrap());
    let mut memory = vec![0_u128; file_len.div_ceil(16)];
    let bytes = &mut bytemuck::cast_slice_mut::<_, u8>(&mut memory)[..file_len];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from(at * 37 % 251).unwrap();
    }
    let Ok(layout) = resolved else {
        refused::<A>(case, bytes);
        return;
    };
    let elements = case.elements(size_of::<A>());
    let mut distinct: Vec<_> = elements.iter().map(|bytes| bytes.start).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let overlaps = distinct.len() < elements.len();
    assert!(
        !overlaps || case.mode == ReadOnly,
        "{layout:?} lets elements be changed twice"
    );
    let end = usize::try_from(layout.end()).unwrap();
    if end <= file_len {
        views::<A>(&layout, bytes, &elements, overlaps);
    }
    mapped::<A>(case, bytes, &elements, end);
}

/// Asserts that opening a file fails and leaves the file as it was.
fn refused<A: Pod>(case: &Case, bytes: &[u8]) {
    let place = if case.mode == CreateNew { Place::missing() } else { Place::of(bytes) };
    assert!(open::<A, _>(&case.options(), &place).is_err());
    match case.mode {
        CreateNew => assert_eq!(place.bytes(), None),
        _ => place.assert_holds(bytes),
    }
}

/// Compares views of bytes in memory with the elements, then writes them one by one.
fn views<A: Pod + Debug + PartialEq>(
    layout: &Layout<IxDyn>,
    bytes: &mut [u8],
    elements: &[Range<usize>],
    overlaps: bool,
) {
    let view = layout.view::<A>(bytes).unwrap();
    assert_eq!(view.shape(), layout.shape());
    assert_eq!(view.strides(), layout.strides());
    assert!(
        view.iter()
            .map(bytemuck::bytes_of)
            .eq(elements.iter().map(|e| &bytes[e.clone()]))
    );

    let old = bytes.to_vec();
    let mut expected = bytes.to_vec();
    match layout.view_mut::<A>(bytes).map_err(ndarray_memmap::Error::into_kind) {
        Ok(mut view) => {
            assert!(!overlaps);
            for (number, (element, place)) in view.iter_mut().zip(elements).enumerate() {
                let byte = u8::try_from(number % 251).unwrap();
                bytemuck::bytes_of_mut(element).fill(byte);
                expected[place.clone()].fill(byte);
            }
        }
        Err(ErrorKind::OverlappingStrides) => assert!(!elements.is_empty()),
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(bytes, expected);
    bytes.copy_from_slice(&old);
}

/// Compares arrays of a file with the elements, by `open` and `load`.
fn mapped<A: Pod + Debug + PartialEq>(
    case: &Case,
    bytes: &[u8],
    elements: &[Range<usize>],
    end: usize,
) {
    let creates = matches!(case.mode, Create | CreateNew);
    let place = if case.mode == CreateNew { Place::missing() } else { Place::of(bytes) };
    let mut after = if creates { vec![0; end] } else { bytes.to_vec() };
    after.resize(after.len().max(end), 0);
    let expected = || elements.iter().map(|e| &after[e.clone()]);
    if matches!(case.mode, ReadOnly | CopyOnWrite) {
        let a = case.options().load::<A>(&place).unwrap();
        assert!(a.iter().map(bytemuck::bytes_of).eq(expected()));
    }
    let mut a = open::<A, _>(&case.options(), &place).unwrap();
    assert!(a.iter().map(bytemuck::bytes_of).eq(expected()));
    if case.mode != ReadOnly {
        let mut view = a.view_mut().unwrap();
        view.iter_mut().for_each(|x| bytemuck::bytes_of_mut(x).fill(0xbb));
        assert!(a.iter().all(|x| bytemuck::bytes_of(x).iter().all(|&b| b == 0xbb)));
    }
    if !matches!(case.mode, ReadOnly | CopyOnWrite) {
        elements.iter().for_each(|place| after[place.clone()].fill(0xbb));
    }
    drop(a);
    place.assert_holds(&after);
}

fn wide(number: usize) -> i128 {
    i128::try_from(number).unwrap()
}

fn wide_unsigned(number: u64) -> i128 {
    i128::from(number)
}

fn wide_signed(number: isize) -> i128 {
    i128::try_from(number).unwrap()
}
