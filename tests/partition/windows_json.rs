//! Windows as JSON: written windows can be read, and invalid ones are refused.
#![cfg(feature = "serde")]

use ndarray::{Axis, ShapeBuilder};
use ndarray_memmap::npy::{DType, Header};
use ndarray_memmap::partition::{Partition, Window};
use ndarray_memmap::{Be, MapOptions, Mode};

/// Returns the JSON of a window with one field replaced.
fn text(field: &str, value: &str) -> String {
    let mut fields = vec![
        ("path", "\"/data/a.npy\""),
        ("dtype", "\"<f8\""),
        ("fortran_order", "false"),
        ("data_offset", "128"),
        ("shape", "[10,3]"),
        ("start", "4"),
        ("end", "7"),
        ("read_only", "false"),
    ];
    match fields.iter_mut().find(|(name, _)| *name == field) {
        Some(found) => found.1 = value,
        None => fields.push((field, value)),
    }
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

fn read(text: &str) -> serde_json::Result<Window> {
    serde_json::from_str(text)
}

#[test]
fn a_window_is_written_by_the_names_of_numpy() {
    let dtype: DType = "<f8".parse().unwrap();
    let header = Header::new(dtype, &[10, 3], ndarray::Order::C).unwrap();
    let partition = Partition::new(&header, Axis(0), 3).unwrap();
    let window = partition.window("/data/a.npy", 1).unwrap();
    let written = serde_json::to_string(&window).unwrap();
    assert_eq!(written, text("start", "4"));
    let halo = serde_json::to_string(&window.halo(1)).unwrap();
    let expected = text("start", "3").replace("\"end\":7", "\"end\":8");
    let expected = expected.replace("\"read_only\":false", "\"read_only\":true");
    assert_eq!(halo, expected);
}

#[test]
fn what_is_written_is_read() {
    let options = MapOptions::new(Mode::ReadOnly).offset(7).shape((5, 6, 9).f());
    let layout = options.resolve::<Be<i16>>(1 << 20).unwrap();
    let raw = Partition::from_layout::<Be<i16>, _>(&layout, Axis(2), 4).unwrap();
    let record: DType = "[('id', '<u4'), ('x', '<f8', (3,))]".parse().unwrap();
    let header = Header::new(record, &[1000], ndarray::Order::C).unwrap();
    let header = header.with_version(ndarray_memmap::npy::Version::V3).unwrap();
    let npy = Partition::new(&header, Axis(0), 12).unwrap().aligned_to(4096);
    for partition in [raw, npy] {
        let windows = partition.windows("some file");
        let halos = windows.iter().map(|window| window.halo(2));
        let windows: Vec<Window> = windows.iter().cloned().chain(halos).collect();
        let text = serde_json::to_string(&windows).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Window>>(&text).unwrap(), windows);
    }
}

#[test]
#[rustfmt::skip]
fn what_is_no_window_is_refused() {
    for (field, value, message) in [
        ("dtype", "\"f\"", "type"),
        ("dtype", "\"\"", "type"),
        ("dtype", "\"|V0\"", "elements of 0 bytes cannot be mapped (use an element type of at least 1 byte)"),
        ("dtype", "8", "invalid type: integer `8`, expected a string"),
        ("shape", "[]", "axis 0 is out of bounds for an array of 0 axes (axes count from 0)"),
        ("shape", "[10,-3]", "invalid value: integer `-3`, expected usize"),
        ("shape", "[10,2305843009213693952]", "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)"),
        ("shape", "[0,2305843009213693952]", "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)"),
        ("data_offset", "9223372036854775800", "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)"),
        ("end", "11", "index 11 is out of bounds for an axis of length 10 (indices count from 0)"),
        ("start", "11", "index 11 is out of bounds for an axis of length 10 (indices count from 0)"),
        ("start", "8", "index 8 is out of bounds for an axis of length 7 (indices count from 0)"),
        ("fortran_order", "true", "index 7 is out of bounds for an axis of length 3 (indices count from 0)"),
        ("mode", "\"r\"", "unknown field `mode`"),
        ("path", "null", "invalid type: null"),
    ] {
        let error = read(&text(field, value)).unwrap_err().to_string();
        assert!(error.contains(message), "{field}: {value}: {error}");
    }
    for field in ["path", "dtype", "fortran_order", "data_offset", "shape", "start", "end", "read_only"] {
        let mut value: serde_json::Value = serde_json::from_str(&text("path", "\"a\"")).unwrap();
        let _ = value.as_object_mut().unwrap().remove(field).unwrap();
        let error = read(&value.to_string()).unwrap_err().to_string();
        assert!(error.contains(&format!("missing field `{field}`")), "{error}");
    }
}
