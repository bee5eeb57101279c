//! Each error of a `.npy` file once: its text with the way out, the path, and the unchanged file.

use bytemuck::{Pod, Zeroable};
use ndarray::{Axis, Dimension, Ix1, Ix2, IxDyn, ShapeBuilder, array};
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{
    self, ByteOrder, DType, Field, Header, Kind, NpyElement, Options, Version,
};
use ndarray_memmap::{Error, ErrorKind, Le, NpyErrorKind};
use test_support::Place;
use test_support::npy_common::{create, dictionary, file, open, open_any, raw};

/// A byte in a field whose name has 70,000 characters.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(transparent)]
struct Long(u8);

impl NpyElement for Long {
    fn dtype() -> DType {
        let dtype = DType::scalar(Kind::Uint, ByteOrder::None, 1);
        DType::Record(vec![Field { name: "x".repeat(70_000), title: None, dtype }])
    }
}

#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
struct Point {
    x: Le<u32>,
    y: Le<u32>,
}
ndarray_memmap::npy::record!(Point { x: Le<u32>, y: Le<u32> });

/// Opens the file in mode `r`.
fn refused<A: NpyElement, D: Dimension>(place: &Place) -> Error {
    open::<A, D>(&Options::new(ReadOnly), place).map(drop).unwrap_err()
}

fn bytes(place: &Place) -> Error {
    refused::<u8, Ix1>(place)
}

fn creating(options: Options, place: &Place, shape: (usize, usize)) -> Error {
    create::<u8, _>(&options, place, shape).map(drop).unwrap_err()
}

/// Returns a file with three bytes as elements, and this text as its header.
fn with(text: &str) -> Vec<u8> {
    [raw(3, text.as_bytes()), vec![1, 2, 3]].concat()
}

fn with_order(order: &str) -> Vec<u8> {
    with(&format!("{{'descr': '|u1', 'fortran_order': {order}, 'shape': (3,)}}"))
}

/// Returns a file of three bytes with one axis.
fn three() -> Vec<u8> {
    file("'|u1'", 'C', "(3,)", &[1, 2, 3])
}

/// The text of the error after the path, the file, and the call that is refused.
type Row = (&'static str, fn() -> Vec<u8>, fn(&Place) -> Error);

#[rustfmt::skip]
const ROWS: [Row; 31] = [
    ("the file is not a `.npy` file: it does not begin with `\\x93NUMPY` (map raw elements by \
        `MapOptions`)", || vec![0; 100], bytes),
    ("the file is a zip archive (`.npz`), not a `.npy` file (extract the `.npy` files that it contains, by `unzip`)", || b"PK\x03\x04\x14\0\0\0".to_vec(), bytes),
    ("the file is compressed (gzip), and cannot be mapped (decompress it first)",
        || b"\x1f\x8b\x08\0\0\0\0\0\0\x03".to_vec(), bytes),
    ("the file is compressed (bzip2), and cannot be mapped (decompress it first)",
        || b"BZh91AY&SY".to_vec(), bytes),
    ("the file is compressed (xz), and cannot be mapped (decompress it first)",
        || b"\xfd7zXZ\0\0\x04".to_vec(), bytes),
    ("the file is compressed (zstd), and cannot be mapped (decompress it first)",
        || b"\x28\xb5\x2f\xfd\x04\0\0\0".to_vec(), bytes),
    ("version 4.0 of the `.npy` format is unknown (versions 1.0, 2.0 and 3.0 are supported)",
        || raw(4, b"{}"), bytes),
    ("the file ends in its magic string: expected 8 bytes, found 5 (the file is incomplete: copy \
        it again)", || three()[..5].to_vec(), bytes),
    ("the file ends in its header length: expected 10 bytes, found 9 (the file is incomplete: \
        copy it again)", || three()[..9].to_vec(), bytes),
    ("the file ends in its header: expected 128 bytes, found 100 (the file is incomplete: copy \
        it again)", || three()[..100].to_vec(), bytes),
    ("the header has 20057 bytes, more than the limit of 10000 bytes (raise the limit: `npy::Options::max_header_size`, or `Header::read_with_limit`)", spaces, bytes),
    ("the header has 12544 bytes, more than the limit of 10000 bytes (raise the limit: `npy::Options::max_header_size`, or `Header::read_with_limit`)", fields, bytes),
    ("a header of 70134 bytes does not fit version 1.0 of the format (use version 2.0 or 3.0)",
        three, |p| {
            let options = Options::new(Create).version(Version::V1);
            create::<Long, _>(&options, p, 1).map(drop).unwrap_err()
        }),
    ("the header has no space for a length of 4 (call `npy::make_growable` first)",
        || with(&dictionary("'|u1'", 'C', "(3,)")),
        |p| {
            let mut a = open::<u8, Ix1>(&Options::new(ReadWrite), p).unwrap();
            // The dictionary ends with the header: only a longer number does not fit.
            a.append(Axis(0), &array![4]).unwrap_err()
        }),
    ("the header is not UTF-8 text (save the array again by NumPy)",
        || raw(3, b"{'descr': '\xff'}"), bytes),
    ("the header is not latin-1 text (use version 3.0)", three, |_| {
        let header = "[('π', '|u1')]".parse().and_then(|dtype| {
            Header::new(dtype, &[3], ndarray::Order::C)?.with_version(Version::V1)
        });
        header.map(drop).unwrap_err()
    }),
    ("the header cannot be parsed: expected a literal at byte 10 (save the array again by NumPy)", || with("{'descr': }"), bytes),
    ("the header is not a dictionary (save the array again by NumPy)",
        || with("[1, 2]"), bytes),
    ("the header must have the keys `descr`, `fortran_order` and `shape` alone (save the array again by NumPy)", || with("{'descr': '|u1'}"), bytes),
    ("`fortran_order` at byte 34 is neither `True` nor `False` (save the array again by NumPy)", || with_order("1"), bytes),
    ("`shape` at byte 51 is not a tuple of whole numbers (save the array again by NumPy)", || with(&dictionary("'|u1'", 'C', "(1.5,)")), bytes),
    ("`shape` at byte 51 has a negative length (save the array again by NumPy)",
        || with(&dictionary("'|u1'", 'C', "(-1,)")), bytes),
    ("`descr` at byte 10 is not an element type: NumPy writes no such type (save the array again by NumPy)", || with(&dictionary("'<f3'", 'C', "(3,)")), bytes),
    ("the elements are Python objects, which only Python can load (convert them in Python: \
        `a.astype(float)`)", || file("'|O'", 'C', "(3,)", b"pickle"), bytes),
    ("expected elements of type `|b1`, found `|u1` (use the element type `u8`)",
        three, refused::<bool, Ix1>),
    ("expected elements of type `|u1`, found `|b1` (use the element type `bool`)",
        || file("'|b1'", 'C', "(2,)", &[2, 255]), bytes),
    ("field 1: expected `y` of `<u4` at byte 4, found `y` of `<i4` at byte 4 (change the struct \
        and its `npy::record!`)",
        || file("[('x', '<u4'), ('y', '<i4')]", 'C', "(1,)", &[0; 8]), refused::<Point, Ix1>),
    ("expected an array of 2 axes, found 1 axis (use the dimension `Ix1` or `IxDyn`)",
        three, refused::<u8, Ix2>),
    ("expected an array of 2 axes, found 7 axes (use the dimension `IxDyn`)",
        || file("'|u1'", 'C', "(1, 1, 1, 1, 1, 1, 1)", &[1]), refused::<u8, Ix2>),
    ("expected an array in C order, found Fortran order (pass the shape in the order of the file)",
        || file("'|u1'", 'F', "(3, 2)", &[0; 6]),
        |p| creating(Options::new(Append), p, (3, 0))),
    ("NumPy cannot read such an array: it has files in C and Fortran order only", three, |p| {
        create::<u8, _>(&Options::new(Create), p, (2, 2).strides((4, 1))).map(drop).unwrap_err()
    }),
];

/// Returns a file with 20,000 spaces in its header.
fn spaces() -> Vec<u8> {
    let shape = format!("({}3,)", " ".repeat(20_000));
    with(dictionary("'|u1'", 'C', &shape).trim_end())
}

/// Returns a file of one record with 600 fields.
fn fields() -> Vec<u8> {
    let fields: String = (0..600).map(|i| format!("('field{i}', '<f8'), ")).collect();
    let text = dictionary(&format!("[{fields}]"), 'C', "(1,)");
    [raw(1, text.as_bytes()), vec![0; 4800]].concat()
}

#[test]
fn each_error_has_its_text_and_path_and_leaves_the_file_as_it_was() {
    for (text, start, wrong) in ROWS {
        let start = start();
        let place = Place::of(&start);
        let error = wrong(&place);
        assert!(matches!(error.kind(), ErrorKind::Npy(_)), "{error:?}");
        match text.starts_with("the header is not latin-1") {
            // No file belongs to a `Header`.
            true => assert_eq!(error.to_string(), text),
            false => assert_eq!(test_support::text_at(&error, &place), text),
        }
        assert!(text.chars().count() <= 300, "{text}");
        assert_eq!(format!("{error:?}"), format!("{error} ({:?})", error.kind()));
        place.assert_holds(&start);
    }
}

#[test]
fn every_kind_has_its_text() {
    let kind = |(_, start, wrong): Row| match wrong(&Place::of(&start())).into_kind() {
        ErrorKind::Npy(kind) => format!("{kind:?}"),
        other => panic!("{other:?}"),
    };
    let seen = ROWS.map(kind);
    let source = include_str!("../../src/error/npy.rs");
    let (kinds, _) = source.split_once("\n}\n").unwrap();
    let kinds = kinds.lines().filter_map(|line| line.strip_prefix("    "));
    let names: Vec<_> = kinds
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', ',', '(']).next().unwrap())
        .collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let is_tested = seen.iter().any(|kind| kind.split(' ').next() == Some(name));
        assert!(is_tested, "`{name}` is in no table");
    }
}

#[test]
fn other_formats_are_named_by_every_function_that_reads_a_header() {
    for (text, start, _) in &ROWS[..7] {
        let start = start();
        let place = Place::of(&start);
        let mut errors: Vec<_> = [ReadOnly, CopyOnWrite, ReadWrite, Append]
            .map(|mode| open::<u8, IxDyn>(&Options::new(mode), &place).map(drop))
            .into();
        errors.push(npy::load::<f64, IxDyn>(&place).map(drop));
        errors.push(open_any(&place).map(drop));
        errors.push(npy::make_growable(&place));
        errors.push(create::<u8, _>(&Options::new(Append), &place, (0, 3)).map(drop));
        for error in errors {
            assert_eq!(test_support::text_at(&error.unwrap_err(), &place), *text);
        }
        for error in [
            Header::read(&place.file()),
            Header::read_from(&start[..]),
            Header::read_from(place.file()),
            Header::parse(&start),
        ] {
            let error = error.unwrap_err();
            assert_eq!((error.to_string(), error.path()), ((*text).to_owned(), None));
        }
        place.assert_holds(&start);
    }
}

#[test]
fn a_header_over_the_limit_is_read_with_a_higher_limit() {
    for (start, len) in [(spaces(), 20_057), (fields(), 12_544)] {
        let place = Place::of(&start);
        assert!(Header::read_with_limit(&place.file(), len - 1).is_err());
        let header = Header::read_with_limit(&place.file(), len).unwrap();
        assert_eq!(header, Header::parse_with_limit(&start, len).unwrap());
        let options = Options::new(ReadOnly).max_header_size(len);
        if len == 20_057 {
            assert_eq!(*open::<u8, Ix1>(&options, &place).unwrap(), array![1, 2, 3]);
            continue;
        }
        // The type of the records is too long for a message.
        let error = open::<u8, Ix1>(&options, &place).map(drop).unwrap_err();
        let text = format!(
            "expected elements of type `|u1`, found `{}…` (describe a struct by `npy::record!`)",
            header.dtype().to_string().get(..60).unwrap()
        );
        assert_eq!(test_support::text_at(&error, &place), text);
        let ErrorKind::Npy(NpyErrorKind::ElementType { found, .. }) = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(*found, header.dtype().to_string(), "the kind has the whole type");
    }
}

#[test]
fn bytes_that_are_no_values_are_refused_by_their_position() {
    let start = file("'|b1'", 'C', "(2, 2)", &[1, 0, 2, 255]);
    let place = Place::of(&start);
    let text = "element 2 is not a valid value of its type (map the bytes as `u8` by `MapOptions`, from offset 128 on)";
    let mut errors: Vec<_> = [ReadOnly, CopyOnWrite, ReadWrite, Append]
        .map(|mode| open::<bool, Ix2>(&Options::new(mode), &place).map(drop))
        .into();
    errors.push(npy::load::<bool, Ix2>(&place).map(drop));
    errors.push(open_any(&place).map(drop));
    for error in errors {
        let error = error.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidElement { index: 2 }),
            "{error:?}"
        );
        assert_eq!(test_support::text_at(&error, &place), text);
    }
    place.assert_holds(&start);
}
