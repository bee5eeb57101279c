//! What is compared with what, and with which target.

use std::error::Error;
use std::ops::Deref;

use bytemuck::checked;
use memmap2::Mmap;
use ndarray::{ArrayRef, Dimension, Ix1, Ix2};
use ndarray_memmap::{Be, Layout, MapOptions, MmapArray2, Mode};

use crate::files::{Files, Sample, hash, human};
use crate::rounds::{Pace, Section, Target, Way};
use crate::ways::{self, Work};

const OPENING: Target = Target::AtMost(1.25);
const WORKING: Target = Target::AtMost(1.03);
const CHECKING: Target = Target::AtLeast(3.0);
/// One instruction swaps the bytes of a vector from SSSE3 on.
const SWAPPING: Target =
    Target::AtMost(if cfg!(target_feature = "ssse3") { 1.2 } else { 1.6 });

const READY: &str = "the same was done before";

/// Reads one element.
#[derive(Clone, Copy)]
struct First;

impl Work<Ix1> for First {
    fn run<V: Deref<Target = ArrayRef<f64, Ix1>>>(self, array: &V) -> f64 {
        array[0]
    }
}

/// Adds up some elements.
#[derive(Clone, Copy)]
enum Sum<'a> {
    Full,
    Row(usize),
    Column(usize),
    Cells(&'a [[usize; 2]]),
}

impl Work<Ix2> for Sum<'_> {
    fn run<V: Deref<Target = ArrayRef<f64, Ix2>>>(self, array: &V) -> f64 {
        match self {
            Self::Full => array.sum(),
            Self::Row(row) => array.row(row).sum(),
            Self::Column(column) => array.column(column).sum(),
            Self::Cells(cells) => cells.iter().map(|&cell| array[cell]).sum(),
        }
    }
}

/// What stays open while it is worked on.
pub(crate) struct Opened {
    matrix: MmapArray2<f64>,
    swapped: MmapArray2<Be<f64>>,
    bare: Mmap,
    flags: Mmap,
    flags_layout: Layout<Ix1>,
    cells: Vec<[usize; 2]>,
}

impl Opened {
    pub(crate) fn open(files: &Files) -> Result<Self, Box<dyn Error>> {
        let Sample { raw, dim, .. } = &files.matrix;
        let options = MapOptions::new(Mode::ReadOnly).shape(*dim);
        let bare = ways::map(raw)?;
        let matrix = ways::handle(&options, raw)?;
        assert_eq!(matrix.view(), ways::bare_view::<f64, _>(&bare, *dim));

        let flags = ways::map(&files.flags)?;
        let flags_layout = MapOptions::new(Mode::ReadOnly)
            .resolve::<bool>(u64::try_from(flags.len())?)?;
        let view = flags_layout.view::<bool>(&flags)?;
        assert_eq!(view.as_slice(), checked::try_cast_slice(&flags).ok());

        let (rows, columns) = dim.into_pattern();
        let cell = |i| {
            let [a, b, c, d, ..] = hash(i).map(usize::from);
            [(a << 8 | b) % rows, (c << 8 | d) % columns]
        };
        let cells = (0..1000).map(cell).collect();
        let swapped = ways::handle(&options, &files.swapped)?;
        Ok(Self { matrix, swapped, bare, flags, flags_layout, cells })
    }

    fn sums(&self) -> [(&'static str, Sum<'_>); 4] {
        let (rows, columns) = self.matrix.dim();
        [
            ("full sum", Sum::Full),
            ("one row", Sum::Row(rows / 2)),
            ("one column", Sum::Column(columns / 2)),
            ("1000 random elements", Sum::Cells(&self.cells)),
        ]
    }
}

/// Lists all comparisons.
pub(crate) fn all<'a>(files: &'a Files, opened: &'a Opened) -> Vec<Section<'a>> {
    let mut sections = openings(files);
    sections.extend(opened.sums().map(|(name, sum)| work_only(name, sum, files, opened)));
    sections.extend(opened.sums().map(|(name, sum)| from_file(name, sum, files)));
    sections.extend(validations(files, opened));
    sections.push(byte_orders(files, opened));
    sections
}

fn openings(files: &Files) -> Vec<Section<'_>> {
    let Files { small, medium, sparse, huge, dense, .. } = files;
    let options = || MapOptions::new(Mode::ReadOnly);
    let open = |sample, count| {
        let sample: &Sample<Ix1> = sample;
        let name = format!("first element of {}", sample.name);
        let mut ways = ways::from_file(sample, options(), First, OPENING);
        ways.truncate(count);
        Section { name, pace: Pace::Micro, ways }
    };
    // The smallest mappings share page tables with their neighbours; beyond that the size
    // is not to matter.
    let by_size = [sparse, huge, small, medium, dense].map(|sample| {
        let options = options();
        let open = move || First.run(&ways::handle(&options, &sample.raw).expect(READY));
        let is_huge = sample.name == huge.name;
        Way::new(&sample.name, open).target(if is_huge { OPENING } else { Target::Unset })
    });
    let loads = ways::from_file(dense, options(), First, Target::Unset);
    vec![
        open(small, 5),
        open(medium, 5),
        open(sparse, 2),
        open(huge, 2),
        open(dense, 2),
        Section {
            name: "first element by size, handle".to_owned(),
            pace: Pace::Micro,
            ways: by_size.into(),
        },
        Section { name: format!("load {}", dense.name), pace: Pace::Once, ways: loads },
    ]
}

/// The work alone, on a view and a handle that are open.
fn work_only<'a>(
    name: &str,
    sum: Sum<'a>,
    files: &Files,
    opened: &'a Opened,
) -> Section<'a> {
    let Opened { matrix, bare, .. } = opened;
    let bare = ways::bare_view(bare, files.matrix.dim);
    Section {
        name: format!("{name}, open"),
        pace: if matches!(sum, Sum::Full) { Pace::Milli } else { Pace::Micro },
        ways: vec![
            Way::new("bare view", move || sum.run(&bare)),
            Way::new("handle", move || sum.run(matrix)).target(WORKING),
        ],
    }
}

/// The work with what comes before and after: opening or loading, unmapping or freeing.
fn from_file<'a>(name: &str, sum: Sum<'a>, files: &'a Files) -> Section<'a> {
    let options = MapOptions::new(Mode::ReadOnly).shape(files.matrix.dim);
    // One row costs no more than opening.
    let target = if matches!(sum, Sum::Row(_)) { OPENING } else { WORKING };
    Section {
        name: format!("{name} of {}", files.matrix.name),
        pace: Pace::Slow,
        ways: ways::from_file(&files.matrix, options, sum, target),
    }
}

/// The check of `bool`s; the result is the last of them.
fn validations<'a>(files: &'a Files, opened: &'a Opened) -> [Section<'a>; 2] {
    fn last(flags: &[bool]) -> f64 {
        flags.last().map_or(f64::NAN, |&flag| f64::from(u8::from(flag)))
    }
    let Opened { flags, flags_layout, .. } = opened;
    let size = human(flags.len());
    let ours = move || {
        let view = flags_layout.view::<bool>(flags).expect(READY);
        last(view.as_slice().expect(READY))
    };
    let theirs = move || last(checked::try_cast_slice(flags).expect(READY));

    let options = MapOptions::new(Mode::ReadOnly);
    let handle = move || {
        let flags = ways::handle(&options, &files.flags).expect(READY);
        last(flags.as_slice().expect(READY))
    };
    let map = move || {
        let flags = ways::map(&files.flags).expect(READY);
        last(checked::try_cast_slice(&flags).expect(READY))
    };
    [
        Section {
            name: format!("bool check of {size}, mapped"),
            pace: Pace::Slow,
            ways: vec![
                Way::new("Layout::view", ours),
                Way::new("bytemuck::checked", theirs).target(CHECKING),
            ],
        },
        Section {
            name: format!("bool check of {size}, from the file"),
            pace: Pace::Slow,
            ways: vec![
                Way::new("handle", handle),
                Way::new("map + bytemuck::checked", map),
            ],
        },
    ]
}

/// Sums of native and of big-endian numbers through handles.
fn byte_orders<'a>(files: &Files, opened: &'a Opened) -> Section<'a> {
    let Opened { matrix, swapped, .. } = opened;
    Section {
        name: format!("sum of {}, byte order", files.matrix.name),
        pace: Pace::Milli,
        ways: vec![
            Way::new("f64", move || matrix.sum()),
            Way::new("Be<f64>", move || swapped.sum().get()).target(SWAPPING),
            Way::new("Be<f64>, mapv first", move || swapped.mapv(|x| x.get()).sum()),
        ],
    }
}
