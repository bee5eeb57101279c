//! Processes fill windows of one array file. The parent sees the rows through its mapping.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(clippy::arithmetic_side_effects, reason = "the numbers are small")]

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{self, Command};

use ndarray::{Axis, Ix2};
use ndarray_memmap::Mode;
use ndarray_memmap::npy::{self, Header};
use ndarray_memmap::partition::Partition;

const SHAPE: (usize, usize) = (4000, 512);
const PROCESSES: usize = 4;
const PAGE: u64 = 4096;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [] => parent(),
        [path, part] => child(Path::new(path), part),
        _ => Err("usage: shared_processes".into()),
    }
}

fn parent() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("field.npy");
    let options = npy::Options::new(Mode::Create).data_align(PAGE);
    // SAFETY: the children change the file only while the parent holds no borrow of this array.
    let field = unsafe { options.create::<f64, _>(&path, SHAPE)? };
    println!("process {} has {SHAPE:?} zeros, sum {}", process::id(), field.sum());

    let program = env::current_exe()?;
    let start = |part: usize| {
        let part = part.to_string();
        Command::new(&program).args([path.as_os_str(), OsStr::new(&part)]).spawn()
    };
    let children = (0..PROCESSES).map(start).collect::<Result<Vec<_>, _>>()?;
    for mut child in children {
        if !child.wait()?.success() {
            return Err("a child has failed".into());
        }
    }

    println!("process {} sees in the same pages:", process::id());
    for window in divide(&path)?.windows(&path) {
        let rows = field.slice(ndarray::s![window.rows(), ..]);
        println!("  rows {:?}, sum {}", window.rows(), rows.sum());
    }
    let count = field.len() as f64;
    println!("sum {}, expected {}", field.sum(), count * (count - 1.0) / 2.0);
    Ok(())
}

/// Fills one window with the numbers of its elements.
fn child(path: &Path, part: &OsStr) -> Result<(), Box<dyn Error>> {
    let part = part.to_str().ok_or("no number")?.parse()?;
    let window = divide(path)?.window(path, part).ok_or("no such part")?;
    // SAFETY: no two windows have a row in common, and the parent waits for the children.
    let mut rows = unsafe { window.open::<f64, Ix2>(Mode::ReadWrite)? };
    let first = (window.rows().start * SHAPE.1) as f64;
    for ((row, column), x) in rows.view_mut()?.indexed_iter_mut() {
        *x = first + (row * SHAPE.1 + column) as f64;
    }
    rows.sync()?;
    println!("  process {} fills rows {:?}", process::id(), window.rows());
    Ok(())
}

/// Divides the file among the processes, with the same result in each process.
fn divide(path: &Path) -> Result<Partition, Box<dyn Error>> {
    let header = Header::read(&File::open(path)?)?;
    Ok(Partition::new(&header, Axis(0), PROCESSES)?.aligned_to(PAGE))
}
