//! Openings, checks and byte orders, and the list of sections.

use std::error::Error;
use std::fs;
use std::ops::Deref;

use bench_common::{Pace, Sample, Section, Target, Way};
use bytemuck::checked;
use memmap2::Mmap;
use ndarray::{Array1, ArrayRef, Axis, Ix1, Ix2};
use ndarray_memmap::{Be, Layout, Le, MapOptions, MmapArray2, Mode, Reductions};

use crate::files::{Files, human};
use crate::sums::Sums;
use crate::updates;
use crate::ways::{self, Work};

pub(crate) const OPENING: Target = Target::AtMost(1.25);
pub(crate) const WORKING: Target = Target::AtMost(1.03);
/// Wide sums have at least 0.9 of the speed of sums in the element type.
const WIDENING: Target = Target::AtMost(1.0 / 0.9);
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

/// The files that stay open during all sections.
pub(crate) struct Opened {
    sums: Sums,
    /// Numbers whose sum in the element type is right.
    ones: Array1<f32>,
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

        let flags = bench_common::map(&files.flags)?;
        let flags_layout = MapOptions::new(Mode::ReadOnly)
            .resolve::<bool>(u64::try_from(flags.len())?)?;
        let view = flags_layout.view::<bool>(&flags)?;
        assert_eq!(view.as_slice(), checked::try_cast_slice(&flags).ok());

        let sums = Sums::open(files)?;
        let ones = Array1::ones(bench_common::size(1 << 26, 1 << 12));
        Ok(Self { sums, ones, swapped, odd, odd_options, flags, flags_layout })
    }
}

/// Lists the sections, those about `.npy` files and the guard excepted.
pub(crate) fn all<'a>(files: &'a Files, opened: &'a Opened) -> Vec<Section<'a>> {
    let mut sections = openings(files);
    sections.extend(opened.sums.sections(files));
    sections.extend(validations(files, opened));
    sections.extend(wide_sums(files, opened));
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
        Section::new(name, Pace::Micro, ways)
    };
    // The smallest mappings share page tables with their neighbours; larger ones must take the
    // same time.
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
        Section::new("first element by size, handle", Pace::Micro, by_size.into()),
        Section::new(format!("load {}", dense.name), Pace::Once, loads),
    ]
}

/// The check of `bool`s; the result is the last value.
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
        let flags = bench_common::map(&files.flags).expect(READY);
        last(checked::try_cast_slice(&flags).expect(READY))
    };
    [
        Section::new(
            format!("bool check of {size}, mapped"),
            Pace::Slow,
            vec![
                Way::new("Layout::view", ours),
                Way::new("bytemuck::checked", theirs).target(CHECKING),
            ],
        ),
        Section::new(
            format!("bool check of {size}, from the file"),
            Pace::Slow,
            vec![Way::new("handle", handle), Way::new("map + bytemuck::checked", map)],
        ),
    ]
}

/// Sums in the element type and in wide types.
fn wide_sums<'a>(files: &Files, opened: &'a Opened) -> [Section<'a>; 3] {
    let Opened { sums, ones, .. } = opened;
    let matrix = sums.matrix();
    let section = |name: String, ways| Section::new(name, Pace::Milli, ways);
    [
        section(
            format!("wide sum of {}, f64", files.matrix.name),
            vec![
                Way::new("sum", move || matrix.sum()),
                Way::new("wide_sum", move || matrix.wide_sum()).target(WIDENING),
            ],
        ),
        section(
            format!(
                "wide sum of {}, f32",
                human(size_of_val(ones.as_slice().expect(READY)))
            ),
            vec![
                Way::new("sum", move || f64::from(ones.sum())),
                Way::new("wide_sum", move || ones.wide_sum()).target(WIDENING),
            ],
        ),
        section(
            format!("wide sums of {} along axis 0, f64", files.matrix.name),
            vec![
                Way::new("sum_axis", move || matrix.sum_axis(Axis(0)).sum()),
                Way::new("wide_sum_axis", move || matrix.wide_sum_axis(Axis(0)).sum()),
            ],
        ),
    ]
}

/// Sums of numbers in native and in other byte orders.
fn byte_orders<'a>(files: &Files, opened: &'a Opened) -> Section<'a> {
    let Opened { sums, swapped, odd, .. } = opened;
    Section::new(
        format!("sum of {}, byte order", files.matrix.name),
        Pace::Milli,
        vec![
            Way::new("f64", move || sums.matrix().sum()),
            Way::new("Be<f64>", move || swapped.sum().get()).target(SWAPPING),
            Way::new("Be<f64>, mapv first", move || swapped.mapv(|x| x.get()).sum()),
            Way::new("Le<f64> at offset 1", move || odd.sum().get()),
        ],
    )
}

/// Sums of numbers at an offset that is no multiple of their size.
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
    Section::new(
        format!("sum of {} at offset 1, from the file", matrix.name),
        Pace::Slow,
        vec![
            Way::new("f64 at offset 0", aligned),
            Way::new("Le<f64>", shifted),
            Way::new("fs::read + from_le_bytes", read),
        ],
    )
}
