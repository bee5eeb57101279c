//! Conversions of the dimension and properties of handles, and the conversion of errors.

use std::io;

use ndarray::{Array2, Axis, Ix0, Ix1, Ix2, Ix3, IxDyn, ShapeBuilder, arr0, array};
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Error, ErrorKind, MapOptions, MmapArray2, MmapArrayD, Mode};
use test_support::{Place, open, text_at};

#[test]
fn a_converted_array_is_the_same_array() {
    let place = Place::of(&[1, 2, 3, 4, 5, 6, 7]);
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let options = MapOptions::new(mode).offset(1).shape((2, 3).f());
        let a = open::<u8, _>(&options, &place).unwrap();
        let start = a.as_ptr();
        let expected = a.to_owned();
        let a: MmapArrayD<u8> = a.into_dyn();
        assert_eq!(
            (a.shape(), a.strides(), a.as_ptr()),
            (&[2, 3][..], &[1, 2][..], start)
        );
        assert_eq!((a.mode(), a.offset(), a.path()), (mode, 1, Some(place.path())));
        assert_eq!((a.layout().byte_len(), a.layout().end()), (6, 7));
        assert_eq!(a, expected.clone().into_dyn());
        let mut a: MmapArray2<u8> = a.into_dimensionality().unwrap();
        assert_eq!((a.as_ptr(), &a.to_owned()), (start, &expected));
        assert_eq!((a.mode(), a.offset(), a.path()), (mode, 1, Some(place.path())));
        let before = a[[1, 2]];
        match a.view_mut() {
            Ok(mut view) => view[[1, 2]] = before,
            Err(error) => {
                assert_eq!((error.kind().to_string().is_empty(), mode), (false, ReadOnly))
            }
        }
    }
    // The conversion of a view that was converted before changes nothing.
    let a = MapOptions::scratch::<u8, _>((2, 3)).unwrap();
    let a = a.into_dyn().into_dyn().into_dimensionality::<IxDyn>().unwrap();
    assert_eq!(a.into_dimensionality::<Ix2>().unwrap().dim(), (2, 3));
    let zero = MapOptions::scratch::<u8, _>(Ix0()).unwrap().into_dyn();
    assert_eq!(zero, arr0(0).into_dyn());
    assert_eq!(zero.into_dimensionality::<Ix0>().unwrap()[()], 0);
    let empty = MapOptions::scratch::<u8, _>((0, 3)).unwrap().into_dyn();
    assert_eq!(empty.into_dimensionality::<Ix2>().unwrap().dim(), (0, 3));
}

#[test]
fn another_number_of_axes_is_an_error_with_the_path() {
    let place = Place::of(&[1, 2, 3, 4, 5, 6]);
    let dynamic = || {
        let options = MapOptions::new(ReadWrite).lock(true).rows_of(3);
        open::<u8, Ix2>(&options, &place).unwrap().into_dyn()
    };
    let text = |expected: usize| {
        let axes = if expected == 1 { "axis" } else { "axes" };
        format!(
            "expected an array of {expected} {axes}, found 2 axes (use the dimension of the array, \
             or `IxDyn`)"
        )
    };
    let errors = [
        (1, dynamic().into_dimensionality::<Ix1>().map(drop).unwrap_err()),
        (3, dynamic().into_dimensionality::<Ix3>().map(drop).unwrap_err()),
        (0, dynamic().into_dimensionality::<Ix0>().map(drop).unwrap_err()),
    ];
    for (ndim, error) in errors {
        assert!(
            matches!(error.kind(), ErrorKind::NdimMismatch { expected, found: 2 }
                if *expected == ndim),
            "{error:?}"
        );
        assert_eq!(text_at(&error, &place), text(ndim));
    }
    // After an error the array is unmapped, and its lock released.
    drop(dynamic());
    assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_converted_array_grows_and_follows() {
    let place = Place::of(&[1, 2, 3, 4]);
    let options = |mode| MapOptions::new(mode).rows_of(2);
    let mut reader = open::<u8, Ix2>(&options(ReadOnly), &place).unwrap().into_dyn();
    let mut a = open::<u8, Ix2>(&options(ReadWrite), &place).unwrap().into_dyn();
    a.push(Axis(0), &array![5, 6].into_dyn()).unwrap();
    a.append(Axis(0), &array![[7, 8], [9, 10]].into_dyn()).unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader, array![[1, 2], [3, 4], [5, 6], [7, 8], [9, 10]].into_dyn());
    a.resize(Axis(0), 6).unwrap();
    a.view_mut().unwrap()[[5, 0]] = 11;
    let mut a: MmapArray2<u8> = a.into_dimensionality().unwrap();
    a.push(Axis(0), &array![13, 14]).unwrap();
    a.resize(Axis(0), 7).unwrap();
    let mut reader: MmapArray2<u8> = reader.into_dimensionality().unwrap();
    reader.refresh().unwrap();
    assert_eq!(reader, a);
    a.close().unwrap();
    assert_eq!(place.bytes().unwrap(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0, 13, 14]);
}

#[test]
fn commit_and_rollback_work_after_the_conversion() {
    let place = Place::of(&[1, 2, 3, 4]);
    let options = MapOptions::new(CopyOnWrite).rows_of(2);
    let mut a = open::<u8, Ix2>(&options, &place).unwrap().into_dyn();
    a.view_mut().unwrap().fill(9);
    a.rollback().unwrap();
    assert_eq!(a, array![[1, 2], [3, 4]].into_dyn());
    a.view_mut().unwrap()[[1, 1]] = 7;
    a.commit().unwrap();
    assert_eq!(place.bytes().unwrap(), [1, 2, 3, 7]);
}

#[test]
fn only_mode_r_is_not_writable() {
    for mode in [ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew, Append] {
        let place =
            if mode == CreateNew { Place::missing() } else { Place::of(&[1; 24]) };
        let mut a = open::<u32, _>(&MapOptions::new(mode).shape((2, 3)), &place).unwrap();
        assert_eq!(a.is_writable(), mode != ReadOnly);
        assert_eq!(a.view_mut().is_ok(), a.is_writable());
        assert_eq!(a.into_dyn().is_writable(), mode != ReadOnly);
    }
    let load = |mode: Mode| MapOptions::new(mode).load::<u8>(Place::of(&[1, 2])).unwrap();
    assert!(load(CopyOnWrite).is_writable() && !load(ReadOnly).is_writable());
}

#[test]
fn nbytes_counts_the_elements_and_not_the_bytes_between() {
    let place = Place::of(&[1; 64]);
    let a = open::<u32, _>(&MapOptions::new(ReadOnly).shape((2, 3)), &place).unwrap();
    assert_eq!((a.nbytes(), a.layout().byte_len()), (24, 24));
    let strided = MapOptions::new(ReadOnly).shape((2, 3).strides((8, 2)));
    let a = open::<u32, _>(&strided, &place).unwrap();
    assert_eq!((a.nbytes(), a.layout().byte_len()), (24, 4 * (8 + 4 + 1)));
    // With a stride of 0 an element counts at each of its indices, as in NumPy.
    let repeated = MapOptions::new(ReadOnly).shape((5, 3).strides((0, 1)));
    assert_eq!(open::<u32, _>(&repeated, &place).unwrap().nbytes(), 60);
    assert_eq!(MapOptions::scratch::<u64, _>((0, 3)).unwrap().nbytes(), 0);
    assert_eq!(MapOptions::scratch::<u64, _>(Ix0()).unwrap().nbytes(), 8);
    let mut a = open::<u8, _>(&MapOptions::new(ReadWrite).rows_of(8), &place).unwrap();
    a.append(Axis(0), &Array2::zeros((2, 8))).unwrap();
    assert_eq!(a.nbytes(), 80);
}

/// `SyncToDisk` is not in scope here.
#[test]
fn sync_needs_no_trait() {
    let place = Place::of(&[1, 2, 3]);
    let mut a = open::<u8, Ix1>(&MapOptions::new(ReadWrite), &place).unwrap();
    a.view_mut().unwrap()[0] = 9;
    let synced: ndarray_memmap::Result<()> = a.sync();
    synced.unwrap();
    assert_eq!(place.bytes().unwrap(), [9, 2, 3]);
    a.into_dyn().sync().unwrap();
    let private = open::<u8, Ix1>(&MapOptions::new(CopyOnWrite), &place).unwrap();
    assert!(matches!(private.sync().unwrap_err().kind(), ErrorKind::PrivateChanges));
    open::<u8, Ix1>(&MapOptions::new(ReadOnly), &place).unwrap().sync().unwrap();
}

#[test]
fn errors_convert_from_and_into_those_of_the_standard_library() {
    fn opened(path: &std::path::Path) -> io::Result<usize> {
        let a = MapOptions::new(ReadOnly).load::<u16>(path)?;
        Ok(a.len())
    }
    fn read(path: &std::path::Path) -> Result<usize, Error> {
        std::fs::metadata(path)?;
        Ok(opened(path)?)
    }
    let place = Place::of(&[1, 2, 3]);
    let error = opened(place.path()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let inner = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
    assert!(matches!(inner.kind(), ErrorKind::PartialElement { available: 3, size: 2 }));
    assert_eq!(inner.path(), Some(place.path()));
    // The way back returns the same error, with its path.
    let error = read(place.path()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::PartialElement { available: 3, size: 2 }));
    assert_eq!(error.path(), Some(place.path()));

    let error = read(Place::missing().path()).unwrap_err();
    let ErrorKind::Io { source, .. } = error.kind() else { panic!("{error:?}") };
    assert_eq!((source.kind(), error.path()), (io::ErrorKind::NotFound, None));
    assert_eq!(error.to_string(), format!("cannot use the file: {source}"));
    // An error of another library stays the source.
    let other = Error::from(io::Error::new(io::ErrorKind::TimedOut, "the disk sleeps"));
    assert_eq!(other.to_string(), "cannot use the file: the disk sleeps");
    let back = io::Error::from(other);
    assert_eq!(back.kind(), io::ErrorKind::TimedOut);
    assert_eq!(back.to_string(), "cannot use the file: the disk sleeps");
}
