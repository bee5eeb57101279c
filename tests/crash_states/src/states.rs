//! The states that a power cut can leave, by the log of the disk.
//!
//! A state contains all requests before the last flush. Each later request may be present or
//! absent, in any order. A write of several sectors may be present in part.

use std::collections::HashSet;
use std::ops::Range;

use crate::image::Image;
use crate::log::{Entry, Log};
use crate::random::Random;

/// One state, and the requests that it contains.
#[derive(Clone, Debug)]
pub(crate) struct State {
    /// How many requests had arrived when the power failed.
    pub(crate) at: usize,
    pub(crate) image: Image,
    /// Whether the state contains a partial write.
    pub(crate) is_torn: bool,
    pub(crate) story: String,
}

/// Which requests since the last flush the state contains.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// All requests.
    Whole,
    /// Each request, with this probability in percent.
    Some(usize),
    /// All requests but one.
    AllButOne,
    /// One request.
    One,
    /// The last requests.
    Last,
}

/// Builds states from a log one by one, each only once.
#[derive(Debug)]
pub(crate) struct States<'l> {
    log: &'l Log,
    sector: usize,
    /// The contents after each flush, and how many requests had arrived by then.
    durable: Vec<(usize, Image)>,
    /// How many requests have arrived at each state to build.
    ends: Vec<usize>,
    /// Where promises change: a state counts once between two marks.
    marks: Vec<usize>,
    random: Random,
    seen: HashSet<(u64, usize)>,
}

impl<'l> States<'l> {
    /// Starts with the disk as it was before the log; builds only states from `range`.
    pub(crate) fn new(
        log: &'l Log,
        base: Image,
        range: Range<usize>,
        marks: Vec<usize>,
        sector: usize,
        random: Random,
    ) -> Self {
        let mut image = base;
        let mut durable = vec![(0, image.clone())];
        for (index, entry) in log.entries.iter().enumerate().take(range.end) {
            image.apply(log, *entry);
            if entry.is_flush() {
                durable.push((index + 1, image.clone()));
            }
        }
        let ends = (range.start..=range.end).collect();
        Self { log, sector, durable, ends, marks, random, seen: HashSet::new() }
    }

    /// Returns the state of each prefix that differs from all earlier ones, at most `limit`.
    pub(crate) fn prefixes(&mut self, limit: usize) -> Vec<State> {
        let mut ends = self.ends.clone();
        while ends.len() > limit {
            ends.swap_remove(self.random.below(ends.len()));
        }
        ends.sort_unstable();
        ends.into_iter().filter_map(|end| self.make(end, Fate::Whole, false)).collect()
    }

    /// Returns a state with a random subset of the requests since the last flush.
    ///
    /// Returns `None` if it finds only known states.
    pub(crate) fn random(&mut self) -> Option<State> {
        (0..50).find_map(|_| {
            let end = self.ends[self.random.below(self.ends.len())];
            let fate = match self.random.below(9) {
                0 => Fate::Whole,
                1 => Fate::AllButOne,
                2 => Fate::One,
                3 => Fate::Last,
                _ => Fate::Some([10, 30, 50, 70, 90][self.random.below(5)]),
            };
            let is_torn = matches!(fate, Fate::Whole) || self.random.chance(30);
            self.make(end, fate, is_torn)
        })
    }

    fn make(&mut self, end: usize, fate: Fate, is_torn: bool) -> Option<State> {
        let at = self.durable.partition_point(|(index, _)| *index <= end) - 1;
        let (start, mut image) = self.durable[at].clone();
        let pending = start..end;
        let kept = self.choose(pending.clone(), fate);
        let torn = if is_torn { self.choose_torn(&kept) } else { Vec::new() };
        for index in &kept {
            match torn.contains(index) {
                true => self.tear(&mut image, *index),
                false => image.apply(self.log, self.log.entries[*index]),
            }
        }
        let promises = self.marks.partition_point(|mark| *mark <= end);
        if !self.seen.insert((image.hash(), promises)) {
            return None;
        }
        let is_torn = !torn.is_empty();
        let story = match (kept.len() == pending.len(), is_torn) {
            (true, false) => format!("the first {end} requests"),
            (_, false) => {
                format!("the first {end} requests, of those since {start} {kept:?}")
            }
            _ => format!(
                "the first {end} requests, of those since {start} {kept:?}, {torn:?} in part"
            ),
        };
        Some(State { at: end, image, is_torn, story })
    }

    /// Chooses one or several of the given requests.
    fn choose_torn(&mut self, kept: &[usize]) -> Vec<usize> {
        if kept.is_empty() {
            return Vec::new();
        }
        match self.random.chance(50) {
            true => vec![kept[self.random.below(kept.len())]],
            false => kept.iter().copied().filter(|_| self.random.chance(40)).collect(),
        }
    }

    fn choose(&mut self, pending: Range<usize>, fate: Fate) -> Vec<usize> {
        if pending.is_empty() {
            return Vec::new();
        }
        let one = pending.start + self.random.below(pending.len());
        match fate {
            Fate::Whole => pending.collect(),
            Fate::Some(percent) => {
                pending.filter(|_| self.random.chance(percent)).collect()
            }
            Fate::AllButOne => pending.filter(|index| *index != one).collect(),
            Fate::One => vec![one],
            Fate::Last => (one..pending.end).collect(),
        }
    }

    /// Applies some sectors of a write.
    fn tear(&mut self, image: &mut Image, index: usize) {
        let entry = self.log.entries[index];
        let Entry::Write { offset, .. } = entry else {
            return image.apply(self.log, entry);
        };
        let sectors = self.log.bytes(entry).chunks(self.sector);
        let end = self.random.below(sectors.len() + 1);
        let is_prefix = self.random.chance(50);
        for (number, sector) in sectors.enumerate() {
            let is_there = if is_prefix { number < end } else { self.random.chance(50) };
            if is_there {
                image.write(offset + (number * self.sector) as u64, sector);
            }
        }
    }
}
