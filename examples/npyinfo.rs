//! Prints the header of a `.npy` file and statistics of its numbers.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]

use std::env;
use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

use ndarray::ArrayRefD;
use ndarray_memmap::npy::{self, DynArray, Header};
use ndarray_memmap::{Mode, Reduce, Reductions};

const USAGE: &str = "usage: npyinfo [--head N] FILE.npy";

/// Prints an error with `{}`, which includes the remedy; a `main` that returns it would not.
fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (mut head, mut path) = (0, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--head" => head = arguments.next().ok_or(USAGE)?.parse()?,
            _ => path = Some(argument),
        }
    }
    match path {
        Some(path) => inform(&path, head),
        None => example(),
    }
}

/// Describes a file that this function creates, for calls without arguments.
fn example() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("multiplication.npy");
    // SAFETY: the file is in a temporary folder that only this program uses.
    let mut table = unsafe { npy::create::<u16, _>(&path, (12, 12))? };
    for ((row, column), product) in table.view_mut()?.indexed_iter_mut() {
        *product = u16::try_from(row.saturating_mul(column))?;
    }
    table.close()?;
    println!("{USAGE}\n\nFor example:\n");
    inform(path.to_str().ok_or(USAGE)?, 20)
}

fn inform(path: &str, head: usize) -> Result<(), Box<dyn Error>> {
    let header = Header::open(path)?;
    let order = if header.fortran_order() { "Fortran" } else { "C" };
    let mut lengths = header.shape().iter();
    let count = lengths.try_fold(1_usize, |count, &length| count.checked_mul(length));
    let count = count.map_or("more than fit".to_owned(), |count| count.to_string());
    println!("{path}");
    println!("  format    {:?}, data at byte {}", header.version(), header.data_offset());
    println!("  elements  {}, size {}", header.dtype(), header.dtype().size());
    println!("  shape     {:?} in {order} order, {count} elements", header.shape());

    // SAFETY: the caller of the program lets no process change the file while it runs.
    let array = match unsafe { DynArray::open(path, Mode::ReadOnly) } {
        Ok(array) => array,
        Err(reason) => {
            println!("  no figures: {reason}");
            return Ok(());
        }
    };
    npy::match_real!(&array, a => print_figures(a, head), else => {
        println!("  no figures of such elements");
    });
    Ok(())
}

fn print_figures<A>(a: &ArrayRefD<A>, head: usize)
where
    A: Reduce<Value: Display, Mean = f64> + Display,
{
    if let (Some(lowest), Some(highest)) = (a.minimum(), a.maximum()) {
        println!("  lowest    {lowest}\n  highest   {highest}");
        println!("  mean      {}", a.wide_mean());
    }
    if head > 0 {
        let first: Vec<String> = a.iter().take(head).map(A::to_string).collect();
        println!("  first     {}", first.join(" "));
    }
}
