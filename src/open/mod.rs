//! From options to arrays: the unsafe constructors; knows no format of a header.
#![expect(unsafe_code, reason = "mapping a file is unsafe for every caller")]

pub(crate) mod draft;
mod options;
mod safe;

pub use draft::Draft;
pub use options::MapOptions;
pub(crate) use options::{Extent, SMALLEST_PAGE};

use std::fs::{File, Metadata};
use std::{io, path::Path, slice};

use memmap2::{Mmap, MmapMut, MmapRaw};
use ndarray::Dimension;

use crate::array::{MmapArray, RowCount};
use crate::element::{Element, needs_check};
#[cfg(any(doc, feature = "sigbus-guard"))]
use crate::error::ErrorKind;
use crate::error::{AtPath, Error, Result};
use crate::file::{
    self, Allocation, Claim, DiskSpace, Exclusive, FileEnd, FileSnapshot, allocate,
};
use crate::layout::{Layout, check};
use crate::mapping::{self, Backing, Mapping};
use crate::mode::Mode;
use crate::sys::write_state::WriteState;
use crate::sys::{self, map};

impl<D: Dimension> MapOptions<D> {
    /// Opens a file and maps it as an array.
    ///
    /// # Safety
    ///
    /// The caller keeps [the contract of a mapping](crate#the-contract-of-a-mapping): no other code
    /// changes the mapped bytes while they are borrowed, or makes the file shorter.
    ///
    /// # Errors
    ///
    /// - The errors of [`resolve`](Self::resolve).
    /// - [`ErrorKind::NotAFile`] if the path names a directory, a FIFO or a device.
    /// - [`ErrorKind::Locked`] if the file is to be locked and another handle holds a conflicting lock.
    /// - [`ErrorKind::NoSpace`] if the disk has no space to create or extend the file.
    /// - [`ErrorKind::InvalidElement`] if some bytes are not a value of `A`.
    /// - [`ErrorKind::Io`] if the operating system refuses for another reason.
    ///
    /// - [`ErrorKind::NpyHeader`] if the name of the file ends in `.npy`, the file begins as a `.npy`
    ///   file, and elements with an alignment above 1 byte begin at offset 0.
    ///
    /// After an error the file is as before, and a file that did not exist does not exist. Mode `a+`
    /// without [`lock`](Self::lock) may leave an empty file, since another process may use it. The
    /// exception is mode `w+` if the kernel fails while it clears or truncates an existing file.
    /// This file may then be empty or zeros, as for `File::create`.
    pub unsafe fn open<A: Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { self.open_then(path.as_ref(), |_| Ok(())) }
    }

    /// Opens a file, maps it, and calls `finish`; undoes the creation of a file after an error.
    ///
    /// # Safety
    ///
    /// The condition of [`open`](Self::open).
    pub(crate) unsafe fn open_then<A: Element>(
        &self,
        path: &Path,
        finish: impl FnOnce(&File) -> io::Result<()>,
    ) -> Result<MmapArray<A, D>> {
        let is_new = self.mode == Mode::Append && !path.exists();
        if self.mode.creates() || is_new {
            // Perform every check that needs no file before a file is created.
            self.check_guard().at(path)?;
            let layout = self.resolve::<A>(0).at(path)?;
            self.check_halves::<A>(&layout, path)?;
        }
        let opened = file::open_locked(path, self.mode, self.lock);
        let creates = self.mode.creates() || self.mode == Mode::Append;
        let opened = opened.map_err(|error| match error.io_kind() {
            Some(io::ErrorKind::NotFound) if !creates => {
                error.with_way_out("check the path; mode `w+` or `a+` creates a file")
            }
            _ => error,
        })?;
        let len = opened.len.map_or_else(|| file::regular_len(&opened.file, path), Ok);
        // SAFETY: the caller keeps the contract for the file.
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
                    array.backing_mut().snapshot = FileSnapshot::of(&found);
                }
                Ok(array)
            });
        if array.is_err() {
            opened.undo();
        }
        array.at(path)
    }

    /// Maps an open file as an array.
    ///
    /// The file must be open for reading, and in modes that write also for writing. Mode
    /// `x+` accepts only an empty file. The caller may close the file afterwards.
    ///
    /// On Linux, an array that writes, or that has [`lock`](Self::lock), opens the file again by
    /// `/proc/self/fd`. The lock and the errors of writes then belong to the array alone, whatever
    /// is locked or synced through `file`. Without `/proc` or permission, and on other systems, the
    /// array shares both with `file`. If two arrays share one `file`, only the first array that is
    /// synced is sure to detect a failed write.
    ///
    /// A lock that is already held through `file` stays as it is, also after an error. The array
    /// keeps an exclusive lock of `file` until the array and `file` are closed. A shared lock is
    /// not upgraded to an exclusive one: the error is [`ErrorKind::Locked`]. Where the system does not
    /// report locks (Unix except Linux, and Linux without `/proc`), a shared lock of `file` may
    /// become exclusive, and an error may leave `file` locked.
    ///
    /// # Safety
    ///
    /// The condition of [`open`](Self::open): [the contract of a
    /// mapping](crate#the-contract-of-a-mapping).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open), with empty paths.
    pub unsafe fn map<A: Element>(&self, file: &File) -> Result<MmapArray<A, D>> {
        self.map_claimed(file, |file, path| {
            let len = file::regular_len(file, path)?;
            // SAFETY: the caller keeps the contract for the file.
            unsafe { self.map_sized(file, len, path) }
        })
    }

    /// Maps an open file of the caller as `map` does, and locks it if the options ask for a lock.
    ///
    /// After an error the lock is as before.
    fn map_claimed<A: Element>(
        &self,
        file: &File,
        map: impl FnOnce(&File, &Path) -> Result<MmapArray<A, D>>,
    ) -> Result<MmapArray<A, D>> {
        let claim = Claim::new(file, self.mode, self.lock)?;
        let mut array = map(claim.file(), Path::new(""))?;
        array.backing_mut().lock = claim.keep();
        Ok(array)
    }

    /// Maps an open file of `len` bytes that is known as `path`.
    ///
    /// The caller has locked the file if the options ask for a lock. Every step that can fail comes
    /// before contents are destroyed. A file that `Create` replaces is allocated and mapped before
    /// it is cleared.
    ///
    /// # Safety
    ///
    /// The condition of [`open`](Self::open).
    pub(crate) unsafe fn map_sized<A: Element>(
        &self,
        file: &File,
        len: u64,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let layout = self.refuse_npy::<A>(self.check::<A>(len, path), file, path)?;
        let kept = self.keep(file, path)?;
        let writes = self.mode.is_mutable().then(WriteState::new).transpose();
        let writes = writes.map_err(Error::io("map", path))?;
        let mut allocation = self.extend(file, len, &layout, path)?;
        let mut map = self.map_layout(file, &layout, path)?;
        let metadata = file::regular(file, path)?;
        FileEnd::of(&metadata).check(layout.end())?;
        let mut cleared = allocation.take_if(|_| self.mode.creates() && len > 0);
        if !sys::TRUNCATES_MAPPED_FILES
            && let Some(allocation) = cleared.take()
        {
            drop(map.take());
            allocation.clear(path)?;
            map = self.map_layout(file, &layout, path)?;
        }
        let mut backing = self.backing(map, kept, &layout, &metadata, path)?;
        backing.note_failures(writes);
        // If the contents of a file are lost, no later step may fail.
        if let Some(allocation) = cleared {
            allocation.clear(path)?;
        }
        self.populate_new(&backing)?;
        if allocation.is_some() || self.mode.creates() {
            // Changes by this function are no changes by another process. A file that cannot be
            // inspected counts as changed.
            let changed = file.metadata().map(|found| FileSnapshot::of(&found));
            backing.snapshot = changed.unwrap_or(backing.snapshot);
        }
        // The elements of a new file are zeros, which are valid.
        if !layout.is_empty() && !self.mode.creates() {
            let start = backing.mapping.as_mut_ptr();
            // SAFETY: the mapping has `len` bytes and outlives the reference. The file extends to
            // the end of these bytes, and the caller keeps other code from changing them.
            let bytes = unsafe { slice::from_raw_parts(start, layout.byte_len()) };
            check::<A, D>(&layout, bytes)?;
            backing.intact()?;
        }
        if let Some(allocation) = allocation {
            allocation.keep();
        }
        // SAFETY: the bytes are valid (1). The caller keeps other code from changing the file (2).
        // `map_layout` and `check` respect the mode (3).
        let mut array = unsafe { MmapArray::new(backing, layout) };
        if matches!(self.extent, Extent::Rows(_)) {
            array.set_row_count(RowCount::FileLength);
        }
        Ok(array)
    }

    /// Maps a new file that no other code can reach.
    pub(crate) fn map_exclusive<A: Element>(
        &self,
        file: Exclusive<'_>,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: no other code can reach the file, so no other code can change it. Blocks are
        // allocated where the file system supports this, so stores find space.
        unsafe { self.map_sized(file.file(), 0, path) }
    }

    /// Makes an array from a layout and a mapping whose file does not change, as `Mmap` guarantees.
    fn immutable_array<A: Element>(
        &self,
        map: Mmap,
        kept: Option<File>,
        layout: Layout<D>,
        metadata: &Metadata,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let map = Some(MmapRaw::from(map));
        let mut backing = self.backing(map, kept, &layout, metadata, path)?;
        self.populate_new(&backing)?;
        let bytes = backing.mapping.bytes(&(0..layout.byte_len()));
        check::<A, D>(&layout, bytes.map_err(Error::io("read", path))?)?;
        backing.intact()?;
        // SAFETY: the bytes are checked (1). `Mmap` guarantees that the bytes do not change and
        // that the file does not become shorter (2). The mode is not mutable (3).
        Ok(unsafe { MmapArray::new(backing, layout) })
    }

    /// Makes an array from a layout and its bytes in memory, which begin at byte `start`.
    fn loaded_array<A: Element>(
        &self,
        memory: MmapMut,
        start: usize,
        layout: Layout<D>,
        snapshot: FileSnapshot,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        check::<A, D>(&layout, memory.get(start..).unwrap_or_default())?;
        let mapping = Mapping::of_memory(memory, start);
        let offset = layout.offset();
        let backing = Backing::new(mapping, None, self.mode, offset, path, snapshot);
        // SAFETY: the bytes are checked (1). The memory belongs to the handle (2) and can be
        // written; `resolve_at` refuses layouts that overlap in a mutable mode (3).
        Ok(unsafe { MmapArray::new(backing, layout) })
    }

    /// Resolves the layout, and performs the checks that need no file.
    fn check<A: Element>(&self, len: u64, path: &Path) -> Result<Layout<D>> {
        self.check_guard()?;
        if self.mode == Mode::CreateNew && len > 0 {
            let exists = io::ErrorKind::AlreadyExists.into();
            return Err(Error::io("create", path)(exists));
        }
        let layout = self.resolve::<A>(len)?;
        self.check_halves::<A>(&layout, path)?;
        Ok(layout)
    }

    /// Extends a file to the end of the layout if the mode extends files.
    fn extend<'f>(
        &self,
        file: &'f File,
        len: u64,
        layout: &Layout<D>,
        path: &Path,
    ) -> Result<Option<Allocation<'f>>> {
        if !self.extends() {
            return Ok(None);
        }
        if !layout.is_empty() {
            map::check_shared(file).map_err(Error::io("map", path))?;
        }
        let from = if self.mode.creates() { 0 } else { len };
        let blocks = if self.sparse { DiskSpace::Sparse } else { DiskSpace::Allocated };
        Allocation::make(file, len, from, layout.end(), blocks, path).map(Some)
    }

    fn map_layout(
        &self,
        file: &File,
        layout: &Layout<D>,
        path: &Path,
    ) -> Result<Option<MmapRaw>> {
        (!layout.is_empty())
            .then(|| map::map(file, layout.offset(), layout.byte_len(), self.mode))
            .transpose()
            .map_err(Error::io("map", path))
    }

    /// Passes advice and reads pages, as the options specify.
    fn populate_new(&self, backing: &Backing) -> Result<()> {
        let Some(map) = backing.mapping.map() else { return Ok(()) };
        let populated = self.prepare(map, backing.offset());
        // The pages of a new file need not be read, and no step may fail here.
        if self.mode.creates() { Ok(()) } else { populated.map_err(backing.io("read")) }
    }

    /// Fails if the array is to be guarded and no guard is installed.
    pub(crate) fn check_guard(&self) -> Result<()> {
        #[cfg(feature = "sigbus-guard")]
        if self.guarded && !crate::guard::is_active() {
            return Err(ErrorKind::NotGuarded.into());
        }
        Ok(())
    }

    /// Refuses to guard elements that could be left with an invalid half when zeros replace a page.
    pub(crate) fn check_halves<A: Element>(
        &self,
        layout: &Layout<D>,
        path: &Path,
    ) -> Result<()> {
        let size = size_of::<A>();
        // Strides are whole elements: every element begins at a multiple of `size` if the first one
        // does.
        let is_in_a_page = SMALLEST_PAGE.is_multiple_of(size)
            && u64::try_from(size).is_ok_and(|size| layout.offset().is_multiple_of(size));
        // An array without elements may grow.
        if !self.guarded || !needs_check::<A>() || is_in_a_page {
            return Ok(());
        }
        let why = "an element of this type can lie in two pages, and half of one that is lost \
                   may be no value of it (use a type of which all bytes are valid)";
        Err(Error::io("guard", path)(io::Error::new(io::ErrorKind::Unsupported, why)))
    }

    /// Returns the file for the array to keep open, if the array needs it.
    fn keep(&self, file: &File, path: &Path) -> Result<Option<File>> {
        let keep = mapping::needs_file(self.mode, self.lock, self.guarded);
        let kept = keep.then(|| file.try_clone()).transpose();
        kept.map_err(Error::io("keep open", path))
    }

    /// Makes the backing of a mapping and its file, and guards it if the options ask for the guard.
    fn backing(
        &self,
        map: Option<MmapRaw>,
        kept: Option<File>,
        layout: &Layout<D>,
        metadata: &Metadata,
        path: &Path,
    ) -> Result<Backing> {
        let snapshot = FileSnapshot::of(metadata);
        let (mapping, offset) = (Mapping::of_file(map), layout.offset());
        let mut backing = Backing::new(mapping, kept, self.mode, offset, path, snapshot);
        backing.mapping.set_len(layout.byte_len());
        backing.advice = self.advice;
        backing.holds_lock = self.lock;
        if self.mode == Mode::CopyOnWrite {
            backing.note_locked_process();
        }
        if self.guarded {
            backing.guard()?;
        }
        Ok(backing)
    }
}
