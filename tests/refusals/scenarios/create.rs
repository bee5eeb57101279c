//! New files, created directly and as drafts.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};

use ndarray::s;
use ndarray_memmap::Mode::{Append, Create, CreateNew, ReadOnly};
use ndarray_memmap::{Draft, ErrorKind, MapOptions, Mode, Result};

use super::{
    FIRST, ROW, Scenario, assert_holds, assert_rows, map, numbers, row, write_raw,
};
use crate::contents::Left;
use crate::trial::Trial;

fn of(mode: Mode) -> MapOptions<ndarray::Ix2> {
    MapOptions::new(mode).shape((3, ROW))
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("open w+ new", |t| creates(t, &of(Create))),
        row("open w+ new lock", |t| creates(t, &of(Create).lock(true))),
        row("open w+ new sparse populate", |t| {
            creates(t, &of(Create).sparse(true).populate(true));
        }),
        row("open x+ new", |t| creates(t, &of(CreateNew))),
        row("open x+ new lock", |t| creates(t, &of(CreateNew).lock(true))),
        row("open w+ over a shorter file", |t| replaces(t, 2, &of(Create))),
        row("open w+ over a longer file", |t| replaces(t, 4, &of(Create).lock(true))),
        row("open w+ sparse over a file", |t| replaces(t, 4, &of(Create).sparse(true))),
        row("open w+ through a link to nothing", |t| {
            symlink(t.path("b"), t.path("a")).unwrap();
            let a = t.refused(|| map::<u32, _>(&of(Create), t.path("a")));
            fs::remove_file(t.path("a")).unwrap();
            assert_eq!(t.path("b").exists(), a.is_ok());
        }),
        row("open a+ new", |t| opens_or_creates(t, 0, false)),
        row("open a+ new lock", |t| opens_or_creates(t, 0, true)),
        row("open a+ existing lock", |t| opens_or_creates(t, 2, true)),
        row("map x+", |t| {
            fs::write(t.path("a"), []).unwrap();
            let file = File::options().read(true).write(true).open(t.path("a")).unwrap();
            // SAFETY: the file is in the test's own folder.
            let a = t.refused(|| unsafe { of(CreateNew).map::<u32>(&file) });
            assert!(a.is_err() || file.metadata().unwrap().len() == 3 * 4096);
        }),
        row("scratch_in", |t| {
            let a = t.refused(|| MapOptions::scratch_in::<u32, _>(t.dir(), (3, ROW)));
            if let Ok(mut a) = a {
                a.view_mut().unwrap().assign(&numbers(3));
                assert_holds(&a, 3);
            }
        }),
        row("draft", |t| {
            let draft = t.refused(|| of(Create).draft::<u32>(t.path("a")));
            drop(draft);
            assert!(!t.path("a").exists());
        }),
        row("draft sweep_mut", |t| {
            let mut draft = of(Create).draft::<u32>(t.path("a")).unwrap();
            let filled = t.refused(|| {
                for mut block in draft.sweep_mut(FIRST, 4096)? {
                    block.fill(1);
                }
                Ok(())
            });
            assert_eq!(draft.iter().all(|x| *x == 1), filled.is_ok());
            drop(draft);
            assert!(!t.path("a").exists());
        }),
        row("draft drop", |t| {
            let draft = filled(of(Create).draft::<u32>(t.path("a")));
            let _ = t.refused(|| {
                drop(draft);
                Ok(())
            });
            assert!(!t.path("a").exists());
        }),
        row("draft publish new", |t| {
            publishes(t, filled(of(Create).draft(t.path("a"))));
        }),
        row("draft publish x+", |t| {
            publishes(t, filled(of(CreateNew).draft(t.path("a"))));
        }),
        row("draft publish over a file", |t| {
            write_raw(&t.path("a"), 2);
            fs::set_permissions(t.path("a"), fs::Permissions::from_mode(0o640)).unwrap();
            publishes(t, filled(of(Create).draft(t.path("a"))));
        }),
        row("draft publish lock", |t| {
            write_raw(&t.path("a"), 2);
            publishes(t, filled(of(Create).lock(true).draft(t.path("a"))));
        }),
        row("draft and publish", |t| {
            t.may_leave(Left::Either);
            let published =
                t.refused(|| filled(of(Create).draft(t.path("a")))?.publish());
            assert!(published.is_err() || t.path("a").exists());
        }),
        row("draft and publish over a file", |t| {
            write_raw(&t.path("a"), 2);
            t.may_leave(Left::Either);
            let published =
                t.refused(|| filled(of(Create).draft(t.path("a")))?.publish());
            assert_rows(&t.path("a"), if published.is_ok() { 3 } else { rows_of(t) });
        }),
    ]
}

/// Creates a file, which must not exist if the call fails.
fn creates(t: &Trial, options: &MapOptions<ndarray::Ix2>) {
    let path = t.path("a");
    let a = t.refused(|| map::<u32, _>(options, &path));
    if let Ok(mut a) = a {
        assert!(a.iter().all(|x| *x == 0));
        a.view_mut().unwrap().assign(&numbers(3));
        a.close().unwrap();
        assert_rows(&path, 3);
    } else {
        if matches!(
            a.as_ref().map_err(ndarray_memmap::Error::kind),
            Err(ErrorKind::Locked)
        ) {
            // Another process has locked the new file, which now belongs to that process.
            assert!(fs::read(&path).unwrap().is_empty());
            fs::remove_file(&path).unwrap();
        }
        assert!(!path.exists());
        // The path can be used for a new file.
        let again = map::<u32, _>(&of(CreateNew), &path);
        drop(again.unwrap());
        fs::remove_file(&path).unwrap();
    }
}

/// Opens a file of some rows in mode `a+`, or creates a file if there is none.
fn opens_or_creates(t: &Trial, rows: usize, locks: bool) {
    let path = t.path("a");
    if rows > 0 {
        write_raw(&path, rows);
    }
    let options = MapOptions::new(Append).rows_of(ROW).lock(locks);
    let a = t.refused(|| map::<u32, _>(&options, &path));
    if let Ok(mut a) = a {
        assert_holds(&a, rows);
        a.append(FIRST, &numbers(3).slice(s![rows.., ..])).unwrap();
        a.close().unwrap();
        assert_rows(&path, 3);
        fs::remove_file(&path).unwrap();
    } else if rows > 0 {
        assert_rows(&path, rows);
    } else if path.exists() {
        // Another process may use the new file.
        assert!(fs::read(&path).unwrap().is_empty());
        fs::remove_file(&path).unwrap();
    }
}

/// Replaces a file of some rows by one of 3 rows; a failed call leaves the old file.
fn replaces(t: &Trial, rows: usize, options: &MapOptions<ndarray::Ix2>) {
    let path = t.path("a");
    write_raw(&path, rows);
    let a = t.refused(|| map::<u32, _>(options, &path));
    if let Ok(mut a) = a {
        assert!(a.iter().all(|x| *x == 0));
        a.view_mut().unwrap().assign(&numbers(3));
        a.close().unwrap();
        assert_rows(&path, 3);
    } else if t.refuses(libc::SYS_ftruncate) {
        // The contents are replaced in place: the zeros may be written before the length changes.
        t.may_leave(Left::Lost);
        let bytes = fs::read(&path).unwrap();
        let old = numbers(rows);
        let old: &[u8] = bytemuck::cast_slice(old.as_slice().unwrap());
        assert!(bytes == old || bytes.iter().all(|byte| *byte == 0));
    } else {
        assert_rows(&path, rows);
    }
}

type Drafted = Draft<u32, ndarray::Ix2>;

fn filled(draft: Result<Drafted>) -> Result<Drafted> {
    let mut draft = draft?;
    draft.view_mut().assign(&numbers(3));
    Ok(draft)
}

/// Publishes a draft of 3 rows; a failed call leaves the old file or the whole new one.
fn publishes(t: &Trial, draft: Result<Drafted>) {
    let draft = draft.unwrap();
    // If the disk fails while it writes the name, the new file may exist.
    t.may_leave(Left::Either);
    let is_new = !t.path("a").exists();
    let published = t.refused(|| draft.publish());
    if published.is_ok() {
        assert_rows(&t.path("a"), 3);
    } else if !is_new || t.path("a").exists() {
        assert_rows(&t.path("a"), rows_of(t));
    }
}

fn rows_of(t: &Trial) -> usize {
    let a = map::<u32, _>(&MapOptions::new(ReadOnly).rows_of(ROW), t.path("a"));
    a.unwrap().nrows()
}
