//! Shows that the harness detects wrong results.

use serde_json::{Value, json};

use crate::report::{self, Report};

/// The header of C258, which is followed by 24 zeros.
const CREATED: &str = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

/// Changes of one expectation: the case, the field, the new value, the expected complaint.
#[rustfmt::skip]
fn changes() -> Vec<(&'static str, &'static str, Value, &'static str)> {
    vec![
        ("C242", "/expect/c_order_hex",
            json!("000000000000803f0000004000004040000080400000a041"), "byte 23 of the array"),
        ("C242", "/expect/strides/0", json!(16), "strides"),
        ("C242", "/expect/shape/1", json!(4), "shape"),
        ("C242", "/expect/itemsize", json!(8), "itemsize"),
        ("C242", "/expect/dtype", json!(">f4"), "dtype"),
        ("C242", "/expect/writeable", json!(false), "writeable"),
        ("C242", "/expect/aligned", json!(false), "aligned"),
        ("C242", "/expect/c_contiguous", json!(false), "c_contiguous"),
        ("C242", "/expect/f_contiguous", json!(true), "f_contiguous"),
        ("C242", "/expect/mode", json!("w+"), "mode"),
        ("C242", "/expect/offset", json!(4), "offset"),
        ("C242", "/expect/values/3", json!(3.000001), "value 3"),
        ("C242", "/expect/ok", json!(false), "opened instead of"),
        ("C242", "/ops_result/0", json!({"ok": false, "kind": "read_only"}), "op 0"),
        ("C242", "/ops/0/index", json!([0, 3]), "op 0: no element"),
        ("C242", "/ops/0/op", json!("poke"), "unknown op `poke`"),
        ("C242", "/array_after/values/1", json!(8.0), "after the operations, value 1"),
        ("C242", "/file_after/hex",
            json!("00000000000010410000004000004040000080400000a141"), "byte 22 of the file"),
        ("C242", "/file_after/hex", json!("00"), "`size`"),
        ("C242", "/file_after", json!({"exists": false}), "there is a file"),
        ("C242", "/call/order", json!("K"), "unknown `order`"),
        ("C242", "/call/dtype", json!("<q4"), "unknown dtype"),
        ("C242", "/call/fn", json!("memmapped"), "unknown `fn`"),
        ("C242", "/call/flags", json!(1), "unknown field `flags` in `call`"),
        ("C242", "/expect/colour", json!(1), "unknown field `colour` in `expect`"),
        ("C242", "/rust/advice", json!("ignore"), "`advice` in `rust` cannot be \"ignore\""),
        ("C242", "/group", json!("rare-write"), "unknown group `rare-write`"),
        ("C242", "/colour", json!(1), "unknown field `colour` in `the case`"),
        ("C5", "/rust/expect/kind", json!("permission_denied"), "failed by"),
        ("C5", "/rust/expect/kind", json!("not_there"), "unknown kind `not_there`"),
        ("C5", "/rust/expect/kind", json!("length_negative"), "no variant"),
        ("C5", "/rust/expect/ok", json!(true), "refused"),
        ("C15", "/file_after/hex", json!("000000000000000000000001"), "with `grow`"),
        ("C36", "/file_after", json!({"exists": true, "size": 13, "hex": "00000000000000000000000000"}),
            "12 bytes instead of 13"),
        ("C20", "/rust/expect/file_size", json!(1), "0 bytes instead of 1"),
        ("C115", "/file_after", json!({"exists": true, "unchanged": false}), "`hex`"),
        ("C121", "/rust/expect/kind", json!("not_found"), "failed by"),
        ("C135", "/expect/values/7", json!(2), "value 7"),
        ("C138", "/file_after/hex", json!("0000000000000001"), "byte 7 of the file"),
        ("C196", "/expect/values/1/0", json!(0.0), "value 1"),
        ("C206", "/expect/values/2", json!("-inf"), "value 2"),
        ("C217", "/expect/values", json!([[1, 2.5], [3, 4.25]]), "value 1"),
        ("C220", "/expect/values", json!([[[1, 2], 0.25]]), "value 0"),
        ("C228", "/file_after/patches/0/hex", json!("0a0000004d0000001e00000029000000"), "byte 12"),
        ("C229", "/file_after/patches/0/hex", json!("000000000000f43e"), "byte 7 of the array"),
        ("C230", "/file_after/size", json!(17_179_869_185_u64), "17179869184 bytes"),
        ("C258", "/file_after", json!({"exists": true, "hex": "00"}), "152 bytes instead of 1"),
        ("C258", "/file_after/hex", json!(hex(CREATED.replace("shape", "shap "))), "byte 56 of the file"),
        ("C258", "/expect/dtype", json!("<i4"), "dtype"),
        ("C258", "/expect/mode", json!("r"), "mode"),
        ("C258", "/expect/offset", json!(64), "offset"),
        ("C258", "/np_load/shape", json!([3, 2]), "read back, shape"),
        ("C258", "/np_load/dtype", json!(">f4"), "read back, dtype"),
        ("C258", "/np_load", json!({"ok": false, "kind": "bad_magic"}), "read back, opened"),
        ("C258", "/call/shape", json!([2, 4]), "shape"),
        ("C258", "/call/fortran_order", json!(true), "strides"),
        ("C258", "/call/version", json!([2, 0]), "byte 6 of the file"),
        ("C258", "/call/version", json!([4, 0]), "`version` cannot be"),
        ("C258", "/call/offset", json!(1), "unknown field `offset` in `call`"),
        ("C258", "/group", json!("npyx-create"), "unknown group"),
        ("C260", "/call/fortran_order", json!(false), "byte 44 of the file"),
        ("C292", "/expect/dtype/1/1", json!("<f8"), "dtype"),
        ("C293", "/expect/dtype/0/2", json!([3, 2]), "dtype"),
        ("C297", "/rust/expect/kind", json!("header_descr"), "failed by"),
        ("C311", "/array_after/values/5", json!(-1.5), "after the operations, value 5"),
        ("C311", "/file_after/hex", json!("00"), "`size`"),
        ("C320", "/expect/values/1", json!(1.5), "value 1"),
        ("C320", "/expect/mode", json!("r"), "mode"),
        ("C325", "/rust/expect/kind", json!("truncated_header"), "failed by"),
        ("C329", "/expect/shape", json!([1]), "shape"),
        ("C335", "/file_after", json!({"exists": true, "hex": "00"}), "the file has 144 bytes"),
        ("C342", "/rust/expect/ok", json!(true), "refused"),
        ("C352", "/expect/strides/1", json!(4), "strides"),
        ("C352", "/expect/values/1", json!(1.0), "value 1"),
        ("C359", "/expect/dtype/0/0", json!("\u{6574}"), "dtype"),
        ("C365", "/expect/offset", json!(64), "offset"),
        ("C367", "/expect/values/1", json!(1), "value 1"),
        ("C376", "/expect/values/2", json!("-inf"), "value 2"),
        ("C379", "/expect/values/1/1", json!(0.5), "value 1"),
        ("C386", "/expect/dtype", json!("<i4"), "dtype"),
        ("C395", "/expect/dtype", json!(">M8[ms]"), "dtype"),
        ("C395", "/expect/values/1", json!(0), "value 1"),
        ("C398", "/expect/c_order_hex", json!("616263646566"), "byte 5 of the array"),
        ("C404", "/expect/dtype/0/0", json!("a"), "dtype"),
        ("C405", "/rust/expect/kind", json!("bad_version"), "failed by"),
        ("C413", "/rust/expect/kind", json!("bad_magic"), "failed by"),
        ("C420", "/rust/expect/kind", json!("header_too_large"), "failed by"),
        ("C444", "/rust", json!({"advice": "match"}), "refused"),
        ("C463", "/rust/expect/kind", json!("header_shape"), "failed by"),
        ("C477", "/rust", json!({"advice": "match"}), "refused"),
        ("C487", "/rust/expect/any_of", json!([{"ok": false, "kind": "header_shape"}]), "failed by"),
        ("C490", "/rust/expect/shape", json!([1]), "shape"),
        ("C524", "/expect/values/2", json!(3.0), "loaded, value 2"),
        ("C526", "/call/max_header_size", json!(10_001), "failed by"),
        ("C255", "/reopen_expect/c_order/parts/1/hex", json!("2441"), "opened again, byte 87"),
        ("C256", "/reopen_expect/values/2", json!(1), "opened again, value 2"),
    ]
}

/// Returns the hex digits of a file of six numbers that begin at byte 128.
fn hex(header: String) -> String {
    let mut bytes = b"\x93NUMPY\x01\x00v\x00".to_vec();
    bytes.extend(format!("{header:117}\n").bytes());
    bytes.resize(152, 0);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn case(cases: &[Value], id: &str) -> Value {
    cases.iter().find(|case| case["id"] == id).unwrap().clone()
}

/// Sets a field, which need not exist.
fn set(case: &mut Value, place: &str, value: Value) {
    let (parent, field) = place.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Array(items) => items[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
}

#[test]
fn the_harness_reports_a_case_that_falls_short() {
    let cases = report::read(&crate::default_cases()).unwrap();
    let mut unseen = Vec::new();
    for (id, place, value, complaint) in changes() {
        let passing = case(&cases, id);
        let mut changed = passing.clone();
        set(&mut changed, "/id", json!("changed"));
        set(&mut changed, place, value);
        let report = Report::of(&[passing, changed]);
        let verdict = report.verdict().err().unwrap_or_default();
        let seen = report.failed_ids() == ["changed"]
            && report.failures[0].1.contains(complaint)
            && verdict.contains("changed: ");
        if !seen {
            unseen.push(format!("{id}{place}, {complaint:?}: {:?}", report.failures));
        }
    }
    assert!(unseen.is_empty(), "{unseen:#?}");
}
