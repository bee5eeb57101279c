//! The log of a disk: every write, discard and flush, in the order of arrival.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The size in bytes of one index record: kind, offset and length.
const RECORD: usize = 24;

/// One request that the disk has served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Bytes were written at `offset`; they begin at `at` in the log's data.
    Write { offset: u64, len: u64, at: usize },
    /// A range became zeros.
    Zero { offset: u64, len: u64 },
    /// All earlier writes are durable.
    Flush,
}

impl Entry {
    pub(crate) fn is_flush(self) -> bool {
        self == Self::Flush
    }
}

/// Appends to a log; owned by the server.
#[derive(Debug)]
pub(crate) struct LogWriter {
    index: File,
    data: File,
}

impl LogWriter {
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let [index, data] = ["index", "data"].map(|name| File::create(dir.join(name)));
        Ok(Self { index: index?, data: data? })
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.data.write_all(bytes)?;
        self.record(0, offset, bytes.len() as u64)
    }

    pub(crate) fn zero(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.record(1, offset, len)
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.record(2, 0, 0)
    }

    fn record(&mut self, kind: u64, offset: u64, len: u64) -> io::Result<()> {
        self.index.write_all([kind, offset, len].map(u64::to_ne_bytes).as_flattened())
    }
}

/// Returns the current number of requests in a log.
pub(crate) fn length(dir: &Path) -> io::Result<usize> {
    let bytes = fs::metadata(dir.join("index"))?.len();
    Ok(usize::try_from(bytes).map_err(io::Error::other)? / RECORD)
}

/// A log read from its files.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    data: Vec<u8>,
}

impl Log {
    /// Reads the first `len` requests.
    pub(crate) fn read(dir: &Path, len: usize) -> io::Result<Self> {
        let index = fs::read(dir.join("index"))?;
        let (words, _) = index.as_chunks::<8>();
        let words: Vec<u64> =
            words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let (records, _) = words.as_chunks::<3>();
        let mut at = 0;
        let entry = |&[kind, offset, len]: &[u64; 3]| match kind {
            0 => {
                let entry = Entry::Write { offset, len, at };
                at += usize::try_from(len).unwrap_or(usize::MAX);
                entry
            }
            1 => Entry::Zero { offset, len },
            _ => Entry::Flush,
        };
        let entries = records.iter().take(len).map(entry).collect();
        Ok(Self { entries, data: fs::read(dir.join("data"))? })
    }

    /// Returns the bytes of a write; other requests have none.
    pub(crate) fn bytes(&self, entry: Entry) -> &[u8] {
        let Entry::Write { len, at, .. } = entry else { return &[] };
        &self.data[at..at + usize::try_from(len).unwrap_or(0)]
    }
}
