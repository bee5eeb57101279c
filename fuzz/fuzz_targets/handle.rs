//! Makes calls on a handle in any order, and compares it with a plain `Vec` of rows.
#![no_main]

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use ndarray_memmap::{Mode, PageCache};
use test_support::history::{Care, Kind, Step, Trial, Way};

const MODES: [Mode; 5] =
    [Mode::ReadWrite, Mode::CopyOnWrite, Mode::ReadOnly, Mode::Create, Mode::CreateNew];
const CARES: [Care; 5] =
    [Care::Sync, Care::StartSync, Care::Prefetch, Care::PrefetchAsync, Care::Evict];
const CACHES: [PageCache; 3] = [PageCache::AsFound, PageCache::Keep, PageCache::Drop];
const MOST_STEPS: usize = 30;

fuzz_target!(|input: &[u8]| {
    // Inputs that end early continue with zeros.
    run(&mut Unstructured::new(input)).expect("there are always zeros");
});

fn run(input: &mut Unstructured) -> Result<()> {
    let npy = input.arbitrary()?;
    let fortran = input.arbitrary()?;
    let width = input.int_in_range(1..=40)?;
    let offset = if npy { 0 } else { input.int_in_range(0..=2)? * 2052 };
    let mut trial = Trial::new(Kind { npy, fortran, width, offset });
    for _ in 0..MOST_STEPS {
        if input.is_empty() {
            break;
        }
        trial.take(&step(input)?);
    }
    trial.finish();
    Ok(())
}

fn step(input: &mut Unstructured) -> Result<Step> {
    let count = |input: &mut Unstructured| input.int_in_range(0..=20);
    Ok(match input.int_in_range(0..=22)? {
        0..3 => Step::Append(many(input)?, input.int_in_range(-2..=2)?),
        3..6 => Step::Push,
        6..8 => Step::Resize(many(input)?),
        8 => Step::Write(input.arbitrary()?),
        9 => Step::Sweep(way(input)?),
        10 => Step::SweepMut(way(input)?),
        11 => Step::Gather(input.int_in_range(0..=1)?, indices(input)?),
        12 => Step::Scatter(input.int_in_range(0..=1)?, indices(input)?),
        13 => Step::Sync,
        14 => Step::Region(*input.choose(&CARES)?, input.arbitrary()?, count(input)?),
        15 => Step::Commit,
        16 => Step::CommitAnyway,
        17 => Step::Rollback,
        18 | 19 => Step::Refresh,
        20 => Step::Reopen(*input.choose(&MODES)?, count(input)?),
        21 => Step::CloseAndReopen(*input.choose(&MODES)?, count(input)?),
        _ => Step::ReopenLonger(count(input)?),
    })
}

/// Returns mostly few rows, and seldom enough to fill more than a page.
fn many(input: &mut Unstructured) -> Result<usize> {
    let number = usize::from(input.arbitrary::<u8>()?);
    Ok(if number < 240 { number % 8 } else { (number - 240) * 50 })
}

fn way(input: &mut Unstructured) -> Result<Way> {
    Ok(Way {
        axis: input.int_in_range(0..=1)?,
        bytes: usize::from(input.arbitrary::<u16>()?),
        backward: input.arbitrary()?,
        cache: *input.choose(&CACHES)?,
    })
}

fn indices(input: &mut Unstructured) -> Result<Vec<usize>> {
    let mut indices = Vec::new();
    for _ in 0..input.int_in_range(0..=6)? {
        let number = input.arbitrary::<u8>()?;
        indices.push(if number == u8::MAX { usize::MAX } else { number.into() });
    }
    Ok(indices)
}
