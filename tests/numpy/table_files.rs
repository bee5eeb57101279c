//! The rows of the section "Using" of the chapter for NumPy users about files and blocks.

use std::fs::{self, File};

use ndarray::{ArrayD, ArrayRef, ArrayRef2, Axis, Ix2, IxDyn};
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::partition::Partition;
use ndarray_memmap::{ErrorKind, Mode};
use serde_json::{Value, json};

use crate::hard_inputs::{SHAPES, all, each, floats, integers, small};
use crate::table::{Row, array, o, scalar, shown};

/// Shapes of arrays with at least one axis, and with elements.
const FULL: &[&[usize]] = &[&[12], &[4, 3], &[2, 3, 2]];

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("`print(a)`", |l| {
        all!(l, SHAPES, a => {
            let ours = format!("{a}");
            let Value::String(theirs) = l.run("str(a)") else { panic!("no text") };
            let close = |(x, y): &(f64, f64)| x == y || x.is_nan() && y.is_nan() || (x - y).abs() <= 1e-3 * x.abs();
            let (ours, theirs) = (numbers(&ours), numbers(&theirs));
            l.check(ours.len(), theirs.len());
            l.check(ours.into_iter().zip(theirs).all(|pair| close(&pair)), true);
        });
        for (len, here, there) in [(499, false, false), (500, true, false), (1001, true, true)] {
            let a = l.open(&[1.0], &[len], 'C');
            let Value::String(theirs) = l.run("str(a)") else { panic!("no text") };
            l.check((format!("{a}").contains("..."), theirs.contains("...")), (here, there));
        }
        let text = { let a = l.open(&[1.0, f64::NAN], &[2], 'C'); println!("{a}"); format!("{a}") };
        l.check(text, "[1, NaN]".to_owned());
        l.same_as("str(a)", json!("[ 1. nan]"));
        Ok(())
    }),
    ("`for i in range(0, len(a), n): f(a[i:i+n])`, of a large file", |l| {
        all!(l, FULL, a => {
            let mut blocks = Vec::new();
            for block in a.sweep(Axis(0), 16 << 20)? {
                blocks.push(block.to_owned());
            }
            let blocks: Vec<_> = blocks.iter().map(|block| block.view()).collect();
            l.run("b = []; f = b.append; n = 2");
            l.run(&l.code(0));
            l.same_as("np.concatenate(b)", array(&ndarray::concatenate(Axis(0), &blocks)?));
        });
        all!(l, &[&[0], &[0, 3]], a => {
            l.check(a.sweep(Axis(0), 16 << 20)?.count(), 0);
            l.run("b = []; f = b.append; n = 2");
            l.run(&l.code(0));
            l.same_as("len(b)", json!(0));
        });
        all!(l, &[&[]], a => {
            l.raises(&l.code(0), "TypeError");
            let error = a.sweep(Axis(0), 1).map(|_| ()).unwrap_err();
            l.check(matches!(error.kind(), ErrorKind::AxisOutOfBounds { .. }), true);
        });
        Ok(())
    }),
    ("`for i in ids: f(a[i])`", |l| {
        all!(l, FULL, a => {
            let ids = [1, 0, 1];
            let mut rows = Vec::new();
            for row in a.gather(Axis(0), &ids)? {
                rows.push(array(&row));
            }
            l.run("b = []; f = b.append; ids = [1, 0, 1]");
            l.run(&l.code(0));
            l.same_as("b", json!(rows));
        });
        all!(l, &[&[0, 3], &[4]], a => {
            l.run("ids = [0, 4]");
            l.same(0, shown(a.gather(Axis(0), &[0, 4]), |_| Value::Null));
        });
        Ok(())
    }),
    ("`a[ids]`", |l| {
        all!(l, FULL, a => {
            let ids = [1, 0, 1];
            l.run("ids = [1, 0, 1]");
            l.same(0, array(&ndarray::stack(Axis(0), &a.gather(Axis(0), &ids)?.collect::<Vec<_>>())?));
            let ids = [];
            l.run("ids = []");
            l.check(ndarray::stack(Axis(0), &a.gather(Axis(0), &ids)?.collect::<Vec<_>>()).is_err(), true);
            l.same(0, array(&a.select(Axis(0), &ids)));
            l.run("ids = [12]");
            l.same(0, shown(a.gather(Axis(0), &[12]), |_| Value::Null));
        });
        Ok(())
    }),
    ("`np.append`, `NpyAppendArray(p).append(rows)`", |l| {
        all!(l, &[&[12], &[4, 3], &[0, 3], &[2, 3, 2]], old => {
            let axis = Axis(if old.is_standard_layout() { 0 } else { old.ndim() - 1 });
            let mut shape = old.shape().to_vec();
            shape[axis.index()] = 2;
            let rows = ArrayD::from_elem(shape, small(&old, 1));
            let row = rows.index_axis(axis, 0);
            npy::save(l.our_path(), &old)?;
            // SAFETY: no other code uses the file.
            let mut a = unsafe { npy::open(l.our_path(), Mode::ReadWrite)? };
            if axis == Axis(0) {
                a.append(Axis(0), &rows)?;
                a.push(Axis(0), &row)?;
            } else {
                let error = a.append(Axis(0), &rows).unwrap_err();
                l.check(matches!(error.kind(), ErrorKind::NotOutermostAxis { .. }), true);
                a.append(axis, &rows)?;
                a.push(axis, &row)?;
            }
            let axis = axis.index();
            let order = if axis == 0 { 'C' } else { 'F' };
            l.run("old = np.array(a); np.save(p, a)");
            l.run(&format!("s = list(a.shape); s[{axis}] = 2; rows = np.ones(s, a.dtype, '{order}')"));
            l.run(&l.code(1));
            l.run(&format!("both = rows; rows = np.take(rows, [0], {axis})"));
            l.run(&l.code(1));
            l.same_as("np.load(p)", array(&a));
            let appended = format!("{0}({0}(old, both, {axis}), rows, {axis})", l.code(0));
            l.same_as(&appended, array(&a));
        });
        Ok(())
    }),
    ("`os.truncate`, then `np.memmap` again", |l| {
        all!(l, &[&[4, 3], &[0, 3]], old => {
            for n in [2, 7] {
                // SAFETY: no other code uses the file.
                let mut a = unsafe { o(Mode::Create).shape(old.dim()).open(l.our_path())? };
                a.view_mut()?.assign(&old);
                a.resize(Axis(0), n)?;
                l.run(&format!("a.tofile(p); {}(p, {n} * 3 * a.itemsize)", l.code(0)));
                l.same_as(&format!("{}(p, a.dtype, 'r').reshape(-1, 3)", l.code(1)), array(&a));
            }
        });
        Ok(())
    }),
    ("`np.memmap` again, to see rows that another process has added", |l| {
        all!(l, &[&[4, 3]], old => {
            l.run("a.tofile(p)");
            // SAFETY: the other process adds rows and changes none.
            let mut a = unsafe { o(Mode::ReadOnly).rows_of(3).open(l.path())? };
            // SAFETY: as above.
            let mut fixed = unsafe { o(Mode::ReadOnly).shape((4, 3)).open(l.path())? };
            same_type(&a, &old);
            same_type(&fixed, &old);
            l.run("open(p, 'ab').write(a[:2].tobytes())");
            a.refresh()?;
            l.same_as(&format!("{}(p, a.dtype, 'r').reshape(-1, 3)", l.code(0)), array(&a));
            l.check(matches!(fixed.refresh().unwrap_err().kind(), ErrorKind::FixedShape), true);
        });
        Ok(())
    }),
    ("`np.array_split(a, n)`, for `n` processes", |l| {
        all!(l, &[&[12], &[4, 3], &[0, 3], &[3, 0], &[2, 3, 2]], a => {
            l.run("np.save(p, a)");
            let p = &l.path();
            let header = Header::read(&File::open(p)?)?;
            for n in [1, 3, 5] {
                let (windows, code) = if header.fortran_order() {
                    let error = Partition::new(&header, Axis(0), n).unwrap_err();
                    l.check(matches!(error.kind(), ErrorKind::NotOutermostAxis { .. }), true);
                    let last = Axis(a.ndim() - 1);
                    (Partition::new(&header, last, n)?.windows(p), l.code(0).replace("n)", "n, -1)"))
                } else {
                    (Partition::new(&header, Axis(0), n)?.windows(p), l.code(0))
                };
                let mut parts = Vec::new();
                for window in &windows {
                    // SAFETY: no other code uses the file.
                    let part = unsafe { window.open::<_, IxDyn>(Mode::ReadOnly)? };
                    same_type(&part, &a);
                    parts.push(array(&part));
                }
                l.run(&format!("n = {n}"));
                l.same_as(&code, json!(parts));
            }
            l.run("n = 0");
            let axis = Axis(if header.fortran_order() { a.ndim() - 1 } else { 0 });
            l.same(0, shown(Partition::new(&header, axis, 0), |_| Value::Null));
        });
        Ok(())
    }),
    ("`a[ids] = rows`", |l| {
        all!(l, FULL, a => {
            let (ids, rows) = ([1, 0, 1], a.select(Axis(0), &[1, 0, 0]));
            l.run("ids = [1, 0, 1]; rows = a[[1, 0, 0]]");
            a.scatter(Axis(0), &ids, &rows)?;
            l.same(0, array(&a));
            let (ids, rows) = ([12], a.select(Axis(0), &[0]));
            l.run("ids = [12]; rows = a[[0]]");
            l.same(0, shown(a.scatter(Axis(0), &ids, &rows), |()| Value::Null));
            let (ids, rows) = ([1, 0], a.select(Axis(0), &[0, 0, 0]));
            l.run("ids = [1, 0]; rows = a[[0, 0, 0]]");
            l.same(0, shown(a.scatter(Axis(0), &ids, &rows), |()| Value::Null));
        });
        Ok(())
    }),
    ("`a.flush()`", |l| {
        all!(l, SHAPES, old => {
            // SAFETY: no other code uses the file.
            let mut a = unsafe { o(Mode::Create).shape(old.dim()).open(l.our_path())? };
            a.view_mut()?.assign(&old);
            a.sync()?;
            let code = format!("b = np.memmap(p, a.dtype, 'w+', 0, a.shape); b[...] = a; b.{}", &l.code(0)[2..]);
            l.run(&code);
            let theirs = fs::read(l.path())?;
            // NumPy writes one byte for an empty array.
            l.check(fs::read(l.our_path())?, if a.is_empty() { Vec::new() } else { theirs });
            // In mode `c` NumPy does nothing, and this crate fails; in mode `r` both do nothing.
            l.same(0, Value::Null);
            l.check(matches!(old.sync().unwrap_err().kind(), ErrorKind::PrivateChanges), true);
            // SAFETY: no other code uses the file.
            let read = unsafe { o(Mode::ReadOnly).shape(old.dim()).open(l.our_path())? };
            same_type(&read, &old);
            l.run("b = np.memmap(p, a.dtype, 'r', 0, a.shape)");
            l.same_as("b.flush()", shown(read.sync(), |()| Value::Null));
        });
        Ok(())
    }),
    ("–", |l| {
        all!(l, &[&[12]], a => {
            let one = small(&a, 1);
            let path = a.path().unwrap().to_owned();
            let before = fs::read(&path)?;
            a.view_mut()?[3] = one;
            l.check(fs::read(path)?, before);
            a.commit()?;
            l.same_as("np.memmap(a.filename, a.dtype, 'r', 0, 12)", array(&a));
        });
        Ok(())
    }),
    ("`del a`", |l| {
        all!(l, &[&[12]], old => {
            for close in [false, true] {
                // SAFETY: no other code uses the file.
                let mut a = unsafe { o(Mode::Create).shape(old.dim()).open(l.our_path())? };
                a.view_mut()?.assign(&old);
                if close { a.close()?; } else { drop(a); }
                l.run("old = a; a = np.memmap(p, old.dtype, 'w+', 0, old.shape); a[:] = old");
                l.run(&format!("{}; a = old", l.code(0)));
                let files = (fs::read(l.our_path())?, fs::read(l.path())?);
                l.check(files.0, files.1);
            }
        });
        Ok(())
    }),
    ("a function of arrays, `def f(a):`", |l| {
        fn f(a: &ArrayRef2<f64>) -> f64 {
            a[[1, 2]]
        }
        each!(l, [f64], &[&[4, 3]], a => {
            let a = a.into_dimensionality::<Ix2>()?;
            l.run(&format!("{} return a[1, 2]", l.code(0)));
            l.same_as("f(a)", scalar(f(&a)));
        });
        Ok(())
    }),
];

/// Gives two arrays the same element type.
fn same_type<A, D, E>(_: &ArrayRef<A, D>, _: &ArrayRef<A, E>) {}

/// Returns the numbers in the text of an array, and `true` and `false` as 1 and 0.
fn numbers(text: &str) -> Vec<f64> {
    let text = text.to_lowercase().replace("true", "1").replace("false", "0");
    let words = text.split(['[', ']', ',', ' ', '\n']).filter(|word| !word.is_empty());
    words.map(|word| word.parse().unwrap()).collect()
}
