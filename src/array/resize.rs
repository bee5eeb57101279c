//! How an array becomes longer or shorter: its file, its mapping, its header.
#![expect(unsafe_code, reason = "a longer array is a view of more bytes")]

use std::fs::File;
use std::io;

use bytemuck::{bytes_of, cast_slice};
use ndarray::{ArrayRef, Axis, Dimension, Slice};

use crate::array::MmapArray;
use crate::array::region::Place;
use crate::array::row_count::Source;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::allocate;
use crate::file::allocate::Room;
use crate::file::zeros::is_zero;
use crate::layout::Layout;
use crate::mapping;

/// How much of an array that has another order is put in order at a time.
const PIECE: usize = 1 << 20;
/// How much address space is reserved ahead at least, if there is that much.
const LEAST_RESERVED: usize = 64 << 20;
/// Whether pages can be mapped before the file has them.
///
/// Elsewhere a mapping does not always see that its file has grown.
const MAPS_AHEAD: bool = cfg!(target_os = "linux");

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Makes the file end with the array, and its header count the rows of the array.
    ///
    /// `left_over` is the length of a file that goes on beyond the array.
    pub(crate) fn begin(&mut self, left_over: Option<u64>) -> Result<()> {
        let end = self.layout().end();
        if let Source::Header(header) = self.source() {
            let rows = self.layout().rows(header.is_fortran());
            if header.count() != rows {
                self.count(rows, false)?;
                let Place { pages, path, .. } = self.place();
                pages.sync_data(path)?;
            }
        }
        let Some(found) = left_over else { return Ok(()) };
        let Place { pages, path, .. } = self.place();
        let cut = pages.file().map(|file| allocate::cut_back(file, end, found));
        cut.unwrap_or(Ok(())).map_err(Error::io("cut", path))
    }

    /// Appends rows, for which the array is then to have a layout; undoes nothing.
    ///
    /// The header may come to disk before the rows that it counts. Therefore the file is made so
    /// long that it has them, and is so on disk, before they are counted; where it cannot be made
    /// longer than they need, they are on disk themselves.
    pub(crate) fn append_as(
        &mut self,
        layout: Layout<D>,
        count: usize,
        is_small: bool,
        rows: &ArrayRef<A, D>,
        axis: Axis,
    ) -> Result<()> {
        let (from, end) = (self.layout().end(), layout.end());
        let old = self.len_of(axis);
        let counts = self.has_header();
        if MAPS_AHEAD {
            // What can be refused is refused before the file shows new rows to others.
            self.reserve(layout.len(), None)?;
        }
        let (pages, _, path) = self.parts_mut();
        let is_ahead = counts && pages.could_reach(|p| p.reach_ahead(from, end, path))?;
        // If there is no room for more than these rows, there may be for them.
        let is_reserved = is_ahead && pages.reserve_ahead(end).is_ok();
        let stores = is_small && is_reserved;
        if let Some(file) = pages.file().filter(|_| !stores) {
            let written = allocate::check_limit(end)
                .and_then(|()| match is_small || is_reserved {
                    true => Ok(()),
                    false => allocate::fill_holes(file, from..end),
                })
                .and_then(|()| write(file, rows, axis, from));
            written.map_err(allocate::refusal("extend", end, path))?;
            if counts && !is_ahead {
                pages.sync_data(path)?;
            }
        }
        self.reserve(layout.len(), None)?;
        // SAFETY: the file has been made as long as the layout, by zeros or by rows, which are
        // valid, and has been mapped so far; the layout is in order, so that it does not
        // overlap. The rest is as it was when the array was opened.
        unsafe { self.set_layout(layout) };
        self.pages_mut().tail.set_end(end);
        if stores {
            let mut added = self.view_mut()?;
            added.slice_axis_inplace(axis, Slice::from(old..));
            added.zip_mut_with(rows, |to, from| *to = *from);
            self.place().pages.intact()?;
        } else if cfg!(target_os = "linux") && !self.pages_mut().file_system().is_coherent
        {
            self.show(rows, axis, old)?;
        }
        self.count(count, stores)
    }

    /// Makes the mapping show rows that were written to the file, if it does not.
    ///
    /// The file has their space now. To store what a page has already would write it again.
    fn show(&mut self, rows: &ArrayRef<A, D>, axis: Axis, old: usize) -> Result<()> {
        let mut shown = self.view_mut()?;
        shown.slice_axis_inplace(axis, Slice::from(old..));
        shown.zip_mut_with(rows, |to, from| {
            if bytes_of(to) != bytes_of(from) {
                *to = *from;
            }
        });
        self.place().pages.intact()
    }

    /// Adds zeros at the end, with space on the disk.
    pub(crate) fn stretch(&mut self, layout: Layout<D>, count: usize) -> Result<()> {
        let Some(file) = self.file()? else { return Ok(()) };
        let (old, end) = (self.layout().clone(), layout.end());
        let counts = self.has_header();
        if MAPS_AHEAD {
            self.reserve(layout.len(), None)?;
        }
        let (pages, _, path) = self.parts_mut();
        let from = old.end();
        if let Some((file, reach)) = pages.file().zip(pages.tail.reach()) {
            // An append that failed may have left bytes that could not be truncated.
            let is_clean = is_zero(file, from..end.min(reach));
            if !is_clean.map_err(Error::io("read", path))? {
                pages.trim().map_err(Error::io("cut", path))?;
            }
        }
        let is_ahead =
            counts && pages.could_reach(|p| p.reach_exactly(from, end, path))?;
        let len = pages.tail.reach().unwrap_or(old.end());
        let stretched =
            Room::make(&file, len, old.end(), end, false, path).and_then(|room| {
                self.reserve(layout.len(), None)?;
                // SAFETY: as in `append_as`; zeros are valid.
                unsafe { self.set_layout(layout) };
                self.pages_mut().tail.set_end(end);
                let Place { pages, path, .. } = self.place();
                if counts && !is_ahead {
                    pages.sync_data(path)?;
                }
                self.count(count, false)?;
                room.keep();
                Ok(())
            });
        match stretched {
            Ok(()) => {
                // A file that could not be truncated keeps its mark, and is truncated later.
                let _ = self.trim();
                Ok(())
            }
            Err(e) => {
                // What was added without a mark has been undone.
                let end = old.end();
                self.retreat(old, end);
                Err(e)
            }
        }
    }

    /// Cuts rows off the end; the header, if any, is the first to know.
    pub(crate) fn cut(
        &mut self,
        layout: Layout<D>,
        old: usize,
        count: usize,
    ) -> Result<()> {
        let (from, end) = (self.layout().end(), layout.end());
        let counts = self.has_header();
        let (pages, _, path) = self.parts_mut();
        if counts {
            // So that rows that are no longer counted are known to be left over. There may be no
            // room for that on a full disk, on which nothing is to keep it from becoming shorter.
            pages.could_reach(|pages| pages.reach_exactly(from, from, path))?;
        }
        self.count(count, false)?;
        let Place { pages, path, .. } = self.place();
        let synced = if counts { pages.sync_data(path) } else { Ok(()) };
        let cut = synced.and_then(|()| {
            let pages = self.pages_mut();
            let Some(_) = pages.tail.reach() else {
                let cut = pages.file().map(|file| allocate::cut_back(file, end, from));
                return cut
                    .unwrap_or(Ok(()))
                    .map_err(Error::io("cut", self.place().path));
            };
            pages.tail.set_end(end);
            self.trim()
        });
        match &cut {
            // SAFETY: the layout is of fewer of the same bytes.
            Ok(()) => unsafe { self.set_layout(layout) },
            Err(_) => {
                self.pages_mut().tail.set_end(from);
                // The error that led here is the one to report.
                let _ = self.count(old, false);
                let _ = self.trim();
            }
        }
        cut
    }

    /// Makes the file end with the array.
    pub(crate) fn trim(&mut self) -> Result<()> {
        let (pages, _, path) = self.parts_mut();
        pages.trim().map_err(Error::io("cut", path))
    }

    fn has_header(&self) -> bool {
        matches!(self.source(), Source::Header(_))
    }

    /// Sees to it that so many bytes of the file are mapped, and more to come.
    ///
    /// `from` is the file if the array keeps none, or one to map in any case.
    pub(crate) fn reserve(&mut self, len: usize, from: Option<&File>) -> Result<()> {
        let Place { pages, mode, offset, path } = self.place();
        let short = pages.file().filter(|_| pages.capacity() < len);
        let Some(file) = from.or(short) else { return Ok(()) };
        let map =
            |ahead: usize| mapping::map(file, offset, len.saturating_add(ahead), mode);
        let map = if MAPS_AHEAD {
            map(len.max(LEAST_RESERVED))
                .or_else(|_| map(LEAST_RESERVED))
                .or_else(|_| map(0))
        } else {
            map(0)
        };
        let map = map.map_err(Error::io("map", path))?;
        mapping::advise_all(&map, pages.advice());
        // SAFETY: the same bytes of the file are mapped again, and more.
        let remapped = unsafe { self.remap(map) };
        remapped.map_err(Error::io("guard", self.place().path))
    }

    /// Writes the number of rows, where a header has it.
    fn count(&mut self, count: usize, stores: bool) -> Result<()> {
        let (start, end) = (self.offset(), self.layout().end());
        match self.parts_mut() {
            (pages, Source::Header(header), path) => {
                pages.tail.note_header_change(start);
                let Some(file) = pages.file() else { return Ok(()) };
                // Nothing would repair a bus error in the header's own mapping.
                let stores = stores && !pages.is_guarded();
                let written = header.write(file, count, stores);
                written.map_err(allocate::refusal("write the header of", end, path))
            }
            _ => Ok(()),
        }
    }

    /// Goes back to a shorter array, and the file with it if it has at most `reached` bytes.
    pub(crate) fn retreat(&mut self, layout: Layout<D>, reached: u64) {
        let end = layout.end();
        // SAFETY: this is how the array was; the file is still longer.
        unsafe { self.set_layout(layout) };
        let pages = self.pages_mut();
        pages.tail.set_end(end);
        // The error that led here is the one to report.
        let _ = match pages.tail.reach() {
            Some(_) => pages.trim(),
            None => {
                pages.file().map_or(Ok(()), |file| allocate::cut_back(file, end, reached))
            }
        };
    }

    /// Returns the file once more, for what outlives a borrow of the array.
    fn file(&self) -> Result<Option<File>> {
        let Place { pages, path, .. } = self.place();
        let file = pages.file().map(File::try_clone).transpose();
        file.map_err(Error::io("keep open", path))
    }
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
        return allocate::write_all_at(file, cast_slice(elements), at);
    }
    let row = rows.len().checked_div(rows.len_of(Axis(0))).unwrap_or(0);
    let count = PIECE.checked_div(row.saturating_mul(size_of::<A>())).unwrap_or(1);
    for piece in rows.axis_chunks_iter(Axis(0), count.max(1)) {
        let piece = piece.as_standard_layout();
        let bytes = cast_slice(piece.as_slice().unwrap_or_default());
        allocate::write_all_at(file, bytes, at)?;
        at = at.saturating_add(u64::try_from(bytes.len()).map_err(io::Error::other)?);
    }
    Ok(())
}
