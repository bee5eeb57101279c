//! Random histories of arrays that grow, against a plain `Vec` of rows.
#![expect(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "helpers of tests; the numbers are small"
)]

mod common;
mod npy_common;

use common::{Place, open};
use ndarray::{Array2, Axis, ShapeBuilder, aview1, s};
use ndarray_memmap::Mode::{Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::Options;
use ndarray_memmap::{MapOptions, MmapArray2, SyncToDisk};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;

/// One call.
#[derive(Clone, Debug)]
enum Step {
    /// So many rows, as a view of another array in steps of so many.
    Append(usize, isize),
    Push,
    Resize(usize),
    /// Changes the row of this number, or of what is left if there are fewer.
    Write(usize),
    Sync,
    SyncRegion,
    Reopen,
    CloseAndReopen,
    Refresh,
}

#[derive(Clone, Copy, Debug)]
struct Kind {
    npy: bool,
    fortran: bool,
    width: usize,
    offset: u64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0_usize..6, -2_isize..3).prop_map(|(rows, by)| Step::Append(rows, by)),
        1 => (100_usize..3000, -2_isize..3).prop_map(|(rows, by)| Step::Append(rows, by)),
        8 => Just(Step::Push),
        1 => (0_usize..3000).prop_map(Step::Resize),
        2 => (0_usize..20).prop_map(Step::Resize),
        3 => any::<usize>().prop_map(Step::Write),
        2 => Just(Step::Sync),
        1 => Just(Step::SyncRegion),
        1 => Just(Step::Reopen),
        1 => Just(Step::CloseAndReopen),
        3 => Just(Step::Refresh),
    ];
    vec(step, 1..40)
}

/// A mapped array, a reader that follows it, and what both should be.
struct Trial {
    kind: Kind,
    place: Place,
    array: Option<MmapArray2<u32>>,
    reader: MmapArray2<u32>,
    rows: Vec<Vec<u32>>,
    next: u32,
}

impl Trial {
    fn new(kind: Kind) -> Self {
        let place = Place::missing();
        let dim = if kind.fortran { (kind.width, 2) } else { (2, kind.width) };
        let shape = dim.set_f(kind.fortran);
        let array = if kind.npy {
            let options = Options::new(Create).fortran_order(kind.fortran);
            npy_common::create(&options, &place, shape).unwrap()
        } else {
            open(&MapOptions::new(Create).offset(kind.offset).shape(shape), &place)
                .unwrap()
        };
        let rows = vec![vec![0; kind.width]; 2];
        let reader = Self::reopened(kind, &place, ReadOnly, 2);
        Self { kind, place, array: Some(array), reader, rows, next: 1 }
    }

    fn reopened(
        kind: Kind,
        place: &Place,
        mode: ndarray_memmap::Mode,
        rows: usize,
    ) -> MmapArray2<u32> {
        let options = MapOptions::new(mode).offset(kind.offset);
        match kind {
            Kind { npy: true, .. } => npy_common::open(&Options::new(mode), place),
            Kind { fortran: true, width, .. } => {
                open(&options.shape((width, rows).f()), place)
            }
            Kind { width, .. } => open(&options.rows_of(width), place),
        }
        .unwrap()
    }

    fn axis(&self) -> Axis {
        Axis(if self.kind.fortran { 1 } else { 0 })
    }

    fn row(&mut self) -> Vec<u32> {
        self.next += 1;
        (0..self.kind.width)
            .map(|i| self.next * 1000 + u32::try_from(i).unwrap())
            .collect()
    }

    fn expected(&self) -> Array2<u32> {
        let all = self.rows.iter().flatten().copied().collect();
        let rows =
            Array2::from_shape_vec((self.rows.len(), self.kind.width), all).unwrap();
        if self.kind.fortran { rows.reversed_axes() } else { rows }
    }

    fn take(&mut self, step: &Step) {
        let axis = self.axis();
        match *step {
            Step::Append(count, by) => {
                let rows: Vec<_> = (0..count).map(|_| self.row()).collect();
                let apart = by.unsigned_abs().max(1);
                let mut wide = Array2::zeros((count * apart, self.kind.width));
                for (i, row) in rows.iter().enumerate() {
                    let i = if by < 0 { count - 1 - i } else { i };
                    wide.row_mut(i * apart).assign(&aview1(row));
                }
                let mut view = wide.slice(s![..;apart.cast_signed(), ..]);
                if by < 0 {
                    view.invert_axis(Axis(0));
                }
                let view = if self.kind.fortran { view.reversed_axes() } else { view };
                self.array.as_mut().unwrap().append(axis, &view).unwrap();
                self.rows.extend(rows);
            }
            Step::Push => {
                let row = self.row();
                self.array.as_mut().unwrap().push(axis, &aview1(&row)).unwrap();
                self.rows.push(row);
            }
            Step::Resize(len) => {
                // The rows that the reader has may not go.
                let len = len.max(self.reader.len_of(axis));
                self.array.as_mut().unwrap().resize(axis, len).unwrap();
                self.rows.resize(len, vec![0; self.kind.width]);
            }
            Step::Write(number) => {
                let from = self.reader.len_of(axis);
                let free = self.rows.len() - from;
                if free > 0 {
                    let at = from + number % free;
                    let row = self.row();
                    let mut view = self.array.as_mut().unwrap().view_mut().unwrap();
                    view.index_axis_mut(axis, at).assign(&aview1(&row));
                    self.rows[at] = row;
                }
            }
            Step::Sync => {
                self.array.as_ref().unwrap().sync().unwrap();
                self.assert_exact();
            }
            Step::SyncRegion => {
                let array = self.array.as_ref().unwrap();
                array.region(s![..;2, ..;2]).sync().unwrap();
            }
            Step::Reopen | Step::CloseAndReopen => {
                let array = self.array.take().unwrap();
                if matches!(step, Step::Reopen) {
                    drop(array);
                } else {
                    array.close().unwrap();
                }
                self.assert_exact();
                let array =
                    Self::reopened(self.kind, &self.place, ReadWrite, self.rows.len());
                self.array = Some(array);
            }
            Step::Refresh => {
                if self.kind.npy || !self.kind.fortran {
                    self.reader.refresh().unwrap();
                    assert_eq!(self.reader, self.expected());
                }
            }
        }
        if !self.kind.npy {
            self.assert_exact();
        }
        assert_eq!(*self.array.as_ref().unwrap(), self.expected());
    }

    /// The file ends with the array.
    fn assert_exact(&self) {
        let start = if self.kind.npy { 128 } else { self.kind.offset };
        let bytes = self.rows.len() * self.kind.width * 4;
        assert_eq!(self.place.len(), start + u64::try_from(bytes).unwrap());
    }
}

#[test]
fn random_histories_agree_with_a_vec_of_rows() {
    let mut config = ProptestConfig::with_cases(128);
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Off));
    let kind = (any::<bool>(), any::<bool>(), 1_usize..40, 0_u64..3);
    proptest!(config, |(kind in kind, steps in steps())| {
        let (npy, fortran, width, pages) = kind;
        let offset = if npy { 0 } else { pages * 2052 };
        let mut trial = Trial::new(Kind { npy, fortran, width, offset });
        for step in &steps {
            trial.take(step);
        }
    });
}
