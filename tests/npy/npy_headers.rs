//! Headers of `.npy` files: which are valid, and the errors for the others.

use std::io::{Read, Seek, SeekFrom};

use ndarray_memmap::npy::{DType, Header, Version};
use test_support::Place;
use test_support::npy_common::{
    DAMAGED, all_refused, dictionary, file, parse, raw, refused,
};

/// Parses a text as the shape in a header of version 1.0.
fn shape(text: &str) -> Vec<usize> {
    let header = parse(1, dictionary("'|u1'", 'C', text));
    header.unwrap_or_else(|e| panic!("{text}: {e}")).shape().to_vec()
}

#[test]
fn what_does_not_begin_like_a_npy_file_is_none() {
    #[rustfmt::skip]
    let rows: [(&[u8], &str); 12] = [
        (b"\x93NUMPX\x01\x00", "the file is not a `.npy` file: it does not begin with `\\x93NUMPY` (map raw elements by `MapOptions`)"),
        (b"{'descr': '<f8'}", "the file is not a `.npy` file: it does not begin with `\\x93NUMPY` (map raw elements by `MapOptions`)"),
        (b"\0\0\0\0\0\0\0\0", "the file is not a `.npy` file: it does not begin with `\\x93NUMPY` (map raw elements by `MapOptions`)"),
        (b"PK\x03\x04\x14\0\0\0", "the file is a zip archive (`.npz`), not a `.npy` file (extract the `.npy` files that it contains, by `unzip`)"),
        (b"PK\x05\x06\0\0\0\0", "the file is a zip archive (`.npz`), not a `.npy` file (extract the `.npy` files that it contains, by `unzip`)"),
        (b"\x93NUMPY\x01\x01v\0", "version 1.1 of the `.npy` format is unknown (versions 1.0, 2.0 and 3.0 are supported)"),
        (b"\x93NUMPY\x04\x00v\0\0\0", "version 4.0 of the `.npy` format is unknown (versions 1.0, 2.0 and 3.0 are supported)"),
        (b"\x93NUMPY\x00\x00v\0", "version 0.0 of the `.npy` format is unknown (versions 1.0, 2.0 and 3.0 are supported)"),
        (b"", "the file ends in its magic string: expected 8 bytes, found 0 (the file is empty)"),
        (b"\x93NUMPY\x01", "the file ends in its magic string: expected 8 bytes, found 7 (the file is incomplete: copy it again)"),
        (b"\x93NUMPY\x02\x00v\0\0", "the file ends in its header length: expected 12 bytes, found 11 (the file is incomplete: copy it again)"),
        (b"\x93NUMPY\x01\x00v\0{}", "the file ends in its header: expected 128 bytes, found 12 (the file is incomplete: copy it again)"),
    ];
    for (bytes, message) in rows {
        assert_eq!(Header::parse(bytes).unwrap_err().to_string(), message);
        let read = Header::read(&Place::of(bytes).file());
        assert_eq!(read.unwrap_err().to_string(), message);
    }
}

#[test]
fn a_header_may_be_as_long_as_the_cap() {
    for (major, len) in [(1, 10_001), (1, 65_535), (2, 10_001), (3, 100_000)] {
        let mut text = dictionary("'|u1'", 'C', "(3,)").into_bytes();
        text.resize(len, b' ');
        let bytes = raw(major, &text);
        let message = format!(
            "the header has {len} bytes, more than the limit of 10000 bytes (raise the limit: `npy::Options::max_header_size`, or `Header::read_with_limit`)"
        );
        assert_eq!(Header::parse(&bytes).unwrap_err().to_string(), message);
        let read = Header::read(&Place::of(&bytes).file());
        assert_eq!(read.unwrap_err().to_string(), message);
        let len = u64::try_from(len).unwrap();
        assert!(Header::parse_with_limit(&bytes, len - 1).is_err());
        assert_eq!(Header::parse_with_limit(&bytes, len).unwrap().shape(), [3]);
    }
    let mut text = dictionary("'|u1'", 'C', "(3,)").into_bytes();
    text.resize(10_000, b' ');
    for major in [1, 2, 3] {
        assert_eq!(parse(major, &text).unwrap().shape(), [3]);
    }
}

#[test]
fn no_more_is_read_than_the_file_has_whatever_its_header_says() {
    for (bytes, needed) in [
        (&b"\x93NUMPY\x01\x00\xff\xff"[..], 65_545_u64),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff", 4_294_967_307),
        (b"\x93NUMPY\x03\x00\x11\x27\0\0", 10_013),
    ] {
        for found in [bytes.len(), 1023, 1024, 1025, 5000] {
            let mut bytes = bytes.to_vec();
            bytes.resize(found, b' ');
            let message = format!(
                "the file ends in its header: expected {needed} bytes, found {found} \
                 (the file is incomplete: copy it again)"
            );
            assert_eq!(Header::parse(&bytes).unwrap_err().to_string(), message);
            let read = Header::read(&Place::of(&bytes).file());
            assert_eq!(read.unwrap_err().to_string(), message);
        }
    }
}

#[test]
fn a_file_is_read_at_its_beginning_whatever_its_position() {
    let bytes = file("'<f8'", 'F', "(2, 3)", &[0; 48]);
    let mut file = Place::of(&bytes).file();
    file.seek(SeekFrom::Start(77)).unwrap();
    let header = Header::read(&file).unwrap();
    assert_eq!((header.shape(), header.fortran_order()), (&[2, 3][..], true));
    assert_eq!((header.version(), header.data_offset()), (Version::V1, 128));
    assert_eq!(header, Header::parse(&bytes).unwrap());
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, bytes[77..]);
}

#[test]
fn the_dictionary_has_three_keys_once_each() {
    const KEYS: &str =
        "the header must have the keys `descr`, `fortran_order` and `shape` alone";
    #[rustfmt::skip]
    let rows = [
        ("{}", KEYS),
        ("{'descr': '<f8', 'fortran_order': False}", KEYS),
        ("{'descr': '<f8', 'shape': ()}", KEYS),
        ("{'fortran_order': False, 'shape': ()}", KEYS),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (), 'x': 1}", KEYS),
        ("{b'descr': '<f8', 'fortran_order': False, 'shape': ()}", KEYS),
        ("{1: '<f8'}", KEYS),
        ("{'descr', 'fortran_order', 'shape'}", "the header is not a dictionary"),
        ("[]", "the header is not a dictionary"),
        ("()", "the header is not a dictionary"),
        ("'descr'", "the header is not a dictionary"),
        ("12", "the header is not a dictionary"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': ()},", "the header is not a dictionary"),
        ("({'descr': '<f8', 'fortran_order': False, 'shape': ()},)", "the header is not a dictionary"),
    ];
    all_refused(&rows, str::to_owned);
    let swapped = "{ 'shape' :(3,) ,\n'fortran_order':True,\t\"descr\" : '>i2'} \n \r\n";
    for major in [1, 2, 3] {
        let header = parse(major, swapped).unwrap();
        assert_eq!((header.shape(), header.fortran_order()), (&[3][..], true));
        assert_eq!(header.dtype().to_string(), ">i2");
    }
}

#[test]
fn faults_of_syntax_are_placed() {
    #[rustfmt::skip]
    let rows = [
        ("", "a literal at byte 0"),
        ("   ", "a literal at byte 3"),
        ("{'descr': '<f8' 'shape': ()}", "a comma or `}` at byte 16"),
        ("{'descr' '<f8'}", "a comma or `}` at byte 9"),
        ("{'descr': '<f8', 'shape': (), 'fortran_order': true}", "a literal at byte 47"),
        ("{'descr': '<f8", "a string that is closed at byte 11"),
        ("{'descr': '<f8\n'}", "a string that is closed at byte 11"),
        ("{'descr': '<f8\r'}", "a string that is closed at byte 11"),
        ("{'descr': '<f8\0'}", "a string that is closed at byte 11"),
        ("{'de\\N{DIGIT ONE}': '<f8'}", "a string without such an escape at byte 2"),
        ("{'de\\x7': '<f8'}", "a string without such an escape at byte 2"),
        ("{'de\\ud800': '<f8'}", "a string without such an escape at byte 2"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': ()} {}", "nothing after the dictionary at byte 54"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': ()}\0", "nothing after the dictionary at byte 53"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (}", "a literal at byte 51"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}", "a comma or a closing bracket at byte 53"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1,, 2)}", "a literal at byte 53"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (01,)}", "a number without leading zeros at byte 53"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (0x1,)}", "the end of a number at byte 52"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1e,)}", "an exponent at byte 53"),
        ("{'descr': [('x', '<f8'), 'fortran_order': False}", "a comma or a closing bracket at byte 40"),
        ("{'descr': [('x', '<f8'}", "a comma or a closing bracket at byte 22"),
        ("{'descr': [('x', '<f8')", "a comma or a closing bracket at byte 23"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (), 'shape': ()}", "each key once at byte 54"),
        ("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': ()}", "each key once at byte 17"),
        ("{'descr': '<f8', 'fortran_order'}", "a colon at byte 32"),
        ("\u{feff}{'descr': '<f8', 'fortran_order': False, 'shape': ()}", "a literal at byte 0"),
    ];
    let rows = rows.map(|(text, fault)| {
        (text, format!("the header cannot be parsed: expected {fault}"))
    });
    all_refused(
        &rows.each_ref().map(|(text, message)| (*text, &**message)),
        str::to_owned,
    );
}

#[test]
fn a_shape_is_a_tuple_of_whole_numbers() {
    assert_eq!(shape("()"), [0; 0]);
    assert_eq!(shape("(3,)"), [3]);
    assert_eq!(shape("( 3 ,)"), [3]);
    assert_eq!(shape("(3, 0, 5)"), [3, 0, 5]);
    assert_eq!(shape("(3,4,)"), [3, 4]);
    assert_eq!(shape("(-0,)"), [0]);
    assert_eq!(shape("(9223372036854775807,)"), [9_223_372_036_854_775_807]);
    assert_eq!(shape(&format!("({})", "1, ".repeat(100))), [1; 100]);

    const AT: &str = "`shape` at byte 49 is not a tuple of whole numbers";
    const INSIDE: &str = "`shape` at byte 50 is not a tuple of whole numbers";
    const NEGATIVE: &str = "`shape` at byte 50 has a negative length";
    const LARGE: &str = "the array is too large: its size or its end in bytes overflows \
                         (check shape, offset and element type)";
    #[rustfmt::skip]
    let rows = [
        ("3", AT),
        ("[3, 4]", AT),
        ("{3}", AT),
        ("'(3,)'", AT),
        ("None", AT),
        ("(3)", INSIDE),
        ("(3.0,)", INSIDE),
        ("('3',)", INSIDE),
        ("(True,)", INSIDE),
        ("(None,)", INSIDE),
        ("((3,),)", INSIDE),
        ("(-1,)", NEGATIVE),
        ("(-9223372036854775809, 0)", NEGATIVE),
        ("(18446744073709551616,)", LARGE),
        ("(18446744073709551616, 0)", LARGE),
        ("(0, 170141183460469231731687303715884105728)", LARGE),
        ("(0, -170141183460469231731687303715884105729)", LARGE),
    ];
    all_refused(&rows, |shape| {
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape':{shape}}}")
    });
}

#[test]
fn the_order_is_true_or_false() {
    const FAULT: &str = "`fortran_order` at byte 18 is neither `True` nor `False`";
    let rows = ["0", "1", "None", "'False'", "()", "[True]", "b'True'", "1.0"];
    all_refused(&rows.map(|row| (row, FAULT)), |order| {
        format!("{{'fortran_order': {order}, 'descr': '|u1', 'shape': ()}}")
    });
}

#[test]
fn longs_of_python_2_are_numbers_in_old_versions_only() {
    let text = dictionary("[('x', '<f4', (2L,))]", 'C', "(3L, 40L)");
    for major in [1, 2] {
        let header = parse(major, &text).unwrap();
        assert_eq!((header.shape(), header.dtype().size()), (&[3, 40][..], 8));
    }
    let message = "the header cannot be parsed: expected the end of a number at byte 26";
    let message = format!("{message}{DAMAGED}");
    assert_eq!(parse(3, &text).unwrap_err().to_string(), message);
    assert!(parse(1, dictionary("'|u1'", 'C', "(3LL,)")).is_err());
    assert!(parse(1, dictionary("'|u1'", 'C', "(3l,)")).is_err());
}

#[test]
fn text_is_latin_1_in_old_versions_and_utf_8_in_the_newest() {
    for (major, name, expected) in [
        (1, &b"\xb5\xff"[..], "µÿ"),
        (2, b"\xc2\xb5", "Â\u{b5}"),
        (3, b"\xc2\xb5", "µ"),
        (3, "πΩ🦀".as_bytes(), "πΩ🦀"),
        (1, b"\\u03c0\\xb5\\U0001f980", "π\u{b5}🦀"),
        (1, br#"\'\"\\\n\r\t"#, "'\"\\\n\r\t"),
        (2, br"\q\ \a\b\f\v", "\\q\\ \x07\x08\x0c\x0b"),
    ] {
        let text = dictionary("[('@', '|u1')]", 'C', "()");
        let (before, after) = text.split_once('@').unwrap();
        let text = [before.as_bytes(), name, after.as_bytes()].concat();
        match parse(major, text).unwrap().dtype() {
            DType::Record(fields) => assert_eq!(fields[0].name, expected),
            other => panic!("{other}"),
        }
    }
    let error = parse(3, b"{'\xb5': 1}").unwrap_err();
    assert_eq!(error.to_string(), format!("the header is not UTF-8 text{DAMAGED}"));

    let header =
        Header::new("[('π', '<f4')]".parse().unwrap(), &[3], ndarray::Order::C).unwrap();
    assert_eq!(header.version(), Version::V3);
    let error = header.clone().with_version(Version::V1).unwrap_err();
    assert_eq!(error.to_string(), "the header is not latin-1 text (use version 3.0)");
    assert!(header.with_version(Version::V2).is_err());
}

#[test]
fn brackets_nest_no_deeper_than_sense_allows() {
    let deep = "the header cannot be parsed: expected fewer nested brackets";
    for (depth, is_deep) in [(18, false), (64, false), (65, true), (4900, true)] {
        for (open, close) in [("(", ")"), ("[", "]")] {
            let (open, close) = (open.repeat(depth), close.repeat(depth));
            let nested = format!("{open}{close}");
            for text in [
                dictionary(&nested, 'C', "()"),
                dictionary("'<f8'", 'C', &nested),
                format!("{{'fortran_order': {nested}, 'descr': '<f8', 'shape': ()}}"),
                format!("{{{nested}: '<f8', 'fortran_order': False, 'shape': ()}}"),
                nested,
            ] {
                let error =
                    parse(1, &text).err().map_or(String::new(), |e| e.to_string());
                assert_eq!(error.starts_with(deep), is_deep, "{text}");
            }
            refused(open);
        }
    }
    // Brackets around a tuple do not change it.
    assert_eq!(shape(&format!("{}3,{}", "(".repeat(18), ")".repeat(18))), [3]);
    let bomb = raw(2, "(".repeat(1_000_000).as_bytes());
    let error = Header::parse_with_limit(&bomb, 1 << 20).unwrap_err();
    assert_eq!(error.to_string(), format!("{deep} at byte 65{DAMAGED}"));
}
