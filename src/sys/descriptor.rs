//! Open file descriptions, which descriptors share: opens one more, and finds what one has locked.
//!
//! A lock, the position, and the reports of the kernel about failed writes belong to the
//! description. All duplicates of a descriptor, all mappings made through one, and a forked child
//! share the description.

use std::{fs::File, io, path::Path};

/// The lock that a description holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "no other system reports locks")
)]
pub(crate) enum Held {
    Nothing,
    Shared,
    Exclusive,
}

/// Opens the file of a descriptor again, for reading and, with `is_written`, for writing.
///
/// The new description has no lock. It has the flags of the old one that determine how the file is
/// written, except `O_APPEND`. With that flag, FUSE would append pages of a mapping that it should
/// write in place. Works for files without a name. Fails if the descriptor
/// itself does not permit as much, and if there is no `/proc`.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn reopen(file: &File, is_written: bool) -> io::Result<File> {
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    use rustix::fs::{OFlags, fcntl_getfl};

    let flags = fcntl_getfl(file)?;
    let access = flags.intersection(OFlags::RWMODE);
    if access != OFlags::RDWR && (is_written || access != OFlags::RDONLY) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let kept =
        OFlags::DIRECT.union(OFlags::DSYNC).union(OFlags::SYNC).union(OFlags::NOATIME);
    // Opening does not wait for the holder of a lease.
    let kept = flags.intersection(kept).union(OFlags::NONBLOCK);
    let mut options = File::options();
    options.read(true).write(is_written).custom_flags(kept.bits().cast_signed());
    let again = options.open(path_of(file, "fd"))?;
    let id = |file: &File| file.metadata().map(|found| (found.dev(), found.ino()));
    // Another file system may be mounted at `/proc`.
    if id(&again)? == id(file)? { Ok(again) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Returns `Unsupported`: on other systems a descriptor leads to its own description only.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn reopen(_: &File, _: bool) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the lock that the description of a file holds.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn held(file: &File) -> io::Result<Held> {
    let info = std::fs::read_to_string(path_of(file, "fdinfo"))?;
    Ok(held_by(&info))
}

/// Returns `Unsupported`: the system does not report locks.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn held(_: &File) -> io::Result<Held> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Returns the path at which the kernel shows a descriptor of this thread.
///
/// The thread may have its own table of descriptors.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn path_of(file: &File, what: &str) -> String {
    use std::os::fd::AsRawFd;

    format!("/proc/thread-self/{what}/{}", file.as_raw_fd())
}

/// Creates a file without a name in a folder; returns `None` if it could not be named later.
#[cfg(target_os = "linux")]
pub(crate) fn open_unnamed(folder: &Path) -> io::Result<Option<File>> {
    use rustix::fs::OFlags;
    use rustix::io::Errno;
    use std::os::unix::fs::OpenOptionsExt;

    let flags = OFlags::TMPFILE.bits().cast_signed();
    let file = File::options().read(true).write(true).custom_flags(flags).open(folder);
    match file {
        Ok(file) => {
            Ok(Some(file).filter(|file| Path::new(&path_of(file, "fd")).exists()))
        }
        Err(e) => match Errno::from_io_error(&e) {
            // The answers of file systems and kernels without such files.
            Some(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => Ok(None),
            _ => Err(e),
        },
    }
}

/// Returns `None`: the system has no such files.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open_unnamed(_: &Path) -> io::Result<Option<File>> {
    Ok(None)
}

/// Gives a file without a name a name that no file has.
#[cfg(target_os = "linux")]
pub(crate) fn link_unnamed(file: &File, name: &Path) -> io::Result<()> {
    use rustix::fs::{AtFlags, CWD, linkat};

    Ok(linkat(CWD, path_of(file, "fd"), CWD, name, AtFlags::SYMLINK_FOLLOW)?)
}

/// Returns `Unsupported`.
#[cfg(not(target_os = "linux"))]
pub(crate) fn link_unnamed(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Reads `/proc/…/fdinfo/…`, with lines such as
/// `lock: 1: FLOCK  ADVISORY  WRITE 7 00:1:2 0 EOF`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn held_by(info: &str) -> Held {
    let is_flock = |line: &&str| {
        line.starts_with("lock:") && line.split_whitespace().any(|word| word == "FLOCK")
    };
    match info.lines().find(is_flock) {
        Some(line) if line.split_whitespace().any(|word| word == "WRITE") => {
            Held::Exclusive
        }
        Some(_) => Held::Shared,
        None => Held::Nothing,
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_without_a_name_is_opened_again_with_a_description_of_its_own() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abc").unwrap();
        file.try_lock().unwrap();
        let again = reopen(&file, true).unwrap();
        assert_eq!(
            (held(&file).unwrap(), held(&again).unwrap()),
            (Held::Exclusive, Held::Nothing)
        );
        assert!(again.try_lock_shared().is_err());
        file.unlock().unwrap();
        again.try_lock_shared().unwrap();
        assert_eq!(
            (held(&file).unwrap(), held(&again).unwrap()),
            (Held::Nothing, Held::Shared)
        );
        again.set_len(1).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 1);
    }

    #[test]
    fn no_more_is_permitted_than_the_descriptor_permits() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let reading = File::open(file.path()).unwrap();
        assert!(reopen(&reading, false).is_ok());
        assert_eq!(
            reopen(&reading, true).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        let writing = File::options().write(true).open(file.path()).unwrap();
        assert_eq!(
            reopen(&writing, false).unwrap_err().kind(),
            io::ErrorKind::PermissionDenied
        );
        let appending =
            File::options().read(true).append(true).open(file.path()).unwrap();
        let mut again = reopen(&appending, true).unwrap();
        file.as_file().write_all(b"abc").unwrap();
        again.write_all(b"d").unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"dbc");
    }

    #[test]
    fn the_lock_is_found_among_others() {
        let info =
            "pos:\t0\nflags:\t0100002\nlock:\t1: POSIX  ADVISORY  WRITE 7 00:1:2 0 EOF\n";
        assert_eq!(held_by(info), Held::Nothing);
        let more = format!("{info}lock:\t2: FLOCK  ADVISORY  READ 7 00:1:2 0 EOF\n");
        assert_eq!(held_by(&more), Held::Shared);
    }
}
