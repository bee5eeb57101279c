//! Private changes into the file or back, and whether the file is still the one opened.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::Path;

use ndarray::Dimension;

use crate::file::{self, Stamp};
use crate::{Element, Error, MmapArray, Mode, Result, space};

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Tells whether the file is another one or has changed since it was opened.
    ///
    /// That is, whether the path names another file or none, or the file's length or time of
    /// modification differ. Changes by this array count too, once the system has noted them;
    /// stores into mappings are noted late, and not at all in pages that have changes already.
    /// An array without a path asks the file that it keeps open.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be inspected, and of arrays that have neither.
    pub fn file_changed(&self) -> Result<bool> {
        let path = self.place().path;
        let found = match self.place().pages.file().filter(|_| self.path().is_none()) {
            Some(file) => file.metadata(),
            None => fs::metadata(path),
        };
        match found {
            Ok(metadata) => Ok(self.place().pages.stamp() != Stamp::of(&metadata)),
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
        match Stamp::of(&found).identity() {
            None => Err(Error::io("inspect", path)(io::ErrorKind::Unsupported.into())),
            found => Ok(found == self.place().pages.stamp().identity()),
        }
    }

    /// Writes private changes to the file and returns once they are on disk.
    ///
    /// Only pages that were changed are written, found by what the kernel knows of them, or
    /// by comparison where it does not tell. The array goes on as a private copy, without
    /// changes. Space for what the file has holes for is reserved first, where the file system
    /// can. A crash meanwhile can leave some of the pages written and others not; where that
    /// matters, make a [`Draft`](crate::Draft).
    ///
    /// For every other array of the file this is a change of it by somebody else, in the sense
    /// of [the contract](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::Conflict`] if [`file_changed`](Self::file_changed); nothing is written then.
    /// - [`Error::NoSpace`] if the disk has no room for what were holes; nothing is written if
    ///   space could be reserved.
    /// - [`Error::Io`] if the file cannot be opened for writing or written, and of arrays that
    ///   were not opened by a path or are a copy in memory. If the disk does not take what was
    ///   written, each later commit is [`Error::Poisoned`].
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
        self.write_changes(true)
    }

    /// Writes private changes to the file, also if it has changed since it was opened.
    ///
    /// For those who know better than [`commit`](Self::commit): the changed pages replace what
    /// others have written there.
    ///
    /// # Errors
    ///
    /// - [`Error::Conflict`] if the path names another file.
    /// - [`Error::FileTooShort`] if the file no longer reaches to the end of the array.
    /// - [`Error::Io`] where the kernel does not tell which pages are changed, and if some have
    ///   been locked in memory, which makes copies of them.
    /// - Those of [`commit`](Self::commit).
    pub fn commit_anyway(&mut self) -> Result<()> {
        self.write_changes(false)
    }

    /// Gives private changes up: the array shows the file again (Linux).
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::Io`] elsewhere than on Linux, of arrays that are a copy in memory, and if
    ///   pages are locked in memory; those before may have been rolled back.
    pub fn rollback(&mut self) -> Result<()> {
        self.require_private("roll back")?;
        let all = 0..self.layout().len();
        let path = self.place().path.to_owned();
        if !self.is_empty() {
            self.pages_mut().discard(&all).map_err(Error::io("roll back", &path))?;
        }
        Ok(())
    }

    fn require_private(&self, action: &'static str) -> Result<()> {
        self.place().pages.intact()?;
        match self.mode() {
            Mode::CopyOnWrite => Ok(()),
            mode => Err(Error::UnsupportedMode { mode, action }),
        }
    }

    fn write_changes(&mut self, unless_changed: bool) -> Result<()> {
        self.require_private("commit")?;
        let path = self.place().path.to_owned();
        // Nothing is written if an earlier commit has failed.
        self.place().pages.write("commit to", &path, || Ok(()))?;
        let unsupported =
            || Error::io("commit", &path)(io::ErrorKind::Unsupported.into());
        let is_copy = self.place().pages.mapping().is_none() && !self.is_empty();
        if is_copy || !unless_changed && self.place().pages.is_locked() {
            return Err(unsupported());
        }
        if unless_changed && self.file_changed()? {
            return Err(Error::Conflict { path });
        }
        let file = file::open(&path, Mode::ReadWrite)?.file;
        let metadata = file::regular(&file, &path)?;
        let (then, now) = (self.place().pages.stamp(), Stamp::of(&metadata));
        if then.identity() != now.identity() || unless_changed && then != now {
            return Err(Error::Conflict { path });
        }
        let (needed, found) = (self.layout().end(), metadata.len());
        if found < needed {
            return Err(Error::FileTooShort { needed, found });
        }
        let written = self.write_to(&file, &path, unless_changed);
        // Some systems note the time of a write only when the file is closed.
        drop(file);
        // What was written here, also before an error, is no change by somebody else.
        if let Ok(metadata) = fs::metadata(&path) {
            self.pages_mut().set_stamp(Stamp::of(&metadata));
        }
        written
    }

    /// Writes the bytes of pages that are private to a file that has room for them.
    fn write_to(&mut self, to: &File, path: &Path, is_known: bool) -> Result<()> {
        let (offset, end) = (self.offset(), self.layout().end());
        let all = 0..self.layout().len();
        let in_file = |range: &Range<usize>| file::bytes_of(range, offset);
        let pages = self.pages_mut();
        let private = match pages.private(&all) {
            // Of a file that is as it was, what differs is what was changed.
            Err(_) if is_known => std::iter::once(all).collect(),
            private => private.map_err(Error::io("inspect pages of", path))?,
        };
        // Also what is locked in memory is private, changed or not.
        let mut changed = Vec::new();
        for range in &private {
            let different = pages.different(range, to, offset);
            changed.extend(different.map_err(Error::io("compare", path))?);
        }
        // What was lost while it was compared differs too.
        pages.intact()?;
        let mut write = || {
            if let Some(last) = changed.last() {
                space::check_limit(in_file(last).end)?;
            }
            changed.iter().try_for_each(|range| space::fill_holes(to, in_file(range)))?;
            changed.iter().try_for_each(|range| {
                space::write_all_at(to, pages.bytes(range)?, in_file(range).start)
            })
        };
        write().map_err(space::refusal("commit to", end, path))?;
        // After a failure the file shows what the disk may not have: to compare and write once
        // more would find nothing to do, and succeed.
        pages.write("commit to", path, || to.sync_all())?;
        // They are the file's now; those that are locked in memory stay as they are.
        private.iter().for_each(|range| drop(pages.discard(range)));
        Ok(())
    }
}
