//! The space of a file on its disk: reserving, extending and clearing; maps nothing.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::{Error, Result};

/// Room made for a file, taken back when dropped unless it is kept.
#[derive(Debug)]
#[must_use]
pub(crate) struct Room<'f> {
    file: &'f File,
    /// The length to go back to; `None` once kept.
    undo: Option<u64>,
}

impl<'f> Room<'f> {
    /// Makes a file of `len` bytes at least `end` bytes long, and reserves `from..end`.
    ///
    /// The bytes that the file had keep their contents; new ones are zeros.
    pub(crate) fn make(
        file: &'f File,
        len: u64,
        from: u64,
        end: u64,
        sparse: bool,
        path: &Path,
    ) -> Result<Self> {
        if end > from {
            check_limit(end).map_err(Error::io("extend", path))?;
        }
        let room = Self { file, undo: (end > len).then_some(len) };
        let made = if sparse { Ok(Reserved::No) } else { reserve(file, from, end) };
        let made = made.and_then(|reserved| match reserved {
            Reserved::No if end > len => file.set_len(end),
            _ => Ok(()),
        });
        made.map_err(|e| match e.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Error::NoSpace { needed: end }
            }
            _ => Error::io("extend", path)(e),
        })?;
        Ok(room)
    }

    /// Lets the file keep its new length.
    pub(crate) fn keep(mut self) {
        self.undo = None;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if let Some(len) = self.undo {
            // A reservation that fails may leave the file longer (seen on ext4).
            let _ = self.file.set_len(len);
        }
    }
}

/// Whether the file system set the space aside.
enum Reserved {
    Yes,
    No,
}

/// Turns a file of `len` bytes into one of `end` zeros.
///
/// The space that was reserved stays reserved, so that this cannot fail for want of it.
pub(crate) fn clear(file: &File, len: u64, end: u64, sparse: bool) -> io::Result<()> {
    if sparse {
        file.set_len(0)?;
        return file.set_len(end);
    }
    if len > end {
        file.set_len(end)?;
    }
    zero(file, len.min(end))
}

/// Allocates the blocks of `from..end`, as far as the file system can.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn reserve(file: &File, from: u64, end: u64) -> io::Result<Reserved> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;

    let Some(len) = end.checked_sub(from).filter(|len| *len > 0) else {
        return Ok(Reserved::No);
    };
    let none = FallocateFlags::empty();
    match rustix::io::retry_on_intr(|| fallocate(file, none, from, len)) {
        Ok(()) => Ok(Reserved::Yes),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Reserved::No),
        // FreeBSD's answer for ZFS.
        Err(Errno::INVAL) if cfg!(target_os = "freebsd") => Ok(Reserved::No),
        Err(e) => Err(e.into()),
    }
}

/// Leaves it to `set_len`, which allocates on NTFS and does not on APFS.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn reserve(_: &File, _: u64, _: u64) -> io::Result<Reserved> {
    Ok(Reserved::No)
}

/// Writes zeros over the first `len` bytes without giving up their blocks.
fn zero(file: &File, len: u64) -> io::Result<()> {
    static BLOCK: [u8; 1 << 16] = [0; 1 << 16];

    if len == 0 || zero_at_once(file, len) {
        return Ok(());
    }
    let mut at = 0;
    while at < len {
        let rest = usize::try_from(len.saturating_sub(at)).unwrap_or(BLOCK.len());
        let block = BLOCK.get(..rest).unwrap_or(&BLOCK);
        let written = write_at(file, block, at)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        at = at.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// Has the file system turn the first `len` bytes to zeros, if it knows how.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn zero_at_once(file: &File, len: u64) -> bool {
    use rustix::fs::{FallocateFlags, fallocate};

    fallocate(file, FallocateFlags::ZERO_RANGE, 0, len).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn zero_at_once(_: &File, _: u64) -> bool {
    false
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    use std::os::unix::fs::FileExt;

    match file.write_at(bytes, at) {
        Err(e) if e.kind() == io::ErrorKind::Interrupted => write_at(file, bytes, at),
        written => written,
    }
}

#[cfg(windows)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    use std::os::windows::fs::FileExt;

    file.seek_write(bytes, at)
}

/// Refuses to write beyond the process's limit, which the kernel answers by `SIGXFSZ`.
#[cfg(unix)]
fn check_limit(end: u64) -> io::Result<()> {
    use rustix::process::{Resource, getrlimit};

    match getrlimit(Resource::Fsize).current {
        Some(limit) if end > limit => Err(io::ErrorKind::FileTooLarge.into()),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn check_limit(_: u64) -> io::Result<()> {
    Ok(())
}
