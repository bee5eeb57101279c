//! Which Rust types match which NumPy types, and arrays whose type is unknown at compile time.

use std::fmt::Debug;

use bytemuck::bytes_of;
use ndarray::{Array1, Ix1, IxDyn, array};
use ndarray_memmap::Mode::{CreateNew, ReadOnly};
use ndarray_memmap::npy::{self, DType, DynArray, NpyElement, Options};
use ndarray_memmap::{Be, ErrorKind, Le, NpyErrorKind};
use num_traits::ToPrimitive;
use test_support::npy_common::{create, file, file_at, open_any, read};
use test_support::{Place, npy_common, text_at};

const NATIVE: char = if cfg!(target_endian = "big") { '>' } else { '<' };

/// Writes values, compares the file, and reads them back as their type and as any type.
fn round_trip<A: NpyElement + PartialEq + Debug>(descr: &str, values: &[A]) {
    let descr = descr.replace('=', &NATIVE.to_string());
    assert_eq!(A::dtype().to_string(), descr);
    assert_eq!(A::dtype().size(), size_of::<A>(), "{descr}");
    A::check(&A::dtype()).unwrap();

    let place = Place::missing();
    let mut a = create::<A, Ix1>(&Options::new(CreateNew), &place, values.len()).unwrap();
    a.view_mut().unwrap().assign(&Array1::from(values.to_vec()));
    a.close().unwrap();
    let data: Vec<u8> = values.iter().flat_map(bytes_of).copied().collect();
    let literal = if descr.starts_with('[') { descr } else { format!("'{descr}'") };
    place.assert_holds(&file(&literal, 'C', &format!("({},)", values.len()), &data));

    let a = read::<A, Ix1>(&place).unwrap();
    assert_eq!(a.as_slice(), Some(values), "{literal}");
    assert_eq!(npy::load::<A, IxDyn>(&place).unwrap().as_slice(), Some(values));
}

#[test]
#[rustfmt::skip]
fn every_number_is_one_of_numpys() {
    round_trip("|b1", &[true, false]);
    round_trip("|i1", &[i8::MIN, -1, i8::MAX]);
    round_trip("|u1", &[0, 1, u8::MAX]);
    round_trip("=i2", &[i16::MIN, -1, i16::MAX]);
    round_trip("=u2", &[0, 1, u16::MAX]);
    round_trip("=i4", &[i32::MIN, -1, i32::MAX]);
    round_trip("=u4", &[0, 1, u32::MAX]);
    round_trip("=i8", &[i64::MIN, -1, i64::MAX]);
    round_trip("=u8", &[0, 1, u64::MAX]);
    round_trip("=f4", &[f32::MIN, -0.0, f32::INFINITY]);
    round_trip("=f8", &[f64::MIN, -0.0, f64::EPSILON]);
    round_trip(if cfg!(target_pointer_width = "64") { "=i8" } else { "=i4" }, &[isize::MIN, 1]);
    round_trip(if cfg!(target_pointer_width = "64") { "=u8" } else { "=u4" }, &[usize::MAX, 1]);
}

#[test]
#[rustfmt::skip]
fn every_number_has_a_type_for_either_byte_order() {
    round_trip(">i2", &[Be::new(i16::MIN), Be::new(1)]);
    round_trip("<i2", &[Le::new(i16::MIN), Le::new(1)]);
    round_trip(">u2", &[Be::new(u16::MAX), Be::new(1)]);
    round_trip("<u2", &[Le::new(u16::MAX), Le::new(1)]);
    round_trip(">i4", &[Be::new(i32::MIN), Be::new(1)]);
    round_trip("<i4", &[Le::new(i32::MIN), Le::new(1)]);
    round_trip(">u4", &[Be::new(u32::MAX), Be::new(1)]);
    round_trip("<u4", &[Le::new(u32::MAX), Le::new(1)]);
    round_trip(">i8", &[Be::new(i64::MIN), Be::new(1)]);
    round_trip("<i8", &[Le::new(i64::MIN), Le::new(1)]);
    round_trip(">u8", &[Be::new(u64::MAX), Be::new(1)]);
    round_trip("<u8", &[Le::new(u64::MAX), Le::new(1)]);
    round_trip(">f4", &[Be::new(f32::MIN), Be::new(1.0)]);
    round_trip("<f4", &[Le::new(f32::MIN), Le::new(1.0)]);
    round_trip(">f8", &[Be::new(f64::MIN), Be::new(1.0)]);
    round_trip("<f8", &[Le::new(f64::MIN), Le::new(1.0)]);
    round_trip("|i1", &[Be::new(i8::MIN), Be::new(1)]);
    round_trip("|u1", &[Le::new(u8::MAX), Le::new(1)]);
}

#[test]
fn byte_strings_are_arrays_of_bytes() {
    round_trip("|S1", &[[1_u8], [2]]);
    round_trip("|S5", &[*b"hello", *b"a\0\0\0\0"]);
    // Raw bytes match too, and a field that is an array of bytes in NumPy.
    let place = Place::of(&file("'|V3'", 'C', "(2,)", b"abcdef"));
    assert_eq!(*read::<[u8; 3], Ix1>(&place).unwrap(), array![*b"abc", *b"def"]);
    for (found, is_same) in [("|S3", true), ("|V3", true), ("|S4", false), ("|u1", false)]
    {
        let checked = <[u8; 3]>::check(&found.parse().unwrap());
        assert_eq!(checked.is_ok(), is_same, "{found}");
    }
    let error = <[u8; 3]>::check(&"<U3".parse().unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "expected elements of type `|S3`, found `<U3`");
    assert_eq!(<[f32; 3]>::dtype().to_string(), format!("('{NATIVE}f4', (3,))"));
    assert_eq!(<[[Be<i16>; 2]; 3]>::dtype().to_string(), "('>i2', (3, 2))");
}

#[cfg(feature = "half")]
#[test]
fn half_floats_are_numpys() {
    use half::f16;

    round_trip("=f2", &[f16::MIN, f16::ONE]);
    round_trip(">f2", &[Be::new(f16::MIN), Be::new(f16::ONE)]);
    round_trip("<f2", &[Le::new(f16::MIN), Le::new(f16::ONE)]);
    #[rustfmt::skip]
    assert_any("f2", [f16::ONE, f16::from_f32(2.5)].map(f16::to_le_bytes).as_flattened(), |a| {
        (name(a), npy::match_real!(a, a => a.iter().filter_map(|x| x.to_f64()).sum(), else => f64::NAN))
    }, "F16", 3.5);
}

#[cfg(feature = "num-complex")]
#[test]
#[rustfmt::skip]
fn complex_numbers_are_numpys_and_not_real() {
    use num_complex::Complex;

    round_trip("=c8", &[Complex::new(1.5_f32, -2.0)]);
    round_trip("=c16", &[Complex::new(1.5, f64::MAX)]);
    round_trip(">c8", &[Complex::new(Be::new(1.5_f32), Be::new(-2.0))]);
    round_trip("<c8", &[Complex::new(Le::new(1.5_f32), Le::new(-2.0))]);
    round_trip(">c16", &[Complex::new(Be::new(1.5), Be::new(f64::MAX))]);
    round_trip("<c16", &[Complex::new(Le::new(1.5), Le::new(f64::MAX))]);

    let real = |a: &DynArray| {
        let complex = match a {
            DynArray::C64(a) => a.sum().re.into(),
            DynArray::BeC64(a) => a.iter().map(|x| f64::from(x.re.get())).sum(),
            DynArray::LeC64(a) => a.iter().map(|x| f64::from(x.re.get())).sum(),
            DynArray::C128(a) => a.sum().re,
            DynArray::BeC128(a) => a.iter().map(|x| x.re.get()).sum(),
            DynArray::LeC128(a) => a.iter().map(|x| x.re.get()).sum(),
            _ => f64::NAN,
        };
        (name(a), npy::match_real!(a, a => a.len().to_f64().unwrap(), else => complex))
    };
    let small = [1.0_f32, 2.0, 2.5, -2.0].map(f32::to_le_bytes);
    assert_any("c8", small.as_flattened(), real, "C64", 3.5);
    let large = [1.0_f64, 2.0, 2.5, -2.0].map(f64::to_le_bytes);
    assert_any("c16", large.as_flattened(), real, "C128", 3.5);
}

/// Returns the name of the variant.
fn name(array: &DynArray) -> String {
    format!("{array:?}").split('(').next().unwrap().to_owned()
}

/// Opens two elements in both byte orders, at even and odd places.
#[track_caller]
fn assert_any(
    kind: &str,
    little: &[u8],
    of: impl Fn(&DynArray) -> (String, f64),
    variant: &str,
    expected: f64,
) {
    let part = if kind.starts_with('c') { little.len() / 4 } else { little.len() / 2 };
    let big: Vec<u8> =
        little.chunks(part).flat_map(|x| x.iter().rev()).copied().collect();
    for (order, data) in [('<', little), ('>', &big)] {
        for offset in [128, 131] {
            let descr = format!("'{order}{kind}'");
            let place = Place::of(&file_at(offset, &descr, 'C', "(2, 1)", data));
            let array = open_any(&place).unwrap();
            let wrapper = match (order == NATIVE && offset == 128, order) {
                _ if part == 1 => "",
                (true, _) => "",
                (false, '<') => "Le",
                (false, _) => "Be",
            };
            assert_eq!(array.shape(), [2, 1]);
            assert_eq!(of(&array), (format!("{wrapper}{variant}"), expected), "{descr}");
        }
    }
}

#[test]
#[rustfmt::skip]
fn any_real_number_is_found_in_both_orders_and_at_odd_places() {
    let sum = |a: &DynArray| {
        let sum = npy::match_real!(a, a => {
            a.iter().filter_map(ToPrimitive::to_f64).sum::<f64>()
        }, else => f64::NAN);
        (name(a), sum)
    };
    assert_any("i1", &[1, 255], sum, "I8", 0.0);
    assert_any("u1", &[1, 255], sum, "U8", 256.0);
    assert_any("i2", [1_i16, -300].map(i16::to_le_bytes).as_flattened(), sum, "I16", -299.0);
    assert_any("u2", [1_u16, 300].map(u16::to_le_bytes).as_flattened(), sum, "U16", 301.0);
    assert_any("i4", [1_i32, -70_000].map(i32::to_le_bytes).as_flattened(), sum, "I32", -69_999.0);
    assert_any("u4", [1_u32, 70_000].map(u32::to_le_bytes).as_flattened(), sum, "U32", 70_001.0);
    assert_any("i8", [1_i64, -1 << 40].map(i64::to_le_bytes).as_flattened(), sum, "I64", 1.0 - 2.0_f64.powi(40));
    assert_any("u8", [1_u64, 1 << 40].map(u64::to_le_bytes).as_flattened(), sum, "U64", 1.0 + 2.0_f64.powi(40));
    assert_any("f4", [1.0_f32, 2.5].map(f32::to_le_bytes).as_flattened(), sum, "F32", 3.5);
    assert_any("f8", [1.0_f64, 2.5].map(f64::to_le_bytes).as_flattened(), sum, "F64", 3.5);
    assert_any("b1", &[1, 1], |a| (name(a), sum(a).1.max(-1.0)), "Bool", -1.0);
}

#[test]
fn an_array_without_elements_or_axes_is_also_found() {
    let place = Place::of(&file_at(77, "'<f8'", 'F', "(3, 0)", b""));
    let empty = open_any(&place).unwrap();
    assert_eq!(empty.shape(), [3, 0]);
    let place = Place::of(&file("'<f8'", 'C', "()", &2.5_f64.to_le_bytes()));
    let scalar = open_any(&place).unwrap();
    let value =
        npy::match_real!(&scalar, a => a.first().and_then(|x| x.to_f64()), else => None);
    assert_eq!((scalar.shape(), value), (&[][..], Some(2.5)));
    assert!(format!("{scalar:?}").contains("shape"));
}

#[test]
fn an_expression_can_take_the_array_itself() {
    let place = Place::of(&file("'|u1'", 'F', "(2, 2)", &[1, 2, 3, 4]));
    let array = open_any(&place).unwrap();
    let rows = npy::match_real!(array, a => a.mode().to_string() + &a.len().to_string(),
        else => String::new());
    assert_eq!(rows, "r4");
}

#[test]
fn what_is_no_number_is_refused_by_its_name() {
    for descr in ["|S3", "<U2", "|V4", "<M8[ns]", "<m8", "[('x', '<f8')]", "<f16", "<c32"]
    {
        let literal =
            if descr.starts_with('[') { descr.into() } else { format!("'{descr}'") };
        let place = Place::of(&file(&literal, 'C', "(0,)", b""));
        let text = format!(
            "expected elements of type `bool, int, uint or float`, found `{descr}`"
        );
        let way_out = match descr.starts_with('[') {
            true => "describe a struct by `npy::record!`",
            false => "convert the elements in NumPy by `astype`",
        };
        let error = open_any(&place).map(drop).unwrap_err();
        assert_eq!(text_at(&error, &place), format!("{text} ({way_out})"));
    }
}

#[test]
fn types_are_compared_exactly() {
    for (asked, found) in [(f64::dtype(), f32::dtype()), (i8::dtype(), u8::dtype())] {
        assert_ne!(asked, found);
    }
    let other = if cfg!(target_endian = "big") { "<f8" } else { ">f8" };
    let error = f64::check(&other.parse::<DType>().unwrap()).unwrap_err();
    assert!(matches!(&error, NpyErrorKind::ElementType { found, .. } if *found == other));
    let place = Place::of(&file(&format!("'{other}'"), 'C', "(1,)", &[0; 8]));
    let error = npy_common::open::<f64, Ix1>(&Options::new(ReadOnly), &place);
    assert!(matches!(
        error.as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::Npy(NpyErrorKind::ElementType { .. }))
    ));
}
