//! Ways to a result, compared in alternating rounds.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use criterion::Criterion;

use crate::cost::Cost;

/// How long the slowest way of a section takes, which decides how often it is repeated.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Microseconds, in cold caches: one run in a round.
    Single,
    /// Up to a millisecond.
    Micro,
    /// Tens of milliseconds.
    Milli,
    /// Tenths of a second.
    Slow,
    /// Seconds, or with a preparation before each run: not timed by criterion.
    Heavy,
    /// Many seconds: compared in few rounds, and not by criterion.
    Once,
}

impl Pace {
    fn rounds(self) -> usize {
        match self {
            Self::Single => 501,
            Self::Micro => 201,
            Self::Milli => 41,
            Self::Slow | Self::Heavy => 11,
            Self::Once => 3,
        }
    }

    /// Returns the time for which a short run is repeated within a round.
    fn batch(self) -> Duration {
        Duration::from_millis(match self {
            Self::Single | Self::Heavy => 0,
            Self::Micro => 1,
            Self::Milli => 20,
            Self::Slow | Self::Once => 60,
        })
    }

    /// Returns the rounds that measure costs beside time.
    fn cost_rounds(self) -> usize {
        match self {
            Self::Single | Self::Micro | Self::Milli => 0,
            Self::Slow | Self::Heavy => 5,
            Self::Once => 3,
        }
    }
}

/// Required ratio to the first way of a section.
#[derive(Clone, Copy)]
pub enum Target {
    Unset,
    AtMost(f64),
    AtLeast(f64),
}

/// One way to a result.
pub struct Way<'a> {
    pub(crate) name: &'a str,
    pub(crate) target: Target,
    /// Runs before each round and is not timed.
    prepare: Box<dyn Fn() + 'a>,
    /// Runs this number of times; returns the last result and the seconds of all.
    run: Box<dyn Fn(u32) -> (f64, f64) + 'a>,
}

impl<'a> Way<'a> {
    pub fn new(name: &'a str, run: impl Fn() -> f64 + 'a) -> Self {
        Self::timing_itself(name, move |runs| {
            let start = Instant::now();
            let result = (0..runs).fold(f64::NAN, |_, _| black_box(run()));
            (result, start.elapsed().as_secs_f64())
        })
    }

    /// A way that is given the number of runs; returns the last result and the seconds that
    /// count.
    pub fn timing_itself(name: &'a str, run: impl Fn(u32) -> (f64, f64) + 'a) -> Self {
        Self { name, target: Target::Unset, prepare: Box::new(|| ()), run: Box::new(run) }
    }

    /// A way that times a part of each run: `run` returns the result and the seconds.
    pub fn timing_a_part(name: &'a str, run: impl Fn() -> (f64, f64) + 'a) -> Self {
        Self::timing_itself(name, move |runs| {
            (0..runs).fold((f64::NAN, 0.0), |(_, sum), _| {
                let (result, seconds) = run();
                (result, sum + seconds)
            })
        })
    }

    /// Adds work before each run of a section of [`Pace::Heavy`].
    #[must_use]
    pub fn after(self, prepare: impl Fn() + 'a) -> Self {
        Self { prepare: Box::new(prepare), ..self }
    }

    #[must_use]
    pub fn target(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// Returns the result and the seconds of a number of runs.
    fn go(&self, batch: u32) -> (f64, f64) {
        (self.prepare)();
        (self.run)(batch)
    }

    /// Returns the seconds of one run, as the mean of a batch.
    fn time(&self, batch: u32) -> f64 {
        self.go(batch).1 / f64::from(batch)
    }

    /// Finds how many runs take long enough to be timed at a pace.
    fn batch(&self, pace: Pace) -> u32 {
        let enough = pace.batch().as_secs_f64();
        if enough == 0.0 {
            return 1;
        }
        let once = self.time(1).min(self.time(1));
        (1..100_000).find(|&runs| f64::from(runs) * once >= enough).unwrap_or(1)
    }
}

/// Ways to the same result, compared with the first.
pub struct Section<'a> {
    pub name: String,
    pub(crate) pace: Pace,
    pub(crate) ways: Vec<Way<'a>>,
}

/// Median seconds of a way, and the quartiles of its ratio to the first.
pub(crate) struct Outcome {
    pub(crate) median: f64,
    pub(crate) ratio: [f64; 3],
}

impl<'a> Section<'a> {
    pub fn new(name: impl Into<String>, pace: Pace, ways: Vec<Way<'a>>) -> Self {
        Self { name: name.into(), pace, ways }
    }

    /// Panics if the ways differ in their result.
    pub(crate) fn check(&self) {
        let mut results = self.ways.iter().map(|way| (way.name, way.go(1).0));
        let (_, expected) = results.next().expect("a section has ways");
        for (name, result) in results {
            assert_eq!(result, expected, "{}: {name}", self.name);
        }
    }

    /// Times the ways by criterion.
    pub(crate) fn time(&self, criterion: &mut Criterion) {
        let samples = match self.pace {
            Pace::Single | Pace::Micro => 50,
            Pace::Milli | Pace::Slow => 10,
            Pace::Heavy | Pace::Once => return,
        };
        let mut group = criterion.benchmark_group(&self.name);
        group.sample_size(samples);
        group.warm_up_time(Duration::from_millis(200));
        group.measurement_time(Duration::from_millis(600));
        for way in &self.ways {
            let time = |runs| {
                let runs = u32::try_from(runs).expect("criterion asks for less");
                Duration::from_secs_f64((way.run)(runs).1)
            };
            group.bench_function(way.name, |b| b.iter_custom(time));
        }
        group.finish();
    }

    /// Measures the ways in turn, every other round in reverse, so that all share the noise.
    fn alternate<T>(
        &self,
        rounds: usize,
        batches: &[u32],
        measure: impl Fn(&Way<'_>, u32) -> T,
    ) -> Vec<Vec<T>> {
        let mut results: Vec<_> = self.ways.iter().map(|_| Vec::new()).collect();
        for round in 0..rounds {
            let mut turns: Vec<_> =
                self.ways.iter().zip(batches).zip(&mut results).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for ((way, &batch), results) in turns {
                results.push(measure(way, batch));
            }
        }
        results
    }

    /// Returns the times of the ways.
    pub(crate) fn compare(&self) -> Vec<Outcome> {
        let batches: Vec<_> = self.ways.iter().map(|way| way.batch(self.pace)).collect();
        let times =
            self.alternate(self.pace.rounds(), &batches, |way, batch| way.time(batch));
        let first = times.first().cloned().unwrap_or_default();
        let outcome = |times: Vec<f64>| {
            let ratios = times.iter().zip(&first).map(|(time, first)| time / first);
            Outcome { ratio: quartiles(ratios.collect()), median: median(times) }
        };
        times.into_iter().map(outcome).collect()
    }

    /// Returns what the ways cost beside time, as medians; `None` if that is not known.
    pub(crate) fn costs(&self, folder: &Path) -> Vec<Option<Cost>> {
        let once = vec![1; self.ways.len()];
        let costs = self.alternate(self.pace.cost_rounds(), &once, |way, batch| {
            (way.prepare)();
            Cost::of(folder, || {
                (way.run)(batch);
            })
        });
        let median = |rounds: Vec<Option<Cost>>| {
            let rounds: Vec<_> = rounds.into_iter().flatten().collect();
            (!rounds.is_empty()).then(|| Cost::median(&rounds))
        };
        costs.into_iter().map(median).collect()
    }
}

pub(crate) fn median(values: Vec<f64>) -> f64 {
    let [_, median, _] = quartiles(values);
    median
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        values.get(values.len() * quarter / 4).copied().unwrap_or(f64::NAN)
    })
}
