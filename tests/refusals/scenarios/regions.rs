//! Operations on the pages of an array.

use ndarray::s;
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::{Advice, ErrorKind, MapOptions, MmapArray2, Mode, Region, Result};

use super::{
    ROW, Scenario, assert_holds, assert_rows, map, numbers, open_rows, row, write_raw,
};
use crate::trial::Trial;

const LARGE: usize = 600;

/// Opens a file of some rows, and changes and restores one element of each.
fn dirty(t: &Trial, rows: usize, mode: Mode) -> MmapArray2<u32> {
    write_raw(&t.path("a"), rows);
    let mut a = open_rows(&t.path("a"), mode).unwrap();
    if mode != ReadOnly {
        a.view_mut().unwrap().assign(&numbers(rows));
    }
    a
}

/// Runs an operation on a region, after which the array and the file are unchanged.
fn on(
    t: &Trial,
    rows: usize,
    mode: Mode,
    step: usize,
    operate: impl FnOnce(&Region<'_>) -> Result<()>,
) {
    let a = dirty(t, rows, mode);
    let region = a.region(s![..;step, ..]);
    let result = t.refused(|| operate(&region));
    assert_holds(&a, rows);
    // A sync reports whether the changes are durable.
    let synced = if mode == CopyOnWrite { Ok(()) } else { a.sync() };
    match (&result, &synced) {
        (Ok(()), Ok(())) | (Err(_), _) => {}
        // The kernel lost a write that was only started, or kept the error until now.
        (Ok(()), Err(e)) => panic!("a sync after {e}: {e:?}"),
    }
    drop(a);
    assert_rows(&t.path("a"), rows);
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("sync r", |t| syncs(t, ReadOnly)),
        row("sync r+", |t| syncs(t, ReadWrite)),
        row("sync c", |t| {
            let a = dirty(t, 3, CopyOnWrite);
            let synced =
                t.refused(|| match a.sync().map_err(ndarray_memmap::Error::into_kind) {
                    Err(ErrorKind::PrivateChanges) => Ok(()),
                    other => other.map_err(ndarray_memmap::Error::from),
                });
            drop((synced, a));
            assert_rows(&t.path("a"), 3);
        }),
        row("sync of a new file", |t| {
            let options = MapOptions::new(Create).shape((3, ROW));
            let mut a = map::<u32, _>(&options, t.path("a")).unwrap();
            a.view_mut().unwrap().assign(&numbers(3));
            let synced = t.refused(|| a.sync());
            let again = a.sync();
            assert!(t.is_idle() || synced.is_ok() == again.is_ok(), "reported once");
            drop(a);
            assert_rows(&t.path("a"), 3);
        }),
        row("close r+", |t| {
            let a = dirty(t, 3, ReadWrite);
            let _ = t.refused(|| a.close());
            assert_rows(&t.path("a"), 3);
        }),
        row("region sync", |t| on(t, 9, ReadWrite, 1, |r| r.sync())),
        row("region sync of many pages", |t| on(t, 9, ReadWrite, 3, |r| r.sync())),
        row("region start_sync", |t| on(t, 9, ReadWrite, 3, |r| r.start_sync())),
        row("region start_sync and sync", |t| {
            on(t, 9, ReadWrite, 3, |region| {
                region.start_sync()?;
                region.sync()
            });
        }),
        row("region advise", |t| on(t, 9, ReadOnly, 3, |r| r.advise(Advice::Sequential))),
        row("region prefetch", |t| on(t, 9, ReadOnly, 3, |r| r.prefetch())),
        row("region prefetch r+ large", |t| on(t, LARGE, ReadWrite, 1, |r| r.prefetch())),
        row("region prefetch c large", |t| {
            on(t, LARGE, CopyOnWrite, 1, |r| r.prefetch())
        }),
        row("region start_prefetch", |t| on(t, 9, ReadOnly, 1, |r| r.start_prefetch())),
        row("region evict r", |t| on(t, 9, ReadOnly, 3, |r| r.evict())),
        row("region evict r+", |t| on(t, 9, ReadWrite, 1, |r| r.evict())),
        row("region evict c", |t| on(t, 9, CopyOnWrite, 1, |r| r.evict())),
        row("region residency", |t| {
            on(t, 9, ReadOnly, 1, |region| {
                let part = region.residency();
                assert!(part.is_nan() || (0.0..=1.0).contains(&part), "{part}");
                Ok(())
            });
        }),
        row("region lock and unlock", |t| {
            on(t, 3, ReadWrite, 1, |region| {
                region.lock()?;
                region.unlock()
            });
        }),
        row("region lock and unlock c", |t| {
            on(t, 3, CopyOnWrite, 2, |region| {
                region.lock()?;
                region.unlock()
            });
        }),
        row("view_mut and sync", |t| {
            let mut a = dirty(t, 3, ReadWrite);
            let synced = t.refused(|| {
                a.view_mut()?.row_mut(1).assign(&numbers(3).row(1));
                a.sync()
            });
            let again = a.sync();
            assert!(t.is_idle() || synced.is_ok() == again.is_ok(), "reported once");
        }),
    ]
}

fn syncs(t: &Trial, mode: Mode) {
    let a = dirty(t, 3, mode);
    let synced = t.refused(|| a.sync());
    assert_holds(&a, 3);
    let is_refused = matches!(
        synced.as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Io { action: "sync", .. })
    );
    match a.sync() {
        Ok(()) => assert!(!is_refused, "a loss is reported once"),
        Err(e) => assert!(matches!(e.kind(), ErrorKind::Poisoned), "{e:?}"),
    }
    drop(a);
    assert_rows(&t.path("a"), 3);
}
