//! Comparing ways by alternating rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::costs::Cost;

/// How long the slowest way of a section takes, and so how often it is repeated.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// Microseconds, each of which is to count: one run in a round, in cold caches.
    Single,
    /// Up to a millisecond.
    Micro,
    /// Tens of milliseconds.
    Milli,
    /// Tenths of a second.
    Slow,
    /// Seconds, or what must be prepared for each run: not timed by criterion.
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

    /// The time that short runs are repeated for within a round.
    fn batch(self) -> Duration {
        Duration::from_millis(match self {
            Self::Single | Self::Heavy => 0,
            Self::Micro => 1,
            Self::Milli => 20,
            Self::Slow | Self::Once => 60,
        })
    }
}

/// What the ratio to the first way of a section should be.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    Unset,
    AtMost(f64),
    AtLeast(f64),
}

/// One way to a result.
pub(crate) struct Way<'a> {
    pub(crate) name: &'a str,
    pub(crate) target: Target,
    /// What comes before each run and does not count.
    prepare: Box<dyn Fn() + 'a>,
    /// Goes this way so many times; returns the last result and the seconds of all.
    run: Box<dyn Fn(u32) -> (f64, f64) + 'a>,
}

impl<'a> Way<'a> {
    pub(crate) fn new(name: &'a str, run: impl Fn() -> f64 + 'a) -> Self {
        Self::timing_itself(name, move |runs| {
            let start = Instant::now();
            let result = (0..runs).fold(f64::NAN, |_, _| black_box(run()));
            (result, start.elapsed().as_secs_f64())
        })
    }

    /// A way that knows itself which of its time counts.
    pub(crate) fn timing_itself(
        name: &'a str,
        run: impl Fn(u32) -> (f64, f64) + 'a,
    ) -> Self {
        Self { name, target: Target::Unset, prepare: Box::new(|| ()), run: Box::new(run) }
    }

    /// Has something done before each run of a section of `Pace::Heavy`.
    #[allow(dead_code, reason = "not every benchmark prepares its runs")]
    pub(crate) fn after(self, prepare: impl Fn() + 'a) -> Self {
        Self { prepare: Box::new(prepare), ..self }
    }

    pub(crate) fn target(self, target: Target) -> Self {
        Self { target, ..self }
    }

    /// Goes this way once, and returns what that took beside time.
    pub(crate) fn cost(&self) -> Option<Cost> {
        (self.prepare)();
        Cost::of(|| {
            (self.run)(1);
        })
    }

    fn result(&self) -> f64 {
        (self.prepare)();
        let (result, _) = (self.run)(1);
        result
    }

    /// Returns the seconds of one run, of so many.
    fn time(&self, batch: u32) -> f64 {
        (self.prepare)();
        let (_, seconds) = (self.run)(batch);
        seconds / f64::from(batch)
    }

    /// Returns the time of so many runs, for criterion.
    pub(crate) fn time_all(&self, runs: u64) -> Duration {
        let runs = u32::try_from(runs).expect("criterion asks for less");
        let (_, seconds) = (self.run)(runs);
        Duration::from_secs_f64(seconds)
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
pub(crate) struct Section<'a> {
    pub(crate) name: String,
    pub(crate) pace: Pace,
    pub(crate) ways: Vec<Way<'a>>,
}

/// What the rounds say of one way: seconds, and the quartiles of its ratio to the first.
pub(crate) struct Outcome {
    pub(crate) median: f64,
    pub(crate) ratio: [f64; 3],
}

impl Section<'_> {
    /// Panics if the ways differ in their result.
    pub(crate) fn check(&self) {
        let mut results = self.ways.iter().map(|way| (way.name, way.result()));
        let (_, expected) = results.next().expect("a section has ways");
        for (name, result) in results {
            assert_eq!(result, expected, "{}: {name}", self.name);
        }
    }

    /// Runs the ways in turn, every other round in reverse, so that all share the noise.
    pub(crate) fn compare(&self) -> Vec<Outcome> {
        let batches: Vec<u32> =
            self.ways.iter().map(|way| way.batch(self.pace)).collect();
        let mut times = vec![Vec::new(); self.ways.len()];
        for round in 0..self.pace.rounds() {
            let mut turns: Vec<_> =
                self.ways.iter().zip(&batches).zip(&mut times).collect();
            if round % 2 == 1 {
                turns.reverse();
            }
            for ((way, &batch), times) in turns {
                times.push(way.time(batch));
            }
        }
        let first = times.first().cloned().unwrap_or_default();
        let outcome = |times: Vec<f64>| {
            let ratios = times.iter().zip(&first).map(|(time, first)| time / first);
            let ratio = quartiles(ratios.collect());
            let [_, median, _] = quartiles(times);
            Outcome { median, ratio }
        };
        times.into_iter().map(outcome).collect()
    }
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| {
        let at = values.len().saturating_mul(quarter).checked_div(4);
        values.get(at.unwrap_or(0)).copied().unwrap_or(f64::NAN)
    })
}
