//! Opens and creates `.npy` files: combines headers and mappings; parses and maps nothing itself.

use std::{fs::File, io, path::Path};

use ndarray::{Dimension, IxDyn, ShapeBuilder, StrideShape};

use super::element::NpyElement;
use super::growable::make_growable_capped;
use super::header::{self, Header};
use super::row_count::HeaderCount;
use super::version::Version;
use crate::array::{MmapArray, RowCount};
use crate::error::{Error, NpyError, Result};
use crate::layout::Layout;
use crate::mode::{Advice, Mode};
use crate::open::{Draft, MapOptions};
use crate::{file, sys};

/// Options for opening or creating a `.npy` file.
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

/// An opened file, and its header.
pub(super) struct Found {
    pub(super) file: File,
    pub(super) len: u64,
    pub(super) header: Header,
    /// The header for the rows of the mapped array, which may be fewer than in `header`.
    pub(super) shown: Header,
}

impl Options {
    /// Creates options with the given mode and the defaults of all other options.
    pub fn new(mode: Mode) -> Self {
        Self::mapping(MapOptions::new(mode))
    }

    /// Creates options from the options of the mapping.
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

    /// Sets the largest size in bytes of a header to read (default 10,000).
    ///
    /// This crate can create files with thousands of fields whose headers exceed the default. A
    /// reader must then raise this limit, in NumPy `max_header_size`.
    pub fn header_cap(self, header_cap: u64) -> Self {
        Self { header_cap, ..self }
    }

    /// Sets the version of the format for new files (default the oldest that fits the header).
    pub fn version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Sets whether to create arrays in Fortran order, as `.f()` does (default no).
    ///
    /// Some arrays are in both orders, such as arrays with one axis or without elements. Only
    /// this option declares such an array as Fortran order.
    pub fn fortran_order(self, fortran_order: bool) -> Self {
        Self { fortran_order, ..self }
    }

    /// Sets the alignment in bytes of the offset of the elements in a new file (default 64).
    ///
    /// With 4096, the elements begin at a page, as [`page_aligned`] windows need. The header is
    /// filled with spaces, up to its [cap](Self::header_cap). Above 8192, every reader must raise
    /// the cap too, in NumPy by `max_header_size`.
    ///
    /// [`page_aligned`]: crate::partition::Partition::page_aligned
    pub fn data_align(self, data_align: u64) -> Self {
        Self { data_align, ..self }
    }

    /// Sets whether to open a file that lacks some of the rows that its header counts (default no).
    ///
    /// The array has only the complete rows of the file: at most as many as the header says. The
    /// same holds after [`refresh`](MmapArray::refresh). An interrupted copy leaves a file in this
    /// state; this crate does not. The header stays unchanged until the array
    /// [grows](MmapArray::append); `append` first writes a correct header.
    pub fn whole_rows(self, whole_rows: bool) -> Self {
        Self { whole_rows, ..self }
    }

    /// Sets whether to create a file without reserving disk space; see [`MapOptions::sparse`].
    pub fn sparse(self, sparse: bool) -> Self {
        Self { map: self.map.sparse(sparse), ..self }
    }

    /// Sets whether to read all pages into memory at once; see [`MapOptions::populate`].
    pub fn populate(self, populate: bool) -> Self {
        Self { map: self.map.populate(populate), ..self }
    }

    /// Sets the advice to pass to the kernel (`madvise`); see [`MapOptions::advice`].
    pub fn advice(self, advice: Advice) -> Self {
        Self { map: self.map.advice(advice), ..self }
    }

    /// Sets whether to lock the file; see [`MapOptions::lock`].
    pub fn lock(self, lock: bool) -> Self {
        Self { map: self.map.lock(lock), ..self }
    }

    /// Sets whether to repair bus errors in the mapping; see [`MapOptions::guarded`].
    #[cfg(feature = "sigbus-guard")]
    pub fn guarded(self, guarded: bool) -> Self {
        Self { map: self.map.guarded(guarded), ..self }
    }

    /// Reads the array of a `.npy` file into memory, in mode `r`, or in mode `c` to change it.
    ///
    /// # Errors
    ///
    /// - [`Error::UnsupportedMode`] in modes other than `r` and `c`.
    /// - The errors of [`load`](super::load).
    pub fn load<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        self.map.require(&[Mode::ReadOnly, Mode::CopyOnWrite], "load a file")?;
        let path = path.as_ref();
        let Found { file, len, shown, .. } = self.read_header(path)?;
        self.options_for::<A, D>(&shown)?.load_sized(&file, len, path)
    }

    /// Creates a `.npy` file of zeros that replaces `path` when it is published; see [`Draft`].
    ///
    /// The mode must be `w+` or `x+`. The array is in C order, or in Fortran order if `shape` ends
    /// in `.f()`.
    ///
    /// An array with one axis, or with at most one element, is in both orders. The header then says
    /// C order. For an array that grows in Fortran order, use
    /// [`fortran_order(true)`](Self::fortran_order).
    ///
    /// # Errors
    ///
    /// - [`NpyError::Unwritable`] for arrays that NumPy does not support.
    /// - The errors of [`MapOptions::draft`].
    pub fn draft<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<Draft<A, D>> {
        let (options, _, bytes) = self.options_to_create::<A, D>(shape.into())?;
        options.draft_then(path.as_ref(), write_header(&bytes))
    }

    /// Reserves space in the header of a `.npy` file; see [`make_growable`](super::make_growable).
    ///
    /// This function uses only the option [`header_cap`](Self::header_cap).
    ///
    /// # Errors
    ///
    /// The errors of [`make_growable`](super::make_growable).
    pub fn make_growable(&self, path: impl AsRef<Path>) -> Result<()> {
        make_growable_capped(path.as_ref(), self.header_cap)
    }

    /// Checks elements and axes; returns mapping options, header and header bytes of a new file.
    pub(super) fn options_to_create<A: NpyElement, D: Dimension>(
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

    /// Returns what determines the number of rows of the array that a header describes.
    pub(super) fn row_count(&self, header: Header) -> RowCount {
        match header.shape.is_empty() {
            true => RowCount::Fixed,
            false => RowCount::Header(Box::new(HeaderCount::new(
                header,
                self.header_cap,
                self.whole_rows,
            ))),
        }
    }

    /// Opens and locks a file, reads its header, then the length of the file.
    pub(super) fn read_header(&self, path: &Path) -> Result<Found> {
        if self.map.mode.creates() {
            let (mode, action) = (self.map.mode, "open a `.npy` file");
            return Err(Error::UnsupportedMode { mode, action });
        }
        let file = file::open_locked(path, self.map.mode, self.map.lock)?.file;
        let read = || header::read(&file, path, self.header_cap);
        let fits = |header: &Header, found| header.end().is_ok_and(|end| end <= found);
        let (header, metadata) = file::read_and_measure(&file, path, read, fits)?;
        let (len, mut shown) = (metadata.len(), header.clone());
        if self.whole_rows {
            shown.keep_whole_rows(len);
        }
        Ok(Found { file, len, header, shown })
    }

    /// Checks elements and axes, and returns the options that map the array.
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

/// Returns the closure that writes a header to a new file.
pub(super) fn write_header(bytes: &[u8]) -> impl FnOnce(&File) -> io::Result<()> + '_ {
    move |file| sys::write_all_at(file, bytes, 0)
}

/// Returns whether a shape is in Fortran order and not in C order too.
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
