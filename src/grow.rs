//! Arrays that grow with their files, and arrays that follow files which others grow.
#![expect(unsafe_code, reason = "a longer array is a view of more bytes")]

use std::cmp::Ordering;
use std::fs::File;
use std::io;
use std::path::Path;

use bytemuck::cast_slice;
use ndarray::{ArrayRef, Axis, Dimension, RemoveAxis, Slice};

use crate::file;
use crate::region::Place;
use crate::source::Source;
use crate::space::{self, Room};
use crate::{Advice, Element, Error, Layout, MmapArray, Mode, Result, address, pages};

/// Rows of fewer bytes are stored into pages, rows of more are written by the system.
///
/// A store costs a fault for each page, a write costs a call.
const SMALL: usize = 1 << 16;
/// How much of an array that has another order is put in order at a time.
const PIECE: usize = 1 << 20;
/// How much address space is reserved at least.
const LEAST_RESERVED: usize = 64 << 20;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Adds rows at the end of an axis, and to the file.
    ///
    /// In modes `r+`, `w+` and `x+`, along the slowest axis: the first in C order, the last in
    /// Fortran order. Takes what [`ndarray::Array::append`] takes, but for a reference in
    /// place of a view. Nothing is copied but the rows themselves, however long the array is.
    ///
    /// A raw file always ends with the last row. A `.npy` file counts the rows in its header,
    /// which is written after them, in one step; whoever opens the file at any moment, and if
    /// the program crashes at any moment, finds the old length or the new one. On ext4 and XFS
    /// that is true also of a crash of the machine. For that, and for speed, such a file is
    /// longer than its array meanwhile (by a hole; at most twice as long, or by 1 GiB), until
    /// [`sync`](crate::SyncToDisk::sync), `close` or drop, or if the process is killed until
    /// it grows again; and the first growth after one of these waits for the disk.
    ///
    /// Only one array may grow a file at a time; [`lock`](crate::MapOptions::lock) sees to
    /// that. Pages that are locked in memory may no longer be so afterwards.
    ///
    /// Nothing can be appended that borrows from the array itself; copy it first:
    ///
    /// ```compile_fail,E0502
    /// # use ndarray::Axis;
    /// # let mut a = ndarray_memmap::MapOptions::scratch::<f32, _>((10, 3)).unwrap();
    /// a.append(Axis(0), &a.view()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The array and its file stay as they were.
    ///
    /// - [`Error::ReadOnly`] in mode `r`, [`Error::PrivateChanges`] in mode `c`.
    /// - [`Error::AxisOutOfBounds`], and [`Error::NotSlowestAxis`] for another axis.
    /// - [`Error::NotInOrder`] if the array has strides of its own.
    /// - [`Error::ShapeMismatch`] if the rows have another shape than those of the array.
    /// - [`Error::TrailingBytes`] if the file goes on beyond the array. In a `.npy` file only
    ///   another array counts; what an append that was killed has left is overwritten.
    /// - [`Error::Replaced`] if somebody else has written the header of the `.npy` file.
    /// - [`NpyError::NoRoom`](crate::NpyError::NoRoom) if that header has no room for the new
    ///   length; [`npy::make_growable`](crate::npy::make_growable) makes some.
    /// - [`Error::NoSpace`] if the disk is full.
    /// - [`Error::TooLarge`], [`Error::Misaligned`], [`Error::FileTooShort`], [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, array};
    /// use ndarray_memmap::{SyncToDisk, npy};
    ///
    /// // SAFETY: nothing else touches the file while `log` lives.
    /// let mut log = unsafe { npy::create::<f64, _>(&path, (0, 3))? };
    /// log.push(Axis(0), &array![1.0, 2.0, 3.0])?;
    /// log.append(Axis(0), &array![[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])?;
    /// assert_eq!((log.nrows(), log.sum()), (3, 45.0));
    /// log.sync()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&mut self, axis: Axis, rows: &ArrayRef<A, D>) -> Result<()> {
        let fortran = self.growing_order(axis)?;
        let added = rows.len_of(axis);
        let mut expected = self.shape().to_vec();
        if let Some(length) = expected.get_mut(axis.index()) {
            *length = added;
        }
        if rows.shape() != expected {
            let found = rows.shape().to_vec();
            return Err(Error::ShapeMismatch { expected, found });
        }
        let count = self.len_of(axis).checked_add(added).ok_or(Error::TooLarge)?;
        let layout = self.layout().with_rows(fortran, count, align_of::<A>())?;
        if added == 0 {
            return Ok(());
        }
        let old = self.layout().clone();
        let is_small = layout.len().saturating_sub(old.len()) < SMALL;
        let is_provided = self.place().pages.tail.is_provided(layout.end());
        self.confirm(count, is_small && is_provided)?;
        let appended = self.append_as(layout, is_small, rows, axis);
        if appended.is_err() {
            self.retreat(old);
        }
        appended
    }

    /// Adds one row at the end of an axis, and to the file; see [`append`](Self::append).
    ///
    /// Takes what [`ndarray::Array::push`] takes, but for a reference in place of a view.
    ///
    /// # Errors
    ///
    /// Those of [`append`](Self::append).
    pub fn push(&mut self, axis: Axis, row: &ArrayRef<A, D::Smaller>) -> Result<()>
    where
        D: RemoveAxis,
    {
        let _ = self.growing_order(axis)?;
        let mut expected = self.shape().to_vec();
        let _ = expected.remove(axis.index());
        let mismatch = || {
            let (expected, found) = (expected.clone(), row.shape().to_vec());
            Error::ShapeMismatch { expected, found }
        };
        if row.shape() != expected {
            return Err(mismatch());
        }
        let row = row.view().insert_axis(axis).into_dimensionality::<D>();
        self.append(axis, &row.map_err(|_| mismatch())?)
    }

    /// Changes the length of an axis, and of the file: by zeros at its end, or by cutting off.
    ///
    /// Along the same axis as [`append`](Self::append) and with the same care. Space is
    /// reserved for what is added. What is cut off is lost; another array that has it mapped
    /// dies of `SIGBUS` when it looks there. On Windows a file that is mapped cannot be cut.
    ///
    /// # Errors
    ///
    /// Those of [`append`](Self::append), with the same array and file as before.
    pub fn resize(&mut self, axis: Axis, len: usize) -> Result<()> {
        let fortran = self.growing_order(axis)?;
        let layout = self.layout().with_rows(fortran, len, align_of::<A>())?;
        let old = self.len_of(axis);
        let path = self.place().path.to_owned();
        let pages = self.pages_mut();
        let trimmed = pages.file().map_or(Ok(()), |file| pages.tail.trim(file));
        trimmed.map_err(Error::io("cut", &path))?;
        self.confirm(len, false)?;
        match len.cmp(&old) {
            Ordering::Equal => Ok(()),
            Ordering::Greater => self.stretch(layout, len, &path),
            Ordering::Less => self.cut(layout, old, len, &path),
        }
    }

    /// Appends rows, for which the array is then to have a layout; undoes nothing.
    fn append_as(
        &mut self,
        layout: Layout<D>,
        is_small: bool,
        rows: &ArrayRef<A, D>,
        axis: Axis,
    ) -> Result<()> {
        let (from, end) = (self.layout().end(), layout.end());
        let (old, count) = (self.len_of(axis), layout_len(&layout, axis));
        let path = self.place().path.to_owned();
        let is_ahead = self.is_ahead();
        let pages = self.pages_mut();
        // If there is no room for more than these rows, there may be for them.
        let is_provided = is_ahead && pages.provide(from, end, &path).is_ok();
        let stores = is_small && is_provided;
        if let Some(file) = pages.file().filter(|_| !stores) {
            let written =
                space::check_limit(end).and_then(|()| write(file, rows, axis, from));
            written.map_err(space::refusal("extend", end, &path))?;
            if is_ahead && !is_provided {
                pages.write(&path, || file.sync_data())?;
            }
        }
        self.reserve(layout.len(), None, &path)?;
        // SAFETY: the file has been made as long as the layout, by zeros or by rows, which are
        // valid, and has been mapped so far; the layout is in order, so that it does not
        // overlap. The rest is as it was when the array was opened.
        unsafe { self.set_layout(layout) };
        self.pages_mut().tail.set_end(end);
        if stores {
            self.view_mut()?.slice_axis_mut(axis, Slice::from(old..)).assign(rows);
        }
        self.count(count, &path)
    }

    /// Adds zeros at the end, with space on the disk.
    fn stretch(&mut self, layout: Layout<D>, count: usize, path: &Path) -> Result<()> {
        let Some(file) = self.file(path)? else { return Ok(()) };
        let old = self.layout().clone();
        let room = Room::make(&file, old.end(), old.end(), layout.end(), false, path)?;
        self.reserve(layout.len(), None, path)?;
        if self.is_ahead() {
            self.pages_mut().write(path, || file.sync_data())?;
        }
        // SAFETY: as in `append_as`; zeros are valid.
        unsafe { self.set_layout(layout) };
        let counted = self.count(count, path);
        match &counted {
            Ok(()) => room.keep(),
            // SAFETY: this is how the array was.
            Err(_) => unsafe { self.set_layout(old) },
        }
        counted
    }

    /// Cuts rows off the end; the header, if any, is the first to know.
    fn cut(
        &mut self,
        layout: Layout<D>,
        old: usize,
        count: usize,
        path: &Path,
    ) -> Result<()> {
        let Some(file) = self.file(path)? else { return Ok(()) };
        self.count(count, path)?;
        let known = match self.is_ahead() {
            true => self.pages_mut().write(path, || file.sync_data()),
            false => Ok(()),
        };
        let cut = known
            .and_then(|()| file.set_len(layout.end()).map_err(Error::io("cut", path)));
        match &cut {
            // SAFETY: the layout is of fewer of the same bytes.
            Ok(()) => unsafe { self.set_layout(layout) },
            Err(_) => self.count(old, path)?,
        }
        cut
    }

    /// Returns whether the array is in Fortran order, if an axis can grow.
    fn growing_order(&self, axis: Axis) -> Result<bool> {
        match self.mode() {
            Mode::ReadOnly => return Err(Error::ReadOnly),
            Mode::CopyOnWrite => return Err(Error::PrivateChanges),
            Mode::ReadWrite | Mode::Create | Mode::CreateNew => {}
        }
        let (axis, ndim) = (axis.index(), self.ndim());
        let last = ndim.checked_sub(1).filter(|last| axis <= *last);
        let last = last.ok_or(Error::AxisOutOfBounds { axis, ndim })?;
        let known = match self.source() {
            Source::Header(header) => Some(header.is_fortran()),
            Source::Caller | Source::File => None,
        };
        let slowest = |fortran: &bool| if *fortran { last } else { 0 };
        let mut orders = [false, true].into_iter().filter(|fortran| {
            known.is_none_or(|known| known == *fortran)
                && self.layout().is_in_order(*fortran)
        });
        let first = orders.next().ok_or(Error::NotInOrder)?;
        let found = std::iter::once(first).chain(orders).find(|f| slowest(f) == axis);
        found.ok_or(Error::NotSlowestAxis { axis, slowest: slowest(&first) })
    }

    /// Tells whether the file may be longer than the array says it is.
    fn is_ahead(&self) -> bool {
        let pages = self.place().pages;
        let stores = || pages.file().is_some_and(space::stores_in_place);
        matches!(self.source(), Source::Header(_))
            && (pages.tail.reach().is_some() || stores())
    }

    /// Makes sure that the file is as this array has left it, and can have `count` rows.
    ///
    /// If nothing `but_the_count` is asked, the file itself is not looked at.
    fn confirm(&mut self, count: usize, but_the_count: bool) -> Result<()> {
        let (end, path) = (self.layout().end(), self.place().path);
        let Place { pages, .. } = self.place();
        if let Source::Header(header) = self.source() {
            header.check(count)?;
        }
        let Some(file) = pages.file().filter(|_| !but_the_count) else { return Ok(()) };
        let found = file::regular_len(file, path)?;
        let expected = pages.tail.reach().unwrap_or(end);
        if found < expected {
            return Err(Error::FileTooShort { needed: expected, found });
        }
        match self.source() {
            Source::Header(header) if pages.tail.reach().is_none() => {
                header.confirm(file, path, end)?;
                if found > end {
                    file.set_len(end).map_err(Error::io("cut", path))?;
                }
                Ok(())
            }
            _ if found > expected => Err(Error::TrailingBytes { end: expected, found }),
            _ => Ok(()),
        }
    }

    /// Sees to it that so many bytes of the file are mapped, and more to come.
    pub(crate) fn reserve(
        &mut self,
        len: usize,
        from: Option<&File>,
        path: &Path,
    ) -> Result<()> {
        let Place { pages, mode, offset, .. } = self.place();
        let Some(file) = from.or(pages.file()).filter(|_| pages.capacity() < len) else {
            return Ok(());
        };
        // Elsewhere a mapping does not always see that its file has grown.
        let far = if cfg!(target_os = "linux") {
            len.saturating_mul(2).max(LEAST_RESERVED)
        } else {
            len
        };
        let map = pages::map(file, offset, far, mode)
            .or_else(|_| pages::map(file, offset, len, mode))
            .map_err(Error::io("map", path))?;
        let start = map.as_mut_ptr().addr();
        if pages.advice() != Advice::Normal {
            // Advice changes speed only.
            let _ = address::advise(
                &(start..start.saturating_add(map.len())),
                pages.advice(),
            );
        }
        // SAFETY: the same bytes of the file are mapped again, and more.
        unsafe { self.remap(map) };
        Ok(())
    }

    /// Writes the number of rows, where a header has it.
    fn count(&mut self, count: usize, path: &Path) -> Result<()> {
        let end = self.layout().end();
        match self.pages_and_source() {
            (pages, Source::Header(header)) => {
                let Some(file) = pages.file() else { return Ok(()) };
                let written = header.write(file, count);
                written.map_err(space::refusal("write the header of", end, path))
            }
            _ => Ok(()),
        }
    }

    /// Goes back to a shorter array, and the file with it.
    fn retreat(&mut self, layout: Layout<D>) {
        let end = layout.end();
        // SAFETY: this is how the array was; the file is still longer.
        unsafe { self.set_layout(layout) };
        let pages = self.pages_mut();
        pages.tail.set_end(end);
        let reach = pages.tail.reach();
        // The error that led here is the one to report.
        let _ = pages.file().map(|file| match reach {
            Some(_) => pages.tail.trim(file),
            None => file.set_len(end),
        });
    }

    /// Returns the file once more, for what outlives a borrow of the array.
    fn file(&self, path: &Path) -> Result<Option<File>> {
        let file = self.place().pages.file().map(File::try_clone).transpose();
        file.map_err(Error::io("keep open", path))
    }
}

fn layout_len<D: Dimension>(layout: &Layout<D>, axis: Axis) -> usize {
    layout.shape().get(axis.index()).copied().unwrap_or(0)
}

/// Writes rows to a file from a byte on, in the order of an array that grows along `axis`.
fn write<A: Element, D: Dimension>(
    file: &File,
    rows: &ArrayRef<A, D>,
    axis: Axis,
    mut at: u64,
) -> io::Result<()> {
    let rows = if axis.index() == 0 { rows.view() } else { rows.view().reversed_axes() };
    if let Some(elements) = rows.as_slice() {
        return space::write_all_at(file, cast_slice(elements), at);
    }
    let row = rows.len().checked_div(rows.len_of(Axis(0))).unwrap_or(0);
    let count = PIECE.checked_div(row.saturating_mul(size_of::<A>())).unwrap_or(1);
    for piece in rows.axis_chunks_iter(Axis(0), count.max(1)) {
        let piece = piece.as_standard_layout();
        let bytes = cast_slice(piece.as_slice().unwrap_or_default());
        space::write_all_at(file, bytes, at)?;
        at = at.saturating_add(u64::try_from(bytes.len()).map_err(io::Error::other)?);
    }
    Ok(())
}
