//! The rows of the section "Using" of the chapter for NumPy users.
#![expect(
    clippy::cast_possible_truncation,
    reason = "NumPy's sums wrap around at 64 bits"
)]

use std::fs;

use ndarray::{ArrayD, ArrayRef, Axis, Ix2, IxDyn, Slice, s};
use ndarray_memmap::npy;
use ndarray_memmap::{Be, Mode, Reductions};
use serde_json::{Value, json};

use crate::hard_inputs::{Hard, SHAPES, all, each, floats, integers, scale, small};
use crate::table::{Live, Outcome, Row, array, o, panics, scalar, shown};

const OVERFLOW_PANICS: bool = cfg!(debug_assertions);

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("`a[10]`, `a[1:3, ::2]`", |l| {
        all!(l, &[&[12]], a => { l.same(0, scalar(a[10])); });
        all!(l, &[&[], &[0], &[10]], a => { l.panics(&l.code(0), "IndexError", || a[10]); });
        all!(l, &[&[4, 3], &[3, 1], &[3, 0]], a => {
            let a = a.into_dimensionality::<Ix2>()?;
            l.same(1, array(&a.slice(s![1..3, ..;2])));
        });
        all!(l, &[&[0, 3], &[2, 6]], a => {
            let a = a.into_dimensionality::<Ix2>()?;
            let shorter = a.slice_axis(Axis(0), Slice::from(1.min(a.nrows())..));
            l.same(1, array(&shorter.slice(s![.., ..;2])));
            l.check(panics(|| a.slice(s![1..3, ..;2]).len()), true);
        });
        Ok(())
    }),
    ("`a[10] = 1.0`", |l| {
        each!(l, [f64, f32], &[&[12]], a => { a.view_mut()?[10] = 1.0; l.same(0, array(&a)); });
        all!(l, &[&[12]], a => { let one = small(&a, 1); a.view_mut()?[10] = one; l.same(0, array(&a)); });
        all!(l, &[&[], &[0], &[10]], a => {
            let one = small(&a, 1);
            let mut view = a.view_mut()?;
            l.panics(&l.code(0), "IndexError", || view[10] = one);
        });
        read_only(l, 0)
    }),
    ("`a[:] = b`", |l| {
        all!(l, SHAPES, a => {
            let b = a.mapv(|x| if x.approximate().is_nan() { x } else { small(&a, 1) });
            l.run("b = np.array(a); b[b == b] = 1");
            a.view_mut()?.assign(&b);
            if a.ndim() == 0 {
                l.raises(&l.code(0), "IndexError");
                l.same_as("a[...] = b", array(&a));
            } else {
                l.same(0, array(&a));
            }
        });
        all!(l, &[&[4, 3], &[0, 3]], a => {
            l.run("b = np.ones(3, a.dtype)");
            let ones = [small(&a, 1); 3];
            a.view_mut()?.assign(&ndarray::arr1(&ones));
            l.same(0, array(&a));
            l.run("b = np.ones(2, a.dtype)");
            let (b, mut view) = (ndarray::arr1(&[small(&a, 1); 2]), a.view_mut()?);
            l.panics(&l.code(0), "ValueError", || view.assign(&b));
        });
        l.run("b = 1");
        read_only(l, 0)
    }),
    ("`a += 1`", |l| {
        each!(l, [f64, f32], SHAPES, a => { *a.view_mut()? += 1.0; l.same(0, array(&a)); });
        each!(l, [Be<f64>, Be<f32>], SHAPES, a => { *a.view_mut()? += Be::new(1.0); l.same(0, array(&a)); });
        #[cfg(feature = "half")]
        {
            use half::f16;
            each!(l, [f16], SHAPES, a => { a.view_mut()?.mapv_inplace(|x| x + f16::ONE); l.same(0, array(&a)); });
        }
        each!(l, [i64, u64, u8], SHAPES, a => {
            let expected = a.mapv(|x| x.wrapping_add(1));
            let overflows = a.iter().any(|x| x.checked_add(1).is_none());
            l.same(0, array(&expected));
            let panicked = panics(|| *a.view_mut().unwrap() += 1);
            l.check(panicked, overflows && OVERFLOW_PANICS);
            if !panicked { l.check(array(&a), array(&expected)); }
        });
        each!(l, [bool], SHAPES, a => { let _ = a; l.raises(&l.code(0), "UFuncTypeError"); });
        read_only(l, 0)
    }),
    ("`a.sum(dtype='f8')` of floats, `a.sum()` of integers and of `bool`", |l| {
        floats!(l, SHAPES, a => { l.close(0, scalar(a.wide_sum()), 1e-14 * scale(&a)); });
        each!(l, [bool], SHAPES, a => { l.same(1, scalar(i64::try_from(a.wide_sum())?)); });
        each!(l, [i64, Be<i64>], SHAPES, a => {
            let sum = a.wide_sum();
            l.same(1, scalar(sum as i64));
            l.same_as("str(sum(a.ravel().tolist()))", json!(sum.to_string()));
        });
        each!(l, [u64, Be<u64>, u8], SHAPES, a => {
            let sum = a.wide_sum();
            l.same(1, scalar(sum as u64));
            l.same_as("str(sum(a.ravel().tolist()))", json!(sum.to_string()));
        });
        Ok(())
    }),
    ("`a.mean(dtype='f8')`, `a.mean()` of integers and of `bool`", |l| {
        floats!(l, SHAPES, a => { l.close(0, scalar(a.wide_mean()), 1e-14 * scale(&a)); });
        integers!(l, SHAPES, a => { l.close(1, scalar(a.wide_mean()), 1e-14 * scale(&a)); });
        each!(l, [bool], SHAPES, a => { l.close(1, scalar(a.wide_mean()), 1e-14); });
        Ok(())
    }),
    ("`a.sum(axis=0)`, `a.mean(axis=0)` of integers and of `bool`, and of floats with `dtype='f8'`", |l| {
        let wide = |code: String| code.replace(")", ", dtype='f8')");
        floats!(l, &SHAPES[1..], a => {
            l.close_to(&wide(l.code(0)), array(&a.wide_sum_axis(Axis(0))), 1e-14 * scale(&a));
            l.close_to(&wide(l.code(1)), array(&a.wide_mean_axis(Axis(0))), 1e-14 * scale(&a));
        });
        each!(l, [i64, Be<i64>, bool], &SHAPES[1..], a => {
            let sums = a.wide_sum_axis(Axis(0));
            l.same(0, array(&sums.mapv(|sum| sum as i64)));
        });
        each!(l, [u64, Be<u64>, u8], &SHAPES[1..], a => {
            let sums = a.wide_sum_axis(Axis(0));
            l.same(0, array(&sums.mapv(|sum| sum as u64)));
        });
        integers!(l, &SHAPES[1..], a => { l.close(1, array(&a.wide_mean_axis(Axis(0))), 1e-14 * scale(&a)); });
        all!(l, &[&[]], a => {
            l.check(panics(|| a.wide_sum_axis(Axis(0))), true);
            l.same_as("a.sum(axis=0).shape", json!([]));
        });
        Ok(())
    }),
    ("`a.max()`, `a.min()`", |l| {
        all!(l, SHAPES, a => {
            if a.is_empty() {
                l.check((a.maximum(), a.minimum()), (None, None));
                l.raises(&l.code(0), "ValueError");
            } else {
                l.same(0, scalar(a.maximum().unwrap()));
                l.same(1, scalar(a.minimum().unwrap()));
            }
        });
        Ok(())
    }),
    ("`a.max(axis=0)`", |l| {
        all!(l, &SHAPES[1..], a => {
            let found = a.map_axis(Axis(0), |lane| lane.maximum());
            if a.len_of(Axis(0)) == 0 {
                l.check(found.iter().all(Option::is_none), true);
                l.raises(&l.code(0), "ValueError");
            } else {
                l.same(0, array(&found.mapv(|maximum| maximum.unwrap())));
            }
        });
        all!(l, &[&[]], a => {
            l.check(panics(|| a.map_axis(Axis(0), |lane| lane.maximum())), true);
            l.same_as("a.max(axis=0).shape", json!([]));
        });
        Ok(())
    }),
    ("`np.nanmax(a)`", |l| {
        macro_rules! largest { ($A:ty, $a:ident => $largest:expr) => {
            each!(l, [$A], SHAPES, $a => {
                match $largest {
                    Some(largest) => l.same(0, scalar(largest)),
                    None => l.raises(&l.code(0), "ValueError"),
                }
            })
        }; }
        largest!(f64, a => a.iter().copied().reduce(f64::max));
        largest!(f32, a => a.iter().copied().reduce(f32::max));
        #[cfg(feature = "half")]
        largest!(half::f16, a => a.iter().copied().reduce(half::f16::max));
        largest!(Be<f32>, a => a.iter().map(|x| x.get()).reduce(f32::max));
        largest!(i64, a => a.iter().copied().max());
        Ok(())
    }),
    ("`a.sum()` in the element type, `a.prod()`, `a.std()`", |l| {
        macro_rules! of_floats { ($([$A:ty, $epsilon:expr])*) => {$(
            each!(l, [$A], SHAPES, a => {
                let error = f64::from($epsilon) * scale(&a);
                l.close_to("a.sum(dtype=a.dtype.type)", scalar(a.sum()), error);
                let product = a.product();
                l.close(1, scalar(product), 12.0 * f64::from($epsilon) * product.approximate().abs());
            });
        )*}; }
        of_floats!([f64, f64::EPSILON] [f32, f32::EPSILON] [Be<f32>, f32::EPSILON]);
        #[cfg(feature = "half")]
        of_floats!([half::f16, half::f16::EPSILON]);
        each!(l, [f64], SHAPES, a => { l.close(2, scalar(a.std(0.0)), f64::EPSILON * scale(&a)); });
        each!(l, [f32], SHAPES, a => { l.close(2, scalar(a.std(0.0)), f64::from(f32::EPSILON) * scale(&a)); });
        each!(l, [i64, u64, u8], SHAPES, a => {
            let (sum, overflows) = a.iter().fold((0, false), |(sum, over), x| (x.wrapping_add(sum), over || x.checked_add(sum).is_none()));
            l.same_as("a.sum(dtype=a.dtype.type)", scalar(sum));
            l.check(panics(|| a.sum()), overflows && OVERFLOW_PANICS);
        });
        Ok(())
    }),
    ("`a.astype(float)`", |l| {
        each!(l, [f64, f32, u8, bool], SHAPES, a => { l.same(0, array(&a.mapv(f64::from))); });
        #[cfg(feature = "half")]
        each!(l, [half::f16], SHAPES, a => { l.same(0, array(&a.mapv(f64::from))); });
        each!(l, [Be<i16>, Be<f32>], SHAPES, a => { l.same(0, array(&a.mapv(|x| f64::from(x.get())))); });
        each!(l, [i64, u64], SHAPES, a => { l.same(0, array(&a.mapv(|x| x as f64))); });
        Ok(())
    }),
    ("`a + b`, `a * 2`, `a @ b`, `a == b`", |l| {
        floats!(l, SHAPES, a => {
            let b = flipped(&a);
            l.run("b = np.flip(a)");
            l.same(0, array(&(&a + &b)));
            l.same_as("np.array_equal(a, b)", json!(a == b));
            l.same_as("np.array_equal(a, a)", json!(a == a.view()));
            l.same_as("np.shape(a == b)", json!(a.shape()));
        });
        each!(l, [f64, f32, Be<f64>, Be<f32>], SHAPES, a => { l.same(1, array(&(&a * 2.0))); });
        each!(l, [i64, u64, u8], SHAPES, a => {
            l.run("b = np.flip(a)");
            let b = flipped(&a);
            let overflows = a.iter().zip(&b).any(|(x, y)| x.checked_add(*y).is_none());
            l.same(0, array(&ndarray::Zip::from(&*a).and(&b).map_collect(|x, y| x.wrapping_add(*y))));
            l.check(panics(|| &a + &b), overflows && OVERFLOW_PANICS);
            l.same(1, array(&a.mapv(|x| x.wrapping_mul(2))));
            l.check(panics(|| &a * 2), OVERFLOW_PANICS && a.iter().any(|x| x.checked_mul(2).is_none()));
            l.same_as("np.array_equal(a, b)", json!(a == b));
        });
        macro_rules! products { ($([$A:ty, $epsilon:expr])*) => {$(
            each!(l, [$A], &[&[4, 3], &[0, 3], &[3, 0]], a => {
                let a = a.into_dimensionality::<Ix2>()?;
                let b = a.t().to_owned();
                l.run("b = a.T");
                l.close(2, array(&a.dot(&b)), f64::from($epsilon) * scale(&a).powi(2));
            });
        )*}; }
        products!([f64, f64::EPSILON] [f32, f32::EPSILON]);
        Ok(())
    }),
    ("`a.T`, `a.reshape(6, 2)`", |l| {
        all!(l, SHAPES, a => {
            l.same(0, array(&a.t()));
            if a.len() == 12 {
                l.same(1, array(&a.to_shape((6, 2))?));
            } else {
                l.raises(&l.code(1), "ValueError");
                l.check(a.to_shape((6, 2)).is_err(), true);
            }
        });
        Ok(())
    }),
    ("`np.array(a)`", |l| {
        all!(l, SHAPES, a => {
            let copy = a.to_owned();
            l.same(0, array(&copy));
            let flags = format!("[{0}.flags.c_contiguous, {0}.flags.f_contiguous]", l.code(0));
            l.same_as(&flags, json!([copy.is_standard_layout(), copy.t().is_standard_layout()]));
        });
        Ok(())
    }),
    ("`np.save(p, a)`", |l| {
        all!(l, SHAPES, a => {
            let p = &l.our_path();
            npy::save(p, &a)?;
            l.same(0, Value::Null);
            let files = (fs::read(p)?, fs::read(l.path())?);
            l.check(files.0, files.1);
        });
        Ok(())
    }),
    ("`a.tofile(p)`", |l| {
        each!(l, [f64], SHAPES, a => {
            let p = &l.our_path();
            let mut d = o(Mode::Create).shape(a.dim()).draft::<f64>(p)?; d.view_mut().assign(&a); d.publish()?;
            l.same(0, Value::Null);
            let files = (fs::read(p)?, fs::read(l.path())?);
            l.check(files.0, files.1);
        });
        all!(l, SHAPES, a => {
            let mut d = o(Mode::Create).shape(a.dim()).draft(l.our_path())?;
            d.view_mut().assign(&a);
            d.publish()?;
            l.same(0, Value::Null);
            let files = (fs::read(l.our_path())?, fs::read(l.path())?);
            l.check(files.0, files.1);
        });
        Ok(())
    }),
];

/// Compares an assignment to an array in mode `r`.
fn read_only(l: &mut Live, span: usize) -> Outcome {
    each!(l, [f64], &[&[12]], a => {
        drop(a);
        l.run("a = np.memmap(a.filename, 'f8', 'r', shape=12)");
        // SAFETY: no other code changes the file.
        let mut a = unsafe { o(Mode::ReadOnly).shape(12).open::<f64>(l.open_path())? };
        l.same(span, shown(a.view_mut(), |_| Value::Null));
    });
    Ok(())
}

/// Returns a copy with the order of each axis reversed.
fn flipped<A: Clone>(a: &ArrayRef<A, IxDyn>) -> ArrayD<A> {
    let mut copy = a.to_owned();
    for axis in 0..a.ndim() {
        copy.invert_axis(Axis(axis));
    }
    copy
}
