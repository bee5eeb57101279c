//! Eight bytes of a file that change in one step, for whoever reads them meanwhile.
#![expect(unsafe_code, reason = "a word of a mapping is stored to")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

use crate::sys::file_system::FileSystem;
use crate::{pages, space};

/// How many bytes a processor writes in one step wherever this crate runs.
pub(crate) const WORD: usize = size_of::<u64>();

/// A word of a file at a multiple of its own size.
///
/// Whoever reads the file finds the old bytes or the new ones, never some of each, as far as
/// the system copies aligned words whole, which those that are known do.
#[derive(Debug)]
pub(crate) struct Word {
    /// Mapped where a store cannot lack space, which it would die of.
    map: Option<MmapRaw>,
    at: u64,
}

impl Word {
    /// Takes the word at the byte `at`; the file must have it.
    pub(crate) fn at(file: &File, at: u64) -> Self {
        let end = at.saturating_add(u64::try_from(WORD).unwrap_or(0));
        let is_safe = at.is_multiple_of(8) && FileSystem::of(file).stores_in_place;
        let is_there = is_safe && file.metadata().is_ok_and(|found| found.len() >= end);
        let map = is_there.then(|| pages::map_start(file, end).ok()).flatten();
        Self { map, at }
    }

    /// Writes the word, after whatever was written before.
    pub(crate) fn write(&self, file: &File, bytes: [u8; WORD]) -> io::Result<()> {
        let Some(map) = &self.map else {
            return space::write_all_at(file, &bytes, self.at);
        };
        let start = map.as_mut_ptr().wrapping_add(map.len().saturating_sub(WORD));
        // SAFETY: the mapping is of at least one word and ends with this one, which is aligned
        // as the file's pages are; it is never unmapped before `self`, and nobody has a
        // reference to it: headers are read by copying. The file reached beyond it and, by the
        // contract of the array that it belongs to, is not shortened.
        let word = unsafe { AtomicU64::from_ptr(start.cast()) };
        word.store(u64::from_ne_bytes(bytes), Ordering::Release);
        Ok(())
    }
}
