//! Headers written and read again are equal, for every type and shape.

use ndarray_memmap::npy::{ByteOrder, DType, Field, Header, Kind, Scalar, Unit, Version};
use ndarray_memmap::{Error, ErrorKind};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

const UNITS: [&str; 13] =
    ["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"];

fn scalars() -> impl Strategy<Value = DType> {
    let numbers = [
        (Kind::Bool, vec![1]),
        (Kind::Int, vec![1, 2, 4, 8]),
        (Kind::Uint, vec![1, 2, 4, 8]),
        (Kind::Float, vec![2, 4, 8, 16]),
        (Kind::Complex, vec![8, 16, 32]),
    ];
    let orders = || select(vec![ByteOrder::Little, ByteOrder::Big]);
    let number = select(numbers.to_vec())
        .prop_flat_map(|(kind, sizes)| (Just(kind), select(sizes)));
    let number = (number, orders()).prop_map(|((kind, size), order)| (kind, order, size));
    let text = (select(vec![Kind::Bytes, Kind::Void]), 1..300_usize)
        .prop_map(|(kind, size)| (kind, ByteOrder::None, size));
    let unicode = (orders(), 1..70_usize)
        .prop_map(|(order, length)| (Kind::Unicode, order, length.saturating_mul(4)));
    let scalar = prop_oneof![4 => number, 1 => text, 1 => unicode]
        .prop_map(|(kind, order, size)| DType::scalar(kind, order, size));
    let units = of((1..1000_u32, select(UNITS.to_vec())));
    let time = (select(vec![Kind::Datetime, Kind::Timedelta]), orders(), units).prop_map(
        |(kind, order, unit)| {
            let unit = unit.map(|(count, name)| Unit { count, name });
            DType::Scalar(Scalar { kind, order, size: 8, unit })
        },
    );
    prop_oneof![5 => scalar, 1 => time]
}

/// Returns names that are hard to write: quotes, escapes, other scripts, invisible characters.
fn names() -> impl Strategy<Value = String> {
    let hard =
        ["'", "\"", "'\"", "\\", "\n", "\r\t", "\0", "\u{7f}", "\u{a0}", "\u{301}"];
    let more =
        ["\u{200b}", "\u{2028}", "\u{feff}", "µ", "π", "🦀", " ", "[](),{}:", "x y"];
    let hard: Vec<&str> = hard.into_iter().chain(more).collect();
    prop_oneof![
        3 => "[a-z][a-z0-9_]{0,8}",
        1 => vec(select(hard), 1..4).prop_map(|parts| parts.concat()),
        1 => vec(any::<char>(), 1..4).prop_map(String::from_iter),
    ]
}

/// Name, title, type, shape, and the bytes of padding after the field.
type Part = (String, Option<String>, DType, Vec<usize>, usize);

/// Returns a record of these fields; a number after each name makes it unique.
fn record(parts: Vec<Part>) -> DType {
    let mut fields = Vec::new();
    for (i, (name, title, item, shape, padding)) in parts.into_iter().enumerate() {
        let name = format!("{name}{i}");
        let title = title.map(|title| format!("{title}{i}t"));
        let dtype = match shape.is_empty() {
            true => item,
            false => DType::Array { item: Box::new(item), shape },
        };
        fields.push(Field { name, title, dtype });
        if padding > 0 {
            let dtype = DType::scalar(Kind::Void, ByteOrder::None, padding);
            fields.push(Field { name: String::new(), title: None, dtype });
        }
    }
    DType::Record(fields)
}

fn dtypes() -> impl Strategy<Value = DType> {
    scalars().prop_recursive(4, 24, 4, |inner| {
        let padding = prop_oneof![2 => Just(0), 1 => 1..9_usize];
        let field =
            (names(), weighted(0.2, names()), inner, vec(1..4_usize, 0..3), padding);
        vec(field, 1..5).prop_map(record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(u32::try_from(test_support::sampled(1000)).unwrap()))]

    #[test]
    fn what_is_written_is_what_is_read(
        dtype in dtypes(),
        shape in vec(prop_oneof![0..7_usize, any::<usize>()], 0..6),
        fortran_order: bool,
        version in of(select(vec![Version::V1, Version::V2, Version::V3])),
    ) {
        let mut header = Header::new(dtype.clone(), &shape, test_support::memory_order(fortran_order)).unwrap();
        if let Some(version) = version {
            match header.clone().with_version(version) {
                Ok(asked) => header = asked,
                Err(e) => prop_assert!(header.version() > version, "{e}"),
            }
        }
        let mut bytes = Vec::new();
        header.write(&mut bytes).unwrap();
        prop_assert_eq!(bytes.len() % 64, 0);
        prop_assert_eq!(u64::try_from(bytes.len()).unwrap(), header.data_offset());
        prop_assert_eq!(bytes.last(), Some(&b'\n'));
        bytes.extend(b"data");
        let read = Header::parse_with_limit(&bytes, u64::MAX).unwrap();
        prop_assert_eq!(&read, &header);
        prop_assert_eq!((read.dtype(), read.shape()), (&dtype, &shape[..]));
        prop_assert_eq!(read.fortran_order(), fortran_order);
    }

    #[test]
    fn a_type_is_read_from_what_it_prints(dtype in dtypes()) {
        let text = dtype.to_string();
        prop_assert_eq!(text.parse::<DType>().unwrap(), dtype, "{}", text);
    }

    #[test]
    fn no_bytes_make_the_parser_panic(text: Vec<u8>, major in 1..4_u8) {
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([major, 0]);
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(&text);
        let _ = Header::parse(&bytes);
        let _ = Header::parse(&text);
        let _ = String::from_utf8_lossy(&text).parse::<DType>();
    }
}

#[test]
fn sizes_and_alignments_are_numpys() {
    #[rustfmt::skip]
    let rows = [
        ("|b1", 1, 1), ("|i1", 1, 1), ("|u1", 1, 1), ("<i2", 2, 2), (">u2", 2, 2),
        ("<i4", 4, 4), (">u4", 4, 4), ("<i8", 8, 8), (">u8", 8, 8), ("<f2", 2, 2),
        (">f4", 4, 4), ("<f8", 8, 8), ("<f16", 16, 16), ("<c8", 8, 4), (">c16", 16, 8),
        ("<c32", 32, 16), ("<M8[ns]", 8, 8), (">m8[25s]", 8, 8), ("<m8", 8, 8),
        ("|S5", 5, 1), ("<U5", 20, 4), (">U1", 4, 4), ("|V16", 16, 1),
        ("[('x', '<f8'), ('id', '<u4')]", 12, 1),
        ("[('x', '<f8'), ('id', '<u4'), ('', '|V4')]", 16, 1),
        ("[('x', '<f4', (3, 5))]", 60, 1),
        ("[('at', [('x', '<f8'), ('y', '<f8')], (2,)), ('flag', '|b1')]", 33, 1),
        ("[(('a title', 'x'), '<f8')]", 8, 1),
    ];
    for (text, size, align) in rows {
        let dtype: DType = text.parse().unwrap();
        assert_eq!((dtype.size(), dtype.align()), (size, align), "{text}");
        assert_eq!(dtype.to_string(), text);
        let fields = [DType::Array { item: Box::new(dtype.clone()), shape: vec![2, 3] }];
        assert_eq!(
            fields.map(|dtype| (dtype.size(), dtype.align())),
            [(6 * size, align)]
        );
    }
}

#[test]
fn text_that_is_no_type_is_refused() {
    for text in ["", "f8", "<f8 ", "<f3", "(3,)", "[", "[] []", "[('x', '<f8')", "'<f8'"]
    {
        let error = text.parse::<DType>().unwrap_err();
        let is_expected =
            matches!(error.kind(), ErrorKind::Npy(_) | ErrorKind::ZeroSizedElement);
        assert!(is_expected, "{text:?}: {error:?}");
    }
}

#[test]
fn what_numpy_could_not_read_back_is_not_written() {
    let why = |error: Error| error.to_string().split_once(": ").unwrap().1.to_owned();
    let item = || Box::new(DType::scalar(Kind::Float, ByteOrder::Little, 8));
    let array = DType::Array { item: item(), shape: vec![3] };
    let error = Header::new(array, &[2], ndarray::Order::C).unwrap_err();
    assert_eq!(why(error), "the elements are arrays, which it has only in records");
    let error = Header::new(*item(), &[1; 65], ndarray::Order::C).unwrap_err();
    assert_eq!(why(error), "it has at most 64 axes");
    let error = Header::new("|V2147483647".parse().unwrap(), &[1; 64], ndarray::Order::C);
    assert_eq!(error.unwrap().shape(), [1; 64]);
    let large = DType::scalar(Kind::Void, ByteOrder::None, 2_147_483_648);
    let error = Header::new(large, &[2], ndarray::Order::C).unwrap_err();
    assert_eq!(why(error), "its elements have less than 2 GiB");

    let field = |name: &str, dtype| Field { name: name.to_owned(), title: None, dtype };
    let scalar = |kind, size, unit| {
        DType::Scalar(Scalar { kind, order: ByteOrder::Little, size, unit })
    };
    let unit = |count, name| Some(Unit { count, name });
    let array = |item, shape: &[usize]| DType::Array {
        item: Box::new(item),
        shape: shape.to_vec(),
    };
    let inner = array(*item(), &[2]);
    for dtype in [
        scalar(Kind::Float, 3, None),
        scalar(Kind::Unicode, 5, None),
        scalar(Kind::Float, 8, unit(1, "s")),
        scalar(Kind::Datetime, 8, unit(1, "fortnight")),
        scalar(Kind::Datetime, 8, unit(0, "s")),
        DType::Record(vec![field("x", *item()), field("x", *item())]),
        DType::Record(vec![field("x", array(inner, &[3]))]),
        DType::Record(vec![field("x", array(*item(), &[1; 65]))]),
        DType::Record(vec![field("x", scalar(Kind::Bool, 2, None))]),
    ] {
        let error = Header::new(dtype, &[1], ndarray::Order::C).unwrap_err();
        assert_eq!(why(error), "it has no such elements");
    }
    for dtype in [DType::Record(vec![]), scalar(Kind::Bytes, 0, None)] {
        let error = Header::new(dtype, &[1], ndarray::Order::C).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::ZeroSizedElement), "{error:?}");
    }
}

#[test]
fn types_put_together_by_hand_are_written_in_numpys_words() {
    let field = |name: &str, dtype| Field { name: name.to_owned(), title: None, dtype };
    let void = |size| DType::scalar(Kind::Void, ByteOrder::None, size);
    let byte = DType::Scalar(Scalar {
        kind: Kind::Int,
        order: ByteOrder::Big,
        size: 1,
        unit: None,
    });
    let alone = DType::Array { item: Box::new(byte.clone()), shape: vec![] };
    #[rustfmt::skip]
    let rows = [
        (byte.clone(), "|i1"),
        (DType::Record(vec![field("x", byte)]), "[('x', '|i1')]"),
        (DType::Record(vec![field("x", alone)]), "[('x', '|i1')]"),
        (DType::Record(vec![field("", void(2)), field("", void(3))]), "[('', '|V5')]"),
    ];
    for (dtype, text) in rows {
        let header = Header::new(dtype, &[2], ndarray::Order::C).unwrap();
        assert_eq!(header.dtype().to_string(), text);
        let mut bytes = Vec::new();
        header.write(&mut bytes).unwrap();
        assert_eq!(Header::parse(&bytes).unwrap(), header);
    }
}
