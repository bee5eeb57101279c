//! The end of a file whose array grows: room ahead of it, and cutting that off again.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pages::Pages;
use crate::{Result, space};

/// The most zeros that are written ahead of small rows.
const MOST_ZEROS: u64 = 1 << 20;
/// The fewest.
const FEWEST_ZEROS: u64 = 1 << 16;
/// How much longer a file is made at least, without space, before rows are counted.
const LEAST_REACH: u64 = 1 << 30;

/// What a file has beyond the array that grows in it.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    /// Where the array ends.
    end: u64,
    /// Where the file ends instead, on disk too; 0 if it ends with the array.
    reach: AtomicU64,
    /// Up to where zeros with space on the disk have been written.
    filled: u64,
    /// The process that made it so; a child that was forked leaves it alone.
    owner: u32,
}

impl Tail {
    /// Returns where the file ends, if it does not end with the array.
    pub(crate) fn reach(&self) -> Option<u64> {
        Some(self.reach.load(Ordering::Relaxed)).filter(|reach| *reach > 0)
    }

    /// Tells whether stores up to `end` find space.
    pub(crate) fn is_filled(&self, end: u64) -> bool {
        self.reach().is_some() && end <= self.filled
    }

    /// Makes the file end with the array again.
    pub(crate) fn trim(&self, file: &File) -> io::Result<()> {
        if self.reach().is_none() || self.owner != process::id() {
            return Ok(());
        }
        let reach = self.reach.swap(0, Ordering::Relaxed);
        // What somebody else has put there is not cut off.
        if file.metadata()?.len() == reach { file.set_len(self.end) } else { Ok(()) }
    }
}

impl Pages {
    /// Makes the file longer, also on disk, so that the array can grow from `from` to `end`.
    ///
    /// What counts the rows may then say so at any time: whether or not it comes to disk
    /// before the rows do, they lie within the file. The length takes no space. With `fills`,
    /// zeros take it, so that stores cannot lack it; written by `write`, in pieces of many
    /// pages, since to reserve pages and to write them later takes longer.
    pub(crate) fn provide(
        &mut self,
        from: u64,
        end: u64,
        fills: bool,
        path: &Path,
    ) -> Result<()> {
        if self.tail.reach().is_none_or(|reach| reach < end) {
            self.lengthen(from, end, path)?;
        }
        let Some(file) = self.file() else { return Ok(()) };
        if !fills || self.tail.is_filled(end) {
            return Ok(());
        }
        let start = self.tail.filled.max(from);
        let ahead = (from / 2).clamp(FEWEST_ZEROS, MOST_ZEROS);
        let reach = self.tail.reach().unwrap_or(end);
        let far = end.saturating_add(ahead).checked_next_multiple_of(FEWEST_ZEROS);
        let far = far.unwrap_or(end).min(reach);
        let filled = match zeros(file, start, far) {
            Err(_) => zeros(file, start, end).map(|()| end),
            Ok(()) => Ok(far),
        };
        self.tail.filled = filled.map_err(space::refusal("extend", end, path))?;
        Ok(())
    }

    /// Notes that the array ends elsewhere now, with all space there is up to there.
    pub(crate) fn set_end(&mut self, end: u64) {
        self.tail.end = end;
        self.tail.filled = self.tail.filled.max(end);
    }

    fn lengthen(&mut self, from: u64, end: u64, path: &Path) -> Result<()> {
        let Some(file) = self.file() else { return Ok(()) };
        let refused = space::refusal("extend", end, path);
        let far = end.saturating_add(end.max(LEAST_REACH));
        let far_too = space::check_limit(far).and_then(|()| file.set_len(far));
        let reach = match far_too {
            Ok(()) => far,
            Err(_) => match space::check_limit(end).and_then(|()| file.set_len(end)) {
                Ok(()) => end,
                Err(e) => return Err(refused(e)),
            },
        };
        if self.tail.reach().is_none() {
            self.tail.filled = from;
            self.tail.end = from;
        }
        *self.tail.reach.get_mut() = reach;
        self.tail.owner = process::id();
        let Some(file) = self.file() else { return Ok(()) };
        self.write(path, || file.sync_data())
    }
}

/// Writes zeros to a range of a file.
fn zeros(file: &File, start: u64, end: u64) -> io::Result<()> {
    let len = end.saturating_sub(start);
    let zeros = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    space::write_all_at(file, &zeros, start)
}
