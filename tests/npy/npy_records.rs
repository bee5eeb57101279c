//! Structs as records of `.npy` files: names, types and offsets of fields, and nothing else.

use bytemuck::{Pod, Zeroable, bytes_of};
use ndarray::{Array1, Ix1, array};
use ndarray_memmap::Mode::{Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, DType, NpyElement, Options};
use ndarray_memmap::{Be, ErrorKind, Le, NpyErrorKind};
use test_support::npy_common::{create, file, open, read};
use test_support::{Place, npy_common, text_at};

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Particle {
    x: Le<f64>,
    id: Le<u32>,
}
npy::record!(Particle { x: Le<f64>, id: Le<u32> });

/// A struct with C's alignment, whose padding is a named field, as bytemuck requires.
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Aligned {
    flag: u8,
    hole: [u8; 3],
    value: f32,
    count: u16,
    tail: [u8; 2],
}
npy::record!(Aligned { flag: u8, value: f32, count: u16 });

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C, packed)]
struct Packed {
    tag: u8,
    value: f64,
}
npy::record!(Packed { tag as "the tag": u8, value as "the value": f64, });

#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Nested {
    first: Particle,
    name: [u8; 4],
    r#type: Be<i16>,
    point: [Le<f32>; 3],
    corners: [[Le<f32>; 2]; 3],
}
npy::record!(Nested {
    first: Particle,
    name: [u8; 4],
    r#type: Be<i16>,
    point: [Le<f32>; 3],
    corners: [[Le<f32>; 2]; 3],
});

const NATIVE: char = if cfg!(target_endian = "big") { '>' } else { '<' };

/// Writes records, compares the file, reads them back.
fn round_trip<A: NpyElement + PartialEq + std::fmt::Debug>(descr: &str, records: &[A]) {
    let descr = descr.replace('=', &NATIVE.to_string());
    assert_eq!(A::dtype().to_string(), descr);
    assert_eq!(A::dtype().size(), size_of::<A>());
    let place = Place::missing();
    let options = Options::new(Create);
    let mut a = create::<A, Ix1>(&options, &place, records.len()).unwrap();
    a.view_mut().unwrap().assign(&Array1::from(records.to_vec()));
    a.close().unwrap();
    let data: Vec<u8> = records.iter().flat_map(bytes_of).copied().collect();
    let bytes = place.bytes().unwrap();
    assert!(bytes.ends_with(&data));
    let header = npy::Header::parse(&bytes).unwrap();
    assert_eq!(header.dtype().to_string(), descr);
    assert_eq!(read::<A, Ix1>(&place).unwrap().as_slice(), Some(records));
    let a = open::<A, Ix1>(&Options::new(ReadWrite), &place).unwrap();
    assert_eq!(a.len(), records.len());
    drop(a);
    place.assert_holds(&bytes);
}

#[test]
fn a_struct_is_a_record_of_its_fields() {
    let particle = |x, id| Particle { x: Le::new(x), id: Le::new(id) };
    round_trip("[('x', '<f8'), ('id', '<u4')]", &[particle(1.5, 1), particle(-2.0, 7)]);
    let packed = |tag, value| Packed { tag, value };
    let descr = "[('the tag', '|u1'), ('the value', '=f8')]";
    round_trip(descr, &[packed(1, 1.5), packed(2, -0.5)]);
    let nested = Nested {
        first: particle(1.0, 2),
        name: *b"abc\0",
        r#type: Be::new(-2),
        point: [1.0, 2.0, 3.0].map(Le::new),
        corners: [[4.0, 5.0]; 3].map(|corner| corner.map(Le::new)),
    };
    let descr = "[('first', [('x', '<f8'), ('id', '<u4')]), ('name', '|S4'), \
                 ('type', '>i2'), ('point', '<f4', (3,)), ('corners', '<f4', (3, 2))]";
    round_trip(descr, &[nested, Nested::default()]);
}

#[test]
fn fields_that_are_left_out_are_padding() {
    let aligned = Aligned { flag: 1, value: 2.5, count: 3, ..Aligned::default() };
    let descr =
        "[('flag', '|u1'), ('', '|V3'), ('value', '=f4'), ('count', '=u2'), ('', '|V2')]";
    round_trip(descr, &[aligned, Aligned { flag: 9, ..aligned }]);
    // The name of the padding in the file makes no difference, its place does.
    let dtype =
        |text: &str| text.replace('=', &NATIVE.to_string()).parse::<DType>().unwrap();
    let other = "[('flag', '|u1'), ('', '|V1'), ('', '|V2'), ('value', '=f4'), \
                 ('count', '=u2'), ('', '|V2')]";
    Aligned::check(&dtype(other)).unwrap();
    let short = "[('flag', '|u1'), ('', '|V3'), ('value', '=f4'), ('count', '=u2')]";
    let error = Aligned::check(&dtype(short)).unwrap_err();
    let short = short.replace('=', &NATIVE.to_string());
    let descr = descr.replace('=', &NATIVE.to_string());
    assert!(
        matches!(&error, NpyErrorKind::ElementType { expected, found }
            if *expected == descr && *found == short),
        "{error:?}"
    );
    // The message begins 20 bytes before the difference.
    let same = short.len() - 1;
    let [descr, short] = [&descr, &short].map(|text| text.get(same - 20..).unwrap());
    let text = format!("expected elements of type `…{descr}`, found `…{short}`");
    assert_eq!(error.to_string(), text);
}

#[test]
fn titles_in_the_file_make_no_difference() {
    let data = [0; 12];
    let descr = "[(('the abscissa', 'x'), '<f8'), ('id', '<u4')]";
    let place = Place::of(&file(descr, 'C', "(1,)", &data));
    assert_eq!(*read::<Particle, Ix1>(&place).unwrap(), array![Particle::default()]);
}

/// Types in the file that differ from `Particle`, and the field that differs.
#[rustfmt::skip]
const WRONG: [(&str, &str); 12] = [
    ("[('id', '<u4'), ('x', '<f8')]",
        "field 0: expected `x` of `<f8` at byte 0, found `id` of `<u4` at byte 0 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8')]",
        "field 1: expected `id` of `<u4` at byte 8, found no more fields (change the struct and its `npy::record!`)"),
    ("[('', '|V8'), ('id', '<u4')]",
        "field 0: expected `x` of `<f8` at byte 0, found `id` of `<u4` at byte 8 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('id', '<u4'), ('charge', '|i1')]",
        "field 2: expected no more fields, found `charge` of `|i1` at byte 12 (change the struct and its `npy::record!`)"),
    ("[('x', '>f8'), ('id', '<u4')]",
        "field 0: expected `x` of `<f8` at byte 0, found `x` of `>f8` at byte 0 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('id', '<i4')]",
        "field 1: expected `id` of `<u4` at byte 8, found `id` of `<i4` at byte 8 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('ID', '<u4')]",
        "field 1: expected `id` of `<u4` at byte 8, found `ID` of `<u4` at byte 8 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('', '|V4'), ('id', '<u4')]",
        "field 1: expected `id` of `<u4` at byte 8, found `id` of `<u4` at byte 12 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('id', '<u4', (1,))]",
        "field 1: expected `id` of `<u4` at byte 8, found `id` of `('<u4', (1,))` at byte 8 (change the struct and its `npy::record!`)"),
    ("[('x', [('y', '<f8')]), ('id', '<u4')]",
        "field 0: expected `x` of `<f8` at byte 0, found `x` of `[('y', '<f8')]` at byte 0 (change the struct and its `npy::record!`)"),
    ("[('x', '<f8'), ('id', '<u4'), ('', '|V4')]",
        "expected elements of type `[('x', '<f8'), ('id', '<u4')]`, found \
            `[('x', '<f8'), ('id', '<u4'), ('', '|V4')]` (describe a struct by `npy::record!`)"),
    ("'|V12'",
        "expected elements of type `[('x', '<f8'), ('id', '<u4')]`, found `|V12` (convert the \
            elements in NumPy by `astype`)"),
];

#[test]
fn a_difference_names_the_field() {
    for (descr, text) in WRONG {
        let start = file(descr, 'C', "(1,)", &[0; 16]);
        let place = Place::of(&start);
        for mode in [ReadOnly, ReadWrite] {
            let error = open::<Particle, Ix1>(&Options::new(mode), &place);
            assert_eq!(text_at(&error.map(drop).unwrap_err(), &place), text);
        }
        place.assert_holds(&start);
    }
    let place = Place::of(&file(WRONG[1].0, 'C', "(1,)", &[0; 8]));
    let error = read::<Particle, Ix1>(&place).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::Field { index: 1, .. })),
        "{error:?}"
    );
}

#[test]
fn nested_records_are_compared_field_by_field_too() {
    let right = Nested::dtype().to_string();
    for (old, new, index) in [
        ("('id', '<u4')", "('id', '<i4')", 0),
        ("'name', '|S4'", "'name', '|S5'", 1),
        ("'type', '>i2'", "'r#type', '>i2'", 2),
        ("'<f4', (3,)", "'<f4', (1, 3)", 3),
        ("'<f4', (3, 2)", "'<f4', (2, 3)", 4),
    ] {
        let wrong = right.replace(old, new);
        assert_ne!(wrong, right);
        let error = Nested::check(&wrong.parse().unwrap()).unwrap_err();
        assert!(
            matches!(&error, NpyErrorKind::Field { index: i, .. } if *i == index),
            "{error}"
        );
    }
    // Raw bytes and an array of bytes also match `[u8; 4]`.
    for same in ["'name', '|V4'", "'name', '|u1', (4,)"] {
        Nested::check(&right.replace("'name', '|S4'", same).parse().unwrap()).unwrap();
    }
}

#[test]
fn a_struct_of_aligned_fields_does_not_map_at_an_odd_place() {
    let descr = Aligned::dtype().to_string();
    let data = bytes_of(&Aligned { flag: 1, ..Aligned::default() }).to_vec();
    let place = Place::of(&npy_common::file_at(190, &descr, 'C', "(1,)", &data));
    let error = read::<Aligned, Ix1>(&place).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Misaligned { offset: 190, align: 4 }),
        "{error:?}"
    );
    assert_eq!(npy::load::<Aligned, Ix1>(&place).unwrap()[0].flag, 1);

    let descr = Packed::dtype().to_string();
    let packed = Packed { tag: 3, value: 0.5 };
    let start = npy_common::file_at(191, &descr, 'C', "(1,)", bytes_of(&packed));
    let place = Place::of(&start);
    assert_eq!(read::<Packed, Ix1>(&place).unwrap()[0], packed);
}
