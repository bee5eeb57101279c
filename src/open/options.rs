//! The options of a mapping, and their resolution against the length of a file; opens no file.

use std::{fs::File, path::Path};

use ndarray::{Dimension, IntoDimension, Ix1, Order, ShapeBuilder, StrideShape};

use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::{Layout, misaligned, outermost, row_len};
use crate::mode::{Advice, Mode};
use crate::sys;

/// Every system aligns a mapping to at least this many bytes. No larger alignment is guaranteed.
pub(crate) const SMALLEST_PAGE: usize = 4096;

/// Configures a mapping, and opens files as arrays.
///
/// Without [`shape`](Self::shape) or [`rows_of`](Self::rows_of), the array has one axis and
/// contains all elements from the offset to the end of the file.
///
/// # Examples
///
/// ```
/// use ndarray::ShapeBuilder;
/// use ndarray_memmap::{MapOptions, Mode};
///
/// let dir = tempfile::tempdir()?;
/// let path = dir.path().join("planes.f32");
///
/// // SAFETY: no other code knows the file.
/// let mut a = unsafe {
///     MapOptions::new(Mode::Create).offset(512).shape((64, 48, 3).f()).open::<f32>(&path)?
/// };
/// a.view_mut()?[[1, 0, 0]] = 0.5;
/// a.sync()?;
/// assert_eq!(std::fs::read(&path)?[516..520], 0.5_f32.to_le_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a file is opened with them"]
pub struct MapOptions<D = Ix1> {
    pub(crate) mode: Mode,
    pub(crate) offset: u64,
    pub(crate) extent: Extent<D>,
    pub(crate) grow: bool,
    pub(crate) sparse: bool,
    pub(crate) populate: bool,
    pub(crate) advice: Advice,
    pub(crate) lock: bool,
    pub(crate) guarded: bool,
}

/// How the caller gives the shape.
#[derive(Clone, Debug)]
pub(crate) enum Extent<D> {
    /// The lengths of all axes except the first, which the length of the file determines.
    Rows(D),
    /// Shape and order or strides. In mode `a+` the file determines the outermost axis.
    Shape(StrideShape<D>),
    /// Shape and order, as a header has them.
    Header(StrideShape<D>),
}

impl MapOptions {
    /// Creates options with the given mode and the defaults of all other options.
    pub fn new(mode: Mode) -> Self {
        Self {
            mode,
            offset: 0,
            extent: Extent::Rows(Ix1(0)),
            grow: false,
            sparse: false,
            populate: false,
            advice: Advice::Normal,
            lock: false,
            guarded: false,
        }
    }
}

impl<D: Dimension> MapOptions<D> {
    /// Sets the byte offset in the file at which the array begins (default 0).
    ///
    /// The offset must be a multiple of the element's alignment; it need not be a multiple of the
    /// page size. In modes `w+` and `x+` the bytes before the offset are zeros too.
    pub fn offset(self, offset: u64) -> Self {
        Self { offset, ..self }
    }

    /// Sets shape and order (default: one axis, up to the end of the file).
    ///
    /// In mode `a+` without [`grow`](Self::grow), the length of the outermost axis is that of the
    /// file: `(0, 3)` opens or creates a file with rows of 3 elements.
    ///
    /// Accepts the argument of ndarray's own constructors. A number or a tuple gives C order, and
    /// `.f()` gives Fortran order. `.strides(..)`, in elements, gives any other order, such as one
    /// field of interleaved records.
    pub fn shape<E: Dimension>(self, shape: impl Into<StrideShape<E>>) -> MapOptions<E> {
        self.with_extent(Extent::Shape(shape.into()))
    }

    /// Sets the shape and order that a header has.
    pub(crate) fn shape_of_header<E: Dimension>(
        self,
        shape: impl Into<StrideShape<E>>,
    ) -> MapOptions<E> {
        self.with_extent(Extent::Header(shape.into()))
    }

    /// Sets the shape of one row; the first axis counts the rows up to the end of the file.
    ///
    /// `rows_of(768)` gives shape `(n, 768)`, `rows_of((64, 48))` gives `(n, 64, 48)`. An empty
    /// file has no rows yet; [`append`](crate::MmapArray::append) adds rows. Mode `a+` creates an
    /// empty file. In modes `w+` and `x+` a new file has no length, and needs a
    /// [`shape`](Self::shape), such as `(0, 768)`.
    pub fn rows_of<R: IntoDimension>(
        self,
        row: R,
    ) -> MapOptions<<R::Dim as Dimension>::Larger> {
        let row = row.into_dimension();
        let mut dim = <R::Dim as Dimension>::Larger::zeros(row.ndim().saturating_add(1));
        for (axis, &length) in dim.slice_mut().iter_mut().skip(1).zip(row.slice()) {
            *axis = length;
        }
        self.with_extent(Extent::Rows(dim))
    }

    /// Sets whether modes `r+` and `a+` extend a file that is too short, with zeros (default no).
    ///
    /// Other modes ignore this option. If the opening fails after the extension, the file is
    /// truncated again if its length is still the new one and the added bytes are zeros. Another
    /// process that appends to the file at this moment can lose its appended data; use
    /// [`lock`](Self::lock). A memfd that is sealed against truncation keeps its new length.
    pub fn grow(self, grow: bool) -> Self {
        Self { grow, ..self }
    }

    /// Sets whether to create or extend a file without reserving disk space (default no).
    ///
    /// By default the space is reserved first, and a full disk is [`ErrorKind::NoSpace`]. In a sparse
    /// file, a store into a page for which no space is left kills the process by `SIGBUS`. On file
    /// systems that cannot reserve space the file is always sparse. Holes that a file already has
    /// stay holes in mode `r+`.
    #[doc(alias = "truncate")]
    pub fn sparse(self, sparse: bool) -> Self {
        Self { sparse, ..self }
    }

    /// Sets whether to read all pages into memory at once (default no).
    ///
    /// Reading all pages takes no longer than reading them one after the other, and saves page
    /// faults later. A page that cannot be read is then an error. Only Linux 5.14 and later support
    /// this option.
    pub fn populate(self, populate: bool) -> Self {
        Self { populate, ..self }
    }

    /// Sets the advice to pass to the kernel (`madvise`) about later accesses (default none; Unix).
    pub fn advice(self, advice: Advice) -> Self {
        Self { advice, ..self }
    }

    /// Sets whether to lock the whole file while the array exists (default no).
    ///
    /// The lock is [`File::lock`](std::fs::File::lock): shared in modes `r` and `c`, exclusive in
    /// the other modes. If another handle holds a conflicting lock, opening returns
    /// [`ErrorKind::Locked`] at once. On Unix the lock is advisory: it binds only programs that lock
    /// too, and [`Draft::publish`](crate::Draft::publish). The locked file is the file that the
    /// path names after locking. A forked child keeps the lock too. The array keeps the file open.
    pub fn lock(self, lock: bool) -> Self {
        Self { lock, ..self }
    }

    /// Replaces the mode.
    pub(crate) fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Sets whether to repair and record bus errors in the mapping (default no).
    ///
    /// The [`guard`](crate::guard) must be installed; otherwise opening returns
    /// [`ErrorKind::NotGuarded`]. The array keeps its file open. Some types do not accept all bytes,
    /// such as a packed struct with a `char`. An array of these types cannot be guarded if an
    /// element may lie in two pages ([`ErrorKind::Io`] of the kind `Unsupported`).
    #[cfg(feature = "sigbus-guard")]
    pub fn guarded(self, guarded: bool) -> Self {
        Self { guarded, ..self }
    }

    /// Computes the layout of the array in a file of `file_len` bytes, without opening a file.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::ShapeRequired`], [`ErrorKind::OffsetPastEnd`] and [`ErrorKind::PartialElement`] if the
    ///   shape must come from the file and cannot.
    /// - [`ErrorKind::FileTooShort`] unless the mode creates the file or may extend it.
    /// - [`ErrorKind::Misaligned`], [`ErrorKind::TooLarge`] and [`ErrorKind::ZeroSizedElement`].
    /// - [`ErrorKind::StridesMismatch`], and [`ErrorKind::OverlappingStrides`] unless the mode is `r`.
    pub fn resolve<A: Element>(&self, file_len: u64) -> Result<Layout<D>> {
        self.resolve_at::<A>(file_len, align_of::<A>())
    }

    /// Resolves for an offset that must be a multiple of `align`, not of the alignment of `A`.
    pub(crate) fn resolve_at<A: Element>(
        &self,
        file_len: u64,
        align: usize,
    ) -> Result<Layout<D>> {
        let size = size_of::<A>();
        if size == 0 {
            return Err(ErrorKind::ZeroSizedElement.into());
        }
        if align_of::<A>() > SMALLEST_PAGE {
            let error =
                ErrorKind::Misaligned { offset: self.offset, align: align_of::<A>() };
            return Err(Error::from(error)
                .with_way_out("use an element type that needs no such alignment"));
        }
        let shape = match &self.extent {
            Extent::Shape(shape) if self.mode == Mode::Append && !self.grow => {
                self.rows_of_shape(shape, file_len, size)?
            }
            Extent::Shape(shape) | Extent::Header(shape) => shape.clone(),
            Extent::Rows(row) => self.rows(row, file_len, size)?.into(),
        };
        let layout = Layout::new(self.offset, shape, size, align);
        let layout = layout.map_err(|error| match error.kind() {
            ErrorKind::Misaligned { offset, .. } => misaligned::<A>(*offset),
            _ => error,
        })?;
        if self.mode.is_mutable() && layout.overlaps() {
            return Err(ErrorKind::OverlappingStrides.into());
        }
        if layout.end() > file_len && !self.extends() {
            let short =
                ErrorKind::FileTooShort { expected: layout.end(), found: file_len };
            return Err(match self.mode {
                Mode::ReadWrite | Mode::Append => Error::from(short).with_way_out(
                    "check shape, offset and element type, or extend it by `grow(true)`",
                ),
                _ => short.into(),
            });
        }
        Ok(layout)
    }

    /// Refuses to take the header of a `.npy` file for elements.
    ///
    /// Bytes, and records of bytes, may include a header. The file is read only if its name ends in
    /// `.npy`, or if it has no layout: a read starts the kernel's readahead, which a mapping that is
    /// accessed in random order does not need.
    pub(crate) fn refuse_npy<A>(
        &self,
        layout: Result<Layout<D>>,
        file: &File,
        path: &Path,
    ) -> Result<Layout<D>> {
        const MAGIC: &[u8; 6] = b"\x93NUMPY";

        let is_named =
            path.extension().is_some_and(|found| found.eq_ignore_ascii_case("npy"));
        let is_suspect =
            layout.as_ref().map_or(true, |layout| is_named && !layout.is_empty());
        if !is_suspect || self.offset > 0 || self.mode.creates() || align_of::<A>() == 1 {
            return layout;
        }
        let mut start = [0; MAGIC.len()];
        match sys::read_at_most(file, &mut start, 0) {
            Ok(read) if read == MAGIC.len() && start == *MAGIC => {
                Err(ErrorKind::NpyHeader.at(path))
            }
            _ => layout,
        }
    }

    /// Returns whether opening extends the file to the end of the array.
    pub(crate) fn extends(&self) -> bool {
        self.mode.creates()
            || self.grow && matches!(self.mode, Mode::ReadWrite | Mode::Append)
    }

    /// Replaces the first axis of `row` by the number of rows up to the end of the file.
    fn rows(&self, row: &D, file_len: u64, item_size: usize) -> Result<D> {
        let size = row_len(row.slice(), item_size)?;
        let count = self.count(size, file_len)?;
        let mut dim = row.clone();
        if let Some(first) = dim.slice_mut().first_mut() {
            *first = count;
        }
        Ok(dim)
    }

    /// Replaces the outermost axis of a shape by the number of rows up to the end of the file.
    fn rows_of_shape(
        &self,
        shape: &StrideShape<D>,
        file_len: u64,
        item_size: usize,
    ) -> Result<StrideShape<D>> {
        let mut dim = shape.raw_dim().clone();
        if dim.ndim() == 0 {
            return Ok(shape.clone());
        }
        // Without rows, the shape has no strides of its own.
        let given = Layout::new(0, shape.clone(), item_size, 1)?;
        let orders = [Order::C, Order::F];
        let order = orders
            .into_iter()
            .find(|order| given.is_empty() || given.is_in_order(*order));
        let order = order.ok_or(ErrorKind::NotInOrder)?;
        let outermost = outermost(dim.ndim(), order);
        let mut row = dim.clone();
        if let Some(length) = row.slice_mut().get_mut(outermost) {
            *length = 1;
        }
        let row =
            row.slice().iter().try_fold(item_size, |size, len| size.checked_mul(*len));
        let count = self.count(row.ok_or(ErrorKind::TooLarge)?, file_len)?;
        if let Some(length) = dim.slice_mut().get_mut(outermost) {
            *length = count;
        }
        Ok(dim.set_f(order == Order::F).into())
    }

    /// Returns the number of rows of `size` bytes from the offset to the end of the file.
    fn count(&self, size: usize, file_len: u64) -> Result<usize> {
        if self.mode.creates() {
            let error = Error::from(ErrorKind::ShapeRequired);
            return Err(error.with_way_out("pass a `shape`: a new file has no length"));
        }
        let available = file_len
            .checked_sub(self.offset)
            .ok_or(ErrorKind::OffsetPastEnd { offset: self.offset, found: file_len })?;
        let row_bytes = u64::try_from(size).map_err(|_| ErrorKind::TooLarge)?;
        let count = available.checked_div(row_bytes).ok_or(ErrorKind::ShapeRequired)?;
        if !available.is_multiple_of(row_bytes) {
            return Err(ErrorKind::PartialElement { available, size }.into());
        }
        Ok(usize::try_from(count).map_err(|_| ErrorKind::TooLarge)?)
    }

    fn with_extent<E>(self, extent: Extent<E>) -> MapOptions<E> {
        let Self { mode, offset, grow, sparse, populate, advice, lock, guarded, .. } =
            self;
        MapOptions { mode, offset, extent, grow, sparse, populate, advice, lock, guarded }
    }
}
