//! Appends rows to an array and its file; knows no format of a header.

use std::{fs::File, io};

use bytemuck::{bytes_of, cast_slice};
use ndarray::{ArrayRef, Axis, Dimension, Order, RemoveAxis, Slice};

use super::row_count::{RowCount, RowHeader};
use super::{MmapArray, NewRows};
use crate::element::Element;
use crate::error::{AtPath, Error, ErrorKind, Result};
use crate::file::{self, FileEnd, allocate, mark};
use crate::layout::{Layout, check_axis};
use crate::mapping::Backing;
use crate::mode::Mode;
use crate::sys::mapped_atomic::WriteBy;
use crate::sys::{self, space};

/// Rows of fewer bytes are stored into mapped pages; larger rows are written by `write`.
///
/// A store costs a page fault for each page, a write costs a system call.
const SMALL: usize = 1 << 16;
/// The most bytes of rows that one step copies into the order of the array.
const PIECE: usize = 1 << 20;

/// How rows reach the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AppendPath {
    /// By stores into pages whose blocks are allocated.
    Store,
    /// By `write`. With `allocates`, the blocks are allocated first. With `syncs`, the rows are
    /// synced before the header counts them.
    Write { allocates: bool, syncs: bool },
}

impl AppendPath {
    /// Returns how the header gets its row count: by a store only after rows that were stored.
    fn write_by(self) -> WriteBy {
        if self == Self::Store { WriteBy::Store } else { WriteBy::Call }
    }
}

/// Which parts of the file are checked before it grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileCheck {
    /// The header only: the file is known to be long enough.
    Header,
    /// The header and the length.
    Whole,
}

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Appends rows along an axis to the array and its file.
    ///
    /// The mode must be `r+`, `w+`, `x+` or `a+`. The axis must be the outermost axis (axis 0 in C order,
    /// the last in Fortran order). The arguments are those of [`ndarray::Array::append`], with a
    /// reference in place of a view. Only the new rows are copied, whatever the length of the
    /// array.
    ///
    /// A raw file always ends with the last row. The header of a `.npy` file counts the rows, and
    /// is written after them, in one step. A process that opens the `.npy` file at any moment finds
    /// the old length or the new length, also if the program crashes. Two kinds of growth change
    /// more than one word of the header: the first growth of a header that NumPy wrote, and one
    /// every 100,000,000 rows. This crate then reads the header until it finds one of the two
    /// lengths; NumPy may have to read again.
    ///
    /// After a crash of the machine a `.npy` file opens too, on every file system: the file is at
    /// least as long as its header says. Synced rows are in the file. Rows that were not synced may
    /// be missing or zeros.
    ///
    /// For this guarantee, and for speed, the file is longer than its array until
    /// [`sync`](crate::MmapArray::sync), `close` or drop. Most of the additional bytes are a hole.
    /// The file is twice as long as the array, or longer by 1 GiB, whichever is larger. Where the
    /// file system has no holes, the file is longer by half its length, at least 1 MiB and at most
    /// 256 MiB. The first growth after a `sync`, a `close` or a drop waits for the disk. A file
    /// cannot be extended in advance on Windows, at a limit of file sizes, or on a full disk. Each
    /// growth then waits for the disk.
    ///
    /// # Bytes after the array
    ///
    /// A raw file must end with its array. In a `.npy` file, growth overwrites the bytes that a
    /// growing array left because its process was killed. The file then ends with a mark of 53
    /// bytes, or with a hole. With a hole, the length of the file is 0x9a3c7 modulo 1 MiB. Growth
    /// also overwrites a hole that was never written to, and 53 zeros at the end of the file.
    ///
    /// All other bytes after the array belong to the user: a second array, a pickle, the output of
    /// `tofile`. Growth of any kind then returns [`ErrorKind::TrailingBytes`]. Truncate the file to the
    /// [end](crate::Layout::end) of the array by [`File::set_len`](std::fs::File::set_len) to
    /// discard these bytes.
    ///
    /// # Other processes
    ///
    /// While an array grows, no other process may change the length of the file, by an append or by
    /// a truncation. [`lock`](crate::MapOptions::lock) excludes processes that lock the file too.
    /// Readers that reject bytes after the array must wait for `sync`. After a kill,
    /// [`resize`](Self::resize) to the current length truncates the file to the end of the array.
    /// Pages that were locked in memory may be unlocked after growth.
    ///
    /// The rows cannot borrow from the array itself; copy them first:
    ///
    /// ```compile_fail,E0502
    /// # use ndarray::Axis;
    /// # let mut a = ndarray_memmap::MapOptions::scratch::<f32, _>((10, 3)).unwrap();
    /// a.append(Axis(0), &a.view()).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// After an error the array and its file are as before.
    ///
    /// - [`ErrorKind::ReadOnly`] in mode `r`, [`ErrorKind::PrivateChanges`] in mode `c`.
    /// - [`ErrorKind::AxisOutOfBounds`], and [`ErrorKind::NotOutermostAxis`] for another axis.
    /// - [`ErrorKind::NotInOrder`] if the array has custom strides.
    /// - [`ErrorKind::ShapeMismatch`] if the shape of the rows does not match the array.
    /// - [`ErrorKind::TrailingBytes`] if the file continues after the array; see above.
    /// - [`ErrorKind::Replaced`] if the array detects that another process has written the header of
    ///   the `.npy` file. The array compares the header only at the first growth after a sync.
    /// - [`NpyErrorKind::NoRoom`](crate::NpyErrorKind::NoRoom) if the header of the `.npy` file has no
    ///   space for the new length. The error is the same if the number would cross a disk sector,
    ///   where a power cut could tear it. [`npy::make_growable`](crate::npy::make_growable)
    ///   reserves space.
    /// - [`ErrorKind::NoSpace`] if the disk is full.
    /// - [`ErrorKind::TooLarge`], [`ErrorKind::Misaligned`], [`ErrorKind::FileTooShort`], [`ErrorKind::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, arr0, array};
    /// use ndarray_memmap::{MapOptions, npy};
    ///
    /// // SAFETY: no other code uses the file while `log` lives.
    /// let mut log = unsafe { npy::create::<f64, _>(&path, (0, 3))? };
    /// log.push(Axis(0), &array![1.0, 2.0, 3.0])?;
    /// log.append(Axis(0), &array![[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])?;
    /// assert_eq!((log.nrows(), log.sum()), (3, 45.0));
    /// log.sync()?;
    ///
    /// // The rows of an array with one axis are single elements: arrays without axes.
    /// let mut times = MapOptions::scratch::<f64, _>(0)?;
    /// times.push(Axis(0), &arr0(0.5))?;
    /// assert_eq!(times.as_slice(), Some(&[0.5][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "extend")]
    pub fn append(&mut self, axis: Axis, rows: &ArrayRef<A, D>) -> Result<()> {
        // Rows with a dynamic number of axes may lack this axis.
        let count = rows.shape().get(axis.index()).copied().unwrap_or(1);
        let order = self.growing_order(axis);
        let checked = order.and_then(|order| {
            self.expect_rows(axis, count, rows)?;
            Ok(order)
        });
        let appended = checked.and_then(|order| self.append_rows(order, axis, rows));
        appended.at(&self.backing().path)
    }

    /// Appends one row along an axis to the array and its file; see [`append`](Self::append).
    ///
    /// The arguments are those of [`ndarray::Array::push`], with a reference in place of a view.
    ///
    /// # Errors
    ///
    /// The errors of [`append`](Self::append).
    #[doc(alias = "extend")]
    pub fn push(&mut self, axis: Axis, row: &ArrayRef<A, D::Smaller>) -> Result<()>
    where
        D: RemoveAxis,
    {
        let order = self.growing_order(axis).at(&self.backing().path)?;
        let expected = self.raw_dim().remove_axis(axis);
        let is_row = row.raw_dim() == expected;
        let rows = row.view().insert_axis(axis).into_dimensionality::<D>().ok();
        let Some(rows) = rows.filter(|_| is_row) else {
            let (expected, found) = (expected.slice().to_vec(), row.shape().to_vec());
            let mismatch = ErrorKind::ShapeMismatch { expected, found };
            return Err(mismatch.at(&self.backing().path));
        };
        let appended = self.append_rows(order, axis, &rows);
        appended.at(&self.backing().path)
    }

    /// Appends rows of the expected shape; after an error, array and file are as before.
    fn append_rows(
        &mut self,
        order: Order,
        axis: Axis,
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        let (old, added) = (self.len_of(axis), rows.len_of(axis));
        let count = old.checked_add(added).ok_or(ErrorKind::TooLarge)?;
        let layout = self.with_rows(order, count)?;
        if added == 0 {
            return Ok(());
        }
        let end = layout.end();
        let is_small = layout.byte_len().saturating_sub(self.layout().byte_len()) < SMALL;
        let backing = self.backing();
        let is_allocated = backing.preallocation.holds(end);
        let is_known = is_small && is_allocated && !backing.mapping.is_guarded();
        let check = if is_known { FileCheck::Header } else { FileCheck::Whole };
        let left_over = self.check_file(count, check)?;
        let append = || {
            self.finish_growth(left_over)?;
            self.reserve_early(layout.byte_len())?;
            let path = self.append_path(&layout, is_small)?;
            let written = self.write_appended(path, &layout, axis, rows)?;
            self.reserve(layout.byte_len(), None)?;
            self.relayout(layout, NewRows::Written(written))?;
            self.show_rows(path, axis, old, rows)?;
            self.write_row_count(count, path.write_by())
        };
        let appended = append();
        if appended.is_err() {
            self.revert(order, old, end);
        }
        appended
    }

    /// Chooses how rows reach the file, and extends the file for rows that a header counts.
    ///
    /// The header may reach the disk before the rows that it counts. The file is therefore extended
    /// first, also on disk. If the file cannot be extended, the rows are synced before the header
    /// counts them.
    fn append_path(&mut self, layout: &Layout<D>, is_small: bool) -> Result<AppendPath> {
        let (from, end) = (self.layout().end(), layout.end());
        let counts = self.has_header();
        let backing = self.backing_mut();
        let mut is_extended =
            counts && backing.could_extend(|backing| backing.extend_ahead(from, end))?;
        let allocated = if is_extended { backing.allocate_ahead(end) } else { Ok(()) };
        if allocated.as_ref().is_err_and(space::is_full) {
            // The folio at the end of the array must have no holes: a later store into an old row
            // would need their blocks. The mark then follows the rows directly.
            backing.truncate()?;
            is_extended =
                backing.could_extend(|backing| backing.extend_exactly(from, end))?;
        }
        if counts && !is_extended {
            // A failed write beyond an earlier extension could not be undone.
            backing.truncate()?;
        }
        let is_allocated = is_extended && allocated.is_ok();
        Ok(match is_small && is_allocated {
            true => AppendPath::Store,
            false => AppendPath::Write {
                allocates: !is_small && !is_allocated,
                syncs: counts && !is_extended,
            },
        })
    }

    /// Writes rows after the array unless `path` stores them later; returns the end of the file.
    fn write_appended(
        &self,
        path: AppendPath,
        layout: &Layout<D>,
        axis: Axis,
        rows: &ArrayRef<A, D>,
    ) -> Result<FileEnd> {
        let (from, end) = (self.layout().end(), layout.end());
        let backing = self.backing();
        let Some(file) = &backing.file else { return Ok(FileEnd::default()) };
        let AppendPath::Write { allocates, syncs } = path else {
            return Ok(backing.preallocation.file_end());
        };
        let written = sys::check_limit(end)
            .and_then(|()| match allocates {
                true => space::fill_holes(file, from..end),
                false => Ok(()),
            })
            .and_then(|()| write(file, rows, axis, from));
        let written = written.map_err(allocate::refusal("extend", end, &backing.path))?;
        if syncs {
            backing.sync_data()?;
        }
        Ok(written)
    }

    /// Makes the array show appended rows: stores the rows, or compares them with the mapping where
    /// a mapping may not show a `write`.
    ///
    /// Rows that the mapping already shows are not stored, because a store writes the page again.
    fn show_rows(
        &mut self,
        path: AppendPath,
        axis: Axis,
        old: usize,
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        if path != AppendPath::Store && self.backing_mut().file_system().is_coherent {
            return Ok(());
        }
        let mut added = self.view_mut()?;
        added.slice_axis_inplace(axis, Slice::from(old..));
        match path {
            AppendPath::Store => added.zip_mut_with(rows, |to, from| *to = *from),
            AppendPath::Write { .. } => added.zip_mut_with(rows, |to, from| {
                if bytes_of(to) != bytes_of(from) {
                    *to = *from;
                }
            }),
        }
        self.backing().intact()
    }

    /// Returns the memory order of the array; an error if `axis` cannot grow.
    pub(super) fn growing_order(&self, axis: Axis) -> Result<Order> {
        self.backing().intact()?;
        match self.mode() {
            Mode::ReadOnly => {
                let refused = Error::from(ErrorKind::ReadOnly);
                return Err(refused.with_way_out("mode `r+` and mode `a+` can grow"));
            }
            Mode::CopyOnWrite => {
                let refused = Error::from(ErrorKind::PrivateChanges);
                return Err(refused.with_way_out("mode `r+` and mode `a+` can grow"));
            }
            Mode::ReadWrite | Mode::Create | Mode::CreateNew | Mode::Append => {}
        }
        check_axis(axis, self.ndim())?;
        let known = match self.row_count() {
            RowCount::Header(header) => Some(header.order()),
            RowCount::Fixed | RowCount::FileLength => None,
            RowCount::Window => return Err(ErrorKind::WindowGrows.into()),
        };
        self.layout().order_along(axis, known)
    }

    /// Fails unless the file is as this array left it, and can have `count` rows.
    ///
    /// Returns the length of the file if an earlier growth has left bytes after the array.
    pub(super) fn check_file(
        &self,
        count: usize,
        check: FileCheck,
    ) -> Result<Option<u64>> {
        let end = self.layout().end();
        let Backing { file, path, preallocation, .. } = self.backing();
        let Some(file) = file else { return Ok(None) };
        if let RowCount::Header(header) = self.row_count() {
            header.check(file, path, count)?;
        }
        if check == FileCheck::Header {
            return Ok(None);
        }
        let found = file::regular_len(file, path)?;
        let expected = preallocation.file_len().unwrap_or(end);
        if found < expected {
            return Err(ErrorKind::FileTooShort { expected, found }.into());
        }
        let is_left_over = match self.row_count() {
            RowCount::Header(header) if preallocation.file_len().is_none() => {
                header.confirm(file, path)?;
                found > end
                    && (self.is_part_of_row(header.as_ref(), found)
                        || mark::is_left_over(file, end, found)
                            .map_err(Error::io("read", path))?)
            }
            _ => false,
        };
        match found > expected && !is_left_over {
            true => Err(ErrorKind::TrailingBytes { end: expected, found }.into()),
            false => Ok(is_left_over.then_some(found)),
        }
    }

    /// Returns whether the bytes after the whole rows are a part of a row that the header counts.
    fn is_part_of_row(&self, header: &dyn RowHeader, found: u64) -> bool {
        let order = header.order();
        let rows = self.layout().rows(order);
        let one_more = self.layout().with_rows(order, rows.saturating_add(1), 1);
        header.count() > rows && one_more.is_ok_and(|one_more| found < one_more.end())
    }
}

/// Writes rows to a file at byte `at`, in the order of an array that grows along `axis`.
fn write<A: Element, D: Dimension>(
    file: &File,
    rows: &ArrayRef<A, D>,
    axis: Axis,
    at: u64,
) -> io::Result<FileEnd> {
    let rows = if axis.index() == 0 { rows.view() } else { rows.view().reversed_axes() };
    if let Some(elements) = rows.as_slice() {
        return FileEnd::write(file, cast_slice(elements), at);
    }
    let row = rows.len().checked_div(rows.len_of(Axis(0))).unwrap_or(0);
    let count = PIECE.checked_div(row.saturating_mul(size_of::<A>())).unwrap_or(1);
    let mut end = FileEnd::write(file, &[], at)?;
    for piece in rows.axis_chunks_iter(Axis(0), count.max(1)) {
        let piece = piece.as_standard_layout();
        let bytes = cast_slice(piece.as_slice().unwrap_or_default());
        end = FileEnd::write(file, bytes, end.byte())?;
    }
    Ok(end)
}
