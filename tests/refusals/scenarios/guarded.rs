//! The guard against bus errors.
#![cfg_attr(not(feature = "sigbus-guard"), allow(unused_imports, reason = "no guard"))]

use super::Scenario;

#[cfg(not(feature = "sigbus-guard"))]
pub(super) fn rows() -> Vec<Scenario> {
    Vec::new()
}

#[cfg(feature = "sigbus-guard")]
pub(super) fn rows() -> Vec<Scenario> {
    with_guard::rows()
}

#[cfg(feature = "sigbus-guard")]
mod with_guard {
    use std::fs::File;

    use ndarray_memmap::Mode::{CopyOnWrite, ReadOnly, ReadWrite};
    use ndarray_memmap::{ErrorKind, MapOptions, Mode, guard};

    use super::super::{
        FIRST, ROW, Scenario, assert_holds, assert_rows, map, next_row, row, write_raw,
    };
    use crate::trial::Trial;

    fn of(mode: Mode) -> MapOptions<ndarray::Ix2> {
        MapOptions::new(mode).rows_of(ROW).guarded(true)
    }

    pub(super) fn rows() -> Vec<Scenario> {
        vec![
            row("guard install", |t| {
                let installed = t.refused(guard::install);
                assert_eq!(installed.is_ok(), guard::is_active());
                guard::install().unwrap();
            }),
            row("guarded open r", |t| opens(t, ReadOnly)),
            row("guarded open c", |t| opens(t, CopyOnWrite)),
            row("guarded open r+", |t| opens(t, ReadWrite)),
            row("guarded sum", |t| {
                guard::install().unwrap();
                write_raw(&t.path("a"), 3);
                let a = map::<u32, _>(&of(ReadOnly), t.path("a")).unwrap();
                let sum = t.refused(|| a.try_with(|a| a.sum()));
                assert!(sum.is_err() || sum.is_ok_and(|sum| sum == 3072 * 3071 / 2));
            }),
            row("guarded push", |t| {
                guard::install().unwrap();
                write_raw(&t.path("a"), 3);
                let mut a = map::<u32, _>(&of(ReadWrite), t.path("a")).unwrap();
                let pushed = t.refused(|| a.push(FIRST, &next_row(3)));
                assert_holds(&a, if pushed.is_ok() { 4 } else { 3 });
                assert!(a.fault().is_none());
            }),
            row("guarded sum of a file that was cut", |t| {
                guard::install().unwrap();
                write_raw(&t.path("a"), 3);
                let a = map::<u32, _>(&of(ReadOnly), t.path("a")).unwrap();
                File::options()
                    .write(true)
                    .open(t.path("a"))
                    .unwrap()
                    .set_len(4096)
                    .unwrap();
                let sum = t.refused(|| {
                    match a
                        .try_with(|a| a.sum())
                        .map_err(ndarray_memmap::Error::into_kind)
                    {
                        Err(ErrorKind::Faulted { .. }) => Ok(()),
                        Ok(sum) => panic!("the sum is {sum}"),
                        Err(e) => Err(e.into()),
                    }
                });
                assert!(sum.is_err() || a.fault().is_some());
            }),
        ]
    }

    fn opens(t: &Trial, mode: Mode) {
        guard::install().unwrap();
        write_raw(&t.path("a"), 3);
        let a = t.refused(|| map::<u32, _>(&of(mode), t.path("a")));
        if let Ok(a) = &a {
            assert_holds(a, 3);
        }
        drop(a);
        assert_rows(&t.path("a"), 3);
    }
}
