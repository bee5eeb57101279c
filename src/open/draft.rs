//! Drafts: new files that nobody sees until they are published, whole.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use ndarray::{ArrayViewMut, Axis, Dimension};

use crate::array::MmapArray;
use crate::array::region::SyncToDisk;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file;
use crate::file::atomic_file::AtomicFile;
use crate::mode::Mode;
use crate::open::options::MapOptions;
use crate::sweep::SweepMut;

/// A new file that takes its place only when it is complete.
///
/// Made by [`MapOptions::draft`] or [`npy::Options::draft`](crate::npy::Options::draft). The
/// array is filled like any other; [`publish`](Self::publish) brings it to disk and under its
/// name in one step, so that whoever opens the path finds the old file or the new one, never
/// a part, whenever they look and whenever the machine fails. Those who have the old file
/// open keep its contents.
///
/// Until then the file has no name, where the file system can do without (Linux: ext4, xfs,
/// btrfs, tmpfs): if the draft is dropped or the process is killed, nothing is left. Elsewhere
/// it has a name that begins with `.draft-`, in the folder of its path, as it has for the
/// moment in which it replaces another; dropped, it is removed, but a process that is killed
/// then leaves it. Such a file is as open to others as any new one, or, if it is to replace
/// another, to nobody; to write to it is to tamper with this process.
///
/// A file that is replaced leaves its permissions to read, write and execute, and if that may
/// be its group; owner, access lists and other attributes are those of a new file. Permission
/// to write to the folder is all it takes, even if the old file may not be written to.
///
/// There is no mutable access to the array as such, by which it could be kept beyond its
/// publication.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.f32");
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let mut draft = MapOptions::new(Mode::Create).shape((100, 8)).draft::<f32>(&path)?;
/// draft.view_mut()?.fill(0.5);
/// assert!(!path.exists());
/// draft.publish()?;
/// assert_eq!(std::fs::read(&path)?.len(), 3200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a draft that is dropped leaves nothing"]
pub struct Draft<A: 'static, D> {
    /// Dropped before the file gets a name.
    array: MmapArray<A, D>,
    file: AtomicFile,
    /// Whether a file that others have locked to read it is not to be replaced either.
    locks: bool,
}

impl<D: Dimension> MapOptions<D> {
    /// Makes an array of zeros in a file that takes the place of `path` when published.
    ///
    /// In mode `w+` it replaces a file that is there by then; in mode `x+` that is an error. If
    /// `path` is a link, the file it leads to is replaced. Space is reserved, also if
    /// [`sparse`](Self::sparse) is set.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes.
    /// - [`Error::NotAFile`] if the path names a directory, a FIFO or a device.
    /// - [`Error::Io`] if there is no such folder, or the path is a link that leads nowhere.
    /// - Those of [`scratch_in`](MapOptions::scratch_in).
    pub fn draft<A: Element>(&self, path: impl AsRef<Path>) -> Result<Draft<A, D>> {
        self.draft_then(path.as_ref(), |_| Ok(()))
    }

    pub(crate) fn draft_then<A: Element>(
        &self,
        path: &Path,
        finish: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<Draft<A, D>> {
        self.require(&[Mode::Create, Mode::CreateNew], "draft a file")?;
        // Whatever can be refused is refused before there is a file.
        let options = self.clone().sparse(false);
        options.check_guard()?;
        options.resolve::<A>(0)?;
        file::refuse_special(path)?;
        let atomic = AtomicFile::beside(path).map_err(Error::io("draft", path))?;
        let exclusive = atomic.exclusive().ok_or(io::ErrorKind::NotFound);
        let exclusive = exclusive.map_err(|e| Error::io("draft", path)(e.into()))?;
        options.write_zeros::<A>(exclusive.file(), path)?;
        // `publish` drops the array before other code can reach the file.
        let array = options.map_exclusive(&exclusive, path)?;
        let end = array.layout().end();
        finish(exclusive.file())
            .map_err(crate::file::allocate::refusal("write", end, path))?;
        Ok(Draft { array, file: atomic, locks: self.lock })
    }
}

impl<A: Element, D: Dimension> Draft<A, D> {
    /// Views the array for reading and writing.
    ///
    /// # Errors
    ///
    /// None; a draft can be changed. As with [`MmapArray::view_mut`], for use in its place.
    pub fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>> {
        self.array.view_mut()
    }

    /// Goes through the array in blocks to fill them; see [`MmapArray::sweep_mut`].
    ///
    /// # Errors
    ///
    /// [`Error::AxisOutOfBounds`] if there is no such axis.
    pub fn sweep_mut(&mut self, axis: Axis, bytes: usize) -> Result<SweepMut<'_, A, D>> {
        self.array.sweep_mut(axis, bytes)
    }

    /// Brings the file to disk, then under its name, then the name to disk.
    ///
    /// # Errors
    ///
    /// - Those of [`sync`](SyncToDisk::sync), and [`Error::NoSpace`] if the folder has no room.
    /// - [`Error::Locked`] if the file to be replaced is locked, through another handle with
    ///   [`lock`](MapOptions::lock) that writes: what that handle stores or appends from then on
    ///   would be lost. A file that is locked for reading only is replaced, and its readers keep
    ///   it, unless the draft was made with `lock` as well.
    /// - [`Error::Io`] if the path cannot be replaced, or exists in mode `x+`.
    ///
    /// The old file is intact then, and of the draft nothing is left. Only if the disk fails
    /// with the name, the new file is in its place, and may not be after a power cut.
    pub fn publish(self) -> Result<()> {
        self.publish_over(None)
    }

    /// Publishes the draft; replaces a file that the caller has locked, if there is one, and no
    /// other.
    pub(crate) fn publish_over(self, over: Option<&File>) -> Result<()> {
        let Self { array, file, locks } = self;
        let replaces = array.mode() == Mode::Create;
        let end = array.layout().end();
        array.sync()?;
        let path = array.path().map(Path::to_owned).unwrap_or_default();
        drop(array);
        file.publish(&path, replaces, locks, over, end)
    }
}

impl<A: Element, D: Dimension> Deref for Draft<A, D> {
    type Target = MmapArray<A, D>;

    fn deref(&self) -> &MmapArray<A, D> {
        &self.array
    }
}

impl<A, D: Dimension> fmt::Debug for Draft<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft").field("array", &self.array).finish_non_exhaustive()
    }
}
