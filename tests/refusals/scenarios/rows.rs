//! Gathers, scatters and sweeps.

use ndarray::{Array2, ShapeBuilder, s};
use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
use ndarray_memmap::{
    ErrorKind, MapOptions, MmapArray2, Mode, PageCache, Result, sweep_zip,
};

use super::{
    FIRST, ROW, Scenario, assert_holds, assert_rows, map, numbers, open_rows, row,
    write_raw,
};
use crate::contents::Left;
use crate::trial::Trial;

/// The rows of a large file: two windows of a sweep, and pieces of 2 MiB.
const LARGE: usize = 600;
/// The size of a block in bytes.
const BLOCK: usize = 1 << 20;

fn opened(t: &Trial, name: &str, rows: usize, mode: Mode) -> MmapArray2<u32> {
    write_raw(&t.path(name), rows);
    open_rows(&t.path(name), mode).unwrap()
}

pub(super) fn rows() -> Vec<Scenario> {
    vec![
        row("scatter", |t| scatters(t, ReadWrite, 1)),
        row("scatter c", |t| scatters(t, CopyOnWrite, 1)),
        row("scatter rows that are not contiguous", |t| scatters(t, ReadWrite, 2)),
        row("scatter and sync", |t| {
            let mut a = opened(t, "a", 9, ReadWrite);
            t.may_leave(Left::Mixed(4));
            let result = t.refused(|| {
                a.scatter(FIRST, &[7, 1], &Array2::from_elem((2, ROW), 5))?;
                a.sync()
            });
            assert!(result.is_err() || a.row(7).iter().all(|x| *x == 5));
        }),
        row("gather", |t| {
            let a = opened(t, "a", 200, ReadOnly);
            let indices: Vec<_> = (0..200).rev().collect();
            let sum = t.refused(|| {
                let rows = a.gather(FIRST, &indices)?;
                Ok(rows.map(|row| u64::from(row[0])).sum::<u64>())
            });
            assert!(
                sum.is_err() || sum.unwrap() == (0..200).map(|x| x * 1024).sum::<u64>()
            );
            drop(a);
            assert_rows(&t.path("a"), 200);
        }),
        row("sweep r", |t| sweeps(t, ReadOnly, PageCache::AsFound)),
        row("sweep r+", |t| sweeps(t, ReadWrite, PageCache::AsFound)),
        row("sweep c", |t| sweeps(t, CopyOnWrite, PageCache::AsFound)),
        row("sweep r drop", |t| sweeps(t, ReadOnly, PageCache::Drop)),
        row("sweep r keep", |t| sweeps(t, ReadOnly, PageCache::Keep)),
        row("sweep r not cached", |t| {
            let a = opened(t, "a", LARGE, ReadOnly);
            uncache(t, "a");
            sweep(t, &a, PageCache::AsFound);
        }),
        row("sweep r from the back", |t| {
            let a = opened(t, "a", LARGE, ReadOnly);
            let rows = t.refused(|| {
                Ok(a.sweep(FIRST, BLOCK).unwrap().rev().map(|b| b.nrows()).sum())
            });
            assert!(rows.is_err() || rows.is_ok_and(|rows: usize| rows == LARGE));
        }),
        row("sweep r of a part and drop", |t| {
            let a = opened(t, "a", LARGE, ReadOnly);
            let first = t
                .refused(|| Ok(a.sweep(FIRST, BLOCK).unwrap().next().map(|b| b[[0, 1]])));
            assert!(first.is_err() || first.is_ok_and(|first| first == Some(1)));
        }),
        row("sweep columns", |t| {
            let a = opened(t, "a", 40, ReadOnly);
            let columns = t.refused(|| {
                Ok(a.sweep(ndarray::Axis(1), 40_000)
                    .unwrap()
                    .map(|b| b.ncols())
                    .sum::<usize>())
            });
            assert!(columns.is_err() || columns.is_ok_and(|columns| columns == ROW));
        }),
        row("sweep_mut r+", |t| changes(t, ReadWrite)),
        row("sweep_mut c", |t| changes(t, CopyOnWrite)),
        row("sweep_mut r+ not cached", |t| {
            let a = opened(t, "a", LARGE, ReadWrite);
            uncache(t, "a");
            change(t, a);
        }),
        row("sweep_mut of a new file without a name", |t| {
            let a = MapOptions::scratch_in::<u32, _>(t.dir(), (LARGE, ROW));
            change(t, a.unwrap());
        }),
        row("sweep_zip", |t| {
            let a = opened(t, "a", LARGE, ReadOnly);
            let mut b = opened(t, "b", LARGE, ReadWrite);
            let zipped = t.refused(|| {
                for (a, mut b) in sweep_zip(FIRST, BLOCK, (&a, &mut b))? {
                    b.zip_mut_with(&a, |b, a| *b = *a + 1);
                }
                Ok(())
            });
            let expected = &numbers(LARGE) + u32::from(zipped.is_ok());
            assert_eq!(b, expected);
        }),
    ]
}

/// Writes rows; after an error each of their elements is old or new.
fn scatters(t: &Trial, mode: Mode, step: usize) {
    write_raw(&t.path("a"), 9);
    let columns = ROW / step;
    let options = MapOptions::new(mode).shape((9, columns).strides((ROW, step)));
    let mut a: MmapArray2<u32> = map(&options, t.path("a")).unwrap();
    let new = Array2::from_elem((3, columns), u32::MAX);
    t.may_leave(Left::Mixed(4));
    let result = t.refused(|| a.scatter(FIRST, &[7, 1, 3], &new));
    let old = numbers(9);
    let old = old.slice(s![.., ..;isize::try_from(step).unwrap()]);
    for (number, row) in a.rows().into_iter().enumerate() {
        let is_named = [7, 1, 3].contains(&number);
        let is_old = row == old.row(number);
        let is_new = row.iter().all(|x| *x == u32::MAX);
        match &result {
            Ok(()) => assert!(if is_named { is_new } else { is_old }),
            Err(_) if is_named => {
                let mut elements = row.iter().zip(old.row(number));
                assert!(elements.all(|(new, old)| [*old, u32::MAX].contains(new)));
            }
            Err(_) => assert!(is_old),
        }
    }
    if mode == ReadWrite && !t.is_idle() {
        // The same call succeeds now.
        a.scatter(FIRST, &[7, 1, 3], &new).unwrap();
        a.sync().unwrap();
        let mut back = a.view_mut().unwrap();
        if result.is_err() {
            back.assign(&old);
        }
    }
}

/// Evicts a file from the page cache.
fn uncache(t: &Trial, name: &str) {
    let file = std::fs::File::open(t.path(name)).unwrap();
    file.sync_all().unwrap();
    let advice = rustix::fs::Advice::DontNeed;
    rustix::fs::fadvise(&file, 0, None, advice).unwrap();
}

fn sweeps(t: &Trial, mode: Mode, cache: PageCache) {
    let a = opened(t, "a", LARGE, mode);
    sweep(t, &a, cache);
    drop(a);
    assert_rows(&t.path("a"), LARGE);
}

fn sweep(t: &Trial, a: &MmapArray2<u32>, cache: PageCache) {
    let sum = t.refused(|| {
        let blocks = a.sweep(FIRST, BLOCK).unwrap().cache(cache);
        Ok(blocks
            .map(|block| block.iter().map(|x| u64::from(*x)).sum::<u64>())
            .sum::<u64>())
    });
    let count = u64::try_from(LARGE * ROW).unwrap();
    assert!(sum.is_err() || sum.unwrap() == count * (count - 1) / 2);
    assert_holds(a, LARGE);
}

fn changes(t: &Trial, mode: Mode) {
    let a = opened(t, "a", LARGE, mode);
    change(t, a);
}

/// Changes all elements; the next sync must report lost writes.
fn change(t: &Trial, mut a: MmapArray2<u32>) {
    let old = a.to_owned();
    let changed: Result<()> = t.refused(|| {
        for mut block in a.sweep_mut(FIRST, BLOCK)? {
            block += 1;
        }
        Ok(())
    });
    assert_eq!(a, old + u32::from(changed.is_ok()));
    if a.mode() != CopyOnWrite {
        match a.sync().map_err(ndarray_memmap::Error::into_kind) {
            Ok(()) => {}
            Err(ErrorKind::Io { action: "sync", .. }) if !t.is_idle() => {}
            Err(e) => panic!("{e:?}"),
        }
    }
}
