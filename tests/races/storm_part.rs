//! The operations of one process of the storm.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ndarray::{Axis, aview1};
use ndarray_memmap::Mode::{CopyOnWrite, Create, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{self, DynArray, Options};
use ndarray_memmap::{Error, ErrorKind, MapOptions, MmapArray2, Mode, Result};

use crate::rows::{Form, Row, WIDTH, name, row};
use crate::session::{array, kind, rows_of};

pub(crate) const PROCESSES: u64 = 6;
/// How many cells each process has in a file of cells.
pub(crate) const CELLS: u64 = 64;
/// The files, and whether rows are added or change in place.
pub(crate) const FILES: [(&str, Form, bool); 4] = [
    ("log.u64", Form::Raw, true),
    ("log.npy", Form::Npy, true),
    ("cells.u64", Form::Raw, false),
    ("cells.npy", Form::Npy, false),
];
/// How long a process tries to get a lock.
const BUSY: Duration = Duration::from_millis(500);

/// Returns the file in which a process reports attempts and acknowledgements.
pub(crate) fn said_path(folder: &Path, slot: u64) -> PathBuf {
    folder.join("said").join(slot.to_string())
}

struct Part<'a> {
    folder: &'a Path,
    slot: u64,
    random: u64,
    /// The number of the next row.
    next: u64,
    said: File,
    file: &'static str,
    form: Form,
    path: PathBuf,
}

/// Runs one operation after the other until a file with a stop request exists.
pub(crate) fn run(folder: &Path, slot: u64, seed: u64) {
    let path = said_path(folder, slot);
    let old = fs::read_to_string(&path).unwrap_or_default();
    let number = |line: &str| line.rsplit(' ').next()?.parse::<u64>().ok();
    // The numbers in a truncated line are lower than those in the file, or missing.
    let last =
        old.lines().filter(|line| line.starts_with("try ")).filter_map(number).max();
    let said = File::options().append(true).create(true).open(path).unwrap();
    let (file, form, _) = FILES[0];
    let next = last.unwrap_or(0) + 1_000;
    let path = folder.join("files").join(file);
    let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut part = Part { folder, slot, random, next, said, file, form, path };
    part.write("");
    while !folder.join("stop").exists() {
        part.act();
    }
}

impl Part<'_> {
    fn act(&mut self) {
        let of_log = self.choose(4) < 3;
        let (file, form, _) = FILES[self.choose(2) as usize + if of_log { 0 } else { 2 }];
        (self.file, self.form) = (file, form);
        self.path = self.folder.join("files").join(file);
        let choice = self.choose(100);
        let (doing, act): (&str, fn(&mut Self) -> Result<()>) = match (of_log, choice) {
            (true, 0..45) => ("append", Self::append),
            (true, 45..55) => ("publish", Self::publish),
            (true, 55..62) => ("make_growable", Self::make_growable),
            (true, 62..67) => ("tighten", Self::tighten),
            (true, 67..72) => ("resize", Self::resize),
            (true, 72..85) => ("refresh", Self::refresh),
            (true, _) => ("read", Self::read),
            (false, 0..50) => ("commit", Self::commit),
            (false, _) => ("scatter", Self::scatter),
        };
        println!("at {doing} {file}");
        match act(self) {
            Ok(()) => println!("done {doing} {file}"),
            Err(error) => self.judge(doing, &error),
        }
        if self.choose(60) == 0 {
            println!("kill {}", self.choose(PROCESSES) + 1);
        }
    }

    /// Reports an error that the other processes cannot explain.
    fn judge(&mut self, doing: &str, error: &Error) {
        let kind = kind(error);
        let is_right = match (error.kind(), self.form) {
            (ErrorKind::Locked | ErrorKind::Replaced | ErrorKind::Conflict, _) => true,
            // A killed process may leave a part of an appended row.
            (ErrorKind::PartialElement { .. }, Form::Raw) => {
                repair(&self.path, self.form);
                true
            }
            // A killed process may leave bytes after the rows.
            (ErrorKind::TrailingBytes { .. }, Form::Npy) if doing == "make_growable" => {
                true
            }
            (ErrorKind::Npy(ndarray_memmap::NpyErrorKind::NoRoom { .. }), Form::Npy) => {
                true
            }
            _ => false,
        };
        match is_right {
            true => println!("done {doing} {}: {kind}", self.file),
            false => println!("bad {doing} {}: {error}", self.file),
        }
    }

    fn choose(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % below
    }

    /// Writes a line by one call, so that a kill of this process cannot lose it.
    fn write(&mut self, line: &str) {
        self.said.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    fn open(&mut self, mode: Mode) -> Result<MmapArray2<u64>> {
        self.patient(|part| part.form.open(&part.path, mode, true))
    }

    /// Retries until no other process holds the lock.
    fn patient<T>(&mut self, act: impl Fn(&mut Self) -> Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            let done = act(self);
            let kind = done.as_ref().map_err(Error::kind);
            if !matches!(kind, Err(ErrorKind::Locked)) || start.elapsed() >= BUSY {
                return done;
            }
            thread::sleep(Duration::from_micros(200 + self.choose(2000)));
        }
    }

    /// Reports that rows are about to be written; returns them and the line to report afterwards.
    fn attempt(&mut self, count: u64) -> (Vec<Row>, String) {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        let what = format!("{} rows {} {}", self.file, numbers.start, numbers.end);
        self.write(&format!("try {what}"));
        let rows = numbers.map(|number| row((self.slot, number))).collect();
        (rows, format!("ack {what}"))
    }

    fn append(&mut self) -> Result<()> {
        let mut a = self.open(ReadWrite)?;
        let mut said = Vec::new();
        for _ in 0..=self.choose(3) {
            let count = if self.choose(300) == 0 { 2100 } else { 1 + self.choose(4) };
            let (rows, what) = self.attempt(count);
            match count {
                1 => a.push(Axis(0), &aview1(&rows[0]))?,
                _ => a.append(Axis(0), &array(&rows))?,
            }
            said.push(what);
        }
        match self.choose(2) {
            0 => a.sync()?,
            _ => a.close()?,
        }
        said.iter().for_each(|what| self.write(what));
        Ok(())
    }

    /// Takes the lock for processes that replace the file.
    ///
    /// A process that replaces a file can exclude writers of the old file with a shared lock. A
    /// shared lock does not exclude other processes that replace the file.
    fn replacing(&self) -> File {
        let path = self.folder.join("locks").join(self.file);
        let file = File::options().append(true).create(true).open(path).unwrap();
        file.lock().unwrap();
        file
    }

    fn publish(&mut self) -> Result<()> {
        let lock = self.replacing();
        let held = self.open(ReadOnly)?;
        let mut rows = rows_of(&held);
        let (new, what) = self.attempt(1);
        rows.extend(new);
        let shape = (rows.len(), WIDTH);
        let mut draft = match self.form {
            Form::Raw => MapOptions::new(Create).shape(shape).draft::<u64>(&self.path)?,
            _ => Options::new(Create).draft(&self.path, shape)?,
        };
        draft.view_mut().assign(&array(&rows));
        draft.publish()?;
        self.write(&what);
        drop((held, lock));
        Ok(())
    }

    fn make_growable(&mut self) -> Result<()> {
        if self.form == Form::Raw {
            return Ok(());
        }
        let lock = self.replacing();
        npy::make_growable(&self.path)?;
        drop(lock);
        Ok(())
    }

    /// Gives the file a header without room for more digits.
    fn tighten(&mut self) -> Result<()> {
        if self.form == Form::Raw {
            return Ok(());
        }
        let lock = self.replacing();
        let held = self.open(ReadOnly)?;
        let other = self.path.with_extension(format!("{}.new", self.slot));
        fs::write(&other, Form::Tight.bytes(&rows_of(&held))).unwrap();
        fs::rename(&other, &self.path).unwrap();
        drop((held, lock));
        Ok(())
    }

    /// Truncates the file to its rows.
    fn resize(&mut self) -> Result<()> {
        let mut a = self.open(ReadWrite)?;
        let len = a.nrows();
        a.resize(Axis(0), len)?;
        a.close()
    }

    fn refresh(&mut self) -> Result<()> {
        // Without a lock only for files that never shrink and never count rows too early.
        let lock = self.form == Form::Raw || self.choose(2) == 0;
        let mut a = self.patient(|part| part.form.open(&part.path, ReadOnly, lock))?;
        self.check(&a);
        for _ in 0..self.choose(4) {
            a.refresh()?;
            self.check(&a);
        }
        Ok(())
    }

    fn read(&mut self) -> Result<()> {
        let loaded = self.patient(|part| part.form.load(&part.path, true))?;
        self.check(&loaded);
        if self.form != Form::Raw {
            // SAFETY: no process changes rows of this file in place; nothing refers to them here.
            let a = unsafe { DynArray::open(&self.path, ReadOnly)? };
            assert_eq!(a.shape()[1], WIDTH);
        }
        Ok(())
    }

    fn check(&self, a: &MmapArray2<u64>) {
        let wrong = a
            .outer_iter()
            .position(|row| name([row[0], row[1], row[2], row[3]]).is_none());
        if let Some(index) = wrong {
            println!("bad {}: row {index} is {}", self.file, a.row(index));
        }
    }

    /// Reports that some cells of this process are about to change.
    fn cells(&mut self) -> (Vec<usize>, Vec<Row>, Vec<String>) {
        let count = 1 + self.choose(5);
        let (mut indices, mut rows, mut said) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            // The cells of all processes are interleaved.
            let index = self.choose(CELLS) * PROCESSES + self.slot - 1;
            if indices.contains(&(index as usize)) {
                continue;
            }
            let what = format!("{} cell {index} {}", self.file, self.next);
            self.write(&format!("try {what}"));
            indices.push(index as usize);
            rows.push(row((self.slot, self.next)));
            said.push(format!("ack {what}"));
            self.next += 1;
        }
        (indices, rows, said)
    }

    fn commit(&mut self) -> Result<()> {
        let mut a = self.open(CopyOnWrite)?;
        for _ in 0..=self.choose(2) {
            let (indices, rows, said) = self.cells();
            let mut view = a.view_mut()?;
            for (index, row) in indices.iter().zip(&rows) {
                view.row_mut(*index).assign(&aview1(row));
            }
            a.commit()?;
            said.iter().for_each(|what| self.write(what));
        }
        Ok(())
    }

    fn scatter(&mut self) -> Result<()> {
        let mut a = self.open(ReadWrite)?;
        let (indices, rows, said) = self.cells();
        a.scatter(Axis(0), &indices, &array(&rows))?;
        match self.choose(2) {
            0 => a.sync()?,
            _ => a.close()?,
        }
        said.iter().for_each(|what| self.write(what));
        Ok(())
    }
}

/// Truncates a partial row that a killed process may have left at the end of a raw file.
pub(crate) fn repair(path: &Path, form: Form) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    if form != Form::Raw || file.try_lock().is_err() {
        return;
    }
    let (found, named) = (file.metadata().unwrap(), fs::metadata(path).unwrap());
    if found.ino() == named.ino() {
        file.set_len(found.len() / 32 * 32).unwrap();
    }
}
