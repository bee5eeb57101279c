//! Files before they are mapped: opening, what they are, locks; changes none.

use std::fs::{File, FileType, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::{Error, Mode, Result};

/// A file that was opened for a mode.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) file: File,
    /// Whether this call created it.
    pub(crate) is_new: bool,
}

/// Opens a path as the mode asks, without changing a file that exists.
pub(crate) fn open(path: &Path, mode: Mode) -> Result<Opened> {
    let mut options = OpenOptions::new();
    options.read(true).write(mode.writes_file());
    open_without_waiting(&mut options);
    let open = |options: &OpenOptions, is_new| {
        options.open(path).map(|file| Opened { file, is_new })
    };
    let opened = if mode.creates() {
        match open(options.clone().create_new(true), true) {
            Err(e)
                if e.kind() == io::ErrorKind::AlreadyExists && mode == Mode::Create =>
            {
                // `create` for a link to a file that does not exist yet.
                open(options.create(true).truncate(false), false)
            }
            opened => opened,
        }
    } else {
        open(&options, false)
    };
    opened.map_err(|source| {
        if path.is_dir() && mode != Mode::CreateNew {
            return Error::NotAFile { path: path.to_owned(), found: "a directory" };
        }
        Error::io("open", path)(source)
    })
}

/// Returns the length of a regular file and refuses all others.
pub(crate) fn regular_len(file: &File, path: &Path) -> Result<u64> {
    let metadata = file.metadata().map_err(Error::io("inspect", path))?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    let found = name_of(metadata.file_type());
    Err(Error::NotAFile { path: path.to_owned(), found })
}

/// Locks a whole file, shared or exclusive as the mode asks, or fails at once.
pub(crate) fn lock(file: &File, mode: Mode, path: &Path) -> Result<()> {
    let locked =
        if mode.writes_file() { file.try_lock() } else { file.try_lock_shared() };
    locked.map_err(|e| match e {
        TryLockError::WouldBlock => Error::Locked { path: path.to_owned() },
        TryLockError::Error(e) => Error::io("lock", path)(e),
    })
}

/// Makes opening a FIFO or a terminal return at once, so that it can be refused.
#[cfg(unix)]
fn open_without_waiting(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY).bits();
    options.custom_flags(flags.cast_signed());
}

/// Opening does not wait for a peer elsewhere.
#[cfg(not(unix))]
fn open_without_waiting(_: &mut OpenOptions) {}

#[cfg(unix)]
fn name_of(file_type: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;

    match file_type {
        t if t.is_dir() => "a directory",
        t if t.is_fifo() => "a FIFO",
        t if t.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name_of(file_type: FileType) -> &'static str {
    if file_type.is_dir() { "a directory" } else { "a device" }
}
