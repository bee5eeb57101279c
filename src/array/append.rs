//! Arrays that grow with their files: what may grow, and by what.

use std::cmp::Ordering;

use ndarray::{ArrayRef, Axis, Dimension, RemoveAxis};

use crate::array::MmapArray;
use crate::array::region::Place;
use crate::array::row_count::{Count, Source};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file;
use crate::file::mark;
use crate::layout::check_axis;
use crate::mode::Mode;

/// Rows of fewer bytes are stored into pages, rows of more are written by the system.
///
/// A store costs a fault for each page, a write costs a call.
const SMALL: usize = 1 << 16;

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Adds rows at the end of an axis, and to the file.
    ///
    /// In modes `r+`, `w+` and `x+`, along the slowest axis: the first in C order, the last in
    /// Fortran order. Takes what [`ndarray::Array::append`] takes, but for a reference in
    /// place of a view. Nothing is copied but the rows themselves, however long the array is.
    ///
    /// A raw file always ends with the last row. A `.npy` file counts the rows in its header,
    /// which is written after them, in one step; whoever opens the file at any moment, and if
    /// the program crashes at any moment, finds the old length or the new one. (Only the first
    /// growth of a header that NumPy wrote, and each 100,000,000 rows, change more than one
    /// word; this crate reads until it has one or the other, NumPy may have to read again.)
    ///
    /// After a crash of the machine the file opens too, on every file system: it is as long as its
    /// header says. Rows that were synced are there. Rows that were not synced may be missing, or
    /// zeros. For that, and for speed, the file is longer than its array (by a hole; at most twice
    /// as long, or by 1 GiB; where the file system has no holes, by at most 1 MiB or half) until
    /// [`sync`](crate::SyncToDisk::sync), `close` or drop. The first growth after one of these
    /// waits for the disk. Where the file cannot be longer (on Windows, at a limit of file sizes,
    /// on a full disk), each growth does.
    ///
    /// # What lies behind an array
    ///
    /// In a raw file nothing may. In a `.npy` file growth overwrites what an array that grew has
    /// left over, if its process was killed: the file then ends with a mark of 53 bytes that says
    /// so, or with a hole at a length that is 0x9a3c7 modulo 1 MiB. It overwrites a hole that nothing
    /// was ever written to, and 53 zeros at the end of the file. All other bytes belong to the
    /// user (a second array, a pickle, the output of `tofile`), and growth of any kind is
    /// [`Error::TrailingBytes`]. To go on without them, truncate the file to the
    /// [end](crate::Layout::end) of the array by [`File::set_len`](std::fs::File::set_len).
    ///
    /// # Other processes
    ///
    /// While an array grows, no other process may change the length of the file, be it to append
    /// to it or to truncate it; [`lock`](crate::MapOptions::lock) keeps those out that lock as
    /// well. Readers that want the file to end with its array, as some other crates do, have to
    /// wait for `sync`; [`resize`](Self::resize) to the length that it has makes it end so after a
    /// kill. Pages that are locked in memory may no longer be so afterwards.
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
    /// - [`Error::TrailingBytes`] if the file goes on beyond the array; see above.
    /// - [`Error::Replaced`] if another process has written the header of the `.npy` file, and the
    ///   array notices: it compares the header at the first growth after a sync only.
    /// - [`NpyError::NoRoom`](crate::NpyError::NoRoom) if that header has no room for the new
    ///   length, or only room that crosses a sector of the disk, of which a power cut may leave
    ///   one half; [`npy::make_growable`](crate::npy::make_growable) makes some.
    /// - [`Error::NoSpace`] if the disk is full.
    /// - [`Error::TooLarge`], [`Error::Misaligned`], [`Error::FileTooShort`], [`Error::Io`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("log.npy");
    /// use ndarray::{Axis, arr0, array};
    /// use ndarray_memmap::{MapOptions, SyncToDisk, npy};
    ///
    /// // SAFETY: nothing else touches the file while `log` lives.
    /// let mut log = unsafe { npy::create::<f64, _>(&path, (0, 3))? };
    /// log.push(Axis(0), &array![1.0, 2.0, 3.0])?;
    /// log.append(Axis(0), &array![[4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])?;
    /// assert_eq!((log.nrows(), log.sum()), (3, 45.0));
    /// log.sync()?;
    ///
    /// // Of one axis the rows are single elements, in arrays of none.
    /// let mut times = MapOptions::scratch::<f64, _>(0)?;
    /// times.push(Axis(0), &arr0(0.5))?;
    /// assert_eq!(times.as_slice(), Some(&[0.5][..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append(&mut self, axis: Axis, rows: &ArrayRef<A, D>) -> Result<()> {
        let fortran = self.growing_order(axis)?;
        // Rows of a type without a number of axes may lack this one.
        let count = rows.shape().get(axis.index()).copied().unwrap_or(1);
        self.expect_rows(axis, count, rows)?;
        self.append_in(fortran, axis, rows)
    }

    /// Appends rows that fit to an array whose order is known.
    fn append_in(
        &mut self,
        fortran: bool,
        axis: Axis,
        rows: &ArrayRef<A, D>,
    ) -> Result<()> {
        let added = rows.len_of(axis);
        let count = self.len_of(axis).checked_add(added).ok_or(Error::TooLarge)?;
        let layout = self.layout().with_rows(fortran, count, align_of::<A>())?;
        if added == 0 {
            return Ok(());
        }
        let old = self.layout().clone();
        let is_small = layout.len().saturating_sub(old.len()) < SMALL;
        let Place { pages, .. } = self.place();
        let is_provided = pages.tail.is_provided(layout.end()) && !pages.is_guarded();
        let left_over = self.confirm(count, is_small && is_provided)?;
        let reached = layout.end();
        let appended = self
            .begin(left_over)
            .and_then(|()| self.append_as(layout, count, is_small, rows, axis));
        if appended.is_err() {
            self.retreat(old, reached);
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
        let fortran = self.growing_order(axis)?;
        let expected = self.raw_dim().remove_axis(axis);
        let mismatch = || {
            let (expected, found) = (expected.slice().to_vec(), row.shape().to_vec());
            Error::ShapeMismatch { expected, found }
        };
        if row.raw_dim() != expected {
            return Err(mismatch());
        }
        let row = row.view().insert_axis(axis).into_dimensionality::<D>();
        self.append_in(fortran, axis, &row.map_err(|_| mismatch())?)
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
        let left_over = self.confirm(len, false)?;
        match len.cmp(&old) {
            Ordering::Equal => self.begin(left_over).and_then(|()| self.trim()),
            Ordering::Greater => {
                self.begin(left_over)?;
                self.stretch(layout, len)
            }
            Ordering::Less => {
                self.begin(left_over)?;
                self.cut(layout, old, len)
            }
        }
    }

    /// Returns whether the array is in Fortran order, if an axis can grow.
    fn growing_order(&self, axis: Axis) -> Result<bool> {
        self.place().pages.intact()?;
        match self.mode() {
            Mode::ReadOnly => return Err(Error::ReadOnly),
            Mode::CopyOnWrite => return Err(Error::PrivateChanges),
            Mode::ReadWrite | Mode::Create | Mode::CreateNew => {}
        }
        check_axis(axis, self.ndim())?;
        let known = match self.source() {
            Source::Header(header) => Some(header.is_fortran()),
            Source::Caller | Source::File => None,
            Source::Window => return Err(Error::WindowGrows),
        };
        self.layout().order_along(axis, known)
    }

    /// Makes sure that the file is as this array has left it, and can have `count` rows.
    ///
    /// If nothing `but_the_count` is asked, the file itself is not looked at. Returns the length
    /// of a file that has something left over beyond the array.
    fn confirm(&self, count: usize, but_the_count: bool) -> Result<Option<u64>> {
        let end = self.layout().end();
        let Place { pages, path, .. } = self.place();
        let Some(file) = pages.file() else { return Ok(None) };
        if let Source::Header(header) = self.source() {
            header.check(file, path, count)?;
        }
        if but_the_count {
            return Ok(None);
        }
        let found = file::regular_len(file, path)?;
        let expected = pages.tail.reach().unwrap_or(end);
        if found < expected {
            return Err(Error::FileTooShort { needed: expected, found });
        }
        let is_left_over = match self.source() {
            Source::Header(header) if pages.tail.reach().is_none() => {
                header.confirm(file, path)?;
                found > end
                    && (self.is_part_of_row(header.as_ref(), found)
                        || mark::is_left_over(file, end, found)
                            .map_err(Error::io("read", path))?)
            }
            _ => false,
        };
        match found > expected && !is_left_over {
            true => Err(Error::TrailingBytes { end: expected, found }),
            false => Ok(is_left_over.then_some(found)),
        }
    }

    /// Tells whether what a file has beyond whole rows is a part of one that its header counts.
    fn is_part_of_row(&self, header: &dyn Count, found: u64) -> bool {
        let fortran = header.is_fortran();
        let rows = self.layout().rows(fortran);
        let one_more = self.layout().with_rows(fortran, rows.saturating_add(1), 1);
        header.count() > rows && one_more.is_ok_and(|one_more| found < one_more.end())
    }
}
