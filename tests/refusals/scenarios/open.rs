//! Opening existing files.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;

use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{Advice, MapOptions, MmapArray2, Mode, Result};
use rustix::fs::{MemfdFlags, SealFlags};

use super::{
    ROW, Scenario, assert_holds, assert_rows, map, numbers, open_rows, row, write_raw,
};
use crate::trial::Trial;

/// Opens a file of 3 rows with some options, which must not change the file.
fn opens(t: &Trial, options: &MapOptions<ndarray::Ix2>) {
    opens_rows(t, 3, options);
}

fn opens_rows(t: &Trial, rows: usize, options: &MapOptions<ndarray::Ix2>) {
    let path = t.path("a");
    write_raw(&path, rows);
    let a: Result<MmapArray2<u32>> = t.refused(|| map(options, &path));
    if let Ok(a) = &a {
        assert_holds(a, rows);
    }
    drop(a);
    assert_rows(&path, rows);
}

fn of(mode: Mode) -> MapOptions<ndarray::Ix2> {
    MapOptions::new(mode).rows_of(ROW)
}

/// The rows of a large file, of which 2 MiB are populated at a time.
const LARGE: usize = 600;

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("open r", |t| opens(t, &of(ReadOnly))),
        row("open c", |t| opens(t, &of(CopyOnWrite))),
        row("open r+", |t| opens(t, &of(ReadWrite))),
        row("open r lock", |t| opens(t, &of(ReadOnly).lock(true))),
        row("open c lock", |t| opens(t, &of(CopyOnWrite).lock(true))),
        row("open r+ lock", |t| opens(t, &of(ReadWrite).lock(true))),
        row("open r populate", |t| opens(t, &of(ReadOnly).populate(true))),
        row("open c populate", |t| opens(t, &of(CopyOnWrite).populate(true))),
        row("open r+ populate large", |t| {
            opens_rows(t, LARGE, &of(ReadWrite).populate(true));
        }),
        row("open r advice", |t| opens(t, &of(ReadOnly).advice(Advice::HugePage))),
        row("open r+ advice lock populate", |t| {
            let options = of(ReadWrite).advice(Advice::Random).lock(true).populate(true);
            opens(t, &options);
        }),
        row("open r through a link", |t| {
            write_raw(&t.path("b"), 3);
            symlink(t.path("b"), t.path("a")).unwrap();
            let a = t.refused(|| open_rows(&t.path("a"), ReadOnly));
            drop(a);
            fs::remove_file(t.path("a")).unwrap();
            assert_rows(&t.path("b"), 3);
        }),
        row("open r of an empty file lock", |t| {
            fs::write(t.path("a"), []).unwrap();
            let a = t.refused(|| map::<u32, _>(&of(ReadOnly).lock(true), t.path("a")));
            assert!(a.is_ok_and(|a| a.nrows() == 0) || !t.path("a").is_dir());
        }),
        row("open r+ grow", |t| grows(t, false)),
        row("open r+ grow sparse", |t| grows(t, true)),
        row("map r", |t| maps(t, ReadOnly, false)),
        row("map c lock", |t| maps(t, CopyOnWrite, true)),
        row("map r+", |t| maps(t, ReadWrite, false)),
        row("map r+ lock", |t| maps(t, ReadWrite, true)),
        row("load r", |t| loads(t, &of(ReadOnly), 3)),
        row("load c lock", |t| loads(t, &of(CopyOnWrite).lock(true), 3)),
        row("load r large", |t| loads(t, &of(ReadOnly), 2100)),
        row("load offset", |t| {
            write_raw(&t.path("a"), 3);
            let options = MapOptions::new(ReadOnly).offset(1).shape((2, ROW));
            let a = t.refused(|| options.load::<u32>(t.path("a")));
            assert!(a.is_ok_and(|a| a[[0, 0]] != 0) || t.path("a").exists());
            assert_rows(&t.path("a"), 3);
        }),
        row("open_immutable", |t| {
            let file = sealed();
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            let a = t.refused(|| of(ReadOnly).open_immutable::<u32>(path));
            if let Ok(a) = &a {
                assert_holds(a, 3);
            }
        }),
        row("map_immutable lock", |t| {
            let file = sealed();
            let a = t.refused(|| of(ReadOnly).lock(true).map_immutable::<u32>(&file));
            if let Ok(a) = &a {
                assert_holds(a, 3);
            }
        }),
        row("drop r", |t| drops(t, ReadOnly)),
        row("drop c", |t| drops(t, CopyOnWrite)),
        row("drop r+", |t| drops(t, ReadWrite)),
    ]
}

fn grows(t: &Trial, sparse: bool) {
    let path = t.path("a");
    write_raw(&path, 3);
    let options = MapOptions::new(ReadWrite).grow(true).sparse(sparse).shape((5, ROW));
    let a = t.refused(|| map::<u32, _>(&options, &path));
    let rows = if a.is_ok() { 5 } else { 3 };
    drop(a);
    let a = open_rows(&path, ReadOnly).unwrap();
    assert_eq!(a.nrows(), rows);
    assert!(a.iter().copied().take(3 * ROW).eq(0..3072));
}

fn maps(t: &Trial, mode: Mode, lock: bool) {
    let path = t.path("a");
    write_raw(&path, 3);
    let file = File::options().read(true).write(true).open(&path).unwrap();
    // SAFETY: the file is in the test's own folder.
    let a = t.refused(|| unsafe { of(mode).lock(lock).map::<u32>(&file) });
    if let Ok(a) = &a {
        assert_holds(a, 3);
    } else {
        // The lock is released, although the file is open.
        File::open(&path).unwrap().try_lock().unwrap();
    }
    drop(a);
    drop(file);
    assert_rows(&path, 3);
}

fn loads(t: &Trial, options: &MapOptions<ndarray::Ix2>, rows: usize) {
    let path = t.path("a");
    write_raw(&path, rows);
    let a = t.refused(|| options.load::<u32>(&path));
    if let Ok(a) = &a {
        assert_holds(a, rows);
    }
    drop(a);
    assert_rows(&path, rows);
}

fn drops(t: &Trial, mode: Mode) {
    write_raw(&t.path("a"), 3);
    let a = open_rows(&t.path("a"), mode).unwrap();
    let dropped = t.refused(|| {
        drop(a);
        Ok(())
    });
    assert_eq!(dropped.is_err(), t.is_idle());
    assert_rows(&t.path("a"), 3);
}

/// Returns a sealed file in memory.
fn sealed() -> File {
    let file = rustix::fs::memfd_create("sealed", MemfdFlags::ALLOW_SEALING).unwrap();
    let file = File::from(file);
    let bytes = numbers(3);
    std::io::Write::write_all(
        &mut &file,
        bytemuck::cast_slice(bytes.as_slice().unwrap()),
    )
    .unwrap();
    rustix::fs::fcntl_add_seals(
        &file,
        SealFlags::SHRINK | SealFlags::WRITE | SealFlags::GROW,
    )
    .unwrap();
    file
}
