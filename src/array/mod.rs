//! The handle that owns a mapping and is an array; knows nothing of how it was opened.
#![expect(unsafe_code, reason = "the handle makes views of the pages it owns")]

pub(crate) mod append;
mod changes;
mod commit;
#[cfg(feature = "sigbus-guard")]
mod fault;
mod refresh;
pub(crate) mod region;
mod resize;
pub(crate) mod row_count;
mod traits;

use std::fmt;
use std::fs::File;
use std::io;
use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::slice;

use memmap2::MmapRaw;
use ndarray::{
    ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6,
    IxDyn, SliceArg,
};

use crate::array::region::{Place, Region, SyncToDisk};
use crate::array::row_count::Source;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file;
use crate::file::Stamp;
use crate::layout::Layout;
use crate::layout::footprint::Span;
use crate::layout::view::{check, view_at, view_mut_at};
use crate::mapping;
use crate::mapping::Pages;
use crate::mode::Mode;
use crate::sys::memory;

/// An array in a file: owns the mapping, and is the array.
///
/// It derefs to ndarray's [`ArrayRef`], so indexing, slicing, iteration, reductions and
/// every function that takes `&ArrayRef<A, D>` work on it; [`view_mut`](Self::view_mut)
/// gives the view to change it by. It is opened by [`MapOptions`](crate::MapOptions) and
/// unmapped when dropped, which leaves the time of writing to the kernel; to know that
/// changes are on disk, [`sync`](SyncToDisk::sync) or [`close`](Self::close).
///
/// There is no `DerefMut`, by which an array could be reshaped or swapped with another.
///
/// | if the compiler says | write |
/// |---|---|
/// | `DerefMut` is required, for `a.fill(1.0)` or `a[0] = 1.0` | `a.view_mut()?.fill(1.0)`, `a.view_mut()?[0] = 1.0` |
/// | temporary value dropped, for `a.view_mut()?.slice_mut(..)` | `let mut w = a.view_mut()?;` first |
/// | cannot add `&a + &b` | `&*a + &*b` for two handles, `&a.view() + &b` with an owned array |
/// | cannot multiply `&a * 2.0` | `&*a * 2.0` |
/// | `Dot` is not implemented, for `a.dot(&b)` | `a.dot(&*b)` |
/// | `+=` cannot be applied | `let mut w = a.view_mut()?; w += &b.view();` |
/// | no method `clone` | `a.to_owned()`, which copies |
/// | `Display` is not implemented, for `println!("{a}")` | `println!("{}", a.view())`; `{:?}` is the handle |
///
/// # Examples
///
/// ```
/// use ndarray::{Array2, ArrayRef2, array};
/// use ndarray_memmap::MapOptions;
///
/// fn trace(a: &ArrayRef2<f64>) -> f64 {
///     a.diag().sum()
/// }
///
/// let mut a = MapOptions::scratch::<f64, _>((2, 2))?;
/// a.view_mut()?.assign(&array![[1.0, 2.0], [3.0, 4.0]]);
/// assert_eq!(trace(&a), 5.0);
/// assert_eq!(&a.view() * &Array2::<f64>::eye(2), array![[1.0, 0.0], [0.0, 4.0]]);
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
pub struct MmapArray<A: 'static = u8, D = Ix1> {
    /// Points into `pages`; `'static` only here, handed out no longer than `self` lives.
    view: ArrayView<'static, A, D>,
    pages: Pages,
    layout: Layout<D>,
    mode: Mode,
    path: PathBuf,
    source: Source,
    /// Whoever has the handle can take and replace elements.
    elements: PhantomData<A>,
}

/// A mapped array of one axis.
pub type MmapArray1<A> = MmapArray<A, Ix1>;
/// A mapped array of two axes.
pub type MmapArray2<A> = MmapArray<A, Ix2>;
/// A mapped array of three axes.
pub type MmapArray3<A> = MmapArray<A, Ix3>;
/// A mapped array of four axes.
pub type MmapArray4<A> = MmapArray<A, Ix4>;
/// A mapped array of five axes.
pub type MmapArray5<A> = MmapArray<A, Ix5>;
/// A mapped array of six axes.
pub type MmapArray6<A> = MmapArray<A, Ix6>;
/// A mapped array whose number of axes is known at run time.
pub type MmapArrayD<A> = MmapArray<A, IxDyn>;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Joins pages and the layout of the array in them.
    ///
    /// # Safety
    ///
    /// 1. `check` has passed for `A`, `layout` and the bytes of `pages`, which are as many
    ///    as the layout's.
    /// 2. While the handle lives, nobody else changes these bytes, or reads them while a view
    ///    for writing lives.
    /// 3. If `mode` is mutable, the pages can be written and the layout does not overlap.
    pub(crate) unsafe fn new(
        pages: Pages,
        layout: Layout<D>,
        mode: Mode,
        path: PathBuf,
    ) -> Self {
        // SAFETY: conditions 1 and 2; the pages stay where they are until `self` is dropped,
        // and `deref` lends the view no longer.
        let view = unsafe { view_at(&layout, pages.as_mut_ptr()) };
        let source = Source::Caller;
        Self { view, pages, layout, mode, path, source, elements: PhantomData }
    }

    /// Maps the file anew, to have as many bytes as `map` has; no view lives.
    ///
    /// # Safety
    ///
    /// `map` begins with elements of the same file, mapped in the same way, and has no fewer
    /// bytes.
    pub(crate) unsafe fn remap(&mut self, map: MmapRaw) -> io::Result<()> {
        self.pages.remap(map)?;
        // SAFETY: conditions 1 and 2 of `new`, for the same bytes in another place.
        self.view = unsafe { view_at(&self.layout, self.pages.as_mut_ptr()) };
        Ok(())
    }

    /// Maps the file of a private mapping again, through a descriptor that was opened later,
    /// without private changes; no view lives.
    ///
    /// Fails, and leaves the mapping as it is, if the descriptor is one of another file, or if
    /// the new mapping has other bytes than the old one in the ranges `shown`.
    ///
    /// # Errors
    ///
    /// [`Error::Replaced`], [`Error::FileTooShort`], [`Error::InvalidElement`], [`Error::Io`].
    pub(crate) fn map_again(
        &mut self,
        file: &File,
        shown: &[Range<usize>],
    ) -> Result<()> {
        let (end, len) = (self.layout.end(), self.layout.len());
        let metadata = file::regular(file, &self.path)?;
        if Stamp::of(&metadata).identity() != self.pages.stamp().identity() {
            return Err(Error::Replaced { path: self.path.clone() });
        }
        if metadata.len() < end {
            return Err(Error::FileTooShort { needed: end, found: metadata.len() });
        }
        if self.layout.is_empty() {
            return Ok(());
        }
        let map = mapping::map(file, self.layout.offset(), len, Mode::CopyOnWrite);
        let map = map.map_err(Error::io("map", &self.path))?;
        mapping::advise_all(&map, self.pages.advice());
        let start = map.as_mut_ptr();
        for range in shown {
            let here = start.addr().saturating_add(range.start)
                ..start.addr().saturating_add(range.end);
            // A page that cannot be read is an error here, and a bus error later.
            memory::populate(&here).map_err(Error::io("read", &self.path))?;
        }
        // SAFETY: the mapping has `len` bytes, the file reaches to their end, and the caller of
        // `open` keeps all others from changing them.
        let bytes = unsafe { slice::from_raw_parts(start, len) };
        for range in shown {
            let before =
                self.pages.bytes(range).map_err(Error::io("read", &self.path))?;
            if bytes.get(range.clone()) != Some(before) {
                let stale =
                    io::Error::other("a new mapping does not show what was written");
                return Err(Error::io("map", &self.path)(stale));
            }
        }
        check::<A, D>(&self.layout, bytes)?;
        // SAFETY: the mapping has as many bytes, which are elements; they are those of the same
        // file, which the caller of `open` vouches for.
        unsafe { self.remap(map) }.map_err(Error::io("guard", &self.path))
    }

    /// Changes the layout; no view lives.
    ///
    /// # Safety
    ///
    /// The file reaches to the end of the layout, the mapping has as many bytes, and the
    /// conditions of [`new`](Self::new) hold for them and the layout.
    pub(crate) unsafe fn set_layout(&mut self, layout: Layout<D>) {
        self.pages.set_len(layout.len());
        // SAFETY: the caller's condition.
        self.view = unsafe { view_at(&layout, self.pages.as_mut_ptr()) };
        self.layout = layout;
    }

    /// Views the array for reading and writing.
    ///
    /// # Errors
    ///
    /// [`Error::ReadOnly`] in mode `r`.
    pub fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>> {
        if !self.mode.is_mutable() {
            return Err(Error::ReadOnly);
        }
        // SAFETY: conditions 1 to 3 of `new`; `self` is borrowed mutably, so no view of it
        // lives that `deref` or an earlier call has lent.
        Ok(unsafe { view_mut_at(&self.layout, self.pages.as_mut_ptr()) })
    }

    /// Views the array for writing, beside the place of its elements.
    pub(crate) fn view_and_place(
        &mut self,
    ) -> Result<(ArrayViewMut<'_, A, D>, Place<'_>)> {
        if !self.mode.is_mutable() {
            return Err(Error::ReadOnly);
        }
        // SAFETY: as in `view_mut`; the place gives no access to elements.
        let view = unsafe { view_mut_at(&self.layout, self.pages.as_mut_ptr()) };
        Ok((view, self.place()))
    }

    /// Syncs, then unmaps: reports what dropping the handle would pass over in silence.
    ///
    /// # Errors
    ///
    /// Those of [`sync`](SyncToDisk::sync); in mode `c` always, since the private changes end
    /// here (drop the handle if that is meant). The array is unmapped either way.
    pub fn close(self) -> Result<()> {
        self.sync()
    }
}

impl<A, D: Dimension> MmapArray<A, D> {
    /// Describes a part of the array as the pages it touches, to sync or read just those.
    ///
    /// `info` is what [`slice`](ArrayRef::slice) takes.
    ///
    /// # Panics
    ///
    /// Panics where `slice` does: if an index is out of bounds.
    pub fn region<I: SliceArg<D>>(&self, info: I) -> Region<'_> {
        let ranges = self.pages.touched(&Span::of(&self.view.slice(info)));
        Region::new(self.place(), ranges)
    }

    /// Returns where the elements are, without them.
    pub(crate) fn place(&self) -> Place<'_> {
        let Self { pages, mode, path, .. } = self;
        Place { pages, mode: *mode, offset: self.layout.offset(), path }
    }

    /// Returns what the file says of the array's length.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn set_source(&mut self, source: Source) {
        self.source = source;
    }

    /// Makes sure that rows have the shape of so many of the array along an axis.
    pub(crate) fn expect_rows(
        &self,
        axis: Axis,
        count: usize,
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        let mut expected = self.raw_dim();
        if let Some(length) = expected.slice_mut().get_mut(axis.index()) {
            *length = count;
        }
        if expected == rows.raw_dim() {
            return Ok(());
        }
        let (expected, found) = (expected.slice().to_vec(), rows.shape().to_vec());
        Err(Error::ShapeMismatch { expected, found })
    }

    /// Returns the pages, of which no view lives, what the file says of their length, and its
    /// path.
    pub(crate) fn parts_mut(&mut self) -> (&mut Pages, &mut Source, &Path) {
        (&mut self.pages, &mut self.source, &self.path)
    }

    /// Returns the pages, of which no view lives.
    pub(crate) fn pages_mut(&mut self) -> &mut Pages {
        &mut self.pages
    }

    /// Returns the mode that the array was opened in.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the path that the array was opened by; `None` if it was not by a path.
    pub fn path(&self) -> Option<&Path> {
        Some(self.path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    /// Returns the byte of the file at which the array begins.
    pub fn offset(&self) -> u64 {
        self.layout.offset()
    }

    /// Returns the place of the array in its file.
    pub fn layout(&self) -> &Layout<D> {
        &self.layout
    }
}

impl<A: Element, D: Dimension> SyncToDisk for MmapArray<A, D> {
    fn sync(&self) -> Result<()> {
        Region::new(self.place(), std::iter::once(0..self.layout.len()).collect()).sync()
    }
}

impl<A, D: Dimension> Deref for MmapArray<A, D> {
    type Target = ArrayRef<A, D>;

    #[inline]
    fn deref(&self) -> &ArrayRef<A, D> {
        &self.view
    }
}

impl<A, D: Dimension> fmt::Debug for MmapArray<A, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmapArray")
            .field("path", &self.path())
            .field("shape", &self.shape())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}
