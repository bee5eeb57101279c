//! The contents that the files of a disk may have after a power cut, by the promises made so far.

use std::collections::{BTreeMap, BTreeSet};

/// Identifies the contents of a row: each write of a row has a new number. 0 means zeros.
pub(crate) type Stamp = u32;

/// All files of a disk, by name.
pub(crate) type Files = BTreeMap<String, FileModel>;

/// Returns the element of a row that was written with a stamp.
pub(crate) fn element(stamp: Stamp, row: usize, column: usize) -> u32 {
    if stamp == 0 {
        return 0;
    }
    let (row, column) = (row as u64, column as u64);
    let mixed =
        (u64::from(stamp) << 40 | row << 16 | column).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // Never 0, which means that the row was not written.
    (mixed >> 32) as u32 | 1
}

/// The expected files if the power fails after `at` requests to the disk.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) label: String,
    pub(crate) files: Files,
}

/// The expected state of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileModel {
    /// Whether the file may not exist.
    pub(crate) may_be_missing: bool,
    /// Whether nothing is promised yet: the file was created and never synced.
    pub(crate) is_unpromised: bool,
    /// The file is exactly one of these.
    pub(crate) versions: Vec<Version>,
}

/// Where the rows of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// After a header that counts them, with the element type `descr`.
    Npy { descr: String },
    /// From the first byte of the file; the file length determines their number.
    Raw,
}

/// One array of `u32`.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) format: Format,
    pub(crate) columns: usize,
    /// The rows before this one are zeros and are not checked.
    pub(crate) first: usize,
    /// The number of rows that the program sees.
    pub(crate) now: usize,
    /// The row counts that the file may have.
    pub(crate) counts: BTreeSet<usize>,
    /// The rows from `first` on.
    pub(crate) rows: Vec<Row>,
    /// Whether the file ends with the last row: a growing file may be longer until a sync.
    pub(crate) is_exact: bool,
}

/// The contents that a row may have: each element matches one of the stamps.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) now: Stamp,
    pub(crate) allowed: BTreeSet<Stamp>,
}

impl Row {
    fn new(now: Stamp) -> Self {
        Self { now, allowed: BTreeSet::from([now]) }
    }

    /// Notes that the current contents of the row are durable.
    pub(crate) fn sync(&mut self) {
        self.allowed = BTreeSet::from([self.now]);
    }
}

impl FileModel {
    /// Returns the model of a durable file.
    pub(crate) fn durable(version: Version) -> Self {
        Self { versions: vec![version], ..Self::default() }
    }

    /// Returns the model of a file that was just created, with no promises.
    pub(crate) fn created(version: Version) -> Self {
        Self { may_be_missing: true, is_unpromised: true, versions: vec![version] }
    }

    /// Returns the last version, which is the one that programs see.
    pub(crate) fn last(&mut self) -> &mut Version {
        self.versions.last_mut().expect("a file has a version")
    }

    /// Notes that the whole file is durable.
    pub(crate) fn sync(&mut self) {
        let last = self.last();
        last.sync();
        *self = Self::durable(last.clone());
    }

    /// Notes that some rows are durable, together with the metadata needed to find them.
    pub(crate) fn sync_rows(&mut self, rows: std::ops::Range<usize>) {
        self.may_be_missing = false;
        self.is_unpromised = false;
        let last = self.last();
        last.counts.retain(|count| *count >= rows.end);
        for index in rows {
            last.row(index).sync();
        }
    }
}

impl Version {
    /// Describes an array whose rows carry stamps.
    pub(crate) fn new(format: Format, columns: usize, stamps: &[Stamp]) -> Self {
        let rows = stamps.iter().map(|stamp| Row::new(*stamp)).collect();
        let now = stamps.len();
        let counts = BTreeSet::from([now]);
        Self { format, columns, first: 0, now, counts, rows, is_exact: true }
    }

    pub(crate) fn row_bytes(&self) -> u64 {
        self.columns as u64 * 4
    }

    pub(crate) fn row(&mut self, index: usize) -> &mut Row {
        &mut self.rows[index - self.first]
    }

    /// Notes that the kernel may write a row at any time from now on.
    pub(crate) fn store(&mut self, index: usize, stamp: Stamp) {
        let row = self.row(index);
        row.now = stamp;
        row.allowed.insert(stamp);
    }

    /// Notes that the row count may change from now on; new rows carry a stamp.
    pub(crate) fn resize(&mut self, count: usize, stamp: Stamp) {
        for index in self.now..count {
            if self.rows.len() <= index - self.first {
                self.rows.push(Row::new(0));
            }
            let row = self.row(index);
            row.now = stamp;
            row.allowed.extend([0, stamp]);
        }
        for index in count..self.now {
            // A file system may clear the rest of the last block before it truncates the file.
            self.row(index).allowed.insert(0);
        }
        if self.format == Format::Raw {
            // The file grows and shrinks byte by byte.
            self.counts.extend(self.now.min(count)..=self.now.max(count));
        }
        self.counts.insert(count);
        self.is_exact = false;
        self.now = count;
    }

    fn sync(&mut self) {
        self.is_exact = true;
        self.counts = BTreeSet::from([self.now]);
        self.rows.truncate(self.now - self.first);
        self.rows.iter_mut().for_each(Row::sync);
    }
}
