//! Mapped bytes: mapping, advice, sync and unmapping; knows nothing of elements.
#![expect(unsafe_code, reason = "memmap2's private mappings are unsafe to make")]

pub(crate) mod atomic;
mod flush;
mod private;
pub(crate) mod ranges;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::{MmapMut, MmapOptions, MmapRaw};

use crate::error::Result;
use crate::file::Stamp;
use crate::file::preallocation::Tail;
#[cfg(feature = "sigbus-guard")]
use crate::guard::Registration;
use crate::mode::Advice;
use crate::mode::Mode;
#[cfg(target_os = "linux")]
use crate::sys::file_system::FileSystem;
use crate::sys::memory;
use crate::sys::write_state::WriteState;

/// Where the bytes of an array are.
#[derive(Debug)]
enum Bytes {
    /// There are none: nothing is mapped.
    None,
    /// In a file.
    Mapped(MmapRaw),
    /// In memory that belongs to no file, from the byte `start` on.
    Memory { map: MmapRaw, start: usize },
}

/// The bytes of an array, and what it takes to bring them to disk.
///
/// Holds a `MmapRaw`, which makes no reference to its bytes, so that views made from its
/// pointer stay valid when the handle moves.
#[derive(Debug)]
pub(crate) struct Pages {
    /// Before the mapping, since it has to be dropped before that.
    #[cfg(feature = "sigbus-guard")]
    guard: Option<Guarded>,
    bytes: Bytes,
    /// How many there are; the mapping may go on beyond the file, for them to grow into.
    len: usize,
    /// Kept only where the mapping does not do what is asked; see [`needs_file`].
    pub(crate) file: Option<File>,
    /// What the file has beyond the array while it grows.
    pub(crate) tail: Tail,
    /// Whether the file is locked while the array lives.
    pub(crate) holds_lock: bool,
    /// The caller's file, if it has the lock and `file` has not.
    lock: Option<File>,
    /// What the file was like when it was opened.
    stamp: Stamp,
    /// How the kernel was told, at opening, that the pages will be used.
    advice: Advice,
    /// Boxed: a cell within the handle would make the compiler load pointer and strides of
    /// the array anew for each element, which costs a quarter of the time of indexing.
    state: Box<State>,
}

/// A mapping whose bus errors are repaired, as soon as there is one.
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

/// What changes while the array is open.
#[derive(Debug, Default)]
struct State {
    /// Whether writes have failed; nothing of an array that writes nothing.
    writes: Option<WriteState>,
    /// Whether pages have been locked in memory.
    locked: AtomicBool,
}

impl Pages {
    /// Wraps a mapping, or none, and the file if it has to stay open.
    pub(crate) fn new(
        map: Option<MmapRaw>,
        file: Option<File>,
        advice: Advice,
        stamp: Stamp,
    ) -> Self {
        let len = map.as_ref().map_or(0, MmapRaw::len);
        let bytes = map.map_or(Bytes::None, Bytes::Mapped);
        let (tail, state) = (Tail::default(), Box::default());
        Self {
            #[cfg(feature = "sigbus-guard")]
            guard: None,
            bytes,
            len,
            file,
            tail,
            holds_lock: false,
            lock: None,
            stamp,
            advice,
            state,
        }
    }

    /// Wraps memory whose first `start` bytes are not of the array.
    pub(crate) fn loaded(memory: MmapMut, start: usize, stamp: Stamp) -> Self {
        let mut loaded = Self::new(None, None, Advice::Normal, stamp);
        loaded.len = memory.len().saturating_sub(start);
        loaded.bytes = Bytes::Memory { map: memory.into(), start };
        loaded
    }

    /// Returns the address of the first byte; null if there is none.
    pub(crate) fn as_mut_ptr(&self) -> *mut u8 {
        match &self.bytes {
            Bytes::None => std::ptr::null_mut(),
            Bytes::Mapped(map) => map.as_mut_ptr(),
            Bytes::Memory { map, start } => map.as_mut_ptr().wrapping_add(*start),
        }
    }

    /// Returns the mapping of a file, if that is where the bytes are.
    pub(crate) fn mapping(&self) -> Option<&MmapRaw> {
        match &self.bytes {
            Bytes::Mapped(map) => Some(map),
            Bytes::None | Bytes::Memory { .. } => None,
        }
    }

    /// Tells whether the bytes are a copy in memory.
    pub(crate) fn is_copy(&self) -> bool {
        matches!(self.bytes, Bytes::Memory { .. })
    }

    /// Returns the number of bytes of the array.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Tells how many bytes there can be before [`remap`](Self::remap) is needed.
    pub(crate) fn capacity(&self) -> usize {
        self.mapping().map_or(0, MmapRaw::len)
    }

    /// Changes the number of bytes, which the mapping must have; no view lives.
    pub(crate) fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    /// Maps the same bytes of the file anew, and more of them; no view lives.
    pub(crate) fn remap(&mut self, map: MmapRaw) -> io::Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if let (Some(guard), Some(file)) = (&mut self.guard, &self.file) {
            guard.register(&map, file)?;
        }
        self.bytes = Bytes::Mapped(map);
        Ok(())
    }

    /// Refuses what nobody can ask for without the feature.
    #[cfg(not(feature = "sigbus-guard"))]
    pub(crate) fn protect(&mut self, _: u64, _: Mode) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has bus errors in the mapping repaired, which begins at `offset` of the file.
    #[cfg(feature = "sigbus-guard")]
    pub(crate) fn protect(&mut self, offset: u64, mode: Mode) -> io::Result<()> {
        let guard = Guarded { registration: None, offset, writable: mode.is_mutable() };
        let guard = self.guard.insert(guard);
        match (&self.bytes, &self.file) {
            (Bytes::Mapped(map), Some(file)) => guard.register(map, file),
            _ => Ok(()),
        }
    }

    /// Returns what the guard has replaced, if there is one.
    #[cfg(feature = "sigbus-guard")]
    pub(crate) fn fault(&self) -> Option<crate::guard::Fault> {
        self.guard.as_ref()?.registration.as_ref()?.fault()
    }

    /// Returns the file of a mapping that is guarded.
    #[cfg(feature = "sigbus-guard")]
    pub(crate) fn guarded_file(&self) -> Option<&File> {
        self.file.as_ref().filter(|_| self.guard.is_some())
    }

    /// Refuses to go on if something of the array was lost.
    pub(crate) fn intact(&self) -> Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if let Some(fault) = self.fault() {
            return Err(crate::Error::Faulted { offset: fault.offset });
        }
        Ok(())
    }

    /// Returns the advice given at opening.
    pub(crate) fn advice(&self) -> Advice {
        self.advice
    }

    /// Returns what the file was like when it was opened, or last written.
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub(crate) fn set_stamp(&mut self, stamp: Stamp) {
        self.stamp = stamp;
    }

    /// Keeps a file open that has the lock.
    pub(crate) fn hold(&mut self, lock: Option<File>) {
        self.lock = lock;
    }

    /// Tells whether pages may be locked in memory.
    pub(crate) fn is_locked(&self) -> bool {
        self.state.locked.load(Ordering::Relaxed)
    }

    /// Notes that pages are about to be locked in memory.
    #[cfg(unix)]
    pub(crate) fn note_lock(&self) {
        self.state.locked.store(true, Ordering::Relaxed);
    }

    /// Returns the file, where it is kept; in modes `r` and `c` it may be open for reading only.
    pub(crate) fn file(&self) -> Option<&File> {
        self.file.as_ref()
    }
}

/// Returns whether a handle has to keep its file open.
///
/// - Only through it an array grows, and is its length found after a sync. On Linux only the
///   file can begin to write pages, on Apple systems only it can order the drive to write its
///   own cache.
/// - A lock lives as long as its open file. A mapping keeps that alive on some file systems and
///   not on others (overlayfs); a commit
///   changes the lock through it.
/// - The guard asks it for its length when there was a fault.
pub(crate) fn needs_file(mode: Mode, lock: bool, guarded: bool) -> bool {
    mode.writes_file() || guarded || lock
}

impl Drop for Pages {
    fn drop(&mut self) {
        // Nobody hears of an error here; a longer file is a file still.
        let _ = self.file.as_ref().map(|file| self.tail.trim(file, |write| write()));
    }
}

/// Maps `len` bytes of a file from `offset` on; those beyond its end must not be touched.
///
/// More are mapped where pages can be unmapped only as a whole.
pub(crate) fn map(
    file: &File,
    offset: u64,
    len: usize,
    mode: Mode,
) -> io::Result<MmapRaw> {
    let mut options = MmapOptions::new();
    let len = whole_pages(file, offset, len)?;
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

/// Returns how many bytes to map so that the mapping of `len` bytes ends with a page.
///
/// Of pages of 4 KiB, the kernel rounds the end of what is mapped and unmapped by itself; of
/// those of hugetlbfs it does so only when they are mapped, and unmaps no part of a page.
#[cfg(target_os = "linux")]
pub(crate) fn whole_pages(file: &File, offset: u64, len: usize) -> io::Result<usize> {
    let page = memory::page_size();
    let block = rustix::fs::fstat(file)?.st_blksize;
    let block = usize::try_from(block).unwrap_or(page);
    if block <= page || FileSystem::of(file).name != "hugetlbfs" {
        return Ok(len);
    }
    let lead = offset.checked_rem(u64::try_from(page).unwrap_or(1)).unwrap_or(0);
    let lead = usize::try_from(lead).map_err(io::Error::other)?;
    let end = lead.checked_add(len).and_then(|end| end.checked_next_multiple_of(block));
    Ok(end.ok_or(io::ErrorKind::FileTooLarge)?.saturating_sub(lead))
}

/// Other systems have no such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn whole_pages(_: &File, _: u64, len: usize) -> io::Result<usize> {
    Ok(len)
}

/// Makes sure that a file system can map a file to write, before the file is changed.
///
/// Some cannot, such as FUSE with direct I/O: they have the mapping of mode `c` alone.
#[cfg(unix)]
pub(crate) fn check_shared(file: &File) -> io::Result<()> {
    map(file, 0, 1, Mode::ReadWrite).map(drop)
}

/// Windows would make the file longer.
#[cfg(not(unix))]
pub(crate) fn check_shared(_: &File) -> io::Result<()> {
    Ok(())
}

/// Tells the kernel how all pages of a mapping will be used.
pub(crate) fn advise_all(map: &MmapRaw, advice: Advice) {
    if advice != Advice::Normal {
        // Advice changes speed only.
        let _ = memory::advise(&addresses(map), advice);
    }
}

/// Returns the addresses of the bytes of a mapping.
pub(crate) fn addresses(map: &MmapRaw) -> Range<usize> {
    let start = map.as_mut_ptr().addr();
    start..start.saturating_add(map.len())
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

/// Asks for `len` bytes of memory that belong to no file, in huge pages where there are.
pub(crate) fn memory(len: usize) -> io::Result<MmapMut> {
    let memory = MmapOptions::new().len(len).map_anon()?;
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    Ok(memory)
}

/// Recognises the file systems, most on networks, that cannot map shared.
#[cfg(unix)]
fn refuses_shared(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let refusals = [Errno::NODEV, Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| refusals.contains(&error))
}

/// No such refusal is known elsewhere.
#[cfg(not(unix))]
fn refuses_shared(_: &io::Error) -> bool {
    false
}
