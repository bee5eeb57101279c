//! `Reductions`: sums, means and extremes of all number types, as NumPy has them.
#![expect(
    clippy::cast_lossless,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "macros convert numbers of every type, and the numbers fit"
)]

use std::fmt::Debug;

use ndarray::{
    Array, Array1, Array2, Array3, ArrayView3, Axis, ShapeBuilder, arr0, array, s,
};
use ndarray_memmap::{Be, Le, MapOptions, Mode, Reduce, Reductions};
use test_support::{Place, open};

/// Checks integers against sums in 128 bits, also in both byte orders.
macro_rules! integers_are_exact {
    ($Wide:ident: $($T:ident),*) => {$({
        let edges = [<$T>::MAX, <$T>::MIN, <$T>::MAX, <$T>::MAX, 7];
        for len in [1, 3, 5, 15, 16, 17, 63, 64, 65, 2047, 2048, 2049, 5000] {
            let a = Array1::from_shape_fn(len, |i| edges[i * i % edges.len()]);
            let sum = a.iter().map(|&x| x as $Wide).sum::<$Wide>();
            let found = [a.wide_sum(), a.mapv(Be::new).wide_sum(), a.mapv(Le::new).wide_sum()];
            assert_eq!(found, [sum; 3], "{} of {len}", stringify!($T));
            assert_eq!(a.slice(s![..;-2]).wide_sum(), a.iter().rev().step_by(2).map(|&x| x as $Wide).sum());
            let mean = sum as f64 / len as f64;
            assert_eq!([a.wide_mean(), a.mapv(Be::new).wide_mean()], [mean; 2]);
            let [highest, lowest] = [a.iter().max().copied(), a.iter().min().copied()];
            assert_eq!([a.maximum(), a.mapv(Be::new).maximum()], [highest; 2]);
            assert_eq!([a.minimum(), a.mapv(Le::new).minimum()], [lowest; 2]);
            assert_eq!(a.slice(s![..;2]).minimum(), a.iter().step_by(2).min().copied());
        }
    })*};
}

#[test]
fn integers_of_every_width_are_summed_exactly() {
    integers_are_exact!(i128: i8, i16, i32, i64, isize);
    integers_are_exact!(u128: u8, u16, u32, u64, usize);
}

#[test]
fn the_largest_and_smallest_integers_fill_whole_blocks() {
    macro_rules! fills {
        ($Wide:ident: $($T:ident),*) => {$(
            for edge in [<$T>::MAX, <$T>::MIN] {
                let sum = edge as $Wide * 10_000;
                assert_eq!(Array1::from_elem(10_000, edge).wide_sum(), sum);
                let rows = Array2::from_elem((10_000, 17), edge);
                assert_eq!(rows.wide_sum_axis(Axis(0)), Array1::from_elem(17, sum));
            }
        )*};
    }
    fills!(i128: i8, i16, i32, i64, isize);
    fills!(u128: u8, u16, u32, u64, usize);
}

#[test]
fn integers_of_128_bits_are_exact_if_the_sum_fits() {
    assert_eq!(array![i128::MAX, 1, -1].wide_sum(), i128::MAX);
    assert_eq!(array![i128::MIN, -1, 1].wide_sum(), i128::MIN);
    assert_eq!(array![i128::MAX, i128::MIN].wide_sum(), -1);
    assert_eq!(array![u128::MAX - 5, 5].wide_sum(), u128::MAX);
    assert_eq!(array![Be::new(-1_i128), Be::new(-1)].wide_sum(), -2);
    assert_eq!(Array1::from_elem(9, -1_i128).wide_sum_axis(Axis(0)), arr0(-9));
    assert_eq!(array![u128::MAX, u128::MAX].wide_mean(), 2_f64.powi(128));
    assert_eq!(array![i128::MIN, i128::MIN].wide_mean(), -(2_f64.powi(127)));
    assert_eq!(array![i128::MIN, 3].minimum(), Some(i128::MIN));
}

#[test]
#[should_panic(expected = "fits into 128 bits")]
fn a_sum_of_i128_that_does_not_fit_panics() {
    array![i128::MIN, -1].wide_sum();
}

#[test]
#[should_panic(expected = "fits into 128 bits")]
fn a_sum_of_u128_that_does_not_fit_panics() {
    array![u128::MAX, 1].wide_sum();
}

#[test]
fn true_values_are_counted() {
    let a = Array2::from_shape_fn((300, 7), |(i, j)| (i + j) % 3 == 0);
    assert_eq!((a.wide_sum(), a.wide_mean()), (700, 1.0 / 3.0));
    assert_eq!(a.slice(s![..;3, 0]).wide_sum(), 100);
    assert_eq!(a.wide_sum_axis(Axis(0)), array![100, 100, 100, 100, 100, 100, 100]);
    assert_eq!((a.maximum(), a.minimum()), (Some(true), Some(false)));
    assert_eq!(array![true, true].minimum(), Some(true));
    assert_eq!(Array1::from_elem(70_000, true).wide_sum(), 70_000);
}

#[test]
fn an_f32_is_not_lost_in_a_large_sum() {
    let a = Array1::from_shape_fn(10_000, |i| if i < 64 { 16_777_216_f32 } else { 1.0 });
    let sum = 64.0 * 16_777_216.0 + 9936.0;
    assert_ne!(f64::from(a.sum()), sum);
    assert_eq!((a.wide_sum(), a.wide_mean()), (sum, sum / 10_000.0));
    assert_eq!(a.mapv(Be::new).wide_sum(), sum);
    assert_eq!(a.slice(s![..;-1]).wide_sum(), sum);
}

#[test]
fn sums_of_floats_are_accurate() {
    // Multiples of 1/1024, whose sum an integer has exactly.
    let number = |i: usize| (i * 2_654_435_761 % (1 << 24)) as f32 / 1024.0;
    let a = Array1::from_shape_fn(1_000_000, number);
    let exact = a.iter().map(|&x| (x * 1024.0) as u128).sum::<u128>() as f64 / 1024.0;
    assert!((a.wide_sum() / exact - 1.0).abs() < 1e-15);

    let tenths = Array1::from_elem(1_000_000, 0.1_f64);
    assert!((tenths.wide_sum() / 100_000.0 - 1.0).abs() < 1e-14);
    assert!((tenths.wide_mean() / 0.1 - 1.0).abs() < 1e-14);

    // Each block has a sum that the next cancels.
    let big = Array1::from_shape_fn(2048 * 20, |i| match (i % 2048, i / 2048 % 2) {
        (0, 0) => 1e17,
        (0, _) => -1e17,
        _ => 0.0,
    });
    assert_eq!(big.wide_sum(), 0.0);
    let mut small = Array1::zeros(2048 * 3);
    (small[0], small[2048], small[4096]) = (1e17, 1.0, -1e17);
    assert_eq!(small.wide_sum(), 1.0);
}

#[test]
fn sums_along_a_long_axis_are_accurate() {
    for columns in [1, 3, 17] {
        let a = Array2::from_elem((100_000, columns), 0.1_f32);
        let exact = 100_000.0 * f64::from(0.1_f32);
        for sum in a.wide_sum_axis(Axis(0)) {
            assert!((sum / exact - 1.0).abs() < 1e-14, "{columns} columns: {sum}");
        }
        let mean = a.wide_mean_axis(Axis(0))[columns - 1];
        assert!((mean / f64::from(0.1_f32) - 1.0).abs() < 1e-14);
    }
}

#[test]
fn infinities_and_zeros_are_summed_as_in_numpy() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    #[rustfmt::skip]
    let table = [
        (vec![inf, 1.0], inf),
        (vec![1.0, -inf, 2.0], -inf),
        (vec![inf, -inf], nan),
        (vec![nan, 1.0], nan),
        (vec![f64::MAX, f64::MAX], inf),
        (vec![-0.0, -0.0], 0.0),
        (vec![], 0.0),
    ];
    for (numbers, sum) in table {
        // Within a block, and in different blocks.
        for apart in [1, 3000] {
            let mut a = Array1::zeros(numbers.len() * apart);
            for (i, &number) in numbers.iter().enumerate() {
                a[i * apart] = number;
            }
            let rows = a.view().insert_axis(Axis(1));
            let found = [
                a.wide_sum(),
                a.slice(s![..;-1]).wide_sum(),
                rows.wide_sum_axis(Axis(0))[0],
            ];
            for found in found {
                assert!(
                    found.to_bits() == sum.to_bits() || found.is_nan() && sum.is_nan()
                );
            }
        }
    }
}

#[test]
fn an_empty_array_has_the_sum_0_and_no_extremes() {
    fn check<A: Reduce<Mean = f64> + num_traits::Zero>(zero: A::Sum)
    where
        A::Value: Debug,
    {
        for shape in [(0, 3), (3, 0), (0, 0)] {
            let a = Array2::<A>::zeros(shape);
            assert_eq!((a.wide_sum(), a.maximum(), a.minimum()), (zero, None, None));
            assert!(a.wide_mean().is_nan());
            for axis in [0, 1] {
                let sums = a.wide_sum_axis(Axis(axis));
                assert_eq!(sums, Array1::from_elem([shape.1, shape.0][axis], zero));
                assert!(a.wide_mean_axis(Axis(axis)).iter().all(|mean| mean.is_nan()));
            }
        }
    }
    check::<f32>(0.0);
    check::<Be<f64>>(0.0);
    check::<i16>(0);
    check::<u64>(0);
    check::<i128>(0);
}

#[test]
fn an_array_without_axes_is_its_element() {
    let a = arr0(2.5_f32);
    assert_eq!((a.wide_sum(), a.wide_mean()), (2.5, 2.5));
    assert_eq!((a.maximum(), a.minimum()), (Some(2.5), Some(2.5)));
}

#[test]
fn extremes_of_floats_are_nan_if_any_element_is() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    #[rustfmt::skip]
    let table = [
        (vec![1.0, nan, 3.0], nan, nan),
        (vec![nan, nan], nan, nan),
        (vec![-nan, 1.0], nan, nan),
        (vec![-inf, -inf], -inf, -inf),
        (vec![inf, nan], nan, nan),
        (vec![-3.0, -inf, -2.0], -inf, -2.0),
        (vec![f64::MIN_POSITIVE, 0.0, 5e-324], 0.0, f64::MIN_POSITIVE),
    ];
    let same = |found: Option<f64>, expected: f64| {
        found == Some(expected) || expected.is_nan() && found.is_some_and(f64::is_nan)
    };
    for (numbers, lowest, highest) in table {
        for times in [1, 7, 2000] {
            let mut a = Array1::from_elem(numbers.len() * times, numbers[0]);
            for (i, &number) in numbers.iter().enumerate() {
                a[i * times] = number;
            }
            for view in [a.view(), a.slice(s![..;-1]), a.slice(s![..; times])] {
                assert!(same(view.minimum(), lowest) && same(view.maximum(), highest));
            }
            let swapped = a.mapv(Be::new);
            assert!(same(swapped.minimum(), lowest) && same(swapped.maximum(), highest));
            let narrow = a.mapv(|x| x as f32);
            assert_eq!(narrow.maximum().unwrap().is_nan(), highest.is_nan());
        }
    }
}

/// Compares all reductions with loops over the elements, which are integers.
fn agrees(a: ArrayView3<'_, f32>) {
    let sum =
        |lane: &mut dyn Iterator<Item = &f32>| lane.map(|&x| f64::from(x)).sum::<f64>();
    let extreme = |better: fn(f32, f32) -> f32| a.iter().copied().reduce(better);
    assert_eq!(a.wide_sum(), sum(&mut a.iter()));
    assert_eq!(a.maximum(), extreme(f32::max));
    assert_eq!(a.minimum(), extreme(f32::min));
    for axis in [Axis(0), Axis(1), Axis(2)] {
        let expected = a.map_axis(axis, |lane| sum(&mut lane.iter()));
        assert_eq!(a.wide_sum_axis(axis), expected, "{axis:?} of {:?}", a.shape());
        let count = a.len_of(axis) as f64;
        assert_eq!(a.wide_mean_axis(axis), expected / count);
        let integers = a.mapv(|x| x as i64);
        let expected =
            integers.map_axis(axis, |lane| lane.iter().map(|&x| i128::from(x)).sum());
        assert_eq!(integers.wide_sum_axis(axis), expected);
    }
}

#[test]
fn arrays_of_any_layout_have_the_sums_of_their_elements() {
    #[rustfmt::skip]
    let shapes = [
        (1, 1, 1), (2, 3, 4), (1, 5, 1), (20, 50, 20), (1500, 3, 2), (3, 2, 1500), (2, 1500, 3),
        (150, 4, 17), (17, 20, 20),
    ];
    for shape in shapes {
        let mut n = 0_usize;
        let mut next = || {
            n += 1;
            (n * 7919 % 100_003) as f32 - 50_000.0
        };
        let c = Array3::from_shape_simple_fn(shape, &mut next);
        let f = Array3::from_shape_simple_fn(shape.f(), &mut next);
        for a in [c, f] {
            agrees(a.view());
            agrees(a.view().permuted_axes([1, 2, 0]));
            agrees(a.view().permuted_axes([1, 0, 2]));
            agrees(a.slice(s![..;-1, ..;2, ..]));
            agrees(a.slice(s![..;3, ..;-1, ..;-2]));
            agrees(a.slice(s![.., ..1, ..]));
            agrees(a.slice(s![..1, .., ..]).broadcast((4, shape.1, shape.2)).unwrap());
            agrees(a.slice(s![.., .., ..1]).broadcast((shape.0, shape.1, 3)).unwrap());
        }
    }
}

#[test]
fn many_sums_are_made_in_groups() {
    let a = Array2::from_shape_fn((3, 140_000), |(i, j)| (i + 10 * j) as i64);
    let sums = a.wide_sum_axis(Axis(0));
    assert!(sums.iter().zip(0_i128..).all(|(&sum, j)| sum == 3 + 30 * j));
    assert_eq!(a.t().wide_sum_axis(Axis(1)), sums);
}

#[test]
fn sums_along_an_axis_keep_the_order_of_memory() {
    let a = Array3::<i32>::ones((3, 4, 5).f());
    assert!(a.wide_sum_axis(Axis(1)).t().is_standard_layout());
    let a = Array::<i32, _>::ones((3, 4, 5));
    assert!(a.wide_sum_axis(Axis(1)).is_standard_layout());
    let dynamic = a.into_dyn();
    assert_eq!(dynamic.wide_sum_axis(Axis(2)).shape(), [3, 4]);
    assert_eq!(dynamic.wide_mean_axis(Axis(0)).shape(), [4, 5]);
}

#[test]
#[should_panic(expected = "axis 2 is out of bounds for an array with 2 axes")]
fn an_axis_out_of_bounds_panics() {
    array![[1.0], [2.0]].wide_sum_axis(Axis(2));
}

#[test]
#[should_panic(expected = "axis 1 is out of bounds for an array with 1 axes")]
fn a_mean_along_an_axis_out_of_bounds_panics() {
    array![1.0, 2.0].wide_mean_axis(Axis(1));
}

#[test]
fn the_block_size_of_a_sweep_does_not_change_the_sum() {
    let numbers: Vec<f32> = (0..200_000_u32).map(|i| (i % 1013) as f32 * 0.37).collect();
    let place = Place::of(bytemuck::cast_slice(&numbers));
    let options = MapOptions::new(Mode::ReadOnly).rows_of(100);
    let a = open::<f32, _>(&options, &place).unwrap();
    let exact = a.wide_sum();
    for block in [1, 4096, 50_000, 1 << 20] {
        let sum =
            a.sweep(Axis(0), block).unwrap().map(|block| block.wide_sum()).sum::<f64>();
        assert!((sum / exact - 1.0).abs() < 1e-12, "blocks of {block}: {sum}");
    }
    assert_eq!(a.maximum(), Some(1012.0 * 0.37));
}

#[cfg(feature = "half")]
#[test]
fn halves_are_summed_as_f64() {
    use half::{bf16, f16};

    for bits in 0..=u16::MAX {
        let (half, brain) = (f16::from_bits(bits), bf16::from_bits(bits));
        let same = |found: f64, number: f64| {
            found == number || found.is_nan() && number.is_nan()
        };
        assert!(same(arr0(half).wide_sum(), f64::from(half)), "{half:?}");
        assert!(same(arr0(brain).wide_sum(), f64::from(brain)), "{brain:?}");
    }
    let a = Array1::from_elem(70_000, f16::from_f32(60_000.0));
    assert_eq!((a.wide_sum(), a.wide_mean()), (4.2e9, 60_000.0));
    assert_eq!(a.mapv(Be::new).wide_mean(), 60_000.0);
    let mut b = a.mapv(|x| bf16::from_f32(x.into()));
    assert_eq!(b.maximum(), Some(bf16::from_f32(60_000.0)));
    b[69_999] = bf16::NAN;
    assert!(b.maximum().is_some_and(bf16::is_nan));
    assert!(b.mapv(Le::new).minimum().is_some_and(bf16::is_nan));
}

#[cfg(feature = "num-complex")]
#[test]
fn complex_numbers_are_summed_by_parts_and_compared_by_the_real_part_first() {
    use num_complex::Complex;

    let c = Complex::<f64>::new;
    let nan = f64::NAN;
    let a = array![c(1.0, 2.0), c(1.0, 3.0), c(0.0, 9.0)];
    assert_eq!((a.wide_sum(), a.wide_mean()), (c(2.0, 14.0), c(2.0 / 3.0, 14.0 / 3.0)));
    assert_eq!((a.maximum(), a.minimum()), (Some(c(1.0, 3.0)), Some(c(0.0, 9.0))));
    let swapped = a.mapv(|z| Complex::new(Be::new(z.re as f32), Be::new(z.im as f32)));
    assert_eq!(swapped.wide_sum(), c(2.0, 14.0));
    assert_eq!(swapped.maximum(), Some(Complex::new(1.0_f32, 3.0)));
    assert_eq!(a.wide_sum_axis(Axis(0)), arr0(c(2.0, 14.0)));

    let b = array![c(1.0, 0.0), c(5.0, nan), c(nan, 7.0)];
    for found in [b.maximum(), b.minimum()] {
        assert!(found.is_some_and(|z| z.re == 5.0 && z.im.is_nan()));
    }
    assert!(b.wide_sum().re.is_nan() && b.wide_sum().im.is_nan());
    let empty = Array1::<Complex<f64>>::zeros(0);
    assert!(empty.wide_mean().re.is_nan() && empty.maximum().is_none());

    let samples = Array1::from_elem(70_000, Complex::new(i16::MAX, i16::MIN));
    assert_eq!(samples.wide_sum(), Complex::new(2_293_690_000, -2_293_760_000));
    assert_eq!(samples.wide_mean(), c(32767.0, -32768.0));
}
