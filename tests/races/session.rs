//! The operations of one of two processes on the file, and its reports.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ndarray::{Array2, ArrayRef2, Axis, aview1, s};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{DynArray, Options};
use ndarray_memmap::{
    Error, ErrorKind, MapOptions, MmapArray1, MmapArray2, Mode, Result,
};

use crate::apart::Said;
use crate::rows::{Form, Row, WIDTH, name, row};

/// How many rows of writer 0 the file has at first.
pub(crate) const ROWS: u64 = 300;
/// Enough rows for `append` to write them instead of storing them.
const MANY: u64 = 2100;

/// The work of a process; returns `None` if it cannot continue.
pub(crate) type Work = fn(&mut Session<'_>) -> Option<()>;

#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) path: &'a Path,
    pub(crate) form: Form,
    pub(crate) locks: bool,
    pub(crate) writer: u64,
    pub(crate) said: &'a mut Said,
    /// The number of its next row.
    next: u64,
    /// The attempts in the array that are not synced.
    pending: Vec<String>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        path: &'a Path,
        form: Form,
        locks: bool,
        writer: u64,
        said: &'a mut Said,
    ) -> Self {
        Self { path, form, locks, writer, said, next: 0, pending: Vec::new() }
    }

    /// Does the work, and reports a panic.
    pub(crate) fn run(&mut self, work: Work) {
        if catch_unwind(AssertUnwindSafe(|| work(self))).is_err() {
            self.said.say("bad panic");
        }
    }

    fn step<T>(&mut self, doing: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.said.say(&format!("ok {doing}"));
                Some(value)
            }
            Err(error) => {
                self.said.say(&format!("err {doing}: {}", kind(&error)));
                None
            }
        }
    }

    /// Reports that a step begins, after a system call that marks the moment before the step.
    fn start(&mut self, doing: &str) {
        // SAFETY: there is no such descriptor.
        let _ = unsafe { libc::close(-1) };
        self.said.say(&format!("start {doing}"));
    }

    fn open(&mut self, mode: Mode) -> Option<MmapArray2<u64>> {
        let opened = self.form.open(self.path, mode, self.locks);
        self.step("open", opened)
    }

    pub(crate) fn new_rows(&mut self, count: u64) -> (Range<u64>, Vec<Row>) {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        let rows = numbers.clone().map(|number| row((self.writer, number))).collect();
        (numbers, rows)
    }

    /// Reports that rows or a cell are about to be written; the next sync acknowledges them.
    pub(crate) fn attempt(&mut self, what: String) {
        self.said.say(&format!("try {what}"));
        self.pending.push(what);
    }

    fn append(&mut self, a: &mut MmapArray2<u64>, count: u64) -> Option<()> {
        let (numbers, rows) = self.new_rows(count);
        self.attempt(format!("rows {} {}", numbers.start, numbers.end));
        self.start("append");
        let appended = match count {
            1 => a.push(Axis(0), &aview1(&rows[0])),
            _ => a.append(Axis(0), &array(&rows)),
        };
        self.step("append", appended)
    }

    pub(crate) fn acknowledge(&mut self, doing: &str, result: Result<()>) -> Option<()> {
        self.step(doing, result)?;
        for what in std::mem::take(&mut self.pending) {
            self.said.say(&format!("ack {what}"));
        }
        Some(())
    }

    fn sync(&mut self, a: &MmapArray2<u64>) -> Option<()> {
        self.start("sync");
        self.acknowledge("sync", a.sync())
    }

    fn close(&mut self, a: MmapArray2<u64>) -> Option<()> {
        self.start("close");
        self.acknowledge("close", a.close())
    }

    /// Reports that a cell of this writer is about to be written, and returns its new contents.
    pub(crate) fn new_cell(&mut self, index: u64) -> Row {
        let (numbers, rows) = self.new_rows(1);
        self.attempt(format!("cell {index} {}", numbers.start));
        rows[0]
    }

    fn check(&mut self, rows: &ArrayRef2<u64>) {
        for (index, found) in rows.outer_iter().enumerate() {
            let found: Row = found.to_vec().try_into().unwrap();
            // Rows added by `resize` are zeros at first.
            if name(found).is_none() && found != [0; WIDTH] {
                self.said.say(&format!("bad row {index}: {found:?}"));
                return;
            }
        }
    }

    /// Returns the rows of the file, for a file that replaces it.
    pub(crate) fn rows_of_file(&mut self) -> Option<Vec<Row>> {
        match self.form.rows(&self.form.read(self.path).unwrap()) {
            Ok(rows) => Some(rows),
            Err(why) => {
                self.said.say(&format!("bad file: {why}"));
                None
            }
        }
    }

    /// The two rows that this writer changes in place: one near the other writer's, one far away.
    pub(crate) fn cells(&self) -> [u64; 2] {
        [10 * self.writer, 90 + 90 * self.writer]
    }
}

/// Returns the name of an error, without its path.
pub(crate) fn kind(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Io { action, source, .. } => format!("Io({action}: {source})"),
        error => {
            let text = format!("{error:?}");
            text.split([' ', '{']).next().unwrap_or_default().to_owned()
        }
    }
}

pub(crate) fn array(rows: &[Row]) -> Array2<u64> {
    Array2::from_shape_vec((rows.len(), WIDTH), rows.concat()).unwrap()
}

pub(crate) fn push(s: &mut Session<'_>) -> Option<()> {
    let mut a = s.open(ReadWrite)?;
    s.append(&mut a, 1)?;
    s.append(&mut a, 1)?;
    s.sync(&a)?;
    s.append(&mut a, 1)?;
    s.close(a)
}

pub(crate) fn append_many(s: &mut Session<'_>) -> Option<()> {
    let mut a = s.open(ReadWrite)?;
    s.append(&mut a, MANY)?;
    s.sync(&a)?;
    s.append(&mut a, 2)?;
    s.close(a)
}

pub(crate) fn resize(s: &mut Session<'_>) -> Option<()> {
    let mut a = s.open(ReadWrite)?;
    let old = a.nrows();
    let (numbers, rows) = s.new_rows(2);
    s.said.say(&format!("try rows {} {}", numbers.start, numbers.end));
    s.start("resize");
    let resized = a.resize(Axis(0), old + 2);
    s.step("resize", resized)?;
    a.view_mut().unwrap().slice_mut(s![old.., ..]).assign(&array(&rows));
    s.pending.push(format!("rows {} {}", numbers.start, numbers.start + 1));
    s.sync(&a)?;
    s.start("resize");
    let resized = a.resize(Axis(0), old + 1);
    s.step("resize", resized)?;
    s.close(a)
}

/// Extends a raw file by opening it.
pub(crate) fn open_grow(s: &mut Session<'_>) -> Option<()> {
    let old = s.rows_of_file()?.len();
    let options = MapOptions::new(ReadWrite).grow(true).lock(s.locks);
    // SAFETY: as in `Form::open`.
    let opened = unsafe { options.shape((old + 2, WIDTH)).open::<u64>(s.path) };
    let mut a = s.step("open", opened)?;
    // Another process may have extended the file first.
    if a.slice(s![old.., ..]).iter().any(|number| *number != 0) {
        s.said.say("zeros");
        return None;
    }
    let (numbers, rows) = s.new_rows(2);
    s.attempt(format!("rows {} {}", numbers.start, numbers.end));
    a.view_mut().unwrap().slice_mut(s![old.., ..]).assign(&array(&rows));
    s.close(a)
}

/// Fails to open and extend a file, because its bytes are not a `char`.
pub(crate) fn open_grow_fails(s: &mut Session<'_>) -> Option<()> {
    let options = MapOptions::new(ReadWrite).grow(true).lock(s.locks).shape(5000);
    // SAFETY: as in `Form::open`.
    let opened: Result<MmapArray1<char>> = unsafe { options.open(s.path) };
    s.step("open", opened).map(drop)
}

pub(crate) fn refresh(s: &mut Session<'_>) -> Option<()> {
    let mut a = s.open(ReadOnly)?;
    s.check(&a);
    for _ in 0..2 {
        let refreshed = a.refresh();
        s.step("refresh", refreshed)?;
        s.check(&a);
    }
    Some(())
}

pub(crate) fn read(s: &mut Session<'_>) -> Option<()> {
    let loaded = s.form.load(s.path, s.locks);
    if let Some(a) = s.step("load", loaded) {
        s.check(&a);
    }
    if let Some(a) = s.open(ReadOnly) {
        s.check(&a);
    }
    if s.form != Form::Raw {
        // SAFETY: as in `Form::open`.
        let opened = unsafe { DynArray::open(s.path, ReadOnly) };
        return s.step("open", opened).map(drop);
    }
    Some(())
}

pub(crate) fn commit(s: &mut Session<'_>) -> Option<()> {
    commit_by(s, MmapArray2::commit)
}

pub(crate) fn force_commit(s: &mut Session<'_>) -> Option<()> {
    commit_by(s, MmapArray2::force_commit)
}

fn commit_by(
    s: &mut Session<'_>,
    commit: impl Fn(&mut MmapArray2<u64>) -> Result<()>,
) -> Option<()> {
    let mut a = s.open(CopyOnWrite)?;
    for index in s.cells() {
        if index as usize >= a.nrows() {
            return None;
        }
        let cell = s.new_cell(index);
        a.view_mut().unwrap().row_mut(index as usize).assign(&aview1(&cell));
        s.start("commit");
        let committed = commit(&mut a);
        s.acknowledge("commit", committed)?;
    }
    Some(())
}

pub(crate) fn scatter(s: &mut Session<'_>) -> Option<()> {
    let mut a = s.open(ReadWrite)?;
    for _ in 0..2 {
        if a.nrows() < ROWS as usize {
            return None;
        }
        let cells = s.cells();
        let rows = cells.map(|index| s.new_cell(index));
        s.start("scatter");
        let scattered =
            a.scatter(Axis(0), &cells.map(|index| index as usize), &array(&rows));
        s.step("scatter", scattered)?;
        s.sync(&a)?;
    }
    s.close(a)
}

/// Replaces the file by one with its rows and one more, under the lock of a reader.
pub(crate) fn publish(s: &mut Session<'_>) -> Option<()> {
    let held = s.open(ReadOnly)?;
    let mut rows = rows_of(&held);
    publish_rows(s, &mut rows, false)
}

/// Replaces the file under the lock of the draft alone.
pub(crate) fn publish_locked(s: &mut Session<'_>) -> Option<()> {
    let mut rows = s.rows_of_file()?;
    publish_rows(s, &mut rows, true)
}

fn publish_rows(s: &mut Session<'_>, rows: &mut Vec<Row>, lock: bool) -> Option<()> {
    let (numbers, new) = s.new_rows(1);
    rows.extend(new);
    s.attempt(format!("rows {} {}", numbers.start, numbers.end));
    let shape = (rows.len(), WIDTH);
    let drafted = match s.form {
        Form::Raw => MapOptions::new(Create).lock(lock).shape(shape).draft::<u64>(s.path),
        _ => Options::new(Create).lock(lock).draft(s.path, shape),
    };
    let mut draft = s.step("draft", drafted)?;
    draft.view_mut().assign(&array(rows));
    s.start("publish");
    s.acknowledge("publish", draft.publish())
}

pub(crate) fn rows_of(a: &ArrayRef2<u64>) -> Vec<Row> {
    a.outer_iter().map(|row| row.to_vec().try_into().unwrap()).collect()
}

pub(crate) fn make_growable(s: &mut Session<'_>) -> Option<()> {
    s.start("make_growable");
    let made = ndarray_memmap::npy::make_growable(s.path);
    s.step("make_growable", made)
}

pub(crate) fn make_growable_and_push(s: &mut Session<'_>) -> Option<()> {
    make_growable(s)?;
    push(s)
}
