//! Rows that come one by one, and blocks of them.
#![expect(unsafe_code, reason = "mapping a file is unsafe, whoever does it")]

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use ndarray::{Array2, Axis, s};
use ndarray_memmap::npy;
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

use crate::peer;
use crate::rounds::{Pace, Section, Target, Way};
use test_support::python::Python;

pub(crate) fn all<'a>(
    dir: &Path,
    total: usize,
    python: Option<&'a RefCell<Python>>,
) -> Vec<Section<'a>> {
    let rows = |name, len| Pushes { dir: dir.to_owned(), name, len, total };
    let [small, medium, large] =
        [rows("1 KiB", 1 << 10), rows("4 KiB", 1 << 12), rows("1 MiB", 1 << 20)];
    let mut sections = vec![small.section(None)];
    for (pushes, what, faster) in
        [(&medium, "append_rows", 5.0), (&large, "append_blocks", 1.8)]
    {
        let peer = python.map(|python| {
            let path = dir.join("appended.npy");
            peer::numpy("npy-append-array", python, what, &path)
                .target(Target::AtLeast(faster))
        });
        sections.push(pushes.section(peer));
    }
    sections.extend([true, false].map(|is_npy| small.flatness(is_npy)));
    sections
}

#[derive(Clone)]
struct Pushes {
    dir: PathBuf,
    name: &'static str,
    /// The bytes of a row.
    len: usize,
    /// The bytes of all.
    total: usize,
}

impl Pushes {
    fn count(&self) -> usize {
        self.total / self.len
    }

    fn section<'a>(&self, peer: Option<Way<'a>>) -> Section<'a> {
        let [npy, raw, buffered, written] = [(); 4].map(|()| self.clone());
        let is_small = self.len == 1 << 10;
        let target = if is_small { Target::AtLeast(0.5) } else { Target::Unset };
        let ways = [
            Way::new("push, .npy", move || npy.push(true, |_| ())),
            Way::new("push, raw", move || raw.push(false, |_| ())),
            Way::new("BufWriter", move || buffered.write(true)).target(target),
            Way::new("write", move || written.write(false)),
        ];
        Section {
            name: format!("{} rows of {}, one by one", self.count(), self.name),
            pace: Pace::Heavy,
            ways: ways.into_iter().chain(peer).collect(),
        }
    }

    /// The time of the last tenth of all rows beside that of the first.
    fn flatness<'a>(&self, is_npy: bool) -> Section<'a> {
        let tenth = |pushes: Self, from: usize| {
            move |runs: u32| {
                (0..runs).fold((0.0, 0.0), |(_, seconds), _| {
                    let (mut start, mut took) = (Instant::now(), 0.0);
                    let (first, last) =
                        (from * pushes.count() / 10, (from + 1) * pushes.count() / 10);
                    let count = pushes.push(is_npy, |row| {
                        if row == first {
                            start = Instant::now();
                        }
                        if row + 1 == last {
                            took = start.elapsed().as_secs_f64();
                        }
                    });
                    (count, seconds + took)
                })
            }
        };
        let kind = if is_npy { ".npy" } else { "raw" };
        Section {
            name: format!("{} rows of {}, {kind}, by tenths", self.count(), self.name),
            pace: Pace::Heavy,
            ways: vec![
                Way::timing_itself("the first", tenth(self.clone(), 0)),
                Way::timing_itself("the last", tenth(self.clone(), 9))
                    .target(Target::AtMost(1.5)),
            ],
        }
    }

    /// Pushes all rows into a new file; calls `at` before the first and after each row.
    fn push(&self, is_npy: bool, mut at: impl FnMut(usize)) -> f64 {
        let path = self.dir.join("pushed");
        let _ = fs::remove_file(&path);
        let shape = (0, self.len / 8);
        let mut array: MmapArray2<f64> = if is_npy {
            // SAFETY: the folder belongs to this process, which has no other mapping of it.
            unsafe { npy::create(&path, shape) }.expect("it is created")
        } else {
            let options = MapOptions::new(Mode::CreateNew).shape(shape);
            // SAFETY: as above.
            unsafe { options.open(&path) }.expect("it is created")
        };
        let block = Array2::from_elem((1, self.len / 8), 1.5);
        let row = block.slice(s![0, ..]);
        for number in 0..self.count() {
            at(number);
            array.push(Axis(0), &row).expect("there is room");
        }
        let count = array.nrows();
        drop(array);
        number(count)
    }

    fn write(&self, buffered: bool) -> f64 {
        let path = self.dir.join("written");
        let _ = fs::remove_file(&path);
        let row = vec![1.5; self.len / 8];
        let bytes: &[u8] = bytemuck::cast_slice(&row);
        let mut file = File::create_new(&path).expect("it is created");
        let write = |to: &mut dyn Write| {
            (0..self.count()).for_each(|_| to.write_all(bytes).expect("there is room"));
        };
        if buffered {
            let mut buffer = BufWriter::new(file);
            write(&mut buffer);
            buffer.flush().expect("there is room");
        } else {
            write(&mut file);
        }
        number(self.count())
    }
}

#[expect(clippy::cast_precision_loss, reason = "the counts are small")]
fn number(count: usize) -> f64 {
    count as f64
}
