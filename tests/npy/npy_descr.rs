//! Element types in `descr`: which are accepted, which are refused, sizes, and their text.

use test_support::npy_common::{DAMAGED, all_refused, dictionary, parse, refused};

/// Parses a `descr` and returns the text that NumPy would write for it.
fn descr(text: &str) -> String {
    let header = parse(3, dictionary(text, 'C', "()"));
    header.unwrap_or_else(|e| panic!("{text}: {e}")).dtype().to_string()
}

#[test]
fn records_nest_to_sixteen_levels() {
    let nested = |levels: usize| {
        let (open, close) = ("[('x', ".repeat(levels), ")]".repeat(levels));
        dictionary(&format!("{open}'<f8'{close}"), 'C', "()")
    };
    assert_eq!(parse(1, nested(16)).unwrap().dtype().size(), 8);
    let message =
        "`descr` at byte 122 is not an element type: records are nested too deeply";
    assert_eq!(refused(nested(17)), format!("{message}{DAMAGED}"));
}

#[test]
fn descr_is_a_type_that_numpy_has() {
    #[rustfmt::skip]
    let rows = [
        ("'f8'",                        "10: it does not begin with a byte order"),
        ("'float64'",                   "10: it does not begin with a byte order"),
        ("''",                          "10: NumPy writes no such type"),
        ("'<'",                         "10: NumPy writes no such type"),
        ("'<f'",                        "10: NumPy writes no such type"),
        ("'<f3'",                       "10: NumPy writes no such type"),
        ("'<f8 '",                      "10: NumPy writes no such type"),
        ("'<i16'",                      "10: NumPy writes no such type"),
        ("'|b2'",                       "10: NumPy writes no such type"),
        ("'<x4'",                       "10: NumPy writes no such type"),
        ("'<f8[s]'",                    "10: NumPy writes no such type"),
        ("'<M4[s]'",                    "10: NumPy writes no such type"),
        ("'<M8[]'",                     "10: NumPy writes no such type"),
        ("'<M8[0s]'",                   "10: NumPy writes no such type"),
        ("'<M8[q]'",                    "10: NumPy writes no such type"),
        ("'<M8[s'",                     "10: NumPy writes no such type"),
        ("'<é8'",                       "10: NumPy writes no such type"),
        ("8",                           "10: it is neither a string nor a list of fields"),
        ("('<f8', (3,))",               "10: it is neither a string nor a list of fields"),
        ("b'<f8'",                      "10: it is neither a string nor a list of fields"),
        ("['<f8']",                     "11: a field is not a tuple of name and type"),
        ("[('x')]",                     "11: a field is not a tuple of name and type"),
        ("[('x',)]",                    "11: a field is not a tuple of name and type"),
        ("[(1, '<f8')]",                "12: the name of a field is not a string"),
        ("[('x', 8)]",                  "17: it is neither a string nor a list of fields"),
        ("[('x', '<f3')]",              "17: NumPy writes no such type"),
        ("[('x', '<f8'), ('x', '<f8')]", "25: two fields have one name"),
        ("[('x', '<f8'), (('x', 'y'), '<f8')]", "25: two fields have one name"),
        ("[(('x', 'x'), '<f8')]",       "11: two fields have one name"),
    ];
    let rows = rows.map(|(descr, fault)| {
        let (at, why) = fault.split_once(": ").unwrap();
        (descr, format!("`descr` at byte {at} is not an element type: {why}"))
    });
    all_refused(&rows.each_ref().map(|(descr, message)| (*descr, &**message)), |descr| {
        dictionary(descr, 'C', "()")
    });
    for descr in ["'|O'", "'|O8'", "'>O'", "[('x', '|O')]"] {
        let message = "the elements are Python objects, which only Python can load \
             (convert them in Python: `a.astype(float)`)";
        assert_eq!(refused(dictionary(descr, 'C', "()")), message);
    }
}

#[test]
fn descr_may_be_written_in_other_ways_than_numpys() {
    let native = if cfg!(target_endian = "big") { '>' } else { '<' };
    #[rustfmt::skip]
    let rows = [
        ("\"<f8\"", "<f8"),
        ("'\\x3cf8'", "<f8"),
        ("'<b1'", "|b1"),
        ("'>u1'", "|u1"),
        ("'<S5'", "|S5"),
        ("'>V3'", "|V3"),
        ("'<M8[1s]'", "<M8[s]"),
        ("'>m8'", ">m8"),
        ("[ ( 'x' , '<f8' , ) , ]", "[('x', '<f8')]"),
        ("[('x', '<f8', ())]", "[('x', '<f8')]"),
        ("[(('t', 'x',), '<f8')]", "[(('t', 'x'), '<f8')]"),
        ("[('', '|V4'), ('', '|V2'), ('x', '<f8', (2,))]", "[('', '|V6'), ('x', '<f8', (2,))]"),
        ("[('x', '<f8'), ('', '<f4', (2,)), ('', '|V1')]", "[('x', '<f8'), ('', '|V9')]"),
    ];
    for (text, expected) in rows {
        assert_eq!(descr(text), expected);
    }
    assert_eq!(
        (descr("'=f8'"), descr("'|f8'")),
        (format!("{native}f8"), format!("{native}f8"))
    );
}

#[test]
fn sizes_that_overflow_or_vanish_are_refused() {
    const LARGE: &str =
        "`descr` at byte 10 is not an element type: an element has 2 GiB or more";
    const SHAPE: &str =
        "`descr` at byte 24 is not an element type: a field has no such shape";
    const NOTHING: &str =
        "`descr` at byte 24 is not an element type: a field has an array of nothing";
    const ZERO: &str =
        "elements of 0 bytes cannot be mapped (use an element type of at least 1 byte)";
    #[rustfmt::skip]
    let rows = [
        ("'|S0'", ZERO),
        ("'<U0'", ZERO),
        ("'|V'", ZERO),
        ("[]", ZERO),
        ("[('x', '|S0')]", ZERO),
        ("[('x', '<f8', (0,))]", ZERO),
        ("[('x', '<f8', (0, 2147483648, 4))]", SHAPE),
        ("[('x', '<f8', (4611686018427387904, 4, 0))]", SHAPE),
        ("[('x', '<f8', (-1,))]", SHAPE),
        ("[('x', '<f8', 3)]", SHAPE),
        ("[('x', '|S0', (2, 3)), ('y', '|u1')]", NOTHING),
        ("[('x', [('z', '<U0')], (2,)), ('y', '|u1')]", &NOTHING.replace("24", "33")),
        ("'|S2147483648'", LARGE),
        ("'<U536870912'", LARGE),
        ("[('x', '<f8', (16384, 16384))]", LARGE),
        ("[('x', '|V2147483647'), ('y', '|u1')]", LARGE),
    ];
    all_refused(&rows, |descr| dictionary(descr, 'C', "(0,)"));
    assert_eq!(descr("[('x', '|S0'), ('y', '|u1')]"), "[('x', '|S0'), ('y', '|u1')]");
}
