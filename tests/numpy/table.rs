//! The tables of the chapter for NumPy users, whose rows run here and in NumPy.
//!
//! The key of an entry is the left cell of its row. NumPy runs the code in that cell, and the entry
//! contains the code of the right cell. Results must have the same type, shape and bits, except
//! that any NaN equals any NaN, and that sums, means and deviations have a tolerance.

use std::cell::Cell;
use std::error::Error as StdError;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::{fs, io};

use bytemuck::{bytes_of, cast_slice};
use ndarray::{ArrayRef, Dimension, IxDyn, ShapeBuilder, arr0};
use ndarray_memmap::npy::NpyElement;
use ndarray_memmap::{Error, ErrorKind, MapOptions, MmapArrayD, Mode};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::python::Python;

use crate::elements::hex;

pub(crate) type Outcome = std::result::Result<(), Box<dyn StdError>>;
/// The left cell of a row, and its test.
pub(crate) type Row = (&'static str, fn(&mut Live) -> Outcome);

const TABLES: [(&[Row], &str); 5] = [
    (crate::table_differences::ROWS, include_str!("table_differences.rs")),
    (crate::table_files::ROWS, include_str!("table_files.rs")),
    (crate::table_opening::ROWS, include_str!("table_opening.rs")),
    (crate::table_parameters::ROWS, include_str!("table_parameters.rs")),
    (crate::table_using::ROWS, include_str!("table_using.rs")),
];

#[test]
#[ignore = "needs Python with NumPy; run by .ci/steps/numpy"]
fn the_table_for_numpy_users_is_right_in_live_numpy() {
    hide_expected_panics();
    let mut live = Live::start();
    let mut failed = Vec::new();
    for (left, test) in TABLES.iter().flat_map(|(rows, _)| *rows) {
        let before = live.count;
        live.spans = code(left);
        live.context = (*left).to_owned();
        let result = panic::catch_unwind(AssertUnwindSafe(|| test(&mut live).unwrap()));
        if result.is_err() || live.count == before {
            failed.push(left);
        }
    }
    assert!(failed.is_empty(), "these rows fail, or compare nothing: {failed:#?}");
    let rows: usize = TABLES.iter().map(|(rows, _)| rows.len()).sum();
    println!("{} results of the table agree with NumPy, in {rows} rows", live.count);
    live.python.end();
}

#[test]
fn each_row_for_numpy_users_has_a_test_with_its_code() {
    let rows = chapter();
    assert!(rows.len() > 80, "{} rows", rows.len());
    for (left, right) in &rows {
        let found: Vec<_> = TABLES
            .iter()
            .filter(|(rows, _)| rows.iter().any(|row| row.0 == left))
            .collect();
        let [(_, source)] = found[..] else {
            panic!("{} tests of the row: {left}", found.len())
        };
        let (_, rest) = source.split_once(&format!("(\"{left}\", |")).expect(left);
        let entry = squeezed(rest.split("\n    (\"").next().unwrap());
        for call in code(right)
            .iter()
            .filter(|code| code.contains(['(', '[']) || code.contains(" + "))
        {
            // Two dots stand for any arguments.
            let is_part = |part: &str| entry.contains(&squeezed(part));
            assert!(call.split("(..)").all(is_part), "the test of {left} has no {call}");
        }
    }
    for (left, _) in TABLES.iter().flat_map(|(rows, _)| *rows) {
        assert!(rows.iter().any(|row| row.0 == *left), "the chapter has no row: {left}");
    }
}

fn squeezed(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace() && *c != '?').collect()
}

/// Returns the two cells of each row of the chapter. The name of a function precedes its parameters.
fn chapter() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/doc/for_numpy_users.rs");
    let text = fs::read_to_string(path).unwrap();
    let (mut rows, mut function) = (Vec::new(), String::new());
    for line in
        text.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix(" |"))
    {
        let (left, right) = line.split_once(" | ").unwrap();
        if right == "this crate" {
            function = left
                .strip_suffix(" (its default)")
                .map(|name| format!("{name}: "))
                .unwrap_or_default();
        } else {
            rows.push((format!("{function}{left}"), right.replace("\\|", "|")));
        }
    }
    rows
}

/// Returns the text in each pair of backticks.
fn code(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

thread_local! { static PANICS: Cell<bool> = const { Cell::new(false) } }

/// Prints no panic that `panics` catches.
fn hide_expected_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !PANICS.get() {
            print(info);
        }
    }));
}

/// Returns whether `run` panics.
pub(crate) fn panics<R>(run: impl FnOnce() -> R) -> bool {
    PANICS.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    PANICS.set(false);
    result.is_err()
}

pub(crate) fn o(mode: Mode) -> MapOptions {
    MapOptions::new(mode)
}

/// NumPy, and the files that both sides open.
pub(crate) struct Live {
    python: Python,
    dir: TempDir,
    /// The code in the left cell of the row.
    spans: Vec<String>,
    /// The row and the input.
    context: String,
    count: usize,
}

impl Live {
    fn start() -> Self {
        let python = Python::start(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/numpy/table_peer.py"
        ));
        let dir = tempfile::tempdir().unwrap();
        Self { python, dir, spans: Vec::new(), context: String::new(), count: 0 }
    }

    /// Returns the path that is `p` in the code of NumPy.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("p.npy")
    }

    /// Returns the path of the file that `open` writes.
    pub(crate) fn open_path(&self) -> PathBuf {
        self.dir.path().join("a")
    }

    /// Returns a path for the results of this crate.
    pub(crate) fn our_path(&self) -> PathBuf {
        self.dir.path().join("ours.npy")
    }

    /// Returns code of the left cell.
    pub(crate) fn code(&self, span: usize) -> String {
        self.spans[span].clone()
    }

    /// Runs code in NumPy that raises no exception.
    pub(crate) fn run(&mut self, code: &str) -> Value {
        let answer = self.ask(code);
        assert!(answer.get("error").is_none(), "{}: {code}: {answer}", self.context);
        answer
    }

    fn ask(&mut self, code: &str) -> Value {
        self.python.ask(&json!({ "code": code, "names": { "p": self.path() } }))
    }

    /// Writes elements to the file, with more bytes after them, and opens it in mode `c` as `a`.
    pub(crate) fn open<A: NpyElement>(
        &mut self,
        values: &[A],
        shape: &[usize],
        order: char,
    ) -> MmapArrayD<A> {
        let (path, dtype) = (self.open_path(), A::dtype());
        let len: usize = shape.iter().product();
        let elements: Vec<A> = values.iter().copied().cycle().take(len).collect();
        fs::write(&path, [cast_slice(&elements), &[0_u8; 5][..]].concat()).unwrap();
        let row = self.context.split(" | ").next().unwrap();
        self.context =
            format!("{row} | {dtype} {shape:?} {order} {}", hex(bytes_of(&values[0])));
        let tuple: String = shape.iter().map(|length| format!("{length},")).collect();
        self.run(&format!("a = np.memmap(os.path.dirname(p) + '/a', '{dtype}', 'c', 0, ({tuple}), '{order}')"));
        let shape = IxDyn(shape).set_f(order == 'F');
        // SAFETY: no other code changes the file.
        unsafe { o(Mode::CopyOnWrite).shape(shape).open(&path) }.unwrap()
    }

    /// Compares a result with that of code in the left cell.
    pub(crate) fn same(&mut self, span: usize, ours: Value) {
        self.same_as(&self.code(span), ours);
    }

    pub(crate) fn same_as(&mut self, code: &str, ours: Value) {
        self.close_to(code, ours, 0.0);
    }

    pub(crate) fn close(&mut self, span: usize, ours: Value, tolerance: f64) {
        self.close_to(&self.code(span), ours, tolerance);
    }

    /// Compares a result with that of code, up to an absolute error.
    pub(crate) fn close_to(&mut self, code: &str, ours: Value, tolerance: f64) {
        let theirs = self.ask(code);
        let context = &self.context;
        assert!(
            agree(&ours, &theirs, tolerance),
            "{context}: {ours} is not {code}, {theirs}"
        );
        self.count += 1;
    }

    /// Checks that code raises an exception, where this crate panics.
    pub(crate) fn panics<R>(
        &mut self,
        code: &str,
        exception: &str,
        run: impl FnOnce() -> R,
    ) {
        self.raises(code, exception);
        assert!(panics(run), "{}: no panic, but {code} raises {exception}", self.context);
    }

    /// Checks that code raises an exception.
    pub(crate) fn raises(&mut self, code: &str, exception: &str) {
        self.same_as(code, json!({ "error": exception }));
    }

    /// Compares two values of this crate.
    pub(crate) fn check<T: PartialEq + std::fmt::Debug>(
        &mut self,
        found: T,
        expected: T,
    ) {
        assert_eq!(found, expected, "{}", self.context);
        self.count += 1;
    }
}

pub(crate) fn array<A: NpyElement, D: Dimension>(array: &ArrayRef<A, D>) -> Value {
    let dtype = A::dtype().to_string();
    let order = if dtype.starts_with('>') { -1 } else { 1 };
    let bytes = |element: &A| match order {
        -1 => bytes_of(element).iter().rev().copied().collect(),
        _ => bytes_of(element).to_vec(),
    };
    let bytes: Vec<u8> = array.iter().flat_map(bytes).collect();
    let dtype = dtype.trim_start_matches(['<', '>', '|']);
    json!({ "dtype": dtype, "shape": array.shape(), "hex": hex(&bytes) })
}

pub(crate) fn scalar<A: NpyElement>(value: A) -> Value {
    array(&arr0(value))
}

/// Describes a result, or the exception that corresponds to an error.
pub(crate) fn shown<T>(result: Result<T, Error>, show: impl FnOnce(T) -> Value) -> Value {
    let class = match result.as_ref().map_err(Error::kind) {
        Err(ErrorKind::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            "FileNotFoundError"
        }
        Err(ErrorKind::IndexOutOfBounds { .. }) => "IndexError",
        Err(ErrorKind::AxisOutOfBounds { .. }) => "AxisError",
        _ => "ValueError",
    };
    result.map_or_else(|_| json!({ "error": class }), show)
}

fn agree(ours: &Value, theirs: &Value, tolerance: f64) -> bool {
    if ours == theirs {
        return true;
    }
    if let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs) {
        let mut pairs = ours.iter().zip(theirs);
        return ours.len() == theirs.len()
            && pairs.all(|(ours, theirs)| agree(ours, theirs, tolerance));
    }
    let (Some(ours), Some(theirs)) = (floats(ours), floats(theirs)) else { return false };
    ours.0 == theirs.0
        && ours.1.iter().zip(&theirs.1).all(|(ours, theirs)| {
            let both_nan = ours.is_nan() && theirs.is_nan();
            both_nan
                || ours.to_bits() == theirs.to_bits()
                || tolerance > 0.0
                    && (ours == theirs || (ours - theirs).abs() <= tolerance)
        })
}

/// Returns type and shape, and the elements of floats.
fn floats(value: &Value) -> Option<(String, Vec<f64>)> {
    let dtype = value["dtype"].as_str()?;
    let digits = value["hex"].as_str()?.as_bytes();
    let number = |digits: &[u8]| {
        let bits = u64::from_str_radix(str::from_utf8(digits).unwrap(), 16)
            .unwrap()
            .swap_bytes();
        match dtype {
            "f8" => Some(f64::from_bits(bits)),
            "f4" => Some(f32::from_bits(u32::try_from(bits >> 32).unwrap()).into()),
            #[cfg(feature = "half")]
            "f2" => Some(half::f16::from_bits(u16::try_from(bits >> 48).unwrap()).into()),
            _ => None,
        }
    };
    let size = 2 * dtype.get(1..)?.parse::<usize>().ok()?;
    let elements = digits.chunks(size).map(number).collect::<Option<_>>()?;
    Some((format!("{dtype} {}", value["shape"]), elements))
}
