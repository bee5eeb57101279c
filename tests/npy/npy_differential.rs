//! This crate's header parser compared with the parsers of two other crates.

use std::panic::{self, UnwindSafe};

use ndarray_memmap::npy::DType;
use test_support::generate::{Generated, headers};
use test_support::npy_common::{dictionary, parse, raw};

/// The result of a reader for a header: type, whether in Fortran order, shape.
type Read = Result<(DType, bool, Vec<usize>), String>;

fn ours(header: &Generated) -> Read {
    let read = parse(header.major, &header.text).map_err(|e| e.to_string())?;
    Ok((read.dtype().clone(), read.fortran_order(), read.shape().to_vec()))
}

/// Parses a type printed by another reader.
fn dtype(text: &str) -> Result<DType, String> {
    let header = parse(3, dictionary(text, 'C', "()"));
    Ok(header.map_err(|e| format!("of its own `{text}`: {e}"))?.dtype().clone())
}

/// Runs a reader that may panic, without a panic message.
fn quietly(read: impl FnOnce() -> Read + UnwindSafe) -> Read {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let read = panic::catch_unwind(read);
    panic::set_hook(hook);
    read.unwrap_or_else(|_| Err("it panics".to_owned()))
}

fn npyz(header: &Generated) -> Read {
    let bytes = raw(header.major, &header.text);
    let read = npyz::NpyHeader::from_reader(&bytes[..]).map_err(|e| e.to_string())?;
    let shape = read.shape().iter().map(|&length| usize::try_from(length).unwrap());
    let is_fortran = read.order() == npyz::Order::Fortran;
    Ok((dtype(&read.dtype().descr())?, is_fortran, shape.collect()))
}

fn ndarray_npy(header: &Generated) -> Read {
    let bytes = raw(header.major, &header.text);
    let read = ndarray_npy::npy::header::Header::from_reader(&mut &bytes[..]);
    let read = read.map_err(|e| e.to_string())?;
    let descr = read.type_descriptor.to_string();
    Ok((dtype(&descr)?, read.layout.is_fortran(), read.shape))
}

/// Headers that one parser reads and another refuses, by design or by its limits.
struct Class {
    /// Why one parser refuses the header.
    reason: &'static str,
    /// The reader that disagrees: `npyz`, `ndarray-npy`, or an empty text for both.
    reader: &'static str,
    /// Whether this crate is the one that reads the header.
    we_read_it: bool,
    /// A part of the error of the parser that refuses.
    error: &'static str,
    /// A condition on the text of the dictionary.
    text: fn(&str) -> bool,
}

#[rustfmt::skip]
const CLASSES: [Class; 12] = [
    Class {
        reason: "the other parsers do not treat line breaks as white space",
        reader: "", we_read_it: true, error: "syntax error",
        text: |text| text.strip_suffix('\n').unwrap_or(text).contains(['\n', '\r']),
    },
    Class {
        reason: "the other parsers do not read long integers of Python 2, as in `3L`",
        reader: "", we_read_it: true, error: "syntax error",
        text: |text| text.contains("L,") || text.contains("L)"),
    },
    Class {
        reason: "ndarray-npy requires a final line break, which NumPy writes but does not require",
        reader: "ndarray-npy", we_read_it: true, error: "newline missing",
        text: |text| !text.ends_with('\n'),
    },
    Class {
        reason: "ndarray-npy reads versions 1.0 and 2.0 as ASCII instead of latin-1",
        reader: "ndarray-npy", we_read_it: true, error: "non-ascii",
        text: |text| !text.is_ascii(),
    },
    Class {
        reason: "npyz reads versions 1.0 and 2.0 as UTF-8 instead of latin-1",
        reader: "npyz", we_read_it: true, error: "could not parse utf-8",
        text: |text| !text.is_ascii(),
    },
    Class {
        reason: "npyz does not support multiples of time units",
        reader: "npyz", we_read_it: true, error: "Invalid type-string",
        text: |text| text.contains("8["),
    },
    Class {
        reason: "npyz does not support times without a unit",
        reader: "npyz", we_read_it: true, error: "is missing time units",
        text: |text| text.contains(['m', 'M']),
    },
    Class {
        reason: "npyz does not support field titles",
        reader: "npyz", we_read_it: true, error: "list entry must contain a string",
        text: |text| text.contains("(('") || text.contains("((\""),
    },
    Class {
        reason: "npyz overflows if an array is too large",
        reader: "npyz", we_read_it: true, error: "it panics",
        text: |text| text.contains("4294967296") || text.contains("65536"),
    },
    Class {
        reason: "this crate refuses `_` between digits, which no writer uses",
        reader: "", we_read_it: false, error: "a comma or a closing bracket",
        text: |text| text.contains('_'),
    },
    Class {
        reason: "this crate refuses numbers of several zeros, which no writer uses",
        reader: "", we_read_it: false, error: "a number without leading zeros",
        text: |text| text.contains("00"),
    },
    Class {
        reason: "this crate refuses signs of positive numbers, which no writer uses",
        reader: "", we_read_it: false, error: "a literal",
        text: |text| text.contains('+'),
    },
];

impl Class {
    fn contains(
        &self,
        reader: &str,
        header: &Generated,
        ours: &Read,
        theirs: &Read,
    ) -> bool {
        let refused = if self.we_read_it { theirs } else { ours };
        let text = String::from_utf8_lossy(&header.text);
        ours.is_ok() == self.we_read_it
            && (self.reader.is_empty() || self.reader == reader)
            && refused.as_ref().is_err_and(|error| error.contains(self.error))
            && (self.text)(&text)
    }
}

/// A reader to compare with.
type Reader = (&'static str, fn(&Generated) -> Read);

const READERS: [Reader; 2] = [("npyz", npyz), ("ndarray-npy", ndarray_npy)];

/// Returns whether brackets nest so deep that backtracking readers would take hours.
fn is_bomb(header: &Generated) -> bool {
    let mut depth = 0_usize;
    header.text.iter().any(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > 12
    })
}

#[test]
fn three_readers_agree_on_2000_headers_but_for_the_classes_listed() {
    let mut counts = [0; CLASSES.len()];
    let mut others = Vec::new();
    let (mut read, mut refused) = (0, 0);
    for header in headers(2000, 1).iter().filter(|header| !is_bomb(header)) {
        let ours = ours(header);
        assert!(header.is_changed || ours.is_ok(), "{ours:?}");
        if ours.is_ok() {
            read += 1
        } else {
            refused += 1
        }
        for (name, reader) in READERS {
            let theirs = quietly(|| reader(header));
            let agree = match (&ours, &theirs) {
                (Ok(ours), Ok(theirs)) => ours == theirs,
                (ours, theirs) => ours.is_err() && theirs.is_err(),
            };
            if agree {
                continue;
            }
            let class = |class: &Class| class.contains(name, header, &ours, &theirs);
            match CLASSES.iter().position(class) {
                Some(class) => counts[class] += 1,
                None => others.push(format!(
                    "{:?}: {ours:?}, but {name}: {theirs:?}",
                    String::from_utf8_lossy(&header.text)
                )),
            }
        }
    }
    for (class, count) in CLASSES.iter().zip(counts) {
        println!("{count:5} {}", class.reason);
        assert!(count > 0, "no header shows that {}", class.reason);
    }
    println!("{read} read, {refused} refused");
    assert!(others.is_empty(), "{} more: {others:#?}", others.len());
    assert!(read > 1000 && refused > 500, "{read} read, {refused} refused");
}
