//! Files without a name until they get theirs; knows nothing of their contents.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

/// A new file that nobody else knows, and the path that it is for.
#[derive(Debug)]
pub(crate) struct Hidden {
    file: Holder,
    target: PathBuf,
}

#[derive(Debug)]
enum Holder {
    /// It has no name in any folder.
    #[cfg(target_os = "linux")]
    Unnamed(File),
    /// It has one that is removed when this is dropped.
    Named(NamedTempFile),
}

impl Hidden {
    /// Makes a file in the folder of a path, or of what it leads to if it is a link.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let target = resolve(path)?;
        let old = fs::metadata(&target).ok();
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder(&target))? {
            return Ok(Self { file: Holder::Unnamed(file), target });
        }
        let file = named(folder(&target), old.is_some())?;
        Ok(Self { file: Holder::Named(file), target })
    }

    pub(crate) fn file(&self) -> &File {
        match &self.file {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => file,
            Holder::Named(file) => file.as_file(),
        }
    }

    /// Brings the file to disk, gives it its name, and brings that to disk.
    ///
    /// A file of that name is replaced in one step, or left if it is not to be.
    pub(crate) fn publish(self, replaces: bool) -> io::Result<()> {
        let old = fs::metadata(&self.target).ok();
        if old.as_ref().is_some_and(|old| !replaces || !old.is_file()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if let Some(old) = old {
            take_permissions(self.file(), &old)?;
        }
        self.file().sync_all()?;
        let Self { file, target } = self;
        // What cannot be opened is to be known before anything is replaced.
        let folder = Folder::open(folder(&target))?;
        match file {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => link(&file, &target, replaces)?,
            Holder::Named(file) => {
                let persisted = match replaces {
                    true => file.persist(&target),
                    false => file.persist_noclobber(&target),
                };
                persisted.map_err(|e| e.error)?;
            }
        }
        folder.sync()
    }
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
    use std::os::fd::AsRawFd;

    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
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

/// Names a file that has no name.
#[cfg(target_os = "linux")]
fn link(file: &File, target: &Path, replaces: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};

    let source = handle(file);
    let link = |name: &Path| -> io::Result<()> {
        Ok(linkat(CWD, &source, CWD, name, AtFlags::SYMLINK_FOLLOW)?)
    };
    match link(target) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && replaces => {}
        linked => return linked,
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
