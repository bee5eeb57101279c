//! Files that become visible when they are complete; knows nothing of their contents.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, PersistError};

use crate::error::{Error, ErrorKind, Result};
use crate::file::{self, allocate};
use crate::mode::Mode;
use crate::sys::{self, descriptor, process_number};

/// A new file that no other code knows, and the path at which it will become visible.
#[derive(Debug)]
pub(crate) struct AtomicFile {
    file: State,
    target: PathBuf,
    /// The process that removes a file with a temporary name; a forked child does not remove it.
    owner: u64,
}

#[derive(Debug)]
enum State {
    /// The file has no name in any folder.
    Unnamed(File),
    /// The file has a temporary name, which is removed on drop.
    Named(NamedTempFile),
    /// The file has its final name.
    Published,
}

/// How often to try again if other processes keep replacing the file of a name.
const TRIES: usize = 100;

impl AtomicFile {
    /// Creates a file in the folder of a path; if the path is a link, in the folder of its target.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let target = resolve(path)?;
        let old = fs::metadata(&target).ok();
        if let Some(file) = descriptor::open_unnamed(folder(&target))? {
            return Ok(Self::new(State::Unnamed(file), target));
        }
        let file = named(folder(&target), old.is_some())?;
        Ok(Self::new(State::Named(file), target))
    }

    fn new(file: State, target: PathBuf) -> Self {
        Self { file, target, owner: process_number() }
    }

    fn file(&self) -> Option<&File> {
        match &self.file {
            State::Unnamed(file) => Some(file),
            State::Named(file) => Some(file.as_file()),
            State::Published => None,
        }
    }

    /// Writes the file, of `len` bytes, to disk, gives it its name, and writes the name to disk.
    ///
    /// With `replaces`, a file of that name is replaced in one step, unless it is locked for
    /// writing. With `locks`, a file that is locked for reading only is not replaced either.
    /// Without `replaces`, a file of that name stays.
    ///
    /// Errors name the path by which the caller knows the file. If the caller has a file open and
    /// locked (`over`), that file is replaced and no other.
    pub(crate) fn publish(
        mut self,
        path: &Path,
        replaces: bool,
        locks: bool,
        over: Option<&File>,
        len: u64,
    ) -> Result<()> {
        self.prepare(replaces).map_err(allocate::refusal("publish", len, path))?;
        // A folder that cannot be opened must be an error before any file is replaced.
        let folder = sys::Folder::open(folder(&self.target));
        let folder = folder.map_err(Error::io("publish", path))?;
        for _ in 0..TRIES {
            // The lock lasts until the file is replaced.
            let old = match over {
                Some(file) => match file::leads_to(&self.target, file) {
                    Ok(true) => Old::There { _lock: None },
                    Ok(false) => return Err(ErrorKind::Replaced.at(path)),
                    Err(e) => return Err(Error::io("inspect", path)(e)),
                },
                None if replaces => lock_old(&self.target, path, locks)?,
                None => Old::Missing,
            };
            match self.name(old.is_there()) {
                // Another process has just created a file of that name.
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists && replaces => {}
                Err(e) => return Err(allocate::refusal("publish", len, path)(e)),
                Ok(()) => {
                    drop(old);
                    return folder
                        .sync()
                        .map_err(allocate::refusal("publish", len, path));
                }
            }
        }
        Err(ErrorKind::Replaced.at(path))
    }

    /// Checks that the name can be given, and writes the file to disk.
    fn prepare(&self, replaces: bool) -> io::Result<()> {
        let old = match fs::metadata(&self.target) {
            // The permissions of the old file are unknown, and the new file might have more.
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            found => found.ok(),
        };
        if old.as_ref().is_some_and(|old| !replaces || !old.is_file()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.file().ok_or(io::ErrorKind::NotFound)?;
        if let Some(old) = old {
            sys::copy_permissions(file, &old)?;
        }
        file.sync_all()
    }

    /// Gives the file its name; `is_there` says whether a file has the name already.
    fn name(&mut self, is_there: bool) -> io::Result<()> {
        let target = &self.target;
        match std::mem::replace(&mut self.file, State::Published) {
            State::Unnamed(file) => {
                let linked = link(&file, target, is_there);
                self.file = State::Unnamed(file);
                linked?;
                self.file = State::Published;
            }
            State::Named(file) => {
                let persisted = match is_there {
                    true => file.persist(target),
                    false => persist_new(file, target),
                };
                if let Err(failed) = persisted {
                    self.file = State::Named(failed.file);
                    return Err(failed.error);
                }
            }
            State::Published => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }

    /// Returns the proof that no other code can access the file before it is published.
    pub(crate) fn exclusive(&mut self) -> Option<Exclusive<'_>> {
        self.file().map(Exclusive)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        match &mut self.file {
            State::Named(file) if self.owner != process_number() => {
                file.disable_cleanup(true);
            }
            _ => {}
        }
    }
}

/// A new file that no other code can access.
#[derive(Debug)]
pub(crate) struct Exclusive<'f>(&'f File);

impl<'f> Exclusive<'f> {
    pub(crate) fn file(&self) -> &'f File {
        self.0
    }
}

/// A new file that never gets a name.
#[derive(Debug)]
pub(crate) struct UnnamedFile(File);

impl UnnamedFile {
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        tempfile::tempfile_in(folder).map(Self)
    }

    pub(crate) fn exclusive(&mut self) -> Exclusive<'_> {
        Exclusive(&self.0)
    }
}

/// The file to replace.
#[derive(Debug)]
enum Old {
    Missing,
    /// Locked while the descriptor, if there is one, is open.
    There {
        _lock: Option<File>,
    },
}

impl Old {
    fn is_there(&self) -> bool {
        matches!(self, Self::There { .. })
    }
}

/// Locks the file of a name, or fails if it is locked for writing.
///
/// An array that has the file open for writing would lose what it stores from then on. Arrays that
/// read the file keep what they read. With `locks`, a file that they have locked is not replaced
/// either.
fn lock_old(target: &Path, path: &Path, locks: bool) -> Result<Old> {
    // The file is open for reading; the lock is exclusive with `locks`, and shared without.
    let lock = |file: &File| if locks { file.try_lock() } else { file.try_lock_shared() };
    for _ in 0..TRIES {
        let old = match file::open(target, Mode::ReadOnly) {
            Ok(opened) => opened.file,
            Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {
                return Ok(Old::Missing);
            }
            // Without permission to read the file, this process cannot ask for its lock.
            Err(error) if !locks && matches!(error.kind(), ErrorKind::Io { .. }) => {
                return Ok(Old::There { _lock: None });
            }
            Err(error) => return Err(error),
        };
        let locked = lock(&old);
        if !file::leads_to(target, &old).map_err(Error::io("inspect", path))? {
            continue;
        }
        return match locked {
            // Windows replaces no open file, and therefore no locked file.
            Ok(()) => {
                Ok(Old::There { _lock: Some(old).filter(|_| sys::REPLACES_OPEN_FILES) })
            }
            Err(TryLockError::WouldBlock) => Err(ErrorKind::Locked.at(path)),
            // The file system has no locks, so no array holds one.
            Err(TryLockError::Error(_)) if !locks => Ok(Old::There { _lock: None }),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        };
    }
    Err(ErrorKind::Replaced.at(path))
}

/// Gives a file a name that no other file has.
fn persist_new(file: NamedTempFile, target: &Path) -> Result<File, PersistError> {
    file.persist_noclobber(target).or_else(|failed| match failed.error.kind() {
        io::ErrorKind::AlreadyExists => Err(failed),
        // Some file systems can only rename.
        _ if fs::symlink_metadata(target).is_err() => failed.file.persist(target),
        _ => Err(failed),
    })
}

/// Returns the absolute path of the file to replace or to create.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let is_folder = || io::Error::from(io::ErrorKind::IsADirectory);
    let name = path.file_name().ok_or_else(is_folder)?;
    let last = path.as_os_str().as_encoded_bytes().last().copied();
    if last.is_some_and(|last| std::path::is_separator(char::from(last))) {
        return Err(is_folder());
    }
    match fs::canonicalize(path) {
        // The path is a link that leads nowhere.
        Err(e) if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) => {
            Err(e)
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Ok(fs::canonicalize(folder(path))?.join(name))
        }
        target => target,
    }
}

/// Returns the folder in which a path names a file.
fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Creates a file with a temporary name and the permissions of any new file, or the owner's alone.
fn named(folder: &Path, is_private: bool) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".draft-");
    sys::set_draft_permissions(&mut builder, is_private);
    builder.tempfile_in(folder)
}

/// Gives a file without a name the name `target`; `is_there` says whether a file has it already.
fn link(file: &File, target: &Path, is_there: bool) -> io::Result<()> {
    if !is_there {
        return descriptor::link_unnamed(file, target);
    }
    // Only a rename can replace an existing name.
    let make =
        |name: &Path| descriptor::link_unnamed(file, name).map(|()| name.to_owned());
    let name = Builder::new().prefix(".draft-").make_in(folder(target), make)?;
    name.persist(target).map_err(|e| e.error)?;
    Ok(())
}
