//! Files without a name until they get theirs; knows nothing of their contents.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile, PersistError};

use crate::error::{Error, Result};
use crate::file;
use crate::file::allocate;
use crate::mode::Mode;
#[cfg(target_os = "linux")]
use crate::sys::description;
use crate::sys::process::generation;

/// A new file that nobody else knows, and the path that it is for.
#[derive(Debug)]
pub(crate) struct Hidden {
    file: Holder,
    target: PathBuf,
    /// The process that removes a file with a name; a forked child leaves it to that.
    owner: u64,
}

#[derive(Debug)]
enum Holder {
    /// It has no name in any folder.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// It has one that is removed when this is dropped.
    Named(NamedTempFile),
    /// It has got its own name.
    Published,
}

/// How often a name is looked at again that other processes give to other files.
const TRIES: usize = 100;

impl Hidden {
    /// Makes a file in the folder of a path, or of what it leads to if it is a link.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let target = resolve(path)?;
        let old = fs::metadata(&target).ok();
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder(&target))? {
            return Ok(Self::new(Holder::Unnamed(file), target));
        }
        let file = named(folder(&target), old.is_some())?;
        Ok(Self::new(Holder::Named(file), target))
    }

    fn new(file: Holder, target: PathBuf) -> Self {
        Self { file, target, owner: generation() }
    }

    pub(crate) fn file(&self) -> Option<&File> {
        match &self.file {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => Some(file),
            Holder::Named(file) => Some(file.as_file()),
            Holder::Published => None,
        }
    }

    /// Brings the file, of `len` bytes, to disk, gives it its name, and brings that to disk.
    ///
    /// A file of that name is replaced in one step, unless it is locked, or left if it is not to
    /// be. With `locks`, also one that is locked for reading only is not replaced.
    ///
    /// Errors name the path by which the caller knows the file. If the caller has a file open and
    /// locked, that one is replaced and no other.
    pub(crate) fn publish(
        mut self,
        path: &Path,
        replaces: bool,
        locks: bool,
        over: Option<&File>,
        len: u64,
    ) -> Result<()> {
        self.prepare(replaces).map_err(allocate::refusal("publish", len, path))?;
        // What cannot be opened is to be known before anything is replaced.
        let folder = Folder::open(folder(&self.target));
        let folder = folder.map_err(Error::io("publish", path))?;
        for _ in 0..TRIES {
            // The lock lasts until the file is replaced.
            let old = match over {
                Some(file) => match file::leads_to(&self.target, file) {
                    Ok(true) => Old::There { _lock: None },
                    Ok(false) => return Err(Error::Replaced { path: path.to_owned() }),
                    Err(e) => return Err(Error::io("inspect", path)(e)),
                },
                None if replaces => lock_old(&self.target, path, locks)?,
                None => Old::Missing,
            };
            match self.name(old.is_there()) {
                // A file of that name was made just now.
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
        Err(Error::Replaced { path: path.to_owned() })
    }

    /// Makes sure that the name can be given, and brings the file to disk.
    fn prepare(&self, replaces: bool) -> io::Result<()> {
        let old = match fs::metadata(&self.target) {
            // Its permissions are not known then, and the new file might have more.
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            found => found.ok(),
        };
        if old.as_ref().is_some_and(|old| !replaces || !old.is_file()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = self.file().ok_or(io::ErrorKind::NotFound)?;
        if let Some(old) = old {
            take_permissions(file, &old)?;
        }
        file.sync_all()
    }

    /// Gives the file its name, which a file has already or none.
    fn name(&mut self, is_there: bool) -> io::Result<()> {
        let target = &self.target;
        match std::mem::replace(&mut self.file, Holder::Published) {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => {
                let linked = link(&file, target, is_there);
                self.file = Holder::Unnamed(file);
                linked?;
                self.file = Holder::Published;
            }
            Holder::Named(file) => {
                let persisted = match is_there {
                    true => file.persist(target),
                    false => persist_new(file, target),
                };
                if let Err(failed) = persisted {
                    self.file = Holder::Named(failed.file);
                    return Err(failed.error);
                }
            }
            Holder::Published => return Err(io::ErrorKind::NotFound.into()),
        }
        Ok(())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        match &mut self.file {
            Holder::Named(file) if self.owner != generation() => {
                file.disable_cleanup(true);
            }
            _ => {}
        }
    }
}

/// A file that is to be replaced.
#[derive(Debug)]
enum Old {
    Missing,
    /// Locked as long as the descriptor is open, if there is one.
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
/// What an array that has it open for writing stores from then on would be lost. Arrays that read
/// it keep what they read; with `locks`, a file that they have locked is not replaced either.
fn lock_old(target: &Path, path: &Path, locks: bool) -> Result<Old> {
    // A lock for reading, or for writing, of a file that is open for reading.
    let lock = |file: &File| if locks { file.try_lock() } else { file.try_lock_shared() };
    for _ in 0..TRIES {
        let old = match file::open(target, Mode::ReadOnly) {
            Ok(opened) => opened.file,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(Old::Missing);
            }
            // Without permission to read it, its lock cannot be asked for.
            Err(Error::Io { .. }) if !locks => return Ok(Old::There { _lock: None }),
            Err(error) => return Err(error),
        };
        let locked = lock(&old);
        if !file::leads_to(target, &old).map_err(Error::io("inspect", path))? {
            continue;
        }
        return match locked {
            // Windows replaces no file that is open, and so none that is locked.
            Ok(()) => Ok(Old::There { _lock: Some(old).filter(|_| !cfg!(windows)) }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_owned() }),
            // The file system has no locks, so that no array has one.
            Err(TryLockError::Error(_)) if !locks => Ok(Old::There { _lock: None }),
            Err(TryLockError::Error(e)) => Err(Error::io("lock", path)(e)),
        };
    }
    Err(Error::Replaced { path: path.to_owned() })
}

/// Gives a file a name that no file has.
fn persist_new(file: NamedTempFile, target: &Path) -> Result<File, PersistError> {
    file.persist_noclobber(target).or_else(|failed| match failed.error.kind() {
        io::ErrorKind::AlreadyExists => Err(failed),
        // Some file systems can only rename.
        _ if fs::symlink_metadata(target).is_err() => failed.file.persist(target),
        _ => Err(failed),
    })
}

/// Returns the path of the file that is to be replaced, or to be there, from the root on.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let is_folder = || io::Error::from(io::ErrorKind::IsADirectory);
    let name = path.file_name().ok_or_else(is_folder)?;
    let last = path.as_os_str().as_encoded_bytes().last().copied();
    if last.is_some_and(|last| std::path::is_separator(char::from(last))) {
        return Err(is_folder());
    }
    match fs::canonicalize(path) {
        // A link that leads nowhere.
        Err(e) if fs::symlink_metadata(path).is_ok() => Err(e),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            Ok(fs::canonicalize(folder(path))?.join(name))
        }
        target => target,
    }
}

/// Returns the folder that a path names a file in.
fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Gives a file the permissions of another to read, write and execute, no special ones.
#[cfg(unix)]
fn take_permissions(file: &File, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};

    // Another group is not to have what is for that one.
    let is_of_group = file.metadata()?.gid() == old.gid()
        || fchown(file, None, Some(old.gid())).is_ok();
    let mask = if is_of_group { 0o777 } else { 0o707 };
    file.set_permissions(fs::Permissions::from_mode(old.mode() & mask))
}

#[cfg(not(unix))]
fn take_permissions(file: &File, old: &fs::Metadata) -> io::Result<()> {
    file.set_permissions(old.permissions())
}

/// Makes a file without a name, if the file system can and it can be named later.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> io::Result<Option<File>> {
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(folder);
    match file {
        Ok(file) => Ok(Some(file).filter(|file| handle(file).exists())),
        Err(e) => match Errno::from_io_error(&e) {
            // What file systems and kernels say that cannot.
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            _ => Err(e),
        },
    }
}

/// Returns the path by which the kernel knows an open file.
#[cfg(target_os = "linux")]
fn handle(file: &File) -> PathBuf {
    PathBuf::from(description::path_of(file, "fd"))
}

/// Makes a file that others may read and write as they may any new one, or nobody.
fn named(folder: &Path, is_secret: bool) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".draft-");
    #[cfg(not(unix))]
    let _ = is_secret;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        // Those of any new file: what the user masks, the system takes off.
        let mode = if is_secret { 0o600 } else { 0o666 };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    builder.tempfile_in(folder)
}

/// Names a file that has no name, by a name that a file has already or none.
#[cfg(target_os = "linux")]
fn link(file: &File, target: &Path, is_there: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};

    let source = handle(file);
    let link = |name: &Path| -> io::Result<()> {
        Ok(linkat(CWD, &source, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
    };
    if !is_there {
        return link(target);
    }
    // A name that exists can only be replaced by another.
    let make = |name: &Path| link(name).map(|()| name.to_owned());
    let name = Builder::new().prefix(".draft-").make_in(folder(target), make)?;
    name.persist(target).map_err(|e| e.error)?;
    Ok(())
}

/// A folder whose names are to be brought to disk; on Windows that is the system's matter.
#[derive(Debug)]
struct Folder {
    #[cfg(unix)]
    file: File,
}

impl Folder {
    #[cfg(unix)]
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::open(path)? })
    }

    #[cfg(unix)]
    fn sync(self) -> io::Result<()> {
        use rustix::io::Errno;

        match self.file.sync_all().map_err(|e| Errno::from_io_error(&e).ok_or(e)) {
            // Some file systems on networks have nothing to do, and say so.
            Err(Ok(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)) => Ok(()),
            Err(Ok(e)) => Err(e.into()),
            Err(Err(e)) => Err(e),
            Ok(()) => Ok(()),
        }
    }

    #[cfg(not(unix))]
    fn open(_: &Path) -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    fn sync(self) -> io::Result<()> {
        Ok(())
    }
}
