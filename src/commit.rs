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
    /// change differ. Changes by this array count too, once the system has noted them. An
    /// array without a path asks the file that it keeps open.
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
            Ok(metadata) => Ok(self.place().pages.stamp() != Some(Stamp::of(&metadata))),
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
        match (Stamp::of(&found).identity(), self.place().pages.stamp()) {
            (None, _) => {
                Err(Error::io("inspect", path)(io::ErrorKind::Unsupported.into()))
            }
            (found, Some(stamp)) => Ok(found == stamp.identity()),
            (_, None) => Ok(false),
        }
    }

    /// Writes private changes to the file and returns once they are on disk.
    ///
    /// Only pages that were changed are written, found by what the kernel knows of them, or
    /// by comparison where it does not tell. The array goes on as a private copy, without
    /// changes. Space for what the file has holes for is reserved first. A crash meanwhile can
    /// leave some of the pages written and others not; where that matters, make a
    /// [`Draft`](crate::Draft).
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::Conflict`] if [`file_changed`](Self::file_changed); nothing is written then.
    /// - [`Error::NoSpace`] if the disk has no room for what were holes; nothing is written.
    /// - [`Error::Io`] if the file cannot be opened for writing or written, and of arrays that
    ///   were not opened by a path or are a copy in memory.
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

    /// Writes private changes to the file, whatever has happened to it since it was opened.
    ///
    /// For those who know better than [`commit`](Self::commit): the changed pages replace what
    /// others have written there, and go to the file that the path names now.
    ///
    /// # Errors
    ///
    /// - [`Error::FileTooShort`] if the file no longer reaches to the end of the array.
    /// - Those of [`commit`](Self::commit), but for [`Error::Conflict`].
    pub fn commit_anyway(&mut self) -> Result<()> {
        self.write_changes(false)
    }

    /// Gives private changes up: the array shows the file again (Linux).
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `c`.
    /// - [`Error::Io`] elsewhere than on Linux, if pages are locked in memory, and of arrays
    ///   that are a copy in memory.
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
        match self.mode() {
            Mode::CopyOnWrite => Ok(()),
            mode => Err(Error::UnsupportedMode { mode, action }),
        }
    }

    fn write_changes(&mut self, unless_changed: bool) -> Result<()> {
        self.require_private("commit")?;
        let path = self.place().path.to_owned();
        if self.place().pages.stamp().is_none() {
            return Err(Error::io("commit", &path)(io::ErrorKind::Unsupported.into()));
        }
        if unless_changed && self.file_changed()? {
            return Err(Error::Conflict { path });
        }
        let file = file::open(&path, Mode::ReadWrite)?.file;
        let metadata = file::regular(&file, &path)?;
        if unless_changed && self.place().pages.stamp() != Some(Stamp::of(&metadata)) {
            return Err(Error::Conflict { path });
        }
        let (needed, found) = (self.layout().end(), metadata.len());
        if found < needed {
            return Err(Error::FileTooShort { needed, found });
        }
        let written = self.write_to(&file, &path);
        // What was written here, also before an error, is no change by somebody else.
        let metadata = file::regular(&file, &path)?;
        self.pages_mut().set_stamp(Stamp::of(&metadata));
        written
    }

    /// Writes the bytes of pages that are private to a file that has room for them.
    fn write_to(&mut self, file: &File, path: &Path) -> Result<()> {
        let (offset, end) = (self.offset(), self.layout().end());
        let changed = self.changed(file).map_err(Error::io("compare", path))?;
        let at = |at: usize| u64::try_from(at).unwrap_or(u64::MAX).saturating_add(offset);
        for range in &changed {
            space::fill_holes(file, at(range.start)..at(range.end))
                .map_err(space::refusal("commit to", end, path))?;
        }
        let pages = self.pages_mut();
        let written = changed.iter().try_for_each(|range| {
            space::write_all_at(file, pages.bytes(range)?, at(range.start))
        });
        written.and_then(|()| file.sync_all()).map_err(space::refusal(
            "commit to",
            end,
            path,
        ))?;
        // They are the file's now; those that are locked in memory stay as they are.
        changed.iter().for_each(|range| drop(pages.discard(range)));
        Ok(())
    }

    /// Finds the bytes of pages that are private.
    fn changed(&mut self, file: &File) -> io::Result<Vec<Range<usize>>> {
        let all = 0..self.layout().len();
        let offset = self.offset();
        let pages = self.pages_mut();
        pages.private(&all).or_else(|_| pages.different(&all, file, offset))
    }
}
