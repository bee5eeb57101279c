//! The bytes of an array and the file behind them; knows nothing of elements.
#![expect(unsafe_code, reason = "bytes of a mapping are read, written and dropped")]

mod flush;
mod preallocate;
mod private;
mod ranges;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs::File, io, ops::Range, slice};

use memmap2::{MmapMut, MmapRaw};

#[cfg(feature = "sigbus-guard")]
use crate::error::ErrorKind;
use crate::error::{Error, Result};
use crate::file::{FileSnapshot, Preallocation};
#[cfg(feature = "sigbus-guard")]
use crate::guard::{Fault, Registration};
use crate::mode::{Advice, Mode};
use crate::sys;
use crate::sys::write_state::WriteState;

/// The mapped bytes of one array.
///
/// Holds a `MmapRaw`, which makes no reference to its bytes. Views made from its pointer stay valid
/// when the handle moves.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// Declared first, so dropped first: the guard must forget the mapping before it is unmapped.
    #[cfg(feature = "sigbus-guard")]
    guard: Option<Guarded>,
    bytes: Bytes,
    /// The number of bytes of the array. The mapping may extend beyond the file, so that the array
    /// can grow into it.
    len: usize,
}

/// Where the bytes of an array are.
#[derive(Debug)]
enum Bytes {
    /// The array is empty, and nothing is mapped.
    None,
    /// In a file.
    File(MmapRaw),
    /// In anonymous memory, from byte `start` of it.
    Memory { map: MmapRaw, start: usize },
}

/// The guard that repairs bus errors in a mapping, registered once there is a mapping.
#[cfg(feature = "sigbus-guard")]
#[derive(Debug)]
struct Guarded {
    registration: Option<Registration>,
    offset: u64,
    writable: bool,
}

#[cfg(feature = "sigbus-guard")]
impl Guarded {
    fn register(&mut self, map: &MmapRaw, file: &File) -> io::Result<()> {
        let registration = Registration::new(map, self.offset, file, self.writable)?;
        self.registration = Some(registration);
        Ok(())
    }
}

impl Mapping {
    /// Takes a mapping of a file; `None` for an array without elements.
    pub(crate) fn of_file(map: Option<MmapRaw>) -> Self {
        let len = map.as_ref().map_or(0, MmapRaw::len);
        Self::new(map.map_or(Bytes::None, Bytes::File), len)
    }

    /// Takes anonymous memory; its first `start` bytes do not belong to the array.
    pub(crate) fn of_memory(memory: MmapMut, start: usize) -> Self {
        let len = memory.len().saturating_sub(start);
        Self::new(Bytes::Memory { map: memory.into(), start }, len)
    }

    fn new(bytes: Bytes, len: usize) -> Self {
        Self {
            #[cfg(feature = "sigbus-guard")]
            guard: None,
            bytes,
            len,
        }
    }

    /// Returns the address of the first byte; null if nothing is mapped.
    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        match &self.bytes {
            Bytes::None => std::ptr::null_mut(),
            Bytes::File(map) => map.as_mut_ptr(),
            Bytes::Memory { map, start } => map.as_mut_ptr().wrapping_add(*start),
        }
    }

    /// Returns the mapping if it maps a file.
    pub(crate) fn map(&self) -> Option<&MmapRaw> {
        match &self.bytes {
            Bytes::File(map) => Some(map),
            Bytes::None | Bytes::Memory { .. } => None,
        }
    }

    /// Returns whether the bytes are a copy in memory.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self.bytes, Bytes::Memory { .. })
    }

    /// Returns the number of bytes of the array.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Sets the number of bytes, which the mapping must have; no view exists.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.capacity());
    }

    /// Returns the number of bytes that the array can have without another mapping.
    pub(crate) fn capacity(&self) -> usize {
        self.map().map_or(0, MmapRaw::len)
    }

    /// Returns mapped bytes, of which no view exists.
    pub(crate) fn bytes(&mut self, range: &Range<usize>) -> io::Result<&[u8]> {
        let Some(map) = self.bounded(range)? else { return Ok(&[]) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        // SAFETY: `bounded` checks the range against the mapping, and the file extends to its end.
        // The borrow keeps this process from changing the bytes. The caller of `open` guarantees
        // that no other process changes them.
        Ok(unsafe { slice::from_raw_parts(start, range.len()) })
    }

    /// Returns bytes of a mapping that can be written, of which no view exists.
    fn bytes_mut(&mut self, range: &Range<usize>) -> io::Result<&mut [u8]> {
        let Some(map) = self.bounded(range)? else { return Ok(&mut []) };
        let start = map.as_mut_ptr().wrapping_add(range.start);
        // SAFETY: as in `bytes`. Both callers have a private mapping, which can be written.
        Ok(unsafe { slice::from_raw_parts_mut(start, range.len()) })
    }

    /// Drops private copies of pages, of which no view exists: the mapping shows the file again.
    ///
    /// The caller must check the elements of the file there before it makes a view.
    pub(crate) fn discard(&mut self, range: &Range<usize>) -> io::Result<()> {
        if !sys::RELOADS_DROPPED_PAGES || self.map().is_none() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        // SAFETY: no reference points into the mapping; the caller checks the elements.
        unsafe { sys::drop_pages(map, range) }
    }

    /// Unmaps pages of a shared mapping, or of a private one that is never changed.
    fn unmap_shared(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        // SAFETY: no page of such a mapping holds bytes that the file does not have.
        unsafe { sys::drop_pages(map, range) }
    }

    /// Unmaps pages of a private mapping that hold the bytes of the file.
    fn unmap_private(&self, range: &Range<usize>) -> io::Result<()> {
        let Some(map) = self.bounded(range)? else { return Ok(()) };
        let unchanged = sys::unchanged_pages(self.addresses(range)?)?;
        unchanged.iter().try_for_each(|part| {
            // SAFETY: the kernel reports that these pages hold the bytes of the file.
            unsafe { sys::drop_pages(map, &self.range_of(part)) }
        })
    }

    /// Returns the fault after which the guard has replaced bytes, if there was one.
    #[cfg(feature = "sigbus-guard")]
    pub(crate) fn fault(&self) -> Option<Fault> {
        self.guard.as_ref()?.registration.as_ref()?.fault()
    }

    /// Returns whether bus errors in the mapping are repaired.
    pub(crate) fn is_guarded(&self) -> bool {
        #[cfg(feature = "sigbus-guard")]
        return self.guard.is_some();
        #[cfg(not(feature = "sigbus-guard"))]
        false
    }
}

/// The parts of an array besides its elements: mapping, file, mode, offset, path, state.
#[derive(Debug)]
pub(crate) struct Backing {
    pub(crate) mapping: Mapping,
    /// Kept open only if the mapping alone is not enough; see [`needs_file`].
    pub(crate) file: Option<File>,
    mode: Mode,
    /// The byte of the file at which the array begins.
    offset: u64,
    /// Empty if the array was not opened by a path.
    pub(crate) path: PathBuf,
    /// The bytes of the file beyond the array while the array grows.
    pub(crate) preallocation: Preallocation,
    /// Whether the file is locked while the array exists.
    pub(crate) holds_lock: bool,
    /// The caller's file, if that has the lock instead of `file`.
    pub(crate) lock: Option<File>,
    /// Length and times of the file when it was opened, or last written by this array.
    pub(crate) snapshot: FileSnapshot,
    /// The advice that was passed to the kernel at opening.
    pub(crate) advice: Advice,
    /// Boxed: a cell within the handle makes the compiler load pointer and strides of the array
    /// again for each element. This costs a quarter of the time of indexing.
    state: Box<State>,
}

/// State that changes through a shared reference.
#[derive(Debug, Default)]
struct State {
    /// Whether writes have failed; `None` for an array that writes nothing.
    writes: Option<WriteState>,
    /// Whether pages were locked in memory.
    locked: AtomicBool,
}

impl Backing {
    pub(crate) fn new(
        mapping: Mapping,
        file: Option<File>,
        mode: Mode,
        offset: u64,
        path: &Path,
        snapshot: FileSnapshot,
    ) -> Self {
        Self {
            mapping,
            file,
            mode,
            offset,
            path: path.to_owned(),
            preallocation: Preallocation::default(),
            holds_lock: false,
            lock: None,
            snapshot,
            advice: Advice::Normal,
            state: Box::default(),
        }
    }

    /// Maps the same bytes of the file again, and more bytes.
    ///
    /// # Safety
    ///
    /// No view of the old mapping is used afterwards. `map` begins with the same bytes of the same
    /// file and has no fewer bytes.
    pub(crate) unsafe fn remap(&mut self, map: MmapRaw) -> Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if let (Some(guard), Some(file)) = (&mut self.mapping.guard, &self.file) {
            guard.register(&map, file).map_err(Error::io("guard", &self.path))?;
        }
        self.mapping.bytes = Bytes::File(map);
        Ok(())
    }

    /// Returns `Unsupported`: without the feature no caller can ask for it.
    #[cfg(not(feature = "sigbus-guard"))]
    pub(crate) fn guard(&mut self) -> Result<()> {
        Err(Error::io("guard", &self.path)(io::ErrorKind::Unsupported.into()))
    }

    /// Makes the guard repair bus errors in the mapping.
    #[cfg(feature = "sigbus-guard")]
    pub(crate) fn guard(&mut self) -> Result<()> {
        let writable = self.mode.is_mutable();
        let guard = Guarded { registration: None, offset: self.offset, writable };
        let guard = self.mapping.guard.insert(guard);
        match (&self.mapping.bytes, &self.file) {
            (Bytes::File(map), Some(file)) => {
                guard.register(map, file).map_err(Error::io("guard", &self.path))
            }
            _ => Ok(()),
        }
    }

    /// Fails if bytes of the array were lost.
    pub(crate) fn intact(&self) -> Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if let Some(fault) = self.mapping.fault() {
            return Err(ErrorKind::Faulted { offset: fault.offset }.at(&self.path));
        }
        Ok(())
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the byte of the file at which the array begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Makes the closure that wraps an I/O error of the file, for `map_err`.
    pub(crate) fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> Error {
        Error::io(action, &self.path)
    }

    /// Returns whether pages may be locked in memory.
    pub(crate) fn is_locked(&self) -> bool {
        self.state.locked.load(Ordering::Relaxed)
    }

    /// Notes that pages are about to be locked in memory.
    pub(crate) fn note_lock(&self) {
        self.state.locked.store(true, Ordering::Relaxed);
    }
}

/// Returns whether a handle must keep its file open.
///
/// - Growth, and the check of the length after a sync, need the file. On Linux only the file can
///   start writeback. On Apple systems only the file can make the drive write its cache.
/// - A lock lives as long as its open file. A mapping keeps the open file alive on some file
///   systems but not on overlayfs, for example. A commit upgrades the lock through the file.
/// - The guard asks the file for its length after a fault.
pub(crate) fn needs_file(mode: Mode, lock: bool, guarded: bool) -> bool {
    mode.writes_file() || guarded || lock
}

impl Drop for Backing {
    fn drop(&mut self) {
        // An error is not reported: the file is longer than its array, and valid.
        let _ = self.truncate_own();
    }
}
