//! The rows of the section "Parameter by parameter" of the chapter for NumPy users.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom};

use ndarray::{Ix1, Ix2, ShapeBuilder, s};
use ndarray_memmap::npy::{self, Options, Version};
use ndarray_memmap::{
    Advice, Error, ErrorKind, Le, MapOptions, MmapArray1, Mode, NpyErrorKind,
};
use serde_json::{Value, json};

use crate::elements::noise;
use crate::hard_inputs::{SHAPES, all, each, floats, integers};
use crate::table::{Live, Outcome, Row, array, o};

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("`np.memmap`: `filename`, a path", |l| {
        let path = &written(l)?;
        // SAFETY: no other code uses the file.
        let a: MmapArray1<f64> = unsafe { o(Mode::ReadOnly).open(path)? };
        l.same_as("np.memmap(p, 'f8', 'r')", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `filename`, an open file", |l| {
        let mut file = File::open(written(l)?)?;
        file.seek(SeekFrom::Start(5))?;
        // SAFETY: no other code uses the file.
        let a: MmapArray1<f64> = unsafe { o(Mode::ReadOnly).map(&file)? };
        l.check(file.stream_position()?, 5);
        drop(file);
        l.run("f = open(p, 'rb'); f.seek(5); a = np.memmap(f, 'f8', 'r')");
        l.same_as("f.tell()", json!(96));
        l.same_as("a", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `dtype` (`uint8`)", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<u8>(written(l)?)? };
        l.same_as("np.memmap(p)", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `mode` (`r+`)", |l| {
        for mode in ["r", "c", "r+", "w+"] {
            let path = written(l)?;
            let mode: Mode = mode.parse()?;
            // SAFETY: no other code uses the file.
            let a = unsafe { MapOptions::new(mode).shape(12).open::<f64>(&path)? };
            l.same_as(&format!("np.memmap(p, 'f8', '{mode}', shape=12)"), array(&a));
        }
        fs::remove_file(l.path())?;
        for mode in [Mode::CreateNew, Mode::Append] {
            l.raises(&format!("np.memmap(p, 'f8', '{mode}', shape=12)"), "ValueError");
            // SAFETY: no other code uses the file.
            let a = unsafe { MapOptions::new(mode).shape(12).open::<f64>(l.path()) };
            l.check(a.is_ok(), true);
        }
        written(l)?;
        l.same_as("np.memmap(p).mode", json!("r+"));
        Ok(())
    }),
    ("`np.memmap`: `offset` (0)", |l| {
        let path = written(l)?;
        for offset in [0, 8, 3, 11] {
            let code = format!("np.memmap(p, '<f8', 'r', {offset}, 5)");
            // SAFETY: no other code uses the file.
            let a = unsafe { o(Mode::ReadOnly).offset(offset).shape(5).open::<Le<f64>>(&path)? };
            l.same_as(&code, array(&a));
            // SAFETY: as above.
            let a = unsafe { o(Mode::ReadOnly).offset(offset).shape(5).open::<f64>(&path) };
            let kind = a.as_ref().map_err(Error::kind);
            l.check(matches!(kind, Err(ErrorKind::Misaligned { .. })), offset % 8 != 0);
        }
        Ok(())
    }),
    ("`np.memmap`: `shape` (one axis, to the end of the file)", |l| {
        let path = written(l)?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<f64>(&path)? };
        l.same_as("np.memmap(p, 'f8', 'r')", array(&a));
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadOnly).shape((2, 5)).open::<f64>(&path)? };
        l.same_as("np.memmap(p, 'f8', 'r', shape=(2, 5))", array(&a));
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadOnly).rows_of(4).open::<f64>(&path)? };
        l.same_as("np.memmap(p, 'f8', 'r').reshape(-1, 4)", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `order` (`C`)", |l| {
        let path = written(l)?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).shape((3, 4).f()).open::<f64>(&path)? };
        l.same_as("np.memmap(p, 'f8', 'r', shape=(3, 4), order='F')", array(&a));
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadOnly).shape((3, 4).strides((1, 3))).open::<f64>(&path)? };
        l.same_as("np.memmap(p, 'f8', 'r', shape=(3, 4), order='F')", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `filename`, as an absolute path", |l| {
        let path = written(l)?.parent().unwrap().join("./p.npy");
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<f64>(&path)? };
        l.check(a.path().map(|path| path.as_os_str()), Some(path.as_os_str()));
        l.same_as("str(np.memmap(p).filename) == os.path.realpath(p)", json!(true));
        Ok(())
    }),
    ("`np.memmap`: `offset`, `mode`", |l| {
        let path = written(l)?;
        for mode in [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite] {
            // SAFETY: no other code uses the file.
            let a = unsafe { o(mode).offset(16).open::<f64>(&path)? };
            l.run(&format!("a = np.memmap(p, 'f8', '{mode}', 16)"));
            l.same_as("[a.offset, a.mode]", json!([a.offset(), a.mode().to_string()]));
        }
        Ok(())
    }),
    ("`np.memmap`: `filename`, `offset`, `mode` of a slice, which are those of the whole array", |l| {
        let path = written(l)?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).offset(16).open::<f64>(path)? };
        l.run("a = np.memmap(p, 'f8', 'r', 16); b = a[2:4]");
        l.same_as("[b.filename == a.filename, b.offset, b.mode]", json!([true, 16, "r"]));
        let ranges: Vec<_> = a.region(s![2..4]).byte_ranges().collect();
        // The range ends at a page, or at the end of the array.
        l.check((ranges[0].start <= 32, ranges[0].end >= 48, ranges.len()), (true, true, 1));
        Ok(())
    }),
    ("`np.memmap`: `flush()`", |l| {
        // SAFETY: no other code uses the file.
        let mut a = unsafe { o(Mode::ReadWrite).open::<f64>(written(l)?)? };
        a.view_mut()?[3] = 1.5;
        a.sync()?;
        a.region(s![2..4]).sync()?;
        l.run("a = np.memmap(p, 'f8', 'r+')");
        l.same_as("a.flush()", Value::Null);
        l.same_as("a", array(&a));
        Ok(())
    }),
    ("`np.memmap`: `_mmap.madvise`, `.resize`, `.close`", |l| {
        // SAFETY: no other code uses the file.
        let mut a = unsafe { o(Mode::ReadWrite).shape(12).open::<f64>(written(l)?)? };
        a.region(s![..]).advise(Advice::Random)?;
        l.run("a = np.memmap(p, 'f8', 'r+')");
        if cfg!(target_os = "linux") {
            l.same_as("a._mmap.madvise(mmap.MADV_RANDOM)", Value::Null);
            // The pages that `a` refers to may be unmapped then: NumPy must not read them.
            l.same_as("a._mmap.resize(120)", Value::Null);
            l.same_as("a._mmap.close()", Value::Null);
            l.run("del a; os.truncate(p, 96)");
            a.resize(ndarray::Axis(0), 15)?;
            l.same_as("np.memmap(p, 'f8', 'r')", array(&a));
        }
        drop(a);
        Ok(())
    }),
    ("`np.memmap`: `shape`, `ndim`, `size`", |l| {
        all!(l, SHAPES, a => { l.same_as("[a.shape, a.ndim, a.size]", json!([a.shape(), a.ndim(), a.len()])); });
        Ok(())
    }),
    ("`np.memmap`: `strides`, in bytes", |l| {
        all!(l, SHAPES, a => {
            let size = isize::try_from(a.layout().item_size())?;
            let bytes: Vec<_> = a.strides().iter().map(|stride| stride * size).collect();
            if a.is_empty() { l.check(bytes.iter().all(|stride| *stride == 0), true); }
            else { l.same_as("a.strides", json!(bytes)); }
        });
        Ok(())
    }),
    ("`np.memmap`: `itemsize`, `nbytes`", |l| {
        all!(l, SHAPES, a => { l.same_as("[a.itemsize, a.nbytes]", json!([a.layout().item_size(), a.nbytes()])); });
        Ok(())
    }),
    ("`np.memmap`: `flags.writeable`", |l| {
        let path = written(l)?;
        for mode in [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite] {
            // SAFETY: no other code uses the file.
            let a = unsafe { o(mode).open::<f64>(&path)? };
            l.same_as(&format!("np.memmap(p, 'f8', '{mode}').flags.writeable"), json!(a.is_writable()));
        }
        Ok(())
    }),
    ("`np.memmap`: `flags.c_contiguous`, `.f_contiguous`", |l| {
        all!(l, SHAPES, a => {
            let flags = json!([a.is_standard_layout(), a.t().is_standard_layout()]);
            l.same_as("[a.flags.c_contiguous, a.flags.f_contiguous]", flags);
        });
        Ok(())
    }),
    ("`open_memmap`: `filename`, a path", |l| {
        l.run("np.save(p, np.arange(12.0))");
        l.raises("open_memmap(open(p, 'rb'))", "ValueError");
        let file = File::open(l.path())?;
        // SAFETY: no other code uses the file.
        let a = unsafe { npy::Options::new(Mode::ReadOnly).map::<f64, Ix1>(&file)? };
        l.same_as("open_memmap(p)", array(&a));
        Ok(())
    }),
    ("`open_memmap`: `mode` (`r+`)", |l| {
        l.same_as("open_memmap(p).mode", json!("r+"));
        for mode in [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite] {
            // SAFETY: no other code uses the file.
            let a = unsafe { npy::open::<f64, Ix1>(l.path(), mode)? };
            l.same_as(&format!("open_memmap(p, '{mode}')"), array(&a));
        }
        let p = &l.our_path();
        for mode in [Mode::Create, Mode::CreateNew, Mode::Append] {
            if mode == Mode::CreateNew { fs::remove_file(p)?; }
            // SAFETY: as above.
            let a = unsafe { npy::Options::new(mode).create::<f64, _>(p, 12)? };
            let code = format!("open_memmap(p, '{mode}', 'f8', (12,))");
            if mode == Mode::Create { l.same_as(&code, array(&a)); } else { l.raises(&code, "ValueError"); }
        }
        // SAFETY: as above.
        let a = unsafe { npy::create::<f64, _>(p, 12)? };
        l.same_as("open_memmap(p, 'w+', 'f8', (12,))", array(&a));
        Ok(())
    }),
    ("`open_memmap`: `dtype`, `shape`, ignored except in `w+`", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { npy::open::<f64, Ix1>(l.path(), Mode::ReadOnly)? };
        l.same_as("open_memmap(p, 'r', 'f4', (3, 3))", array(&a));
        // SAFETY: as above.
        let a = unsafe { npy::open::<f32, Ix1>(l.path(), Mode::ReadOnly) };
        l.check(matches!(a.unwrap_err().kind(), ErrorKind::Npy(NpyErrorKind::ElementType { .. })), true);
        // SAFETY: as above.
        let a = unsafe { npy::open::<f64, Ix2>(l.path(), Mode::ReadOnly) };
        l.check(matches!(a.unwrap_err().kind(), ErrorKind::Npy(NpyErrorKind::Axes { .. })), true);
        Ok(())
    }),
    ("`open_memmap`: `fortran_order` (`False`)", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { npy::create::<f64, _>(l.our_path(), (3, 4).f())? };
        l.same_as("open_memmap(p, 'w+', 'f8', (3, 4), True)", array(&a));
        same_files(l)?;
        // SAFETY: as above.
        let a = unsafe { Options::new(Mode::Create).order(ndarray::Order::F).create::<f64, _>(l.our_path(), 5)? };
        l.same_as("open_memmap(p, 'w+', 'f8', (5,), True)", array(&a));
        same_files(l)
    }),
    ("`open_memmap`: `version` (the oldest that suffices)", |l| {
        for (version, theirs) in [(Version::V1, "(1, 0)"), (Version::V2, "(2, 0)"), (Version::V3, "(3, 0)")] {
            // SAFETY: no other code uses the file.
            let a = unsafe { Options::new(Mode::Create).version(version).create::<f64, _>(l.our_path(), 5)? };
            l.same_as(&format!("open_memmap(p, 'w+', 'f8', (5,), False, {theirs})"), array(&a));
            same_files(l)?;
        }
        Ok(())
    }),
    ("`open_memmap`: `max_header_size` (10,000)", |l| long_header(l, "open_memmap(p, 'r'")),
    ("`np.load`: `mmap_mode` (`None`)", |l| {
        l.run("np.save(p, np.arange(12.0))");
        l.same_as("np.load(p)", array(&npy::load::<f64, Ix1>(l.path())?));
        // SAFETY: no other code uses the file.
        let a = unsafe { npy::open::<f64, Ix1>(l.path(), Mode::CopyOnWrite)? };
        l.same_as("np.load(p, 'c')", array(&a));
        Ok(())
    }),
    ("`np.load`: `allow_pickle` (`False`), `fix_imports`, `encoding`", |l| {
        l.run("np.save(p, np.array([None]))");
        l.raises("np.load(p)", "ValueError");
        let error = npy::load::<f64, Ix1>(l.path()).unwrap_err();
        l.check(matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::ObjectType)), true);
        Ok(())
    }),
    ("`np.load`: a `.npz` file, which NumPy never maps", |l| {
        l.run("f = open(p, 'wb'); np.savez(f, a=np.arange(3.0)); f.close()");
        l.same_as("type(np.load(p, 'r')['a']).__name__", json!("ndarray"));
        let error = npy::load::<f64, Ix1>(l.path()).unwrap_err();
        l.check(matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::Npz)), true);
        Ok(())
    }),
    ("`np.load`: `max_header_size` (10,000)", |l| long_header(l, "np.load(p")),
];

/// Writes 12 elements of 8 bytes, and returns the path of the file.
fn written(l: &Live) -> std::io::Result<std::path::PathBuf> {
    fs::write(l.path(), noise(11, 96))?;
    Ok(l.path())
}

fn same_files(l: &mut Live) -> Outcome {
    let files = (fs::read(l.our_path())?, fs::read(l.path())?);
    l.check(files.0, files.1);
    Ok(())
}

/// Reads a file with a header of 20,000 bytes.
fn long_header(l: &mut Live, code: &str) -> Outcome {
    let dict = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }";
    let header =
        [b"\x93NUMPY\x01\x00\x20\x4e", format!("{dict:<19999}\n").as_bytes(), b"abc"]
            .concat();
    fs::write(l.path(), header)?;
    l.raises(&format!("{code})"), "ValueError");
    let error = npy::load::<u8, Ix1>(l.path()).unwrap_err();
    l.check(
        matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { .. })),
        true,
    );
    let a =
        Options::new(Mode::ReadOnly).max_header_size(20_010).load::<u8, Ix1>(l.path())?;
    l.same_as(&format!("{code}, max_header_size=20_010)"), array(&a));
    Ok(())
}
