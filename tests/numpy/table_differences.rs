//! The rows of the section "Some key differences" of the chapter for NumPy users.

use std::fs;

use ndarray::s;
use ndarray_memmap::{Be, ErrorKind, Le, Mode, Reductions};
use serde_json::{Value, json};

use crate::elements::noise;
use crate::table::{Row, array, o, panics, scalar};

#[rustfmt::skip]
pub(crate) const ROWS: &[Row] = &[
    ("the element type is an argument, `uint8` by default", |l| {
        fs::write(l.path(), noise(1, 96))?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<f64>(l.path())? };
        l.same_as("np.memmap(p, float)", array(&a));
        l.same_as("np.memmap(p).dtype", json!("|u1"));
        Ok(())
    }),
    ("the mode is `r+` by default, so a mistyped array name can change a file", |l| {
        fs::write(l.path(), noise(1, 96))?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<f64>(l.path())? };
        l.same_as("np.memmap(p).mode", json!("r+"));
        l.check(a.is_writable(), false);
        Ok(())
    }),
    ("a change of an array in mode `r` raises an exception", |l| {
        // SAFETY: no other code uses the file.
        let mut a = unsafe { o(Mode::ReadOnly).open::<f64>(l.path())? };
        l.run("a = np.memmap(p, 'f8', 'r')");
        l.raises("a[0] = 1", "ValueError");
        l.check(matches!(a.view_mut().unwrap_err().kind(), ErrorKind::ReadOnly), true);
        Ok(())
    }),
    ("`r+` extends a short file silently", |l| {
        for path in [l.path(), l.our_path()] { fs::write(path, noise(1, 16))?; }
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadWrite).shape(5).open::<f64>(l.our_path()) };
        l.check(matches!(a.unwrap_err().kind(), ErrorKind::FileTooShort { .. }), true);
        l.check(fs::read(l.our_path())?, noise(1, 16));
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadWrite).grow(true).shape(5).open::<f64>(l.our_path())? };
        l.same_as("np.memmap(p, 'f8', 'r+', shape=5)", array(&a));
        Ok(())
    }),
    ("`w+` empties the file, then checks the shape", |l| {
        for path in [l.path(), l.our_path()] { fs::write(path, noise(1, 16))?; }
        l.raises("np.memmap(p, 'f8', 'w+', shape=(1 << 62,))", "ValueError");
        l.check(fs::read(l.path())?.len() <= 1, true);
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::Create).shape(1 << 62).open::<f64>(l.our_path()) };
        l.check(matches!(a.unwrap_err().kind(), ErrorKind::TooLarge), true);
        l.check(fs::read(l.our_path())?, noise(1, 16));
        Ok(())
    }),
    ("`w+` creates a sparse file; when the disk is full the program dies", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::Create).sparse(true).shape(100_000).open::<f64>(l.our_path())? };
        l.same_as("np.memmap(p, 'f8', 'w+', shape=100_000)", array(&a));
        // SAFETY: as above.
        let a = unsafe { o(Mode::Create).shape(100_000).open::<f64>(l.our_path())? };
        #[cfg(target_os = "linux")]
        l.check(std::os::unix::fs::MetadataExt::blocks(&fs::metadata(l.our_path())?) * 512 >= 800_000, true);
        l.same_as("os.stat(p).st_size", json!(a.nbytes()));
        Ok(())
    }),
    ("sums small integers in wider integers, and floats pairwise", |l| {
        let a = l.open(&[255_u8], &[12], 'C');
        l.same_as("a.sum()", scalar(u64::try_from(a.wide_sum())?));
        l.check(panics(|| a.sum()), cfg!(debug_assertions));
        let a = l.open(&[16_777_216.0_f32, 1.0, 1.0], &[3], 'C');
        l.same_as("a.sum(dtype='f8')", scalar(a.wide_sum()));
        l.check(f64::from(a.sum()) == a.wide_sum(), false);
        Ok(())
    }),
    ("an empty array leaves one byte in the file", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::Create).shape((0, 3)).open::<f64>(l.our_path())? };
        l.same_as("np.memmap(p, 'f8', 'w+', shape=(0, 3))", array(&a));
        l.check((fs::read(l.path())?.len(), fs::read(l.our_path())?.len()), (1, 0));
        Ok(())
    }),
    ("reads unaligned data slowly", |l| {
        fs::write(l.path(), noise(1, 97))?;
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).offset(1).open::<f64>(l.path()) };
        l.check(matches!(a.unwrap_err().kind(), ErrorKind::Misaligned { .. }), true);
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadOnly).offset(1).open::<Le<f64>>(l.path())? };
        l.same_as("np.memmap(p, '<f8', 'r', 1)", array(&a));
        // SAFETY: as above.
        let a = unsafe { o(Mode::ReadOnly).offset(1).open::<Be<f64>>(l.path())? };
        l.same_as("np.memmap(p, '>f8', 'r', 1)", array(&a));
        Ok(())
    }),
    // Failing disks are in the chapter on faults, which compares NumPy too.
    ("when the disk fails, `flush` raises an exception once and then succeeds; in mode `c` it succeeds and writes nothing", |l| {
        fs::write(l.path(), [0; 24])?;
        // SAFETY: no other code uses the file.
        let mut a = unsafe { o(Mode::CopyOnWrite).open::<f64>(l.path())? };
        a.view_mut()?[1] = 1.0;
        l.check(matches!(a.sync().unwrap_err().kind(), ErrorKind::PrivateChanges), true);
        l.run("a = np.memmap(p, 'f8', 'c'); a[1] = 1");
        l.same_as("a.flush()", Value::Null);
        l.check(fs::read(l.path())?, vec![0; 24]);
        a.commit()?;
        l.same_as("np.memmap(p, 'f8', 'r')", array(&a));
        Ok(())
    }),
    ("each array keeps a file descriptor", |l| {
        #[cfg(target_os = "linux")]
        {
            let path = l.path();
            let count = || -> std::io::Result<usize> {
                let links = fs::read_dir("/proc/self/fd")?.flatten().map(|entry| fs::read_link(entry.path()));
                Ok(links.filter(|link| link.as_ref().is_ok_and(|link| *link == path)).count())
            };
            // SAFETY: no other code uses the file.
            let a = unsafe { o(Mode::ReadOnly).open::<f64>(&path)? };
            l.check((count()?, a.len()), (0, 3));
            l.run("a = np.memmap(p, 'f8', 'r')");
            let code = "sum(os.path.realpath(f'/proc/self/fd/{fd}') == os.path.realpath(p) for fd in os.listdir('/proc/self/fd'))";
            l.same_as(code, json!(1));
        }
        l.run("a = np.memmap(p, 'f8', 'r')");
        l.same_as("len(a)", json!(3));
        Ok(())
    }),
    ("slices keep the file mapped", |l| {
        // SAFETY: no other code uses the file.
        let a = unsafe { o(Mode::ReadOnly).open::<f64>(l.path())? };
        let slice = a.slice(s![1..]);
        l.run("a = np.memmap(p, 'f8', 'r'); b = a[1:]; del a");
        l.same_as("b", array(&slice));
        Ok(())
    }),
];
