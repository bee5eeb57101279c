//! How `.npy` files are opened and created: headers and mappings put together.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::fs::File;
use std::io;
use std::path::Path;

use ndarray::{Dimension, IxDyn, ShapeBuilder, StrideShape};

use super::element::NpyElement;
use super::growable::make_growable_capped;
use super::header::{self, Header};
use super::row_count::HeaderCount;
use super::version::Version;
use crate::array::MmapArray;
use crate::array::row_count::Source;
use crate::error::npy::NpyError;
use crate::error::{Error, Result};
use crate::file;
use crate::file::allocate;
use crate::layout::Layout;
use crate::mode::Advice;
use crate::mode::Mode;
use crate::open::draft::Draft;
use crate::open::options::MapOptions;

/// How a `.npy` file is opened or created.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct Options {
    map: MapOptions,
    header_cap: u64,
    version: Option<Version>,
    fortran_order: bool,
    data_align: u64,
    whole_rows: bool,
}

/// A file that was opened, and its header.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) len: u64,
    pub(super) header: Header,
    /// The header of the rows that the array has.
    pub(super) shown: Header,
}

impl Options {
    /// Starts from a mode and the defaults of all other options.
    pub fn new(mode: Mode) -> Self {
        Self::mapping(MapOptions::new(mode))
    }

    /// Starts from how the file is mapped.
    pub(crate) fn mapping(map: MapOptions) -> Self {
        Self {
            map,
            header_cap: header::DEFAULT_CAP,
            version: None,
            fortran_order: false,
            data_align: 1,
            whole_rows: false,
        }
    }

    /// Sets how many bytes the header of a file to read may have (default 10,000).
    ///
    /// A file of thousands of fields that was created here needs it to be opened, as it needs
    /// `max_header_size` in NumPy.
    pub fn header_cap(self, header_cap: u64) -> Self {
        Self { header_cap, ..self }
    }

    /// Sets the version of the format to create (default the oldest that will do).
    pub fn version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Sets whether to create in Fortran order, as `.f()` does (default no).
    ///
    /// Only this says so of arrays that are in both orders, such as those of one axis or
    /// without elements.
    pub fn fortran_order(self, fortran_order: bool) -> Self {
        Self { fortran_order, ..self }
    }

    /// Sets of how many bytes the place of the elements of a new file is a multiple (default 64).
    ///
    /// 4096 makes the elements begin at a page, as [`page_aligned`] windows want it. The header
    /// is filled with spaces, up to its [cap](Self::header_cap): beyond 8192 whoever opens the file
    /// has to lift that cap too, in NumPy by `max_header_size`.
    ///
    /// [`page_aligned`]: crate::partition::Partition::page_aligned
    pub fn data_align(self, data_align: u64) -> Self {
        Self { data_align, ..self }
    }

    /// Sets whether to open a file that lacks some of the rows that its header counts (default no).
    ///
    /// The array has the rows that are in the file as a whole, which may be fewer than the header
    /// says, never more; so has a follower after [`refresh`](MmapArray::refresh). A file of this
    /// crate does not get into that state, but a copy that was interrupted does. The header
    /// stays as it is until the array [grows](MmapArray::append), which writes a right one first.
    pub fn whole_rows(self, whole_rows: bool) -> Self {
        Self { whole_rows, ..self }
    }

    /// Sets whether to create a file without disk space; see [`MapOptions::sparse`].
    pub fn sparse(self, sparse: bool) -> Self {
        Self { map: self.map.sparse(sparse), ..self }
    }

    /// Sets whether all pages are brought into memory; see [`MapOptions::populate`].
    pub fn populate(self, populate: bool) -> Self {
        Self { map: self.map.populate(populate), ..self }
    }

    /// Sets what the kernel is told of accesses; see [`MapOptions::advice`].
    pub fn advice(self, advice: Advice) -> Self {
        Self { map: self.map.advice(advice), ..self }
    }

    /// Sets whether the file is locked; see [`MapOptions::lock`].
    pub fn lock(self, lock: bool) -> Self {
        Self { map: self.map.lock(lock), ..self }
    }

    /// Sets whether bus errors in the mapping are repaired; see [`MapOptions::guarded`].
    #[cfg(feature = "sigbus-guard")]
    pub fn guarded(self, guarded: bool) -> Self {
        Self { map: self.map.guarded(guarded), ..self }
    }

    /// Maps the array of a `.npy` file.
    ///
    /// # Safety
    ///
    /// That of [`open`](super::open).
    ///
    /// # Errors
    ///
    /// Those of [`open`](super::open).
    pub unsafe fn open<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        let path = path.as_ref();
        let Found { file, len, header, shown } = self.read_header(path)?;
        let options = self.options_for::<A, D>(&shown)?;
        // SAFETY: the caller vouches for the file.
        let mut array = unsafe { options.map_sized(&file, len, path)? };
        array.set_source(self.source(header));
        Ok(array)
    }

    /// Reads the array of a `.npy` file into memory, in mode `r`, or in `c` to change it.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in other modes than `r` and `c`.
    /// - Those of [`load`](super::load).
    pub fn load<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        self.map.require(&[Mode::ReadOnly, Mode::CopyOnWrite], "load a file")?;
        let path = path.as_ref();
        let Found { file, len, shown, .. } = self.read_header(path)?;
        self.options_for::<A, D>(&shown)?.load_sized(&file, len, path)
    }

    /// Creates a `.npy` file of zeros, in mode `w+` or `x+`, and maps its array.
    ///
    /// # Safety
    ///
    /// That of [`open`](super::open).
    ///
    /// # Errors
    ///
    /// Those of [`create`](super::create).
    pub unsafe fn create<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<MmapArray<A, D>> {
        let (options, header, bytes) = self.options_to_create::<A, D>(shape.into())?;
        // SAFETY: the caller vouches for the file.
        let array = unsafe { options.open_then(path.as_ref(), write_header(&bytes)) };
        let mut array = array?;
        let start = array.offset();
        array.pages_mut().tail.note_header_change(start);
        array.set_source(self.source(header));
        Ok(array)
    }

    /// Makes a `.npy` file of zeros, in mode `w+` or `x+`, that takes the place of `path` when
    /// published; see [`Draft`].
    ///
    /// # Errors
    ///
    /// - [`NpyError::Unwritable`] for arrays that NumPy does not have.
    /// - Those of [`MapOptions::draft`].
    pub fn draft<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<Draft<A, D>> {
        let (options, _, bytes) = self.options_to_create::<A, D>(shape.into())?;
        options.draft_then(path.as_ref(), write_header(&bytes))
    }

    /// Gives the header of a `.npy` file room; see [`make_growable`](super::make_growable).
    ///
    /// Only [`header_cap`](Self::header_cap) counts of the options.
    ///
    /// # Errors
    ///
    /// Those of [`make_growable`](super::make_growable).
    pub fn make_growable(&self, path: impl AsRef<Path>) -> Result<()> {
        make_growable_capped(path.as_ref(), self.header_cap)
    }

    /// Checks elements and axes, and returns where they lie in a new file, and its header.
    fn options_to_create<A: NpyElement, D: Dimension>(
        &self,
        shape: StrideShape<D>,
    ) -> Result<(MapOptions<D>, Header, Vec<u8>)> {
        if !self.map.mode.creates() {
            let (mode, action) = (self.map.mode, "create a `.npy` file");
            return Err(Error::UnsupportedMode { mode, action });
        }
        let dim = shape.raw_dim().clone();
        let fortran_order = self.fortran_order || is_fortran::<A, D>(shape)?;
        let mut header = Header::new(A::dtype(), dim.slice(), fortran_order)?;
        if let Some(version) = self.version {
            header = header.with_version(version)?;
        }
        let bytes = header.align_data(self.data_align, self.header_cap)?;
        Ok((self.options_for::<A, D>(&header)?, header, bytes))
    }

    /// Returns what counts the rows of the array of a header, if it has rows.
    pub(super) fn source(&self, header: Header) -> Source {
        match header.shape.is_empty() {
            true => Source::Caller,
            false => Source::Header(Box::new(HeaderCount::new(
                header,
                self.header_cap,
                self.whole_rows,
            ))),
        }
    }

    /// Opens and locks a file, reads its header, then measures it.
    ///
    /// In this order, since the rows of a file that grows are there before they are counted. If
    /// it becomes shorter in between, its header has changed before, and is read again.
    pub(super) fn read_header(&self, path: &Path) -> Result<Found> {
        /// A file is not made shorter more often than that while it is opened.
        const ATTEMPTS: usize = 100;

        if self.map.mode.creates() {
            let (mode, action) = (self.map.mode, "open a `.npy` file");
            return Err(Error::UnsupportedMode { mode, action });
        }
        let file = file::open_locked(path, self.map.mode, self.map.lock)?.file;
        let mut header = header::read(&file, path, self.header_cap)?;
        let mut len = file::regular_len(&file, path)?;
        for _ in 0..ATTEMPTS {
            if header.end().is_ok_and(|end| end <= len) {
                break;
            }
            let again = header::read(&file, path, self.header_cap)?;
            if again == header {
                break;
            }
            header = again;
            len = file::regular_len(&file, path)?;
        }
        let mut shown = header.clone();
        if self.whole_rows {
            shown.keep_whole_rows(len);
        }
        Ok(Found { file, len, header, shown })
    }

    /// Checks elements and axes, and says where the array lies.
    pub(crate) fn options_for<A: NpyElement, D: Dimension>(
        &self,
        header: &Header,
    ) -> Result<MapOptions<D>> {
        A::check(&header.dtype)?;
        let (expected, found) = (header.dtype.size(), size_of::<A>());
        if expected != found {
            return Err(Error::ElementSize { expected, found });
        }
        let (asked, found) = (D::NDIM, header.shape.len());
        let dim = D::from_dimension(&IxDyn(&header.shape));
        let dim = dim.ok_or(NpyError::Axes { found, asked: asked.unwrap_or(found) })?;
        let options = self.map.clone().offset(header.data_offset);
        Ok(options.shape(dim.set_f(header.fortran_order)))
    }
}

/// Makes the closure that writes a header to a new file.
fn write_header(bytes: &[u8]) -> impl FnOnce(&File) -> io::Result<()> + '_ {
    move |file| allocate::write_all_at(file, bytes, 0)
}

/// Tells whether a shape is in Fortran order, and not in C order too.
fn is_fortran<A: NpyElement, D: Dimension>(shape: StrideShape<D>) -> Result<bool> {
    let dim = shape.raw_dim().clone();
    let layout = |shape| Layout::new(0, shape, size_of::<A>().max(1), 1);
    let asked = layout(shape)?;
    if asked == layout(dim.clone().into())? {
        Ok(false)
    } else if asked == layout(dim.f().into())? {
        Ok(true)
    } else {
        let why = "it has files in C and Fortran order only";
        Err(NpyError::Unwritable { why }.into())
    }
}
