//! The rows of the section "Opening" of the chapter for NumPy users.

use std::fs::{self, File};
use std::path::Path;

use bytemuck::{Pod, Zeroable, cast_slice};
use ndarray::{ArrayRef, Axis, Dimension, Ix2, ShapeBuilder};
use ndarray_memmap::npy::{self, NpyElement};
use ndarray_memmap::{Be, Le, MapOptions, MmapArray, Mode};
use serde_json::{Value, json};

use crate::elements::noise;
use crate::hard_inputs::{Hard, SHAPES, all, each, floats, integers};
use crate::table::{Live, Outcome, Row, array, o, shown};

type Result<T> = ndarray_memmap::Result<T>;

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("`np.memmap(p, 'f8', 'r')`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::ReadOnly).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f8', 'r', shape=(3, 4))`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::ReadOnly).shape((3, 4)).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f8', 'r', shape=(3, 4), order='F')`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::ReadOnly).shape((3, 4).f()).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f8', 'r', offset=16)`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::ReadOnly).offset(16).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f4', 'r').reshape(-1, 768)`", |l| {
        // SAFETY: no other code uses the file.
        files::<f32, _>(l, |p| unsafe { o(Mode::ReadOnly).rows_of(768).open::<f32>(p) })
    }),
    ("`np.memmap(p, '>i2', 'r')`", |l| {
        // SAFETY: no other code uses the file.
        files::<Be<i16>, _>(l, |p| unsafe { o(Mode::ReadOnly).open::<Be<i16>>(p) })
    }),
    ("`np.memmap(p, 'f8', 'c')`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::CopyOnWrite).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f8', 'r+')`", |l| {
        // SAFETY: no other code uses the file.
        files::<f64, _>(l, |p| unsafe { o(Mode::ReadWrite).open::<f64>(p) })
    }),
    ("`np.memmap(p, 'f8', 'r+', shape=1000)` on a shorter file", |l| {
        for bytes in lengths() {
            let p = &l.our_path();
            fs::write(p, &bytes)?;
            fs::write(l.path(), bytes)?;
            // SAFETY: no other code uses the file.
            let a = unsafe { o(Mode::ReadWrite).grow(true).shape(1000).open::<f64>(p)? };
            l.same(0, array(&a));
            same_files(l)?;
        }
        Ok(())
    }),
    ("`np.memmap(p, 'f8', 'w+', shape=1000)`", |l| {
        for bytes in lengths() {
            let p = &l.our_path();
            fs::write(p, &bytes)?;
            fs::write(l.path(), bytes)?;
            // SAFETY: no other code uses the file.
            let a = unsafe { o(Mode::Create).shape(1000).open::<f64>(p)? };
            l.same(0, array(&a));
            same_files(l)?;
        }
        Ok(())
    }),
    ("`np.memmap(p, [('id', '<u4'), ('x', '<f8')])`", |l| {
        #[derive(Clone, Copy, Pod, Zeroable)]
        #[repr(C)]
        struct Record { id: Le<u32>, x: Le<f64> }

        let p = &l.path();
        fs::write(p, noise(3, 12 * 7))?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<Record>(p)? };
        l.same_as(&format!("{}['id']", l.code(0)), array(&a.mapv(|record| record.id)));
        l.same_as(&format!("{}['x']", l.code(0)), array(&a.mapv(|record| record.x)));
        Ok(())
    }),
    ("`np.memmap(p, 'f4').reshape(-1, 3)[:, 1]`", |l| {
        for input in f32::inputs() {
            let p = &l.path();
            let elements: Vec<f32> = input.iter().copied().cycle().take(12).collect();
            fs::write(p, cast_slice(&elements))?;
            // SAFETY: no other code uses the file.
            let rows = unsafe { o(Mode::ReadOnly).rows_of(3).open::<f32>(p)? };
            l.same(0, array(&rows.index_axis(Axis(1), 1)));
            let n = 4;
            // SAFETY: as above.
            let column = unsafe { o(Mode::ReadOnly).offset(4).shape(n.strides(3)).open::<f32>(p)? };
            l.same(0, array(&column));
        }
        Ok(())
    }),
    ("`np.memmap(f, ..)` of an open file", |l| {
        let mode = Mode::ReadOnly;
        for bytes in lengths() {
            fs::write(l.path(), &bytes)?;
            let f = File::open(l.path())?;
            l.run("f = open(p, 'rb')");
            let code = l.code(0).replace("..", "'f8', 'r'");
            // SAFETY: no other code changes the file.
            let a = unsafe { o(mode).map::<f64>(&f) };
            opened(l, &code, a, bytes.is_empty());
        }
        Ok(())
    }),
    ("`np.frombuffer(mmap.mmap(..), ..)`", |l| {
        for bytes in lengths() {
            fs::write(l.path(), &bytes)?;
            let file = File::open(l.path())?;
            // SAFETY: no other code changes the file.
            let map = unsafe { memmap2::Mmap::map(&file)? };
            let layout = o(Mode::ReadOnly).resolve::<f64>(bytes.len().try_into()?);
            let view = layout.and_then(|layout| Ok(layout.view::<f64>(&map)?.to_owned()));
            l.run("f = open(p, 'rb')");
            let code = "np.frombuffer(mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ), 'f8')";
            opened(l, code, view, bytes.is_empty());
        }
        Ok(())
    }),
    ("`np.fromfile(p)`", |l| {
        for bytes in lengths() {
            fs::write(l.path(), &bytes)?;
            let p = &l.path();
            let a = o(Mode::ReadOnly).load::<f64>(p);
            if bytes.len() % 8 == 0 {
                l.same(0, array(&a?));
            } else {
                l.same_as(&format!("len({})", l.code(0)), json!(bytes.len() / 8));
                l.check(a.is_err(), true);
            }
        }
        fs::remove_file(l.path())?;
        l.same(0, shown(o(Mode::ReadOnly).load::<f64>(l.path()), |a| array(&a)));
        Ok(())
    }),
    ("`np.memmap(tempfile.TemporaryFile(), shape=..)`", |l| {
        let code = l.code(0).replace("..", "(3, 4)");
        l.same_as(&code, array(&MapOptions::scratch::<u8, _>((3, 4))?));
        Ok(())
    }),
    ("`open_memmap(p)`, `np.load(p, mmap_mode='r')`", |l| {
        // SAFETY: no other code uses the file.
        npy_files(l, &[0, 1], |p| unsafe { npy::open::<f32, Ix2>(p, Mode::ReadOnly) })
    }),
    ("`open_memmap(p, 'w+', 'f4', (3, 4))`", |l| {
        let p = &l.our_path();
        // SAFETY: no other code uses the file.
        let a = unsafe { npy::create::<f32, _>(p, (3, 4))? };
        l.same(0, array(&a));
        same_files(l)
    }),
    ("`np.load(p)`", |l| {
        npy_files(l, &[0], |p| npy::load::<f32, Ix2>(p))
    }),
    ("`np.load(p, mmap_mode='r')` of a file of unknown type", |l| {
        all!(l, SHAPES, a => {
            let p = &l.path();
            l.run("np.save(p, a)");
            // SAFETY: no other code uses the file.
            let found = unsafe { npy::DynArray::open(p, Mode::ReadOnly)? };
            let found = match &found {
                npy::DynArray::Bool(found) => array(found),
                found => npy::match_real!(found, found => array(found), else => Value::Null),
            };
            l.same_as(&l.code(0), found);
            let _ = a;
        });
        Ok(())
    }),
    ("`np.lib.format.read_array_header_1_0(f)`", |l| {
        all!(l, SHAPES, a => {
            l.run("np.save(p, a); f = open(p, 'rb'); np.lib.format.read_magic(f)");
            let f = File::open(l.path())?;
            let header = npy::Header::read(&f)?;
            let dtype = header.dtype().to_string();
            l.same(0, json!([header.shape(), header.fortran_order(), dtype]));
            l.check(header.shape(), a.shape());
        });
        Ok(())
    }),
    ("write a header, then `np.memmap(p, 'f8', 'r+', 512, (3, 4))`", |l| {
        let p = &l.our_path();
        fs::write(p, noise(1, 512))?;
        fs::write(l.path(), noise(1, 512))?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadWrite).grow(true).offset(512).shape((3, 4)).open::<f64>(p)? };
        l.same(0, array(&a));
        same_files(l)?;
        drop(a);
        // SAFETY: as above.
        let a = unsafe { o(Mode::Create).offset(512).shape((3, 4)).open::<f64>(p)? };
        l.same_as(&l.code(0).replace("r+", "w+"), array(&a));
        l.check(fs::read(p)?, vec![0; 608]);
        same_files(l)
    }),
];

/// Returns files of several lengths: empty, with 2, 7 and 12 elements of 8 bytes, and a broken one.
fn lengths() -> Vec<Vec<u8>> {
    [0, 16, 56, 96, 100].map(|len| noise(5, len)).into()
}

/// Compares the code of the row with a function, for files with hard inputs and for broken files.
fn files<A: Hard, D: Dimension>(
    l: &mut Live,
    open: impl Fn(&Path) -> Result<MmapArray<A, D>>,
) -> Outcome {
    let p = l.path();
    for input in A::inputs() {
        for len in [12, 1536] {
            let elements: Vec<A> = input.iter().copied().cycle().take(len).collect();
            fs::write(&p, cast_slice(&elements))?;
            l.same(0, shown(open(&p), |a| array(&a)));
        }
    }
    for bytes in lengths() {
        fs::write(&p, &bytes)?;
        opened(l, &l.code(0), open(&p), bytes.is_empty());
    }
    fs::remove_file(&p)?;
    l.same(0, shown(open(&p), |a| array(&a)));
    Ok(())
}

/// Compares an opened array. NumPy cannot map an empty file, which is an empty array here.
fn opened<A, D, T>(l: &mut Live, code: &str, ours: Result<T>, is_empty: bool)
where
    A: NpyElement,
    D: Dimension,
    T: std::ops::Deref<Target = ArrayRef<A, D>>,
{
    match ours {
        // In mode `r+` NumPy adds a byte.
        Ok(a) if is_empty && !code.contains("r+") => {
            l.check(a.len(), 0);
            l.raises(code, "ValueError");
        }
        ours => l.same_as(code, shown(ours, |a| array(&a))),
    }
}

fn same_files(l: &mut Live) -> Outcome {
    let files = (fs::read(l.our_path())?, fs::read(l.path())?);
    l.check(files.0, files.1);
    Ok(())
}

/// Compares codes of the row with a function, for `.npy` files and for other files.
fn npy_files(
    l: &mut Live,
    spans: &[usize],
    open: impl Fn(&Path) -> Result<MmapArray<f32, Ix2>>,
) -> Outcome {
    let p = l.path();
    for &span in spans {
        each!(l, [f32], &[&[4, 3], &[0, 3]], a => {
            drop(a);
            l.run("np.save(p, a)");
            l.same(span, array(&open(&p)?));
        });
        // NumPy finds the type in the file, which must be that of the code here.
        each!(l, [f64], &[&[4, 3]], a => {
            l.run("np.save(p, a)");
            l.same(span, array(&a));
            l.check(open(&p).is_err(), true);
        });
        fs::write(&p, noise(2, 200))?;
        l.same(span, shown(open(&p), |a| array(&a)));
        fs::remove_file(&p)?;
        l.same(span, shown(open(&p), |a| array(&a)));
    }
    Ok(())
}
