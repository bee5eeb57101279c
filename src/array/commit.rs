//! Private changes into the file or back, and whether the file is still the one opened.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use ndarray::Dimension;

use crate::array::MmapArray;
use crate::array::changes::{Conflict, Target};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::lock_upgrade::LockUpgrade;
use crate::file::{self, FileId, FileSnapshot};
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys;
use crate::sys::file_system::FileSystem;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Returns whether the file is another one or has changed since it was opened.
    ///
    /// It has if the path names another file or none, or if the length of the file, its time of
    /// modification or, on Unix, the time at which its attributes changed (`ctime`) differs. No
    /// program can set that time back; a new permission or hard link changes it too, as does a
    /// copy to the upper layer of overlayfs. Changes by this array count once the system has
    /// noted them. The system notes stores into mappings late, and not at all in pages that have
    /// changes already. An array without a path asks the file that it keeps open.
    ///
    /// Two changes within one step of the clock of a file system look like one: a change just
    /// after the opening may not be noticed. The step is 2 s on FAT, 1 s on ext2, ext3 and ext4
    /// with inodes of 128 bytes, and 1 to 10 ms otherwise; Linux 6.13 and later has no such step
    /// on ext4, XFS, btrfs and tmpfs.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be inspected, and of arrays that have neither.
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

    /// Tells whether a path names the file that the array was opened from.
    ///
    /// A file that was renamed or linked is that file under any of its names; one that has
    /// taken its place under the same name is not.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the path cannot be inspected, other than that it names nothing; on
    /// Windows always.
    pub fn is_current(&self, path: impl AsRef<Path>) -> Result<bool> {
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

    /// Writes private changes to the file and returns once they are on disk.
    ///
    /// Only pages that were changed are written. The kernel tells which, or they are found by
    /// comparison with the file. The array stays a private copy, now without changes. Space for
    /// holes of the file is allocated first, where the file system can. A crash during a commit
    /// can leave some of the pages written and others not; use a [`Draft`](crate::Draft) where
    /// the file has to be the old one or the new one.
    ///
    /// An array that was opened with [`lock`](crate::MapOptions::lock) locks the file
    /// exclusively while it writes, so that no other holder of a lock reads a part of a commit.
    /// A commit notices changes by other processes as [`file_changed`](Self::file_changed) does,
    /// with its limits. It replaces whole pages: what another process writes to these pages
    /// during the commit, or without being noticed, is lost. For every other array of the file a
    /// commit is a change by another process, in the sense of [the
    /// contract](crate#the-contract-of-a-mapping).
    ///
    /// Where a mapping does not show what is written through a descriptor (overlayfs, FUSE, 9p),
    /// the array maps the file again after a commit.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::Conflict`] if [`file_changed`](Self::file_changed); nothing is written then.
    /// - [`Error::Locked`] if the array is locked and another handle has a lock too; nothing is
    ///   written then.
    /// - [`Error::NoSpace`] if the disk has no room for what were holes. Nothing is written then
    ///   and the disk has as much free space as before, unless the space could not be allocated
    ///   in advance.
    /// - [`Error::Io`] if the file cannot be opened for writing or written, and of arrays that
    ///   were not opened by a path or are a copy in memory. Where the array has to map the file
    ///   again, also if pages are locked in memory. If the disk does not take what was written,
    ///   each later commit is [`Error::Poisoned`].
    /// - [`Error::FileTooShort`] if another process has truncated the file during the commit.
    /// - [`Error::Replaced`] if the path names another file after the commit, which has written
    ///   to the file that was opened.
    ///
    /// After an error the array has its changes still, and of the file some of the changed pages
    /// may be written. If the write itself has failed, the page at which it stopped may be
    /// written in part; of types whose bytes are checked, each element is then the old one or
    /// the new one, unless the old one cannot be written back.
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("table.u8");
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// std::fs::write(&path, [0; 10])?;
    /// // SAFETY: nothing else touches the file while `a` lives.
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
        self.write_changes(Conflict::Refuse)
    }

    /// Writes private changes to the file, also if it has changed since it was opened.
    ///
    /// The changed pages, as a whole, replace what other processes have written there. Use
    /// [`commit`](Self::commit) unless that is known to be right.
    ///
    /// # Errors
    ///
    /// - [`Error::Conflict`] if the path names another file.
    /// - [`Error::FileTooShort`] if the file no longer reaches to the end of the array.
    /// - [`Error::Io`] if the kernel does not tell which pages are changed, and if pages are or
    ///   were locked in memory by [`Region::lock`](crate::Region::lock), `mlock` or `mlockall`.
    ///   Locking copies pages, so that they look changed. A `mlock` or `mlockall` after the opening
    ///   that was undone before this call is not noticed.
    /// - [`Error::InvalidElement`] if the array has to map the file again, and another process
    ///   has written what is no value of `A`. The changes are in the file then, and the array
    ///   shows what it showed before.
    /// - Those of [`commit`](Self::commit).
    pub fn commit_anyway(&mut self) -> Result<()> {
        self.write_changes(Conflict::Overwrite)
    }

    /// Drops private changes: the array shows the file again (Linux).
    ///
    /// Elements of types whose bytes are checked are checked again in the pages that were
    /// changed: a commit that failed may have left what is no value. Where a mapping does not
    /// show what is written through a descriptor (overlayfs, FUSE, 9p), the array maps the file
    /// of its path again, and all elements are checked.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::InvalidElement`] if the file has an element that is no value of `A`; the array
    ///   keeps its changes then.
    /// - [`Error::FileTooShort`] if the file has to be mapped again and is too short.
    /// - [`Error::Io`] on other systems than Linux, of arrays that are a copy in memory, and if
    ///   pages are locked in memory. Of types whose bytes are not checked, some pages may have
    ///   been rolled back.
    pub fn rollback(&mut self) -> Result<()> {
        self.require_private("roll back")?;
        if self.is_empty() {
            return Ok(());
        }
        match self.stale_file() {
            Some(file) => self.map_again(&file, &[]),
            None => self.drop_changes(),
        }
    }

    fn require_private(&self, action: &'static str) -> Result<()> {
        self.backing().intact()?;
        match self.mode() {
            Mode::CopyOnWrite => Ok(()),
            mode => Err(Error::UnsupportedMode { mode, action }),
        }
    }

    fn write_changes(&mut self, conflict: Conflict) -> Result<()> {
        self.require_private("commit")?;
        let path = self.backing().path.clone();
        // Nothing is written if an earlier commit has failed.
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
            return Err(Error::Conflict { path });
        }
        let file = file::open(&path, Mode::ReadWrite)?.file;
        let is_coherent = FileSystem::of(&file).is_coherent;
        if !is_coherent && self.backing().is_locked() {
            // The pages cannot be compared with those that they were copied from.
            return Err(unsupported());
        }
        let lock = self.upgrade_lock(&file, &path)?;
        let target = Target { file: &file, path: &path, conflict, is_coherent };
        self.check_target(&target)?;
        let written = self.write_to(&target);
        // Tried again, since without it the next commit would find a change.
        let found = file.metadata().or_else(|_| file.metadata());
        drop((lock, file));
        // What was written here, also before an error, is no change by another process. The
        // path may name another file by now.
        let found = if sys::REPLACES_OPEN_FILES { found } else { fs::metadata(&path) };
        if let Ok(found) = found {
            self.backing_mut().snapshot = FileSnapshot::of(&found);
        }
        written?;
        if named_file(&path)? != self.backing().snapshot.id() {
            return Err(Error::Replaced { path });
        }
        Ok(())
    }

    /// Makes sure that the file is still the one opened, and what it was then.
    fn check_target(&self, target: &Target<'_>) -> Result<()> {
        let &Target { file, path, conflict, is_coherent } = target;
        let metadata = file::regular(file, path)?;
        let (then, now) = (self.backing().snapshot, FileSnapshot::of(&metadata));
        let is_same = then == now || !is_coherent && then.has_same_contents(now);
        let named = named_file(path)?;
        if then.id() != now.id()
            || named != now.id()
            || conflict == Conflict::Refuse && !is_same
        {
            return Err(Error::Conflict { path: path.to_owned() });
        }
        let (needed, found) = (self.layout().end(), metadata.len());
        if found < needed { Err(Error::FileTooShort { needed, found }) } else { Ok(()) }
    }

    /// Makes the lock of the array, if it has one, that of a writer.
    fn upgrade_lock(&self, file: &File, path: &Path) -> Result<Option<LockUpgrade>> {
        let backing = self.backing();
        let Some(shared) = backing.file.as_ref().filter(|_| backing.holds_lock) else {
            return Ok(None);
        };
        LockUpgrade::new(shared, file).map(Some).map_err(|e| match e {
            TryLockError::WouldBlock => Error::Locked { path: path.to_owned() },
            TryLockError::Error(e) => Error::io("lock", path)(e),
        })
    }

    /// Returns whether pages may be copies because they were locked in memory.
    fn is_memory_locked(&self) -> io::Result<bool> {
        let Backing { mapping, .. } = self.backing();
        if self.backing().is_locked() {
            return Ok(true);
        }
        if let Ok(addresses) = mapping.addresses(&(0..mapping.len())) {
            return sys::is_locked(&addresses);
        }
        Ok(false)
    }
}

/// Returns which file a path names, if any.
fn named_file(path: &Path) -> Result<Option<FileId>> {
    match fs::metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(FileId::of(&found.map_err(Error::io("inspect", path))?)),
    }
}
