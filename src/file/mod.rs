//! Files before they are mapped: opening, identity, locks; changes no contents.

pub(crate) mod allocate;
mod atomic_file;
mod claim;
pub(crate) mod lock_upgrade;
pub(crate) mod mark;
mod preallocation;
pub(crate) mod whole_write;

pub(crate) use allocate::{Allocation, DiskSpace};
pub(crate) use atomic_file::{AtomicFile, Exclusive, UnnamedFile};
pub(crate) use claim::Claim;
pub(crate) use preallocation::Preallocation;

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::{io, ops::Range, time::SystemTime};

use crate::error::{Error, ErrorKind, Result};
use crate::mode::Mode;
use crate::sys;

/// A file that was opened for a mode.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// The length of the file; `None` if the call has waited for a lock since it was measured.
    pub(crate) len: Option<u64>,
    /// The path at which this call has created the file, if it has.
    created: Option<PathBuf>,
}

impl Opened {
    /// Truncates a file that this call has created to 0 bytes, so that it can be undone.
    ///
    /// Does so only if the file still has the `len` bytes that this call gave it: another process
    /// may have extended the file since.
    pub(crate) fn empty(&self, len: u64) {
        let is_ours = || self.file.metadata().is_ok_and(|found| found.len() == len);
        if self.created.is_some() && is_ours() {
            let _ = self.file.set_len(0);
        }
    }

    /// Removes a file that this call has created, if the path still names it and it is empty.
    pub(crate) fn undo(self) {
        let Self { file, created, .. } = self;
        let is_empty = file.metadata().is_ok_and(|metadata| metadata.len() == 0);
        let Some(path) = created.filter(|path| is_empty && names(path, &file)) else {
            return;
        };
        // Windows removes no open file; on other systems the lock lasts until the file is removed.
        let file = Some(file).filter(|_| sys::REPLACES_OPEN_FILES);
        let _ = fs::remove_file(path);
        drop(file);
    }
}

/// How often to open a path again that names another file each time it is locked.
const TRIES: usize = 100;

/// Opens a path for a mode and, with `locks`, locks the file that the path names then.
///
/// Between opening and locking, another process may rename a file to the path, or remove the file.
/// Then the locked file has lost its name, and the path is opened again.
pub(crate) fn open_locked(path: &Path, mode: Mode, locks: bool) -> Result<Opened> {
    if locks {
        return open_and(path, mode, |file| lock(file, mode, path));
    }
    let mut opened = open(path, mode)?;
    if mode == Mode::Append {
        // Another process may use the new file already, and has no lock that would tell.
        opened.created = None;
    }
    match regular(&opened.file, path) {
        Ok(found) => Ok(Opened { len: Some(found.len()), ..opened }),
        Err(error) => {
            opened.undo();
            Err(error)
        }
    }
}

/// Opens a path for reading, with an exclusive lock, so that the file can be replaced.
pub(crate) fn open_to_replace(path: &Path) -> Result<File> {
    let lock = |file: &File| file.try_lock().map_err(|e| refused_lock(e, path));
    open_and(path, Mode::ReadOnly, lock).map(|opened| opened.file)
}

fn open_and(
    path: &Path,
    mode: Mode,
    lock: impl Fn(&File) -> Result<()>,
) -> Result<Opened> {
    for _ in 0..TRIES {
        let opened = open(path, mode)?;
        let locked = regular(&opened.file, path).and_then(|_| lock(&opened.file));
        let leads = leads_to(path, &opened.file).map_err(Error::io("inspect", path));
        match (locked, leads) {
            (Ok(()), Ok(true)) => return Ok(opened),
            // A file that this call has created belongs to the holder of the lock now.
            (Err(error), Ok(true)) if error.is_locked() => return Err(error),
            (Ok(()), Ok(false)) => {}
            (Err(error), Ok(false)) if error.is_locked() => {}
            (Err(error), _) | (_, Err(error)) => {
                opened.undo();
                return Err(error);
            }
        }
    }
    Err(ErrorKind::Replaced.at(path))
}

/// Opens a path for a mode, without changing a file that exists.
pub(crate) fn open(path: &Path, mode: Mode) -> Result<Opened> {
    // Opening some devices for writing has effects of its own.
    if mode.writes_file() && mode != Mode::CreateNew {
        refuse_special(path)?;
    }
    let opened = match open_as(path, mode, false) {
        // Another process has a lease on the file: wait until that process releases it.
        Err(e) if e.kind() == io::ErrorKind::WouldBlock && path.is_file() => {
            open_as(path, mode, true)
        }
        opened => opened,
    };
    opened.or_else(|source| {
        if mode != Mode::CreateNew {
            refuse_special(path)?;
        }
        let is_refused = matches!(
            source.kind(),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
        );
        // Mode `a+` creates a file that is missing.
        let is_missing = source.kind() == io::ErrorKind::NotFound;
        let creates = mode.creates() || mode == Mode::Append && is_missing;
        let error = Error::io(if creates { "create" } else { "open" }, path)(source);
        Err(match mode {
            Mode::ReadWrite | Mode::Append if is_refused => {
                error.with_way_out("mode `r` and mode `c` need no permission to write")
            }
            _ => error,
        })
    })
}

fn open_as(path: &Path, mode: Mode, wait: bool) -> io::Result<Opened> {
    let mut options = OpenOptions::new();
    options.read(true).write(mode.writes_file());
    sys::set_open_flags(&mut options, wait);
    let existing = |file| Opened { file, len: None, created: None };
    if !mode.creates() && mode != Mode::Append {
        return options.open(path).map(existing);
    }
    match options.clone().create_new(true).open(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && mode != Mode::CreateNew => {
        }
        file => {
            return Ok(Opened { file: file?, len: None, created: Some(path.to_owned()) });
        }
    }
    match options.open(path) {
        // The path is a link to a file that does not exist yet.
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let file = options.create(true).truncate(false).open(path)?;
            Ok(Opened { file, len: None, created: fs::canonicalize(path).ok() })
        }
        file => file.map(existing),
    }
}

/// Fails if the path names something other than a regular file.
pub(crate) fn refuse_special(path: &Path) -> Result<()> {
    fs::metadata(path).map_or(Ok(()), |found| check_regular(&found, path))
}

/// Returns the length of a regular file; fails for any other file.
pub(crate) fn regular_len(file: &File, path: &Path) -> Result<u64> {
    regular(file, path).map(|metadata| metadata.len())
}

/// Returns the metadata of a regular file; fails for any other file.
pub(crate) fn regular(file: &File, path: &Path) -> Result<Metadata> {
    let metadata = file.metadata().map_err(Error::io("inspect", path))?;
    check_regular(&metadata, path)?;
    Ok(metadata)
}

fn check_regular(metadata: &Metadata, path: &Path) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let found = sys::file_type_name(metadata.file_type());
    Err(ErrorKind::NotAFile { found }.at(path))
}

/// Reads what the header of a file says, then the metadata of the file.
///
/// The order matters: a growing file contains its new rows before the header counts them. A
/// process that truncates the file changes the header first. If the file is too short for the
/// header (`fits`), this function therefore reads both again.
pub(crate) fn read_and_measure<T: PartialEq>(
    file: &File,
    path: &Path,
    read: impl Fn() -> Result<T>,
    fits: impl Fn(&T, u64) -> bool,
) -> Result<(T, Metadata)> {
    let (mut header, mut metadata) = (read()?, regular(file, path)?);
    // The file may be truncated each time.
    for _ in 0..TRIES {
        if fits(&header, metadata.len()) {
            break;
        }
        let again = read()?;
        if again == header {
            break;
        }
        (header, metadata) = (again, regular(file, path)?);
    }
    Ok((header, metadata))
}

/// Device and inode of a file; no other file has both at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

impl FileId {
    /// Returns `None` where the standard library does not provide it (Windows).
    pub(crate) fn of(metadata: &Metadata) -> Option<Self> {
        sys::file_id(metadata).map(|(device, inode)| Self(device, inode))
    }
}

/// Length, times and identity of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSnapshot {
    id: Option<FileId>,
    len: u64,
    modified: Option<SystemTime>,
    /// When the kernel last changed the file or its attributes; no program can set this time.
    changed: Option<(i64, i64)>,
}

impl FileSnapshot {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let id = FileId::of(metadata);
        let (modified, changed) = (metadata.modified().ok(), sys::change_time(metadata));
        Self { id, len: metadata.len(), modified, changed }
    }

    pub(crate) fn id(self) -> Option<FileId> {
        self.id
    }

    /// Returns whether contents and file are the same, as far as the snapshots show.
    ///
    /// Ignores the time of the attributes: opening a file for writing on overlayfs copies the file,
    /// which changes that time.
    pub(crate) fn has_same_contents(self, other: Self) -> bool {
        Self { changed: None, ..self } == Self { changed: None, ..other }
    }
}

/// A byte to which a file extends, known from its length or from a write.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FileEnd(u64);

impl FileEnd {
    /// Takes the length from the metadata of a file.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self(metadata.len())
    }

    /// Writes all bytes at an offset of a file, which then extends to the end of these bytes.
    pub(crate) fn write(file: &File, bytes: &[u8], at: u64) -> io::Result<Self> {
        sys::write_all_at(file, bytes, at)?;
        let len = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        Ok(Self(at.saturating_add(len)))
    }

    pub(crate) fn byte(self) -> u64 {
        self.0
    }

    /// Fails if the file ends before byte `needed`.
    pub(crate) fn check(self, needed: u64) -> Result<()> {
        match self.0 < needed {
            true => {
                Err(ErrorKind::FileTooShort { expected: needed, found: self.0 }.into())
            }
            false => Ok(()),
        }
    }
}

/// Reopens `path` for reading if it still refers to the same file (device and inode).
pub(crate) fn open_again(path: &Path, id: Option<FileId>) -> Option<File> {
    let metadata = fs::metadata(path).ok()?;
    if id.is_none() || FileId::of(&metadata) != id {
        return None;
    }
    let Opened { file, .. } = open_as(path, Mode::ReadOnly, false).ok()?;
    let found = FileId::of(&file.metadata().ok()?);
    (found == id).then_some(file)
}

/// Locks a whole file, shared or exclusive according to the mode, or fails at once.
pub(crate) fn lock(file: &File, mode: Mode, path: &Path) -> Result<()> {
    let locked =
        if mode.writes_file() { file.try_lock() } else { file.try_lock_shared() };
    locked.map_err(|e| refused_lock(e, path))
}

fn refused_lock(error: TryLockError, path: &Path) -> Error {
    match error {
        TryLockError::WouldBlock => ErrorKind::Locked.at(path),
        TryLockError::Error(e) => Error::io("lock", path)(e),
    }
}

/// Returns the bytes of a file that hold a range of an array, which begins at byte `offset`.
pub(crate) fn bytes_of(range: &Range<usize>, offset: u64) -> Range<u64> {
    let at = |at: usize| u64::try_from(at).unwrap_or(u64::MAX).saturating_add(offset);
    at(range.start)..at(range.end)
}

/// How many bytes are read at a time: enough to keep a disk busy, and to share among threads.
const PIECE: usize = 8 << 20;

/// Reads like [`sys::read_at_most`], piece by piece, in parallel with the feature `rayon`.
pub(crate) fn read_pieces(
    file: &File,
    buffer: &mut [u8],
    offset: u64,
) -> io::Result<usize> {
    let read = |(number, piece): (usize, &mut [u8])| {
        let start = u64::try_from(number.saturating_mul(PIECE)).unwrap_or(u64::MAX);
        let count = sys::read_at_most(file, piece, offset.saturating_add(start))?;
        // Pieces that follow the end of the file are not counted.
        Ok((count, count == piece.len()))
    };
    let pieces: io::Result<Vec<(usize, bool)>> = {
        #[cfg(feature = "rayon")]
        if buffer.len() > PIECE && has_threads() {
            use rayon::prelude::*;
            buffer.par_chunks_mut(PIECE).enumerate().map(read).collect()
        } else {
            buffer.chunks_mut(PIECE).enumerate().map(read).collect()
        }
        #[cfg(not(feature = "rayon"))]
        buffer.chunks_mut(PIECE).enumerate().map(read).collect()
    };
    let mut total = 0_usize;
    for (count, is_full) in pieces? {
        total = total.saturating_add(count);
        if !is_full {
            break;
        }
    }
    Ok(total)
}

/// Returns whether rayon's threads could be started; without threads its iterators panic.
#[cfg(feature = "rayon")]
fn has_threads() -> bool {
    use std::error::Error as _;
    use std::sync::OnceLock;

    static STARTED: OnceLock<bool> = OnceLock::new();

    // If the application has started the threads before, the error has no source.
    let start = || rayon::ThreadPoolBuilder::new().build_global();
    *STARTED.get_or_init(|| start().err().is_none_or(|e| e.source().is_none()))
}

/// Returns whether a path leads to an open file, directly or through links.
pub(crate) fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let named = match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        named => named?,
    };
    // On systems where files have no identity, an open file keeps its name.
    Ok(FileId::of(&named) == FileId::of(&file.metadata()?))
}

/// Returns whether a path itself, not through a link, names an open file.
fn names(path: &Path, file: &File) -> bool {
    match (fs::symlink_metadata(path), file.metadata()) {
        // A file without an identity keeps its name while it is open.
        (Ok(named), Ok(open)) => FileId::of(&named) == FileId::of(&open),
        _ => !sys::REPLACES_OPEN_FILES,
    }
}
