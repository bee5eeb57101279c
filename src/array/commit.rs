//! Commits and rolls back private changes, and detects changes of the file; does not know which
//! pages differ.

use std::fs::{self, File, TryLockError};
use std::{io, path::Path};

use ndarray::Dimension;

use crate::array::MmapArray;
use crate::array::changes::{CommitTarget, Conflict};
use crate::element::Element;
use crate::error::{AtPath, Error, ErrorKind, Result};
use crate::file::lock_upgrade::LockUpgrade;
use crate::file::{self, FileEnd, FileId, FileSnapshot};
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys::{self, FileSystem};

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Returns whether the file has changed, or was replaced, since the array was opened.
    ///
    /// Returns `true` if the path names another file or no file. Also returns `true` if the length,
    /// the modification time or, on Unix, the time of the last change of attributes (`ctime`)
    /// differs. No program can set `ctime` back. A new permission, a new hard link, and a copy to
    /// the upper layer of overlayfs change `ctime` too. Changes by this array count too, once the
    /// system updates the time. For stores into the mapping the system does so late, and not again
    /// for a page that is already dirty. For an array without a path, this function inspects the
    /// file that the array keeps open.
    ///
    /// Two changes within one tick of a file system's clock look like one change. A change just
    /// after the opening may therefore stay undetected. The tick is 2 s on FAT, and 1 s on ext2,
    /// ext3 and ext4 with inodes of 128 bytes. Otherwise the tick is 1 to 10 ms. Linux 6.13 and
    /// later has no such tick on ext4, XFS, btrfs and tmpfs.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the file cannot be inspected, or if the array has neither a path nor an
    /// open file.
    pub fn file_changed(&self) -> Result<bool> {
        let path = &self.backing().path;
        let found = match self.backing().file.as_ref().filter(|_| self.path().is_none()) {
            Some(file) => file.metadata(),
            None => fs::metadata(path),
        };
        match found {
            Ok(metadata) => Ok(self.backing().snapshot != FileSnapshot::of(&metadata)),
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.path().is_some() => {
                Ok(true)
            }
            Err(e) => Err(Error::io("inspect", path)(e)),
        }
    }

    /// Returns whether a path names the file that the array was opened from.
    ///
    /// A renamed or linked file is the same file under each of its names. A file that has replaced
    /// this file under the same name is another file.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if the path cannot be inspected, and always on Windows. A path that names no
    /// file is not an error.
    pub fn is_same_file(&self, path: impl AsRef<Path>) -> Result<bool> {
        let path = path.as_ref();
        let found = match fs::metadata(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
            found => found.map_err(Error::io("inspect", path))?,
        };
        match FileSnapshot::of(&found).id() {
            None => Err(Error::io("inspect", path)(io::ErrorKind::Unsupported.into())),
            found => Ok(found == self.backing().snapshot.id()),
        }
    }

    /// Writes private changes to the file and returns when they are durable.
    ///
    /// The commit writes only changed pages. The kernel reports these pages, or the commit finds
    /// them by comparison with the file. The array stays a private copy, now without changes. The
    /// commit allocates space for holes of the file first, where the file system supports this. A
    /// crash during a commit can leave only some of the pages written. Use a
    /// [`Draft`](crate::Draft) if the file must be the old one or the new one.
    ///
    /// If the array was opened with [`lock`](crate::MapOptions::lock), a commit locks the file
    /// exclusively while it writes. No other holder of a lock then reads a part of a commit. A
    /// commit detects changes by other processes as [`file_changed`](Self::file_changed) does, with
    /// the same limits. A commit replaces whole pages. Bytes that another process writes to these
    /// pages during the commit, or without being detected, are lost. For every other array of the
    /// file, a commit is a change by another process, in the sense of [the
    /// contract](crate#the-contract-of-a-mapping).
    ///
    /// On some file systems (overlayfs, FUSE, 9p) a mapping does not show bytes that are written
    /// through a descriptor. On these file systems the array maps the file again after a commit.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `c`.
    /// - [`ErrorKind::Conflict`] if [`file_changed`](Self::file_changed) returns `true`; the commit
    ///   then writes nothing.
    /// - [`ErrorKind::Locked`] if the array is locked and another handle has a lock too; the commit
    ///   then writes nothing.
    /// - [`ErrorKind::NoSpace`] if the disk has no space for the holes. The commit then writes nothing,
    ///   and the disk has as much free space as before. The exception is space that could not be
    ///   allocated in advance.
    /// - [`ErrorKind::Io`] if the file cannot be opened for writing or cannot be written. The same
    ///   holds if the array was not opened by a path or is a copy in memory. If the array must map
    ///   the file again, locked pages are an `Io` error too. If the disk does not accept the
    ///   written bytes, every later commit is [`ErrorKind::Poisoned`].
    /// - [`ErrorKind::FileTooShort`] if another process has truncated the file during the commit.
    /// - [`ErrorKind::Replaced`] if the path names another file after the commit. The commit has then
    ///   written to the file that was opened.
    ///
    /// After an error the array still has its changes, and some of the changed pages may be written
    /// to the file. If the write itself has failed, the page at which it stopped may be written in
    /// part. For types whose bytes are checked, each element is then the old one or the new one.
    /// The exception is an old element that cannot be written back.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("table.u8");
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// std::fs::write(&path, [0; 10])?;
    /// // SAFETY: no other code uses the file while `a` lives.
    /// let mut a = unsafe { MapOptions::new(Mode::CopyOnWrite).open::<u8>(&path)? };
    /// a.view_mut()?[3] = 7;
    /// a.rollback()?;
    /// a.view_mut()?[4] = 8;
    /// assert_eq!(std::fs::read(&path)?, [0; 10]);
    /// a.commit()?;
    /// assert_eq!(std::fs::read(&path)?, [0, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit(&mut self) -> Result<()> {
        let committed = self.write_changes(Conflict::Refuse);
        committed.at(&self.backing().path)
    }

    /// Writes private changes to the file, even if the file has changed since it was opened.
    ///
    /// The changed pages, as a whole, replace the bytes that other processes have written there.
    /// Use [`commit`](Self::commit) unless the replacement is known to be right.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::Conflict`] if the path names another file.
    /// - [`ErrorKind::FileTooShort`] if the file no longer extends to the end of the array.
    /// - [`ErrorKind::Io`] if the kernel does not report which pages are changed. The same holds if
    ///   pages are or were locked in memory by [`Region::lock`](crate::Region::lock), `mlock` or
    ///   `mlockall`. Locking copies pages, which then look changed. This function does not detect a
    ///   `mlock` or `mlockall` after the opening that was undone before this call.
    /// - [`ErrorKind::InvalidElement`] if the array must map the file again, and another process has
    ///   written bytes that are not a value of `A`. The changes are then in the file, and the array
    ///   shows the same values as before.
    /// - The errors of [`commit`](Self::commit).
    pub fn force_commit(&mut self) -> Result<()> {
        let committed = self.write_changes(Conflict::Overwrite);
        committed.at(&self.backing().path)
    }

    /// Drops private changes, so that the array shows the file again (Linux).
    ///
    /// A failed commit may have left invalid elements. For types whose bytes are checked, a
    /// rollback therefore checks the elements of the changed pages again. On some file systems
    /// (overlayfs, FUSE, 9p) a mapping does not show bytes that are written through a descriptor.
    /// On these file systems the array maps the file of its path again, and checks all elements.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `c`.
    /// - [`ErrorKind::InvalidElement`] if the file has an element that is not a value of `A`; the array
    ///   then keeps its changes.
    /// - [`ErrorKind::FileTooShort`] if the file must be mapped again and is too short.
    /// - [`ErrorKind::Io`] on systems other than Linux, for arrays that are a copy in memory, and if
    ///   pages are locked in memory. For types whose bytes are not checked, some pages may then
    ///   have been rolled back.
    pub fn rollback(&mut self) -> Result<()> {
        self.require_private("roll back").at(&self.backing().path)?;
        if self.is_empty() {
            return Ok(());
        }
        let dropped = match self.stale_file() {
            Some(file) => self.map_again(&file, &[]),
            None => self.drop_changes(),
        };
        dropped.at(&self.backing().path)
    }

    fn require_private(&self, action: &'static str) -> Result<()> {
        self.backing().intact()?;
        match self.mode() {
            Mode::CopyOnWrite => Ok(()),
            mode => Err(Error::from(ErrorKind::UnsupportedMode { mode, action })
                .with_way_out("only mode `c` has private changes")),
        }
    }

    fn write_changes(&mut self, conflict: Conflict) -> Result<()> {
        self.require_private("commit")?;
        let path = self.backing().path.clone();
        // If an earlier commit has failed, this commit writes nothing.
        self.backing().write("commit to", || Ok(()))?;
        let unsupported =
            || Error::io("commit", &path)(io::ErrorKind::Unsupported.into());
        let is_copy = self.backing().mapping.map().is_none() && !self.is_empty();
        let is_locked = match conflict {
            Conflict::Overwrite => self.is_memory_locked(),
            Conflict::Refuse => Ok(false),
        };
        let is_locked = is_locked.map_err(Error::io("inspect pages of", &path))?;
        if is_copy || is_locked {
            return Err(unsupported());
        }
        if conflict == Conflict::Refuse && self.file_changed()? {
            return Err(ErrorKind::Conflict.at(&path));
        }
        let file = file::open(&path, Mode::ReadWrite)?.file;
        let is_coherent = FileSystem::of(&file).is_coherent;
        if !is_coherent && self.backing().is_locked() {
            // Locked pages cannot be compared with the pages that they were copied from.
            return Err(unsupported());
        }
        let lock = self.upgrade_lock(&file, &path)?;
        let target = CommitTarget { file: &file, path: &path, conflict, is_coherent };
        self.check_target(&target)?;
        let written = self.write_to(&target);
        // Try twice: without the metadata, the next commit would detect a change.
        let found = file.metadata().or_else(|_| file.metadata());
        drop((lock, file));
        // Bytes that this commit has written, also before an error, are no change by another
        // process. The path may name another file by now.
        let found = if sys::REPLACES_OPEN_FILES { found } else { fs::metadata(&path) };
        if let Ok(found) = found {
            self.backing_mut().snapshot = FileSnapshot::of(&found);
        }
        written?;
        if named_file(&path)? != self.backing().snapshot.id() {
            return Err(ErrorKind::Replaced.at(&path));
        }
        Ok(())
    }

    /// Fails unless the file is still the opened one and, if conflicts are refused, unchanged.
    fn check_target(&self, target: &CommitTarget<'_>) -> Result<()> {
        let &CommitTarget { file, path, conflict, is_coherent } = target;
        let metadata = file::regular(file, path)?;
        let (then, now) = (self.backing().snapshot, FileSnapshot::of(&metadata));
        let is_same = then == now || !is_coherent && then.has_same_contents(now);
        let named = named_file(path)?;
        if then.id() != now.id()
            || named != now.id()
            || conflict == Conflict::Refuse && !is_same
        {
            return Err(ErrorKind::Conflict.at(path));
        }
        FileEnd::of(&metadata).check(self.layout().end())
    }

    /// Upgrades the lock of the array, if it has one, to an exclusive lock.
    fn upgrade_lock(&self, file: &File, path: &Path) -> Result<Option<LockUpgrade>> {
        let backing = self.backing();
        let Some(shared) = backing.file.as_ref().filter(|_| backing.holds_lock) else {
            return Ok(None);
        };
        LockUpgrade::new(shared, file).map(Some).map_err(|e| match e {
            TryLockError::WouldBlock => ErrorKind::Locked.at(path),
            TryLockError::Error(e) => Error::io("lock", path)(e),
        })
    }

    /// Returns whether pages may be copies because they were locked in memory.
    fn is_memory_locked(&self) -> io::Result<bool> {
        let Backing { mapping, .. } = self.backing();
        let addresses = mapping.addresses(&(0..mapping.len()))?;
        Ok(self.backing().is_locked() || sys::is_locked(&addresses)?)
    }
}

/// Returns the identity of the file that a path names, if it names one.
fn named_file(path: &Path) -> Result<Option<FileId>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(FileId::of(&found.map_err(Error::io("inspect", path))?)),
    }
}
