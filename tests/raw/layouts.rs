//! Shapes, orders, strides, rows and offsets: which bytes of the file belong to which element.

use ndarray::{
    Array, Array2, ArrayD, Axis, Dimension, IxDyn, ShapeBuilder, StrideShape, arr0,
    array, s,
};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, Le, MapOptions};
use test_support::{Place, open};

/// Returns a file with `offset` bytes of `0xee` and the numbers `0..count`.
fn file_of(offset: usize, count: u16) -> Vec<u8> {
    let numbers = (0..count).flat_map(u16::to_ne_bytes);
    std::iter::repeat_n(0xee, offset).chain(numbers).collect()
}

fn shape<D: Dimension>(shape: impl Into<StrideShape<D>>) -> StrideShape<D> {
    shape.into()
}

/// Opens 720 or fewer numbers by a shape and compares with ndarray's array in memory.
fn same_as_in_memory<D: Dimension>(shape: &StrideShape<D>) {
    let count = u16::try_from(shape.size()).unwrap();
    let bytes = file_of(4, count);
    let memory = Array::from_shape_vec(shape.clone(), (0..count).collect()).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let place = Place::of(&bytes);
        let options = MapOptions::new(mode).offset(4).shape(shape.clone());
        let mut a = open::<u16, _>(&options, &place).unwrap();
        assert_eq!((&*a, a.strides()), (&*memory, memory.strides()));
        assert_eq!((a.layout().shape(), a.layout().strides()), (a.shape(), a.strides()));
        assert_eq!(
            (a.layout().count(), a.layout().byte_len()),
            (memory.len(), bytes.len() - 4)
        );
        assert_eq!(options.load::<u16>(&place).map(|b| *b == *memory).ok(), {
            (mode != ReadWrite).then_some(true)
        });
        if mode == ReadOnly {
            continue;
        }
        a.view_mut().unwrap().mapv_inplace(|x| x + 1);
        assert_eq!(*a, memory.mapv(|x| x + 1));
        drop(a);
        let mut expected = bytes.clone();
        if mode == ReadWrite {
            let numbers = (1..=count).flat_map(u16::to_ne_bytes);
            expected.splice(4.., numbers);
        }
        place.assert_holds(&expected);
    }
}

#[test]
fn shapes_of_every_rank_and_both_orders_are_as_in_memory() {
    same_as_in_memory(&shape(()));
    same_as_in_memory(&shape(7));
    same_as_in_memory(&shape(7.f()));
    same_as_in_memory(&shape((3, 4)));
    same_as_in_memory(&shape((3, 4).f()));
    same_as_in_memory(&shape((2, 3, 4)));
    same_as_in_memory(&shape((2, 3, 4).set_f(true)));
    same_as_in_memory(&shape((1, 2, 3, 4)));
    same_as_in_memory(&shape((4, 3, 1, 2).f()));
    same_as_in_memory(&shape((2, 1, 3, 2, 2)));
    same_as_in_memory(&shape((2, 1, 3, 2, 2).f()));
    same_as_in_memory(&shape([1, 2, 3, 4, 5, 6]));
    same_as_in_memory(&shape([6, 5, 4, 3, 2, 1].f()));
    same_as_in_memory(&shape((0, 5)));
    same_as_in_memory(&shape((3, 0, 2).f()));
    for axes in [&[][..], &[5], &[2, 3], &[1, 1, 1], &[2, 2, 2, 2, 2, 2, 2, 2], &[4, 0]] {
        same_as_in_memory(&shape(IxDyn(axes)));
        same_as_in_memory(&shape(IxDyn(axes).f()));
    }
    same_as_in_memory(&shape((2, 3, 4).strides((1, 8, 2))));
}

/// A file of the bytes `0..60`, so that an element equals its offset.
fn count_up() -> (Place, Vec<u8>) {
    let bytes: Vec<u8> = (0..60).collect();
    (Place::of(&bytes), bytes)
}

/// A negative stride.
const fn down(by: isize) -> usize {
    by.wrapping_neg().cast_unsigned()
}

#[test]
fn strides_pick_the_elements_that_they_name_and_change_no_other() {
    #[rustfmt::skip]
    let rows: [(&str, u64, StrideShape<IxDyn>, ArrayD<u8>); 8] = [
        ("one field of interleaved records", 2, IxDyn(&[5]).strides(IxDyn(&[12])),
            array![2, 14, 26, 38, 50].into_dyn()),
        ("a decimated grid of 6 by 10", 0, IxDyn(&[3, 4]).strides(IxDyn(&[20, 3])),
            array![[0, 3, 6, 9], [20, 23, 26, 29], [40, 43, 46, 49]].into_dyn()),
        ("the columns of a grid", 11, IxDyn(&[2, 3]).strides(IxDyn(&[1, 10])),
            array![[11, 21, 31], [12, 22, 32]].into_dyn()),
        ("a reversed axis", 5, IxDyn(&[4]).strides(IxDyn(&[down(1)])),
            array![8, 7, 6, 5].into_dyn()),
        ("rows from last to first", 10, IxDyn(&[3, 2]).strides(IxDyn(&[down(10), 1])),
            array![[30, 31], [20, 21], [10, 11]].into_dyn()),
        ("both axes reversed, with gaps", 1, IxDyn(&[2, 3]).strides(IxDyn(&[down(7), down(2)])),
            array![[12, 10, 8], [5, 3, 1]].into_dyn()),
        ("axes of one, whatever their stride", 9, IxDyn(&[1, 2, 1]).strides(IxDyn(&[0, 4, down(50)])),
            array![[[9], [13]]].into_dyn()),
        ("no axis", 59, IxDyn(&[]).strides(IxDyn(&[])), arr0(59).into_dyn()),
    ];
    for (name, offset, shape, expected) in rows {
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let (place, mut bytes) = count_up();
            let options = MapOptions::new(mode).offset(offset).shape(shape.clone());
            let mut a = open::<u8, _>(&options, &place).expect(name);
            assert_eq!(*a, expected, "{name}");
            assert_eq!(a.offset(), offset, "{name}");
            let last = u64::from(*expected.iter().max().unwrap());
            assert_eq!(a.layout().end(), last + 1, "{name}");
            if mode != ReadOnly {
                a.view_mut().unwrap().mapv_inplace(|x| x + 100);
                assert_eq!(*a, &expected + 100, "{name}");
            }
            drop(a);
            if mode == ReadWrite {
                expected.for_each(|&at| bytes[usize::from(at)] += 100);
            }
            place.assert_holds(&bytes);
        }
    }
}

#[test]
fn a_created_file_ends_with_the_highest_element() {
    let place = Place::missing();
    let options = MapOptions::new(Create).offset(4).shape((3, 2).strides((down(4), 2)));
    let mut a = open::<u16, _>(&options, &place).unwrap();
    a.view_mut().unwrap().assign(&array![[1, 2], [3, 4], [5, 6]]);
    drop(a);
    let expected = [0, 0, 5, 0, 6, 0, 3, 0, 4, 0, 1, 0, 2_u16];
    place.assert_holds(bytemuck::cast_slice(&expected));
}

#[test]
fn overlapping_strides_can_be_read_and_never_written() {
    #[rustfmt::skip]
    let rows: [(StrideShape<IxDyn>, ArrayD<u8>); 4] = [
        (IxDyn(&[3]).strides(IxDyn(&[0])), array![7, 7, 7].into_dyn()),
        (IxDyn(&[2, 3]).strides(IxDyn(&[0, 2])), array![[7, 9, 11], [7, 9, 11]].into_dyn()),
        (IxDyn(&[3, 3]).strides(IxDyn(&[1, 1])), array![[7, 8, 9], [8, 9, 10], [9, 10, 11]].into_dyn()),
        (IxDyn(&[3, 3]).strides(IxDyn(&[1, down(1)])), array![[9, 8, 7], [10, 9, 8], [11, 10, 9]].into_dyn()),
    ];
    for (shape, expected) in rows {
        let (place, bytes) = count_up();
        let options = |mode| MapOptions::new(mode).offset(7).shape(shape.clone());
        assert_eq!(*open::<u8, _>(&options(ReadOnly), &place).unwrap(), expected);
        assert_eq!(*options(ReadOnly).load::<u8>(&place).unwrap(), expected);
        for mode in [CopyOnWrite, ReadWrite, Create] {
            let refused = open::<u8, _>(&options(mode), &place);
            assert!(
                matches!(
                    refused.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::OverlappingStrides)
                ),
                "{mode}"
            );
        }
        let layout = options(ReadOnly).resolve::<u8>(60).unwrap();
        let mut memory = bytes.clone();
        assert!(matches!(
            layout.view_mut::<u8>(&mut memory).as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::OverlappingStrides)
        ));
        assert_eq!(
            (layout.view::<u8>(&memory).unwrap(), &memory),
            (expected.view(), &bytes)
        );
        place.assert_holds(&bytes);
    }
}

#[test]
fn rows_take_their_number_from_the_file() {
    let bytes = file_of(8, 30);
    let place = Place::of(&bytes);
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let options = MapOptions::new(mode).offset(8);
        let scalars = open::<u16, _>(&options.clone().rows_of(()), &place).unwrap();
        assert_eq!((scalars.shape(), scalars[29]), (&[30][..], 29));
        let rows = open::<u16, _>(&options.clone().rows_of(5), &place).unwrap();
        assert_eq!((rows.shape(), rows[[5, 4]]), (&[6, 5][..], 29));
        let planes = open::<u16, _>(&options.clone().rows_of((3, 2)), &place).unwrap();
        assert_eq!((planes.shape(), planes[[4, 2, 1]]), (&[5, 3, 2][..], 29));
        let boxes = options.clone().rows_of([1, 1, 2, 3, 1]);
        let boxes = open::<u16, _>(&boxes, &place).unwrap();
        assert_eq!((boxes.shape(), boxes.ndim()), (&[5, 1, 1, 2, 3, 1][..], 6));
        let dynamic = open::<u16, _>(&options.rows_of(IxDyn(&[15])), &place).unwrap();
        assert_eq!((dynamic.shape(), dynamic[[1, 14]]), (&[2, 15][..], 29));
        let none = open::<u16, _>(&MapOptions::new(mode).offset(68).rows_of(7), &place);
        assert_eq!(none.unwrap().shape(), [0, 7]);
    }
    place.assert_holds(&bytes);
}

#[test]
fn rows_that_the_file_does_not_tell_are_refused() {
    let place = Place::of(&file_of(0, 30));
    let read = || MapOptions::new(ReadWrite);
    let wide = open::<u16, _>(&read().rows_of(7), &place);
    assert!(matches!(
        wide.as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::PartialElement { available: 60, size: 14 })
    ));
    let late = open::<u16, _>(&read().offset(62).rows_of(1), &place);
    assert!(matches!(
        late.as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::OffsetPastEnd { offset: 62, found: 60 })
    ));
    let empty = open::<u16, _>(&read().rows_of((4, 0)), &place);
    assert!(matches!(
        empty.as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::ShapeRequired)
    ));
    let huge = open::<u16, _>(&read().rows_of((usize::MAX, 2)), &place);
    assert!(matches!(huge.as_ref().map_err(|e| e.kind()), Err(ErrorKind::TooLarge)));
    let new = open::<u16, _>(&MapOptions::new(Create).rows_of(5), &place);
    assert!(matches!(new.as_ref().map_err(|e| e.kind()), Err(ErrorKind::ShapeRequired)));
    place.assert_holds(&file_of(0, 30));
}

#[test]
fn views_of_a_part_are_those_of_ndarray() {
    let place = Place::of(&file_of(0, 24));
    let options = MapOptions::new(ReadWrite).shape((4, 6).f());
    let mut a = open::<u16, _>(&options, &place).unwrap();
    let memory = Array2::from_shape_vec((4, 6).f(), (0..24).collect()).unwrap();
    assert_eq!(a.slice(s![1..;2, ..;-1]), memory.slice(s![1..;2, ..;-1]));
    assert_eq!(a.index_axis(Axis(1), 3), memory.index_axis(Axis(1), 3));
    assert_eq!(a.t(), memory.t());
    a.view_mut().unwrap().slice_mut(s![2, ..;3]).fill(999);
    drop(a);
    let mut numbers: Vec<u16> = (0..24).collect();
    (numbers[2], numbers[14]) = (999, 999);
    place.assert_holds(bytemuck::cast_slice(&numbers));
}

#[test]
fn numbers_without_a_sum_or_product_are_too_large_and_never_a_panic() {
    const HALF: usize = 1 << (usize::BITS - 1);
    const MAX: usize = usize::MAX;
    #[rustfmt::skip]
    let rows: [(u64, StrideShape<IxDyn>); 15] = [
        (0, shape(IxDyn(&[MAX]))),
        (0, shape(IxDyn(&[HALF - 1]))),
        (0, shape(IxDyn(&[MAX, 2]).f())),
        (0, shape(IxDyn(&[0, MAX, 2]))),
        (0, shape(IxDyn(&[HALF, 0, 2]).f())),
        (0, shape(IxDyn(&[3, 0, MAX / 2]))),
        (0, IxDyn(&[2]).strides(IxDyn(&[HALF]))),
        (0, IxDyn(&[1]).strides(IxDyn(&[HALF]))),
        (0, IxDyn(&[1, 2]).strides(IxDyn(&[HALF, 1]))),
        (0, IxDyn(&[2]).strides(IxDyn(&[HALF - 1]))),
        (0, IxDyn(&[3, 3]).strides(IxDyn(&[MAX / 4, MAX / 4]))),
        (u64::MAX, shape(IxDyn(&[1]))),
        (u64::MAX - 3, shape(IxDyn(&[0]))),
        (u64::MAX / 2 - 5, shape(IxDyn(&[4]))),
        (u64::MAX / 2 - 3, shape(IxDyn(&[HALF / 4]))),
    ];
    for (offset, shape) in rows {
        for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
            let options =
                MapOptions::new(mode).offset(offset).grow(true).shape(shape.clone());
            let case = format!("{options:?}");
            let place = Place::of(&[1, 2, 3, 4]);
            let refused = open::<Le<u16>, _>(&options, &place).map(drop);
            assert!(
                matches!(
                    refused.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::TooLarge)
                ),
                "{case}: {refused:?}"
            );
            let resolved = options.resolve::<Le<u16>>(u64::MAX);
            assert!(
                matches!(
                    resolved.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::TooLarge)
                ),
                "{case}"
            );
            place.assert_holds(&[1, 2, 3, 4]);
        }
    }
}

#[test]
fn the_stride_of_an_axis_of_one_may_be_anything() {
    for stride in [0, 1, down(1), usize::MAX / 2, usize::MAX / 2 + 2] {
        for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
            let place = Place::of(&[1, 2, 3]);
            let shape = (1, 3).strides((stride, 1));
            let mut a =
                open::<u8, _>(&MapOptions::new(mode).shape(shape), &place).unwrap();
            let expected =
                if mode == Create { array![[0, 0, 0]] } else { array![[1, 2, 3]] };
            assert_eq!(*a, expected, "{mode} {stride:#x}");
            assert_eq!(a.iter().count(), 3);
            if mode != ReadOnly {
                a.view_mut().unwrap().fill(4);
                assert_eq!(a.slice(s![0, ..;-1]), array![4, 4, 4]);
            }
            drop(a);
            let writes = !matches!(mode, ReadOnly | CopyOnWrite);
            place.assert_holds(if writes { &[4, 4, 4] } else { &[1, 2, 3] });
        }
    }
}

#[test]
fn shape_and_strides_of_different_ranks_are_refused() {
    for (axes, strides) in [
        (&[2, 3][..], &[1][..]),
        (&[2], &[2, 1]),
        (&[], &[1]),
        (&[4], &[]),
        (&[0, 2], &[1]),
    ] {
        for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
            let (place, bytes) = count_up();
            let options =
                MapOptions::new(mode).shape(IxDyn(axes).strides(IxDyn(strides)));
            let refused = open::<u8, _>(&options, &place).map(drop);
            assert!(
                matches!(
                    refused.as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::StridesMismatch)
                ),
                "{refused:?}"
            );
            place.assert_holds(&bytes);
        }
    }
}

/// An element with the alignment of a page; the next one has a larger alignment.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(8192))]
struct Wide([[u8; 4096]; 2]);

#[test]
fn elements_are_aligned_up_to_a_page_and_refused_beyond() {
    let start = vec![5; 4 * 8192];
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create] {
        let place = Place::of(&start);
        let options = MapOptions::new(mode).offset(8192).shape(3);
        let mut refusals = vec![
            open::<Wide, _>(&options, &place).map(drop),
            options.resolve::<Wide>(start.len() as u64).map(drop),
        ];
        if matches!(mode, ReadOnly | CopyOnWrite) {
            refusals.push(options.load::<Wide>(&place).map(drop));
            let a = options.load::<Page>(&place).unwrap();
            assert_eq!((a.as_ptr().addr() % 4096, a[2].0), (0, [5; 4096]));
        }
        for refused in refusals {
            let kind = format!("{:?}", refused.unwrap_err().kind());
            assert_eq!(kind, "Misaligned { offset: 8192, align: 8192 }");
        }
        place.assert_holds(&start);

        let odd = open::<Page, _>(&options.clone().offset(2048), &place);
        assert!(matches!(
            odd.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::Misaligned { offset: 2048, align: 4096 })
        ));
        place.assert_holds(&start);
        let a = open::<Page, _>(&options.offset(4096), &place).unwrap();
        let byte = if mode == Create { 0 } else { 5 };
        assert_eq!((a.as_ptr().addr() % 4096, a[2].0), (0, [byte; 4096]));
        place.assert_holds(if mode == Create { &[0; 4 * 4096] } else { &start });
    }
}
