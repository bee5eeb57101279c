//! Constructors that need no promise of the caller, and why each needs none.
#![expect(unsafe_code, reason = "what others promise, these constructors prove")]

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use memmap2::{MmapOptions, MmapRaw};
use ndarray::{Dimension, StrideShape};

use crate::file::{self, Opened};
use crate::pages::{self, Pages};
use crate::view::check;
use crate::{Element, Error, Layout, MapOptions, MmapArray, Mode, Result};

impl MapOptions {
    /// Makes an array of zeros in a private file of the system's temporary folder.
    ///
    /// The file has no name, so nobody else can open it, and it is gone when the array is
    /// dropped. Its disk space is reserved: memory runs out less soon than for a `Vec`, and
    /// a full disk is an error. On Linux `/tmp` may itself be in memory; if so, name a
    /// folder on disk by [`scratch_in`](Self::scratch_in). Its mode is `x+`.
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
    // SAFETY: the file has no name and is not handed out, so nobody else can change it; its
    // space is reserved where the system can, so that stores find room.
    unsafe { MapOptions::new(Mode::CreateNew).shape(shape).map(&file) }
}

impl<D: Dimension> MapOptions<D> {
    /// Opens a file that can never change again, which the kernel proves.
    ///
    /// That is a memfd sealed against writing and shrinking, or a file under fs-verity. For
    /// reading only: the mode must be `r`.
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
        let Opened { file, .. } = file::open(path, self.mode)?;
        self.map_immutable_named(&file, path)
    }

    /// Maps an open file that can never change again, which the kernel proves.
    ///
    /// # Errors
    ///
    /// Those of [`open_immutable`](Self::open_immutable), with empty paths.
    pub fn map_immutable<A: Element>(&self, file: &File) -> Result<MmapArray<A, D>> {
        self.require(&[Mode::ReadOnly], "map an immutable file")?;
        self.map_immutable_named(file, Path::new(""))
    }

    fn map_immutable_named<A: Element>(
        &self,
        file: &File,
        path: &Path,
    ) -> Result<MmapArray<A, D>> {
        let layout = self.resolve::<A>(file::regular_len(file, path)?)?;
        if self.lock {
            file::lock(file, self.mode, path)?;
        }
        let mut options = MmapOptions::new();
        options.offset(layout.offset()).len(layout.len());
        if self.populate {
            options.populate();
        }
        let map = options.map_if_safe(file).map_err(|e| {
            let failed = e.map_failed();
            let source = io::Error::from(e);
            if failed {
                return Error::io("map", path)(source);
            }
            Error::NotImmutable { path: path.to_owned(), source }
        })?;
        check::<A, D>(&layout, &map)?;
        let map = MmapRaw::from(map);
        pages::advise(&map, self.advice).map_err(Error::io("advise on", path))?;
        let pages = Pages::new(Some(map), None);
        // SAFETY: the bytes are checked (1), the kernel keeps everybody from changing them
        // and the file from shrinking (2), the mode is not mutable (3).
        Ok(unsafe { MmapArray::new(pages, layout, self.mode, path.to_owned()) })
    }

    /// Reads a file into memory and returns the same handle over the copy.
    ///
    /// For files that cannot be trusted to stay as they are, such as those on network file
    /// systems. The mode is `r`, or `c` to change the copy. Elements may lie at any offset,
    /// since the copy is aligned. With `lock`, the file is locked while it is read.
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
        let Opened { file, .. } = file::open(path, self.mode)?;
        let len = file::regular_len(&file, path)?;
        let layout = self.resolve_items(len, size_of::<A>(), 1)?;
        if self.lock {
            file::lock(&file, self.mode, path)?;
        }
        let memory = read(&file, path, &layout)?;
        check::<A, D>(&layout, &memory)?;
        let pages = Pages::new(Some(memory.into()), None);
        // SAFETY: the bytes are checked (1), the memory is the handle's own (2) and can be
        // written; `resolve_items` has seen to overlaps (3).
        Ok(unsafe { MmapArray::new(pages, layout, self.mode, PathBuf::from(path)) })
    }

    fn require(&self, modes: &[Mode], action: &'static str) -> Result<()> {
        if modes.contains(&self.mode) {
            return Ok(());
        }
        Err(Error::UnsupportedMode { mode: self.mode, action })
    }
}

/// Reads the bytes of a layout into memory that begins at a page.
fn read<D: Dimension>(
    mut file: &File,
    path: &Path,
    layout: &Layout<D>,
) -> Result<memmap2::MmapMut> {
    let memory = pages::memory(layout.len());
    let mut memory = memory.map_err(Error::io("find memory for", path))?;
    let read = file
        .seek(SeekFrom::Start(layout.offset()))
        .and_then(|_| file.read_exact(&mut memory));
    match read {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
            let found = file::regular_len(file, path)?;
            Err(Error::FileTooShort { needed: layout.end(), found })
        }
        read => read.map(|()| memory).map_err(Error::io("read", path)),
    }
}
