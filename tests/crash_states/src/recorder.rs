//! Runs calls of the crate, and notes the promise of each call when it returns.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::PathBuf;

use ndarray::{Array2, Axis, s};
use ndarray_memmap::{
    Draft, ErrorKind, MapOptions, MmapArray2, Mode, NpyErrorKind, Result, npy,
};

use crate::disk::Disk;
use crate::element::{Cell, rows, with_descr};
use crate::file_system::Mounted;
use crate::model::{FileModel, Files, Format, Mark, Stamp, Version, element};
use crate::random::Random;
use crate::system;

/// An array under test and its private changes.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) array: MmapArray2<Cell>,
    name: String,
    private: Vec<(usize, Stamp)>,
}

/// Calls the crate and records promises.
#[derive(Debug)]
pub(crate) struct Recorder<'d> {
    pub(crate) files: Files,
    pub(crate) marks: Vec<Mark>,
    pub(crate) random: Random,
    disk: &'d Disk,
    mounted: &'d Mounted,
    stamp: Stamp,
    end: Option<usize>,
}

impl<'d> Recorder<'d> {
    /// Starts with durable files.
    pub(crate) fn new(
        disk: &'d Disk,
        mounted: &'d Mounted,
        files: Files,
        random: Random,
    ) -> Self {
        let stamp = 100;
        let mut recorder =
            Self { files, marks: Vec::new(), random, disk, mounted, stamp, end: None };
        recorder.mark("start");
        recorder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.mounted.root().join(name)
    }

    pub(crate) fn new_stamp(&mut self) -> Stamp {
        self.stamp += 1;
        self.stamp
    }

    /// Notes the files expected from here on.
    pub(crate) fn mark(&mut self, label: &str) {
        let at = self.disk.requests().expect("the log has a length");
        let (label, files) = (label.to_owned(), self.files.clone());
        self.marks.push(Mark { at, label, files });
    }

    pub(crate) fn model(&mut self, name: &str) -> &mut FileModel {
        self.files.get_mut(name).expect("a known file")
    }

    /// Makes a call that changes a file, and updates the model before and after the call.
    ///
    /// `may_do` describes the possible changes while the call runs, `has_done` its promise.
    pub(crate) fn call<T>(
        &mut self,
        label: &str,
        name: &str,
        may_do: impl FnOnce(&mut FileModel),
        call: impl FnOnce() -> Result<T>,
        has_done: impl FnOnce(&mut FileModel),
    ) -> T {
        may_do(self.files.entry(name.to_owned()).or_default());
        self.mark(&format!("{label} of `{name}` begins"));
        let result = call();
        let value = result.unwrap_or_else(|e| panic!("{label} of `{name}`: {e} ({e:?})"));
        has_done(self.model(name));
        self.mark(&format!("{label} of `{name}` has returned"));
        self.write_back(name);
        value
    }

    /// Makes the kernel write some pages of a file or commit its journal, as it may at any time.
    pub(crate) fn write_back(&mut self, name: &str) {
        let file = File::options().write(true).open(self.mounted.below(name));
        let len = file.as_ref().ok().and_then(|f| f.metadata().ok()).map_or(0, data_len);
        let page = 4096;
        let range = match self.random.below(12) {
            0..=2 => None,
            3..=6 => Some(0..page),
            7..=8 => Some(page..len.max(page)),
            9 => Some(0..len),
            _ => {
                let pages = usize::try_from(len / page).unwrap_or(0) + 1;
                let start = self.random.below(pages) as u64 * page;
                Some(start..start + page * (1 + self.random.below(4) as u64))
            }
        };
        if let (Ok(file), Some(range)) = (file, range.filter(|range| !range.is_empty())) {
            system::write_back(&file, range).expect("pages can be written back");
        }
        if self.random.chance(50) {
            self.mounted.commit().expect("a journal can be committed");
        }
    }

    /// Lets the kernel write everything, and ends the log.
    pub(crate) fn settle(&mut self) {
        if self.end.is_some() {
            return;
        }
        let names: Vec<_> = self.files.keys().cloned().collect();
        for name in names {
            self.write_back(&name);
        }
        self.mounted.sync().expect("the file system can be synced");
        self.end = Some(self.disk.requests().expect("the log has a length"));
    }

    /// Returns how many requests belong to the log.
    pub(crate) fn end(&mut self) -> usize {
        self.settle();
        self.end.unwrap_or(0)
    }

    pub(crate) fn handle(&self, name: &str, array: MmapArray2<Cell>) -> Handle {
        Handle { array, name: name.to_owned(), private: Vec::new() }
    }

    /// Creates an array of zeros.
    #[expect(unsafe_code, reason = "the file is mapped")]
    pub(crate) fn create(
        &mut self,
        name: &str,
        format: Format,
        shape: (usize, usize),
        options: &npy::Options,
    ) -> Handle {
        let path = self.path(name);
        let version = Version::new(format.clone(), shape.1, &vec![0; shape.0]);
        let create = || match &format {
            // SAFETY: no other program knows the file.
            Format::Npy { descr } => unsafe {
                with_descr(descr, || options.create::<Cell, _>(&path, shape))
            },
            // SAFETY: no other program knows the file.
            Format::Raw => unsafe {
                MapOptions::new(Mode::Create).shape(shape).open(&path)
            },
        };
        let created = |model: &mut FileModel| {
            let is_new = model.versions.is_empty();
            let may_be_missing = is_new || model.may_be_missing;
            *model = FileModel { may_be_missing, ..FileModel::created(version) };
        };
        let array = self.call("create", name, created, create, |_| ());
        self.handle(name, array)
    }

    /// Creates a `.npy` file, drops its array, and opens the file, before the kernel writes any of it.
    #[expect(unsafe_code, reason = "the file is mapped")]
    pub(crate) fn create_and_reopen(
        &mut self,
        name: &str,
        format: Format,
        shape: (usize, usize),
    ) -> Handle {
        let path = self.path(name);
        let version = Version::new(format, shape.1, &vec![0; shape.0]);
        let reopen = || {
            // SAFETY: no other program knows the file.
            drop(unsafe { npy::create::<Cell, ndarray::Ix2>(&path, shape) }?);
            // SAFETY: as above.
            unsafe { npy::open::<Cell, _>(&path, Mode::ReadWrite) }
        };
        let created = |model: &mut FileModel| {
            *model = FileModel { may_be_missing: true, ..FileModel::created(version) };
        };
        let array = self.call("create and open", name, created, reopen, |_| ());
        self.handle(name, array)
    }

    /// Opens an array with the row count that the program knows.
    #[expect(unsafe_code, reason = "the file is mapped")]
    pub(crate) fn open(&mut self, name: &str, mode: Mode) -> Handle {
        let path = self.path(name);
        let Version { format, columns, now, .. } = self.model(name).last().clone();
        let open = || match &format {
            // SAFETY: no other program knows the file.
            Format::Npy { descr } => unsafe {
                let options = npy::Options::new(mode).max_header_size(1 << 16);
                with_descr(descr, || options.open::<Cell, _>(&path))
            },
            // SAFETY: no other program knows the file.
            Format::Raw => unsafe {
                MapOptions::new(mode).shape((now, columns)).open::<Cell>(&path)
            },
        };
        let array = self.call("open", name, |_| (), open, |_| ());
        self.handle(name, array)
    }

    /// Opens a raw file with more rows than it has, so that it grows.
    #[expect(unsafe_code, reason = "the file is mapped")]
    pub(crate) fn open_to_grow(&mut self, name: &str, rows: usize) -> Handle {
        let path = self.path(name);
        let columns = self.model(name).last().columns;
        let options = MapOptions::new(Mode::ReadWrite).shape((rows, columns)).grow(true);
        let grows = |model: &mut FileModel| model.last().resize(rows, 0);
        // SAFETY: no other program knows the file.
        let open = || unsafe { options.open::<Cell>(&path) };
        let array = self.call("open with grow(true)", name, grows, open, |_| ());
        self.handle(name, array)
    }

    pub(crate) fn sync(&mut self, handle: &Handle) {
        self.call("sync", &handle.name, |_| (), || handle.array.sync(), FileModel::sync);
    }

    pub(crate) fn close(&mut self, handle: Handle) {
        let Handle { array, name, .. } = handle;
        self.call("close", &name, |_| (), || array.close(), FileModel::sync);
    }

    /// Drops an array, which promises nothing.
    pub(crate) fn drop(&mut self, handle: Handle) {
        let Handle { array, name, .. } = handle;
        let drop = || {
            drop(array);
            Ok(())
        };
        self.call("drop", &name, |_| (), drop, |_| ());
    }

    /// Syncs the pages of some rows.
    pub(crate) fn sync_rows(&mut self, handle: &Handle, rows: Range<usize>) {
        let sync = || handle.array.region(s![rows.clone(), ..]).sync();
        let label = format!("sync of rows {rows:?}");
        self.call(
            &label,
            &handle.name,
            |_| (),
            sync,
            |model| model.sync_rows(rows.clone()),
        );
    }

    /// Stores rows through the mapping.
    pub(crate) fn store(&mut self, handle: &mut Handle, range: Range<usize>) {
        let stamp = self.new_stamp();
        let columns = handle.array.ncols();
        if handle.array.mode() == Mode::CopyOnWrite {
            let mut view =
                handle.array.view_mut().expect("a private copy can be changed");
            view.slice_mut(s![range.clone(), ..]).assign(&rows(
                stamp,
                range.clone(),
                columns,
            ));
            handle.private.extend(range.map(|row| (row, stamp)));
            return;
        }
        let stores = |model: &mut FileModel| {
            range.clone().for_each(|r| model.last().store(r, stamp))
        };
        let store = || {
            let mut view = handle.array.view_mut()?;
            view.slice_mut(s![range.clone(), ..]).assign(&rows(
                stamp,
                range.clone(),
                columns,
            ));
            Ok(())
        };
        self.call("store", &handle.name, stores, store, |_| ());
    }

    /// Writes rows by `scatter`.
    pub(crate) fn scatter(&mut self, handle: &mut Handle, indices: &[usize]) {
        let stamp = self.new_stamp();
        let columns = handle.array.ncols();
        let new = Array2::from_shape_fn((indices.len(), columns), |(row, column)| {
            Cell(element(stamp, indices[row], column))
        });
        let stores = |model: &mut FileModel| {
            indices.iter().for_each(|r| model.last().store(*r, stamp))
        };
        let scatter = || handle.array.scatter(Axis(0), indices, &new);
        self.call("scatter", &handle.name, stores, scatter, |_| ());
    }

    /// Fills the whole array block by block.
    pub(crate) fn sweep(&mut self, handle: &mut Handle, bytes: usize) {
        let stamp = self.new_stamp();
        let (count, columns) = handle.array.dim();
        let stores =
            |model: &mut FileModel| (0..count).for_each(|r| model.last().store(r, stamp));
        let sweep = || {
            let mut done = 0;
            for mut block in handle.array.sweep_mut(Axis(0), bytes)? {
                let end = done + block.nrows();
                block.assign(&rows(stamp, done..end, columns));
                done = end;
            }
            Ok(())
        };
        self.call("sweep_mut", &handle.name, stores, sweep, |_| ());
    }

    /// Adds rows: one by `push`, more by `append`.
    pub(crate) fn append(&mut self, handle: &mut Handle, added: usize) {
        let stamp = self.new_stamp();
        let (count, columns) = handle.array.dim();
        let new = rows(stamp, count..count + added, columns);
        let grows = |model: &mut FileModel| model.last().resize(count + added, stamp);
        let append = || match added {
            1 => handle.array.push(Axis(0), &new.row(0)),
            _ => handle.array.append(Axis(0), &new),
        };
        let label = format!("append from {count} to {} rows", count + added);
        self.call(&label, &handle.name, grows, append, |_| ());
    }

    pub(crate) fn resize(&mut self, handle: &mut Handle, count: usize) {
        let resizes = |model: &mut FileModel| model.last().resize(count, 0);
        let label = format!("resize from {} to {count} rows", handle.array.nrows());
        let resize = || handle.array.resize(Axis(0), count);
        self.call(&label, &handle.name, resizes, resize, |_| ());
    }

    /// Commits private changes.
    pub(crate) fn commit(&mut self, handle: &mut Handle) {
        let private = std::mem::take(&mut handle.private);
        let writes = |model: &mut FileModel| {
            private.iter().for_each(|(row, stamp)| model.last().store(*row, *stamp));
        };
        let has_written = |model: &mut FileModel| {
            private.iter().for_each(|(row, _)| model.last().row(*row).sync());
        };
        let commit = || handle.array.commit();
        self.call("commit", &handle.name, writes, commit, has_written);
    }

    /// Discards private changes.
    pub(crate) fn rollback(&mut self, handle: &mut Handle) {
        handle.private.clear();
        handle.array.rollback().expect("private changes can be discarded");
    }

    /// Fills a draft and publishes it.
    pub(crate) fn publish(&mut self, name: &str, format: Format, shape: (usize, usize)) {
        let stamp = self.new_stamp();
        let path = self.path(name);
        let draft: Result<Draft<Cell, _>> = match &format {
            Format::Npy { descr } => with_descr(descr, || npy::draft(&path, shape)),
            Format::Raw => MapOptions::new(Mode::Create).shape(shape).draft(&path),
        };
        let mut draft = draft.expect("a draft can be made");
        let mut view = draft.view_mut();
        view.assign(&rows(stamp, 0..shape.0, shape.1));
        if self.random.chance(50) {
            self.mounted.commit().expect("a journal can be committed");
        }
        let version = Version::new(format, shape.1, &vec![stamp; shape.0]);
        let may_do = |model: &mut FileModel| {
            model.may_be_missing |= model.versions.is_empty();
            model.versions.push(version);
        };
        self.call("publish", name, may_do, || draft.publish(), FileModel::sync);
    }

    /// Opens a `.npy` file so that it can grow, and replaces the file if necessary.
    ///
    /// A header that cannot change in one step counts as one without room for more digits.
    pub(crate) fn open_growable(&mut self, name: &str) -> Handle {
        let mut handle = self.open(name, Mode::ReadWrite);
        let count = handle.array.nrows();
        let stamp = self.new_stamp();
        let row = rows(stamp, count..count + 1, handle.array.ncols());
        let mut has_room = true;
        let grows = |model: &mut FileModel| model.last().resize(count + 1, stamp);
        let push = || match handle.array.push(Axis(0), &row.row(0)) {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Npy(NpyErrorKind::NoRoom { .. })
                ) =>
            {
                has_room = false;
                Ok(())
            }
            pushed => pushed,
        };
        let before = self.model(name).clone();
        self.call("push", name, grows, push, |_| ());
        if !has_room {
            *self.model(name) = before;
            self.mark(&format!("push to `{name}` was refused"));
            self.make_growable(name);
            handle = self.open(name, Mode::ReadWrite);
        }
        handle
    }

    /// Gives a `.npy` file a header that can count any number of rows.
    pub(crate) fn make_growable(&mut self, name: &str) {
        let path = self.path(name);
        self.call("make_growable", name, |_| (), || npy::make_growable(&path), |_| ());
    }
}

/// Returns how much of a file may hold data: the rest is a hole of up to a GiB.
fn data_len(metadata: Metadata) -> u64 {
    metadata.len().min(4 << 20)
}
