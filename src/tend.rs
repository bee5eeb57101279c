//! The pages of one array in a sweep: when they are read, mapped, written and dropped.
//!
//! Nothing here can fail for the caller: what the kernel refuses costs speed or memory only,
//! and a page that cannot be written is reported by the next sync.

use std::collections::VecDeque;
use std::ops::Range;

use ndarray::Axis;

use crate::PageCache;
use crate::region::Place;
use crate::span::Span;

/// One array of a sweep.
#[derive(Clone, Debug)]
pub(crate) struct Tender<'a> {
    place: Place<'a>,
    span: Span,
    axis: Axis,
    /// Whether blocks are handed out to be changed, and changes go to the file.
    writes: bool,
    /// Blocks that are being written.
    writing: VecDeque<Part>,
}

/// The pages of a block in one array.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pages: Vec<Range<usize>>,
    /// Those that are to leave the page cache.
    passing: Vec<Range<usize>>,
    /// Whether the pages hold more of other blocks than of this.
    is_thin: bool,
}

/// How many blocks are being written before the first of them is waited for.
const WRITING: usize = 2;

impl<'a> Tender<'a> {
    pub(crate) fn new(place: Place<'a>, span: Span, axis: Axis, writes: bool) -> Self {
        let writes = writes && place.mode.writes_file();
        Self { place, span, axis, writes, writing: VecDeque::new() }
    }

    /// Finds out which pages are in memory, and begins to read the others.
    pub(crate) fn begin(&self, rows: Range<usize>, cache: PageCache) -> Part {
        let span = self.span.part(self.axis, rows);
        let pages = self.place.pages.touched(&span);
        let len = pages.iter().fold(0, |len: usize, part| len.saturating_add(part.len()));
        if len / 2 > span.len().saturating_add(1 << 14) {
            return Part { pages, passing: Vec::new(), is_thin: true };
        }
        let mut absent = Vec::new();
        for range in &pages {
            let note = |run, is_in: bool| {
                if !is_in {
                    absent.push(run);
                }
            };
            // Where nothing is known, nothing is asked for.
            let _ = self.place.pages.residency(range, note);
        }
        for range in &absent {
            let _ = self.place.pages.request(range);
        }
        let passing = match cache {
            PageCache::AsFound => absent,
            PageCache::Keep => Vec::new(),
            PageCache::Drop => pages.clone(),
        };
        Part { pages, passing, is_thin: false }
    }

    /// Puts a block into the page table, when it is about to be used.
    pub(crate) fn populate(&self, part: &Part) {
        if !part.is_thin {
            self.populate_all(&part.pages);
        }
    }

    /// Puts those pages of a block into the page table that are to leave the page cache.
    pub(crate) fn populate_read(&self, part: &Part) {
        self.populate_all(&part.passing);
    }

    fn populate_all(&self, ranges: &[Range<usize>]) {
        for range in ranges {
            let _ = self.place.pages.populate(range);
        }
    }

    /// Gives a block back, but for the pages that the next one shares with it.
    pub(crate) fn finish(&mut self, mut part: Part, next: Option<&mut Part>) {
        if let Some(next) = next {
            share(&mut part, next);
        }
        let Place { pages, mode, offset, .. } = self.place;
        if self.writes {
            for range in &part.pages {
                let _ = pages.start_sync(range, offset);
            }
        } else {
            for range in &part.passing {
                let _ = pages.page_out(range);
            }
        }
        for range in &part.pages {
            let _ = pages.unmap(range, mode);
        }
        if self.writes {
            self.writing.push_back(part);
            self.wait(WRITING);
        }
    }

    /// Ends the sweep.
    pub(crate) fn end(&mut self) {
        self.wait(0);
    }

    /// Waits until so many blocks are being written at most, and drops the others.
    fn wait(&mut self, most: usize) {
        let Place { pages, offset, .. } = self.place;
        while self.writing.len() > most {
            let Some(part) = self.writing.pop_front() else { break };
            // What is to stay in the page cache is left for the system to write.
            for range in part.passing {
                let _ = pages.finish_write(&range, offset);
                let _ = pages.forget(&range, offset);
            }
        }
    }
}

/// Leaves to the next block what both have: the page that one ends and the other begins in.
fn share(part: &mut Part, next: &mut Part) {
    let [theirs] = next.pages.as_slice() else { return };
    let theirs = theirs.clone();
    let mut common = Vec::new();
    for range in &mut part.passing {
        let start = range.start.max(theirs.start);
        let end = range.end.min(theirs.end);
        if start < end {
            common.push(start..end);
            *range = match range.start < theirs.start {
                true => range.start..start,
                false => end..range.end.max(end),
            };
        }
    }
    next.passing.extend(common);
}
