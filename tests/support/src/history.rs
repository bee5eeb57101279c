//! Histories of calls on a handle, compared with a plain `Vec` of rows.

use std::io::ErrorKind::AlreadyExists;

use ndarray::{Array2, Axis, ShapeBuilder, Slice, aview1, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{Header, Options};
use ndarray_memmap::{Error, ErrorKind, MapOptions, MmapArray2, Mode, PageCache, Result};

use crate::npy_common;
use crate::{Place, open};

/// One call, or a few related calls. Row numbers wrap around the length of the axis.
#[derive(Clone, Debug)]
pub enum Step {
    /// Appends a number of rows, from a view of another array with this step.
    Append(usize, isize),
    Push,
    Resize(usize),
    /// Changes the row of this number.
    Write(usize),
    Sweep(Way),
    /// Changes every element.
    SweepMut(Way),
    /// Reads the rows of these numbers along an axis; `usize::MAX` is out of bounds.
    Gather(usize, Vec<usize>),
    /// Replaces the rows of these numbers.
    Scatter(usize, Vec<usize>),
    Sync,
    /// Runs an operation on a region of rows, from this number on and with this step.
    Region(Care, usize, usize),
    Commit,
    CommitAnyway,
    Rollback,
    Refresh,
    /// Drops the array and opens the file again, or creates it with this many rows.
    Reopen(Mode, usize),
    CloseAndReopen(Mode, usize),
    /// Opens the file again in mode `r+`, with this many additional rows if it is raw.
    ReopenLonger(usize),
}

/// How an array is swept.
#[derive(Clone, Debug)]
pub struct Way {
    pub axis: usize,
    pub bytes: usize,
    /// Which blocks are taken from the back, one bit a block.
    pub backward: u8,
    pub cache: PageCache,
}

/// The operation on a region.
#[derive(Clone, Copy, Debug)]
pub enum Care {
    Sync,
    StartSync,
    Prefetch,
    PrefetchAsync,
    Evict,
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub npy: bool,
    pub fortran: bool,
    pub width: usize,
    pub offset: u64,
}

/// A mapped array, a reader that follows it, and the expected rows of both.
pub struct Trial {
    kind: Kind,
    place: Place,
    array: Option<MmapArray2<u32>>,
    mode: Mode,
    reader: Option<MmapArray2<u32>>,
    /// The rows of the file.
    file: Vec<Vec<u32>>,
    /// The rows that a private array shows instead.
    own: Option<Vec<Vec<u32>>>,
    next: u32,
}

impl Trial {
    pub fn new(kind: Kind) -> Self {
        let place = Place::missing();
        let mut trial = Self {
            kind,
            place,
            array: None,
            mode: Create,
            reader: None,
            file: Vec::new(),
            own: None,
            next: 1,
        };
        trial.create(Create, 2);
        trial
    }

    pub fn take(&mut self, step: &Step) {
        let axis = self.axis();
        match step {
            Step::Append(count, by) => self.append(*count, *by),
            Step::Push => {
                let row = self.row();
                let pushed = self.array_mut().push(axis, &aview1(&row));
                if self.is_growth(pushed) {
                    self.file.push(row);
                }
            }
            Step::Resize(len) => {
                // The rows of the reader must not be truncated.
                let len = self.reader.as_ref().map_or(0, |r| r.len_of(axis)).max(*len);
                let resized = self.array_mut().resize(axis, len);
                if self.is_growth(resized) {
                    self.file.resize(len, vec![0; self.kind.width]);
                }
            }
            Step::Write(number) => self.write(*number),
            Step::Sweep(way) => self.sweep(way),
            Step::SweepMut(way) => self.sweep_mut(way),
            Step::Gather(axis, indices) => self.gather(Axis(*axis), indices),
            Step::Scatter(axis, indices) => self.scatter(Axis(*axis), indices),
            Step::Sync => {
                self.assert_synced(self.array().sync());
                if self.mode != CopyOnWrite {
                    self.assert_exact();
                }
            }
            Step::Region(care, from, by) => self.care(*care, *from, *by),
            Step::Commit => {
                let committed = self.array_mut().commit();
                self.committed(committed);
            }
            Step::CommitAnyway => {
                let committed = self.array_mut().force_commit();
                self.committed(committed);
            }
            Step::Rollback => {
                let rolled_back = self.array_mut().rollback();
                if self.is_private(rolled_back) {
                    self.own = Some(self.file.clone());
                }
            }
            Step::Refresh => self.refresh(),
            Step::Reopen(mode, count) | Step::CloseAndReopen(mode, count) => {
                let array = self.array.take().unwrap();
                if matches!(step, Step::Reopen(..)) {
                    drop(array);
                } else {
                    self.assert_synced(array.close());
                }
                self.assert_holds();
                self.reopen(*mode, *count);
            }
            Step::ReopenLonger(count) => {
                drop(self.array.take());
                self.assert_holds();
                self.reopen_longer(*count);
            }
        }
        if !self.kind.npy {
            self.assert_exact();
        }
        assert_shows(self.kind, self.array(), self.rows());
    }

    /// Drops the arrays and checks the file.
    pub fn finish(mut self) {
        drop(self.array.take());
        self.assert_holds();
        let reader = self.reader.take().unwrap();
        let rows = array_of(self.kind, &self.file);
        let read =
            rows.slice_axis(self.axis(), Slice::from(..reader.len_of(self.axis())));
        assert_eq!(reader, read);
    }

    fn append(&mut self, count: usize, by: isize) {
        let axis = self.axis();
        let rows: Vec<_> = (0..count).map(|_| self.row()).collect();
        let apart = by.unsigned_abs().max(1);
        let mut wide = Array2::zeros((count * apart, self.kind.width));
        for (i, row) in rows.iter().enumerate() {
            let i = if by < 0 { count - 1 - i } else { i };
            wide.row_mut(i * apart).assign(&aview1(row));
        }
        let mut view = wide.slice(s![..;apart.cast_signed(), ..]);
        if by < 0 {
            view.invert_axis(Axis(0));
        }
        let view = if self.kind.fortran { view.reversed_axes() } else { view };
        let appended = self.array_mut().append(axis, &view);
        if self.is_growth(appended) {
            self.file.extend(rows);
        }
    }

    fn write(&mut self, number: usize) {
        let (axis, row) = (self.axis(), self.row());
        let Some(at) = number.checked_rem(self.rows().len()) else { return };
        let view = self.array_mut().view_mut();
        let written = view.map(|mut view| {
            view.index_axis_mut(axis, at).assign(&aview1(&row));
        });
        if self.is_change(written) {
            self.rows_mut()[at] = row;
        }
    }

    fn sweep(&self, way: &Way) {
        let (axis, expected) = (Axis(way.axis), self.expected());
        let mut blocks = self.array().sweep(axis, way.bytes).unwrap().cache(way.cache);
        let mut left = 0..expected.len_of(axis);
        let all = left.len();
        for turn in 0.. {
            let is_back = way.backward >> (turn % 8) & 1 == 1;
            let block = if is_back { blocks.next_back() } else { blocks.next() };
            let Some(block) = block else { break };
            let count = block.len_of(axis);
            let part = if is_back {
                left.end -= count;
                left.end..left.end + count
            } else {
                left.start += count;
                left.start - count..left.start
            };
            assert_eq!(block, expected.slice_axis(axis, Slice::from(part)));
            assert_eq!(blocks.progress().rows, all - left.len());
        }
        assert!(left.is_empty());
    }

    fn sweep_mut(&mut self, way: &Way) {
        let axis = Axis(way.axis);
        let change = |x: &mut u32| *x = x.wrapping_mul(3).wrapping_add(1);
        let backward = way.backward;
        let blocks = self.array_mut().sweep_mut(axis, way.bytes);
        let swept = blocks.map(|blocks| {
            let mut blocks = blocks.cache(way.cache);
            for turn in 0.. {
                let is_back = backward >> (turn % 8) & 1 == 1;
                let block = if is_back { blocks.next_back() } else { blocks.next() };
                let Some(mut block) = block else { break };
                block.map_inplace(change);
            }
        });
        if self.is_change(swept) {
            self.rows_mut().iter_mut().flatten().for_each(change);
        }
    }

    fn gather(&self, axis: Axis, indices: &[usize]) {
        let expected = self.expected();
        let (indices, fits) = round(indices, expected.len_of(axis));
        match self
            .array()
            .gather(axis, &indices)
            .map_err(ndarray_memmap::Error::into_kind)
        {
            Ok(rows) => {
                assert!(fits);
                assert_eq!(rows.len(), indices.len());
                for (row, index) in rows.zip(&indices) {
                    assert_eq!(row, expected.index_axis(axis, *index));
                }
            }
            Err(ErrorKind::IndexOutOfBounds { .. }) => assert!(!fits),
            Err(error) => panic!("{error:?}"),
        }
    }

    fn scatter(&mut self, axis: Axis, indices: &[usize]) {
        let mut expected = self.expected();
        let (indices, fits) = round(indices, expected.len_of(axis));
        let mut shape = expected.raw_dim();
        shape[axis.index()] = indices.len();
        self.next += 1;
        let (first, order) = (self.next * 1000, self.next.is_multiple_of(3));
        let mut number = first;
        let rows = Array2::from_shape_simple_fn(shape.set_f(order), || {
            number += 1;
            number
        });
        let scattered = self.array_mut().scatter(axis, &indices, &rows);
        if self.mode != ReadOnly && !fits {
            assert!(matches!(
                scattered.as_ref().map_err(|e| e.kind()),
                Err(ErrorKind::IndexOutOfBounds { .. })
            ));
        } else if self.is_change(scattered) {
            for (row, index) in rows.axis_iter(axis).zip(&indices) {
                expected.index_axis_mut(axis, *index).assign(&row);
            }
            let rows = expected.axis_iter(self.axis()).map(|row| row.to_vec());
            *self.rows_mut() = rows.collect();
        }
    }

    fn care(&self, care: Care, from: usize, by: usize) {
        let (array, by) = (self.array(), by.max(1).cast_signed());
        let from = from.checked_rem(self.rows().len()).unwrap_or(0);
        let region = match self.kind.fortran {
            true => array.region(s![.., from..;by]),
            false => array.region(s![from..;by, ..]),
        };
        match care {
            Care::Sync => self.assert_synced(region.sync()),
            Care::StartSync => self.assert_synced(region.start_sync()),
            Care::Prefetch => region.prefetch().unwrap(),
            Care::PrefetchAsync => region.start_prefetch().unwrap(),
            Care::Evict => region.evict().unwrap(),
        }
    }

    fn committed(&mut self, committed: Result<()>) {
        if self.is_private(committed) {
            self.file.clone_from(self.own.as_ref().unwrap());
            self.assert_holds();
        }
    }

    fn refresh(&mut self) {
        let array = self.array.as_mut().unwrap();
        match (array.refresh().map_err(Error::into_kind), self.mode) {
            (Err(ErrorKind::UnsupportedMode { .. }), mode) => assert_ne!(mode, ReadOnly),
            (found, ReadOnly) => assert_refreshed(self.kind, found),
            (found, mode) => panic!("{found:?} in mode {mode}"),
        }
        let reader = self.reader.as_mut().unwrap();
        let refreshed = reader.refresh();
        if refreshed.is_ok() {
            assert_shows(self.kind, reader, &self.file);
        }
        assert_refreshed(self.kind, refreshed.map_err(Error::into_kind));
    }

    fn reopen(&mut self, mode: Mode, count: usize) {
        match mode {
            Create => self.create(mode, count),
            CreateNew => {
                let refused = self.created(mode, count).unwrap_err();
                assert!(
                    matches!(refused.kind(), ErrorKind::Io { source, .. } if source.kind() == AlreadyExists),
                    "{refused:?}"
                );
                self.assert_holds();
                std::fs::remove_file(self.place.path()).unwrap();
                self.create(mode, count);
            }
            mode => self.set(mode, self.opened(mode)),
        }
    }

    fn reopen_longer(&mut self, count: usize) {
        let mut array = self.opened(ReadWrite);
        if !self.kind.npy {
            drop(array);
            let Kind { fortran, width, offset, .. } = self.kind;
            self.file.extend(vec![vec![0; width]; count]);
            let rows = self.file.len();
            let dim = if fortran { (width, rows) } else { (rows, width) };
            let options = MapOptions::new(ReadWrite).grow(true).offset(offset);
            array = open(&options.shape(dim.set_f(fortran)), &self.place).unwrap();
        }
        self.set(ReadWrite, array);
    }

    /// Creates a file of zeros in place of the old one, which is no longer mapped.
    fn create(&mut self, mode: Mode, count: usize) {
        drop(self.reader.take());
        let array = self.created(mode, count).unwrap();
        self.file = vec![vec![0; self.kind.width]; count];
        self.set(mode, array);
        self.reader = Some(self.opened(ReadOnly));
    }

    fn created(&self, mode: Mode, count: usize) -> Result<MmapArray2<u32>> {
        let Kind { npy, fortran, width, offset } = self.kind;
        let dim = if fortran { (width, count) } else { (count, width) };
        let shape = dim.set_f(fortran);
        if npy {
            let options = Options::new(mode).order(crate::memory_order(fortran));
            npy_common::create(&options, &self.place, shape)
        } else {
            open(&MapOptions::new(mode).offset(offset).shape(shape), &self.place)
        }
    }

    fn opened(&self, mode: Mode) -> MmapArray2<u32> {
        let options = MapOptions::new(mode).offset(self.kind.offset);
        match self.kind {
            Kind { npy: true, .. } => npy_common::open(&Options::new(mode), &self.place),
            Kind { fortran: true, width, .. } => {
                open(&options.shape((width, self.file.len()).f()), &self.place)
            }
            Kind { width, .. } => open(&options.rows_of(width), &self.place),
        }
        .unwrap()
    }

    fn set(&mut self, mode: Mode, array: MmapArray2<u32>) {
        (self.mode, self.array) = (mode, Some(array));
        self.own = (mode == CopyOnWrite).then(|| self.file.clone());
    }

    fn array(&self) -> &MmapArray2<u32> {
        self.array.as_ref().unwrap()
    }

    fn array_mut(&mut self) -> &mut MmapArray2<u32> {
        self.array.as_mut().unwrap()
    }

    fn axis(&self) -> Axis {
        Axis(if self.kind.fortran { 1 } else { 0 })
    }

    fn row(&mut self) -> Vec<u32> {
        self.next += 1;
        (0..self.kind.width)
            .map(|i| self.next * 1000 + u32::try_from(i).unwrap())
            .collect()
    }

    fn rows(&self) -> &Vec<Vec<u32>> {
        self.own.as_ref().unwrap_or(&self.file)
    }

    fn rows_mut(&mut self) -> &mut Vec<Vec<u32>> {
        self.own.as_mut().unwrap_or(&mut self.file)
    }

    fn expected(&self) -> Array2<u32> {
        array_of(self.kind, self.rows())
    }

    /// Returns whether the mode allows growth; panics if the call disagrees.
    fn is_growth(&self, result: Result<()>) -> bool {
        match (self.mode, result.map_err(Error::into_kind)) {
            (ReadOnly, Err(ErrorKind::ReadOnly)) => false,
            (CopyOnWrite, Err(ErrorKind::PrivateChanges)) => false,
            (ReadWrite | Create | CreateNew, Ok(())) => true,
            (mode, result) => panic!("{result:?} in mode {mode}"),
        }
    }

    /// Returns whether the mode allows changes of elements; panics if the call disagrees.
    fn is_change(&self, result: Result<()>) -> bool {
        match (self.mode, result.map_err(Error::into_kind)) {
            (ReadOnly, Err(ErrorKind::ReadOnly)) => false,
            (CopyOnWrite | ReadWrite | Create | CreateNew, Ok(())) => true,
            (mode, result) => panic!("{result:?} in mode {mode}"),
        }
    }

    /// Returns whether the mode has private changes; panics if the call disagrees.
    fn is_private(&self, result: Result<()>) -> bool {
        match (self.mode, result.map_err(Error::into_kind)) {
            (CopyOnWrite, Ok(())) => true,
            (mode, Err(ErrorKind::UnsupportedMode { .. })) if mode != CopyOnWrite => {
                false
            }
            (mode, result) => panic!("{result:?} in mode {mode}"),
        }
    }

    fn assert_synced(&self, result: Result<()>) {
        match (self.mode, result.map_err(Error::into_kind)) {
            (CopyOnWrite, Err(ErrorKind::PrivateChanges)) => {}
            (ReadOnly | ReadWrite | Create | CreateNew, Ok(())) => {}
            (mode, result) => panic!("{result:?} in mode {mode}"),
        }
    }

    /// Asserts that the file ends with the array.
    fn assert_exact(&self) {
        let start = if self.kind.npy { 128 } else { self.kind.offset };
        let bytes = self.file.len() * self.kind.width * 4;
        assert_eq!(self.place.len(), start + u64::try_from(bytes).unwrap());
    }

    /// Asserts that the file holds only the rows, after zeros or a matching header.
    fn assert_holds(&self) {
        let mut bytes = vec![0; usize::try_from(self.kind.offset).unwrap()];
        if self.kind.npy {
            let mut shape = [self.file.len(), self.kind.width];
            if self.kind.fortran {
                shape.reverse();
            }
            let found = self.place.bytes().unwrap();
            let header = Header::parse(&found).unwrap();
            assert_eq!((header.shape(), header.data_offset()), (&shape[..], 128));
            assert_eq!(header.fortran_order(), self.kind.fortran);
            bytes = found[..128].to_vec();
        }
        bytes.extend_from_slice(bytemuck::cast_slice(&self.file.concat()));
        self.place.assert_holds(&bytes);
    }
}

fn assert_refreshed(kind: Kind, result: Result<(), ErrorKind>) {
    match result {
        Ok(()) => {}
        Err(ErrorKind::FixedShape) => assert!(!kind.npy && kind.fortran),
        Err(error) => panic!("{error:?}"),
    }
}

fn array_of(kind: Kind, rows: &[Vec<u32>]) -> Array2<u32> {
    let all = rows.concat();
    let rows = Array2::from_shape_vec((rows.len(), kind.width), all).unwrap();
    if kind.fortran { rows.reversed_axes() } else { rows }
}

/// Compares a whole array with the expected rows.
fn assert_shows(kind: Kind, array: &MmapArray2<u32>, rows: &[Vec<u32>]) {
    let view = if kind.fortran { array.t() } else { array.view() };
    assert_eq!(view.shape(), [rows.len(), kind.width]);
    assert_eq!(view.as_slice(), Some(&rows.concat()[..]));
}

/// Wraps indices around an axis, and returns whether all are in bounds.
fn round(indices: &[usize], len: usize) -> (Vec<usize>, bool) {
    let round = |index: &usize| match index.checked_rem(len) {
        Some(rest) if *index < usize::MAX => rest,
        _ => len,
    };
    let indices: Vec<_> = indices.iter().map(round).collect();
    let fits = indices.iter().all(|index| *index < len);
    (indices, fits)
}
