//! Each error once: its text, its cause, its kind, and the unchanged file.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use ndarray::{IxDyn, ShapeBuilder};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Element, Error, MapOptions, Mode, SyncToDisk};
use test_support::{Place, open};

/// The contents of every file before and after each call.
const START: [u8; 10] = [1, 0, 2, 3, 4, 5, 6, 7, 8, 9];

/// An invalid call on a file that holds `START`.
type Wrong = fn(&Place) -> Error;

/// The text of the error, the kind of the `io::Error` that it becomes, and the call.
///
/// `PATH` stands for the path, and `CAUSE` for the text of the operating system.
type Row = (&'static str, ErrorKind, Wrong);

fn refused<A: Element>(options: MapOptions, place: &Place) -> Error {
    open::<A, _>(&options, place).map(drop).unwrap_err()
}

fn of(mode: Mode) -> MapOptions {
    MapOptions::new(mode)
}

#[rustfmt::skip]
const ROWS: [Row; 27] = [
    ("cannot create `PATH`: CAUSE", ErrorKind::AlreadyExists,
        |p| refused::<u8>(of(CreateNew).shape(4), p)),
    ("cannot create the file: CAUSE", ErrorKind::AlreadyExists,
        |p| test_support::map::<u8, _>(&of(CreateNew).shape(4), &p.file()).map(drop).unwrap_err()),
    ("the array ends at byte 12, but the file has 10 bytes (check shape, \
        offset and element type; `grow(true)` extends a file in mode `r+`, \
        `npy::Options::whole_rows(true)` opens the whole rows of a `.npy` file)", ErrorKind::UnexpectedEof,
        |p| refused::<u32>(of(ReadWrite).offset(4).shape(2), p)),
    ("the array ends at byte 11, but the file has 10 bytes (check shape, \
        offset and element type; `grow(true)` extends a file in mode `r+`, \
        `npy::Options::whole_rows(true)` opens the whole rows of a `.npy` file)", ErrorKind::UnexpectedEof,
        |p| of(CopyOnWrite).shape(11).load::<u8>(p).map(drop).unwrap_err()),
    ("the 10 bytes from the offset to the end of the file are not a multiple of the 4 \
        bytes of one element or row (check the element type and the offset, or give a shape \
        to map a part)", ErrorKind::InvalidData,
        |p| refused::<u32>(of(ReadOnly), p)),
    ("the 8 bytes from the offset to the end of the file are not a multiple of the 6 \
        bytes of one element or row (check the element type and the offset, or give a shape \
        to map a part)", ErrorKind::InvalidData,
        |p| open::<u16, _>(&of(ReadWrite).offset(2).rows_of(3), p).map(drop).unwrap_err()),
    ("the array begins at byte 11, but the file has 10 bytes", ErrorKind::UnexpectedEof,
        |p| refused::<u8>(of(CopyOnWrite).offset(11), p)),
    ("the elements from byte 2 on are not aligned to 4 bytes \
        (use `Be<f64>` or `Le<f64>` to map at any offset, or `load` to copy)", ErrorKind::InvalidInput,
        |p| refused::<f32>(of(Create).offset(2).shape(2), p)),
    ("the elements from byte 3 on are not aligned to 2 bytes \
        (use `Be<f64>` or `Le<f64>` to map at any offset, or `load` to copy)", ErrorKind::InvalidInput,
        |p| refused::<u16>(of(ReadOnly).offset(3).shape(1), p)),
    ("the array is too large: its size or its end in bytes overflows", ErrorKind::InvalidInput,
        |p| refused::<u64>(of(Create).shape(usize::MAX / 8), p)),
    ("the array is too large: its size or its end in bytes overflows", ErrorKind::InvalidInput,
        |p| refused::<u8>(of(Create).offset(u64::MAX).shape(1), p)),
    ("a shape is required: a new file does not tell it, and rows of no bytes cannot be \
        counted (use `shape`)",
        ErrorKind::InvalidInput, |p| refused::<u8>(of(Create), p)),
    ("a shape is required: a new file does not tell it, and rows of no bytes cannot be \
        counted (use `shape`)",
        ErrorKind::InvalidInput,
        |p| open::<u8, _>(&of(ReadOnly).rows_of((0, 3)), p).map(drop).unwrap_err()),
    ("the shape and the strides have different numbers of axes", ErrorKind::InvalidInput,
        |p| {
            let shape = IxDyn(&[2, 2]).strides(IxDyn(&[1]));
            open::<u8, _>(&of(Create).shape(shape), p).map(drop).unwrap_err()
        }),
    ("the strides may give two indices to one element (use mode `r` to read it so)",
        ErrorKind::InvalidInput,
        |p| open::<u8, _>(&of(Create).shape((3, 3).strides((1, 1))), p).map(drop).unwrap_err()),
    ("elements of zero size cannot be mapped", ErrorKind::InvalidInput,
        |p| refused::<()>(of(Create).shape(1), p)),
    ("the layout is for elements of size 2, asked for size 4", ErrorKind::InvalidInput,
        |p| {
            let layout = of(ReadOnly).resolve::<u16>(10).unwrap();
            layout.view::<f32>(&p.bytes().unwrap()).map(drop).unwrap_err()
        }),
    ("element 2 is not a valid value of its type", ErrorKind::InvalidData,
        |p| refused::<bool>(of(ReadWrite), p)),
    ("element 1 is not a valid value of its type", ErrorKind::InvalidData,
        |p| of(ReadOnly).offset(1).load::<bool>(p).map(drop).unwrap_err()),
    ("the array is read-only (use mode `c` for private changes, `r+` for shared)",
        ErrorKind::PermissionDenied,
        |p| open::<u8, _>(&of(ReadOnly), p).unwrap().view_mut().map(drop).unwrap_err()),
    ("the changes are private (mode `c`) and do not reach the file \
        (`commit` writes them, mode `r+` changes the file itself)",
        ErrorKind::PermissionDenied, |p| {
            let mut a = open::<u8, _>(&of(CopyOnWrite), p).unwrap();
            a.view_mut().unwrap().fill(0);
            a.sync().unwrap_err()
        }),
    ("mode `r+` cannot be used to load a file", ErrorKind::InvalidInput,
        |p| of(ReadWrite).load::<u8>(p).map(drop).unwrap_err()),
    ("mode `w+` cannot be used to open an immutable file", ErrorKind::InvalidInput,
        |p| of(Create).open_immutable::<u8>(p).map(drop).unwrap_err()),
    ("mode `c` cannot be used to map an immutable file", ErrorKind::InvalidInput,
        |p| of(CopyOnWrite).map_immutable::<u8>(&p.file()).map(drop).unwrap_err()),
    ("`a+` is not a mode (the modes are `r`, `c`, `r+`, `w+` and `x+`)",
        ErrorKind::InvalidInput, |_| "a+".parse::<Mode>().unwrap_err()),
    ("`PATH` is locked by another handle", ErrorKind::WouldBlock,
        |p| {
            let _held = open::<u8, _>(&of(ReadOnly).lock(true), p).unwrap();
            refused::<u8>(of(Create).lock(true).shape(3), p)
        }),
    ("the file is locked by another handle", ErrorKind::WouldBlock,
        |p| {
            let _held = open::<u8, _>(&of(ReadWrite).lock(true), p).unwrap();
            let options = of(ReadOnly).lock(true);
            test_support::map::<u8, _>(&options, &p.file()).map(drop).unwrap_err()
        }),
];

#[test]
fn each_error_has_its_text_and_kind_and_leaves_the_file_as_it_was() {
    for (text, kind, wrong) in ROWS {
        let place = Place::of(&START);
        let error = wrong(&place);
        let path = place.path().display().to_string();
        let cause = error.source().map_or(String::new(), ToString::to_string);
        let found = error.to_string().replace(&path, "PATH");
        assert_eq!(found, text.replace("CAUSE", &cause));
        assert_eq!(place.bytes().unwrap(), START, "{text}");

        let shown = error.to_string();
        let converted = io::Error::from(error);
        assert_eq!(converted.kind(), kind, "{text}");
        assert_eq!(converted.to_string(), shown);
        assert!(converted.get_ref().unwrap().is::<Error>());
    }
}

#[test]
fn a_full_disk_is_one_to_the_standard_library_too() {
    let error = Error::NoSpace { needed: 12 };
    assert_eq!(error.to_string(), "no space to reserve the file's 12 bytes on its disk");
    assert_eq!(io::Error::from(error).kind(), ErrorKind::StorageFull);
}

#[test]
fn only_errors_of_the_system_have_a_source() {
    for (text, _, wrong) in ROWS {
        let error = wrong(&Place::of(&START));
        let is_io = matches!(error, Error::Io { .. });
        assert_eq!(error.source().is_some(), is_io, "{text}");
    }
}

#[test]
fn the_source_is_what_the_system_answered() {
    let place = Place::missing();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let error = refused::<u8>(of(mode).shape(1), &place);
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        let text = format!("cannot open `{}`: {source}", place.path().display());
        assert_eq!(error.to_string(), text);
        assert_eq!(source.kind(), ErrorKind::NotFound);
        assert_eq!(place.bytes(), None);
        assert_eq!(io::Error::from(error).kind(), ErrorKind::NotFound);
    }
}

#[test]
fn the_numbers_are_fields() {
    let place = Place::of(&START);
    let error = refused::<u32>(of(ReadOnly).offset(4).shape(2), &place);
    assert!(matches!(error, Error::FileTooShort { needed: 12, found: 10 }), "{error:?}");
    let error = refused::<u32>(of(ReadOnly), &place);
    assert!(matches!(error, Error::PartialElement { available: 10, size: 4 }));
    let error = refused::<u32>(of(ReadOnly).offset(12), &place);
    assert!(matches!(error, Error::OffsetPastEnd { offset: 12, found: 10 }));
    let error = refused::<u64>(of(ReadOnly).offset(4).shape(1), &place);
    let align = align_of::<u64>();
    match error {
        Error::Misaligned { offset: 4, align: found } => assert_eq!(found, align),
        error => panic!("{error:?}"),
    }
    let error = refused::<bool>(of(ReadOnly).offset(3), &place);
    assert!(matches!(error, Error::InvalidElement { index: 0 }));
    assert_eq!(place.bytes().unwrap(), START);
}

#[test]
fn a_refused_creation_leaves_no_file() {
    #[rustfmt::skip]
    let refusals: [(Wrong, &str); 6] = [
        (|p| refused::<u8>(of(Create), p), "ShapeRequired"),
        (|p| refused::<u64>(of(CreateNew).shape(usize::MAX), p), "TooLarge"),
        (|p| refused::<u16>(of(Create).offset(1).shape(1), p), "Misaligned { offset: 1, align: 2 }"),
        (|p| refused::<()>(of(CreateNew).shape(1), p), "ZeroSizedElement"),
        (|p| {
            let shape = (2, 2).strides((1, 1));
            open::<u8, _>(&of(Create).shape(shape), p).map(drop).unwrap_err()
        }, "OverlappingStrides"),
        (|p| {
            let shape = IxDyn(&[2]).strides(IxDyn(&[1, 1]));
            open::<u8, _>(&of(CreateNew).shape(shape), p).map(drop).unwrap_err()
        }, "StridesMismatch"),
    ];
    for (refuse, debug) in refusals {
        let place = Place::missing();
        assert_eq!(format!("{:?}", refuse(&place)), debug);
        assert_eq!(place.bytes(), None, "{debug}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_change_is_not_immutable() {
    let place = Place::of(&START);
    let error = of(ReadOnly).open_immutable::<u8>(&place).map(drop).unwrap_err();
    let expected = format!(
        "`{}` may change: only a sealed memfd or a file under fs-verity is proved \
         immutable (use `load`, or the unsafe `open`)",
        place.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.source().unwrap().is::<io::Error>());
    let error = of(ReadOnly).map_immutable::<u8>(&place.file()).map(drop).unwrap_err();
    assert!(
        matches!(&error, Error::NotImmutable { path, .. } if path.as_os_str().is_empty())
    );
    assert!(error.to_string().starts_with("the file may change: "));
    assert_eq!(io::Error::from(error).kind(), ErrorKind::InvalidInput);
    assert_eq!(place.bytes().unwrap(), START);
}
