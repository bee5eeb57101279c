//! Constructors that need no promise of the caller, and why each needs none.
#![expect(unsafe_code, reason = "what others promise, these constructors prove")]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::{MmapMut, MmapOptions, MmapRaw};
use ndarray::{Dimension, StrideShape};

use crate::array::MmapArray;
use crate::element::Element;
use crate::element::needs_check;
use crate::error::{Error, Result};
use crate::file;
use crate::file::Stamp;
use crate::file::allocate;
use crate::file::claim::Claim;
use crate::layout::Layout;
use crate::layout::view::check;
use crate::mapping;
use crate::mapping::Pages;
use crate::mode::Mode;
use crate::open::options::MapOptions;
#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys::file_system::FileSystem;
use crate::sys::memory;
use crate::sys::memory::Twin;

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
        scratch(tempfile::tempfile(), &std::env::temp_dir(), shape.into())
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
        let dir = dir.as_ref();
        scratch(tempfile::tempfile_in(dir), dir, shape.into())
    }
}

fn scratch<A: Element, D: Dimension>(
    file: io::Result<File>,
    dir: &Path,
    shape: StrideShape<D>,
) -> Result<MmapArray<A, D>> {
    let file = file.map_err(Error::io("create a file in", dir))?;
    let options = MapOptions::new(Mode::CreateNew).shape(shape);
    options.write_zeros::<A>(&file, Path::new(""))?;
    // SAFETY: the file has no name and is not handed out, so nobody else can change it; its
    // space is reserved where the system can, so that stores find room.
    unsafe { options.map_sized(&file, 0, Path::new("")) }
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
                array.pages_mut().hold(claim.lock.take());
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
        prove_trusted(file).map_err(not_immutable)?;
        let mut options = MmapOptions::new();
        let len = mapping::whole_pages(file, layout.offset(), layout.len());
        let len = len.map_err(Error::io("inspect", path))?;
        options.offset(layout.offset()).len(len);
        let map = options.map_if_safe(file).map_err(|e| match e.map_failed() {
            true => Error::io("map", path)(e.into()),
            false => not_immutable(e.into()),
        })?;
        let map = MmapRaw::from(map);
        let kept = self.keep(file, path)?;
        let stamp = Stamp::of(&file::regular(file, path)?);
        let mut pages = self.pages(Some(map), kept, layout.offset(), stamp, path)?;
        pages.set_len(layout.len());
        if let Some(map) = pages.mapping() {
            self.prepare(map, layout.offset()).map_err(Error::io("read", path))?;
        }
        let bytes = pages.bytes(&(0..layout.len()));
        check::<A, D>(&layout, bytes.map_err(Error::io("read", path))?)?;
        pages.intact()?;
        // SAFETY: the bytes are checked (1), the kernel keeps everybody from changing them
        // and the file from shrinking (2), the mode is not mutable (3).
        Ok(unsafe { MmapArray::new(pages, layout, self.mode, path.to_owned()) })
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
        let stamp = Stamp::of(&file::regular(file, path)?);
        let (memory, start) = read(file, path, &layout, align_of::<A>())?;
        check::<A, D>(&layout, memory.get(start..).unwrap_or_default())?;
        let pages = Pages::loaded(memory, start, stamp);
        // SAFETY: the bytes are checked (1), the memory is the handle's own (2) and can be
        // written; `resolve_at` has seen to overlaps (3).
        Ok(unsafe { MmapArray::new(pages, layout, self.mode, PathBuf::from(path)) })
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
            if end == 0 || allocate::reserve(file, 0, end)? {
                return Ok(());
            }
            let zeros = vec![0; PIECE];
            let mut at = 0;
            while at < end {
                let rest = usize::try_from(end.saturating_sub(at)).unwrap_or(PIECE);
                let piece = zeros.get(..rest.min(PIECE)).unwrap_or_default();
                allocate::write_all_at(file, piece, at)?;
                at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            }
            file.sync_all()
        };
        write().map_err(allocate::refusal("extend", end, path))
    }

    /// Gives the advice asked for, and reads what is to be in memory at once.
    pub(crate) fn prepare(&self, map: &MmapRaw, offset: u64) -> io::Result<()> {
        mapping::advise_all(map, self.advice);
        if !self.populate {
            return Ok(());
        }
        let addresses = mapping::addresses(map);
        let shared = self.mode != Mode::CopyOnWrite;
        if let Some(twin) = shared.then(|| Twin::of(&addresses, offset)).flatten() {
            twin.read(&addresses)?;
        }
        memory::populate(&addresses)
    }

    pub(crate) fn require(&self, modes: &[Mode], action: &'static str) -> Result<()> {
        if modes.contains(&self.mode) {
            return Ok(());
        }
        Err(Error::UnsupportedMode { mode: self.mode, action })
    }
}

/// Makes sure that the kernel itself answers for a file.
///
/// The daemon of a FUSE file system, which anybody may run, can claim fs-verity for files
/// that it goes on changing. So fs-verity counts only where the kernel implements it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn prove_trusted(file: &File) -> io::Result<()> {
    if rustix::fs::fcntl_get_seals(file).is_ok() {
        return Ok(());
    }
    if FileSystem::of(file).has_verity {
        return Ok(());
    }
    Err(io::Error::other("the file system is none that fs-verity is trusted on"))
}

/// Leaves it to memmap2, which knows of no other proof than seals elsewhere.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn prove_trusted(_: &File) -> io::Result<()> {
    Ok(())
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
    let mut memory = mapping::memory(len).map_err(Error::io("find memory for", path))?;
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
