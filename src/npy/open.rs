//! The functions that map `.npy` files; each forwards the contract of a mapping to its caller.
#![expect(unsafe_code, reason = "mapping a file is unsafe")]

use std::{fs::File, path::Path};

use ndarray::{Dimension, StrideShape};

use super::element::NpyElement;
use super::header::Header;
use super::options::{Found, write_header};
use super::{Array, DynArray, Options};
use crate::array::MmapArray;
use crate::error::{AtPath, Result};
use crate::file::Claim;
use crate::mode::Mode;
use crate::open::Draft;
#[cfg(doc)]
use crate::{ErrorKind, MapOptions, NpyErrorKind};

/// Maps the array of a `.npy` file.
///
/// # Safety
///
/// The same as for [`MapOptions::open`]: [the contract of a
/// mapping](crate#the-contract-of-a-mapping).
///
/// # Errors
///
/// - [`ErrorKind::Npy`] if the file is not a `.npy` file, or has other elements or another number of
///   axes.
/// - [`ErrorKind::UnsupportedMode`] in modes `w+` and `x+` (use [`create`]).
/// - [`ErrorKind::Misaligned`] if the elements begin at an unaligned offset, where some writers put
///   them. [`Le`](crate::Le) and [`Be`](crate::Be) map elements at any offset. [`load`] copies
///   them.
/// - The errors of [`MapOptions::open`].
pub unsafe fn open<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    mode: Mode,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the caller keeps the contract for the file.
    unsafe { Options::new(mode).open(path) }
}

/// Creates a `.npy` file of zeros, or replaces a file, and maps its array.
///
/// The array is in C order, or in Fortran order if `shape` ends in `.f()`.
///
/// An array with one axis, or with at most one element, is in both orders. The header then says C
/// order. For an array that grows in Fortran order, use
/// [`Options::order(Order::F)`](Options::order).
///
/// # Safety
///
/// The same as for [`MapOptions::open`]: [the contract of a
/// mapping](crate#the-contract-of-a-mapping).
///
/// # Errors
///
/// - [`NpyErrorKind::Unwritable`] for arrays that NumPy does not support.
/// - [`ErrorKind::NoSpace`] and [`ErrorKind::Io`] if the header cannot be written. A file that was to be
///   replaced is then lost, which can happen only where its space is not reserved.
/// - The errors of [`MapOptions::open`] in mode `w+`.
pub unsafe fn create<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the caller keeps the contract for the file.
    unsafe { Options::new(Mode::Create).create(path, shape) }
}

/// Creates a `.npy` file of zeros that replaces `path` when it is published; see [`Draft`].
///
/// The array is in C order, or in Fortran order if `shape` ends in `.f()`.
///
/// An array with one axis, or with at most one element, is in both orders. The header then says C
/// order. For an array that grows in Fortran order, use
/// [`Options::order(Order::F)`](Options::order).
///
/// # Errors
///
/// The errors of [`Options::draft`].
///
/// # Examples
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("model.npy");
/// use ndarray::Ix2;
/// use ndarray_memmap::npy;
///
/// let mut draft = npy::draft::<f32, _>(&path, (100, 8))?;
/// draft.view_mut().fill(0.5);
/// draft.publish()?;
/// assert_eq!(npy::load::<f32, Ix2>(&path)?.sum(), 400.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn draft<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
    shape: impl Into<StrideShape<D>>,
) -> Result<Draft<A, D>> {
    Options::new(Mode::Create).draft(path, shape)
}

/// Reads the array of a `.npy` file into memory and returns the same handle over the copy.
///
/// # Errors
///
/// The errors of [`open`], except [`ErrorKind::Misaligned`].
pub fn load<A: NpyElement, D: Dimension>(
    path: impl AsRef<Path>,
) -> Result<MmapArray<A, D>> {
    Options::new(Mode::ReadOnly).load(path)
}

impl Options {
    /// Maps the array of a `.npy` file.
    ///
    /// # Safety
    ///
    /// The same as for [`open`](super::open).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](super::open).
    pub unsafe fn open<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { OpenedFile::new(self, path.as_ref())? }.map()
    }

    /// Maps the array of an open `.npy` file.
    ///
    /// The file must be open for reading, and in modes `r+` and `a+` also for writing. The caller
    /// may close the file afterwards. [`MapOptions::map`] says what the array shares with `file`.
    ///
    /// # Safety
    ///
    /// The same as for [`open`](super::open).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](super::open), without a path.
    pub unsafe fn map<A: NpyElement, D: Dimension>(
        &self,
        file: &File,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { OpenedFile::claimed(self, file)? }.map()
    }

    /// Creates a `.npy` file of zeros, and maps its array, in mode `w+`, `x+` or `a+`.
    ///
    /// The array is in C order, or in Fortran order if `shape` ends in `.f()`.
    ///
    /// Mode `a+` opens the file if it exists. The length of the outermost axis is then that of the
    /// file, and the shape gives the other axes. A new file has an empty array, and appears at its
    /// path complete, as a [`Draft`] does: the option `sparse` has no effect, and a link to a
    /// missing file is an error. If the new file cannot be opened, it stays, with an empty array.
    ///
    /// An array with one axis, or with at most one element, is in both orders. The header then says
    /// C order. For an array that grows in Fortran order, use
    /// [`order(Order::F)`](Self::order).
    ///
    /// # Safety
    ///
    /// The same as for [`open`](super::open).
    ///
    /// # Errors
    ///
    /// The errors of [`create`](super::create). In mode `a+` also the errors of
    /// [`open`](super::open), [`ErrorKind::ShapeMismatch`] if the rows of the file have another
    /// shape, and [`NpyErrorKind::MemoryOrder`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::{Mode, npy};
    ///
    /// for run in 1..=2 {
    ///     // SAFETY: no other code uses the file while `log` lives.
    ///     let mut log = unsafe { npy::Options::new(Mode::Append).create::<f64, _>(&path, (0, 3))? };
    ///     log.push(Axis(0), &array![1.0, 2.0, 3.0])?;
    ///     assert_eq!(log.nrows(), run);
    ///     log.close()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub unsafe fn create<A: NpyElement, D: Dimension>(
        &self,
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<MmapArray<A, D>> {
        let (path, shape) = (path.as_ref(), shape.into());
        if self.mode() == Mode::Append {
            let found = self.open_or_create::<A, D>(path, shape).at(path)?;
            return OpenedFile { options: self, path, found, claim: None }.map();
        }
        let (options, header, bytes) = self.options_to_create::<A, D>(shape).at(path)?;
        // SAFETY: the caller keeps the contract for the file.
        let array = unsafe { options.open_then(path, write_header(&bytes)) };
        let mut array = array?;
        let start = array.offset();
        array.backing_mut().preallocation.note_header_change(start);
        array.set_row_count(self.row_count(header));
        Ok(array)
    }
}

impl<A: NpyElement, D: Dimension> Array<A, D> {
    /// Maps the array of a `.npy` file; see [`npy::open`](open).
    ///
    /// # Safety
    ///
    /// The same as for [`npy::open`](open).
    ///
    /// # Errors
    ///
    /// The errors of [`npy::open`](open).
    pub unsafe fn open(path: impl AsRef<Path>, mode: Mode) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { open(path, mode) }
    }

    /// Creates a `.npy` file of zeros, and maps its array; see [`npy::create`](create).
    ///
    /// # Safety
    ///
    /// The same as for [`npy::open`](open).
    ///
    /// # Errors
    ///
    /// The errors of [`npy::create`](create).
    pub unsafe fn create(
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<MmapArray<A, D>> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { create(path, shape) }
    }

    /// Creates a `.npy` file that replaces `path` when it is published; see
    /// [`npy::draft`](draft).
    ///
    /// # Errors
    ///
    /// The errors of [`npy::draft`](draft).
    pub fn draft(
        path: impl AsRef<Path>,
        shape: impl Into<StrideShape<D>>,
    ) -> Result<Draft<A, D>> {
        draft(path, shape)
    }

    /// Reads the array of a `.npy` file into memory; see [`npy::load`](load).
    ///
    /// # Errors
    ///
    /// The errors of [`npy::load`](load).
    pub fn load(path: impl AsRef<Path>) -> Result<MmapArray<A, D>> {
        load(path)
    }
}

impl DynArray {
    /// Maps the array of a `.npy` file of numbers or `bool`.
    ///
    /// # Safety
    ///
    /// The same as for [`open`](crate::npy::open).
    ///
    /// # Errors
    ///
    /// - The errors of [`open`](crate::npy::open).
    /// - [`NpyErrorKind::ElementType`] for records, strings and times, and for number types of
    ///   features that are not enabled.
    #[inline]
    pub unsafe fn open(path: impl AsRef<Path>, mode: Mode) -> Result<Self> {
        // SAFETY: the caller keeps the contract for the file.
        unsafe { Self::open_with(path, &Options::new(mode)) }
    }

    /// Maps the array of a `.npy` file with the given options; see [`open`](Self::open).
    ///
    /// # Safety
    ///
    /// The same as for [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open).
    #[inline]
    pub unsafe fn open_with(path: impl AsRef<Path>, options: &Options) -> Result<Self> {
        // SAFETY: the caller keeps the contract for the file.
        Self::map_opened(unsafe { OpenedFile::new(options, path.as_ref())? })
    }

    /// Maps the array of an open `.npy` file; see [`Options::map`].
    ///
    /// # Safety
    ///
    /// The same as for [`open`](Self::open).
    ///
    /// # Errors
    ///
    /// The errors of [`open`](Self::open), without a path.
    #[inline]
    pub unsafe fn map(file: &File, options: &Options) -> Result<Self> {
        // SAFETY: the caller keeps the contract for the file.
        Self::map_opened(unsafe { OpenedFile::claimed(options, file)? })
    }
}

/// An open file with its header, for which the caller keeps the contract of a mapping.
pub(super) struct OpenedFile<'a> {
    options: &'a Options,
    path: &'a Path,
    found: Found,
    /// The file of the caller, if the array was not opened by a path.
    claim: Option<Claim<'a>>,
}

impl<'a> OpenedFile<'a> {
    /// Opens a file and reads its header.
    ///
    /// # Safety
    ///
    /// The condition of [`open`], for every array that is mapped from it.
    unsafe fn new(options: &'a Options, path: &'a Path) -> Result<Self> {
        let found = options.read_header(path).at(path)?;
        Ok(Self { options, path, found, claim: None })
    }

    /// Takes the file of a caller and reads its header.
    ///
    /// # Safety
    ///
    /// The condition of [`open`], for every array that is mapped from it.
    unsafe fn claimed(options: &'a Options, file: &'a File) -> Result<Self> {
        let (claim, found) = options.claim(file)?;
        Ok(Self { options, path: Path::new(""), found, claim: Some(claim) })
    }

    pub(super) fn path(&self) -> &Path {
        self.path
    }

    pub(super) fn header(&self) -> &Header {
        &self.found.header
    }

    /// Maps the array.
    pub(super) fn map<A: NpyElement, D: Dimension>(self) -> Result<MmapArray<A, D>> {
        let Found { file, len, header, shown } = self.found;
        let options = self.options.options_for::<A, D>(&shown).at(self.path)?;
        // SAFETY: the caller of `new` keeps the contract for the file.
        let array = unsafe { options.map_sized(&file, len, self.path) };
        let mut array = self.options.in_npy(array, &shown, self.path)?;
        array.backing_mut().preallocation.header_end = header.data_offset;
        array.backing_mut().lock = self.claim.and_then(Claim::keep);
        array.set_row_count(self.options.row_count(header));
        Ok(array)
    }
}
