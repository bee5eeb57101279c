//! Rust's element types for NumPy's, chosen at run time by the name of the type.
#![expect(unsafe_code, reason = "`Pod` and `Zeroable` are unsafe traits")]

use bytemuck::{Pod, Zeroable, checked};
use ndarray_memmap::{Be, Element, Number};
use serde_json::Value;

use crate::array::Open;
use crate::dtype::DType;

#[cfg(not(feature = "num-complex"))]
type Complex<T> = [T; 2];
#[cfg(feature = "num-complex")]
use num_complex::Complex;
#[cfg(not(feature = "half"))]
use plain_half::{BigHalf, Half};
#[cfg(feature = "half")]
type Half = half::f16;
#[cfg(feature = "half")]
type BigHalf = Be<half::f16>;

/// An element that can tell its value.
pub(crate) trait Item: Element {
    /// Decodes the value; what is made of bytes only is decoded as `dtype` says.
    fn value(&self, dtype: &DType) -> Value;
}

/// Elements that are rows of smaller ones, of any length.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Row<T, const N: usize>([T; N]);

// SAFETY: transparent over an array, which is all zeros if its elements may be.
unsafe impl<T: Zeroable, const N: usize> Zeroable for Row<T, N> {}

// SAFETY: transparent over an array, which has no bytes but those of its `Pod` elements.
unsafe impl<T: Pod, const N: usize> Pod for Row<T, N> {}

/// NumPy's `[('a', '<i4'), ('b', '<f8')]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, packed)]
pub(crate) struct Record {
    a: i32,
    b: f64,
}

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

macro_rules! open_rows {
    ($count:expr, $T:ty; $($n:literal)*) => {
        match $count {
            $($n => Some(crate::array::open::<Row<$T, $n>> as Open),)*
            _ => None,
        }
    };
}

/// Finds how to open an array of elements of a type.
pub(crate) fn opener(dtype: &DType) -> Option<Open> {
    match dtype {
        DType::Plain { kind: 'U', order: '>', count, .. } => {
            open_rows!(*count, Be<u32>; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
        }
        DType::Plain { kind: 'U', count, .. } => {
            open_rows!(*count, u32; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
        }
        DType::Plain { kind: 'O', .. } => None,
        DType::Plain { kind: 'S' | 'V', count, .. } => open_bytes(*count),
        DType::Plain { .. } => {
            with_number!(dtype.number()?.as_str(), T => crate::array::open::<T> as Open)
        }
        DType::Record(_) if is_record(dtype) => Some(crate::array::open::<Record>),
        DType::Record(_) => open_bytes(dtype.item_size()),
    }
}

fn open_bytes(size: usize) -> Option<Open> {
    open_rows!(size, u8;
        0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
        31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58
        59 60 61 62 63 64)
}

fn is_record(dtype: &DType) -> bool {
    let record = serde_json::json!([["a", "<i4"], ["b", "<f8"]]);
    DType::read(&record).is_ok_and(|record| *dtype == record)
}

/// Decodes a number of a named type; null if there is no such type or value.
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

impl<T: Item> Item for Complex<T>
where
    Self: Element,
{
    fn value(&self, dtype: &DType) -> Value {
        #[cfg(not(feature = "num-complex"))]
        let [re, im] = self;
        #[cfg(feature = "num-complex")]
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

/// Writes a number as the cases do: JSON knows no others than finite ones.
fn float(value: f64) -> Value {
    match value {
        _ if value.is_nan() => "nan".into(),
        f64::INFINITY => "inf".into(),
        f64::NEG_INFINITY => "-inf".into(),
        finite => finite.into(),
    }
}

/// Halves for builds without the feature `half`.
#[cfg(not(feature = "half"))]
mod plain_half {
    use super::*;

    #[derive(Clone, Copy, Pod, Zeroable)]
    #[repr(transparent)]
    pub(crate) struct Half(u16);

    #[derive(Clone, Copy, Pod, Zeroable)]
    #[repr(transparent)]
    pub(crate) struct BigHalf(Be<u16>);

    impl Item for Half {
        fn value(&self, _: &DType) -> Value {
            decode(self.0)
        }
    }

    impl Item for BigHalf {
        fn value(&self, _: &DType) -> Value {
            decode(self.0.get())
        }
    }

    /// Decodes IEEE 754's binary16: a sign, 5 bits of exponent, 10 of fraction.
    fn decode(bits: u16) -> Value {
        let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
        let exponent = i32::from(bits >> 10 & 0x1f);
        let fraction = f64::from(bits & 0x3ff) / 1024.0;
        float(match exponent {
            0 => sign * fraction * 2.0_f64.powi(-14),
            31 if fraction == 0.0 => sign * f64::INFINITY,
            31 => f64::NAN,
            _ => sign * (1.0 + fraction) * 2.0_f64.powi(exponent.saturating_sub(15)),
        })
    }
}
