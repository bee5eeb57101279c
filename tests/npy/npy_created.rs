//! New `.npy` files: exactly NumPy's bytes, or an error with no new file and no lost data.

use bytemuck::{Pod, Zeroable};
use ndarray::{Dimension, Ix1, Ix2, IxDyn, ShapeBuilder, StrideShape, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{
    ByteOrder, DType, Field, Header, Kind, NpyElement, Options, Version,
};
use ndarray_memmap::{Be, Error, ErrorKind, Le, MapOptions, NpyErrorKind};
use test_support::npy_common::{create, open, read};
use test_support::{Place, npy_common, text_at};

/// A record of one byte whose field has a name of `LEN` characters, each a `CHARACTER`.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(transparent)]
struct Named<const CHARACTER: char, const LEN: usize>(u8);

impl<const CHARACTER: char, const LEN: usize> NpyElement for Named<CHARACTER, LEN> {
    fn dtype() -> DType {
        let name = CHARACTER.to_string().repeat(LEN);
        let dtype = DType::scalar(Kind::Uint, ByteOrder::None, 1);
        DType::Record(vec![Field { name, title: None, dtype }])
    }
}

/// A byte that claims to be an eight-byte number.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Mistaken(u8);

impl NpyElement for Mistaken {
    fn dtype() -> DType {
        DType::scalar(Kind::Float, ByteOrder::NATIVE, 8)
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Hit {
    id: Le<u32>,
    at: [Le<f64>; 3],
}
ndarray_memmap::npy::record!(Hit { id: Le<u32>, at: [Le<f64>; 3] });

/// Creates a file of zeros and compares its header, the dictionary and the spaces separately.
#[track_caller]
fn assert_header<A: NpyElement, D: Dimension>(
    options: &Options,
    shape: impl Into<StrideShape<D>>,
    prefix: &[u8],
    dictionary: &str,
    spaces: usize,
) {
    let place = Place::missing();
    let a = create::<A, D>(options, &place, shape).unwrap();
    let mut expected = [b"\x93NUMPY", prefix, dictionary.as_bytes()].concat();
    expected.extend(std::iter::repeat_n(b' ', spaces));
    expected.push(b'\n');
    assert_eq!(expected.len() % 64, 0);
    assert_eq!(a.offset(), u64::try_from(expected.len()).unwrap());
    expected.extend(std::iter::repeat_n(0, a.len() * size_of::<A>()));
    a.close().unwrap();
    place.assert_holds(&expected);
}

#[test]
#[rustfmt::skip]
fn headers_are_numpys_byte_for_byte() {
    const V1: &[u8] = b"\x01\x00v\x00";
    let new = Options::new(CreateNew);
    assert_header::<Le<f64>, _>(&new, (3, 4), V1,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }", 58);
    assert_header::<Le<f64>, _>(&new, (3, 4).f(), V1,
        "{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }", 59);
    assert_header::<Le<f64>, _>(&new, (), V1,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", 62);
    assert_header::<Be<i16>, _>(&new, 5, V1,
        "{'descr': '>i2', 'fortran_order': False, 'shape': (5,), }", 60);
    assert_header::<bool, _>(&new, (2, 0), V1,
        "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 0), }", 58);
    assert_header::<Le<f32>, _>(&new, (2, 3, 4, 5, 6), V1,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 4, 5, 6), }", 49);
    assert_header::<[u8; 5], _>(&new, IxDyn(&[2]), V1,
        "{'descr': '|S5', 'fortran_order': False, 'shape': (2,), }", 60);
    assert_header::<Hit, _>(&new, 7, V1,
        "{'descr': [('id', '<u4'), ('at', '<f8', (3,))], 'fortran_order': False, \
            'shape': (7,), }", 29);
    #[cfg(feature = "num-complex")]
    assert_header::<num_complex::Complex<Le<f64>>, _>(&new.clone().order(ndarray::Order::F), 100, V1,
        "{'descr': '<c16', 'fortran_order': True, 'shape': (100,), }", 58);
}

#[test]
#[rustfmt::skip]
fn the_version_is_the_oldest_that_will_do_or_the_one_asked_for() {
    let new = Options::new(Create);
    let dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }";
    for (version, prefix, spaces) in [
        (Version::V1, &b"\x01\x00v\x00"[..], 60),
        (Version::V2, b"\x02\x00t\x00\x00\x00", 58),
        (Version::V3, b"\x03\x00t\x00\x00\x00", 58),
    ] {
        assert_header::<Le<f64>, _>(&new.clone().version(version), 3, prefix, dictionary, spaces);
    }
    assert_header::<Named<'π', 1>, _>(&new, 1, b"\x03\x00t\x00\x00\x00",
        "{'descr': [('π', '|u1')], 'fortran_order': False, 'shape': (1,), }", 48);
    // A combining mark, and a zero-width space.
    assert_header::<Named<'\u{301}', 1>, _>(&new, 1, b"\x03\x00t\x00\x00\x00",
        "{'descr': [('\u{301}', '|u1')], 'fortran_order': False, 'shape': (1,), }", 48);
    assert_header::<Named<'\u{200b}', 1>, _>(&new, 1, b"\x01\x00v\x00",
        "{'descr': [('\\u200b', '|u1')], 'fortran_order': False, 'shape': (1,), }", 46);
    // NumPy adds 64 spaces if no padding is needed.
    assert_header::<Named<'x', 31>, _>(&new, 1, b"\x01\x00v\x00",
        &dictionary_of(&"x".repeat(31)), 21);
    assert_header::<Named<'x', 32>, _>(&new, 1, b"\x01\x00\xb6\x00",
        &dictionary_of(&"x".repeat(32)), 84);
    // No header of version 1.0 is longer than this one.
    assert_header::<Named<'x', 65_399>, _>(&new, 1, b"\x01\x00\xf6\xff",
        &dictionary_of(&"x".repeat(65_399)), 61);
    assert_header::<Named<'x', 65_440>, _>(&new, 1, b"\x02\x00\x34\x00\x01\x00",
        &dictionary_of(&"x".repeat(65_440)), 82);
}

fn dictionary_of(name: &str) -> String {
    format!("{{'descr': [('{name}', '|u1')], 'fortran_order': False, 'shape': (1,), }}")
}

#[test]
fn a_latin_1_name_is_one_byte_in_version_1_and_two_in_version_3() {
    for (version, name) in [(Version::V1, &b"\xb5"[..]), (Version::V3, b"\xc2\xb5")] {
        let place = Place::missing();
        let options = Options::new(CreateNew).version(version);
        drop(create::<Named<'µ', 1>, _>(&options, &place, 1).unwrap());
        let bytes = place.bytes().unwrap();
        let dictionary = [b"{'descr': [('", name, b"', '|u1')], 'fortran"].concat();
        assert!(bytes.windows(dictionary.len()).any(|window| window == dictionary));
        assert_eq!(read::<Named<'µ', 1>, Ix1>(&place).unwrap().len(), 1);
    }
}

#[test]
fn values_are_in_the_order_of_the_file() {
    let place = Place::missing();
    let mut a = create::<Be<u16>, _>(&Options::new(Create), &place, (2, 3).f()).unwrap();
    a.view_mut().unwrap().assign(&array![[1, 2, 3], [4, 5, 6]].mapv(Be::new));
    a.sync().unwrap();
    let data = [0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6];
    let expected = npy_common::file("'>u2'", 'F', "(2, 3)", &data);
    assert_eq!(place.bytes().unwrap(), expected);
    drop(a);
    let a = read::<Be<u16>, Ix2>(&place).unwrap();
    assert_eq!(a.mapv(Be::get), array![[1, 2, 3], [4, 5, 6]]);
    assert!(!a.is_standard_layout());
}

#[test]
fn an_array_of_one_axis_is_in_c_order_unless_said_otherwise() {
    for (fortran_order, order) in [(false, "False"), (true, "True")] {
        let place = Place::missing();
        let options =
            Options::new(CreateNew).order(test_support::memory_order(fortran_order));
        drop(create::<u8, _>(&options, &place, (4,).f()).unwrap());
        let text = place.bytes().unwrap();
        let expected = format!("'fortran_order': {order}, ");
        assert!(text.windows(expected.len()).any(|w| w == expected.as_bytes()));
        assert_eq!(read::<u8, Ix1>(&place).unwrap().len(), 4);
    }
}

#[test]
fn a_whole_file_is_replaced_be_it_longer_or_shorter() {
    for (len, sparse) in [(3, false), (3, true), (9000, false), (9000, true)] {
        let place = Place::of(&vec![9; len]);
        let options = Options::new(Create).sparse(sparse);
        let mut a = create::<u8, _>(&options, &place, 5000).unwrap();
        assert!(a.iter().all(|&x| x == 0));
        a.view_mut().unwrap().fill(1);
        a.close().unwrap();
        place.assert_holds(&npy_common::file("'|u1'", 'C', "(5000,)", &[1; 5000]));
    }
}

#[test]
fn options_of_space_and_locks_change_no_byte() {
    let changes: [fn(Options) -> Options; 3] = [
        |options| options.sparse(true),
        |options| options.lock(true).populate(true),
        |options| options.advice(ndarray_memmap::Advice::HugePage),
    ];
    for (mode, change) in
        [Create, CreateNew].into_iter().flat_map(|m| changes.map(|c| (m, c)))
    {
        let place = Place::missing();
        drop(create::<u8, _>(&change(Options::new(mode)), &place, (2, 2)).unwrap());
        place.assert_holds(&npy_common::file("'|u1'", 'C', "(2, 2)", &[0; 4]));
    }
    let place = Place::missing();
    let options = Options::new(Create).lock(true);
    let held = create::<u8, _>(&options, &place, 3).unwrap();
    let error = create::<u8, _>(&options, &place, 5).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Locked), "{error:?}");
    drop(held);
    place.assert_holds(&npy_common::file("'|u1'", 'C', "(3,)", &[0; 3]));
}

/// A refused creation, and the text of its error.
type Refused = (fn(&Place) -> Error, &'static str);

fn refused<A: NpyElement, D: Dimension>(
    options: Options,
    place: &Place,
    shape: impl Into<StrideShape<D>>,
) -> Error {
    create::<A, D>(&options, place, shape).map(drop).unwrap_err()
}

#[rustfmt::skip]
const REFUSED: [Refused; 9] = [
    (|p| refused::<Mistaken, _>(Options::new(Create), p, 2),
        "expected elements of size 8, found a type of size 1 (use an element type of the expected size)"),
    (|p| refused::<Named<'π', 1>, _>(Options::new(Create).version(Version::V1), p, 1),
        "the header is not latin-1 text (use version 3.0)"),
    (|p| refused::<Named<'x', 70_000>, _>(Options::new(Create).version(Version::V1), p, 1),
        "a header of 70134 bytes does not fit version 1.0 of the format (use version 2.0 or 3.0)"),
    (|p| refused::<u8, _>(Options::new(Create), p, (2, 2).strides((4, 1))),
        "NumPy cannot read such an array: it has files in C and Fortran order only"),
    (|p| refused::<u8, _>(Options::new(Create), p, 3.strides(2)),
        "NumPy cannot read such an array: it has files in C and Fortran order only"),
    (|p| refused::<[f32; 3], _>(Options::new(Create), p, 2),
        "NumPy cannot read such an array: the elements are arrays, which it has only in records"),
    (|p| refused::<u8, _>(Options::new(Create), p, IxDyn(&[1; 65])),
        "NumPy cannot read such an array: it has at most 64 axes"),
    (|p| refused::<u64, _>(Options::new(Create), p, (usize::MAX, 0)),
        "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)"),
    (|p| refused::<u64, _>(Options::new(Create), p, usize::MAX / 8),
        "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)"),
];

#[test]
fn a_refused_creation_loses_nothing_and_leaves_nothing() {
    for (wrong, text) in REFUSED {
        let place = Place::of(b"precious");
        assert_eq!(text_at(&wrong(&place), &place), text);
        place.assert_holds(b"precious");
        let place = Place::missing();
        assert_eq!(text_at(&wrong(&place), &place), text);
        assert_eq!(place.bytes(), None, "{text}");
    }
}

#[test]
fn create_new_refuses_what_is_there() {
    let place = Place::of(b"precious");
    let error = refused::<u8, _>(Options::new(CreateNew), &place, 3);
    assert!(matches!(error.kind(), ErrorKind::Io { action: "create", .. }), "{error:?}");
    place.assert_holds(b"precious");
}

/// A header of two pages, so that the data and the header begin on different pages.
type Long = Named<'y', 9000>;

#[test]
fn a_header_longer_than_a_page_is_on_disk_before_the_data() {
    for sparse in [false, true] {
        let place = Place::missing();
        let options = Options::new(Create).sparse(sparse);
        let mut a = create::<Long, _>(&options, &place, 3).unwrap();
        assert_eq!(a.offset(), 9152);
        a.view_mut().unwrap()[1] = Named(7);
        a.sync().unwrap();
        let bytes = place.bytes().unwrap();
        assert_eq!((bytes.len(), bytes[9152..].to_vec()), (9155, vec![0, 7, 0]));
        drop(a);

        let header = Header::read(&place.file()).unwrap();
        assert_eq!((header.dtype(), header.data_offset()), (&Long::dtype(), 9152));
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let a = open::<Long, Ix1>(&Options::new(mode), &place).unwrap();
            assert_eq!(*a, array![Named(0), Named(7), Named(0)]);
        }
        let raw = MapOptions::new(ReadOnly).offset(9152).load::<u8>(&place).unwrap();
        assert_eq!(*raw, array![0, 7, 0]);
    }
}

#[test]
fn a_header_longer_than_the_default_cap_needs_the_cap_lifted() {
    type Longer = Named<'z', 10_000>;
    let place = Place::missing();
    let create_one = || create::<Longer, _>(&Options::new(Create), &place, 1);
    drop(create_one().unwrap());
    let error = read::<Longer, Ix1>(&place).map(drop).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { limit: 10_000, .. })
    ));
    let options = Options::new(ReadOnly).max_header_size(11_000);
    assert_eq!(open::<Longer, Ix1>(&options, &place).unwrap().len(), 1);
}
