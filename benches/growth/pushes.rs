//! Rows that a program pushes one by one, and blocks of rows.
#![expect(unsafe_code, reason = "the files belong to this process, so it may map them")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bench_common::Target::{AtLeast, AtMost, Unset};
use bench_common::{Pace, Peer, Section, Way};
use ndarray::{Array2, Axis, s};
use ndarray_memmap::npy;
use ndarray_memmap::{MapOptions, MmapArray2, Mode};

pub(crate) fn all<'a>(
    folder: &Path,
    total: usize,
    python: Option<&'a Peer>,
) -> Vec<Section<'a>> {
    let rows = |name, len| Pushes { folder: folder.to_owned(), name, len, total };
    let [small, medium, large] =
        [rows("1 KiB", 1 << 10), rows("4 KiB", 1 << 12), rows("1 MiB", 1 << 20)];
    let peer = |work, faster| {
        let path = folder.join("appended.npy");
        python.map(|python| {
            python.way("npy-append-array", work, &path).target(AtLeast(faster))
        })
    };
    vec![
        small.section(None),
        medium.section(peer("append_rows", 5.0)),
        large.section(peer("append_blocks", 1.8)),
        small.flatness(true),
        small.flatness(false),
    ]
}

#[derive(Clone)]
struct Pushes {
    folder: PathBuf,
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
        let target = if is_small { AtLeast(0.5) } else { Unset };
        let ways = [
            Way::new("push, .npy", move || npy.push(true, |_| ())),
            Way::new("push, raw", move || raw.push(false, |_| ())),
            Way::new("BufWriter", move || buffered.write(true)).target(target),
            Way::new("write", move || written.write(false)),
        ];
        Section::new(
            format!("{} rows of {}, one by one", self.count(), self.name),
            Pace::Heavy,
            ways.into_iter().chain(peer).collect(),
        )
    }

    /// Compares the time of the last tenth of the rows with that of the first.
    fn flatness<'a>(&self, is_npy: bool) -> Section<'a> {
        let tenth = |pushes: Self, from: usize| {
            move || {
                let (mut start, mut seconds) = (Instant::now(), 0.0);
                let [first, end] = [from, from + 1].map(|at| at * pushes.count() / 10);
                let count = pushes.push(is_npy, |row| {
                    if row == first {
                        start = Instant::now();
                    }
                    if row + 1 == end {
                        seconds = start.elapsed().as_secs_f64();
                    }
                });
                (count, seconds)
            }
        };
        let kind = if is_npy { ".npy" } else { "raw" };
        Section::new(
            format!("{} rows of {}, {kind}, by tenths", self.count(), self.name),
            Pace::Heavy,
            vec![
                Way::timing_a_part("the first", tenth(self.clone(), 0)),
                Way::timing_a_part("the last", tenth(self.clone(), 9))
                    .target(AtMost(1.5)),
            ],
        )
    }

    /// Pushes all rows into a new file; calls `at` before each row.
    fn push(&self, is_npy: bool, mut at: impl FnMut(usize)) -> f64 {
        let path = self.folder.join("pushed");
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
            array.push(Axis(0), &row).expect("it is written");
        }
        let count = array.nrows();
        drop(array);
        number(count)
    }

    fn write(&self, buffered: bool) -> f64 {
        let path = self.folder.join("written");
        let _ = fs::remove_file(&path);
        let row = vec![1.5; self.len / 8];
        let bytes: &[u8] = bytemuck::cast_slice(&row);
        let mut file = File::create_new(&path).expect("it is created");
        let write = |to: &mut dyn Write| {
            (0..self.count()).for_each(|_| to.write_all(bytes).expect("it is written"));
        };
        if buffered {
            let mut buffer = BufWriter::new(file);
            write(&mut buffer);
            buffer.flush().expect("it is written");
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
