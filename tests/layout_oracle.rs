//! Layouts against a naive oracle that lists the bytes of every element.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; the oracle's numbers are small or wide"
)]

mod common;

use std::fmt::Debug;
use std::ops::Range;

use bytemuck::Pod;
use common::{Place, open};
use ndarray::{ArrayViewMut, Dimension, IxDyn, ShapeBuilder, StrideShape, indices};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, Layout, MapOptions, Mode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// What is asked of a file that ends `rest` bytes after the array.
#[derive(Clone, Debug)]
struct Case {
    mode: Mode,
    offset: u64,
    shape: Vec<usize>,
    order: Order,
    rest: isize,
}

#[derive(Clone, Debug)]
enum Order {
    C,
    F,
    Strides(Vec<isize>),
}

impl Case {
    fn stride_shape(&self) -> StrideShape<IxDyn> {
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

    fn options(&self) -> MapOptions<IxDyn> {
        MapOptions::new(self.mode).offset(self.offset).shape(self.stride_shape())
    }

    /// Strides as they were given or follow from the order.
    fn strides(&self) -> Vec<isize> {
        let rank = self.shape.len();
        let product =
            |axes: Range<usize>| self.shape[axes].iter().product::<usize>().cast_signed();
        match &self.order {
            Order::C => (0..rank).map(|axis| product(axis + 1..rank)).collect(),
            Order::F => (0..rank).map(|axis| product(0..axis)).collect(),
            Order::Strides(strides) => strides.clone(),
        }
    }

    /// The bytes of each element, in the order of the indices.
    fn elements(&self, size: usize) -> Vec<Range<usize>> {
        let strides = self.strides();
        let places: Vec<isize> = indices(IxDyn(&self.shape))
            .into_iter()
            .map(|index| {
                let pairs = index.slice().iter().zip(&strides);
                pairs.map(|(&i, stride)| i.cast_signed() * stride).sum()
            })
            .collect();
        let lowest = places.iter().copied().min().unwrap_or(0);
        let offset = usize::try_from(self.offset).unwrap();
        let starts =
            places.iter().map(|place| offset + (place - lowest).unsigned_abs() * size);
        starts.map(|start| start..start + size).collect()
    }
}

/// Tells whether ndarray would take the strides for writing: it asks for more than that no
/// two indices name one element.
fn ndarray_takes(case: &Case, elements: usize) -> bool {
    let mut memory = vec![0_u8; elements];
    ArrayViewMut::from_shape(case.stride_shape(), &mut memory).is_ok()
}

fn small_case() -> impl Strategy<Value = Case> {
    let length = prop_oneof![1 => Just(0_usize), 3 => Just(1), 9 => 2..5_usize];
    let axes = prop_oneof![1 => Just(0_usize), 9 => 1..5_usize];
    let shape = axes.prop_flat_map(move |rank| vec(length.clone(), rank));
    let case = shape.prop_flat_map(|shape| {
        let strides = vec(-13..14_isize, shape.len());
        let wide = vec((1..5_isize, any::<bool>()), shape.len());
        let order = prop_oneof![
            Just(Order::C),
            Just(Order::F),
            strides.prop_map(Order::Strides),
            wide.prop_map(spread(&shape)),
        ];
        (Just(shape), order)
    });
    let mode = prop_oneof![Just(ReadOnly), Just(CopyOnWrite), Just(ReadWrite)];
    let offset = prop_oneof![(0..6_u64).prop_map(|n| n * 16), 0..50_u64];
    let case = (mode, offset, case, -20..20_isize);
    case.prop_map(|(mode, offset, (shape, order), rest)| Case {
        mode,
        offset,
        shape,
        order,
        rest,
    })
}

/// Makes strides that rarely overlap: each axis a small factor beyond the reach of the last.
fn spread(shape: &[usize]) -> impl Fn(Vec<(isize, bool)>) -> Order + use<> {
    let shape = shape.to_vec();
    move |factors| {
        let mut step = 1;
        let strides = shape.iter().zip(factors).map(|(&length, (factor, up))| {
            let stride = step * factor;
            step = stride * length.max(1).cast_signed();
            if up { stride } else { -stride }
        });
        Order::Strides(strides.collect())
    }
}

/// Checks one case for elements of one type.
fn check<A: Pod + Debug + PartialEq>(case: &Case) {
    let size = size_of::<A>();
    let elements = case.elements(size);
    let offset = usize::try_from(case.offset).unwrap();
    let end = elements.iter().map(|bytes| bytes.end).max().unwrap_or(offset);
    let file_len = end.saturating_add_signed(case.rest);
    let mut distinct: Vec<_> = elements.iter().map(|bytes| bytes.start).collect();
    distinct.sort_unstable();
    distinct.dedup();
    let overlaps = distinct.len() < elements.len();
    let span = (end - offset) / size;
    let writes = case.mode != ReadOnly;

    let layout = case.options().resolve::<A>(u64::try_from(file_len).unwrap());
    let misaligned = !elements.is_empty() && offset % align_of::<A>() != 0;
    let refused = writes && !elements.is_empty() && !ndarray_takes(case, span);
    let short = end > file_len;
    assert!(!overlaps || !writes || refused, "ndarray takes overlapping strides");
    match &layout {
        Ok(layout) => {
            assert!(!misaligned && !refused && !short, "{layout:?}");
            facts(case, layout, &elements, end);
        }
        Err(Error::Misaligned { offset, align }) => {
            assert!(misaligned);
            assert_eq!((*offset, *align), (case.offset, align_of::<A>()));
        }
        Err(Error::OverlappingStrides) => assert!(refused),
        Err(Error::FileTooShort { needed, found }) => {
            assert!(short);
            assert_eq!((*needed, *found), (end as u64, file_len as u64));
        }
        Err(error) => panic!("{error:?}"),
    }

    let mut memory = vec![0_u128; file_len.div_ceil(16)];
    let bytes = &mut bytemuck::cast_slice_mut::<_, u8>(&mut memory)[..file_len];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::try_from(at * 37 % 251).unwrap();
    }
    if let Ok(layout) = layout {
        views::<A>(&layout, bytes, &elements, overlaps);
        mapped::<A>(case, bytes, &elements);
    } else {
        let place = Place::of(bytes);
        assert!(open::<A, _>(&case.options(), &place).is_err());
        place.assert_holds(bytes);
    }
}

fn facts(case: &Case, layout: &Layout<IxDyn>, elements: &[Range<usize>], end: usize) {
    let offset = usize::try_from(case.offset).unwrap();
    assert_eq!((layout.offset(), layout.end()), (case.offset, end as u64));
    assert_eq!((layout.len(), layout.count()), (end - offset, elements.len()));
    assert_eq!(
        (layout.shape(), layout.is_empty()),
        (&case.shape[..], elements.is_empty())
    );
    if !elements.is_empty() {
        assert_eq!(layout.strides(), case.strides());
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

    let mut expected = bytes.to_vec();
    match layout.view_mut::<A>(bytes) {
        Ok(mut view) => {
            assert!(!overlaps);
            for (number, (element, place)) in view.iter_mut().zip(elements).enumerate() {
                let byte = u8::try_from(number % 251).unwrap();
                bytemuck::bytes_of_mut(element).fill(byte);
                expected[place.clone()].fill(byte);
            }
        }
        Err(Error::OverlappingStrides) => assert!(!elements.is_empty()),
        Err(error) => panic!("{error:?}"),
    }
    assert_eq!(bytes, expected);
}

/// The same through a file, by `open` and `load`.
fn mapped<A: Pod + Debug + PartialEq>(
    case: &Case,
    bytes: &[u8],
    elements: &[Range<usize>],
) {
    let place = Place::of(bytes);
    let expected = || elements.iter().map(|e| &bytes[e.clone()]);
    if case.mode != ReadWrite {
        let a = case.options().load::<A>(&place).unwrap();
        assert!(a.iter().map(bytemuck::bytes_of).eq(expected()));
    }
    let mut a = open::<A, _>(&case.options(), &place).unwrap();
    assert!(a.iter().map(bytemuck::bytes_of).eq(expected()));
    let mut after = bytes.to_vec();
    if case.mode != ReadOnly {
        let mut view = a.view_mut().unwrap();
        view.iter_mut().for_each(|x| bytemuck::bytes_of_mut(x).fill(0xbb));
        assert!(a.iter().all(|x| bytemuck::bytes_of(x).iter().all(|&b| b == 0xbb)));
    }
    if case.mode == ReadWrite {
        elements.iter().for_each(|place| after[place.clone()].fill(0xbb));
    }
    drop(a);
    place.assert_holds(&after);
}

/// Numbers at and around the ends of what a pointer and a file offset can hold.
fn extreme() -> impl Strategy<Value = u64> {
    const SIGN: u64 = 1 << 63;
    #[rustfmt::skip]
    let ends = [
        0, 1, 2, 3, 1 << 31, 1 << 32, 1 << 59, 1 << 60, 1 << 61, 1 << 62, (1 << 62) - 1,
        SIGN - 17, SIGN - 16, SIGN - 2, SIGN - 1, SIGN, SIGN + 1, u64::MAX - 1, u64::MAX,
    ];
    prop_oneof![proptest::sample::select(ends.to_vec()), any::<u64>()]
}

fn config(cases: u32) -> ProptestConfig {
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as _);
    ProptestConfig { cases, failure_persistence, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(100))]

    #[test]
    fn every_element_lies_where_the_oracle_says(case in small_case()) {
        check::<u8>(&case);
        check::<u16>(&case);
        check::<f32>(&case);
        check::<u64>(&case);
        check::<[u32; 3]>(&case);
        check::<u128>(&case);
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn extremes_are_exact_and_never_a_panic(
        mode in proptest::sample::select(vec![ReadOnly, CopyOnWrite]),
        offset in extreme(),
        axes in vec((extreme(), extreme()), 0..5),
        contiguous in any::<bool>(),
        file_len in extreme(),
    ) {
        const LIMIT: u128 = (1 << 63) - 1;
        let Ok(axes) = axes.iter().map(|&(length, stride)| {
            Ok((usize::try_from(length)?, usize::try_from(stride)?))
        }).collect::<Result<Vec<_>, std::num::TryFromIntError>>() else {
            return Ok(());
        };
        let (shape, strides): (Vec<_>, Vec<_>) = axes.iter().copied().unzip();
        let options = MapOptions::new(mode).offset(offset);
        let options = if contiguous {
            options.shape(IxDyn(&shape))
        } else {
            options.shape(IxDyn(&shape).strides(IxDyn(&strides)))
        };

        let wide = |n: usize| u128::try_from(n).unwrap();
        let size = 16;
        let count = shape.iter().fold(size, |n: u128, &len| n.saturating_mul(wide(len.max(1))));
        let empty = shape.contains(&0);
        let reach = axes.iter().fold(0, |n: u128, &(length, stride)| {
            let stride = wide(stride.cast_signed().unsigned_abs());
            n.saturating_add(wide(length.saturating_sub(1)).saturating_mul(stride))
        });
        let span = if contiguous { count } else { (reach.saturating_add(1)).saturating_mul(size) };
        let len = if empty { 0 } else { span };
        let end = len.saturating_add(u128::from(offset));
        // Such a stride could not be turned round.
        let endless = !contiguous && !empty && strides.contains(&isize::MIN.cast_unsigned());
        let fits = !endless && count <= LIMIT && len <= LIMIT && end <= LIMIT;

        match options.resolve::<[u8; 16]>(file_len) {
            Ok(layout) => {
                prop_assert!(fits && end <= u128::from(file_len));
                prop_assert_eq!(u128::from(layout.end()), end);
                prop_assert_eq!(wide(layout.len()), len);
                match layout.view::<[u8; 16]>(&[0; 40]).map(|view| view.len()) {
                    Ok(found) => {
                        prop_assert!(end <= 40);
                        prop_assert_eq!(wide(found) * size, if empty { 0 } else { count });
                    }
                    Err(Error::FileTooShort { needed, found: 40 }) => {
                        prop_assert!(end > 40 && u128::from(needed) == end);
                    }
                    Err(error) => prop_assert!(false, "{error:?}"),
                }
            }
            Err(Error::FileTooShort { needed, found }) => {
                prop_assert!(fits && end > u128::from(file_len));
                prop_assert_eq!((u128::from(needed), found), (end, file_len));
            }
            Err(Error::OverlappingStrides) => {
                prop_assert!(mode != ReadOnly && !contiguous && fits && count > size);
            }
            // The strides of an array without elements may be refused too.
            Err(Error::TooLarge) => {
                prop_assert!(!fits || empty && !contiguous && reach.saturating_mul(size) > LIMIT - size);
            }
            Err(error) => prop_assert!(false, "{error:?}"),
        }
    }
}
