//! `.npy` files and windows of them.

use std::fs::{self, File};

use ndarray::{Ix2, s};
use ndarray_memmap::Mode::{Append, CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, DynArray, Header, Options};
use ndarray_memmap::partition::Partition;
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray2, Mode, Result};

use super::{FIRST, ROW, Scenario, assert_holds, numbers, row};
use crate::contents::Left;
use crate::trial::Trial;

/// Writes a `.npy` file of some rows, with NumPy's header or one without room.
fn write(t: &Trial, rows: usize, has_room: bool) {
    let text =
        format!("{{'descr': '<u4', 'fortran_order': False, 'shape': ({rows}, 1024), }}");
    let len = if has_room { 118 } else { text.len() + 1 };
    let len_field = u16::try_from(len).unwrap().to_le_bytes();
    let header = [
        &b"\x93NUMPY\x01\x00"[..],
        &len_field,
        format!("{text:<0$}\n", len - 1).as_bytes(),
    ]
    .concat();
    let numbers = numbers(rows);
    let bytes = bytemuck::cast_slice(numbers.as_slice().unwrap());
    fs::write(t.path("a.npy"), [&header, bytes].concat()).unwrap();
}

fn reopened(t: &Trial) -> MmapArray2<u32> {
    npy::load::<u32, Ix2>(t.path("a.npy")).unwrap()
}

fn opens(t: &Trial, options: &Options) {
    write(t, 3, true);
    // SAFETY: the file is in the test's own folder.
    let a = t.refused(|| unsafe { options.open::<u32, Ix2>(t.path("a.npy")) });
    if let Ok(a) = &a {
        assert_holds(a, 3);
    }
    drop(a);
    assert_holds(&reopened(t), 3);
}

fn of(mode: Mode) -> Options {
    Options::new(mode)
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("npy open r", |t| opens(t, &of(ReadOnly))),
        row("npy open c populate", |t| opens(t, &of(CopyOnWrite).populate(true))),
        row("npy open r+", |t| opens(t, &of(ReadWrite))),
        row("npy open r+ lock", |t| opens(t, &of(ReadWrite).lock(true))),
        row("npy load", |t| {
            write(t, 3, true);
            let a = t.refused(|| npy::load::<u32, Ix2>(t.path("a.npy")));
            if let Ok(a) = &a {
                assert_holds(a, 3);
            }
            drop(a);
            assert_holds(&reopened(t), 3);
        }),
        row("npy DynArray::open", |t| {
            write(t, 3, true);
            // SAFETY: the file is in the test's own folder.
            let a = t.refused(|| unsafe { DynArray::open(t.path("a.npy"), ReadOnly) });
            assert!(a.is_ok_and(|a| a.shape() == [3, ROW]) || t.path("a.npy").exists());
        }),
        row("npy Header::read", |t| {
            write(t, 3, true);
            let file = File::open(t.path("a.npy")).unwrap();
            let header = t.refused(|| Header::read(&file));
            assert!(
                header.is_err() || header.is_ok_and(|header| header.shape() == [3, ROW])
            );
        }),
        row("npy create new", |t| creates(t, &of(Create))),
        row("npy create x+ lock", |t| creates(t, &of(CreateNew).lock(true))),
        row("npy create a+ new", |t| opens_or_creates(t, 0)),
        row("npy create a+ existing", |t| opens_or_creates(t, 2)),
        row("npy save over a file", |t| {
            write(t, 2, true);
            t.may_leave(Left::Either);
            let saved = t.refused(|| npy::save(t.path("a.npy"), &numbers(3)));
            // The new file is there if only its name could not be written to disk.
            let rows = reopened(t).nrows();
            assert!(rows == 3 || rows == 2 && saved.is_err());
            assert_holds(&reopened(t), rows);
        }),
        row("npy create with a large header", |t| {
            creates(t, &of(Create).data_align(4096));
        }),
        row("npy create over a file", |t| {
            write(t, 2, true);
            let created = t.refused(|| create(t, &of(Create)));
            match created {
                Ok(a) => assert!(a.iter().all(|x| *x == 0)),
                // The header cannot be written: the file is lost.
                Err(_)
                    if t.refuses(libc::SYS_pwrite64)
                        || t.refuses(libc::SYS_ftruncate) =>
                {
                    t.may_leave(Left::Lost);
                }
                Err(_) => assert_holds(&reopened(t), 2),
            }
        }),
        row("npy create, fill and close", |t| {
            t.may_leave(Left::Either);
            let _ = t.refused(|| {
                let mut a = create(t, &of(Create))?;
                a.view_mut()?.assign(&numbers(3));
                a.close()
            });
            if t.path("a.npy").exists() {
                assert_holds(&reopened(t), 3);
            }
        }),
        row("npy draft publish", |t| {
            write(t, 2, true);
            let mut draft = npy::draft::<u32, _>(t.path("a.npy"), (3, ROW)).unwrap();
            draft.view_mut().assign(&numbers(3));
            t.may_leave(Left::Either);
            let published = t.refused(|| draft.publish());
            let a = reopened(t);
            assert_holds(&a, a.nrows());
            assert!(published.is_err() || a.nrows() == 3);
        }),
        row("npy draft", |t| {
            let draft = t.refused(|| npy::draft::<u32, _>(t.path("a.npy"), (3, ROW)));
            drop(draft);
            assert!(!t.path("a.npy").exists());
        }),
        row("npy make_growable", |t| {
            write(t, 3, false);
            t.may_leave(Left::Either);
            let made = t.refused(|| npy::make_growable(t.path("a.npy")));
            assert_holds(&reopened(t), 3);
            if made.is_ok() {
                let options = of(ReadWrite);
                // SAFETY: the file is in the test's own folder.
                let mut a = unsafe { options.open::<u32, Ix2>(t.path("a.npy")) }.unwrap();
                a.push(FIRST, &super::next_row(3)).unwrap();
                assert_holds(&a, 4);
                a.resize(FIRST, 3).unwrap();
            }
        }),
        row("npy make_growable of what is", |t| {
            write(t, 3, true);
            let _ = t.refused(|| npy::make_growable(t.path("a.npy")));
            assert_holds(&reopened(t), 3);
        }),
        row("npy first push to a header of NumPy", |t| {
            write(t, 3, true);
            let options = of(ReadWrite);
            // SAFETY: the file is in the test's own folder.
            let mut a = unsafe { options.open::<u32, Ix2>(t.path("a.npy")) }.unwrap();
            let pushed = t.refused(|| a.push(FIRST, &super::next_row(3)));
            let rows = 3 + usize::from(pushed.is_ok());
            assert_holds(&a, rows);
            assert_holds(&reopened(t), rows);
            drop(a);
            assert_holds(&reopened(t), rows);
        }),
        row("window open r", |t| opens_window(t, ReadOnly)),
        row("window open r+ and sync", |t| opens_window(t, ReadWrite)),
        row("window open c populate", |t| opens_window(t, CopyOnWrite)),
    ]
}

fn create(t: &Trial, options: &Options) -> Result<MmapArray2<u32>> {
    // SAFETY: the file is in the test's own folder.
    unsafe { options.create::<u32, _>(t.path("a.npy"), (3, ROW)) }
}

/// Opens a file of some rows in mode `a+`, or creates a file if there is none.
fn opens_or_creates(t: &Trial, rows: usize) {
    let path = t.path("a.npy");
    if rows > 0 {
        write(t, rows, true);
    }
    let a = t.refused(|| create(t, &of(Append)));
    if let Ok(mut a) = a {
        assert_holds(&a, rows);
        a.append(FIRST, &numbers(3).slice(s![rows.., ..])).unwrap();
        a.close().unwrap();
        assert_holds(&reopened(t), 3);
        fs::remove_file(&path).unwrap();
    } else if rows > 0 {
        assert_holds(&reopened(t), rows);
    } else if path.exists() {
        // An error may leave the new file, which is whole.
        assert_holds(&reopened(t), 0);
        fs::remove_file(&path).unwrap();
    }
}

fn creates(t: &Trial, options: &Options) {
    let a = t.refused(|| create(t, options));
    if let Ok(mut a) = a {
        assert!(a.iter().all(|x| *x == 0));
        a.view_mut().unwrap().assign(&numbers(3));
        a.close().unwrap();
        assert_holds(&reopened(t), 3);
    } else {
        if matches!(
            a.as_ref().map_err(ndarray_memmap::Error::kind),
            Err(ErrorKind::Locked)
        ) {
            assert!(fs::read(t.path("a.npy")).unwrap().is_empty());
            fs::remove_file(t.path("a.npy")).unwrap();
        }
        assert!(!t.path("a.npy").exists());
    }
}

fn opens_window(t: &Trial, mode: Mode) {
    write(t, 4, true);
    let header = Header::read(&File::open(t.path("a.npy")).unwrap()).unwrap();
    let partition = Partition::new(&header, FIRST, 2).unwrap();
    let window = partition.window(t.path("a.npy"), 1).unwrap();
    let options = MapOptions::new(mode).populate(mode == CopyOnWrite);
    let opened = t.refused(|| {
        // SAFETY: the file is in the test's own folder.
        let a = unsafe { window.open_with::<u32, Ix2>(&options)? };
        if mode == ReadWrite {
            a.sync()?;
        }
        Ok(a)
    });
    if let Ok(a) = &opened {
        assert_eq!(a.row(0)[0], 2048);
    }
    drop(opened);
    assert_holds(&reopened(t), 4);
}
