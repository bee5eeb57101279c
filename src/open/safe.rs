//! Constructors that need no promise of the caller, and why each needs none.

use std::fs::File;
use std::io;
use std::path::Path;

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use ndarray::{Dimension, StrideShape};

use crate::array::MmapArray;
use crate::element::{Element, needs_check};
use crate::error::{Error, Result};
use crate::file::atomic_file::UnnamedFile;
use crate::file::claim::Claim;
use crate::file::{self, FileSnapshot, allocate};
use crate::layout::Layout;
use crate::mode::Mode;
use crate::open::options::MapOptions;
use crate::sys::file_system::has_trusted_contents;
use crate::sys::{self, ReadAlias, map, space};

/// How many zeros are written at a time.
const PIECE: usize = 1 << 20;

impl MapOptions {
    /// Makes an array of zeros in a private file of the system's temporary folder.
    ///
    /// The file has no name in any folder, so nobody else can open it, and it is gone when
    /// the array is dropped. Its disk space is reserved where the file system can (on macOS it
    /// is not), so that a full disk is an error. On Linux `/tmp` may itself be in memory; if
    /// so, name a folder on disk by [`scratch_in`](Self::scratch_in). Its mode is `x+`.
    ///
    /// # Errors
    ///
    /// - [`Error::NoSpace`] if the disk has no room.
    /// - [`Error::TooLarge`], [`Error::ZeroSizedElement`], [`Error::StridesMismatch`] and
    ///   [`Error::OverlappingStrides`] for shapes that cannot be.
    /// - [`Error::Io`] if the operating system refuses for another reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray_memmap::MapOptions;
    ///
    /// let mut a = MapOptions::scratch::<f32, _>((1000, 300))?;
    /// a.view_mut()?.row_mut(7).fill(1.0);
    /// assert_eq!(a.sum(), 300.0);
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn scratch<A: Element, D: Dimension>(
        shape: impl Into<StrideShape<D>>,
    ) -> Result<MmapArray<A, D>> {
        scratch(&std::env::temp_dir(), shape.into())
    }

    /// Makes an array of zeros in a private file of the folder `dir`.
    ///
    /// # Errors
    ///
    /// Those of [`scratch`](Self::scratch).
    pub fn scratch_in<A: Element, D: Dimension>(
        dir: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<MmapArray<A, D>> {
        scratch(dir.as_ref(), shape.into())
    }
}

fn scratch<A: Element, D: Dimension>(
    dir: &Path,
    shape: StrideShape<D>,
) -> Result<MmapArray<A, D>> {
    let file = UnnamedFile::new(dir).map_err(Error::io("create a file in", dir))?;
    let options = MapOptions::new(Mode::CreateNew).shape(shape);
    let exclusive = file.exclusive();
    options.write_zeros::<A>(exclusive.file(), Path::new(""))?;
    options.map_exclusive(&exclusive, Path::new(""))
}

impl<D: Dimension> MapOptions<D> {
    /// Opens a file that can never change again, which the kernel proves.
    ///
    /// That is a memfd sealed against writing and shrinking, or a file under fs-verity on
    /// ext4, f2fs or btrfs. For reading only: the mode must be `r`.
    ///
    /// # Errors
    ///
    /// - [`Error::NotImmutable`] if there is no such proof, or none on this system.
    /// - [`Error::UnsupportedMode`] in other modes than `r`.
    /// - Those of [`open`](Self::open) in mode `r`.
    pub fn open_immutable<A: Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        let path = path.as_ref();
        self.require(&[Mode::ReadOnly], "open an immutable file")?;
        let file = file::open_locked(path, self.mode, self.lock)?.file;
        self.map_immutable_named(&file, path)
    }

    /// Maps an open file that can never change again, which the kernel proves.
    ///
    /// # Errors
    ///
    /// Those of [`open_immutable`](Self::open_immutable), with empty paths.
    pub fn map_immutable<A: Element>(&self, file: &File) -> Result<MmapArray<A, D>> {
        self.require(&[Mode::ReadOnly], "map an immutable file")?;
        let mut claim = Claim::new(file, self.mode, self.lock)?;
        match self.map_immutable_named(claim.file(), Path::new("")) {
            Ok(mut array) => {
                array.backing_mut().lock = claim.lock.take();
                Ok(array)
            }
            Err(error) => {
                claim.undo();
                Err(error)
            }
        }
    }

    fn map_immutable_named<A: Element>(
        &self,
        file: &File,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        self.check_guard()?;
        let len = file::regular_len(file, path)?;
        let layout = self.resolve::<A>(len)?;
        self.check_halves::<A>(&layout, path)?;
        let not_immutable =
            |source| Error::NotImmutable { path: path.to_owned(), source };
        has_trusted_contents(file).map_err(not_immutable)?;
        let mut options = MmapOptions::new();
        let len = sys::whole_pages(file, layout.offset(), layout.len());
        let len = len.map_err(Error::io("inspect", path))?;
        options.offset(layout.offset()).len(len);
        let map = options.map_if_safe(file).map_err(|e| match e.map_failed() {
            true => Error::io("map", path)(e.into()),
            false => not_immutable(e.into()),
        })?;
        let kept = self.keep(file, path)?;
        let metadata = file::regular(file, path)?;
        self.immutable_array(map, kept, layout, &metadata, path)
    }

    /// Reads a file into memory and returns the same handle over the copy.
    ///
    /// For files that cannot be trusted to stay as they are, such as those on network file
    /// systems. The mode is `r`, or `c` to change the copy. Elements may lie at any offset,
    /// since the copy is aligned. With `lock`, the file is locked while it is read; advice and
    /// populate have no effect.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `r` and `c`.
    /// - Those of [`open`](Self::open) in these modes, but for [`Error::Misaligned`].
    ///
    /// # Examples
    ///
    /// ```
    /// use ndarray_memmap::{MapOptions, Mode};
    ///
    /// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    /// let a = MapOptions::new(Mode::ReadOnly).offset(1).shape(7).load::<u8>(path)?;
    /// assert_eq!(a.as_slice(), Some(&b"package"[..]));
    /// # Ok::<(), ndarray_memmap::Error>(())
    /// ```
    pub fn load<A: Element>(&self, path: impl AsRef<Path>) -> Result<MmapArray<A, D>> {
        let path = path.as_ref();
        self.require(&[Mode::ReadOnly, Mode::CopyOnWrite], "load a file")?;
        let file = file::open_locked(path, self.mode, self.lock)?.file;
        let len = file::regular_len(&file, path)?;
        self.load_sized(&file, len, path)
    }

    /// Reads an open file of `len` bytes into memory.
    pub(crate) fn load_sized<A: Element>(
        &self,
        file: &File,
        len: u64,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let layout = self.resolve_at::<A>(len, 1)?;
        let snapshot = FileSnapshot::of(&file::regular(file, path)?);
        let (memory, start) = read(file, path, &layout, align_of::<A>())?;
        self.loaded_array(memory, start, layout, snapshot, path)
    }

    /// Writes the zeros of a new file where no space can be reserved, if elements are checked.
    ///
    /// A page that could not be written, and that the kernel takes from memory, comes back as the
    /// disk has it: with space reserved, as zeros or as it was last written, but in a block that
    /// was not reserved as whatever was in that block before.
    pub(crate) fn write_zeros<A: Element>(&self, file: &File, path: &Path) -> Result<()> {
        let end = self.resolve::<A>(0)?.end();
        if !needs_check::<A>() {
            return Ok(());
        }
        let write = || {
            allocate::check_limit(end)?;
            if end == 0 || space::allocate(file, 0, end)? {
                return Ok(());
            }
            let zeros = vec![0; PIECE];
            let mut at = 0;
            while at < end {
                let rest = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE);
                let piece = zeros.get(..rest.min(PIECE)).unwrap_or_default();
                sys::write_all_at(file, piece, at)?;
                at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            file.sync_all()
        };
        write().map_err(allocate::refusal("extend", end, path))
    }

    /// Gives the advice asked for, and reads what is to be in memory at once.
    pub(crate) fn prepare(&self, map: &MmapRaw, offset: u64) -> io::Result<()> {
        map::advise_all(map, self.advice);
        if !self.populate {
            return Ok(());
        }
        let addresses = map::addresses(map);
        let shared = self.mode != Mode::CopyOnWrite;
        if let Some(alias) = shared.then(|| ReadAlias::of(&addresses, offset)).flatten() {
            alias.read(&addresses)?;
        }
        sys::populate(&addresses)
    }

    pub(crate) fn require(&self, modes: &[Mode], action: &'static str) -> Result<()> {
        if modes.contains(&self.mode) {
            return Ok(());
        }
        Err(Error::UnsupportedMode { mode: self.mode, action })
    }
}

/// Reads the bytes of a layout into memory; returns where they begin in it.
///
/// They begin as far into a page as in the file, or half a page apart if the elements do not
/// allow that: to copy between places a few bytes apart is several times slower.
fn read<D: Dimension>(
    file: &File,
    path: &Path,
    layout: &Layout<D>,
    align: usize,
) -> Result<(MmapMut, usize)> {
    const PAGE: u64 = 4096;

    let phase = layout.offset().checked_rem(PAGE).unwrap_or(0);
    let phase = usize::try_from(phase).map_err(|_| Error::TooLarge)?;
    let start = match phase.is_multiple_of(align) {
        true => Some(phase),
        false => phase.saturating_add(2048).checked_next_multiple_of(align),
    };
    let start = start.ok_or(Error::TooLarge)?;
    let len = layout.len().checked_add(start).ok_or(Error::TooLarge)?;
    let mut memory = map::memory(len).map_err(Error::io("find memory for", path))?;
    let bytes = memory.get_mut(start..).unwrap_or_default();
    let count = file::read_pieces(file, bytes, layout.offset());
    let count = count.map_err(Error::io("read", path))?;
    if count < layout.len() {
        let read = u64::try_from(count).map_err(|_| Error::TooLarge)?;
        let found = layout.offset().saturating_add(read);
        return Err(Error::FileTooShort { needed: layout.end(), found });
    }
    Ok((memory, start))
}
