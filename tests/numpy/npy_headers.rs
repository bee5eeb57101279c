//! The headers on which this crate and NumPy disagree, and why.

use serde_json::{Value, json};

use crate::elements::hex;
use test_support::generate::{Generated, headers};
use test_support::npy_common::{dictionary, parse, raw};
use test_support::python::Python;

/// A class of headers that one side reads and the other refuses, by design or by its limits.
struct Class {
    /// Why one side refuses the header.
    reason: &'static str,
    /// A part of the error of the side that refuses.
    error: &'static str,
    /// A condition on the text of the dictionary.
    text: fn(&str) -> bool,
    /// A header of the class.
    example: Example,
}

/// The difference from a plain header of version 3.0.
enum Example {
    Descr(&'static str),
    Shape(&'static str),
    Text(&'static str),
    /// A text that is too long for a literal.
    Made(fn() -> String),
}
use Example::{Descr, Made, Shape, Text};

fn any(_: &str) -> bool {
    true
}

fn has_adjacent_strings(text: &str) -> bool {
    let text: String = text.split_whitespace().collect();
    ["''", "\"\"", "'\"", "\"'"].iter().any(|quotes| text.contains(quotes))
}

/// NumPy's own writers write no header of these classes.
#[rustfmt::skip]
const CLASSES: [Class; 26] = [
    Class {
        reason: "NumPy treats an indented line after the dictionary as wrong indentation",
        error: "ValueError: Cannot parse header", text: |text| text.contains(['\n', '\r']),
        example: Text("{'descr': '<f8', 'fortran_order': False, 'shape': ()}\n  "),
    },
    Class {
        reason: "NumPy takes the last of several entries with one key",
        error: "each key once", text: any,
        example: Text("{'shape': (2,), 'descr': '<f8', 'fortran_order': False, 'shape': ()}"),
    },
    Class {
        reason: "NumPy counts characters of the header, this crate bytes",
        error: "more than the limit of", text: |text| !text.is_ascii(),
        example: Made(|| dictionary(&format!("[('{}', '|u1')]", "π".repeat(6000)), 'C', "()")),
    },
    Class {
        reason: "Python skips comments",
        error: "expected", text: |text| text.contains('#'),
        example: Text("{'descr': '<f8', 'fortran_order': False, 'shape': ()} # a comment"),
    },
    Class {
        reason: "Python joins adjacent strings, and has strings between three quotes",
        error: "expected a co", text: has_adjacent_strings,
        example: Descr("'<f' '8'"),
    },
    Class {
        reason: "Python has string prefixes",
        error: "expected a literal", text: |text| ["u'", "r'", "u\"", "r\""].iter().any(|prefix| text.contains(prefix)),
        example: Descr("u'<f8'"),
    },
    Class {
        reason: "Python has octal and named characters, and strings over several lines",
        error: "a string without such an escape", text: |text| text.contains('\\'),
        example: Descr("'\\74f8'"),
    },
    Class {
        reason: "Python allows a sign before positive numbers",
        error: "expected a literal", text: |text| text.contains('+'),
        example: Shape("(+3,)"),
    },
    Class {
        reason: "Python allows `_` between digits",
        error: "a comma or a closing bracket", text: |text| text.contains('_'),
        example: Shape("(1_000,)"),
    },
    Class {
        reason: "Python allows several zeros for zero",
        error: "a number without leading zeros", text: |text| text.contains("00"),
        example: Shape("(00,)"),
    },
    Class {
        reason: "Python has hexadecimal, octal and binary numbers",
        error: "the end of a number", text: |text| ["0x", "0o", "0b"].iter().any(|base| text.contains(base)),
        example: Shape("(0x10,)"),
    },
    Class {
        reason: "Python booleans are integers",
        error: "is not a tuple of whole numbers", text: |text| text.matches("True").count() + text.matches("False").count() > 1,
        example: Shape("(True,)"),
    },
    Class {
        reason: "NumPy reads negative lengths before it fails on them",
        error: "has a negative length", text: |text| text.contains('-'),
        example: Shape("(-3,)"),
    },
    Class {
        reason: "NumPy reads lengths that no array can have before it fails on them",
        error: "the array is too large", text: any,
        example: Shape("(18446744073709551616, 0)"),
    },
    Class {
        reason: "elements of no bytes cannot be mapped",
        error: "elements of 0 bytes", text: any,
        example: Descr("'|S0'"),
    },
    Class {
        reason: "objects cannot be mapped",
        error: "the elements are Python objects", text: |text| text.contains('O') || text.contains("object"),
        example: Descr("'|O'"),
    },
    Class {
        reason: "a type without a byte order depends on the machine",
        error: "it does not begin with a byte order", text: any,
        example: Descr("'f8'"),
    },
    Class {
        reason: "NumPy accepts short and old type names",
        error: "NumPy writes no such type", text: any,
        example: Descr("'<f'"),
    },
    Class {
        reason: "NumPy accepts fractions of time units, and other names for units",
        error: "NumPy writes no such type", text: any,
        example: Descr("'<M8[s/2]'"),
    },
    Class {
        reason: "NumPy accepts type descriptions that are not lists",
        error: "it is neither a string nor a list of fields", text: |text| text.contains(['(', '{']),
        example: Descr("('<f8', (3,))"),
    },
    Class {
        reason: "NumPy accepts any sequence of the right length as a field",
        error: "a field is not a tuple", text: |text| text.contains('['),
        example: Descr("[['x', '<f8']]"),
    },
    Class {
        reason: "NumPy accepts a number as the shape of a field",
        error: "a field has no such shape", text: any,
        example: Descr("[('x', '<f8', 3)]"),
    },
    Class {
        reason: "NumPy accepts any title, and brackets around title and name",
        error: "the name of a field is not a string", text: |text| text.contains("(("),
        example: Descr("[((1, 'x'), '<f8')]"),
    },
    Class {
        reason: "records nest to 16 levels here",
        error: "records are nested too deeply", text: any,
        example: Made(|| dictionary(&format!("{}'<f8'{}", "[('x', ".repeat(17), ")]".repeat(17)), 'C', "()")),
    },
    Class {
        reason: "brackets nest to 64 levels here",
        error: "fewer nested brackets", text: any,
        example: Made(|| dictionary("'<f8'", 'C', &format!("{}{}", "(".repeat(65), ")".repeat(65)))),
    },
    Class {
        reason: "NumPy accepts a space before the `L` of Python 2 integers",
        error: "a comma or a closing bracket", text: |text| text.contains(" L"),
        example: Shape("(3 L,)"),
    },
];

impl Class {
    /// Returns a header of the class, in version 1.0 where NumPy's more tolerant parsing matters.
    fn example(&self) -> Generated {
        let text = match self.example {
            Descr(descr) => dictionary(descr, 'C', "()"),
            Shape(shape) => dictionary("'<f8'", 'C', shape),
            Text(text) => text.to_owned(),
            Made(made) => made(),
        };
        let major = if text.contains(" L") { 1 } else { 3 };
        Generated { major, text: text.into_bytes(), is_changed: true }
    }

    fn contains(&self, header: &Generated, ours: &Value, theirs: &Value) -> bool {
        let (ours, theirs) = (ours["error"].as_str(), theirs["error"].as_str());
        let error = ours.xor(theirs).unwrap_or_default();
        error.contains(self.error) && (self.text)(&String::from_utf8_lossy(&header.text))
    }
}

fn ours(header: &Generated) -> Value {
    match parse(header.major, &header.text) {
        Ok(read) => {
            let shape: Vec<_> = read.shape().iter().map(usize::to_string).collect();
            json!({
                "shape": shape,
                "fortran_order": read.fortran_order(),
                "descr": read.dtype().to_string(),
                "size": read.dtype().size(),
            })
        }
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn theirs(peer: &mut Python, header: &Generated) -> Value {
    let bytes = raw(header.major, &header.text);
    peer.ask(&json!({ "do": "header", "hex": hex(&bytes) }))
}

/// Compares the results of both readers; returns how many headers both read and both refuse.
pub(crate) fn compare(peer: &mut Python, count: usize, seed: u64) -> (usize, usize) {
    let (mut read, mut refused) = (0, 0);
    let mut counts = [0; CLASSES.len()];
    for header in headers(count, seed) {
        let (ours, theirs) = (ours(&header), theirs(peer, &header));
        let text = String::from_utf8_lossy(&header.text);
        if ours == theirs {
            read += 1;
            continue;
        }
        // Both sides must read every unchanged header, with the same result.
        let is_refused = |side: &Value| header.is_changed && side["error"].is_string();
        if is_refused(&ours) && is_refused(&theirs) {
            refused += 1;
            continue;
        }
        let is_known = is_refused(&ours) || is_refused(&theirs);
        let class =
            CLASSES.iter().position(|class| class.contains(&header, &ours, &theirs));
        match class.filter(|_| is_known) {
            Some(class) => counts[class] += 1,
            None => panic!("{}.0 {text:?}: {ours}, but NumPy: {theirs}", header.major),
        }
    }
    for (class, count) in CLASSES.iter().zip(counts).filter(|(_, count)| *count > 0) {
        println!("{count:5} {}", class.reason);
    }
    (read, refused)
}

/// Checks that both sides still disagree on each class.
pub(crate) fn check_classes(peer: &mut Python) {
    for class in &CLASSES {
        let header = class.example();
        let (ours, theirs) = (ours(&header), theirs(peer, &header));
        let reason = class.reason;
        assert!(class.contains(&header, &ours, &theirs), "{reason}: {ours}, {theirs}");
    }
}
