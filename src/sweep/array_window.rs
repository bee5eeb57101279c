//! The pages of one array in a sweep: when they are read, mapped, written and dropped.
//!
//! Nothing here can fail for the caller: what the kernel refuses costs speed or memory only,
//! and a page that cannot be written is reported by the next sync.

use std::collections::VecDeque;
use std::fs::File;
use std::ops::Range;

use ndarray::Axis;

use super::readahead::Ranges;
use crate::file::bytes_of;
use crate::layout::footprint::Footprint;
use crate::mapping::Backing;
use crate::mode::Advice;
use crate::sys::{self, FOLIO};

/// One array of a sweep.
#[derive(Clone, Debug)]
pub(crate) struct ArrayWindow<'a> {
    pub(crate) backing: &'a Backing,
    span: Footprint,
    axis: Axis,
    /// Whether blocks are handed out to be changed, and changes go to the file.
    writes: bool,
    /// Whether they are, and changes stay private.
    is_private: bool,
    /// The bytes from the first of its pages to the last; those of other threads are not.
    bounds: Range<usize>,
    /// SlidingWindow that are being written.
    writing: VecDeque<ChunkPages>,
}

/// The pages of a chunk in one array.
#[derive(Clone, Debug)]
pub(crate) struct ChunkPages {
    pages: Ranges,
    /// Those that are to leave the page cache.
    passing: Ranges,
    /// Whether the pages hold more of other chunks than of this.
    is_thin: bool,
    /// Whether they lie together, so that the reader advises on them.
    is_advised: bool,
}

/// How many chunks are being written before the first of them is waited for.
const WRITING: usize = 2;

impl<'a> ArrayWindow<'a> {
    pub(crate) fn new(
        backing: &'a Backing,
        span: Footprint,
        axis: Axis,
        writes: bool,
    ) -> Self {
        let [writes, is_private] =
            [true, false].map(|shared| writes && backing.mode.writes_file() == shared);
        let bounds = 0..backing.mapping.map().map_or(0, |_| backing.mapping.len());
        Self { backing, span, axis, writes, is_private, bounds, writing: VecDeque::new() }
    }

    /// Returns one that cares for some of the rows, while others care for the rest.
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let pages = self.backing.mapping.touched(&self.span.part(self.axis, rows));
        let ends = pages.first().zip(pages.last());
        let bounds = ends.map_or(0..0, |(first, last)| first.start..last.end);
        Self { bounds, ..self.clone() }
    }

    /// Finds the pages of some rows.
    ///
    /// If they lie together, the folios that they begin and end in are theirs as a whole:
    /// so the kernel reads and drops them, and what a neighbour shares is left to it.
    pub(crate) fn plan(&self, rows: Range<usize>) -> ChunkPages {
        let span = self.span.part(self.axis, rows);
        let mut pages = self.backing.mapping.touched(&span);
        let len = pages.iter().fold(0, |len: usize, part| len.saturating_add(part.len()));
        let is_thin = len / 2 > span.len().saturating_add(1 << 14);
        if let [range] = pages.as_mut_slice() {
            *range = self.folios(range);
        }
        let is_advised = !is_thin && pages.len() == 1;
        ChunkPages { pages, passing: Vec::new(), is_thin, is_advised }
    }

    /// Returns the addresses of what is to be read before the rows are used.
    pub(crate) fn wanted(&self, part: &ChunkPages) -> Ranges {
        if part.is_thin { Vec::new() } else { self.addresses(&part.pages) }
    }

    /// Notes the addresses of pages that are to leave the page cache.
    pub(crate) fn note(&self, part: &mut ChunkPages, passing: &[Range<usize>]) {
        let mapping = &self.backing.mapping;
        part.passing = passing.iter().map(|run| mapping.range_of(run)).collect();
    }

    fn addresses(&self, ranges: &[Range<usize>]) -> Ranges {
        ranges
            .iter()
            .filter_map(|range| self.backing.mapping.addresses(range).ok())
            .collect()
    }

    /// Gives a chunk back, but for what the next one shares with it.
    pub(crate) fn finish(
        &mut self,
        mut part: ChunkPages,
        next: Option<&mut ChunkPages>,
        file: Option<&File>,
    ) {
        if let Some(next) = next {
            Self::share(&mut part, next);
        }
        let backing = self.backing;
        for range in part.pages.iter().filter(|_| self.writes) {
            let _ = backing.start_sync(range);
        }
        // Without its file, only what is in the page table can leave the page cache.
        let pages_out = file.is_none() || self.is_private;
        for range in part.passing.iter().filter(|_| pages_out) {
            let _ = backing.mapping.page_out(range);
        }
        // What the reader has advised ends here; the other advice is not undone by that.
        let advice = match backing.advice {
            Advice::Random => Advice::Random,
            Advice::Sequential => Advice::Sequential,
            _ => Advice::Normal,
        };
        for range in &part.pages {
            // While one thread finds out which pages are unchanged, another may change them.
            if !self.is_private {
                let _ = backing.unmap(range);
            }
            if part.is_advised {
                let _ = backing.mapping.advise(range, advice);
            }
        }
        if self.writes {
            self.writing.push_back(part);
            self.wait(WRITING);
        } else if let Some(file) = file {
            self.forget(&part, file);
        }
    }

    /// Takes the passing pages of a chunk, which are not mapped, out of the page cache.
    fn forget(&self, part: &ChunkPages, file: &File) {
        for range in &part.passing {
            let _ = sys::drop_cached(file, &bytes_of(range, self.backing.offset));
        }
    }

    /// Ends the sweep.
    pub(crate) fn end(&mut self) {
        self.wait(0);
    }

    /// Waits until so many chunks are being written at most, and drops the others.
    fn wait(&mut self, most: usize) {
        let backing = self.backing;
        while self.writing.len() > most {
            let Some(part) = self.writing.pop_front() else { break };
            // What is to stay in the page cache is left for the system to write.
            for range in &part.passing {
                // A failure is kept for the next sync.
                let _ = backing.finish_write(range);
            }
            if let Some(file) = &backing.file {
                self.forget(&part, file);
            }
        }
    }

    /// Leaves to the next chunk what it has too.
    fn share(part: &mut ChunkPages, next: &mut ChunkPages) {
        let common = common(&part.pages, &next.pages);
        if common.is_empty() {
            return;
        }
        next.is_advised |= part.is_advised;
        next.passing.extend(self::common(&part.passing, &common));
        merge(&mut next.passing);
        part.passing = without(&part.passing, &common);
        part.pages = without(&part.pages, &common);
    }

    /// Rounds a range of the array to multiples of 2 MiB of the file, within the bounds.
    fn folios(&self, range: &Range<usize>) -> Range<usize> {
        let folio = u64::try_from(FOLIO).unwrap_or(1);
        let lead = self.backing.offset.checked_rem(folio).unwrap_or(0);
        let lead = usize::try_from(lead).unwrap_or(0);
        let start = range.start.saturating_add(lead);
        let start = start.saturating_sub(start.checked_rem(FOLIO).unwrap_or(0));
        let end = range.end.saturating_add(lead).checked_next_multiple_of(FOLIO);
        let Range { start: first, end: last } = self.bounds;
        let end = end.map_or(last, |end| end.saturating_sub(lead).min(last));
        start.saturating_sub(lead).max(first)..end
    }
}

/// Joins ranges that touch.
fn merge(ranges: &mut Ranges) {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
}

/// Returns what two lists of ranges, each in order and apart, have in common.
fn common(some: &[Range<usize>], others: &[Range<usize>]) -> Ranges {
    let mut common = Vec::new();
    let mut others = others.iter().peekable();
    for range in some {
        while let Some(other) = others.peek() {
            let both = range.start.max(other.start)..range.end.min(other.end);
            if !both.is_empty() {
                common.push(both);
            }
            if other.end > range.end {
                break;
            }
            others.next();
        }
    }
    common
}

/// Returns what a list of ranges has and another has not.
fn without(some: &[Range<usize>], others: &[Range<usize>]) -> Ranges {
    let mut rest = Vec::new();
    let common = common(some, others);
    let mut common = common.iter().peekable();
    for range in some {
        let mut start = range.start;
        while let Some(part) = common.next_if(|part| part.end <= range.end) {
            rest.push(start..part.start);
            start = part.end;
        }
        rest.push(start..range.end);
    }
    rest.retain(|range| !range.is_empty());
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_compared_as_sets_of_numbers() {
        let lists: [Ranges; 6] = [
            vec![],
            vec![2..5, 7..9],
            vec![0..1, 3..4, 8..20],
            vec![0..20, 30..31],
            vec![4..8, 8..9],
            vec![5..7, 9..10],
        ];
        let set = |list: &Ranges| list.iter().flat_map(Clone::clone).collect::<Vec<_>>();
        for (a, b) in lists.iter().flat_map(|a| lists.iter().map(move |b| (a, b))) {
            let (numbers, others) = (set(a), set(b));
            let split = numbers.iter().partition(|number| others.contains(number));
            assert_eq!((set(&common(a, b)), set(&without(a, b))), split, "{a:?} {b:?}");
        }
    }
}
