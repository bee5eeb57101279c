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
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if target.is_dir() || target.file_name().is_none() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        #[cfg(target_os = "linux")]
        if let Some(file) = unnamed(folder(&target))? {
            return Ok(Self { file: Holder::Unnamed(file), target });
        }
        let file = named(folder(&target))?;
        Ok(Self { file: Holder::Named(file), target })
    }

    pub(crate) fn file(&self) -> &File {
        match &self.file {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => file,
            Holder::Named(file) => file.as_file(),
        }
    }

    /// Gives the file, which is on disk, its name, and brings that to disk.
    ///
    /// A file of that name is replaced in one step, or left if it is not to be.
    pub(crate) fn publish(self, replaces: bool) -> io::Result<()> {
        let Self { file, target } = self;
        let folder = folder(&target).to_owned();
        let old = fs::metadata(&target).ok().filter(|_| replaces);
        let permissions = old.as_ref().map(fs::Metadata::permissions);
        match file {
            #[cfg(target_os = "linux")]
            Holder::Unnamed(file) => {
                permissions.map_or(Ok(()), |of_old| file.set_permissions(of_old))?;
                link(&file, &target, replaces)?;
            }
            Holder::Named(file) => {
                permissions
                    .map_or(Ok(()), |of_old| file.as_file().set_permissions(of_old))?;
                let persisted = match replaces {
                    true => file.persist(&target),
                    false => file.persist_noclobber(&target),
                };
                persisted.map_err(|e| e.error)?;
            }
        }
        sync_folder(&folder)
    }
}

/// Returns the folder that a path names a file in.
fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes a file without a name, if the file system can.
#[cfg(target_os = "linux")]
fn unnamed(folder: &Path) -> io::Result<Option<File>> {
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(folder);
    match file {
        Ok(file) => Ok(Some(file)),
        Err(e) => match Errno::from_io_error(&e) {
            // What file systems and kernels say that cannot.
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            _ => Err(e),
        },
    }
}

fn named(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix(".draft-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;

        // Those of any new file: what the user masks, the system takes off.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Names a file that has no name.
#[cfg(target_os = "linux")]
fn link(file: &File, target: &Path, replaces: bool) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};
    use std::os::fd::AsRawFd;

    let source = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |name: &Path| -> io::Result<()> {
        Ok(linkat(CWD, source.as_str(), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
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

/// Brings the names in a folder to disk.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The system sees to names itself elsewhere.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
