//! Raw files exchanged with NumPy: one side writes, the other reads the same bytes.
//!
//! `NUMPY_PYTHON` names a Python that has NumPy.

use std::fs;
use std::path::Path;

use bytemuck::{Pod, Zeroable, bytes_of, checked::pod_read_unaligned};
use ndarray::{ArrayView, Dimension};
use ndarray_memmap::{Be, Element, Le, MapOptions, MmapArrayD, Mode};
use serde_json::{Value, json};

use crate::case::Case;
use crate::elements::hex;
use crate::peer::Peer;

/// Offsets, also odd ones, within a page and beyond a page of 4 or 64 KiB.
const OFFSETS: [usize; 7] = [0, 1, 8, 4096, 4104, 65_536, 65_551];

/// Their number is prime, so that cycling through them combines each with all other values.
const SHAPES: [&[usize]; 11] = [
    &[],
    &[1],
    &[5],
    &[0],
    &[3, 4],
    &[4, 1],
    &[0, 3],
    &[2, 3, 4],
    &[3, 0, 2],
    &[2, 3, 2, 2],
    &[1, 7, 1, 2],
];

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn numpy_and_this_crate_read_each_others_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut peer = Peer::start(dir.path());
    let numpy = peer.ask(&json!({ "do": "version" }))["numpy"].take();

    every_type(&mut peer);
    let count = peer.count;
    peer.end();
    println!("{count} combinations agree with NumPy {}", numpy.as_str().unwrap());
}

#[rustfmt::skip]
fn every_type(peer: &mut Peer) {
    let native = |kind: &str| {
        json!(format!("{}{kind}", if cfg!(target_endian = "little") { '<' } else { '>' }))
    };

    every_way::<bool>(peer, &json!("|b1"));
    every_way::<i8>(peer, &json!("|i1"));
    every_way::<u8>(peer, &json!("|u1"));
    every_way::<[u8; 3]>(peer, &json!("|V3"));

    every_way::<i16>(peer, &native("i2"));
    every_way::<u16>(peer, &native("u2"));
    every_way::<i32>(peer, &native("i4"));
    every_way::<u32>(peer, &native("u4"));
    every_way::<i64>(peer, &native("i8"));
    every_way::<u64>(peer, &native("u8"));
    every_way::<f32>(peer, &native("f4"));
    every_way::<f64>(peer, &native("f8"));
    every_way::<[f32; 2]>(peer, &native("c8"));
    every_way::<[f64; 2]>(peer, &native("c16"));

    every_way::<Le<i16>>(peer, &json!("<i2"));
    every_way::<Be<i16>>(peer, &json!(">i2"));
    every_way::<Le<u16>>(peer, &json!("<u2"));
    every_way::<Be<u16>>(peer, &json!(">u2"));
    every_way::<Le<i32>>(peer, &json!("<i4"));
    every_way::<Be<i32>>(peer, &json!(">i4"));
    every_way::<Le<u32>>(peer, &json!("<u4"));
    every_way::<Be<u32>>(peer, &json!(">u4"));
    every_way::<Le<i64>>(peer, &json!("<i8"));
    every_way::<Be<i64>>(peer, &json!(">i8"));
    every_way::<Le<u64>>(peer, &json!("<u8"));
    every_way::<Be<u64>>(peer, &json!(">u8"));
    every_way::<Le<u16>>(peer, &json!("<f2"));
    every_way::<Be<u16>>(peer, &json!(">f2"));
    every_way::<Le<f32>>(peer, &json!("<f4"));
    every_way::<Be<f32>>(peer, &json!(">f4"));
    every_way::<Le<f64>>(peer, &json!("<f8"));
    every_way::<Be<f64>>(peer, &json!(">f8"));
    every_way::<[Le<f32>; 2]>(peer, &json!("<c8"));
    every_way::<[Be<f32>; 2]>(peer, &json!(">c8"));
    every_way::<[Le<f64>; 2]>(peer, &json!("<c16"));
    every_way::<[Be<f64>; 2]>(peer, &json!(">c16"));

    every_way::<Packed>(peer, &json!([["id", "<u4"], ["x", "<f8"], ["tag", "S3"]]));
    every_way::<Network>(peer, &json!([["x", ">f4", [2, 2]], ["flags", ">u2"]]));
    every_way::<Aligned>(peer, &json!([["x", native("f8")], ["i", native("i4"), [2]]]));

    #[cfg(feature = "half")]
    {
        every_way::<half::f16>(peer, &native("f2"));
        every_way::<Be<half::f16>>(peer, &json!(">f2"));
    }
    #[cfg(feature = "num-complex")]
    {
        every_way::<num_complex::Complex<f64>>(peer, &native("c16"));
        every_way::<num_complex::Complex<Be<f32>>>(peer, &json!(">c8"));
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Packed {
    id: Le<u32>,
    x: Le<f64>,
    tag: [u8; 3],
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Network {
    x: [[Be<f32>; 2]; 2],
    flags: Be<u16>,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Aligned {
    x: f64,
    i: [i32; 2],
}

fn every_way<A: Element>(peer: &mut Peer, dtype: &Value) {
    let ways = [
        numpy_creates::<A>,
        we_create::<A>,
        we_create_again::<A>,
        we_change::<A>,
        we_change_privately::<A>,
        numpy_changes::<A>,
        numpy_changes_privately::<A>,
        both_change_at_once::<A>,
    ];
    for offset in OFFSETS.into_iter().filter(|offset| offset % align_of::<A>() == 0) {
        for order in ['C', 'F'] {
            for way in ways {
                let shape = SHAPES[peer.count % SHAPES.len()];
                way(peer, &Case::new::<A>(dtype, order, offset, shape, peer.count));
                peer.count += 1;
            }
        }
        the_shape_comes_from_the_file::<A>(
            peer,
            &Case::new::<A>(dtype, 'C', offset, &[7], peer.count),
        );
        peer.count += 1;
    }
}

fn numpy_creates<A: Element>(peer: &mut Peer, case: &Case) {
    peer.open(case, "w+");
    peer.assign(&case.old);
    peer.close();
    assert_array::<A>(&case.open(&peer.path, Mode::ReadOnly), case, &case.old);
    let mut file = case.new_file(&case.old);
    if file.is_empty() {
        // NumPy cannot map an empty file, and writes one byte.
        file.push(0);
    }
    assert_file(&peer.path, case, &file);
}

fn we_create<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.new)).unwrap();
    we_fill(peer, case, case.open::<A>(&peer.path, Mode::Create), "r");
}

fn we_create_again<A: Element>(peer: &mut Peer, case: &Case) {
    fs::remove_file(&peer.path).unwrap();
    we_fill(peer, case, case.open::<A>(&peer.path, Mode::CreateNew), "c");
}

fn we_fill<A: Element>(peer: &mut Peer, case: &Case, ours: MmapArrayD<A>, mode: &str) {
    let mut ours = ours;
    let zeros = vec![0; case.old.len()];
    assert_array(&ours, case, &zeros);
    assign(&mut ours, &case.old);
    drop(ours);
    let file = case.new_file(&case.old);
    assert_file(&peer.path, case, &file);
    let theirs = peer.open(case, mode);
    if file.is_empty() {
        assert_eq!(theirs["error"], "ValueError: cannot mmap an empty file");
        return;
    }
    assert_eq!(theirs, case.answer(&case.old), "{case}");
    peer.close();
}

fn we_change<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.old)).unwrap();
    let mut ours = case.open::<A>(&peer.path, Mode::ReadWrite);
    assert_array(&ours, case, &case.old);
    assign(&mut ours, &case.new);
    ours.close().unwrap();
    assert_file(&peer.path, case, &case.file(&case.new));
    assert_eq!(peer.open(case, "r"), case.answer(&case.new), "{case}");
    peer.close();
}

fn we_change_privately<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.old)).unwrap();
    let mut ours = case.open::<A>(&peer.path, Mode::CopyOnWrite);
    assert_array(&ours, case, &case.old);
    assign(&mut ours, &case.new);
    assert_array(&ours, case, &case.new);
    assert_eq!(peer.open(case, "r"), case.answer(&case.old), "{case}");
    peer.close();
    drop(ours);
    assert_file(&peer.path, case, &case.file(&case.old));
}

fn numpy_changes<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.old)).unwrap();
    assert_eq!(peer.open(case, "r+"), case.answer(&case.old), "{case}");
    peer.assign(&case.new);
    assert_eq!(peer.flush(), case.answer(&case.new), "{case}");
    peer.close();
    assert_array::<A>(&case.open(&peer.path, Mode::ReadOnly), case, &case.new);
    assert_file(&peer.path, case, &case.file(&case.new));
}

fn numpy_changes_privately<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.old)).unwrap();
    peer.open(case, "c");
    peer.assign(&case.new);
    assert_array::<A>(&case.open(&peer.path, Mode::CopyOnWrite), case, &case.old);
    peer.close();
    assert_file(&peer.path, case, &case.file(&case.old));
}

/// Both sides map the file, and each sees the other's stores at once.
fn both_change_at_once<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.file(&case.old)).unwrap();
    let mut ours = case.open::<A>(&peer.path, Mode::ReadWrite);
    let reader = case.open::<A>(&peer.path, Mode::ReadOnly);
    assert_eq!(peer.open(case, "r+"), case.answer(&case.old), "{case}");

    assign(&mut ours, &case.new);
    assert_eq!(peer.look(), case.answer(&case.new), "{case}");
    assert_array(&reader, case, &case.new);

    peer.assign(&case.old);
    assert_array(&ours, case, &case.old);
    assert_array(&reader, case, &case.old);
    peer.close();
    assert_file(&peer.path, case, &case.file(&case.old));
}

fn the_shape_comes_from_the_file<A: Element>(peer: &mut Peer, case: &Case) {
    fs::write(&peer.path, case.new_file(&case.old)).unwrap();
    let theirs = peer.ask(&json!({
        "do": "open", "path": peer.path, "dtype": case.dtype, "mode": "r",
        "offset": case.offset, "shape": null, "order": "C",
    }));
    assert_eq!(theirs, case.answer(&case.old), "{case}");
    peer.close();
    let options = MapOptions::new(Mode::ReadOnly);
    let options = options.offset(case.offset.try_into().unwrap());
    // SAFETY: nothing changes the file while it is mapped.
    let ours = unsafe { options.open::<A>(&peer.path) }.unwrap();
    assert_eq!(ours.shape(), case.shape, "{case}");
    assert_eq!(bytes(ours.view()), case.old, "{case}");
}

#[track_caller]
fn assert_array<A: Element>(array: &MmapArrayD<A>, case: &Case, elements: &[u8]) {
    assert_eq!(array.shape(), case.shape, "{case}");
    assert_eq!(hex(&bytes(array.view())), hex(elements), "{case}");
}

#[track_caller]
fn assert_file(path: &Path, case: &Case, expected: &[u8]) {
    let found = fs::read(path).unwrap();
    assert_eq!(found.len(), expected.len(), "{case}");
    assert!(found == expected, "the files differ, for {case}");
}

fn bytes<A: Element, D: Dimension>(array: ArrayView<'_, A, D>) -> Vec<u8> {
    array.iter().flat_map(bytes_of).copied().collect()
}

fn assign<A: Element>(array: &mut MmapArrayD<A>, elements: &[u8]) {
    let mut view = array.view_mut().unwrap();
    for (to, from) in view.iter_mut().zip(elements.chunks(size_of::<A>())) {
        *to = pod_read_unaligned(from);
    }
}
