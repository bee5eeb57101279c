//! Rust element types for NumPy types, chosen at run time by the name of the type.
#![expect(unsafe_code, reason = "`Pod` and `Zeroable` are unsafe traits")]

use bytemuck::{Pod, Zeroable, checked};
use ndarray_memmap::npy::{self, NpyElement};
use ndarray_memmap::{Be, Element, Le, NpyErrorKind, Number};
use serde_json::Value;

use crate::array::Open;
use crate::dtype::DType;
use crate::npy::OpenNpy;

#[cfg(not(feature = "num-complex"))]
use crate::plain::Complex;
#[cfg(not(feature = "half"))]
use crate::plain::{BigHalf, Half};
#[cfg(feature = "num-complex")]
use num_complex::Complex;
#[cfg(feature = "half")]
type Half = half::f16;
#[cfg(feature = "half")]
type BigHalf = Be<half::f16>;

/// An element that can be decoded to a value.
pub(crate) trait Item: Element {
    /// Decodes the value; elements that consist only of bytes are decoded by `dtype`.
    fn value(&self, dtype: &DType) -> Value;
}

/// Elements that are arrays of smaller ones, of any length.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Row<T, const N: usize>([T; N]);

// SAFETY: transparent over an array, for which zeros are valid if they are for its elements.
unsafe impl<T: Zeroable, const N: usize> Zeroable for Row<T, N> {}

// SAFETY: transparent over an array, which only has the bytes of its `Pod` elements.
unsafe impl<T: Pod, const N: usize> Pod for Row<T, N> {}

impl<T: Pod, const N: usize> NpyElement for Row<T, N>
where
    [T; N]: NpyElement,
{
    fn dtype() -> npy::DType {
        <[T; N]>::dtype()
    }

    fn check(found: &npy::DType) -> Result<(), NpyErrorKind> {
        <[T; N]>::check(found)
    }
}

/// NumPy's `[('a', '<i4'), ('b', '<f8')]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, packed)]
pub(crate) struct Record {
    a: i32,
    b: f64,
}

npy::record!(Record { a: i32, b: f64 });

macro_rules! match_number {
    ($name:expr, $T:ident => $body:expr; $($number:literal $Type:ty),* $(,)?) => {
        match $name {
            $($number => {
                type $T = $Type;
                Some($body)
            })*
            _ => None,
        }
    };
}

macro_rules! with_number {
    ($name:expr, $T:ident => $body:expr) => {
        match_number!(
            $name, $T => $body;
            "|b1" bool, "|i1" i8, "|u1" u8,
            "<i2" i16, "<i4" i32, "<i8" i64, "<u2" u16, "<u4" u32, "<u8" u64,
            ">i2" Be<i16>, ">i4" Be<i32>, ">i8" Be<i64>,
            ">u2" Be<u16>, ">u4" Be<u32>, ">u8" Be<u64>,
            "<f2" Half, "<f4" f32, "<f8" f64, ">f2" BigHalf, ">f4" Be<f32>, ">f8" Be<f64>,
            "<c8" Complex<f32>, "<c16" Complex<f64>,
            ">c8" Complex<Be<f32>>, ">c16" Complex<Be<f64>>,
        )
    };
}

macro_rules! with_row {
    ($count:expr, $T:ty, $Row:ident => $open:expr; $($n:literal)*) => {
        match $count {
            $($n => {
                type $Row = Row<$T, $n>;
                Some($open)
            })*
            _ => None,
        }
    };
}

macro_rules! with_text {
    ($count:expr, $T:ty, $Row:ident => $open:expr) => {
        with_row!($count, $T, $Row => $open;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 20 24 25 30 32 40 50 60 64 100 128)
    };
}

macro_rules! with_bytes {
    ($count:expr, $Row:ident => $open:expr) => {
        with_row!($count, u8, $Row => $open;
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28
            29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54
            55 56 57 58 59 60 61 62 63 64 72 80 88 96 100 112 120 128 192 200 256 512 1000
            1024 4096)
    };
}

/// Returns the function that opens an array of elements of a type.
pub(crate) fn opener(dtype: &DType) -> Option<Open> {
    use crate::array::open;
    match dtype {
        DType::Plain { kind: 'U', order: '>', count, .. } => {
            with_text!(*count, Be<u32>, T => open::<T> as Open)
        }
        DType::Plain { kind: 'U', count, .. } => {
            with_text!(*count, u32, T => open::<T> as Open)
        }
        DType::Plain { kind: 'O', .. } => None,
        DType::Record(_) if is_record(dtype) => Some(open::<Record>),
        _ if has_number(dtype) => {
            with_number!(dtype.number()?.as_str(), T => open::<T> as Open)
        }
        _ => with_bytes!(dtype.item_size(), T => open::<T> as Open),
    }
}

/// Returns the function that opens a `.npy` file with the matching Rust element type.
pub(crate) fn npy_opener(dtype: &DType) -> Option<OpenNpy> {
    use crate::npy::open_as;
    match dtype {
        DType::Plain { kind: 'S' | 'V', count, .. } => {
            with_bytes!(*count, T => open_as::<T> as OpenNpy)
        }
        DType::Plain { kind: 'm' | 'M', .. } => None,
        DType::Record(_) if is_record(dtype) => Some(open_as::<Record>),
        _ => with_number!(dtype.number()?.as_str(), T => open_as::<T> as OpenNpy),
    }
}

/// Returns whether Rust has a numeric type for elements of this type.
pub(crate) fn has_number(dtype: &DType) -> bool {
    let number = dtype.number();
    number.is_some_and(|name| with_number!(name.as_str(), T => size_of::<T>()).is_some())
}

fn is_record(dtype: &DType) -> bool {
    let record = serde_json::json!([["a", "<i4"], ["b", "<f8"]]);
    DType::read(&record).is_ok_and(|record| *dtype == record)
}

/// Decodes a number of a named type; returns null for an unknown type or value.
pub(crate) fn decode_number(name: &str, bytes: &[u8]) -> Value {
    let nothing = DType::Record(Vec::new());
    let value = with_number!(name, T => {
        checked::try_pod_read_unaligned::<T>(bytes).ok().map(|item| item.value(&nothing))
    });
    value.flatten().unwrap_or_default()
}

macro_rules! item_of_number {
    ($($T:ty),*) => {$(
        impl Item for $T {
            fn value(&self, _: &DType) -> Value {
                Value::from(*self)
            }
        }
    )*};
}

item_of_number!(bool, i8, i16, i32, i64, u8, u16, u32, u64);

impl Item for f32 {
    fn value(&self, _: &DType) -> Value {
        float(f64::from(*self))
    }
}

impl Item for f64 {
    fn value(&self, _: &DType) -> Value {
        float(*self)
    }
}

#[cfg(feature = "half")]
impl Item for half::f16 {
    fn value(&self, _: &DType) -> Value {
        float(self.to_f64())
    }
}

impl<T: Number + Item> Item for Be<T> {
    fn value(&self, dtype: &DType) -> Value {
        self.get().value(dtype)
    }
}

impl<T: Number + Item> Item for Le<T> {
    fn value(&self, dtype: &DType) -> Value {
        self.get().value(dtype)
    }
}

impl<T: Item> Item for Complex<T>
where
    Self: Element,
{
    fn value(&self, dtype: &DType) -> Value {
        let Self { re, im } = self;
        Value::from(vec![re.value(dtype), im.value(dtype)])
    }
}

impl<T: Pod, const N: usize> Item for Row<T, N> {
    fn value(&self, dtype: &DType) -> Value {
        dtype.decode(bytemuck::bytes_of(self))
    }
}

impl Item for Record {
    fn value(&self, dtype: &DType) -> Value {
        let (a, b) = (self.a, self.b);
        Value::from(vec![a.value(dtype), b.value(dtype)])
    }
}

/// Converts a number as the cases do: JSON only has finite numbers.
pub(crate) fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => "nan".into(),
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        finite => finite.into(),
    }
}
