//! The handle that owns a mapping and derefs to an array; does not know how the file was opened.
#![expect(unsafe_code, reason = "the handle makes views of the bytes that it owns")]

mod append;
mod changes;
mod commit;
#[cfg(feature = "sigbus-guard")]
mod fault;
mod ops;
mod properties;
mod refresh;
mod region;
mod resize;
mod row_count;
mod traits;

pub use region::{Region, SyncToDisk};
use row_count::{NewRows, RowsLayout};
pub(crate) use row_count::{RowCount, RowHeader};

use std::ops::{Deref, Range};
use std::{fs::File, io, marker::PhantomData, slice};

use memmap2::MmapRaw;
use ndarray::{
    ArrayRef, ArrayView, ArrayViewMut, Axis, Dimension, Ix1, Ix2, Ix3, Ix4, Ix5, Ix6,
    IxDyn, Order, SliceArg,
};

use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::file::{self, FileEnd, FileSnapshot};
use crate::layout::{Footprint, Layout, check, invalid_element, view_at, view_mut_at};
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys::{self, map};

/// Owns the mapping of a file, and derefs to the array in the file.
///
/// The target is ndarray's [`ArrayRef`]. Indexing, slicing, iteration, reductions and every
/// function that takes `&ArrayRef<A, D>` work on the handle. [`view_mut`](Self::view_mut) returns a
/// view that can change the array. [`MapOptions`](crate::MapOptions) opens the array, and a drop
/// unmaps it. After a drop the kernel decides when to write changes to disk.
/// [`sync`](Self::sync) and [`close`](Self::close) make changes durable.
///
/// The handle does not implement `DerefMut`, because `DerefMut` would let callers reshape the array
/// or swap it with another.
///
/// | if the compiler says | write |
/// |---|---|
/// | `DerefMut` is required, for `a.fill(1.0)` or `a[0] = 1.0` | `a.view_mut()?.fill(1.0)`, `a.view_mut()?[0] = 1.0` |
/// | temporary value dropped, for `a.view_mut()?.slice_mut(..)` | `let mut w = a.view_mut()?;` first |
/// | expected `&ArrayBase<OwnedRepr…>`, found `&MmapArray` | `&ArrayRef2<f64>` as the type of the parameter, or pass `&a.to_owned()`, which copies |
/// | expected `ArrayBase<ViewRepr…>`, found `MmapArray` | `a.view()` |
/// | the parameter type `A` may not live long enough | the bound `A: Element`, or `A: 'static` |
/// | no method `clone` | `a.to_owned()`, which copies |
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
/// assert_eq!(&a * &Array2::<f64>::eye(2), array![[1.0, 0.0], [0.0, 4.0]]);
/// assert_eq!(2.0 * &a, &a + &a);
/// assert_eq!(a.dot(&a), array![[7.0, 10.0], [15.0, 22.0]]);
/// assert_eq!(a.to_string(), "[[1, 2],\n [3, 4]]");
/// # Ok::<(), ndarray_memmap::Error>(())
/// ```
pub struct MmapArray<A: 'static = u8, D = Ix1> {
    /// Points into `backing`. The lifetime is `'static` only here: no borrow of the view outlives
    /// `self`.
    view: ArrayView<'static, A, D>,
    backing: Backing,
    layout: Layout<D>,
    row_count: RowCount,
    /// The owner of the handle can take and replace elements.
    elements: PhantomData<A>,
}

/// The minimum of address space to reserve for a growing array, if that much is available.
const LEAST_RESERVED: usize = 64 << 20;

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
/// A mapped array whose number of axes is known only at run time.
pub type MmapArrayD<A> = MmapArray<A, IxDyn>;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Makes the handle from a backing and the layout of the array in the backing.
    ///
    /// # Safety
    ///
    /// 1. `check` has passed for `A`, `layout` and the bytes of the mapping. The mapping has as
    ///    many bytes as the layout.
    /// 2. While the handle exists, no other code changes these bytes. While a view for writing
    ///    exists, no other code reads them.
    /// 3. If the mode is mutable, the bytes can be written and the layout does not overlap.
    pub(crate) unsafe fn new(backing: Backing, layout: Layout<D>) -> Self {
        // SAFETY: conditions 1 and 2. The bytes keep their address until `self` is dropped, and
        // `deref` lends the view no longer than `self` exists.
        let view = unsafe { view_at(&layout, backing.mapping.as_mut_ptr()) };
        let row_count = RowCount::Fixed;
        Self { view, backing, layout, row_count, elements: PhantomData }
    }

    /// Replaces the mapping by `map`; no view exists.
    ///
    /// # Safety
    ///
    /// `map` begins with the elements of the same file, mapped in the same way, and has no fewer
    /// bytes.
    pub(crate) unsafe fn remap(&mut self, map: MmapRaw) -> Result<()> {
        // SAFETY: the caller's condition; `view` is replaced below.
        unsafe { self.backing.remap(map)? };
        // SAFETY: conditions 1 and 2 of `new` hold for the same bytes at another address.
        self.view = unsafe { view_at(&self.layout, self.backing.mapping.as_mut_ptr()) };
        Ok(())
    }

    /// Maps the file of a private mapping again, through a descriptor that was opened later; no
    /// view exists.
    ///
    /// The new mapping has no private changes. In these cases the call fails, and the old mapping
    /// stays:
    ///
    /// - The descriptor refers to another file.
    /// - The two mappings differ in one of the ranges `shown`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Replaced`], [`ErrorKind::FileTooShort`], [`ErrorKind::InvalidElement`], [`ErrorKind::Io`].
    pub(crate) fn map_again(
        &mut self,
        file: &File,
        shown: &[Range<usize>],
    ) -> Result<()> {
        let (end, len) = (self.layout.end(), self.layout.byte_len());
        let Backing { path, snapshot, advice, .. } = &self.backing;
        let metadata = file::regular(file, path)?;
        if FileSnapshot::of(&metadata).id() != snapshot.id() {
            return Err(ErrorKind::Replaced.at(path));
        }
        FileEnd::of(&metadata).check(end)?;
        if self.layout.is_empty() {
            return Ok(());
        }
        let map = map::map(file, self.backing.offset(), len, Mode::CopyOnWrite);
        let map = map.map_err(self.backing.io("map"))?;
        map::advise_all(&map, *advice);
        let start = map.as_mut_ptr();
        for range in shown {
            let here = start.addr().saturating_add(range.start)
                ..start.addr().saturating_add(range.end);
            // An unreadable page is an error here. A later access would raise a bus error.
            sys::populate(&here).map_err(self.backing.io("read"))?;
        }
        // SAFETY: the mapping has `len` bytes, and the file extends to their end. The caller of
        // `open` keeps all other code from changing these bytes.
        let bytes = unsafe { slice::from_raw_parts(start, len) };
        for range in shown {
            let before = self.backing.mapping.bytes(range);
            let before = before.map_err(Error::io("read", &self.backing.path))?;
            if bytes.get(range.clone()) != Some(before) {
                let stale =
                    io::Error::other("a new mapping does not show what was written");
                return Err(self.backing.io("map")(stale));
            }
        }
        check::<A, D>(&self.layout, bytes)?;
        // SAFETY: the new mapping has the same number of bytes, and `check` accepts them as
        // elements. The bytes belong to the same file, for which the caller of `open` keeps the
        // contract.
        unsafe { self.remap(map) }
    }

    /// Returns the layout of this array with another number of rows.
    fn with_rows(&self, order: Order, count: usize) -> Result<RowsLayout<D>> {
        let layout = self.layout.with_rows(order, count, align_of::<A>())?;
        Ok(RowsLayout { order, count, layout })
    }

    /// Changes the number of rows; no view exists.
    ///
    /// Checks what more rows require: that the mapping holds them, that the file extends to their
    /// end, and that rows which this array has not written are elements. After an error the array
    /// is as before.
    fn relayout(&mut self, new: RowsLayout<D>, rows: NewRows) -> Result<()> {
        let RowsLayout { order, layout, .. } = new;
        if layout.byte_len() > self.layout.byte_len() {
            rows.end().check(layout.end())?;
            if self.backing.mapping.capacity() < layout.byte_len() {
                return Err(self.backing.io("map")(io::ErrorKind::InvalidInput.into()));
            }
            if matches!(rows, NewRows::Found(_)) {
                self.check_added(order, &layout)?;
                self.backing.intact()?;
            }
        }
        self.backing.mapping.set_len(layout.byte_len());
        self.backing.preallocation.set_end(layout.end());
        // SAFETY: `with_rows` leaves the old rows at the same bytes. The file and the mapping hold
        // the added rows. They are elements: they were checked, or this array has written them.
        // The caller of `open` keeps other code from changing them. Rows in C or Fortran order do
        // not overlap.
        self.view = unsafe { view_at(&layout, self.backing.mapping.as_mut_ptr()) };
        self.layout = layout;
        Ok(())
    }

    /// Checks the elements of a longer layout that the array does not show yet.
    fn check_added(&mut self, order: Order, layout: &Layout<D>) -> Result<()> {
        let (old, count) = (self.layout.byte_len(), self.layout.count());
        let added = layout.rows(order).saturating_sub(self.layout.rows(order));
        let added = layout.with_rows(order, added, 1)?;
        let Backing { mapping, path, .. } = &mut self.backing;
        mapping.set_len(layout.byte_len());
        let bytes = mapping.bytes(&(old..layout.byte_len()));
        let checked = bytes.map_err(Error::io("read", path)).and_then(|bytes| {
            check::<A, D>(&added, bytes).map_err(|error| match error.kind() {
                ErrorKind::InvalidElement { index } => {
                    invalid_element::<A>(index.saturating_add(count))
                }
                _ => error,
            })
        });
        mapping.set_len(old);
        checked
    }

    /// Maps at least `len` bytes of the file, and address space for later rows.
    ///
    /// `from` is a descriptor of the same file. If given, it is mapped instead of the array's own
    /// file.
    fn reserve(&mut self, len: usize, from: Option<&File>) -> Result<()> {
        let (mode, offset) = (self.backing.mode(), self.backing.offset());
        let Backing { mapping, file, advice, .. } = &self.backing;
        let short = file.as_ref().filter(|_| mapping.capacity() < len);
        let Some(file) = from.or(short) else { return Ok(()) };
        let map = |ahead: usize| map::map(file, offset, len.saturating_add(ahead), mode);
        let map = match sys::MAPS_BEYOND_END {
            true => map(len.max(LEAST_RESERVED))
                .or_else(|_| map(LEAST_RESERVED))
                .or_else(|_| map(0)),
            false => map(0),
        };
        let map = map.map_err(self.backing.io("map"))?;
        map::advise_all(&map, *advice);
        // SAFETY: the mapping begins with the same bytes of the file, and has no fewer bytes.
        unsafe { self.remap(map) }
    }

    /// Returns a view for reading and writing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ReadOnly`] in mode `r`.
    pub fn view_mut(&mut self) -> Result<ArrayViewMut<'_, A, D>> {
        self.view_and_backing().map(|(view, _)| view)
    }

    /// Returns a view for writing, and the backing, which gives no access to elements.
    pub(crate) fn view_and_backing(
        &mut self,
    ) -> Result<(ArrayViewMut<'_, A, D>, &Backing)> {
        if !self.backing.mode().is_mutable() {
            let refused = ErrorKind::ReadOnly.at(&self.backing.path);
            return Err(match self.backing.mapping.is_copy() {
                true => refused.with_way_out("load the file in mode `c`"),
                false => refused,
            });
        }
        // SAFETY: conditions 1 to 3 of `new`. `self` is borrowed mutably, so no view from `deref`
        // or from an earlier call exists.
        let view =
            unsafe { view_mut_at(&self.layout, self.backing.mapping.as_mut_ptr()) };
        Ok((view, &self.backing))
    }

    /// Writes the changes of the array to disk, and returns when they are durable.
    ///
    /// After a successful call the changes and the length of the file survive a power cut. In mode
    /// `r` the call does nothing and returns `Ok`. [`doc::durability`](crate::doc::durability) says
    /// what holds where.
    ///
    /// # Errors
    ///
    /// - [`ErrorKind::PrivateChanges`] in mode `c`: only [`commit`](Self::commit) writes private
    ///   changes to the file.
    /// - [`ErrorKind::Io`] if the disk does not accept the changes, of which some may be lost. The
    ///   kernel reports a failed write only once: from then on every sync of this handle is
    ///   [`ErrorKind::Poisoned`]. On Linux a forked child and its parent share this state,
    ///   whichever process got the error first. If one of them is killed during a sync, the sync
    ///   counts as failed.
    /// - [`ErrorKind::FileTooShort`] if another process has truncated the file: stores beyond the
    ///   new end are lost. The error is [`ErrorKind::Faulted`] if the array is guarded. Every later
    ///   sync is `Poisoned` too.
    #[doc(alias = "flush")]
    #[doc(alias = "msync")]
    pub fn sync(&self) -> Result<()> {
        self.whole().sync()
    }

    /// Returns all pages of the array.
    fn whole(&self) -> Region<'_> {
        let all = 0..self.layout.byte_len();
        Region::new(&self.backing, std::iter::once(all).collect())
    }

    /// Syncs and unmaps the array, and reports the errors that a drop ignores.
    ///
    /// # Errors
    ///
    /// The errors of [`sync`](Self::sync). Mode `c` always returns an error, because
    /// unmapping discards the private changes (drop the handle to discard them). The array is
    /// unmapped in every case.
    pub fn close(self) -> Result<()> {
        self.sync()
    }
}

impl<A, D: Dimension> MmapArray<A, D> {
    /// Returns the pages that a part of the array touches, to sync or read only these pages.
    ///
    /// `info` is the argument of [`slice`](ArrayRef::slice).
    ///
    /// # Panics
    ///
    /// Panics if an index is out of bounds, as `slice` does.
    pub fn region<I: SliceArg<D>>(&self, info: I) -> Region<'_> {
        let ranges = self.backing.mapping.touched(&Footprint::of(&self.view.slice(info)));
        Region::new(&self.backing, ranges)
    }

    /// Returns the mapping, the file and their state: everything except the elements.
    pub(crate) fn backing(&self) -> &Backing {
        &self.backing
    }

    /// Returns the mapping, the file and their state; no view exists.
    pub(crate) fn backing_mut(&mut self) -> &mut Backing {
        &mut self.backing
    }

    /// Returns what determines the number of rows.
    pub(crate) fn row_count(&self) -> &RowCount {
        &self.row_count
    }

    pub(crate) fn set_row_count(&mut self, row_count: RowCount) {
        self.row_count = row_count;
    }

    /// Fails unless `rows` has the shape of `count` rows of the array along `axis`.
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
        Err(ErrorKind::ShapeMismatch { expected, found }.at(&self.backing.path))
    }
}

impl<A, D: Dimension> Deref for MmapArray<A, D> {
    type Target = ArrayRef<A, D>;

    #[inline]
    fn deref(&self) -> &ArrayRef<A, D> {
        &self.view
    }
}
