//! What is compared with what, and with which target.

use std::error::Error;
use std::fs;
use std::ops::Deref;

use bytemuck::checked;
use memmap2::Mmap;
use ndarray::{ArrayRef, Ix1, Ix2};
use ndarray_memmap::{Be, Layout, Le, MapOptions, MmapArray2, Mode};

use crate::files::{Files, Sample, human};
use crate::rounds::{Pace, Section, Target, Way};
use crate::sums::Sums;
use crate::updates;
use crate::ways::{self, Work};

pub(crate) const OPENING: Target = Target::AtMost(1.25);
pub(crate) const WORKING: Target = Target::AtMost(1.03);
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

/// What stays open while it is worked on.
pub(crate) struct Opened {
    sums: Sums,
    swapped: MmapArray2<Be<f64>>,
    odd: MmapArray2<Le<f64>>,
    odd_options: MapOptions<Ix2>,
    flags: Mmap,
    flags_layout: Layout<Ix1>,
}

impl Opened {
    pub(crate) fn open(files: &Files) -> Result<Self, Box<dyn Error>> {
        let options = MapOptions::new(Mode::ReadOnly).shape(files.matrix.dim);
        let swapped = ways::handle(&options, &files.swapped)?;
        let odd_options = options.offset(1);
        let odd = ways::handle(&odd_options, &files.odd)?;

        let flags = ways::map(&files.flags)?;
        let flags_layout = MapOptions::new(Mode::ReadOnly)
            .resolve::<bool>(u64::try_from(flags.len())?)?;
        let view = flags_layout.view::<bool>(&flags)?;
        assert_eq!(view.as_slice(), checked::try_cast_slice(&flags).ok());

        let sums = Sums::open(files)?;
        Ok(Self { sums, swapped, odd, odd_options, flags, flags_layout })
    }
}

/// Lists all comparisons.
pub(crate) fn all<'a>(files: &'a Files, opened: &'a Opened) -> Vec<Section<'a>> {
    let mut sections = openings(files);
    sections.extend(opened.sums.sections(files));
    sections.extend(validations(files, opened));
    sections.push(byte_orders(files, opened));
    sections.push(odd_offset(files, opened));
    sections.push(updates::section(files));
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

/// Sums of native and of other numbers through handles.
fn byte_orders<'a>(files: &Files, opened: &'a Opened) -> Section<'a> {
    let Opened { sums, swapped, odd, .. } = opened;
    Section {
        name: format!("sum of {}, byte order", files.matrix.name),
        pace: Pace::Milli,
        ways: vec![
            Way::new("f64", move || sums.matrix().sum()),
            Way::new("Be<f64>", move || swapped.sum().get()).target(SWAPPING),
            Way::new("Be<f64>, mapv first", move || swapped.mapv(|x| x.get()).sum()),
            Way::new("Le<f64> at offset 1", move || odd.sum().get()),
        ],
    }
}

/// Sums of numbers that begin at no multiple of their size.
fn odd_offset<'a>(files: &'a Files, opened: &'a Opened) -> Section<'a> {
    let Files { matrix, odd, .. } = files;
    let options = MapOptions::new(Mode::ReadOnly).shape(matrix.dim);
    let aligned = move || {
        let array: MmapArray2<f64> = ways::handle(&options, &matrix.raw).expect(READY);
        array.sum()
    };
    let shifted = move || {
        let array: MmapArray2<Le<f64>> =
            ways::handle(&opened.odd_options, odd).expect(READY);
        array.sum().get()
    };
    let read = move || {
        let bytes = fs::read(odd).expect("the file is read");
        let (_, numbers) = bytes.split_first().expect(READY);
        let (words, _) = numbers.as_chunks();
        words.iter().map(|&word| f64::from_le_bytes(word)).sum()
    };
    Section {
        name: format!("sum of {} at offset 1, from the file", matrix.name),
        pace: Pace::Slow,
        ways: vec![
            Way::new("f64 at offset 0", aligned),
            Way::new("Le<f64>", shifted),
            Way::new("fs::read + from_le_bytes", read),
        ],
    }
}
