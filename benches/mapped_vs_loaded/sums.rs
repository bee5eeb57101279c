//! Sums of all and of some elements.

use std::error::Error;
use std::ops::Deref;
use std::path::Path;

use bench_common::{Pace, Sample, Section, Way};
use memmap2::Mmap;
use ndarray::{ArrayRef, Dimension, Ix2, ShapeBuilder, StrideShape};
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

use crate::files::{Files, hash};
use crate::sections::{OPENING, WORKING};
use crate::ways::{self, Work};

/// Adds up some elements.
#[derive(Clone, Copy)]
enum Sum<'a> {
    Full,
    Row(usize),
    Column(usize),
    Cells(&'a [[usize; 2]]),
    Rows(&'a [usize]),
}

impl Work<Ix2> for Sum<'_> {
    fn run<V: Deref<Target = ArrayRef<f64, Ix2>>>(self, array: &V) -> f64 {
        match self {
            Self::Full => array.sum(),
            Self::Row(row) => array.row(row).sum(),
            Self::Column(column) => array.column(column).sum(),
            Self::Cells(cells) => cells.iter().map(|&cell| array[cell]).sum(),
            Self::Rows(rows) => rows.iter().map(|&row| array.row(row).sum()).sum(),
        }
    }
}

/// A file that stays open, as a bare mapping and as an array.
struct Pair {
    bare: Mmap,
    handle: MmapArray2<f64>,
    shape: StrideShape<Ix2>,
}

impl Pair {
    fn open(raw: &Path, shape: StrideShape<Ix2>) -> Result<Self, Box<dyn Error>> {
        let bare = bench_common::map(raw)?;
        let handle = ways::handle(&MapOptions::new(Mode::ReadOnly).shape(shape), raw)?;
        assert_eq!(handle.view(), ways::bare_view::<f64, _>(&bare, shape));
        Ok(Self { bare, handle, shape })
    }

    /// The work alone, on an open view and an open handle.
    fn section<'a>(&'a self, name: &str, pace: Pace, sum: Sum<'a>) -> Section<'a> {
        let bare = ways::bare_view(&self.bare, self.shape);
        let handle = &self.handle;
        let ways = vec![
            Way::new("bare view", move || sum.run(&bare)),
            Way::new("handle", move || sum.run(handle)).target(WORKING),
        ];
        Section::new(format!("{name}, open"), pace, ways)
    }
}

/// The open files, and the elements and rows to sum.
pub(crate) struct Sums {
    matrix: Pair,
    /// The file of `matrix`, in Fortran order.
    fortran: Pair,
    table: Pair,
    cells: Vec<[usize; 2]>,
    rows: Vec<usize>,
}

impl Sums {
    pub(crate) fn open(files: &Files) -> Result<Self, Box<dyn Error>> {
        let Files { matrix, table, .. } = files;
        let random = |i| {
            let [a, b, c, d, ..] = hash(i).map(usize::from);
            [a << 8 | b, c << 8 | d]
        };
        let (rows, columns) = matrix.dim.into_pattern();
        let cell = |i| {
            let [row, column] = random(i);
            [row % rows, column % columns]
        };
        let (rows, _) = table.dim.into_pattern();
        let row = |i| {
            let [row, _] = random(i);
            row % rows
        };
        Ok(Self {
            matrix: Pair::open(&matrix.raw, matrix.dim.into())?,
            fortran: Pair::open(&matrix.raw, matrix.dim.f().into())?,
            table: Pair::open(&table.raw, table.dim.into())?,
            cells: (0..1_000_000).map(cell).collect(),
            rows: (0..10_000).map(row).collect(),
        })
    }

    pub(crate) fn matrix(&self) -> &MmapArray2<f64> {
        &self.matrix.handle
    }

    pub(crate) fn sections<'a>(&'a self, files: &'a Files) -> Vec<Section<'a>> {
        let Self { matrix, fortran, table, cells, rows: picked } = self;
        let (rows, columns) = matrix.handle.dim();
        let few = cells.get(..1000).expect("there are more");
        let row = Sum::Row(rows / 2);
        let of_matrix = [
            ("full sum", Pace::Milli, Sum::Full),
            ("one row", Pace::Micro, row),
            ("one column", Pace::Micro, Sum::Column(columns / 2)),
            ("1000 random elements", Pace::Micro, Sum::Cells(few)),
            ("1000000 random elements", Pace::Milli, Sum::Cells(cells)),
        ];
        let (name, some) = ("10000 random rows", Sum::Rows(picked));

        let open = of_matrix.map(|(name, pace, sum)| matrix.section(name, pace, sum));
        let mut sections = Vec::from(open);
        sections.push(fortran.section("one row, Fortran order", Pace::Micro, row));
        sections.push(table.section(&format!("{name} of 4 KiB"), Pace::Milli, some));
        sections
            .extend(of_matrix.map(|(name, _, sum)| from_file(name, sum, &files.matrix)));
        sections.push(from_file(name, some, &files.table));
        sections
    }
}

/// The work together with opening or loading before it, and unmapping or freeing after it.
fn from_file<'a>(name: &str, sum: Sum<'a>, sample: &'a Sample<Ix2>) -> Section<'a> {
    let options = MapOptions::new(Mode::ReadOnly).shape(sample.dim);
    // One row costs no more than opening.
    let target = if matches!(sum, Sum::Row(_)) { OPENING } else { WORKING };
    let mut ways = ways::from_file(sample, options, sum, target);
    if matches!(sum, Sum::Full) {
        ways.extend(ways::by_peers(sample, sum));
    }
    Section::new(format!("{name} of {}", sample.name), Pace::Slow, ways)
}
