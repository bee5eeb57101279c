//! Random histories of arrays that grow and change, compared with a plain `Vec` of rows.

use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Mode, PageCache};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::FileFailurePersistence;
use test_support::history::{Care, Kind, Step, Trial, Way};
use test_support::sampled;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let indices = || vec(any::<usize>(), 0..6);
    let step = prop_oneof![
        4 => (0_usize..6, -2_isize..3).prop_map(|(rows, by)| Step::Append(rows, by)),
        1 => (100_usize..3000, -2_isize..3).prop_map(|(rows, by)| Step::Append(rows, by)),
        8 => Just(Step::Push),
        1 => (0_usize..3000).prop_map(Step::Resize),
        2 => (0_usize..20).prop_map(Step::Resize),
        3 => any::<usize>().prop_map(Step::Write),
        1 => way().prop_map(Step::Sweep),
        1 => way().prop_map(Step::SweepMut),
        1 => (0_usize..2, indices()).prop_map(|(axis, i)| Step::Gather(axis, i)),
        1 => (0_usize..2, indices()).prop_map(|(axis, i)| Step::Scatter(axis, i)),
        2 => Just(Step::Sync),
        1 => (care(), any::<usize>(), 1_usize..4).prop_map(|(c, i, by)| Step::Region(c, i, by)),
        1 => select(vec![Step::Commit, Step::CommitAnyway, Step::Rollback]),
        1 => (mode(), 0_usize..4).prop_map(|(mode, rows)| Step::Reopen(mode, rows)),
        1 => (mode(), 0_usize..4).prop_map(|(mode, rows)| Step::CloseAndReopen(mode, rows)),
        1 => (0_usize..9).prop_map(Step::ReopenLonger),
        3 => Just(Step::Refresh),
    ];
    vec(step, 1..40)
}

/// Returns mostly modes in which the array can grow.
fn mode() -> impl Strategy<Value = Mode> {
    select(vec![
        ReadWrite,
        ReadWrite,
        ReadWrite,
        Create,
        CreateNew,
        CopyOnWrite,
        ReadOnly,
    ])
}

fn care() -> impl Strategy<Value = Care> {
    use Care::{Evict, Prefetch, PrefetchAsync, StartSync, Sync};

    select(vec![Sync, StartSync, Prefetch, PrefetchAsync, Evict])
}

fn way() -> impl Strategy<Value = Way> {
    let caches = select(vec![PageCache::AsFound, PageCache::Keep, PageCache::Drop]);
    let way = (0_usize..2, 0_usize..20_000, any::<u8>(), caches);
    way.prop_map(|(axis, bytes, backward, cache)| Way { axis, bytes, backward, cache })
}

#[test]
fn random_histories_agree_with_a_vec_of_rows() {
    let mut config = ProptestConfig::with_cases(u32::try_from(sampled(128)).unwrap());
    config.failure_persistence = Some(Box::new(FileFailurePersistence::Off));
    let kind =
        (any::<bool>(), any::<bool>(), 1_usize..40, select(vec![0_u64, 2052, 4104]));
    proptest!(config, |(kind in kind, steps in steps())| {
        let (npy, fortran, width, offset) = kind;
        let offset = if npy { 0 } else { offset };
        let mut trial = Trial::new(Kind { npy, fortran, width, offset });
        for step in &steps {
            trial.take(step);
        }
        trial.finish();
    });
}
