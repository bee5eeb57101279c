//! Resolves arbitrary shapes, strides, offsets and file lengths, and maps small arrays.
//!
//! Compares the results with the oracle of the tests, whose numbers do not overflow.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use ndarray_memmap::ndarray::IxDyn;
use ndarray_memmap::{Be, Element, ErrorKind, Le, MapOptions, Mode};
use test_support::layout_case::{Case, Order, check};
use test_support::{Place, open};

const MODES: [Mode; 5] =
    [Mode::ReadOnly, Mode::CopyOnWrite, Mode::ReadWrite, Mode::Create, Mode::CreateNew];
/// The largest number of elements that are compared, and the largest files that are mapped.
const MOST_ELEMENTS: i128 = 2048;
const MOST_BYTES: i128 = 1 << 14;

macro_rules! on_type {
    ($number:expr, $call:ident($($argument:expr),*)) => {
        match $number % 12 {
            0 => $call::<u8>($($argument),*),
            1 => $call::<u16>($($argument),*),
            2 => $call::<[u8; 3]>($($argument),*),
            3 => $call::<f32>($($argument),*),
            4 => $call::<u64>($($argument),*),
            5 => $call::<[u32; 3]>($($argument),*),
            6 => $call::<u128>($($argument),*),
            7 => $call::<Be<u16>>($($argument),*),
            8 => $call::<Le<u32>>($($argument),*),
            9 => $call::<Be<f64>>($($argument),*),
            10 => $call::<Le<u128>>($($argument),*),
            _ => $call::<[u16; 5]>($($argument),*),
        }
    };
}

fuzz_target!(|input: &[u8]| {
    // Inputs that end early continue with zeros.
    run(&mut Unstructured::new(input)).expect("there are always zeros");
});

fn run(input: &mut Unstructured) -> Result<()> {
    let element: u8 = input.arbitrary()?;
    let mode = *input.choose(&MODES)?;
    match input.int_in_range(0..=7)? {
        0 => {
            let case = case(mode, true, input)?;
            bools(&case, input.arbitrary()?, input)
        }
        1 => on_type!(element, rows(mode, input)),
        2..4 => {
            let case = case(mode, false, input)?;
            on_type!(element, wide(&case, number(false, input)?));
            let file_len = number(false, input)?;
            let found = case.options().resolve::<[u64; 0]>(file_len);
            case.assert_resolved::<[u64; 0]>(&found, file_len);
            Ok(())
        }
        _ => {
            let case = case(mode, true, input)?;
            let rest = input.int_in_range(-40_i128..=40)?;
            on_type!(element, near(&case, rest));
            Ok(())
        }
    }
}

/// Returns a case with small numbers or with numbers of all sizes.
fn case(mode: Mode, is_small: bool, input: &mut Unstructured) -> Result<Case> {
    let grow = input.arbitrary()?;
    let offset = number(is_small, input)?;
    let rank = input.int_in_range(0..=5)?;
    let mut shape = Vec::new();
    for _ in 0..rank {
        shape.push(usize::try_from(number(is_small, input)?).expect("as wide"));
    }
    let order = match input.int_in_range(0..=7)? {
        0 => Order::C,
        1 => Order::F,
        // The number of strides seldom differs from the number of axes.
        2 => Order::Strides(strides(input.int_in_range(0..=5)?, is_small, input)?),
        3..6 => Order::Strides(strides(rank, is_small, input)?),
        _ => Order::Strides(spread(&shape, input)?),
    };
    Ok(Case { mode, grow, offset, shape, order })
}

fn number(is_small: bool, input: &mut Unstructured) -> Result<u64> {
    if is_small {
        let number = u64::from(input.arbitrary::<u8>()?);
        return Ok(if number < 0xf0 { number % 7 } else { number });
    }
    Ok(match input.int_in_range(0..=3)? {
        0 => u64::from(input.arbitrary::<u8>()?),
        1 => u64::from(input.arbitrary::<u32>()?),
        2 => {
            let power = 1_u64 << input.int_in_range(0..=63)?;
            power.wrapping_add_signed(input.int_in_range(-20..=20)?)
        }
        _ => input.arbitrary()?,
    })
}

fn strides(count: usize, is_small: bool, input: &mut Unstructured) -> Result<Vec<isize>> {
    let mut strides = Vec::new();
    for _ in 0..count {
        let stride = i64::from_ne_bytes(number(is_small, input)?.to_ne_bytes());
        let stride = if input.arbitrary()? { stride.wrapping_neg() } else { stride };
        strides.push(isize::try_from(stride).expect("as wide"));
    }
    Ok(strides)
}

/// Returns strides that rarely overlap, in any order of the axes.
fn spread(shape: &[usize], input: &mut Unstructured) -> Result<Vec<isize>> {
    let mut axes: Vec<usize> = (0..shape.len()).collect();
    let mut strides = vec![0; shape.len()];
    let mut step = 1_isize;
    while !axes.is_empty() {
        let axis = axes.remove(input.choose_index(axes.len())?);
        let stride = step.wrapping_mul(input.int_in_range(1..=3)?);
        step = stride.wrapping_mul(shape[axis].max(1).cast_signed());
        strides[axis] = if input.arbitrary()? { stride } else { stride.wrapping_neg() };
    }
    Ok(strides)
}

/// Resolves cases of any size. Opens refused cases, which must leave the file as it was.
fn wide<A: Element>(case: &Case, file_len: u64) {
    let found = case.options().resolve::<A>(file_len);
    case.assert_resolved::<A>(&found, file_len);
    let file_len = file_len % 100;
    let found = case.options().resolve::<A>(file_len);
    case.assert_resolved::<A>(&found, file_len);
    if found.is_err() && case.mode != Mode::CreateNew {
        let bytes = vec![7; usize::try_from(file_len).expect("small")];
        let place = Place::of(&bytes);
        assert!(open::<A, _>(&case.options(), &place).is_err());
        place.assert_holds(&bytes);
    }
}

/// Maps and compares small cases in a file that ends `rest` bytes after the array.
fn near<A>(case: &Case, rest: i128)
where
    A: bytemuck::Pod + std::fmt::Debug + PartialEq,
{
    match small_end::<A>(case) {
        Some(end) => {
            let file_len = usize::try_from((end + rest).max(0)).expect("small");
            check::<A>(case, file_len);
        }
        None => wide::<A>(case, u64::from(rest.unsigned_abs() as u8)),
    }
}

/// Returns the end of a case if it is small enough to compare all elements.
fn small_end<A>(case: &Case) -> Option<i128> {
    let mut lengths = case.shape.iter().map(|&length| length as i128);
    let count = lengths.try_fold(1_i128, |count, len| count.checked_mul(len.max(1)));
    let end = case.end(size_of::<A>());
    (count.is_some_and(|count| count <= MOST_ELEMENTS) && end <= MOST_BYTES)
        .then_some(end)
}

/// Opens files with few bytes that are not a `bool`; the error must name the lowest element.
fn bools(case: &Case, rest: u8, input: &mut Unstructured) -> Result<()> {
    let Some(end) = small_end::<bool>(case) else { return Ok(()) };
    let mut bytes = vec![1; usize::try_from(end).expect("small") + usize::from(rest % 8)];
    for _ in 0..input.int_in_range(0..=3)? {
        if let Some(at) = bytes.len().checked_sub(1) {
            bytes[input.int_in_range(0..=at)?] = input.int_in_range(2..=255)?;
        }
    }
    let file_len = u64::try_from(bytes.len()).expect("small");
    let layout = case.options().resolve::<bool>(file_len);
    case.assert_resolved::<bool>(&layout, file_len);
    let keeps = matches!(case.mode, Mode::ReadOnly | Mode::CopyOnWrite | Mode::ReadWrite);
    let Ok(layout) = layout else { return Ok(()) };
    if !keeps {
        return Ok(());
    }
    let elements = case.elements(1);
    let lowest = elements.iter().map(|at| at.start).filter(|at| bytes[*at] > 1).min();
    let lowest = lowest.map(|at| at - usize::try_from(case.offset).expect("small"));
    let place = Place::of(&bytes);
    let found = open::<bool, _>(&case.options(), &place);
    same_bools(found.map(|a| a.iter().copied().collect()), lowest, &bytes, &elements);
    let found = layout.view::<bool>(&bytes).map(|a| a.iter().copied().collect());
    same_bools(found, lowest, &bytes, &elements);
    place.assert_holds(&bytes);
    Ok(())
}

fn same_bools(
    found: ndarray_memmap::Result<Vec<bool>>,
    lowest: Option<usize>,
    bytes: &[u8],
    elements: &[std::ops::Range<usize>],
) {
    match (found.map_err(ndarray_memmap::Error::into_kind), lowest) {
        (Ok(found), None) => {
            assert!(found.into_iter().eq(elements.iter().map(|at| bytes[at.start] == 1)));
        }
        (Err(ErrorKind::InvalidElement { index }), Some(lowest)) => {
            assert_eq!(index, lowest)
        }
        (found, lowest) => panic!("{found:?}, {lowest:?}"),
    }
}

/// Resolves shapes whose first length comes from the file.
fn rows<A: Element>(mode: Mode, input: &mut Unstructured) -> Result<()> {
    let is_small = input.arbitrary()?;
    let (offset, file_len) = (number(is_small, input)?, number(is_small, input)?);
    let rank = input.int_in_range(0..=4)?;
    let mut row = Vec::new();
    for _ in 0..rank {
        row.push(usize::try_from(number(is_small, input)?).expect("as wide"));
    }
    let options = MapOptions::new(mode).offset(offset).rows_of(IxDyn(&row));
    let found = options.resolve::<A>(file_len);

    let size = row.iter().fold(size_of::<A>() as i128, |size, &length| {
        size.saturating_mul(length as i128)
    });
    let available = i128::from(file_len) - i128::from(offset);
    let is_whole = available >= 0 && size > 0 && available % size == 0;
    match found.as_ref().map_err(ndarray_memmap::Error::kind) {
        Err(ErrorKind::ShapeRequired) => {
            assert!(size == 0 || matches!(mode, Mode::Create | Mode::CreateNew));
        }
        Err(ErrorKind::OffsetPastEnd { offset: start, found: len }) => {
            assert!(available < 0);
            assert_eq!((*start, *len), (offset, file_len));
        }
        Err(ErrorKind::PartialElement { available: found, size: row }) => {
            assert!(!is_whole);
            assert_eq!((i128::from(*found), *row as i128), (available, size));
        }
        Err(ErrorKind::TooLarge) if size > i128::from(u64::MAX) => {}
        // A product may overflow even if another length is zero.
        Err(ErrorKind::TooLarge) if size == 0 => {}
        _ => {
            assert!(is_whole, "{found:?}");
            let count = usize::try_from(available / size).expect("it was an u64");
            let shape = std::iter::once(count).chain(row).collect();
            let case = Case { mode, grow: false, offset, shape, order: Order::C };
            case.assert_resolved::<A>(&found, file_len);
        }
    }
    Ok(())
}
