//! Opens arbitrary files in every safe mode, and compares the arrays with the files.
#![no_main]

mod spelled;

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ndarray_memmap::ndarray::IxDyn;
use ndarray_memmap::npy::{self, DType, DynArray, Header, Kind};
use ndarray_memmap::{Element, Error, ErrorKind, MmapArrayD, Mode, bytemuck};
use rustix::fs::{MemfdFlags, memfd_create};

/// A file in memory that every input is written to.
static FILE: LazyLock<File> = LazyLock::new(|| {
    memfd_create("input.npy", MemfdFlags::CLOEXEC).expect("Linux has them").into()
});

fuzz_target!(|input: &[u8]| {
    let bytes = spelled::file(input);
    let path = write(&bytes).expect("there is memory");

    let header = Header::read(&FILE);
    assert_eq!(header.as_ref().ok(), Header::parse(&bytes).ok().as_ref());
    let end = header.as_ref().ok().and_then(end);
    let is_whole = end.is_some_and(|end| end <= bytes.len() as u128);

    let [read, private] = [Mode::ReadOnly, Mode::CopyOnWrite].map(|mode| {
        // SAFETY: only this process uses the file, in one thread, and changes it only
        // when no array is alive.
        unsafe { DynArray::open(&path, mode) }
    });
    match (&header, read, private) {
        (Ok(header), Ok(read), Ok(private)) => {
            assert!(is_whole);
            assert_eq!(read.shape(), header.shape());
            let elements =
                &bytes[usize::try_from(header.data_offset()).expect("small")..];
            compare(&read, elements);
            compare(&private, elements);
            drop(read);
            change(private);
        }
        (header, Err(read), Err(private)) => {
            assert_eq!(read.to_string(), private.to_string());
            let refused = matches!(
                read.kind(),
                ErrorKind::InvalidElement { .. } | ErrorKind::TooLarge
            );
            let is_number = header.as_ref().is_ok_and(|header| is_number(header.dtype()));
            assert!(!is_number || !is_whole || refused, "{read}: {header:?}");
        }
        (_, read, private) => panic!("{read:?} to read, {private:?} to change"),
    }
    load(&path, &bytes, &header);
    // The file is unchanged.
    assert_eq!(std::fs::read(&path).expect("it is there"), bytes);
});

fn write(bytes: &[u8]) -> std::io::Result<PathBuf> {
    let mut file = &*FILE;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(bytes)?;
    Ok(format!("/proc/self/fd/{}", file.as_raw_fd()).into())
}

/// Copies arrays of `f64`, which may lie at any offset.
fn load(path: &Path, bytes: &[u8], header: &Result<Header, Error>) {
    match (npy::load::<f64, IxDyn>(path), header) {
        (Ok(array), Ok(header)) => {
            assert_eq!(header.dtype().to_string(), "<f8");
            let elements =
                &bytes[usize::try_from(header.data_offset()).expect("small")..];
            same_bytes(&array, elements);
        }
        (Err(_), _) => {}
        (loaded, header) => panic!("{loaded:?} loaded, but {header:?}"),
    }
}

/// Computes the end of the array with wider numbers.
fn end(header: &Header) -> Option<u128> {
    let size = u128::try_from(header.dtype().size()).ok();
    let shape = header.shape().iter();
    let len = if header.shape().contains(&0) {
        Some(0)
    } else {
        shape.fold(size, |size, &len| size?.checked_mul(len as u128))
    };
    len?.checked_add(header.data_offset().into())
}

/// Returns whether `DynArray` has a variant for a type.
fn is_number(dtype: &DType) -> bool {
    let DType::Scalar(scalar) = dtype else { return false };
    match scalar.kind {
        Kind::Bool | Kind::Int | Kind::Uint => true,
        Kind::Float => matches!(scalar.size, 2 | 4 | 8),
        Kind::Complex => matches!(scalar.size, 8 | 16),
        _ => false,
    }
}

macro_rules! on_any {
    ($array:expr, $name:ident => $run:expr) => {
        match $array {
            DynArray::Bool($name) => $run,
            DynArray::C64($name) => $run,
            DynArray::C128($name) => $run,
            DynArray::BeC64($name) => $run,
            DynArray::BeC128($name) => $run,
            DynArray::LeC64($name) => $run,
            DynArray::LeC128($name) => $run,
            real => npy::match_real!(real, $name => $run, else => panic!("a new variant")),
        }
    };
}

/// Compares every element.
fn compare(array: &DynArray, elements: &[u8]) {
    on_any!(array, array => same_bytes(array, elements));
}

/// Changes a private copy.
fn change(array: DynArray) {
    on_any!(array, array => change_elements(array));
}

fn change_elements<A: Element>(mut array: MmapArrayD<A>) {
    array.view_mut().expect("copies can be changed").fill(A::zeroed());
    same_bytes(&array, &vec![0; array.len() * size_of::<A>()]);
}

fn same_bytes<A: Element>(array: &MmapArrayD<A>, elements: &[u8]) {
    let found = array.as_slice_memory_order().expect("files are in C or Fortran order");
    let found = found.iter().flat_map(|element| bytemuck::bytes_of(element));
    assert!(found.eq(elements.iter().take(array.len() * size_of::<A>())));
    assert_eq!(array.iter().count(), array.len());
}
