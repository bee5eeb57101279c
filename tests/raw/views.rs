//! Views of bytes that the caller has mapped or read, made by `Layout` alone.

use std::fs::{self, File};

use memmap2::{Mmap, MmapMut};
use ndarray::{ArrayView1, Ix2, ShapeBuilder, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{Be, Error, ErrorKind, Layout, MapOptions, Mode};
use test_support::{Place, open};

fn map(place: &Place) -> Mmap {
    // SAFETY: nothing changes the file of the test while it is mapped.
    unsafe { Mmap::map(&File::open(place).unwrap()).unwrap() }
}

fn map_mut(place: &Place) -> MmapMut {
    // SAFETY: nothing else changes or maps the file of the test.
    unsafe { MmapMut::map_mut(&place.file()).unwrap() }
}

fn read_only() -> MapOptions {
    MapOptions::new(ReadOnly)
}

#[test]
fn a_file_mapped_by_memmap2_is_viewed_safely() {
    let start = [9, 9, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 7];
    let place = Place::of(&start);
    let bytes = map(&place);
    let options = read_only().offset(2).shape((2, 3).f());
    let layout = options.resolve::<Be<u16>>(bytes.len() as u64).unwrap();
    let view = {
        let only_for_the_view = layout;
        only_for_the_view.view::<Be<u16>>(&bytes).unwrap()
    };
    assert_eq!(view.mapv(Be::get), array![[1, 3, 5], [2, 4, 6]]);
    assert_eq!(bytes[..], start);
    place.assert_holds(&start);
}

#[test]
fn changes_through_a_view_of_mapped_bytes_reach_the_file() {
    let place = Place::of(&[1; 30]);
    let mut bytes = map_mut(&place);
    let options = MapOptions::new(ReadWrite).offset(4).shape((3, 2).strides((4, 1)));
    let layout = options.resolve::<u16>(30).unwrap();
    let mut view = layout.view_mut::<u16>(&mut bytes).unwrap();
    view.assign(&array![[1, 2], [3, 4], [5, 6]].mapv(u16::to_le));
    view.row_mut(1).mapv_inplace(|x| x.swap_bytes());
    bytes.flush().unwrap();
    drop(bytes);
    let mut expected = [1; 30];
    expected[4..8].copy_from_slice(&[1, 0, 2, 0]);
    expected[12..16].copy_from_slice(&[0, 3, 0, 4]);
    expected[20..24].copy_from_slice(&[5, 0, 6, 0]);
    place.assert_holds(&expected);
}

#[test]
fn one_layout_serves_many_files() {
    let layout = read_only().rows_of(2).resolve::<i8>(4).unwrap();
    for numbers in [[1, 2, 3, 4], [-1, -2, -3, -4_i8]] {
        let place = Place::of(&numbers.map(i8::cast_unsigned));
        let bytes = map(&place);
        let [a, b, c, d] = numbers;
        assert_eq!(layout.view::<i8>(&bytes).unwrap(), array![[a, b], [c, d]]);
    }
    assert_eq!(layout.clone(), layout);
    assert_ne!(read_only().rows_of(1).resolve::<i8>(4).unwrap(), layout);
}

#[test]
fn an_element_of_another_size_is_refused_and_one_of_the_same_size_is_not() {
    let layout = read_only().resolve::<u32>(8).unwrap();
    let mut memory = [0x3f80_0000_u32, 0x4000_0000];
    let bytes = bytemuck::bytes_of_mut(&mut memory);
    let error = layout.view::<u64>(bytes).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ElementSize { expected: 4, found: 8 }));
    let error = layout.view_mut::<u8>(bytes).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::ElementSize { expected: 4, found: 1 }));
    assert_eq!(layout.view::<f32>(bytes).unwrap(), array![1.0, 2.0]);
    layout.view_mut::<f32>(bytes).unwrap().fill(-1.0);
    assert_eq!(memory, [0xbf80_0000; 2]);
}

#[test]
fn bytes_that_end_early_are_refused() {
    let layout = read_only().offset(3).shape(5).resolve::<u8>(20).unwrap();
    let mut bytes = [7; 9];
    for len in 0..8 {
        for error in [
            layout.view::<u8>(&bytes[..len]).map(drop).unwrap_err(),
            layout.view_mut::<u8>(&mut bytes[..len]).map(drop).unwrap_err(),
        ] {
            match error.kind() {
                ErrorKind::FileTooShort { expected: 8, found } => {
                    assert_eq!(*found, len as u64)
                }
                error => panic!("{len}: {error}"),
            }
        }
    }
    layout.view_mut::<u8>(&mut bytes[..8]).unwrap().fill(0);
    assert_eq!(bytes, [7, 7, 7, 0, 0, 0, 0, 0, 7]);
    assert_eq!(layout.view::<u8>(&bytes).unwrap(), array![0, 0, 0, 0, 0]);
}

#[test]
fn bytes_at_an_odd_address_are_refused_for_types_that_cannot_lie_there() {
    let layout = read_only().offset(2).shape(2).resolve::<u16>(6).unwrap();
    let mut memory = [0_u16; 5];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
    let error = layout.view::<u16>(&bytes[1..]).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Misaligned { offset: 2, align: 2 }),
        "{error}"
    );
    let error = layout.view_mut::<u16>(&mut bytes[1..]).map(drop).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Misaligned { offset: 2, align: 2 }),
        "{error}"
    );
    assert_eq!(layout.view::<u16>(&bytes[2..]).unwrap(), array![0, 0]);
    layout.view_mut::<Be<u16>>(&mut bytes[1..]).unwrap().fill(Be::new(0x0102));
    assert_eq!(bytes, [0, 0, 0, 1, 2, 1, 2, 0, 0, 0]);
}

#[test]
fn invalid_elements_are_refused_by_their_index() {
    let layout = read_only().offset(1).shape((2, 2)).resolve::<bool>(5).unwrap();
    for (bytes, expected) in [
        ([9, 0, 1, 1, 0, 9], None),
        ([0, 2, 1, 1, 0, 0], Some(0)),
        ([0, 0, 1, 1, 255, 0], Some(3)),
    ] {
        let mut changed = bytes;
        for viewed in [
            layout.view::<bool>(&bytes).map(|view| view.to_owned()),
            layout.view_mut::<bool>(&mut changed).map(|view| view.to_owned()),
        ] {
            match (viewed.map_err(ndarray_memmap::Error::into_kind), expected) {
                (Ok(view), None) => {
                    assert_eq!(view, array![[false, true], [true, false]])
                }
                (Err(ErrorKind::InvalidElement { index }), Some(at)) => {
                    assert_eq!(index, at)
                }
                (viewed, _) => panic!("{viewed:?}"),
            }
        }
        assert_eq!(changed, bytes);
    }
}

#[test]
fn empty_layouts_are_viewed_in_as_many_bytes_as_their_offset() {
    for offset in [0, 1, 5] {
        let options = MapOptions::new(ReadWrite).offset(offset).shape((3, 0, 2));
        let layout = options.resolve::<u64>(5).unwrap();
        assert_eq!(
            (layout.byte_len(), layout.end(), layout.is_empty()),
            (0, offset, true)
        );
        let mut bytes = [1; 5];
        assert_eq!(layout.view::<u64>(&bytes).unwrap().shape(), [3, 0, 2]);
        let mut view = layout.view_mut::<u64>(&mut bytes).unwrap();
        view.fill(0);
        assert_eq!((view.shape(), view.sum()), (&[3, 0, 2][..], 0));
        assert_eq!(bytes, [1; 5]);
    }
}

#[test]
fn the_mode_decides_what_a_layout_may_need() {
    let resolve = |mode: Mode| -> Result<Layout<Ix2>, Error> {
        MapOptions::new(mode).offset(8).shape((3, 2)).resolve::<u32>(16)
    };
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let short = resolve(mode);
        assert!(matches!(
            short.as_ref().map_err(|e| e.kind()),
            Err(ErrorKind::FileTooShort { expected: 32, found: 16 })
        ));
    }
    assert_eq!(resolve(Create).unwrap().end(), 32);
    let growing = MapOptions::new(ReadWrite).offset(8).grow(true).shape((3, 2));
    assert_eq!(growing.resolve::<u32>(16).unwrap(), resolve(Create).unwrap());
    let error = resolve(Create).unwrap().view::<u32>(&[0; 16]).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::FileTooShort { expected: 32, found: 16 }));
}

#[test]
fn a_npy_file_is_no_file_of_raw_numbers() {
    let mut file = b"\x93NUMPY\x01\x00\x46\x00".to_vec();
    file.extend([b' '; 70]);
    let place = Place::missing();
    let path = place.folder().join("a.NPY");
    fs::write(&path, &file).unwrap();
    for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
        let error = open::<u16, _>(&MapOptions::new(mode), &path).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::NpyHeader), "{error}");
        // Bytes, no elements, and elements after an offset, may be mapped.
        assert_eq!(
            *open::<u8, _>(&MapOptions::new(mode), &path).unwrap(),
            *ArrayView1::from(&file)
        );
        assert_eq!(
            open::<u16, _>(&MapOptions::new(mode).shape(0), &path).unwrap().len(),
            0
        );
        assert_eq!(
            open::<u16, _>(&MapOptions::new(mode).offset(16), &path).unwrap().len(),
            32
        );
    }
    let error = MapOptions::new(ReadOnly).load::<f32>(&path).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NpyHeader), "{error}");
    assert_eq!(fs::read(&path).unwrap(), file);
    // Whatever its name, if it has no layout.
    let place = Place::of(&file[..75]);
    let error = open::<u16, _>(&MapOptions::new(ReadOnly), &place).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NpyHeader), "{error}");
}
