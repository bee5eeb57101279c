//! Eight bytes of a file that change in one step, for processes that read them at the same time.
#![cfg_attr(target_has_atomic = "64", expect(unsafe_code, reason = "a word is stored"))]

use std::{fs::File, io};

#[cfg(target_has_atomic = "64")]
use memmap2::MmapRaw;

use crate::sys;
#[cfg(target_has_atomic = "64")]
use crate::sys::{FileSystem, map, space};

/// The number of bytes that every processor on which this crate runs writes in one step.
pub(crate) const WORD: usize = size_of::<u64>();

/// How bytes reach a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteBy {
    /// By a system call.
    Call,
    /// By a store into a mapping, which is faster, where the file system permits it.
    ///
    /// The blocks must be allocated, because a store without space kills the process, and the file
    /// must be known to be long enough.
    Store,
}

/// A word of a file at a multiple of its own size.
///
/// Another process that reads the file finds the old bytes or the new bytes, never a mix. This
/// holds as far as the system copies aligned words whole, as all known systems do.
#[derive(Debug)]
pub(crate) struct MappedAtomicU64 {
    /// Mapped at the first store; `Some(None)` if the file cannot be mapped.
    #[cfg(target_has_atomic = "64")]
    map: Option<Option<MmapRaw>>,
    at: u64,
}

impl MappedAtomicU64 {
    /// Takes the word at byte `at`, which the file must have.
    pub(crate) fn at(at: u64) -> Self {
        Self {
            #[cfg(target_has_atomic = "64")]
            map: None,
            at,
        }
    }

    /// Writes the word, after everything that was written before.
    #[cfg(target_has_atomic = "64")]
    pub(crate) fn write(
        &mut self,
        file: &File,
        bytes: [u8; WORD],
        by: WriteBy,
    ) -> io::Result<()> {
        if by == WriteBy::Store
            && let Some(map) = self.map(file)
        {
            store(map, bytes);
            return Ok(());
        }
        write(file, self.at, bytes)?;
        if shows_writes(file) {
            return Ok(());
        }
        // The kernel writes pages of mappings back as a whole. They must not restore the old bytes.
        match self.map(file) {
            Some(map) if load(map) != bytes => store(map, bytes),
            _ => {}
        }
        Ok(())
    }

    /// Writes the word, after everything that was written before.
    #[cfg(not(target_has_atomic = "64"))]
    pub(crate) fn write(
        &mut self,
        file: &File,
        bytes: [u8; WORD],
        _: WriteBy,
    ) -> io::Result<()> {
        write(file, self.at, bytes)
    }

    /// Maps the file up to the word.
    #[cfg(target_has_atomic = "64")]
    fn map(&mut self, file: &File) -> Option<&MmapRaw> {
        let at = self.at;
        self.map.get_or_insert_with(|| map(file, at)).as_ref()
    }
}

fn write(file: &File, at: u64, bytes: [u8; WORD]) -> io::Result<()> {
    sys::check_limit(at.saturating_add(8))?;
    sys::write_all_at(file, &bytes, at)
}

/// Makes mappings show bytes that were written to a file, where a write alone does not.
#[cfg(target_has_atomic = "64")]
pub(crate) fn show(file: &File, at: u64, bytes: &[u8]) -> io::Result<()> {
    use std::sync::atomic::{AtomicU8, Ordering};

    if shows_writes(file) {
        return Ok(());
    }
    let start = usize::try_from(at).map_err(io::Error::other)?;
    let end = start.saturating_add(bytes.len());
    let map = map::map_start(file, u64::try_from(end).map_err(io::Error::other)?)?;
    for (at, byte) in (start..end).zip(bytes) {
        // SAFETY: the mapping has `end` bytes, all of which the file has. No reference to them
        // exists: headers are read by copying.
        let shown = unsafe { AtomicU8::from_ptr(map.as_mut_ptr().wrapping_add(at)) };
        if shown.load(Ordering::Acquire) != *byte {
            shown.store(*byte, Ordering::Release);
        }
    }
    Ok(())
}

/// Does nothing: no system with such processors is known to need it.
#[cfg(not(target_has_atomic = "64"))]
pub(crate) fn show(_: &File, _: u64, _: &[u8]) -> io::Result<()> {
    Ok(())
}

/// Maps a file up to the end of the word at `at`, where all blocks of the word have their space.
#[cfg(target_has_atomic = "64")]
fn map(file: &File, at: u64) -> Option<MmapRaw> {
    const PAGE: u64 = 4096;

    let end = at.checked_add(u64::try_from(WORD).ok()?)?;
    let len = file.metadata().ok()?.len();
    if !at.is_multiple_of(8) || len < end {
        return None;
    }
    let system = FileSystem::of(file);
    if system.stores_in_place {
        // A store needs the space of all blocks of the page, of which some may be holes.
        let start = at.checked_div(PAGE)?.checked_mul(PAGE)?;
        if !space::allocate(file, start, start.saturating_add(PAGE).min(len)).ok()? {
            return None;
        }
    } else if system.is_coherent {
        return None;
    }
    map::map_start(file, end).ok()
}

/// Returns whether mappings are known to show what is written to a file.
#[cfg(target_has_atomic = "64")]
fn shows_writes(file: &File) -> bool {
    FileSystem::of(file).is_coherent
}

/// Replaces the last word of a mapping.
#[cfg(target_has_atomic = "64")]
fn store(map: &MmapRaw, bytes: [u8; WORD]) {
    use std::sync::atomic::{AtomicU64, Ordering};

    let start = map.as_mut_ptr().wrapping_add(map.len().saturating_sub(WORD));
    // SAFETY: the mapping has at least one word and ends with this word, which is aligned as the
    // pages of the file are. The caller keeps it mapped. No reference to it exists: headers are
    // read by copying. The file extended beyond it and, by the contract of the array that the file
    // belongs to, is not truncated.
    let word = unsafe { AtomicU64::from_ptr(start.cast()) };
    word.store(u64::from_ne_bytes(bytes), Ordering::Release);
}

/// Returns the last word of a mapping.
#[cfg(target_has_atomic = "64")]
fn load(map: &MmapRaw) -> [u8; WORD] {
    use std::sync::atomic::{AtomicU64, Ordering};

    let start = map.as_mut_ptr().wrapping_add(map.len().saturating_sub(WORD));
    // SAFETY: as in `store`.
    let word = unsafe { AtomicU64::from_ptr(start.cast()) };
    word.load(Ordering::Acquire).to_ne_bytes()
}
