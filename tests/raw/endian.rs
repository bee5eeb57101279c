//! `Be` and `Le`: numbers of a declared byte order at any offset, usable with ndarray.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use bytemuck::bytes_of;
use ndarray::{Array1, Axis, array};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Be, Le, MapOptions, Number};
use num_traits::{Bounded, FromPrimitive, Num, One, Signed, ToPrimitive, Zero};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use test_support::{Place, open};

fn hash(value: &impl Hash) -> u64 {
    let mut state = DefaultHasher::new();
    value.hash(&mut state);
    state.finish()
}

/// Maps `values` of both orders at an odd and an even offset and writes them back reversed.
macro_rules! maps_at_any_offset {
    ($Order:ident, $to_bytes:ident: $($T:ty, [$($value:expr),+]);+ $(;)?) => {$(
        let values: [$T; 3] = [$($value),+];
        for offset in [0_u8, 1, 3, 8, 13] {
            let lead = vec![0xaa; usize::from(offset)];
            let body = |values: [$T; 3]| values.map(|value| value.$to_bytes());
            let file = |values| [&lead[..], body(values).as_flattened()].concat();
            let place = Place::of(&file(values));
            for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
                let options = MapOptions::new(mode).offset(offset.into());
                let mut a = open::<$Order<$T>, _>(&options, &place).unwrap();
                assert!(a.iter().map(|x| x.get()).eq(values));
                assert_eq!(*a, Array1::from(values.map($Order::new).to_vec()));
                if mode != ReadOnly {
                    let mut view = a.view_mut().unwrap();
                    view.swap(0, 2);
                    let middle = view[1].get();
                    view[1].set(values[0]);
                    view[1] = middle.into();
                }
                drop(a);
                let [first, second, third] = values;
                let after = if mode == ReadWrite { [third, second, first] } else { values };
                place.assert_holds(&file(after));
            }
        }
        assert_eq!((size_of::<$Order<$T>>(), align_of::<$Order<$T>>()), (size_of::<$T>(), 1));
        for value in values {
            let stored = $Order::new(value);
            assert_eq!(bytes_of(&stored), value.$to_bytes());
            assert_eq!((<$T>::from(stored), $Order::from(value)), (value, stored));
            assert_eq!(format!("{stored:?} {stored:08}"), format!("{value:?} {value:08}"));
            assert_eq!(stored, value);
            assert_eq!(stored.partial_cmp(&values[0]), value.partial_cmp(&values[0]));
        }
        assert_eq!($Order::<$T>::default(), <$T>::default());
        assert_eq!($Order::<$T>::min_value(), <$T>::MIN);
        assert_eq!($Order::<$T>::max_value(), <$T>::MAX);
    )+};
}

macro_rules! maps_every_number {
    ($Order:ident, $to_bytes:ident) => {
        maps_at_any_offset! { $Order, $to_bytes:
            u8, [0, 0x12, u8::MAX];
            u16, [0, 0x1234, u16::MAX];
            u32, [0, 0x1234_5678, u32::MAX];
            u64, [0, 0x1234_5678_9abc_def0, u64::MAX];
            u128, [0, 0x1234_5678_9abc_def0_1122_3344_5566_7788, u128::MAX];
            usize, [0, 0x1234_5678, usize::MAX];
            i8, [i8::MIN, -2, i8::MAX];
            i16, [i16::MIN, -2, i16::MAX];
            i32, [i32::MIN, -2, i32::MAX];
            i64, [i64::MIN, -2, i64::MAX];
            i128, [i128::MIN, -2, i128::MAX];
            isize, [isize::MIN, -2, isize::MAX];
            f32, [f32::MIN_POSITIVE, -1.5, f32::INFINITY];
            f64, [f64::MIN_POSITIVE, -1.5, f64::INFINITY];
        }
    };
}

#[test]
fn every_number_maps_big_endian_at_any_offset() {
    maps_every_number!(Be, to_be_bytes);
}

#[test]
fn every_number_maps_little_endian_at_any_offset() {
    maps_every_number!(Le, to_le_bytes);
}

/// Runs a generic check for both orders.
macro_rules! for_both_orders {
    ($($(#[$doc:meta])* fn $name:ident($Order:ident) $body:block)+) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            {
                use Be as $Order;
                $body
            }
            {
                use Le as $Order;
                $body
            }
        }
    )+};
}

for_both_orders! {
    fn comparison_and_hash_go_by_value(Order) {
        // A comparison by bytes would reverse the result for one of the byte orders.
        let (small, large) = (Order::new(0x00ff_u16), Order::new(0x0100_u16));
        assert!(small < large && large > 0x00ff && small <= small && small != large);
        assert_eq!((small.cmp(&large), small.max(large)), (std::cmp::Ordering::Less, large));
        assert!(Order::new(-1_i32) < Order::new(0) && Order::new(-1_i32) < 0);
        assert_eq!(hash(&Order::new(7_u64)), hash(&7_u64));
        let set: HashSet<_> = [1_i16, 2, 1, -1].map(Order::new).into();
        assert_eq!((set.len(), set.contains(&Order::new(-1))), (3, true));

        let nan = Order::new(f64::NAN);
        assert!(nan != nan && nan.get().is_nan() && nan.partial_cmp(&nan).is_none());
        assert_eq!(Order::new(0.0_f64), Order::new(-0.0));
        assert_ne!(bytes_of(&Order::new(0.0_f64)), bytes_of(&Order::new(-0.0_f64)));
        assert_eq!(bytes_of(&Order::new(f32::NAN)).len(), 4);
    }

    fn arithmetic_is_that_of_the_number_with_itself_and_with_plain_numbers(Order) {
        let (a, b) = (Order::new(17_i32), Order::new(-5));
        assert_eq!([a + b, a - b, a * b, a / b, a % b, -a].map(Order::get), [12, 22, -85, -3, 2, -17]);
        assert_eq!([a + 3, a - 3, a * 3, a / 3, a % 3].map(Order::get), [20, 14, 51, 5, 2]);
        let mut c = a;
        c += b;
        c -= Order::new(2);
        c *= Order::new(7);
        c /= Order::new(3);
        c %= Order::new(13);
        assert_eq!(c, 10);
        c += 4;
        c -= 1;
        c *= 3;
        c /= 2;
        c %= 10;
        assert_eq!(c.get(), 9);
        let half = Order::new(1.0_f32) / 2.0;
        assert_eq!((half.get(), (-half).get(), (half % 0.3).get()), (0.5, -0.5, 0.5 % 0.3));
    }

    fn numbers_of_num_traits(Order) {
        assert_eq!((Order::<u16>::zero(), Order::<f64>::one()), (Order::new(0), Order::new(1.0)));
        assert!(Order::new(0_i8).is_zero() && !Order::new(256_u16).is_zero());
        assert!(Order::new(1_u64).is_one() && !Order::new(1_u64 << 56).is_one());
        assert_eq!(Order::<i32>::from_str_radix("-7f", 16).unwrap(), -127);
        assert!(Order::<u8>::from_str_radix("256", 10).is_err());
        assert_eq!(Order::<i16>::from_i64(-300), Some(Order::new(-300)));
        assert_eq!(Order::<u8>::from_i64(-1), None);
        assert_eq!(Order::<u64>::from_u64(u64::MAX), Some(Order::new(u64::MAX)));
        assert_eq!(Order::<i128>::from_i128(i128::MIN), Some(Order::new(i128::MIN)));
        assert_eq!(Order::<u128>::from_u128(u128::MAX), Some(Order::new(u128::MAX)));
        assert_eq!(Order::<f64>::from_f64(0.1), Some(Order::new(0.1)));
        assert_eq!(Order::<f32>::from_f64(0.1), Some(Order::new(0.1)));
        assert_eq!(Order::<f64>::from_f32(0.5), Some(Order::new(0.5)));
        assert_eq!((-Order::new(0.5), -&Order::new(3_i16)), (Order::new(-0.5), Order::new(-3)));
        let n = Order::new(-3_i64);
        assert_eq!((n.to_i64(), n.to_u64(), n.to_f64(), n.to_i8()), (Some(-3), None, Some(-3.0), Some(-3)));
        let m = Order::new(u128::MAX);
        assert_eq!((m.to_u128(), m.to_i128(), m.to_u64()), (Some(u128::MAX), None, None));
        assert_eq!(Order::new(2.75_f64).to_f64(), Some(2.75));
        assert_eq!(<Order<i16> as num_traits::NumCast>::from(7.9_f64), Some(Order::new(7)));
        assert_eq!(<Order<i16> as num_traits::NumCast>::from(70_000), None);
        assert_eq!(num_traits::cast::<_, f32>(Order::new(5_u8)), Some(5.0));
        assert_eq!(num_traits::cast::<_, Order<u8>>(Order::new(255_i32)), Some(Order::new(255)));
    }

    fn sums_and_products_of_iterators(Order) {
        let numbers = [2_u32, 3, 7].map(Order::new);
        assert_eq!(numbers.iter().sum::<Order<u32>>(), 12);
        assert_eq!(numbers.into_iter().sum::<Order<u32>>(), 12);
        assert_eq!(numbers.iter().product::<Order<u32>>(), 42);
        assert_eq!(numbers.into_iter().product::<Order<u32>>(), 42);
        assert_eq!(std::iter::empty::<Order<f64>>().product::<Order<f64>>(), 1.0);
    }

    fn reductions_and_arithmetic_of_ndarray_work_on_a_mapped_file(Order) {
        let numbers: Vec<_> = (1..=12).map(|n| Order::new(f64::from(n))).collect();
        let start = bytemuck::cast_slice(&numbers).to_vec();
        let place = Place::of(&start);
        let options = MapOptions::new(ReadOnly).shape((3, 4));
        let a = open::<Order<f64>, _>(&options, &place).unwrap();
        assert_eq!((a.sum(), a.mean().unwrap(), a.product()), (
            Order::new(78.0), Order::new(6.5), Order::new(479_001_600.0),
        ));
        assert_eq!(a.sum_axis(Axis(0)), array![15.0, 18.0, 21.0, 24.0].mapv(Order::new));
        assert_eq!(a.mean_axis(Axis(1)).unwrap(), array![2.5, 6.5, 10.5].mapv(Order::new));
        assert_eq!(a.product_axis(Axis(0))[0], 45.0);
        let row = a.row(0);
        assert_eq!(row.dot(&row), 30.0);
        assert_eq!(a.dot(&a.t())[[0, 2]], 110.0);
        assert_eq!(a.mapv(Order::get).sum(), 78.0);

        assert_eq!((&a.view() * 2.0)[[2, 3]], 24.0);
        assert_eq!((&a.view() * Order::new(2.0))[[2, 3]], 24.0);
        assert_eq!((&*a + &*a)[[0, 1]], 4.0);
        let owned = a.to_owned();
        assert_eq!((&a.view() - &owned).sum(), 0.0);
        assert_eq!((-owned.clone() + 1.0)[[0, 0]], 0.0);
        place.assert_holds(&start);

        let mut b = open::<Order<f64>, _>(&MapOptions::new(ReadWrite), &place).unwrap();
        let mut view = b.view_mut().unwrap();
        view *= Order::new(10.0);
        view += &owned.flatten();
        view.mapv_inplace(|x| x - 1.0);
        drop(b);
        let expected: Vec<_> = (1..=12).map(|n| Order::new(f64::from(n) * 11.0 - 1.0)).collect();
        place.assert_holds(bytemuck::cast_slice(&expected));
    }
}

/// Checks that a value survives both byte orders, and that their bytes are reversed copies.
fn mirror<T: Number + PartialEq + Debug>(value: T) {
    let (be, le) = (Be::new(value), Le::new(value));
    let mut bytes = bytes_of(&be).to_vec();
    assert_eq!(bytes, value.to_be_bytes().as_ref());
    bytes.reverse();
    assert_eq!(bytes, bytes_of(&le));
    assert_eq!(bytes, value.to_le_bytes().as_ref());
    assert_eq!(*bytemuck::from_bytes::<Le<T>>(&bytes), le);
    assert_eq!((be.get(), le.get()), (value, value));
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..ProptestConfig::default()
    })]

    #[test]
    fn bytes_are_those_of_the_standard_library(bits in any::<u128>(), signed in any::<i128>()) {
        macro_rules! mirror_as { ($from:ident: $($T:ty)+) => { $(
            let bytes = $from.to_ne_bytes();
            mirror(<$T>::from_ne_bytes(bytes[..size_of::<$T>()].try_into().unwrap()));
        )+ } }
        mirror_as!(bits: u8 u16 u32 u64 u128 usize);
        mirror_as!(signed: i8 i16 i32 i64 i128 isize);
    }

    #[test]
    fn floats_keep_every_bit(bits in any::<u64>(), few in any::<u32>()) {
        let double = f64::from_bits(bits);
        let single = f32::from_bits(few);
        prop_assert_eq!(bytes_of(&Be::new(double)).to_vec(), bits.to_be_bytes());
        prop_assert_eq!(bytes_of(&Le::new(double)).to_vec(), bits.to_le_bytes());
        prop_assert_eq!(bytes_of(&Be::new(single)).to_vec(), few.to_be_bytes());
        prop_assert_eq!(bytes_of(&Le::new(single)).to_vec(), few.to_le_bytes());
        prop_assert_eq!(Be::new(double).get().to_bits(), bits);
        prop_assert_eq!(Le::new(single).get().to_bits(), few);
    }

    #[test]
    fn arithmetic_agrees_with_plain_numbers(a in any::<i32>(), b in 1..i32::MAX) {
        let (wide, other) = (i64::from(a), i64::from(b));
        macro_rules! agree { ($($op:tt)+) => { $(
            prop_assert_eq!((Be::new(wide) $op Be::new(other)).get(), wide $op other);
            prop_assert_eq!((Le::new(wide) $op other).get(), wide $op other);
        )+ } }
        agree!(+ - * / %);
        prop_assert_eq!(Be::new(a).cmp(&Be::new(b)), a.cmp(&b));
        prop_assert_eq!((-Le::new(wide)).get().abs(), wide.abs());
        prop_assert_eq!(wide.signum(), Signed::signum(&Be::new(wide).get()));
    }
}
