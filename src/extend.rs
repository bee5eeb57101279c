//! How an array becomes longer or shorter: its file, its mapping, its header.
#![expect(unsafe_code, reason = "a longer array is a view of more bytes")]

use std::fs::File;
use std::io;

use bytemuck::cast_slice;
use ndarray::{ArrayRef, Axis, Dimension, Slice};

use crate::region::Place;
use crate::source::Source;
use crate::space::{self, Room};
use crate::sys::file_system::FileSystem;
use crate::{Element, Error, Layout, MmapArray, Result, address, pages};

/// How much of an array that has another order is put in order at a time.
const PIECE: usize = 1 << 20;
/// How much address space is reserved ahead at least, if there is that much.
const LEAST_RESERVED: usize = 64 << 20;
/// Whether pages can be mapped before the file has them.
///
/// Elsewhere a mapping does not always see that its file has grown.
const MAPS_AHEAD: bool = cfg!(target_os = "linux");

impl<A: Element, D: Dimension> MmapArray<A, D> {
    /// Appends rows, for which the array is then to have a layout; undoes nothing.
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
        let is_ahead = self.is_ahead();
        if MAPS_AHEAD {
            // What can be refused is refused before the file shows new rows to others.
            self.reserve(layout.len(), None)?;
        }
        let (pages, _, path) = self.parts_mut();
        // If there is no room for more than these rows, there may be for them.
        let is_provided = is_ahead && pages.provide(from, end, path).is_ok();
        let stores = is_small && is_provided;
        if let Some(file) = pages.file().filter(|_| !stores) {
            let written = space::check_limit(end)
                .and_then(|()| match is_small || is_provided {
                    true => Ok(()),
                    false => space::fill_holes(file, from..end),
                })
                .and_then(|()| write(file, rows, axis, from));
            written.map_err(space::refusal("extend", end, path))?;
            if is_ahead && !is_provided {
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
        }
        self.count(count)
    }

    /// Adds zeros at the end, with space on the disk.
    pub(crate) fn stretch(&mut self, layout: Layout<D>, count: usize) -> Result<()> {
        let Some(file) = self.file()? else { return Ok(()) };
        let (old, path) = (self.layout().clone(), self.place().path);
        let room = Room::make(&file, old.end(), old.end(), layout.end(), false, path)?;
        self.reserve(layout.len(), None)?;
        self.sync_if_ahead()?;
        // SAFETY: as in `append_as`; zeros are valid.
        unsafe { self.set_layout(layout) };
        let counted = self.count(count);
        match &counted {
            Ok(()) => room.keep(),
            // SAFETY: this is how the array was.
            Err(_) => unsafe { self.set_layout(old) },
        }
        counted
    }

    /// Cuts rows off the end; the header, if any, is the first to know.
    pub(crate) fn cut(
        &mut self,
        layout: Layout<D>,
        old: usize,
        count: usize,
    ) -> Result<()> {
        let Some(file) = self.file()? else { return Ok(()) };
        self.count(count)?;
        let cut = self.sync_if_ahead().and_then(|()| {
            file.set_len(layout.end()).map_err(Error::io("cut", self.place().path))
        });
        match &cut {
            // SAFETY: the layout is of fewer of the same bytes.
            Ok(()) => unsafe { self.set_layout(layout) },
            // The error that led here is the one to report.
            Err(_) => drop(self.count(old)),
        }
        cut
    }

    /// Tells whether the file may be longer than the array says it is.
    pub(crate) fn is_ahead(&self) -> bool {
        let pages = self.place().pages;
        // Of larger pages the page cache makes larger folios than space is reserved for.
        let stores =
            |file| address::page_size() == 4096 && FileSystem::of(file).stores_in_place;
        matches!(self.source(), Source::Header(_))
            && (pages.tail.reach().is_some() || pages.file().is_some_and(stores))
    }

    /// Brings length and header to disk before one of them may contradict the other.
    fn sync_if_ahead(&self) -> Result<()> {
        let Place { pages, path, .. } = self.place();
        if self.is_ahead() { pages.sync_data(path) } else { Ok(()) }
    }

    /// Sees to it that so many bytes of the file are mapped, and more to come.
    pub(crate) fn reserve(&mut self, len: usize, from: Option<&File>) -> Result<()> {
        let Place { pages, mode, offset, path } = self.place();
        let file = pages.file().or(from).filter(|_| pages.capacity() < len);
        let Some(file) = file else { return Ok(()) };
        let map =
            |ahead: usize| pages::map(file, offset, len.saturating_add(ahead), mode);
        let map = if MAPS_AHEAD {
            map(len.max(LEAST_RESERVED))
                .or_else(|_| map(LEAST_RESERVED))
                .or_else(|_| map(0))
        } else {
            map(0)
        };
        let map = map.map_err(Error::io("map", path))?;
        pages::advise_all(&map, pages.advice());
        // SAFETY: the same bytes of the file are mapped again, and more.
        let remapped = unsafe { self.remap(map) };
        remapped.map_err(Error::io("guard", self.place().path))
    }

    /// Writes the number of rows, where a header has it.
    fn count(&mut self, count: usize) -> Result<()> {
        let end = self.layout().end();
        match self.parts_mut() {
            (pages, Source::Header(header), path) => {
                let Some(file) = pages.file() else { return Ok(()) };
                let written = header.write(file, count);
                written.map_err(space::refusal("write the header of", end, path))
            }
            _ => Ok(()),
        }
    }

    /// Goes back to a shorter array, and the file with it.
    pub(crate) fn retreat(&mut self, layout: Layout<D>) {
        let end = layout.end();
        // SAFETY: this is how the array was; the file is still longer.
        unsafe { self.set_layout(layout) };
        let pages = self.pages_mut();
        pages.tail.set_end(end);
        // The error that led here is the one to report.
        let _ = match pages.tail.reach() {
            Some(_) => pages.trim(),
            None => {
                pages.file().map_or(Ok(()), |file| match file.metadata()?.len() > end {
                    true => file.set_len(end),
                    false => Ok(()),
                })
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
