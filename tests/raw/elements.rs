//! Types that can be elements; invalid byte patterns never become elements.

use std::fmt::Debug;

use bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable, bytes_of, cast_slice};
use ndarray::{Array1, IxDyn, ShapeBuilder, StrideShape, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Be, Element, Error, ErrorKind, Le, MapOptions};
use test_support::{Place, open};

/// Writes values to a new file, compares the bytes, and reads them back in every mode.
fn round_trip<A: Element + PartialEq + Debug>(values: &[A]) {
    let expected: Vec<u8> =
        values.iter().flat_map(|value| bytes_of(value).to_vec()).collect();
    let place = Place::missing();
    let options = MapOptions::new(CreateNew).shape(values.len());
    let mut a = open::<A, _>(&options, &place).unwrap();
    assert!(a.iter().all(|x| *x == A::zeroed()));
    a.view_mut().unwrap().assign(&Array1::from(values.to_vec()));
    drop(a);
    place.assert_holds(&expected);

    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let a = open::<A, _>(&MapOptions::new(mode), &place).unwrap();
        assert_eq!(a.as_slice(), Some(values), "{}", std::any::type_name::<A>());
    }
    let loaded = MapOptions::new(CopyOnWrite).load::<A>(&place).unwrap();
    assert_eq!(loaded.as_slice(), Some(values));
    place.assert_holds(&expected);
}

/// An enum whose values do not fill its byte.
#[derive(Clone, Copy, Debug, PartialEq, CheckedBitPattern, NoUninit, Zeroable)]
#[repr(u8)]
enum Cover {
    Water = 0,
    Forest = 1,
    City = 7,
}

impl Cover {
    const ALL: [Self; 3] = [Self::Water, Self::Forest, Self::City];
}

/// A record of mixed types without padding, with a field that has invalid values.
#[derive(Clone, Copy, Debug, PartialEq, CheckedBitPattern, NoUninit, Zeroable)]
#[repr(C)]
struct Sample {
    id: u32,
    weight: f32,
    flag: bool,
    level: [u8; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Particle {
    id: Be<u32>,
    position: [Le<f64>; 3],
    charge: i8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C, packed)]
struct Packed {
    tag: u8,
    value: f64,
}

#[test]
fn every_primitive_is_an_element() {
    round_trip(&[0_u8, 1, u8::MAX]);
    round_trip(&[0_u16, 1, u16::MAX]);
    round_trip(&[0_u32, 1, u32::MAX]);
    round_trip(&[0_u64, 1, u64::MAX]);
    round_trip(&[0_u128, 1, u128::MAX]);
    round_trip(&[0_usize, 1, usize::MAX]);
    round_trip(&[i8::MIN, -1, i8::MAX]);
    round_trip(&[i16::MIN, -1, i16::MAX]);
    round_trip(&[i32::MIN, -1, i32::MAX]);
    round_trip(&[i64::MIN, -1, i64::MAX]);
    round_trip(&[i128::MIN, -1, i128::MAX]);
    round_trip(&[isize::MIN, -1, isize::MAX]);
    round_trip(&[f32::MIN, -0.0, f32::EPSILON, f32::INFINITY]);
    round_trip(&[f64::MIN, -0.0, f64::EPSILON, f64::NEG_INFINITY]);
    round_trip(&[true, false, true]);
    round_trip(&['a', '\0', 'é', '\u{d7ff}', '\u{e000}', char::MAX]);
}

#[test]
fn arrays_records_and_enums_are_elements() {
    round_trip(&[[1_u16, 2, 3], [4, 5, 6]]);
    round_trip(&[[[1.5_f64; 2]; 2]; 3]);
    round_trip(&[[Be::new(1_i32); 4]]);
    round_trip(&[
        Particle { id: Be::new(1), position: [1.0, 2.0, 3.0].map(Le::new), charge: -1 },
        Particle { id: Be::new(u32::MAX), position: [Le::new(-0.5); 3], charge: 1 },
    ]);
    round_trip(&[Packed { tag: 1, value: 1.5 }, Packed { tag: 2, value: -2.5 }]);
    round_trip(&[
        Sample { id: 1, weight: 0.5, flag: true, level: [1, 2, 3] },
        Sample { id: 2, weight: -0.5, flag: false, level: [255; 3] },
    ]);
    assert_eq!((size_of::<Packed>(), align_of::<Packed>()), (9, 1));
    assert_eq!((size_of::<Particle>(), align_of::<Particle>()), (29, 1));
}

#[test]
fn nan_keeps_its_bits() {
    let place = Place::of(&0x7ff8_0000_dead_beef_u64.to_ne_bytes());
    let mut a = open::<f64, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    assert_eq!((a[0].is_nan(), a[0].to_bits()), (true, 0x7ff8_0000_dead_beef));
    a.view_mut().unwrap()[0] = f64::from_bits(0xfff8_0000_0000_0001);
    drop(a);
    place.assert_holds(&0xfff8_0000_0000_0001_u64.to_ne_bytes());
}

#[test]
fn a_field_of_records_is_an_array_by_its_offset_and_stride() {
    let samples =
        [1, 2, 3].map(|id| Sample { id, weight: 0.5, flag: true, level: [9; 3] });
    let place = Place::of(
        cast_slice::<_, [u8; 12]>(&samples.map(|s| {
            let mut bytes = [0; 12];
            bytes.copy_from_slice(bytes_of(&s));
            bytes
        }))
        .as_flattened(),
    );
    let options = MapOptions::new(ReadWrite).offset(4).shape(3.strides(3));
    let mut weights = open::<f32, _>(&options, &place).unwrap();
    weights.view_mut().unwrap().assign(&array![1.0, 2.0, 3.0]);
    drop(weights);
    let a = open::<Sample, _>(&MapOptions::new(ReadOnly), &place).unwrap();
    assert!(a.iter().map(|s| (s.id, s.weight)).eq([(1, 1.0), (2, 2.0), (3, 3.0)]));
    assert!(a.iter().all(|s| s.flag && s.level == [9; 3]));
}

/// Opens a file in every way; each error must name the element, and the file must not change.
fn refused_at<A: Element>(
    bytes: &[u8],
    offset: u64,
    shape: &StrideShape<IxDyn>,
    at: usize,
) {
    let place = Place::of(bytes);
    let is_at = |error: Error| match error.kind() {
        ErrorKind::InvalidElement { index } => assert_eq!(*index, at, "{shape:?}"),
        error => panic!("{error} {shape:?}"),
    };
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let options = MapOptions::new(mode).offset(offset).shape(shape.clone());
        is_at(open::<A, _>(&options, &place).map(drop).unwrap_err());
        if mode != ReadWrite {
            is_at(options.load::<A>(&place).map(drop).unwrap_err());
        }
        let layout = options.resolve::<A>(bytes.len() as u64).unwrap();
        let mut memory = bytes.to_vec();
        if align_of::<A>() == 1 {
            is_at(layout.view::<A>(&memory).map(drop).unwrap_err());
            is_at(layout.view_mut::<A>(&mut memory).map(drop).unwrap_err());
        }
        assert_eq!(memory, bytes);
        place.assert_holds(bytes);
    }
}

#[test]
fn the_first_and_the_last_element_are_checked_in_both_orders() {
    for (shape, last) in [
        (IxDyn(&[6]).into(), 5),
        (IxDyn(&[2, 3]).into(), 5),
        (IxDyn(&[2, 3]).f().into(), 5),
        (IxDyn(&[]).into(), 0),
        (IxDyn(&[70, 80]).into(), 5599),
    ] {
        for at in [0, last / 2, last] {
            let mut flags = vec![1; last + 3];
            (flags[0], flags[last + 2]) = (99, 99);
            flags[at + 1] = 2;
            refused_at::<bool>(&flags, 1, &shape, at);
            flags[last + 1] = 255;
            refused_at::<bool>(&flags, 1, &shape, at);
            flags[at + 1] = 3;
            refused_at::<Cover>(&flags, 1, &shape, at);
            let mut letters = vec![u32::from('x'); last + 1];
            letters[at] = 0xd800;
            refused_at::<char>(cast_slice(&letters), 0, &shape, at);
            letters[at] = 0x11_0000;
            refused_at::<char>(cast_slice(&letters), 0, &shape, at);
        }
    }
}

#[test]
fn records_are_checked_in_the_field_that_has_invalid_values() {
    let mut bytes = [0xff; 36];
    (bytes[8], bytes[20], bytes[32]) = (1, 0, 1);
    let place = Place::of(&bytes);
    let a = open::<Sample, _>(&MapOptions::new(ReadOnly), &place).unwrap();
    assert!(a.iter().map(|s| s.flag).eq([true, false, true]));
    bytes[32] = 2;
    refused_at::<Sample>(&bytes, 0, &IxDyn(&[3]).into(), 2);
}

#[test]
fn bytes_between_the_elements_need_not_be_values() {
    const BAD: u8 = 9;
    let down = 3_isize.wrapping_neg().cast_unsigned();
    #[rustfmt::skip]
    let rows: [(StrideShape<IxDyn>, &[usize]); 6] = [
        (IxDyn(&[4]).strides(IxDyn(&[3])),          &[0, 3, 6, 9]),
        (IxDyn(&[2, 2]).strides(IxDyn(&[5, 2])),    &[0, 2, 5, 7]),
        (IxDyn(&[2, 2]).strides(IxDyn(&[1, 4])),    &[0, 1, 4, 5]),
        (IxDyn(&[3]).strides(IxDyn(&[down])),       &[0, 3, 6]),
        (IxDyn(&[2, 2]).strides(IxDyn(&[down, 1])), &[0, 1, 3, 4]),
        (IxDyn(&[1, 3]).strides(IxDyn(&[7, 2])),    &[0, 2, 4]),
    ];
    for (shape, elements) in rows {
        let mut bytes = [BAD; 12];
        elements.iter().for_each(|&at| bytes[at + 1] = 1);
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let place = Place::of(&bytes);
            let options = MapOptions::new(mode).offset(1).shape(shape.clone());
            let mut a = open::<bool, _>(&options, &place).unwrap();
            assert!(a.iter().all(|&flag| flag));
            let mut expected = bytes;
            if mode != ReadOnly {
                a.view_mut().unwrap().fill(false);
            }
            if mode == ReadWrite {
                elements.iter().for_each(|&at| expected[at + 1] = 0);
            }
            drop(a);
            place.assert_holds(&expected);
        }
        for &at in [elements.first(), elements.last()].into_iter().flatten() {
            let mut wrong = bytes;
            wrong[at + 1] = 2;
            refused_at::<bool>(&wrong, 1, &shape, at);
        }
    }
}

#[test]
fn repeated_elements_are_checked_and_the_bytes_between_them_are_not() {
    // Four elements and four bytes, but only the first and the last byte belong to elements.
    let shape = (2, 2).strides((3, 0));
    let place = Place::of(&[1, 9, 9, 0]);
    let options = MapOptions::new(ReadOnly).shape(shape);
    let a = open::<bool, _>(&options, &place).unwrap();
    assert_eq!(*a, array![[true, true], [false, false]]);
    let place = Place::of(&[1, 0, 0, 9]);
    let refused = open::<bool, _>(&options, &place).map(drop);
    assert!(
        matches!(
            refused.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::InvalidElement { index: 3 })
        ),
        "{refused:?}"
    );
    place.assert_holds(&[1, 0, 0, 9]);
}

#[test]
fn of_several_invalid_elements_the_first_in_the_file_is_named() {
    // Elements at 0, 3, 1 and 4: the index order is not the order of the file.
    let shape = IxDyn(&[2, 2]).strides(IxDyn(&[1, 3]));
    refused_at::<bool>(&[0, 2, 0, 2, 0], 0, &shape, 1);
}

#[test]
fn creating_replaces_bytes_that_are_no_values() {
    let place = Place::of(&[9; 6]);
    let mut a = open::<Cover, _>(&MapOptions::new(Create).shape(3), &place).unwrap();
    assert_eq!(*a, array![Cover::Water, Cover::Water, Cover::Water]);
    a.view_mut().unwrap().assign(&Array1::from(Cover::ALL.to_vec()));
    drop(a);
    place.assert_holds(&[0, 1, 7]);
    round_trip(&Cover::ALL);

    let place = Place::of(&[1]);
    let options = MapOptions::new(ReadWrite).grow(true).shape(3);
    assert_eq!(*open::<bool, _>(&options, &place).unwrap(), array![true, false, false]);
    place.assert_holds(&[1, 0, 0]);
}

#[test]
fn growing_a_file_of_invalid_bytes_leaves_its_length() {
    for sparse in [false, true] {
        let place = Place::of(&[1, 0, 2]);
        let options = MapOptions::new(ReadWrite).grow(true).sparse(sparse).shape(9000);
        let refused = open::<bool, _>(&options, &place).map(drop);
        assert!(matches!(
            refused.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::InvalidElement { index: 2 })
        ));
        place.assert_holds(&[1, 0, 2]);
    }
}

#[cfg(feature = "half")]
#[test]
fn half_floats_are_elements() {
    use half::{bf16, f16};

    round_trip(&[f16::from_f32(1.5), f16::MIN, f16::NEG_INFINITY]);
    round_trip(&[bf16::from_f32(1.5), bf16::MAX]);
    round_trip(&[Be::new(f16::from_f32(-2.0)), Be::new(f16::ONE)]);
    let place = Place::of(&[0x3e, 0x00, 0x40, 0x00]);
    let a = open::<Be<f16>, _>(&MapOptions::new(ReadOnly), &place).unwrap();
    assert_eq!(a.sum().get().to_f32(), 3.5);
    assert_eq!(a.mapv(|x| x.get().to_f32()), array![1.5, 2.0]);
}

#[cfg(feature = "num-complex")]
#[test]
fn complex_numbers_are_elements_in_any_byte_order() {
    use num_complex::Complex;

    round_trip(&[Complex::new(1.5, -2.0), Complex::new(0.0, f64::MAX)]);
    round_trip(&[Complex::new(1_i16, -2)]);
    let start = [1.0_f64, 2.0, 3.0, -4.0].map(f64::to_be_bytes);
    let place = Place::of(start.as_flattened());
    let mut a = open::<Complex<Be<f64>>, _>(&MapOptions::new(ReadWrite), &place).unwrap();
    assert_eq!(a[1], Complex::new(Be::new(3.0), Be::new(-4.0)));
    assert_eq!(a.sum(), Complex::new(Be::new(4.0), Be::new(-2.0)));
    a.view_mut().unwrap()[0].im = Be::new(7.0);
    drop(a);
    let expected = [1.0_f64, 7.0, 3.0, -4.0].map(f64::to_be_bytes);
    place.assert_holds(expected.as_flattened());
}
