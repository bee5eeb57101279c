//! The chunks of a sweep: which pages are requested, read, used and released, and when.
//!
//! Knows rows and the pages of each array, and nothing of elements. All functions run on the thread
//! that iterates. That thread uses one chunk while `Readahead` reads the next chunk on its own
//! thread. At the next chunk the iterating thread waits for `Readahead`, then releases the chunk
//! that it used before.

use std::ops::Range;

use super::array_window::{ArrayWindow, ChunkPages};
use super::policy::PageCache;
use super::readahead::{Ranges, ReadRequest, Readahead};

/// The arrays of a sweep, and those of their chunks that are in memory.
#[derive(Debug)]
pub(crate) struct SlidingWindow<'a> {
    pub(crate) cache: PageCache,
    arrays: Vec<ArrayWindow<'a>>,
    rows: Range<usize>,
    rows_of_chunk: usize,
    /// The chunk in use at the front, and the one at the back.
    used: [Option<Chunk>; 2],
    /// The chunk that comes next at each end; it is being read or has been read.
    ahead: [Option<Chunk>; 2],
    /// Created when the first chunk is read.
    reader: Option<Readahead>,
    /// Whether no other thread sweeps a part of the rows at the same time.
    is_alone: bool,
}

/// Neighbouring blocks whose pages are requested, read and released together.
#[derive(Debug)]
struct Chunk {
    number: usize,
    /// The pages of the chunk in each array.
    parts: Vec<ChunkPages>,
    /// Whether the read request was sent to `Readahead` and has no answer yet.
    is_begun: bool,
}

/// The size up to which neighbouring blocks form one chunk: smaller chunks cost more than they
/// gain.
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

    /// Returns the window over a part of the rows, for one of several threads.
    #[cfg(feature = "rayon")]
    pub(crate) fn part(&self, rows: Range<usize>) -> Self {
        let arrays = self.arrays.iter().map(|array| array.part(rows.clone())).collect();
        let mut part = Self::new(arrays, rows, self.rows_of_chunk, CHUNK);
        part.cache = self.cache;
        part.is_alone = false;
        part
    }

    /// Makes the chunk of a row ready for use. The row is the first or the last of those left.
    ///
    /// Releases the chunk that was used before at this end, and starts to read the next chunk.
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

    /// Releases the chunks in use and the chunks that were read ahead.
    pub(crate) fn finish_all(&mut self) {
        self.settle();
        let used = std::mem::take(&mut self.used).into_iter();
        let chunks = used.chain(std::mem::take(&mut self.ahead)).flatten();
        // Sorted, so that each chunk leaves the pages that both share to its neighbour.
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

    /// Reads a chunk on the iterating thread.
    fn read(&mut self, number: usize) -> Chunk {
        let (mut chunk, request) = self.plan(number);
        let has_next = self.rows.len() > self.rows_of_chunk;
        let backings = self.arrays.iter().map(|array| array.backing);
        let is_alone = self.is_alone;
        let reader = self
            .reader
            .get_or_insert_with(|| Readahead::new(backings, is_alone && has_next));
        let passing = reader.read(&request);
        self.note(&mut chunk, &passing);
        chunk
    }

    /// Starts to read a chunk that comes next at one end.
    fn read_ahead(&mut self, number: usize, side: usize) {
        let reader = self.reader.as_ref().filter(|reader| reader.reads_ahead());
        let Some(reader) = reader.filter(|_| !self.is_ahead(number)) else { return };
        let (mut chunk, request) = self.plan(number);
        match reader.begin(request) {
            Some(passing) => self.note(&mut chunk, &passing),
            None => chunk.is_begun = true,
        }
        if let Some(ahead) = self.ahead.get_mut(side) {
            *ahead = Some(chunk);
        }
    }

    /// Waits for the chunk that `Readahead` is reading.
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

    /// Notes which pages of a chunk to evict from the page cache on release.
    fn note(&self, chunk: &mut Chunk, passing: &[Ranges]) {
        let parts = self.arrays.iter().zip(&mut chunk.parts).zip(passing);
        parts.for_each(|((array, part), passing)| array.note(part, passing));
    }

    /// Releases the pages of a chunk, except those that the next chunk shares.
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
        self.arrays.iter_mut().for_each(|array| array.wait(0));
    }
}
