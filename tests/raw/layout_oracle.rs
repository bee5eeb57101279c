//! Layouts compared with a naive oracle that lists the bytes of every element.

use std::fmt::Debug;

use bytemuck::Pod;
use ndarray::ArrayViewMut;
use ndarray_memmap::ErrorKind;
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use test_support::layout_case::{Case, Order, check};

/// Returns whether ndarray accepts the strides for writing.
///
/// ndarray requires more than that no two indices name one element.
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
    let modes = vec![ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew];
    let mode = proptest::sample::select(modes);
    let offset = prop_oneof![(0..6_u64).prop_map(|n| n * 16), 0..50_u64];
    let case = (mode, any::<bool>(), offset, case);
    case.prop_map(|(mode, grow, offset, (shape, order))| Case {
        mode,
        grow,
        offset,
        shape,
        order,
    })
}

/// Returns strides that rarely overlap: each is a small factor times the extent of the last axis.
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

/// Checks one case for elements of one type, in a file that ends `rest` bytes after the array.
fn check_near<A: Pod + Debug + PartialEq>(case: &Case, rest: isize) {
    let end = usize::try_from(case.end(size_of::<A>())).unwrap();
    if !case.is_empty() {
        let span = (end - usize::try_from(case.offset).unwrap()) / size_of::<A>();
        assert_eq!(case.overlaps(), !ndarray_takes(case, span));
    }
    check::<A>(case, end.saturating_add_signed(rest));
}

/// Returns numbers at and around the limits of a pointer and a file offset.
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
    fn every_element_lies_where_the_oracle_says(
        case in small_case(),
        rest in -20..20_isize,
    ) {
        check_near::<u8>(&case, rest);
        check_near::<u16>(&case, rest);
        check_near::<f32>(&case, rest);
        check_near::<u64>(&case, rest);
        check_near::<[u32; 3]>(&case, rest);
        check_near::<u128>(&case, rest);
    }
}

proptest! {
    #![proptest_config(config(1000))]

    #[test]
    fn extremes_are_exact_and_never_a_panic(
        mode in proptest::sample::select(vec![ReadOnly, CopyOnWrite, Create]),
        offset in extreme(),
        axes in vec((extreme(), extreme()), 0..5),
        contiguous in any::<bool>(),
        file_len in extreme(),
    ) {
        let Ok(axes) = axes.iter().map(|&(length, stride)| {
            Ok((usize::try_from(length)?, usize::try_from(stride)?.cast_signed()))
        }).collect::<Result<Vec<_>, std::num::TryFromIntError>>() else {
            return Ok(());
        };
        let (shape, strides): (Vec<_>, Vec<_>) = axes.into_iter().unzip();
        let order = if contiguous { Order::C } else { Order::Strides(strides) };
        let case = Case { mode, grow: false, offset, shape, order };
        let found = case.options().resolve::<[u8; 16]>(file_len);
        case.assert_resolved::<[u8; 16]>(&found, file_len);
        if let Ok(layout) = found {
            match layout.view::<[u8; 16]>(&[0; 40]).map(|view| view.len()).map_err(ndarray_memmap::Error::into_kind) {
                Ok(found) => prop_assert!(layout.end() <= 40 && found == layout.count()),
                Err(ErrorKind::FileTooShort { expected, found: 40 }) => {
                    prop_assert!(expected > 40 && expected == layout.end());
                }
                Err(error) => prop_assert!(false, "{error:?}"),
            }
        }
    }
}
