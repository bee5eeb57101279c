//! Each error once: its text, its cause, its kind, and the unchanged file.

use std::error::Error as _;
use std::io;

use ndarray::{Axis, Ix1, Ix3, IxDyn, ShapeBuilder, arr0, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{
    Element, Error, ErrorKind, MapOptions, MmapArray2, Mode, NpyErrorKind, npy,
};
use test_support::{Place, open};

/// The contents of every file before and after each call.
const START: [u8; 10] = [1, 0, 2, 3, 4, 5, 6, 7, 8, 9];

/// An invalid call on a file that holds `START`.
type Wrong = fn(&Place) -> Error;

/// The text of the error, the kind of the `io::Error` that it becomes, and the call.
///
/// `PATH` stands for the path, and `CAUSE` for the text of the operating system.
type Row = (&'static str, io::ErrorKind, Wrong);

fn refused<A: Element>(options: MapOptions, place: &Place) -> Error {
    open::<A, _>(&options, place).map(drop).unwrap_err()
}

fn of(mode: Mode) -> MapOptions {
    MapOptions::new(mode)
}

fn array(mode: Mode, place: &Place) -> MmapArray2<u8> {
    open::<u8, _>(&of(mode).rows_of(5), place).unwrap()
}

#[rustfmt::skip]
const ROWS: [Row; 43] = [
    ("`PATH`: cannot create the file: CAUSE (mode `r+` opens it, mode `w+` replaces it)",
        io::ErrorKind::AlreadyExists, |p| refused::<u8>(of(CreateNew).shape(4), p)),
    ("cannot create the file: CAUSE (mode `r+` opens it, mode `w+` replaces it)",
        io::ErrorKind::AlreadyExists,
        |p| test_support::map::<u8, _>(&of(CreateNew).shape(4), &p.file()).map(drop).unwrap_err()),
    ("`PATH`: the array ends at byte 12, but the file has 10 bytes (check shape, offset and \
        element type, or extend it by `grow(true)`)", io::ErrorKind::UnexpectedEof,
        |p| refused::<u32>(of(ReadWrite).offset(4).shape(2), p)),
    ("`PATH`: the array ends at byte 11, but the file has 10 bytes (check shape, offset and \
        element type)", io::ErrorKind::UnexpectedEof,
        |p| of(CopyOnWrite).shape(11).load::<u8>(p).map(drop).unwrap_err()),
    ("`PATH`: the 10 bytes from the offset to the end of the file are not a multiple of the 4 \
        bytes of an element or row (check the element type and the offset, or pass a `shape` \
        to map a part)", io::ErrorKind::InvalidData,
        |p| refused::<u32>(of(ReadOnly), p)),
    ("`PATH`: the 8 bytes from the offset to the end of the file are not a multiple of the 6 \
        bytes of an element or row (check the element type and the offset, or pass a `shape` \
        to map a part)", io::ErrorKind::InvalidData,
        |p| open::<u16, _>(&of(ReadWrite).offset(2).rows_of(3), p).map(drop).unwrap_err()),
    ("`PATH`: the array begins at byte 11, but the file has 10 bytes (check the offset)",
        io::ErrorKind::UnexpectedEof, |p| refused::<u8>(of(CopyOnWrite).offset(11), p)),
    ("`PATH`: the elements from byte 2 on are not aligned to 4 bytes (use the element type \
        `NATIVE<f32>`, or copy by `load`)", io::ErrorKind::InvalidInput,
        |p| refused::<f32>(of(Create).offset(2).shape(2), p)),
    ("`PATH`: the elements from byte 3 on are not aligned to 2 bytes (use the element type \
        `NATIVE<u16>`, or copy by `load`)", io::ErrorKind::InvalidInput,
        |p| refused::<u16>(of(ReadOnly).offset(3).shape(1), p)),
    ("`PATH`: the elements from byte 2 on are not aligned to 4 bytes (copy the elements by \
        `load`)", io::ErrorKind::InvalidInput,
        |p| refused::<char>(of(ReadOnly).offset(2).shape(1), p)),
    ("`PATH`: the array is too large: its size or its end in bytes overflows (check shape, \
        offset and element type)", io::ErrorKind::InvalidInput,
        |p| refused::<u64>(of(Create).shape(usize::MAX / 8), p)),
    ("`PATH`: the array is too large: its size or its end in bytes overflows (check shape, \
        offset and element type)", io::ErrorKind::InvalidInput,
        |p| refused::<u8>(of(Create).offset(u64::MAX).shape(1), p)),
    ("`PATH`: neither the caller nor the file determines the shape (pass a `shape`: a new \
        file has no length)", io::ErrorKind::InvalidInput, |p| refused::<u8>(of(Create), p)),
    ("`PATH`: neither the caller nor the file determines the shape (pass a `shape`: rows of \
        0 bytes cannot be counted)", io::ErrorKind::InvalidInput,
        |p| open::<u8, _>(&of(ReadOnly).rows_of((0, 3)), p).map(drop).unwrap_err()),
    ("`PATH`: the shape and the strides have different numbers of axes (pass one stride for \
        each axis)", io::ErrorKind::InvalidInput,
        |p| {
            let shape = IxDyn(&[2, 2]).strides(IxDyn(&[1]));
            open::<u8, _>(&of(Create).shape(shape), p).map(drop).unwrap_err()
        }),
    ("`PATH`: with these strides two indices may refer to one element (use mode `r`, or \
        strides that do not overlap)", io::ErrorKind::InvalidInput,
        |p| open::<u8, _>(&of(Create).shape((3, 3).strides((1, 1))), p).map(drop).unwrap_err()),
    ("`PATH`: elements of 0 bytes cannot be mapped (use an element type of at least 1 byte)",
        io::ErrorKind::InvalidInput, |p| refused::<()>(of(Create).shape(1), p)),
    ("expected elements of size 2, found a type of size 4 (use an element type of the \
        expected size)", io::ErrorKind::InvalidInput,
        |p| {
            let layout = of(ReadOnly).resolve::<u16>(10).unwrap();
            layout.view::<f32>(&p.bytes().unwrap()).map(drop).unwrap_err()
        }),
    ("`PATH`: element 2 is not a valid value of its type (a `bool` is 0 or 1; map the bytes \
        as `u8`)", io::ErrorKind::InvalidData, |p| refused::<bool>(of(ReadWrite), p)),
    ("`PATH`: element 1 is not a valid value of its type (a `bool` is 0 or 1; map the bytes \
        as `u8`)", io::ErrorKind::InvalidData,
        |p| of(ReadOnly).offset(1).load::<bool>(p).map(drop).unwrap_err()),
    ("`PATH`: element 0 is not a valid value of its type (check the element type, or map the \
        elements as bytes (`u8`))", io::ErrorKind::InvalidData,
        |p| refused::<char>(of(ReadOnly).offset(4).shape(1), p)),
    ("`PATH`: the array is read-only (use mode `c` for private changes, mode `r+` to change \
        the file)", io::ErrorKind::PermissionDenied,
        |p| open::<u8, _>(&of(ReadOnly), p).unwrap().view_mut().map(drop).unwrap_err()),
    ("`PATH`: the array is read-only (mode `r+` and mode `a+` can grow)",
        io::ErrorKind::PermissionDenied,
        |p| array(ReadOnly, p).push(Axis(0), &array![1, 2, 3, 4, 5]).unwrap_err()),
    ("`PATH`: changes in mode `c` are private and do not reach the file (`commit` writes \
        them, and mode `r+` changes the file itself)",
        io::ErrorKind::PermissionDenied, |p| {
            let mut a = open::<u8, _>(&of(CopyOnWrite), p).unwrap();
            a.view_mut().unwrap().fill(0);
            a.sync().unwrap_err()
        }),
    ("`PATH`: cannot load a file in mode `r+` (use mode `r` or mode `c`)",
        io::ErrorKind::InvalidInput, |p| of(ReadWrite).load::<u8>(p).map(drop).unwrap_err()),
    ("`PATH`: cannot open an immutable file in mode `w+` (use mode `r`)",
        io::ErrorKind::InvalidInput,
        |p| of(Create).open_immutable::<u8>(p).map(drop).unwrap_err()),
    ("cannot map an immutable file in mode `c` (use mode `r`)", io::ErrorKind::InvalidInput,
        |p| of(CopyOnWrite).map_immutable::<u8>(&p.file()).map(drop).unwrap_err()),
    ("`PATH`: cannot draft a file in mode `r` (use mode `w+` or mode `x+`)",
        io::ErrorKind::InvalidInput, |p| of(ReadOnly).draft::<u8>(p).map(drop).unwrap_err()),
    ("`PATH`: cannot open a `.npy` file in mode `w+` (use `npy::create`, which writes a \
        header)", io::ErrorKind::InvalidInput,
        // SAFETY: nothing is mapped.
        |p| unsafe { npy::open::<u8, Ix1>(p, Create) }.map(drop).unwrap_err()),
    ("`PATH`: cannot create a `.npy` file in mode `r` (use mode `w+`, `x+` or `a+`, or \
        `npy::open`)", io::ErrorKind::InvalidInput,
        // SAFETY: nothing is mapped.
        |p| unsafe { npy::Options::new(ReadOnly).create::<u8, _>(p, 3) }.map(drop).unwrap_err()),
    ("`PATH`: cannot refresh an array in mode `c` (open it in mode `r`)",
        io::ErrorKind::InvalidInput, |p| array(CopyOnWrite, p).refresh().unwrap_err()),
    ("`PATH`: cannot refresh an array that was opened with a fixed shape (open it with \
        `rows_of`)", io::ErrorKind::InvalidInput,
        |p| open::<u8, _>(&of(ReadOnly).shape(3), p).unwrap().refresh().unwrap_err()),
    ("`PATH`: cannot commit in mode `r+` (only mode `c` has private changes)",
        io::ErrorKind::InvalidInput, |p| array(ReadWrite, p).commit().unwrap_err()),
    ("`w` is not a mode (the modes are `r`, `c`, `r+`, `w+`, `x+`, `a+`)",
        io::ErrorKind::InvalidInput, |_| "w".parse::<Mode>().unwrap_err()),
    ("`PATH`: another handle has locked the file (close the other handle, or try again \
        later)", io::ErrorKind::WouldBlock,
        |p| {
            let _held = open::<u8, _>(&of(ReadOnly).lock(true), p).unwrap();
            refused::<u8>(of(Create).lock(true).shape(3), p)
        }),
    ("another handle has locked the file (close the other handle, or try again later)",
        io::ErrorKind::WouldBlock,
        |p| {
            let _held = open::<u8, _>(&of(ReadWrite).lock(true), p).unwrap();
            let options = of(ReadOnly).lock(true);
            test_support::map::<u8, _>(&options, &p.file()).map(drop).unwrap_err()
        }),
    ("`PATH`: axis 2 is out of bounds for an array of 2 axes (axes count from 0)",
        io::ErrorKind::InvalidInput,
        |p| array(ReadOnly, p).sweep(Axis(2), 1).map(drop).unwrap_err()),
    ("`PATH`: index 2 is out of bounds for an axis of length 2 (indices count from 0)",
        io::ErrorKind::InvalidInput,
        |p| array(ReadOnly, p).gather(Axis(0), &[0, 2]).map(drop).unwrap_err()),
    ("`PATH`: expected an array of shape [5], found shape [4] (reshape or slice the array \
        that is passed)", io::ErrorKind::InvalidInput,
        |p| array(ReadWrite, p).push(Axis(0), &array![1, 2, 3, 4]).unwrap_err()),
    ("`PATH`: axis 1 cannot grow or be split in the memory order of this array (use axis 0, \
        the outermost axis)", io::ErrorKind::InvalidInput,
        |p| array(ReadWrite, p).push(Axis(1), &array![1, 2]).unwrap_err()),
    ("`PATH`: an array with custom strides cannot grow or be split (use C or Fortran order)",
        io::ErrorKind::InvalidInput,
        |p| {
            let options = of(ReadWrite).shape((2, 2).strides((5, 1)));
            open::<u8, _>(&options, p).unwrap().push(Axis(0), &array![1, 2]).unwrap_err()
        }),
    ("`PATH`: the array ends at byte 4, and growth would overwrite the bytes that follow, up \
        to byte 10 (copy the array, or truncate the file to 4 bytes)",
        io::ErrorKind::InvalidInput,
        |p| {
            let mut a = open::<u8, _>(&of(ReadWrite).shape(4), p).unwrap();
            a.push(Axis(0), &arr0(1)).unwrap_err()
        }),
    ("`PATH`: expected an array of 3 axes, found 2 axes (use the dimension of the array, or \
        `IxDyn`)", io::ErrorKind::InvalidInput,
        |p| array(ReadOnly, p).into_dimensionality::<Ix3>().map(drop).unwrap_err()),
];

#[test]
fn each_error_has_its_text_and_kind_and_leaves_the_file_as_it_was() {
    let native = if cfg!(target_endian = "little") { "Le" } else { "Be" };
    for (text, kind, wrong) in ROWS {
        let place = Place::of(&START);
        let error = wrong(&place);
        let path = place.path().display().to_string();
        let cause = error.source().map_or(String::new(), ToString::to_string);
        let found = error.to_string().replace(&path, "PATH");
        assert_eq!(found, text.replace("CAUSE", &cause).replace("NATIVE", native));
        assert_eq!(error.path().is_some(), text.starts_with("`PATH`"), "{text}");
        assert!(error.path().is_none_or(|path| path == place.path()), "{text}");
        assert_eq!(place.bytes().unwrap(), START, "{text}");
        assert_eq!(format!("{error:?}"), format!("{error} ({:?})", error.kind()));

        let shown = error.to_string();
        let converted = io::Error::from(error);
        assert_eq!(converted.kind(), kind, "{text}");
        assert_eq!(converted.to_string(), shown);
        let again = Error::from(converted);
        assert_eq!(again.to_string(), shown, "the same error again");
    }
}

/// The kinds whose causes need a disk, another process or another file, with their texts.
#[rustfmt::skip]
fn texts() -> Vec<(ErrorKind, &'static str)> {
    vec![
        (ErrorKind::MemoryLock { expected: 12, limit: 8 },
            "cannot lock 12 bytes in memory: the limit is 8 bytes (raise RLIMIT_MEMLOCK, or lock a \
            smaller region)"),
        (ErrorKind::Conflict,
            "the file has changed since it was opened, and nothing was committed (open it again, or \
            overwrite it by `force_commit`)"),
        (ErrorKind::WindowGrows, "a window of a larger array cannot grow (open the whole array)"),
        (ErrorKind::NoParts, "an array cannot be split into 0 parts (use at least 1 part)"),
        (ErrorKind::Replaced,
            "the file is not the one that was opened, or contains another array now (open it again)"),
        (ErrorKind::NotAFile { found: "a directory" },
            "expected a regular file, found a directory (pass the path of a file)"),
        (ErrorKind::NpyHeader,
            "the file is a `.npy` file, and the array would include its header (use `npy::open`, or \
            set `offset` to the first element)"),
        (ErrorKind::NotImmutable { source: io::ErrorKind::Unsupported.into() },
            "the file may change: it is no sealed memfd and not under fs-verity (use `load`, or the \
            unsafe `open`)"),
        (ErrorKind::NoSpace { expected: 12 },
            "the disk or the quota has no space for a file of 12 bytes (free space and call again)"),
        (ErrorKind::Faulted { offset: 4096 },
            "the bytes from byte 4096 on were lost while the file was mapped (open the file again and \
            check its contents)"),
        (ErrorKind::NotGuarded,
            "the guard is not installed (the application calls `guard::install`)"),
        (ErrorKind::Poisoned,
            "an earlier sync failed, and changes may be lost (open the file again and compare)"),
    ]
}

#[test]
fn every_kind_has_its_text() {
    let mut seen = String::new();
    for (kind, text) in texts() {
        let error = Error::from(kind);
        assert_eq!(error.to_string(), text);
        assert!(text.len() <= 300 && error.path().is_none());
        seen += &format!("{:?}\n", error.kind());
    }
    for (text, _, wrong) in ROWS {
        assert!(text.len() <= 300, "{text}");
        seen += &format!("{:?}\n", wrong(&Place::of(&START)).kind());
    }
    let source = include_str!("../../src/error/kind.rs");
    let (kinds, _) = source.split_once("\n}\n").unwrap();
    let kinds = kinds.lines().filter_map(|line| line.strip_prefix("    "));
    let names: Vec<_> = kinds
        .filter(|line| line.starts_with(char::is_uppercase))
        .map(|line| line.split([' ', ',', '(']).next().unwrap())
        .filter(|name| *name != "Npy")
        .collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names {
        let is_tested = seen.lines().any(|kind| kind.split(' ').next() == Some(name));
        assert!(is_tested, "`{name}` is in no table");
    }
}

#[test]
fn long_texts_of_a_file_or_a_caller_are_shortened() {
    let name = "x".repeat(1000);
    let error = name.parse::<Mode>().unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{}…` is not", "x".repeat(60))));
    let shape = vec![1000; 64];
    let error =
        Error::from(ErrorKind::ShapeMismatch { expected: shape.clone(), found: shape });
    assert!(error.to_string().chars().count() <= 300, "{error}");
    let text = "é".repeat(100);
    let found = NpyErrorKind::ElementType { expected: text.clone(), found: text };
    assert_eq!(found.to_string().matches('é').count(), 60);
}

#[test]
fn an_error_is_as_large_as_a_pointer() {
    assert_eq!(size_of::<Error>(), size_of::<usize>());
    assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
}

#[test]
fn only_errors_of_the_system_have_a_source() {
    for (text, _, wrong) in ROWS {
        let error = wrong(&Place::of(&START));
        let is_io = matches!(error.kind(), ErrorKind::Io { .. });
        assert_eq!(error.source().is_some(), is_io, "{text}");
    }
}

#[test]
fn the_source_is_what_the_system_answered() {
    let place = Place::missing();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let error = refused::<u8>(of(mode).shape(1), &place);
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        let text = format!(
            "`{}`: cannot open the file: {source} (check the path; mode `w+` or `a+` creates a \
             file)",
            place.path().display()
        );
        assert_eq!(error.to_string(), text);
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
        assert_eq!(place.bytes(), None);
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    }
}

#[test]
fn the_numbers_are_fields() {
    let place = Place::of(&START);
    let error = refused::<u32>(of(ReadOnly).offset(4).shape(2), &place);
    assert!(
        matches!(error.kind(), ErrorKind::FileTooShort { expected: 12, found: 10 }),
        "{error:?}"
    );
    let error = refused::<u32>(of(ReadOnly), &place);
    assert!(matches!(error.kind(), ErrorKind::PartialElement { available: 10, size: 4 }));
    let error = refused::<u32>(of(ReadOnly).offset(12), &place);
    assert!(matches!(error.kind(), ErrorKind::OffsetPastEnd { offset: 12, found: 10 }));
    let error = refused::<u64>(of(ReadOnly).offset(4).shape(1), &place);
    let align = align_of::<u64>();
    match error.kind() {
        ErrorKind::Misaligned { offset: 4, align: found } => assert_eq!(*found, align),
        error => panic!("{error:?}"),
    }
    let error = refused::<bool>(of(ReadOnly).offset(3), &place);
    assert!(matches!(error.kind(), ErrorKind::InvalidElement { index: 0 }));
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
        assert_eq!(format!("{:?}", refuse(&place).kind()), debug);
        assert_eq!(place.bytes(), None, "{debug}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_may_change_is_not_immutable() {
    let place = Place::of(&START);
    let error = of(ReadOnly).open_immutable::<u8>(&place).map(drop).unwrap_err();
    let expected = format!(
        "`{}`: the file may change: it is no sealed memfd and not under fs-verity (use `load`, \
         or the unsafe `open`)",
        place.path().display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(error.source().unwrap().is::<io::Error>());
    let error = of(ReadOnly).map_immutable::<u8>(&place.file()).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotImmutable { .. }) && error.path().is_none()
    );
    assert!(error.to_string().starts_with("the file may change: "));
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::InvalidInput);
    assert_eq!(place.bytes().unwrap(), START);
}
