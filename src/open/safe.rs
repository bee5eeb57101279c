//! The safe constructors, and the reason why each is safe; contains no unsafe code.

use std::{fs::File, io, path::Path};

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use ndarray::{Dimension, StrideShape};

use crate::array::MmapArray;
use crate::element::{Element, needs_check};
use crate::error::{AtPath, CREATE_IN, Error, ErrorKind, Result};
use crate::file::{self, FileSnapshot, UnnamedFile, allocate};
use crate::layout::Layout;
use crate::mode::Mode;
use crate::open::MapOptions;
use crate::sys::file_system::has_trusted_contents;
use crate::sys::{self, ReadAlias, map, space};

/// The most zeros that one call writes.
const PIECE: u64 = 1 << 20;

impl MapOptions {
    /// Creates an array of zeros in a private file of the system's temporary folder.
    ///
    /// The file has no name in any folder, so no other code can open it. The file disappears when
    /// the array is dropped. Its disk space is reserved where the file system supports this (not on
    /// macOS), so that a full disk is an error. On Linux `/tmp` may itself be in memory; use
    /// [`scratch_in`](Self::scratch_in) with a folder on disk in this case. The mode of the array
    /// is `x+`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NoSpace`] if the disk has no space.
    /// - [`ErrorKind::TooLarge`], [`ErrorKind::ZeroSizedElement`], [`ErrorKind::StridesMismatch`] and
    ///   [`ErrorKind::OverlappingStrides`] for invalid shapes.
    /// - [`ErrorKind::Io`] if the operating system refuses for another reason.
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
        scratch(&tempfile::env::temp_dir(), shape.into())
    }

    /// Creates an array of zeros in a private file of the folder `dir`; see
    /// [`scratch`](Self::scratch).
    ///
    /// # Errors
    ///
    /// The errors of [`scratch`](Self::scratch).
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
    let mut file = UnnamedFile::new(dir).map_err(Error::io(CREATE_IN, dir))?;
    let options = MapOptions::new(Mode::CreateNew).shape(shape);
    let exclusive = file.exclusive();
    options.write_zeros::<A>(exclusive.file(), Path::new("")).at(dir)?;
    options.map_exclusive(exclusive, Path::new("")).at(dir)
}

impl<D: Dimension> MapOptions<D> {
    /// Opens a file that the kernel proves to be immutable.
    ///
    /// Such a file is a memfd sealed against writing and shrinking, or a file under fs-verity on
    /// ext4, f2fs or btrfs. The mode must be `r`.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::NotImmutable`] if there is no such proof, or if the system supports none.
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `r`.
    /// - The errors of [`open`](Self::open) in mode `r`.
    pub fn open_immutable<A: Element>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        let path = path.as_ref();
        self.require(&[Mode::ReadOnly], "open an immutable file").at(path)?;
        let file = file::open_locked(path, self.mode, self.lock)?.file;
        self.map_immutable_named(&file, path).at(path)
    }

    /// Maps an open file that the kernel proves to be immutable.
    ///
    /// # Errors
    ///
    /// The errors of [`open_immutable`](Self::open_immutable), with empty paths.
    pub fn map_immutable<A: Element>(&self, file: &File) -> Result<MmapArray<A, D>> {
        self.require(&[Mode::ReadOnly], "map an immutable file")?;
        self.map_claimed(file, |file, path| self.map_immutable_named(file, path))
    }

    fn map_immutable_named<A: Element>(
        &self,
        file: &File,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        self.check_guard()?;
        let len = file::regular_len(file, path)?;
        let layout = self.refuse_npy::<A>(self.resolve::<A>(len), file, path)?;
        self.check_halves::<A>(&layout, path)?;
        let not_immutable = |source| ErrorKind::NotImmutable { source }.at(path);
        has_trusted_contents(file).map_err(not_immutable)?;
        let mut options = MmapOptions::new();
        let len = sys::whole_pages(file, layout.offset(), layout.byte_len());
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
    /// Use this method for files that may change, such as files on network file systems. The mode
    /// must be `r`, or `c` to change the copy. The elements may begin at any offset, because the
    /// copy is aligned. With `lock`, the file is locked while it is read. The options `advice` and
    /// `populate` have no effect.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `r` and `c`.
    /// - The errors of [`open`](Self::open) in these modes, except [`ErrorKind::Misaligned`].
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
        self.require(&[Mode::ReadOnly, Mode::CopyOnWrite], "load a file").at(path)?;
        let file = file::open_locked(path, self.mode, self.lock)?.file;
        let len = file::regular_len(&file, path)?;
        self.load_sized(&file, len, path).at(path)
    }

    /// Reads an open file of `len` bytes into memory.
    pub(crate) fn load_sized<A: Element>(
        &self,
        file: &File,
        len: u64,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let layout = self.refuse_npy::<A>(self.resolve_at::<A>(len, 1), file, path)?;
        let snapshot = FileSnapshot::of(&file::regular(file, path)?);
        let (memory, start) = read(file, path, &layout, align_of::<A>())?;
        self.loaded_array(memory, start, layout, snapshot, path)
    }

    /// Writes the zeros of a new file if no space can be reserved and elements are checked.
    ///
    /// The kernel may evict a page that could not be written. A later access reads the page from
    /// the disk. In reserved space the page then has zeros, or its contents from the last write. In
    /// a block that was not reserved, the page has the contents that the block had before.
    pub(crate) fn write_zeros<A: Element>(&self, file: &File, path: &Path) -> Result<()> {
        let end = self.resolve::<A>(0)?.end();
        if !needs_check::<A>() {
            return Ok(());
        }
        let write = || {
            sys::check_limit(end)?;
            if end == 0 || space::allocate(file, 0, end)? {
                return Ok(());
            }
            let mut zeros = Vec::new();
            for piece in sys::pieces(&(0..end), PIECE) {
                let len = piece.end.saturating_sub(piece.start);
                zeros.resize(usize::try_from(len).map_err(io::Error::other)?, 0);
                sys::write_all_at(file, &zeros, piece.start)?;
            }
            file.sync_all()
        };
        write().map_err(allocate::refusal("extend", end, path))
    }

    /// Passes the advice to the kernel, and reads the pages if `populate` is set.
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
        let modes: Vec<_> = modes.iter().map(|mode| format!("mode `{mode}`")).collect();
        let error = Error::from(ErrorKind::UnsupportedMode { mode: self.mode, action });
        Err(error.with_way_out(format!("use {}", modes.join(" or "))))
    }
}

/// Reads the bytes of a layout into memory; returns the position of the first byte.
///
/// The bytes begin at the same position within a page as in the file. If the elements do not allow
/// this position, the bytes begin half a page further. A copy between positions a few bytes apart
/// is several times slower.
fn read<D: Dimension>(
    file: &File,
    path: &Path,
    layout: &Layout<D>,
    align: usize,
) -> Result<(MmapMut, usize)> {
    const PAGE: u64 = 4096;

    let phase = layout.offset().checked_rem(PAGE).unwrap_or(0);
    let phase = usize::try_from(phase).map_err(|_| ErrorKind::TooLarge)?;
    let start = match phase.is_multiple_of(align) {
        true => Some(phase),
        false => phase.saturating_add(2048).checked_next_multiple_of(align),
    };
    let start = start.ok_or(ErrorKind::TooLarge)?;
    let len = layout.byte_len().checked_add(start).ok_or(ErrorKind::TooLarge)?;
    let mut memory = map::memory(len).map_err(Error::io("allocate memory for", path))?;
    let bytes = memory.get_mut(start..).unwrap_or_default();
    let count = file::read_pieces(file, bytes, layout.offset());
    let count = count.map_err(Error::io("read", path))?;
    if count < layout.byte_len() {
        let read = u64::try_from(count).map_err(|_| ErrorKind::TooLarge)?;
        let found = layout.offset().saturating_add(read);
        return Err(ErrorKind::FileTooShort { expected: layout.end(), found }.into());
    }
    Ok((memory, start))
}
