//! Arrays that grow and shrink, and readers that follow them.

use std::fs;

use ndarray::{Array2, ArrayRef1, Axis, Ix2, ShapeBuilder, s};
use ndarray_memmap::Mode::{ReadOnly, ReadWrite};
use ndarray_memmap::{ErrorKind, MmapArray2, Mode, Result, npy};

use super::{
    FIRST, ROW, Scenario, assert_holds, assert_rows, next_row, numbers, open_rows, row,
    write_raw,
};
use crate::contents::Left;
use crate::trial::Trial;

/// How many rows the files have at first.
const OLD: usize = 3;

/// Creates a `.npy` file of rows and closes it.
fn write_npy(t: &Trial, rows: usize) {
    // SAFETY: the file is in the test's own folder.
    let a = unsafe { npy::create::<u32, _>(t.path("a.npy"), (rows, ROW)) };
    let mut a = a.unwrap();
    a.view_mut().unwrap().assign(&numbers(rows));
    a.close().unwrap();
}

fn open_npy(t: &Trial, mode: Mode) -> Result<MmapArray2<u32>> {
    // SAFETY: the file is in the test's own folder.
    unsafe { npy::open::<u32, Ix2>(t.path("a.npy"), mode) }
}

/// Opens a raw file or a `.npy` file of 3 rows.
fn opened(t: &Trial, is_npy: bool) -> MmapArray2<u32> {
    if is_npy {
        write_npy(t, OLD);
        return open_npy(t, ReadWrite).unwrap();
    }
    write_raw(&t.path("a"), OLD);
    open_rows(&t.path("a"), ReadWrite).unwrap()
}

/// Asserts that an array has `rows` rows, and so does an array that is opened now.
fn check(t: &Trial, a: &MmapArray2<u32>, is_npy: bool, rows: usize) {
    assert_holds(a, rows);
    let other =
        if is_npy { open_npy(t, ReadOnly) } else { open_rows(&t.path("a"), ReadOnly) };
    assert_holds(&other.unwrap(), rows);
}

/// Extends or shrinks an array; then appends a row to it, unless a sync has failed.
fn grows(
    t: &Trial,
    is_npy: bool,
    prepare: impl FnOnce(&mut MmapArray2<u32>),
    operate: impl FnOnce(&mut MmapArray2<u32>) -> Result<()>,
) {
    let mut a = opened(t, is_npy);
    prepare(&mut a);
    let before = a.nrows();
    let grown = t.refused(|| operate(&mut a));
    if grown.is_err() {
        assert_eq!(a.nrows(), before, "{grown:?}");
    }
    let rows = a.nrows();
    check(t, &a, is_npy, rows);
    // After a failed operation the array still grows, or reports that it is poisoned.
    match a.push(FIRST, &next_row(rows)) {
        Ok(()) => {
            check(t, &a, is_npy, rows + 1);
            a.resize(FIRST, rows).unwrap();
        }
        Err(e) => {
            assert!(grown.is_err() && matches!(e.kind(), ErrorKind::Poisoned), "{e:?}")
        }
    }
    check(t, &a, is_npy, rows);
    drop(a);
    if is_npy {
        assert_holds(&open_npy(t, ReadWrite).unwrap(), rows);
    } else {
        assert_rows(&t.path("a"), rows);
    }
}

fn push(a: &mut MmapArray2<u32>) -> Result<()> {
    a.push(FIRST, &next_row(a.nrows()))
}

fn append(a: &mut MmapArray2<u32>, added: usize) -> Result<()> {
    let rows = a.nrows();
    a.append(FIRST, &numbers(rows + added).slice(s![rows.., ..]))
}

fn nothing(_: &mut MmapArray2<u32>) {}

fn pushed(a: &mut MmapArray2<u32>) {
    push(a).unwrap();
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("push raw", |t| grows(t, false, nothing, push)),
        row("push raw again", |t| grows(t, false, pushed, push)),
        row("append raw", |t| grows(t, false, nothing, |a| append(a, 2))),
        row("append raw large", |t| grows(t, false, nothing, |a| append(a, 20))),
        row("append raw in another order", |t| {
            grows(t, false, nothing, |a| {
                let mut rows = Array2::zeros((2, ROW).f());
                rows.assign(&numbers(5).slice(s![3.., ..]));
                a.append(FIRST, &rows)
            });
        }),
        row("resize raw up", |t| resizes(t, false, 5)),
        row("resize raw down", |t| resizes(t, false, 2)),
        row("resize raw to nothing", |t| resizes(t, false, 0)),
        row("push npy", |t| grows(t, true, nothing, push)),
        row("push npy again", |t| grows(t, true, pushed, push)),
        row("push npy thrice", |t| {
            let mut a = opened(t, true);
            let pushed = t.refused(|| (0..3).try_for_each(|_| push(&mut a)));
            let rows = a.nrows();
            assert!(
                (OLD..OLD + 4).contains(&rows) && pushed.is_ok() == (rows == OLD + 3)
            );
            check(t, &a, true, rows);
            drop(a);
            assert_holds(&open_npy(t, ReadWrite).unwrap(), rows);
            if pushed.is_err() {
                write_npy(t, OLD);
            }
        }),
        row("append npy", |t| grows(t, true, nothing, |a| append(a, 2))),
        row("append npy large", |t| grows(t, true, nothing, |a| append(a, 20))),
        row("append npy large after a push", |t| {
            grows(t, true, pushed, |a| append(a, 20))
        }),
        row("append npy large and more", |t| grows(t, true, pushed, |a| append(a, 600))),
        row("push npy and sync", |t| syncs(t, |a| a.sync())),
        row("push npy and region sync", |t| syncs(t, |a| a.region(s![0.., ..]).sync())),
        row("push npy and close", |t| {
            let mut a = opened(t, true);
            pushed(&mut a);
            t.may_leave(Left::DoneOrLonger);
            let _ = t.refused(|| a.close());
            assert_holds(&open_npy(t, ReadOnly).unwrap(), OLD + 1);
            // The next writer that resizes the array truncates the file to the end of its array.
            let mut a = open_npy(t, ReadWrite).unwrap();
            pushed(&mut a);
            a.resize(FIRST, OLD + 1).unwrap();
        }),
        row("push npy and drop", |t| {
            let mut a = opened(t, true);
            pushed(&mut a);
            t.may_leave(Left::DoneOrLonger);
            let _ = t.refused(|| {
                drop(a);
                Ok(())
            });
            assert_holds(&open_npy(t, ReadOnly).unwrap(), OLD + 1);
        }),
        row("push npy in Fortran order", |t| {
            let path = t.path("a.npy");
            // SAFETY: the file is in the test's own folder.
            let a = unsafe { npy::create::<u32, _>(&path, (ROW, OLD).f()) };
            let mut a = a.unwrap();
            a.view_mut().unwrap().assign(&numbers(OLD).t());
            a.sync().unwrap();
            let pushed = t.refused(|| a.push(Axis(1), &next_row(OLD)));
            let rows = OLD + usize::from(pushed.is_ok());
            let holds = |a: &MmapArray2<u32>| assert_eq!(a.t(), numbers(rows));
            holds(&a);
            drop(a);
            // SAFETY: as above.
            holds(&unsafe { npy::open(&path, ReadOnly) }.unwrap());
        }),
        row("resize npy up", |t| resizes(t, true, 5)),
        row("resize npy down", |t| resizes(t, true, 2)),
        row("resize npy up after a push", |t| resizes_after_push(t, 6)),
        row("resize npy down after a push", |t| resizes_after_push(t, 2)),
        row("refresh raw", |t| {
            write_raw(&t.path("a"), OLD);
            let mut reader = open_rows(&t.path("a"), ReadOnly).unwrap();
            write_raw(&t.path("a"), OLD + 2);
            follows(t, &mut reader);
        }),
        row("refresh raw lock", |t| {
            write_raw(&t.path("a"), OLD);
            let options =
                ndarray_memmap::MapOptions::new(ReadOnly).rows_of(ROW).lock(true);
            let mut reader = super::map(&options, t.path("a")).unwrap();
            write_raw(&t.path("a"), OLD + 2);
            follows(t, &mut reader);
        }),
        row("refresh raw from nothing", |t| {
            fs::write(t.path("a"), []).unwrap();
            let mut reader = open_rows(&t.path("a"), ReadOnly).unwrap();
            write_raw(&t.path("a"), OLD + 2);
            follows(t, &mut reader);
        }),
        row("refresh npy", |t| {
            let mut writer = opened(t, true);
            let mut reader = open_npy(t, ReadOnly).unwrap();
            append(&mut writer, 2).unwrap();
            follows(t, &mut reader);
        }),
    ]
}

fn resizes(t: &Trial, is_npy: bool, rows: usize) {
    resizes_from(t, is_npy, nothing, rows);
}

fn resizes_after_push(t: &Trial, rows: usize) {
    resizes_from(t, true, pushed, rows);
}

/// Changes the number of rows; added rows are zeros.
fn resizes_from(
    t: &Trial,
    is_npy: bool,
    prepare: impl FnOnce(&mut MmapArray2<u32>),
    rows: usize,
) {
    let mut a = opened(t, is_npy);
    prepare(&mut a);
    let before = a.nrows();
    let resized = t.refused(|| a.resize(FIRST, rows));
    let now = if resized.is_ok() { rows } else { before };
    let mut expected = Array2::zeros((now, ROW));
    let kept = now.min(before);
    expected.slice_mut(s![..kept, ..]).assign(&numbers(kept));
    assert_eq!(a.dim(), expected.dim());
    assert_eq!(a, expected);
    let other =
        if is_npy { open_npy(t, ReadOnly) } else { open_rows(&t.path("a"), ReadOnly) };
    assert_eq!(other.unwrap(), expected);
    // A failed operation can be repeated.
    if let Err(e) = &resized
        && !t.is_idle()
    {
        match a.resize(FIRST, before).map_err(ndarray_memmap::Error::into_kind) {
            Ok(()) => assert_eq!(a, expected),
            Err(ErrorKind::Poisoned) => {}
            Err(again) => panic!("{again:?} after {e:?}"),
        }
    }
}

/// Pushes a row and syncs, which may fail; the array has the row.
fn syncs(t: &Trial, sync: impl FnOnce(&MmapArray2<u32>) -> Result<()>) {
    let mut a = opened(t, true);
    pushed(&mut a);
    t.may_leave(Left::DoneOrLonger);
    let synced = t.refused(|| sync(&a));
    check(t, &a, true, OLD + 1);
    let again = a.sync();
    assert!(t.is_idle() || synced.is_ok() == again.is_ok(), "{synced:?} {again:?}");
}

/// Refreshes an array of 3 rows, whose file has 5.
fn follows(t: &Trial, reader: &mut MmapArray2<u32>) {
    let before = reader.nrows();
    let refreshed = t.refused(|| reader.refresh());
    assert_holds(reader, if refreshed.is_ok() { OLD + 2 } else { before });
    reader.refresh().unwrap();
    assert_holds(reader, OLD + 2);
    let first: &ArrayRef1<u32> = &reader.row(0);
    assert_eq!(first.len(), ROW);
}
