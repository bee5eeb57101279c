//! Opens and creates `.npy` files: combines headers and mappings; parses and maps nothing itself.

use std::{fs::File, io, path::Path};

use ndarray::{Dimension, IxDyn, Order, ShapeBuilder, StrideShape};

use super::element::NpyElement;
use super::growable::make_growable_capped;
use super::header::{self, Header};
use super::row_count::HeaderCount;
use super::version::Version;
use crate::array::{MmapArray, RowCount};
use crate::error::{AtPath, Error, ErrorKind, NpyErrorKind, Result};
use crate::file::{self, Claim};
use crate::layout::Layout;
use crate::mode::{Advice, Mode};
use crate::open::{Draft, MapOptions};
use crate::sys;

/// Options for opening or creating a `.npy` file.
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct Options {
    map: MapOptions,
    max_header_size: u64,
    version: Option<Version>,
    order: Order,
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
            max_header_size: header::DEFAULT_CAP,
            version: None,
            order: Order::C,
            data_align: 1,
            whole_rows: false,
        }
    }

    pub(super) fn mode(&self) -> Mode {
        self.map.mode
    }

    /// Sets the largest size in bytes of a header to read (default 10,000).
    ///
    /// This crate can create files with thousands of fields whose headers exceed the default. A
    /// reader must then raise this limit, in NumPy `max_header_size`.
    pub fn max_header_size(self, max_header_size: u64) -> Self {
        Self { max_header_size, ..self }
    }

    /// Sets the version of the format for new files (default the oldest that fits the header).
    pub fn version(self, version: Version) -> Self {
        Self { version: Some(version), ..self }
    }

    /// Sets the memory order of new arrays (default C order, or Fortran order for a shape with
    /// `.f()`).
    ///
    /// Some arrays are in both orders, such as arrays with one axis or without elements. Only
    /// this option declares such an array as Fortran order.
    pub fn order(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// Sets the alignment in bytes of the offset of the elements in a new file (default 64).
    ///
    /// With 4096, the elements begin at a page, as [`aligned_to`] windows need. The header is
    /// filled with spaces, up to its [cap](Self::max_header_size). Above 8192, every reader must raise
    /// the cap too, in NumPy by `max_header_size`.
    ///
    /// [`aligned_to`]: crate::partition::Partition::aligned_to
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
    /// - [`ErrorKind::UnsupportedMode`] in modes other than `r` and `c`.
    /// - The errors of [`load`](super::load).
    pub fn load<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        let path = path.as_ref();
        self.map.require(&[Mode::ReadOnly, Mode::CopyOnWrite], "load a file").at(path)?;
        let Found { file, len, shown, .. } = self.read_header(path).at(path)?;
        let options = self.options_for::<A, D>(&shown).at(path)?;
        self.in_npy(options.load_sized(&file, len, path), &shown, path)
    }

    /// Creates a `.npy` file of zeros that replaces `path` when it is published; see [`Draft`].
    ///
    /// The mode must be `w+` or `x+`. The array is in C order, or in Fortran order if `shape` ends
    /// in `.f()`.
    ///
    /// An array with one axis, or with at most one element, is in both orders. The header then says
    /// C order. For an array that grows in Fortran order, use
    /// [`order(Order::F)`](Self::order).
    ///
    /// # Errors
    ///
    /// - [`NpyErrorKind::Unwritable`] for arrays that NumPy does not support.
    /// - The errors of [`MapOptions::draft`].
    pub fn draft<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<Draft<A, D>> {
        let path = path.as_ref();
        let (options, _, bytes) =
            self.options_to_create::<A, D>(shape.into()).at(path)?;
        options.draft_then(path, write_header(&bytes))
    }

    /// Reserves space in the header of a `.npy` file; see [`make_growable`](super::make_growable).
    ///
    /// This function uses only the option [`max_header_size`](Self::max_header_size).
    ///
    /// # Errors
    ///
    /// The errors of [`make_growable`](super::make_growable).
    pub fn make_growable(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        make_growable_capped(path, self.max_header_size).at(path)
    }

    /// Checks elements and axes; returns mapping options, header and header bytes of a new file.
    pub(super) fn options_to_create<A: NpyElement, D: Dimension>(
        &self,
        shape: StrideShape<D>,
    ) -> Result<(MapOptions<D>, Header, Vec<u8>)> {
        if !self.map.mode.creates() {
            let (mode, action) = (self.map.mode, "create a `.npy` file");
            let error = Error::from(ErrorKind::UnsupportedMode { mode, action });
            return Err(error.with_way_out("use mode `w+`, `x+` or `a+`, or `npy::open`"));
        }
        let dim = shape.raw_dim().clone();
        let is_fortran = is_fortran::<A, D>(shape)?;
        let order = if is_fortran { Order::F } else { self.order };
        let mut header = Header::new(A::dtype(), dim.slice(), order)?;
        if let Some(version) = self.version {
            header = header.with_version(version)?;
        }
        let bytes = header.align_data(self.data_align, self.max_header_size)?;
        Ok((self.options_for::<A, D>(&header)?, header, bytes))
    }

    /// Opens a `.npy` file, or creates one with an empty array.
    ///
    /// `shape` gives all axes except the outermost, whose length is that of the file. The new file
    /// appears with its header: a process that opens it at the same time finds either no file or
    /// the whole header.
    pub(super) fn open_or_create<A: NpyElement, D: Dimension>(
        &self,
        path: &Path,
        shape: StrideShape<D>,
    ) -> Result<Found> {
        /// Another process may remove the file each time.
        const TRIES: usize = 100;

        let creating =
            Self { map: self.map.clone().mode(Mode::CreateNew), ..self.clone() };
        let (_, mut new, _) = creating.options_to_create::<A, D>(shape.clone())?;
        new.set_count(0);
        for _ in 0..TRIES {
            match self.read_header(path) {
                Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) => {}
                found => return expect_rows(found?, &new),
            }
            let dim = D::from_dimension(&IxDyn(&new.shape));
            let dim = dim.unwrap_or_else(|| shape.raw_dim().clone());
            let creating = creating.clone().order(new.order());
            let draft = creating.draft::<A, D>(path, dim)?;
            match draft.publish() {
                // Another process was faster; its array may differ.
                Err(error) if error.io_kind() == Some(io::ErrorKind::AlreadyExists) => {}
                published => published?,
            }
        }
        Err(ErrorKind::Replaced.into())
    }

    /// Returns what determines the number of rows of the array that a header describes.
    pub(super) fn row_count(&self, header: Header) -> RowCount {
        match header.shape.is_empty() {
            true => RowCount::Fixed,
            false => RowCount::Header(Box::new(HeaderCount::new(
                header,
                self.max_header_size,
                self.whole_rows,
            ))),
        }
    }

    /// Opens and locks a file, reads its header, then the length of the file.
    pub(super) fn read_header(&self, path: &Path) -> Result<Found> {
        self.require_open()?;
        let mode = match self.map.mode {
            // An empty file has no header.
            Mode::Append => Mode::ReadWrite,
            mode => mode,
        };
        let opened = file::open_locked(path, mode, self.map.lock);
        let opened = opened.map_err(|error| match error.io_kind() {
            Some(io::ErrorKind::NotFound) => error.with_way_out(
                "check the path; `npy::create` and `npy::Options::create` create a file",
            ),
            _ => error,
        });
        self.read_header_of(opened?.file, path)
    }

    fn require_open(&self) -> Result<()> {
        if self.map.mode.creates() {
            let (mode, action) = (self.map.mode, "open a `.npy` file");
            let error = Error::from(ErrorKind::UnsupportedMode { mode, action });
            return Err(error.with_way_out("use `npy::create`, which writes a header"));
        }
        Ok(())
    }

    /// Claims the file of a caller, and reads its header.
    pub(super) fn claim<'f>(&self, file: &'f File) -> Result<(Claim<'f>, Found)> {
        self.require_open()?;
        let path = Path::new("");
        let claim = Claim::new(file, self.map.mode, self.map.lock)?;
        let file = claim.file().try_clone().map_err(Error::io("keep open", path))?;
        let found = self.read_header_of(file, path)?;
        Ok((claim, found))
    }

    fn read_header_of(&self, file: File, path: &Path) -> Result<Found> {
        let read = || header::read(&file, path, self.max_header_size);
        let fits = |header: &Header, found| header.end().is_ok_and(|end| end <= found);
        let (header, metadata) = file::read_and_measure(&file, path, read, fits)?;
        let (len, mut shown) = (metadata.len(), header.clone());
        if self.whole_rows {
            shown.keep_whole_rows(len);
        }
        Ok(Found { file, len, header, shown })
    }

    /// Makes the errors of a mapping fit a `.npy` file, and names the file.
    pub(super) fn in_npy<T>(
        &self,
        mapped: Result<T>,
        header: &Header,
        path: &Path,
    ) -> Result<T> {
        let mapped = mapped.map_err(|error| match error.kind() {
            ErrorKind::FileTooShort { .. }
                if self.whole_rows || header.shape.is_empty() =>
            {
                error.with_way_out("it is incomplete: copy it again")
            }
            ErrorKind::FileTooShort { .. } => error.with_way_out(
                "it is incomplete: `npy::Options::whole_rows(true)` opens its whole rows",
            ),
            ErrorKind::InvalidElement { .. } => error.with_way_out(format!(
                "map the bytes as `u8` by `MapOptions`, from offset {} on",
                header.data_offset
            )),
            _ => error,
        });
        mapped.at(path)
    }

    /// Checks elements and axes, and returns the options that map the array.
    pub(crate) fn options_for<A: NpyElement, D: Dimension>(
        &self,
        header: &Header,
    ) -> Result<MapOptions<D>> {
        A::check(&header.dtype)?;
        let (expected, found) = (header.dtype.size(), size_of::<A>());
        if expected != found {
            return Err(ErrorKind::ElementSize { expected, found }.into());
        }
        let (asked, found) = (D::NDIM, header.shape.len());
        let dim = D::from_dimension(&IxDyn(&header.shape));
        let dim =
            dim.ok_or(NpyErrorKind::Axes { expected: asked.unwrap_or(found), found })?;
        let options = self.map.clone().offset(header.data_offset);
        Ok(options.shape_of_header(dim.set_f(header.fortran_order)))
    }
}

/// Returns an error if the array of a file has other axes than `new`, or rows of another shape.
fn expect_rows(found: Found, new: &Header) -> Result<Found> {
    let header = &found.header;
    let (expected, axes) = (new.shape.len(), header.shape.len());
    if expected != axes {
        return Err(NpyErrorKind::Axes { expected, found: axes }.into());
    }
    if axes > 1 && header.order() != new.order() {
        let (expected, found) = (new.order(), header.order());
        return Err(NpyErrorKind::MemoryOrder { expected, found }.into());
    }
    let mut expected = new.clone();
    expected.set_count(header.count().unwrap_or(0));
    if expected.shape == header.shape {
        return Ok(found);
    }
    let (expected, found) = (expected.shape, header.shape.clone());
    let error = Error::from(ErrorKind::ShapeMismatch { expected, found });
    Err(error.with_way_out("pass the row shape of the file, or another path"))
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
        Err(NpyErrorKind::Unwritable { why }.into())
    }
}
