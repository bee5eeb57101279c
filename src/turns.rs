//! The turns of a sweep: which of its pages are asked about, read, used and given back when.
//!
//! Knows rows and the pages of each array, and nothing of elements.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;

use crate::PageCache;
use crate::address::FOLIO;
use crate::reader::{Order, Ranges, Reader};
use crate::tend::{Part, Tender};

/// The arrays of a sweep, and their turns.
#[derive(Debug)]
pub(crate) struct Turns<'a> {
    pub(crate) cache: PageCache,
    arrays: Vec<Tender<'a>>,
    rows: Range<usize>,
    rows_of_turn: usize,
    /// The last turns of the two ends.
    used: [Option<Turn>; 2],
    /// Those that are not used yet, by number.
    known: BTreeMap<usize, Turn>,
    /// The numbers of those that the reader is asked about.
    asked: Vec<usize>,
    /// Begins with the first turn.
    reader: Option<Reader>,
    /// Whether only one of these is gone through at a time.
    is_alone: bool,
}

/// Neighbouring blocks that are tended together.
#[derive(Debug)]
struct Turn {
    number: usize,
    /// Its pages in each array.
    parts: Vec<Part>,
    /// Whether they are being read, or have been.
    is_read: bool,
}

/// The least that a turn has if there are more: to tend less costs more than it gains.
const TURN: usize = 1 << 20;
/// The most turns that are asked about ahead of the one that is read.
const LEAD: usize = 64;

impl<'a> Turns<'a> {
    /// Divides rows into turns of whole blocks.
    pub(crate) fn new(
        arrays: Vec<Tender<'a>>,
        rows: Range<usize>,
        rows_of_block: usize,
        bytes_of_row: usize,
    ) -> Self {
        let block = rows_of_block.saturating_mul(bytes_of_row).max(1);
        let blocks = TURN.checked_div(block).unwrap_or(1).max(1);
        Self {
            cache: PageCache::default(),
            arrays,
            rows,
            rows_of_turn: rows_of_block.saturating_mul(blocks).max(1),
            used: [None, None],
            known: BTreeMap::new(),
            asked: Vec::new(),
            reader: None,
            is_alone: true,
        }
    }

    /// Returns the turns of a part of the rows, for one of several threads.
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let mut part = Self::new(self.arrays.clone(), rows, self.rows_of_turn, TURN);
        part.cache = self.cache;
        part.is_alone = false;
        part
    }

    /// Sees to it that a row, the first or last of those left, can be used.
    ///
    /// With the row its turn is there; the one used before at this end is given back, and the
    /// one that comes next is read meanwhile.
    pub(crate) fn tend(&mut self, row: usize, left: &Range<usize>, from_back: bool) {
        let number = self.number(row);
        if self.used.iter().flatten().any(|turn| turn.number == number) {
            return;
        }
        self.settle();
        self.start_reader();
        if !self.is_read(number) {
            let order = self.order(number, left, from_back);
            self.carry_out(&order);
        }
        let mut turn = self.known.remove(&number);
        let [front, back] = &mut self.used;
        let used = if from_back { back } else { front };
        if let Some(used) = used.take() {
            self.finish(used, turn.as_mut());
        }
        let [front, back] = &mut self.used;
        *(if from_back { back } else { front }) = turn;
        self.read_ahead(number, left, from_back);
    }

    /// Gives back what is used, at the end.
    pub(crate) fn finish_used(&mut self) {
        for turn in std::mem::take(&mut self.used).into_iter().flatten() {
            self.finish(turn, None);
        }
    }

    fn number(&self, row: usize) -> usize {
        row.saturating_sub(self.rows.start).checked_div(self.rows_of_turn).unwrap_or(0)
    }

    fn rows(&self, number: usize) -> Range<usize> {
        let start =
            self.rows.start.saturating_add(number.saturating_mul(self.rows_of_turn));
        start..start.saturating_add(self.rows_of_turn).min(self.rows.end)
    }

    fn is_read(&self, number: usize) -> bool {
        self.known.get(&number).is_some_and(|turn| turn.is_read)
    }

    /// Returns the numbers of turns that come after one and have rows left.
    fn after(
        &self,
        number: usize,
        left: &Range<usize>,
        from_back: bool,
    ) -> impl Iterator<Item = usize> + use<> {
        let end =
            left.end.checked_sub(1).map_or(0, |last| self.number(last).saturating_add(1));
        let mut ahead = number.saturating_add(1)..end;
        let mut behind = self.number(left.start)..number;
        let used = self.used.each_ref().map(|turn| turn.as_ref().map(|turn| turn.number));
        iter::from_fn(move || if from_back { behind.next_back() } else { ahead.next() })
            .filter(move |number| !used.contains(&Some(*number)))
    }

    fn start_reader(&mut self) {
        if self.reader.is_none() {
            let has_next = self.rows.len() > self.rows_of_turn;
            let places = self.arrays.iter().map(|array| array.place);
            self.reader = Some(Reader::new(places, self.is_alone && has_next));
        }
    }

    /// Begins to read the turn after one.
    fn read_ahead(&mut self, number: usize, left: &Range<usize>, from_back: bool) {
        let next = self.after(number, left, from_back).next();
        let Some(next) = next.filter(|next| !self.is_read(*next)) else { return };
        if !self.reader.as_ref().is_some_and(Reader::reads_ahead) {
            return;
        }
        let order = self.order(next, left, from_back);
        let answers = self.reader.as_mut().and_then(|reader| reader.begin(order));
        if let Some(answers) = answers {
            self.note(&answers);
        }
    }

    /// Orders a turn to be read, and those after it to be asked about.
    ///
    /// With the last page of a turn the rest of its folio is read; to ask later would be to
    /// take that for what was there before.
    fn order(&mut self, number: usize, left: &Range<usize>, from_back: bool) -> Order {
        let ask = self.ask(iter::once(number));
        self.carry_out(&Order { ask, read: Vec::new() });
        let after = self.after(number, left, from_back).take(self.lead());
        let ask = self.ask(after);
        let mut read = Vec::new();
        if let Some(turn) = self.known.get_mut(&number) {
            turn.is_read = true;
            let parts = self.arrays.iter().zip(&turn.parts);
            read.extend(parts.map(|(array, part)| array.wanted(part)));
        }
        Order { ask, read }
    }

    /// Returns how many turns have to be known ahead of the one that is read: those that a
    /// folio reaches into.
    fn lead(&self) -> usize {
        let bytes = self.arrays.iter().map(|array| array.len(self.rows(0)));
        FOLIO.div_ceil(bytes.min().unwrap_or(FOLIO).max(1)).min(LEAD)
    }

    /// Plans turns that are not known yet, and returns what to ask about them.
    fn ask(&mut self, numbers: impl Iterator<Item = usize>) -> Vec<Ranges> {
        let mut ask = Vec::new();
        for number in numbers {
            if self.known.contains_key(&number) {
                continue;
            }
            let rows = self.rows(number);
            let plan = |array: &Tender<'_>| array.plan(rows.clone(), self.cache);
            let parts: Vec<_> = self.arrays.iter().map(plan).collect();
            if self.cache == PageCache::AsFound {
                let parts = self.arrays.iter().zip(&parts);
                ask.extend(parts.map(|(array, part)| array.wanted(part).pages));
                self.asked.push(number);
            }
            self.known.insert(number, Turn { number, parts, is_read: false });
        }
        ask
    }

    /// Has an order carried out at once.
    fn carry_out(&mut self, order: &Order) {
        if order.ask.is_empty() && order.read.is_empty() {
            return;
        }
        let answers = self.reader.as_ref().map(|reader| reader.now(order));
        self.note(&answers.unwrap_or_default());
    }

    /// Waits for the reader.
    fn settle(&mut self) {
        if let Some(answers) = self.reader.as_mut().and_then(Reader::settle) {
            self.note(&answers);
        }
        // Nothing is known of what was not answered.
        self.asked.clear();
    }

    /// Notes what the reader has answered.
    fn note(&mut self, answers: &[Ranges]) {
        let mut answers = answers.iter();
        for number in std::mem::take(&mut self.asked) {
            let parts = self.known.get_mut(&number).map(|turn| &mut turn.parts);
            let parts = self.arrays.iter().zip(parts.into_iter().flatten());
            for ((array, part), absent) in parts.zip(&mut answers) {
                array.note(part, absent);
            }
        }
    }

    /// Gives the pages of a turn back, but for those that the next one shares.
    fn finish(&mut self, turn: Turn, mut next: Option<&mut Turn>) {
        let parts = self.arrays.iter_mut().zip(turn.parts);
        for (number, (array, part)) in parts.enumerate() {
            let next = next.as_mut().and_then(|next| next.parts.get_mut(number));
            array.finish(part, next);
        }
    }
}

impl Drop for Turns<'_> {
    fn drop(&mut self) {
        self.settle();
        self.finish_used();
        for turn in std::mem::take(&mut self.known).into_values() {
            let parts = self.arrays.iter_mut().zip(turn.parts);
            parts.for_each(|(array, part)| array.abandon(part));
        }
        self.arrays.iter_mut().for_each(Tender::end);
    }
}
