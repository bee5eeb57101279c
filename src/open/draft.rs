//! Drafts: new files that no other process sees until they are complete; does not know how a file
//! gets its name.

use std::{fmt, fs::File, io, ops::Deref, path::Path};

use ndarray::{ArrayViewMut, Axis, Dimension};

use crate::array::MmapArray;
use crate::element::Element;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::{AtPath, Error, Result};
use crate::file::{self, AtomicFile};
use crate::mode::Mode;
use crate::open::MapOptions;
use crate::sweep::SweepMut;

/// Holds a new file that becomes visible at its path only when it is complete.
///
/// [`MapOptions::draft`] or [`npy::Options::draft`](crate::npy::Options::draft) creates a draft.
/// The caller fills its array like any other. [`publish`](Self::publish) writes the file to disk,
/// and gives the file its name in one step. A process that opens the path at any moment finds the
/// complete old file or the complete new file. The same holds if the machine fails at any moment.
/// Processes that have the old file open keep its contents.
///
/// Until publication the file has no name, if the file system supports unnamed files (Linux: ext4,
/// xfs, btrfs, tmpfs). If the draft is dropped or the process is killed, nothing of an unnamed file
/// is left. On other file systems the file has a name that begins with `.draft-`, in the folder of
/// its path. An unnamed file has such a name for the moment in which it replaces another file.
///
/// If the draft is dropped, a file with such a name is removed. If the process is killed, a file
/// with such a name stays. The file has the permissions of any new file. If the draft is to replace
/// another file, only the owner has access. Writing to the file from outside breaks the
/// promise of safety.
///
/// The new file gets the read, write and execute permissions of the file that it replaces. The new
/// file also gets the group, if that is permitted. Owner, access lists and other attributes are
/// those of a new file. The process needs only permission to write to the folder, even if the old
/// file is not writable.
///
/// The draft gives no mutable access to the handle of its array, so that no caller can swap the
/// handle out and keep it after the publication.
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.f32");
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let mut draft = MapOptions::new(Mode::Create).shape((100, 8)).draft::<f32>(&path)?;
/// draft.view_mut().fill(0.5);
/// assert!(!path.exists());
/// draft.publish()?;
/// assert_eq!(std::fs::read(&path)?.len(), 3200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "atomic")]
#[must_use = "a draft that is dropped leaves nothing"]
pub struct Draft<A: 'static, D> {
    /// Dropped before the file gets a name.
    array: MmapArray<A, D>,
    file: AtomicFile,
    /// Whether a file that other handles have locked for reading is not replaced either.
    locks: bool,
}

impl<D: Dimension> MapOptions<D> {
    /// Creates an array of zeros in a file that replaces `path` when it is published.
    ///
    /// In mode `w+` the publication replaces a file that exists by then; in mode `x+` an existing
    /// file is an error. If `path` is a symbolic link, the publication replaces the file that it
    /// leads to. Disk space is reserved, even if [`sparse`](Self::sparse) is set.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `w+` and `x+`.
    /// - [`ErrorKind::NotAFile`] if the path names a directory, a FIFO or a device.
    /// - [`ErrorKind::Io`] if the folder does not exist, or if the path is a symbolic link that leads
    ///   nowhere.
    /// - The errors of [`scratch_in`](MapOptions::scratch_in).
    pub fn draft<A: Element>(&self, path: impl AsRef<Path>) -> Result<Draft<A, D>> {
        self.draft_then(path.as_ref(), |_| Ok(()))
    }

    pub(crate) fn draft_then<A: Element>(
        &self,
        path: &Path,
        finish: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<Draft<A, D>> {
        self.require(&[Mode::Create, Mode::CreateNew], "draft a file").at(path)?;
        // Perform every check that needs no file before the file is created.
        let options = self.clone().sparse(false);
        options.check_guard().at(path)?;
        options.resolve::<A>(0).at(path)?;
        file::refuse_special(path)?;
        let mut atomic =
            AtomicFile::beside(path).map_err(Error::io("create a draft of", path))?;
        let exclusive = atomic.exclusive().ok_or(io::ErrorKind::NotFound);
        let exclusive =
            exclusive.map_err(|e| Error::io("create a draft of", path)(e.into()))?;
        options.write_zeros::<A>(exclusive.file(), path)?;
        // `publish` drops the array before other code can reach the file.
        let file = exclusive.file();
        let array = options.map_exclusive(exclusive, path).at(path)?;
        let end = array.layout().end();
        finish(file).map_err(crate::file::allocate::refusal("write", end, path))?;
        Ok(Draft { array, file: atomic, locks: self.lock })
    }
}

impl<A: Element, D: Dimension> Draft<A, D> {
    /// Returns a view for reading and writing.
    pub fn view_mut(&mut self) -> ArrayViewMut<'_, A, D> {
        match self.array.view_mut() {
            Ok(view) => view,
            Err(_) => unreachable!("a draft is never read-only"),
        }
    }

    /// Iterates over the array in blocks, to fill them; see [`MmapArray::sweep_mut`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AxisOutOfBounds`] if the array has no such axis.
    pub fn sweep_mut(&mut self, axis: Axis, bytes: usize) -> Result<SweepMut<'_, A, D>> {
        self.array.sweep_mut(axis, bytes)
    }

    /// Writes the file to disk, gives the file its name, and writes the name to disk.
    ///
    /// # Errors
    ///
    /// - The errors of [`sync`](MmapArray::sync), and [`ErrorKind::NoSpace`] if the folder has no
    ///   space.
    /// - [`ErrorKind::Locked`] if the file to be replaced is locked through another handle that writes
    ///   and has [`lock`](MapOptions::lock). Data that this handle stores or appends later would be
    ///   lost. A file that is locked only for reading is replaced, and its readers keep the old
    ///   file. If the draft was made with `lock`, such a file is not replaced either. The lock of a
    ///   file that this process may not read cannot be seen: without `lock`, it is replaced.
    /// - [`ErrorKind::Io`] if the path cannot be replaced, or exists in mode `x+`.
    ///
    /// After an error the old file is intact, and nothing of the draft is left. The exception is a
    /// disk that fails to write the name. The new file is then at its path, but may not be there
    /// after a power cut.
    pub fn publish(self) -> Result<()> {
        self.publish_over(None)
    }

    /// Publishes the draft; with `over`, a file that the caller has locked, replaces no other file.
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
