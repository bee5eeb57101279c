//! From options to arrays: the unsafe door.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

pub(crate) mod draft;
pub(crate) mod options;
mod safe;

use std::fs::File;
use std::io;
use std::path::Path;
use std::slice;

use memmap2::MmapRaw;
use ndarray::Dimension;

use crate::array::MmapArray;
use crate::array::row_count::Source;
use crate::element::Element;
use crate::element::needs_check;
use crate::error::{Error, Result};
use crate::file;
use crate::file::Stamp;
use crate::file::allocate;
use crate::file::allocate::Room;
use crate::file::claim::Claim;
use crate::layout::Layout;
use crate::layout::view::check;
use crate::mapping;
use crate::mapping::Pages;
use crate::mode::Mode;
use crate::open::options::MapOptions;
use crate::open::options::{Extent, SMALLEST_PAGE};
use crate::sys::write_state::WriteState;

impl<D: Dimension> MapOptions<D> {
    /// Opens a file and maps it as an array.
    ///
    /// # Safety
    ///
    /// While the array lives, nobody else may change the file's mapped bytes or make it
    /// shorter: [the contract of a mapping](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// - Those of [`resolve`](Self::resolve).
    /// - [`Error::NotAFile`] if the path names a directory, a FIFO or a device.
    /// - [`Error::Locked`] if the file was to be locked and somebody else holds a lock.
    /// - [`Error::NoSpace`] if the disk has no room for a file to be created or grown.
    /// - [`Error::InvalidElement`] if some bytes are not a value of `A`.
    /// - [`Error::Io`] if the operating system refuses for another reason.
    ///
    /// After an error the file is as it was, and one that did not exist does not exist. The exception
    /// is mode `w+` if the kernel fails while it clears or truncates a file that exists: this file may
    /// be empty or zeros, as for `File::create`.
    pub unsafe fn open<A: Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller vouches for the file.
        unsafe { self.open_then(path.as_ref(), |_| Ok(())) }
    }

    /// Opens a file, maps it, and calls `finish`; undoes what it has created if that fails.
    ///
    /// # Safety
    ///
    /// That of [`open`](Self::open).
    pub(crate) unsafe fn open_then<A: Element>(
        &self,
        path: &Path,
        finish: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<MmapArray<A, D>> {
        if self.mode.creates() {
            // Whatever can be refused is refused before there is a file.
            self.check_guard()?;
            let layout = self.resolve::<A>(0)?;
            self.check_halves::<A>(&layout, path)?;
        }
        let opened = file::open_locked(path, self.mode, self.lock)?;
        let len = opened.len.map_or_else(|| file::regular_len(&opened.file, path), Ok);
        // SAFETY: the caller vouches for the file.
        let array = len
            .and_then(|len| unsafe { self.map_sized(&opened.file, len, path) })
            .and_then(|mut array| {
                let finished = finish(&opened.file).map_err(|e| {
                    opened.empty(array.layout().end());
                    allocate::refusal("write", array.layout().end(), path)(e)
                });
                finished?;
                let found = self.mode.creates().then(|| opened.file.metadata());
                if let Some(Ok(found)) = found {
                    array.pages_mut().set_stamp(Stamp::of(&found));
                }
                Ok(array)
            });
        if array.is_err() {
            opened.undo();
        }
        array
    }

    /// Maps an open file as an array.
    ///
    /// The file must be open for reading, and in modes `r+`, `w+` and `x+` for writing.
    /// Mode `x+` takes only a file without contents. The file may be closed afterwards.
    ///
    /// On Linux an array that writes, and one with [`lock`](Self::lock), opens the file again by
    /// `/proc/self/fd`: the lock and the errors of writes are those of the array, whatever is
    /// locked or synced through `file`. Without `/proc`, or permission, and on other systems, it
    /// shares both with `file`, and of two arrays of one `file` only the first that is synced is
    /// sure to see that a write has failed.
    ///
    /// A lock that is held through `file` already stays as it is, also after an error. The array
    /// keeps it until both are gone if it is exclusive; an exclusive lock is not made of a shared
    /// one, which is [`Error::Locked`]. Elsewhere than on Linux and Windows, an error may leave
    /// `file` locked.
    ///
    /// # Safety
    ///
    /// That of [`open`](Self::open): [the contract of a
    /// mapping](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), with empty paths.
    pub unsafe fn map<A: Element>(&self, file: &File) -> Result<MmapArray<A, D>> {
        let mut claim = Claim::new(file, self.mode, self.lock)?;
        // SAFETY: the caller vouches for the file.
        match unsafe { self.map_named(claim.file(), Path::new("")) } {
            Ok(mut array) => {
                array.pages_mut().hold(claim.lock.take());
                Ok(array)
            }
            Err(error) => {
                claim.undo();
                Err(error)
            }
        }
    }

    /// Maps an open file known as `path`, which is locked if it is to be.
    ///
    /// # Safety
    ///
    /// That of [`open`](Self::open).
    pub(crate) unsafe fn map_named<A: Element>(
        &self,
        file: &File,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let len = file::regular_len(file, path)?;
        // SAFETY: the caller vouches for the file.
        unsafe { self.map_sized(file, len, path) }
    }

    /// Maps an open file of `len` bytes, which is locked if it is to be.
    ///
    /// Whatever can fail is done before contents are destroyed: a file that `Create`
    /// replaces is locked, given its space and mapped before it is cleared.
    ///
    /// # Safety
    ///
    /// That of [`open`](Self::open).
    pub(crate) unsafe fn map_sized<A: Element>(
        &self,
        file: &File,
        len: u64,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        self.check_guard()?;
        if self.mode == Mode::CreateNew && len > 0 {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", path)(exists));
        }
        let layout = self.resolve::<A>(len)?;
        self.check_halves::<A>(&layout, path)?;
        let kept = self.keep(file, path)?;
        if self.extends() && !layout.is_empty() {
            mapping::check_shared(file).map_err(Error::io("map", path))?;
        }

        let writes = self.mode.is_mutable().then(WriteState::new).transpose();
        let writes = writes.map_err(Error::io("map", path))?;

        let end = layout.end();
        let from = if self.mode.creates() { 0 } else { len };
        let mut room = self
            .extends()
            .then(|| Room::make(file, len, from, end, self.sparse, path))
            .transpose()?;
        let map = || {
            (!layout.is_empty())
                .then(|| mapping::map(file, layout.offset(), layout.len(), self.mode))
                .transpose()
                .map_err(Error::io("map", path))
        };
        let mut mapped = map()?;
        let metadata = file::regular(file, path)?;
        let found = metadata.len();
        if found < end {
            return Err(Error::FileTooShort { needed: end, found });
        }
        let mut cleared = room.take_if(|_| self.mode.creates() && len > 0);
        // Windows does not change the length of a file that is mapped.
        if cfg!(windows)
            && let Some(room) = cleared.take()
        {
            drop(mapped.take());
            room.clear(path)?;
            mapped = map()?;
        }
        let stamp = Stamp::of(&metadata);
        let mut pages = self.pages(mapped, kept, layout.offset(), stamp, path)?;
        // All that can fail has been done, but for the clearing itself.
        if let Some(room) = cleared {
            room.clear(path)?;
        }

        if let Some(map) = pages.mapping() {
            let populated = self.prepare(map, layout.offset());
            // The contents of a new file cannot fail to be read, and nothing may fail here.
            if !self.mode.creates() {
                populated.map_err(Error::io("read", path))?;
            }
        }
        // What was done to it here is no change by another process. Nothing may fail now: the old
        // contents are lost. If the file cannot be inspected, it counts as changed.
        let changed = room.is_some() || self.mode.creates();
        if let Some(metadata) = changed.then(|| file.metadata()).and_then(io::Result::ok)
        {
            pages.set_stamp(Stamp::of(&metadata));
        }
        pages.set_len(layout.len());
        pages.note_failures(writes);
        // The elements of a new file are zeros, which are valid.
        if !layout.is_empty() && !self.mode.creates() {
            // SAFETY: the pages have `len` bytes and live for longer than the reference; the
            // file reaches to their end, and the caller keeps others from changing it.
            let bytes =
                unsafe { slice::from_raw_parts(pages.as_mut_ptr(), layout.len()) };
            check::<A, D>(&layout, bytes)?;
            pages.intact()?;
        }
        if let Some(room) = room {
            room.keep();
        }
        let path = path.to_owned();
        // SAFETY: the bytes are valid (1), the caller keeps others from changing the file
        // (2), `map` and `resolve` have seen to the mode (3).
        let mut array = unsafe { MmapArray::new(pages, layout, self.mode, path) };
        if matches!(self.extent, Extent::Rows(_)) {
            array.set_source(Source::File);
        }
        Ok(array)
    }

    /// Refuses to guard without a guard.
    pub(crate) fn check_guard(&self) -> Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if self.guarded && !crate::guard::is_active() {
            return Err(Error::NotGuarded);
        }
        Ok(())
    }

    /// Refuses to guard elements of which zeros in the place of a page could leave an invalid
    /// half.
    pub(crate) fn check_halves<A: Element>(
        &self,
        layout: &Layout<D>,
        path: &Path,
    ) -> Result<()> {
        let size = size_of::<A>();
        // Strides are whole elements, so that all lie as the first one does.
        let is_in_a_page = SMALLEST_PAGE.is_multiple_of(size)
            && u64::try_from(size).is_ok_and(|size| layout.offset().is_multiple_of(size));
        if !self.guarded || !needs_check::<A>() || is_in_a_page || layout.is_empty() {
            return Ok(());
        }
        let why = "an element of this type can lie in two pages, and half of one that is lost \
                   may be no value of it (use a type of which all bytes are valid)";
        Err(Error::io("guard", path)(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    /// Returns the file for the array to keep open, if it needs it.
    pub(crate) fn keep(&self, file: &File, path: &Path) -> Result<Option<File>> {
        let keep = mapping::needs_file(self.mode, self.lock, self.guarded);
        let kept = keep.then(|| file.try_clone()).transpose();
        kept.map_err(Error::io("keep open", path))
    }

    /// Wraps a mapping that begins at `offset` of the file, and guards it if asked to.
    pub(crate) fn pages(
        &self,
        map: Option<MmapRaw>,
        kept: Option<File>,
        offset: u64,
        stamp: Stamp,
        path: &Path,
    ) -> Result<Pages> {
        let mut pages = Pages::new(map, kept, self.advice, stamp);
        pages.holds_lock = self.lock;
        #[cfg(target_os = "linux")]
        if self.mode == Mode::CopyOnWrite {
            pages.note_locked_process();
        }
        if self.guarded {
            pages.protect(offset, self.mode).map_err(Error::io("guard", path))?;
        }
        Ok(pages)
    }
}
