//! The pages of one array in a sweep: finds, writes, releases and evicts them.
//!
//! `Readahead` reads the pages. No function here returns an error to the caller. A refusal by the
//! kernel costs speed or memory only, and the next sync reports a page that cannot be written.

use std::{collections::VecDeque, fs::File, ops::Range};

use ndarray::Axis;

use super::readahead::Ranges;
use crate::file::bytes_of;
use crate::layout::Footprint;
use crate::mapping::Backing;
use crate::mode::Advice;
use crate::sys::{self, FOLIO};

/// The pages of one array in a sweep.
#[derive(Clone, Debug)]
pub(crate) struct ArrayWindow<'a> {
    pub(crate) backing: &'a Backing,
    footprint: Footprint,
    axis: Axis,
    /// Whether the caller may change the blocks, and changes go to the file.
    writes: bool,
    /// Whether the caller may change the blocks, and changes stay private.
    is_private: bool,
    /// The bytes from the first page of the window to the last. Other threads have other windows.
    bounds: Range<usize>,
    /// The chunks that the kernel is writing, the oldest first.
    writing: VecDeque<ChunkPages>,
}

/// The pages of a chunk in one array.
#[derive(Clone, Debug)]
pub(crate) struct ChunkPages {
    pages: Ranges,
    /// The pages to evict from the page cache on release.
    passing: Ranges,
    /// Whether most bytes of the pages belong to other chunks.
    is_thin: bool,
    /// Whether the pages are contiguous, so that `Readahead` passes advice about them.
    is_advised: bool,
}

/// How many chunks the kernel may be writing before the sweep waits for the oldest.
const WRITING: usize = 2;

impl<'a> ArrayWindow<'a> {
    pub(crate) fn new(
        backing: &'a Backing,
        footprint: Footprint,
        axis: Axis,
        writes: bool,
    ) -> Self {
        let [writes, is_private] =
            [true, false].map(|shared| writes && backing.mode().writes_file() == shared);
        let bounds = 0..backing.mapping.map().map_or(0, |_| backing.mapping.len());
        Self {
            backing,
            footprint,
            axis,
            writes,
            is_private,
            bounds,
            writing: VecDeque::new(),
        }
    }

    /// Returns the window over some of the rows, while other threads have the rest.
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let pages = self.backing.mapping.touched(&self.footprint.part(self.axis, rows));
        let ends = pages.first().zip(pages.last());
        let bounds = ends.map_or(0..0, |(first, last)| first.start..last.end);
        Self { bounds, ..self.clone() }
    }

    /// Returns the pages of some rows.
    ///
    /// Contiguous pages include the whole folios in which they begin and end: the kernel reads and
    /// evicts whole folios. A folio that the next chunk shares is left to that chunk.
    pub(crate) fn plan(&self, rows: Range<usize>) -> ChunkPages {
        let footprint = self.footprint.part(self.axis, rows);
        let mut pages = self.backing.mapping.touched(&footprint);
        let len = pages.iter().fold(0, |len: usize, part| len.saturating_add(part.len()));
        let is_thin = len / 2 > footprint.len().saturating_add(1 << 14);
        if let [range] = pages.as_mut_slice() {
            *range = self.folios(range);
        }
        let is_advised = !is_thin && pages.len() == 1;
        ChunkPages { pages, passing: Vec::new(), is_thin, is_advised }
    }

    /// Returns the addresses of the pages to read before the rows are used.
    pub(crate) fn wanted(&self, part: &ChunkPages) -> Ranges {
        if part.is_thin { Vec::new() } else { self.addresses(&part.pages) }
    }

    /// Notes the addresses of pages to evict from the page cache on release.
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

    /// Releases a chunk, except the pages that the next chunk shares.
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
        // Without the file, only pages in the page table can be evicted from the page cache.
        let pages_out = file.is_none() || self.is_private;
        for range in part.passing.iter().filter(|_| pages_out) {
            let _ = backing.mapping.page_out(range);
        }
        // Replaces the advice of `Readahead`. `Normal` does not undo the other kinds of advice.
        let advice = match backing.advice {
            Advice::Random => Advice::Random,
            Advice::Sequential => Advice::Sequential,
            _ => Advice::Normal,
        };
        for range in &part.pages {
            // While one thread finds the unchanged pages, another thread may change them.
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

    /// Evicts the noted pages of a chunk, which are not mapped any more, from the page cache.
    fn forget(&self, part: &ChunkPages, file: &File) {
        for range in &part.passing {
            let _ = sys::drop_cached(file, &bytes_of(range, self.backing.offset()));
        }
    }

    /// Waits until the kernel is writing at most `most` chunks, and evicts the written chunks.
    pub(crate) fn wait(&mut self, most: usize) {
        let backing = self.backing;
        while self.writing.len() > most {
            let Some(part) = self.writing.pop_front() else { break };
            // The system writes the pages that stay in the page cache.
            for range in &part.passing {
                // The next sync reports a failure.
                let _ = backing.finish_write(range);
            }
            if let Some(file) = &backing.file {
                self.forget(&part, file);
            }
        }
    }

    /// Leaves the pages that the next chunk shares to that chunk.
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
        let lead = self.backing.offset().checked_rem(folio).unwrap_or(0);
        let lead = usize::try_from(lead).unwrap_or(0);
        let start = sys::round_down(range.start.saturating_add(lead), FOLIO);
        let end = sys::round_up(range.end.saturating_add(lead), FOLIO);
        let Range { start: first, end: last } = self.bounds;
        let end = end.map_or(last, |end| end.saturating_sub(lead).min(last));
        start.saturating_sub(lead).max(first)..end
    }
}

/// Sorts ranges and joins those that touch.
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

/// Returns the common part of two lists of ranges, each sorted and without overlaps.
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

/// Returns the part of one list of ranges that is not in another list.
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
