//! Proof that the harness sees what is not as expected.

use serde_json::{Value, json};

use crate::report::{self, Report};

/// Changes of one expectation: the case, the place in it, the new value, the complaint.
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
        ("C5", "/rust/expect/kind", json!("bad_magic"), "no variant"),
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
        ("C255", "/reopen_expect/c_order/parts/1/hex", json!("2441"), "opened again, byte 87"),
        ("C256", "/reopen_expect/values/2", json!(1), "opened again, value 2"),
    ]
}

fn case(cases: &[Value], id: &str) -> Value {
    cases.iter().find(|case| case["id"] == id).unwrap().clone()
}

/// Sets a field, which need not be there.
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
    for (id, place, value, complaint) in changes() {
        let passing = case(&cases, id);
        let mut changed = passing.clone();
        set(&mut changed, "/id", json!("changed"));
        set(&mut changed, place, value);
        let report = Report::of(&[passing, changed]);
        assert_eq!(
            report.failed_ids(),
            ["changed"],
            "{id}{place}: {:?}",
            report.failures
        );
        assert!(
            report.failures[0].1.contains(complaint),
            "{id}{place}: {:?} does not say {complaint:?}",
            report.failures
        );
        assert!(report.verdict().unwrap_err().contains("changed: "));
    }
}
