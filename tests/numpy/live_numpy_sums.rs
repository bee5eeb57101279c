//! Sums, means and extremes of mapped files, compared with those of NumPy.

use std::fmt::Debug;
use std::fs;

use bytemuck::cast_slice;
use ndarray::{Axis, Ix3, ShapeBuilder};
use ndarray_memmap::{Be, Element, MapOptions, Mode, Reduce, Reductions};
use serde_json::{Value, json};

use crate::peer::Peer;

const SHAPE: [usize; 3] = [5, 4, 6];

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn sums_and_extremes_are_those_of_numpy() {
    let dir = tempfile::tempdir().unwrap();
    let mut peer = Peer::start(dir.path());
    every_type(&mut peer);
    println!("{} reductions agree with NumPy", peer.count);
    peer.end();
}

fn every_type(peer: &mut Peer) {
    macro_rules! integers {
        ($($T:ty: $code:literal),*) => {$(
            compare::<$T>(peer, &native($code), &[<$T>::MAX, <$T>::MAX, 7, <$T>::MIN]);
            compare::<$T>(peer, &native($code), &[<$T>::MIN, <$T>::MIN, 3]);
            let swapped = [<$T>::MAX, <$T>::MIN, 100, 11, 1].map(Be::new);
            compare::<Be<$T>>(peer, concat!(">", $code), &swapped);
        )*};
    }
    integers!(i8: "i1", u8: "u1", i16: "i2", u16: "u2", i32: "i4", u32: "u4", i64: "i8", u64: "u8");
    compare::<bool>(peer, "|b1", &[true, false, true]);
    compare::<bool>(peer, "|b1", &[false]);

    macro_rules! floats {
        ($($T:ty: $code:literal, $float:expr);*) => {$(
            for values in FLOATS {
                let values: Vec<$T> = values.iter().copied().map($float).collect();
                compare(peer, &native($code), &values);
                let swapped: Vec<_> = values.iter().copied().map(Be::new).collect();
                compare(peer, concat!(">", $code), &swapped);
            }
        )*};
    }
    floats!(f32: "f4", |x| x; f64: "f8", f64::from);
    #[cfg(feature = "half")]
    floats!(half::f16: "f2", half::f16::from_f32);

    #[cfg(feature = "num-complex")]
    for values in FLOATS {
        use num_complex::Complex;

        let pair = |i: usize| {
            let part = |i: usize| f64::from(values[i % values.len()]);
            Complex::new(part(i / 2), part(i * i + 1))
        };
        compare(peer, &native("c16"), &(0..60).map(pair).collect::<Vec<_>>());
    }
}

/// Numbers that a narrow sum loses, and NaN and infinities at some places.
const FLOATS: [&[f32]; 7] = [
    &[65_000.0, 0.1, -3.75, 65_504.0, 1e-3, 65_504.0, 60_000.0],
    &[1.0, f32::NAN, 3.0],
    &[f32::NAN],
    &[f32::NEG_INFINITY],
    &[f32::INFINITY, 1.0, 2.0, f32::NEG_INFINITY, 5.0, 6.0, 7.0],
    &[-0.0],
    &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, f32::NAN, 11.0, f32::INFINITY],
];

fn native(code: &str) -> String {
    format!("{}{code}", if cfg!(target_endian = "little") { '<' } else { '>' })
}

/// Compares all reductions of an array that repeats `values`, in both orders.
fn compare<A: Element + Reduce>(peer: &mut Peer, dtype: &str, values: &[A]) {
    let elements: Vec<A> = values.iter().copied().cycle().take(120).collect();
    fs::write(&peer.path, cast_slice::<A, u8>(&elements)).unwrap();
    for (order, fortran) in [("C", false), ("F", true)] {
        peer.ask(&json!({
            "do": "open", "path": peer.path, "dtype": dtype, "mode": "r", "offset": 0,
            "shape": SHAPE, "order": order,
        }));
        let theirs = peer.ask(&json!({ "do": "reduce" }));
        let options = MapOptions::new(Mode::ReadOnly).shape(Ix3(5, 4, 6).set_f(fortran));
        // SAFETY: NumPy only reads the file.
        let a = unsafe { options.open::<A>(&peer.path) }.unwrap();
        let mut check = |name: &str, ours: &dyn Debug, theirs: &Value| {
            let ours = format!("{ours:?}");
            let found = parts(&ours);
            let expected = parts(theirs.as_str().unwrap());
            let agree = found.len() == expected.len()
                && found
                    .iter()
                    .zip(&expected)
                    .all(|(found, expected)| agree(found, expected));
            assert!(
                agree,
                "{name} of {dtype} in {order} order: {found:?}, not {expected:?}"
            );
            peer.count += 1;
        };
        check("sum", &a.wide_sum(), &theirs["sum"]);
        check("mean", &a.wide_mean(), &theirs["mean"]);
        check("maximum", &a.maximum().unwrap(), &theirs["max"]);
        check("minimum", &a.minimum().unwrap(), &theirs["min"]);
        for axis in 0..3 {
            let (sums, means) =
                (a.wide_sum_axis(Axis(axis)), a.wide_mean_axis(Axis(axis)));
            for (i, (sum, mean)) in sums.iter().zip(&means).enumerate() {
                check("axis sum", sum, &theirs["sums"][axis][i]);
                check("axis mean", mean, &theirs["means"][axis][i]);
            }
        }
    }
}

/// Splits the text of a number into the text of its parts.
fn parts(text: &str) -> Vec<&str> {
    let words = text.split([' ', ',', '{', '}', '(', ')']);
    words
        .filter(|word| word.parse::<f64>().is_ok() || word.parse::<bool>().is_ok())
        .collect()
}

/// Compares integers exactly, and floats up to rounding.
fn agree(found: &str, expected: &str) -> bool {
    if found == expected {
        return true;
    }
    let is_exact =
        |text: &str| text.parse::<f64>().is_err() || text.parse::<i128>().is_ok();
    if is_exact(found) || is_exact(expected) {
        return false;
    }
    let [found, expected] = [found, expected].map(|text| text.parse::<f64>().unwrap());
    let is_same = found.is_nan() && expected.is_nan() || found == expected;
    is_same || (found - expected).abs() <= 1e-12 * expected.abs()
}
