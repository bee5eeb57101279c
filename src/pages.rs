//! Mapped bytes: mapping, advice, sync and unmapping; knows nothing of elements.
#![expect(unsafe_code, reason = "memmap2's private mappings are unsafe to make")]

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use crate::{Advice, Error, Mode, Result};

/// The bytes of an array, and what it takes to bring them to disk.
///
/// Holds a `MmapRaw`, which makes no reference to its bytes, so that views made from its
/// pointer stay valid when the handle moves.
#[derive(Debug)]
pub(crate) struct Pages {
    /// `None` if there are no bytes: nothing is mapped then.
    map: Option<MmapRaw>,
    /// Kept only where the mapping does not do what is asked; see [`needs_file`].
    file: Option<File>,
    /// Whether a sync has failed. Syncs take turns, so that none misses another's failure.
    ///
    /// Boxed: a cell within the handle would make the compiler load pointer and strides of
    /// the array anew for each element, which costs a quarter of the time of indexing.
    failed: Box<Mutex<bool>>,
}

impl Pages {
    /// Wraps a mapping, or none, and the file if it has to stay open.
    pub(crate) fn new(map: Option<MmapRaw>, file: Option<File>) -> Self {
        Self { map, file, failed: Box::default() }
    }

    /// Returns the address of the first byte; null if there is none.
    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        self.map.as_ref().map_or(std::ptr::null_mut(), MmapRaw::as_mut_ptr)
    }

    /// Brings all changes and the length of the file to disk.
    ///
    /// The kernel reports a failed write once and drops the data, so that a second try may
    /// succeed over a loss. Therefore a failure is final.
    pub(crate) fn sync(&self, path: &Path) -> Result<()> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if *failed {
            return Err(Error::Poisoned);
        }
        let flushed = self.map.as_ref().map_or(Ok(()), MmapRaw::flush);
        let synced =
            flushed.and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_all));
        *failed = synced.is_err();
        synced.map_err(Error::io("sync", path))
    }
}

/// Tells whether a handle has to keep its file open.
///
/// - The length of a file without mapped bytes is brought to disk through the file.
/// - On Apple systems only the file can order the drive to write its own cache.
/// - A lock lives as long as its open file. On Linux the mapping, if any, keeps that.
pub(crate) fn needs_file(mode: Mode, is_empty: bool, lock: bool) -> bool {
    let syncs = is_empty || cfg!(target_vendor = "apple");
    let locks = is_empty || !cfg!(any(target_os = "linux", target_os = "android"));
    mode.writes_file() && syncs || lock && locks
}

/// Maps `len` bytes of a file from `offset` on; the file must be that long.
pub(crate) fn map(
    file: &File,
    offset: u64,
    len: usize,
    mode: Mode,
) -> io::Result<MmapRaw> {
    let mut options = MmapOptions::new();
    // Or a private mapping larger than memory and swap would be refused.
    options.offset(offset).len(len).no_reserve_swap();
    match mode {
        Mode::ReadOnly => match options.map_raw_read_only(file) {
            Err(e) if refuses_shared(&e) => {
                // SAFETY: turned into a `MmapRaw`, which makes no reference to the bytes.
                unsafe { options.map_copy_read_only(file) }.map(MmapRaw::from)
            }
            mapped => mapped,
        },
        Mode::CopyOnWrite => {
            // SAFETY: turned into a `MmapRaw`, which makes no reference to the bytes.
            unsafe { options.map_copy(file) }.map(MmapRaw::from)
        }
        Mode::ReadWrite | Mode::Create | Mode::CreateNew => options.map_raw(file),
    }
}

/// Maps the first `len` bytes of a file for writing.
pub(crate) fn map_start(file: &File, len: u64) -> io::Result<MmapRaw> {
    let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
    map(file, 0, len, Mode::ReadWrite)
}

/// Writes zeros over all bytes of a new shared mapping whose space is reserved.
///
/// Not by `write`, which appends or asks for aligned buffers if the file was opened so.
pub(crate) fn zero(map: &MmapRaw) -> io::Result<()> {
    // SAFETY: the mapping has `len` writable bytes, within the file and with space on its
    // disk; it is new, so that no reference into it exists.
    unsafe { map.as_mut_ptr().write_bytes(0, map.len()) };
    map.flush()
}

/// Asks for `len` bytes of memory that belong to no file.
pub(crate) fn memory(len: usize) -> io::Result<MmapMut> {
    MmapOptions::new().len(len).map_anon()
}

/// Brings all pages into memory, without copying those of a private mapping.
#[cfg(target_os = "linux")]
pub(crate) fn populate(map: &MmapRaw) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, Unsupported};

    match map.advise(memmap2::Advice::PopulateRead) {
        // A kernel before 5.14, or built without advice.
        Err(e) if matches!(e.kind(), InvalidInput | Unsupported) => Ok(()),
        populated => populated,
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: &MmapRaw) -> io::Result<()> {
    Ok(())
}

/// Tells the kernel how a mapping will be used; it is free not to heed that.
#[cfg(unix)]
pub(crate) fn advise(map: &MmapRaw, advice: Advice) {
    let advice = match advice {
        Advice::Normal => return,
        Advice::Sequential => memmap2::Advice::Sequential,
        Advice::Random => memmap2::Advice::Random,
        Advice::WillNeed => memmap2::Advice::WillNeed,
        #[cfg(target_os = "linux")]
        Advice::HugePage => memmap2::Advice::HugePage,
        #[cfg(not(target_os = "linux"))]
        Advice::HugePage => return,
    };
    let _ = map.advise(advice);
}

/// Tells the system nothing: only Unix takes advice.
#[cfg(not(unix))]
pub(crate) fn advise(_: &MmapRaw, _: Advice) {}

/// Recognises the file systems, most on networks, that cannot map shared.
#[cfg(unix)]
fn refuses_shared(error: &io::Error) -> bool {
    use rustix::io::Errno;

    matches!(Errno::from_io_error(error), Some(Errno::NODEV | Errno::INVAL))
}

/// No such refusal is known elsewhere.
#[cfg(not(unix))]
fn refuses_shared(_: &io::Error) -> bool {
    false
}
