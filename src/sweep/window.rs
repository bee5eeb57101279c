//! The chunks of a sweep: which pages are read, used and given back when.
//!
//! Knows rows and the pages of each array, and nothing of elements.

use std::ops::Range;

use super::array_window::{ArrayWindow, ChunkPages};
use super::policy::PageCache;
use super::readahead::{Ranges, ReadRequest, Readahead};

/// The arrays of a sweep, and their chunks.
#[derive(Debug)]
pub(crate) struct SlidingWindow<'a> {
    pub(crate) cache: PageCache,
    arrays: Vec<ArrayWindow<'a>>,
    rows: Range<usize>,
    rows_of_chunk: usize,
    /// The last ones of the front and of the back.
    used: [Option<Chunk>; 2],
    /// Those that come next, and are being read or have been.
    ahead: [Option<Chunk>; 2],
    /// Begins with the first chunk.
    reader: Option<Readahead>,
    /// Whether only one of these is gone through at a time.
    is_alone: bool,
}

/// Neighbouring blocks that are tended together.
#[derive(Debug)]
struct Chunk {
    number: usize,
    /// Its pages in each array.
    parts: Vec<ChunkPages>,
    /// Whether the reader has not been waited for yet.
    is_begun: bool,
}

/// The least that a chunk has if there are more: to tend less costs more than it gains.
const CHUNK: usize = 1 << 20;

impl<'a> SlidingWindow<'a> {
    /// Divides rows into chunks of whole blocks.
    pub(crate) fn new(
        arrays: Vec<ArrayWindow<'a>>,
        rows: Range<usize>,
        rows_of_block: usize,
        bytes_of_row: usize,
    ) -> Self {
        let block = rows_of_block.saturating_mul(bytes_of_row).max(1);
        let blocks = CHUNK.checked_div(block).unwrap_or(1).max(1);
        Self {
            cache: PageCache::default(),
            arrays,
            rows,
            rows_of_chunk: rows_of_block.saturating_mul(blocks).max(1),
            used: [None, None],
            ahead: [None, None],
            reader: None,
            is_alone: true,
        }
    }

    /// Returns the chunks of a part of the rows, for one of several threads.
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let arrays = self.arrays.iter().map(|array| array.part(rows.clone())).collect();
        let mut part = Self::new(arrays, rows, self.rows_of_chunk, CHUNK);
        part.cache = self.cache;
        part.is_alone = false;
        part
    }

    /// Sees to it that a row, the first or last of those left, can be used.
    ///
    /// With the row its chunk is there; the one used before at this end is given back, and
    /// the one that comes next is read meanwhile.
    pub(crate) fn advance(&mut self, row: usize, left: &Range<usize>, from_back: bool) {
        let number = self.number(row);
        if self.is_used(number) {
            return;
        }
        self.settle();
        let mut ahead = self.ahead.iter_mut();
        let ahead = ahead.find_map(|ahead| ahead.take_if(|chunk| chunk.number == number));
        let mut chunk = ahead.unwrap_or_else(|| self.read(number));
        let side = usize::from(from_back);
        if let Some(used) = self.used.get_mut(side).and_then(Option::take) {
            self.finish(used, Some(&mut chunk));
        }
        if let Some(used) = self.used.get_mut(side) {
            *used = Some(chunk);
        }
        let next = match from_back {
            true => number.checked_sub(1).filter(|next| *next >= self.number(left.start)),
            false => {
                number.checked_add(1).filter(|next| self.rows_of(*next).start < left.end)
            }
        };
        if let Some(next) = next.filter(|next| !self.is_used(*next)) {
            self.read_ahead(next, side);
        }
    }

    /// Gives back what is used and what was to come.
    pub(crate) fn finish_all(&mut self) {
        self.settle();
        let used = std::mem::take(&mut self.used).into_iter();
        let chunks = used.chain(std::mem::take(&mut self.ahead)).flatten();
        // In their order, so that each leaves what it shares to its neighbour.
        let mut chunks: Vec<_> = chunks.collect();
        chunks.sort_unstable_by_key(|chunk| chunk.number);
        let mut chunks = chunks.into_iter().peekable();
        while let Some(chunk) = chunks.next() {
            self.finish(chunk, chunks.peek_mut());
        }
    }

    fn number(&self, row: usize) -> usize {
        row.saturating_sub(self.rows.start).checked_div(self.rows_of_chunk).unwrap_or(0)
    }

    fn rows_of(&self, number: usize) -> Range<usize> {
        let start =
            self.rows.start.saturating_add(number.saturating_mul(self.rows_of_chunk));
        start..start.saturating_add(self.rows_of_chunk).min(self.rows.end)
    }

    fn is_used(&self, number: usize) -> bool {
        self.used.iter().flatten().any(|chunk| chunk.number == number)
    }

    fn is_ahead(&self, number: usize) -> bool {
        self.ahead.iter().flatten().any(|chunk| chunk.number == number)
    }

    fn plan(&self, number: usize) -> (Chunk, ReadRequest) {
        let rows = self.rows_of(number);
        let parts: Vec<_> =
            self.arrays.iter().map(|array| array.plan(rows.clone())).collect();
        let pages =
            self.arrays.iter().zip(&parts).map(|(array, part)| array.wanted(part));
        let pages = pages.collect();
        (
            Chunk { number, parts, is_begun: false },
            ReadRequest { pages, cache: self.cache },
        )
    }

    /// Reads a chunk at once.
    fn read(&mut self, number: usize) -> Chunk {
        let (mut chunk, order) = self.plan(number);
        let has_next = self.rows.len() > self.rows_of_chunk;
        let places = self.arrays.iter().map(|array| array.backing);
        let is_alone = self.is_alone;
        let reader = self
            .reader
            .get_or_insert_with(|| Readahead::new(places, is_alone && has_next));
        let passing = reader.read(&order);
        self.note(&mut chunk, &passing);
        chunk
    }

    /// Begins to read a chunk, for one of the sides.
    fn read_ahead(&mut self, number: usize, side: usize) {
        let reader = self.reader.as_ref().filter(|reader| reader.reads_ahead());
        let Some(reader) = reader.filter(|_| !self.is_ahead(number)) else { return };
        let (mut chunk, order) = self.plan(number);
        match reader.begin(order) {
            Some(passing) => self.note(&mut chunk, &passing),
            None => chunk.is_begun = true,
        }
        if let Some(ahead) = self.ahead.get_mut(side) {
            *ahead = Some(chunk);
        }
    }

    /// Waits for the chunk that is being read.
    fn settle(&mut self) {
        let mut ahead = std::mem::take(&mut self.ahead);
        for chunk in ahead.iter_mut().flatten() {
            if std::mem::take(&mut chunk.is_begun) {
                let passing = self.reader.as_ref().and_then(Readahead::wait);
                self.note(chunk, &passing.unwrap_or_default());
            }
        }
        self.ahead = ahead;
    }

    /// Notes which pages of a chunk are to leave the page cache.
    fn note(&self, chunk: &mut Chunk, passing: &[Ranges]) {
        let parts = self.arrays.iter().zip(&mut chunk.parts).zip(passing);
        parts.for_each(|((array, part), passing)| array.note(part, passing));
    }

    /// Gives the pages of a chunk back, but for those that the next one shares.
    fn finish(&mut self, chunk: Chunk, mut next: Option<&mut Chunk>) {
        let parts = self.arrays.iter_mut().zip(chunk.parts);
        for (number, (array, part)) in parts.enumerate() {
            let next = next.as_mut().and_then(|next| next.parts.get_mut(number));
            let file = self.reader.as_ref().and_then(|reader| reader.file(number));
            array.finish(part, next, file);
        }
    }
}

impl Drop for SlidingWindow<'_> {
    fn drop(&mut self) {
        self.finish_all();
        self.arrays.iter_mut().for_each(ArrayWindow::end);
    }
}
