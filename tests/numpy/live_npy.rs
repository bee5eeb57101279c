//! `.npy` files exchanged with NumPy: headers, and files in both directions.
//!
//! `NUMPY_PYTHON` names a Python that has NumPy.

use std::fs::{self, File};
use std::path::Path;

use crate::elements::{hex, noise};
use bytemuck::{Pod, Zeroable, bytes_of, checked::pod_read_unaligned};
use ndarray::{ArrayD, Axis, IxDyn, ShapeBuilder};
use ndarray_memmap::npy::{self, DType, Header, NpyElement, Options, Version};
use ndarray_memmap::{Be, Le, MmapArrayD, Mode};
use serde_json::{Value, json};
use test_support::{npy_common, python::Python};

/// Their number is prime, so that cycling through versions combines each with all shapes.
const SHAPES: [&[usize]; 7] =
    [&[], &[5], &[0], &[3, 4], &[2, 3, 4], &[3, 0, 2], &[2, 1, 3, 2, 2]];

const VERSIONS: [Option<Version>; 4] =
    [None, Some(Version::V1), Some(Version::V2), Some(Version::V3)];

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn numpy_and_this_crate_read_each_others_npy_files() {
    let mut peer = start();
    let numpy = peer.ask(&json!({ "do": "version" }))["numpy"].take();
    let dir = tempfile::tempdir().unwrap();
    let mut files = Files { peer: &mut peer, dir: dir.path(), count: 0 };
    every_type(&mut files);
    let count = files.count;
    peer.end();
    println!("{count} .npy files agree with NumPy {}", numpy.as_str().unwrap());
}

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn numpy_and_this_crate_agree_on_2000_headers_but_for_the_classes_listed() {
    let mut peer = start();
    let (read, refused) = crate::npy_headers::compare(&mut peer, 2000, 1);
    crate::npy_headers::check_classes(&mut peer);
    peer.end();
    println!("{read} headers are read and {refused} refused by NumPy too");
    assert!(read > 1000 && refused > 500);
}

/// Lets both sides append to the same file in turn, and both load it after each append.
#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn files_grow_here_and_by_npy_append_array_in_turn() {
    let mut peer = start();
    let dir = tempfile::tempdir().unwrap();
    let mut count = 0;
    for descr in ["<f4", ">i8", "|b1", "<u2"] {
        for (shape, order) in
            [(&[2, 3][..], 'C'), (&[3, 2], 'F'), (&[2], 'C'), (&[2, 1, 2], 'C')]
        {
            for made_here in [false, true] {
                let path = dir.path().join("grown.npy");
                let mut grown = Grown { peer: &mut peer, path, descr, order };
                match descr {
                    "<f4" => grown.run::<f32>(shape, made_here),
                    ">i8" => grown.run::<Be<i64>>(shape, made_here),
                    "|b1" => grown.run::<bool>(shape, made_here),
                    _ => grown.run::<u16>(shape, made_here),
                }
                count += 1;
            }
        }
    }
    peer.end();
    println!("{count} files grown in turn by npy-append-array and by this crate");
}

/// A file to which both sides append.
struct Grown<'a> {
    peer: &'a mut Python,
    path: std::path::PathBuf,
    descr: &'static str,
    order: char,
}

impl Grown<'_> {
    fn run<A: NpyElement>(&mut self, shape: &[usize], made_here: bool) {
        let axis = Axis(if self.order == 'F' { shape.len() - 1 } else { 0 });
        let mut all = Vec::new();
        let _ = fs::remove_file(&self.path);
        for turn in 0..12_u8 {
            // Lengths of one to three digits; not one row, which is in both orders.
            let rows = if turn == 9 { 90 } else { 2 + usize::from(turn) };
            let mut shape = shape.to_vec();
            shape[axis.index()] = rows;
            let len = shape.iter().product::<usize>() * size_of::<A>();
            let bits = (0..=u8::MAX).cycle().map(|i| (i ^ turn) & 1);
            let bytes: Vec<u8> = bits.take(len).collect();
            if (turn % 2 == 0) == made_here {
                self.append::<A>(axis, &shape, &bytes);
            } else {
                self.append_there(&shape, &bytes);
            }
            // In the order of the file, rows follow each other.
            all.extend(self.in_file_order(&shape, size_of::<A>(), bytes));
            self.assert_holds::<A>(&all);
        }
    }

    fn append<A: NpyElement>(&self, axis: Axis, shape: &[usize], bytes: &[u8]) {
        if !self.path.exists() {
            let mut empty = shape.to_vec();
            empty[axis.index()] = 0;
            let options = Options::new(Mode::Create)
                .order(test_support::memory_order(self.order == 'F'));
            let dim = IxDyn(&empty).set_f(self.order == 'F');
            let a: MmapArrayD<A> = npy_common::create(&options, &self.path, dim).unwrap();
            a.close().unwrap();
        }
        let elements: Vec<A> =
            bytes.chunks_exact(size_of::<A>()).map(pod_read_unaligned).collect();
        let rows = ArrayD::from_shape_vec(IxDyn(shape), elements).unwrap();
        let options = Options::new(Mode::ReadWrite);
        let mut a: MmapArrayD<A> = npy_common::open(&options, &self.path).unwrap();
        for row in rows.axis_iter(axis) {
            a.push(axis, &row).unwrap();
        }
        a.close().unwrap();
    }

    fn append_there(&mut self, shape: &[usize], bytes: &[u8]) {
        let answer = self.peer.ask(&json!({
            "do": "grow", "path": self.path, "descr": self.descr, "shape": shape,
            "order": self.order.to_string(), "hex": hex(bytes),
        }));
        assert_eq!(answer, json!({}));
    }

    /// Converts elements from C order to the order of the file.
    fn in_file_order(&self, shape: &[usize], size: usize, bytes: Vec<u8>) -> Vec<u8> {
        if self.order == 'C' {
            return bytes;
        }
        let elements: Vec<&[u8]> = bytes.chunks_exact(size).collect();
        let elements = ArrayD::from_shape_vec(IxDyn(shape), elements).unwrap();
        elements.t().iter().flat_map(|element| element.to_vec()).collect()
    }

    fn assert_holds<A: NpyElement>(&mut self, all: &[u8]) {
        let file = fs::read(&self.path).unwrap();
        let header = Header::parse(&file).unwrap();
        let start = usize::try_from(header.data_offset()).unwrap();
        assert_eq!(header.fortran_order(), self.order == 'F');
        assert_eq!(file[start..], *all, "{} {}", self.descr, self.order);
        let a: MmapArrayD<A> = npy_common::read(&self.path).unwrap();
        assert_eq!(a.shape(), header.shape());
        let load = json!({ "do": "load", "path": self.path, "mapped": true });
        let answer = self.peer.ask(&load);
        assert_eq!(answer["shape"], json!(header.shape()));
        let there: Vec<u8> = a.iter().flat_map(bytes_of_element).collect();
        assert_eq!(answer["hex"], hex(&there));
    }
}

fn bytes_of_element<A: NpyElement>(element: &A) -> Vec<u8> {
    bytemuck::bytes_of(element).to_vec()
}

fn start() -> Python {
    Python::start(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/numpy/npy_peer.py"))
}

/// Defines an element type for a NumPy type that Rust does not have.
macro_rules! named {
    ($($Type:ident($bytes:ty) = $descr:literal;)*) => {$(
        #[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
        #[repr(transparent)]
        struct $Type($bytes);

        impl NpyElement for $Type {
            fn dtype() -> DType {
                $descr.parse().unwrap()
            }
        }
    )*};
}

named! {
    Nanoseconds(Le<i64>) = "<M8[ns]";
    Quarters(Be<i64>) = ">M8[3M]";
    Span(Le<i64>) = "<m8[25us]";
    Timeless(Le<i64>) = "<m8";
    Text([u8; 20]) = "<U5";
    BigText([u8; 12]) = ">U3";
    Raw([u8; 7]) = "|V7";
    Quadruple([u8; 16]) = "<f16";
    LittleHalf([u8; 2]) = "<f2";
    BigHalf([u8; 2]) = ">f2";
    LittleComplex([u8; 8]) = "<c8";
    BigComplex([u8; 16]) = ">c16";
    Titled([u8; 9]) = "[(('a title', 'e\u{301}'), '<f8'), (('π', \"it's\"), '|u1')]";
    Deep([u8; 22]) =
        "[('a', [('b', [('c', '>i2', (2, 2)), ('', '|V1')], (2,)), ('d', '<f4')])]";
}

#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
struct Particle {
    x: Le<f64>,
    id: Be<u32>,
    flags: [u8; 2],
    hole: [u8; 2],
    at: [[Le<f32>; 2]; 3],
}
npy::record!(Particle { x: Le<f64>, id as "particle µ": Be<u32>, flags: [u8; 2], at: [[Le<f32>; 2]; 3] });

#[rustfmt::skip]
fn every_type(files: &mut Files) {
    const WHOLE: &[u8] = &[255];
    files.every_way::<bool>(&[1]);
    files.every_way::<i8>(WHOLE);
    files.every_way::<u8>(WHOLE);
    files.every_way::<Le<i16>>(WHOLE);
    files.every_way::<Be<u16>>(WHOLE);
    files.every_way::<Be<i32>>(WHOLE);
    files.every_way::<Le<u32>>(WHOLE);
    files.every_way::<Le<i64>>(WHOLE);
    files.every_way::<Be<u64>>(WHOLE);
    files.every_way::<Le<f32>>(WHOLE);
    files.every_way::<Be<f32>>(WHOLE);
    files.every_way::<Le<f64>>(WHOLE);
    files.every_way::<Be<f64>>(WHOLE);
    files.every_way::<LittleHalf>(WHOLE);
    files.every_way::<BigHalf>(WHOLE);
    files.every_way::<LittleComplex>(WHOLE);
    files.every_way::<BigComplex>(WHOLE);
    files.every_way::<[u8; 5]>(WHOLE);
    files.every_way::<Raw>(WHOLE);
    files.every_way::<Nanoseconds>(WHOLE);
    files.every_way::<Quarters>(WHOLE);
    files.every_way::<Span>(WHOLE);
    files.every_way::<Timeless>(WHOLE);
    files.every_way::<Text>(&[255, 0, 0, 0]);
    files.every_way::<BigText>(&[0, 0, 0, 255]);
    // NumPy does not copy padding.
    files.every_way::<Particle>(&[[255; 14].as_slice(), &[0; 2], &[255; 24]].concat());
    files.every_way::<Deep>(&[[255; 8].as_slice(), &[0], &[255; 8], &[0], &[255; 4]].concat());
    files.every_way::<Titled>(WHOLE);
    if cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        // Ten of the sixteen bytes hold the number.
        files.every_way::<Quadruple>(&[[255; 10].as_slice(), &[0; 6]].concat());
    }

    #[cfg(feature = "half")]
    files.every_way::<Be<half::f16>>(WHOLE);
    #[cfg(feature = "num-complex")]
    files.every_way::<num_complex::Complex<Le<f64>>>(WHOLE);
}

/// The peer, and a folder for files.
struct Files<'a> {
    peer: &'a mut Python,
    dir: &'a Path,
    count: usize,
}

/// One array in one file.
struct Case {
    shape: &'static [usize],
    is_fortran: bool,
    version: Option<Version>,
    /// The elements in C order.
    elements: Vec<u8>,
}

impl Files<'_> {
    /// Tests every shape and version. `mask`, repeated, has the bits that may have any value.
    fn every_way<A: NpyElement + PartialEq>(&mut self, mask: &[u8]) {
        for (shape, is_fortran) in
            SHAPES.into_iter().flat_map(|s| [(s, false), (s, true)])
        {
            for is_mapped in [false, true] {
                self.count += 1;
                let version = VERSIONS[self.count / 2 % 4];
                // Older versions cannot encode all names.
                let fits = Header::new(
                    A::dtype(),
                    shape,
                    test_support::memory_order(is_fortran),
                )
                .unwrap();
                let version = version.filter(|v| fits.clone().with_version(*v).is_ok());
                let len = shape.iter().product::<usize>() * size_of::<A>();
                let noise = noise(self.count, len).into_iter().zip(mask.iter().cycle());
                let elements = noise.map(|(byte, mask)| byte & mask).collect();
                let case = Case { shape, is_fortran, version, elements };
                let theirs = self.numpy_writes::<A>(&case, is_mapped);
                let ours = self.we_write::<A>(&case, is_mapped);
                if is_mapped {
                    assert!(theirs == ours, "{} {shape:?}: the files differ", A::dtype());
                }
            }
        }
    }

    fn numpy_writes<A: NpyElement + PartialEq>(
        &mut self,
        case: &Case,
        is_mapped: bool,
    ) -> Vec<u8> {
        let Case { shape, is_fortran, version, elements } = case;
        let path = self.dir.join("theirs.npy");
        self.peer.ask(&json!({
            "do": "create", "path": path, "mapped": is_mapped, "shape": shape,
            "descr": A::dtype().to_string(), "order": if *is_fortran { "F" } else { "C" },
            "version": version.map(|version| [major(version), 0]), "hex": hex(elements),
        }));
        let header = Header::read(&File::open(&path).unwrap()).unwrap();
        // NumPy saves arrays that are in both orders as C order.
        let both =
            shape.contains(&0) || shape.iter().filter(|&&length| length > 1).count() < 2;
        let is_fortran = *is_fortran && (is_mapped || !both);
        let mut expected =
            Header::new(A::dtype(), shape, test_support::memory_order(is_fortran))
                .unwrap();
        if let Some(version) = version {
            expected = expected.with_version(*version).unwrap();
        }
        assert_eq!(header, expected);

        let array = npy_common::open(&Options::new(Mode::ReadWrite), &path).unwrap();
        assert_array::<A>(&array, case);
        drop(array);
        assert_array::<A>(&npy::load(&path).unwrap(), case);
        fs::read(path).unwrap()
    }

    fn we_write<A: NpyElement + PartialEq>(
        &mut self,
        case: &Case,
        is_mapped: bool,
    ) -> Vec<u8> {
        let Case { shape, is_fortran, version, elements } = case;
        let path = self.dir.join("ours.npy");
        let mut options =
            Options::new(Mode::Create).order(test_support::memory_order(*is_fortran));
        if let Some(version) = version {
            options = options.version(*version);
        }
        let mut array =
            npy_common::create::<A, _>(&options, &path, IxDyn(shape)).unwrap();
        let mut view = array.view_mut().unwrap();
        for (to, from) in view.iter_mut().zip(elements.chunks(size_of::<A>())) {
            *to = pod_read_unaligned(from);
        }
        assert_array(&array, case);
        array.close().unwrap();
        let header = Header::read(&File::open(&path).unwrap()).unwrap();
        assert!(version.is_none_or(|version| header.version() == version));

        let answer =
            self.peer.ask(&json!({ "do": "load", "path": path, "mapped": is_mapped }));
        let expected: Value = json!({
            "shape": shape, "descr": A::dtype().to_string(), "fortran_order": is_fortran,
            "version": major(header.version()), "hex": hex(elements),
        });
        assert_eq!(answer, expected);
        fs::read(path).unwrap()
    }
}

#[track_caller]
fn assert_array<A: NpyElement>(array: &MmapArrayD<A>, case: &Case) {
    assert_eq!(array.shape(), case.shape);
    let elements: Vec<u8> = array.iter().flat_map(bytes_of).copied().collect();
    assert_eq!(hex(&elements), hex(&case.elements), "{} {:?}", A::dtype(), case.shape);
}

fn major(version: Version) -> u8 {
    match version {
        Version::V1 => 1,
        Version::V2 => 2,
        Version::V3 => 3,
    }
}
