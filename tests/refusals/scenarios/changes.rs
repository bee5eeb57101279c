//! Commits and rollbacks of private changes.

use std::fs;

use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly};
use ndarray_memmap::{ErrorKind, MapOptions, MmapArray2, Result};

use super::{
    ROW, Scenario, assert_holds, assert_rows, map, numbers, open_rows, row, write_raw,
};
use crate::contents::Left;
use crate::trial::Trial;

const ROWS: usize = 9;

/// Opens a file and changes the numbers in rows 1, 2 and 5.
fn changed(t: &Trial, lock: bool) -> MmapArray2<u32> {
    write_raw(&t.path("a"), ROWS);
    let options = MapOptions::new(CopyOnWrite).rows_of(ROW).lock(lock);
    let mut a: MmapArray2<u32> = map(&options, t.path("a")).unwrap();
    for row in [1, 2, 5] {
        a.view_mut().unwrap().row_mut(row).fill(u32::MAX);
    }
    a
}

fn assert_changed(a: &MmapArray2<u32>) {
    let mut expected = numbers(ROWS).to_owned();
    for row in [1, 2, 5] {
        expected.row_mut(row).fill(u32::MAX);
    }
    assert_eq!(*a, expected);
}

/// Commits. After an error the array keeps all changes, and each page of the file is old or new.
fn commits(t: &Trial, lock: bool, commit: impl Fn(&mut MmapArray2<u32>) -> Result<()>) {
    let mut a = changed(t, lock);
    t.may_leave(Left::Mixed(4));
    let committed = t.refused(|| commit(&mut a));
    assert_changed(&a);
    if t.is_idle() {
        return;
    }
    match commit(&mut a) {
        Ok(()) => {
            assert_changed(&a);
            let other = open_rows(&t.path("a"), ReadOnly).unwrap();
            assert_changed(&other);
            if committed.is_err() {
                write_raw(&t.path("a"), ROWS);
            }
        }
        Err(e) => assert!(
            committed.is_err() && matches!(e.kind(), ErrorKind::Poisoned),
            "{e:?}"
        ),
    }
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("commit", |t| commits(t, false, MmapArray2::commit)),
        row("commit lock", |t| commits(t, true, MmapArray2::commit)),
        row("force_commit", |t| commits(t, false, MmapArray2::force_commit)),
        row("commit of nothing", |t| {
            write_raw(&t.path("a"), ROWS);
            let mut a = open_rows(&t.path("a"), CopyOnWrite).unwrap();
            let _ = t.refused(|| a.commit());
            assert_holds(&a, ROWS);
            drop(a);
            assert_rows(&t.path("a"), ROWS);
        }),
        row("commit into a hole", |t| {
            fs::File::create(t.path("a")).unwrap().set_len(9 * 4096).unwrap();
            let mut a = open_rows(&t.path("a"), CopyOnWrite).unwrap();
            a.view_mut().unwrap().row_mut(4).fill(7);
            t.may_leave(Left::Mixed(4));
            let committed = t.refused(|| a.commit());
            assert!(a.row(4).iter().all(|x| *x == 7), "{committed:?}");
        }),
        row("rollback", |t| {
            let mut a = changed(t, false);
            let rolled_back = t.refused(|| a.rollback());
            match rolled_back {
                Ok(()) => assert_holds(&a, ROWS),
                Err(_) => {
                    a.rollback().unwrap();
                    assert_holds(&a, ROWS);
                }
            }
            drop(a);
            assert_rows(&t.path("a"), ROWS);
        }),
        row("commit and rollback", |t| {
            let mut a = changed(t, false);
            t.may_leave(Left::Mixed(4));
            let committed = t.refused(|| a.commit());
            if a.rollback().is_ok() && committed.is_ok() {
                assert_changed(&a);
            }
            // Each element is old or new.
            let old = numbers(ROWS);
            let mut elements = a.iter().zip(&old);
            assert!(elements.all(|(a, old)| a == old || *a == u32::MAX));
        }),
        row("file_changed", |t| {
            write_raw(&t.path("a"), ROWS);
            let a = open_rows(&t.path("a"), ReadOnly).unwrap();
            let is_changed = t.refused(|| a.file_changed());
            assert!(!is_changed.is_ok_and(|is_changed| is_changed));
        }),
        row("is_same_file", |t| {
            write_raw(&t.path("a"), ROWS);
            let a = open_rows(&t.path("a"), ReadOnly).unwrap();
            let is_same_file = t.refused(|| a.is_same_file(t.path("a")));
            assert!(is_same_file.unwrap_or(true));
        }),
    ]
}
