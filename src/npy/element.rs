//! The NumPy type of each Rust element type; knows nothing of files.

use super::dtype::{ByteOrder, DType, Field, Kind, Scalar};
use crate::element::{Be, Element, Le, Number};
use crate::error::NpyErrorKind;

/// An element type with a corresponding NumPy type.
///
/// Implemented for:
///
/// - primitive numbers up to 64 bits, `bool`, and [`Be`] and [`Le`] of these numbers,
/// - `half::f16` and `num_complex::Complex`, each with its feature,
/// - byte strings `[u8; N]`, and arrays of numbers as fields of records,
/// - structs, by [`record!`](crate::npy::record).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an element type of `.npy` files",
    note = "describe a struct by `npy::record!(Name {{ field: Type, .. }})`",
    note = "`f16` and complex numbers need the features `half` and `num-complex`"
)]
pub trait NpyElement: Element {
    /// Returns the NumPy type of a file with these elements.
    fn dtype() -> DType;

    /// Checks that this type can represent the elements of type `found` in a file.
    ///
    /// # Errors
    ///
    /// [`NpyErrorKind::ElementType`], or [`NpyErrorKind::Field`] for a field of a record.
    fn check(found: &DType) -> Result<(), NpyErrorKind> {
        let asked = Self::dtype();
        if *found == asked { Ok(()) } else { Err(differ(found, &asked)) }
    }
}

macro_rules! scalars {
    ($($Kind:ident: $($T:ty),*;)*) => {$($(
        impl NpyElement for $T {
            fn dtype() -> DType {
                DType::scalar(Kind::$Kind, ByteOrder::NATIVE, size_of::<Self>())
            }
        }
    )*)*};
}

scalars! {
    Bool: bool;
    Int: i8, i16, i32, i64, isize;
    Uint: u8, u16, u32, u64, usize;
    Float: f32, f64;
}

// Not by the macro: documentation marks an item that needs a feature if its own attribute says so.
#[cfg(feature = "half")]
impl NpyElement for half::f16 {
    fn dtype() -> DType {
        DType::scalar(Kind::Float, ByteOrder::NATIVE, size_of::<Self>())
    }
}

macro_rules! orders {
    ($($Type:ident),*) => {$(
        impl<T: Number + NpyElement> NpyElement for $Type<T> {
            fn dtype() -> DType {
                reordered(T::dtype(), ByteOrder::$Type)
            }
        }
    )*};
}

#[expect(non_upper_case_globals, reason = "the constants have the names of the types")]
impl ByteOrder {
    const Be: Self = Self::Big;
    const Le: Self = Self::Little;
}

orders!(Be, Le);

macro_rules! complex {
    ($($T:ty),*) => {$(
        #[cfg(feature = "num-complex")]
        impl NpyElement for num_complex::Complex<$T> {
            fn dtype() -> DType {
                let Scalar { order, .. } = scalar_of(<$T>::dtype());
                DType::scalar(Kind::Complex, order, size_of::<Self>())
            }
        }
    )*};
}

complex!(f32, f64, Be<f32>, Be<f64>, Le<f32>, Le<f64>);

impl<const N: usize> NpyElement for [u8; N] {
    fn dtype() -> DType {
        DType::scalar(Kind::Bytes, ByteOrder::None, N)
    }

    /// Accepts byte strings and raw bytes, `|S` and `|V`, and in records arrays of `|u1`.
    fn check(found: &DType) -> Result<(), NpyErrorKind> {
        match found {
            DType::Scalar(Scalar { kind: Kind::Bytes | Kind::Void, size, .. })
                if *size == N =>
            {
                Ok(())
            }
            DType::Array { item, .. } if found.checked_size() == Some(N) => {
                u8::check(item)
            }
            _ => Err(differ(found, &Self::dtype())),
        }
    }
}

macro_rules! arrays {
    ($($T:ty),*) => {$(
        impl<const N: usize> NpyElement for [$T; N] {
            fn dtype() -> DType {
                DType::Array { item: Box::new(<$T>::dtype()), shape: vec![N] }
            }
        }

        impl<const N: usize, const M: usize> NpyElement for [[$T; N]; M] {
            fn dtype() -> DType {
                DType::Array { item: Box::new(<$T>::dtype()), shape: vec![M, N] }
            }
        }
    )*};
}

arrays!(i8, i16, i32, i64, u16, u32, u64, f32, f64);
arrays!(Be<i16>, Be<i32>, Be<i64>, Be<u16>, Be<u32>, Be<u64>, Be<f32>, Be<f64>);
arrays!(Le<i16>, Le<i32>, Le<i64>, Le<u16>, Le<u32>, Le<u64>, Le<f32>, Le<f64>);

/// A field of a struct, as `record!` describes it.
#[derive(Debug)]
#[doc(hidden)]
pub struct RustField {
    pub name: &'static str,
    pub offset: usize,
    pub dtype: DType,
    pub check: fn(&DType) -> Result<(), NpyErrorKind>,
}

/// Describes a struct of `size` bytes; bytes outside its fields become padding.
#[doc(hidden)]
pub fn record_dtype(size: usize, fields: &[RustField]) -> DType {
    let mut record = Vec::with_capacity(fields.len());
    let mut end: usize = 0;
    let pad = |record: &mut Vec<Field>, from: usize, to: usize| {
        if let Some(gap) = to.checked_sub(from).filter(|gap| *gap > 0) {
            let dtype = DType::scalar(Kind::Void, ByteOrder::None, gap);
            record.push(Field { name: String::new(), title: None, dtype });
        }
    };
    for field in fields {
        pad(&mut record, end, field.offset);
        let (name, dtype) = (name_of(field).to_owned(), field.dtype.clone());
        end = field.offset.saturating_add(dtype.size());
        record.push(Field { name, title: None, dtype });
    }
    pad(&mut record, end, size);
    DType::Record(record)
}

/// Compares the records of a file with a struct: names, types, offsets and size.
#[doc(hidden)]
pub fn check_record(
    found: &DType,
    size: usize,
    fields: &[RustField],
) -> Result<(), NpyErrorKind> {
    let DType::Record(in_file) = found else {
        return Err(differ(found, &record_dtype(size, fields)));
    };
    let mut offset: usize = 0;
    let mut placed = Vec::with_capacity(in_file.len());
    for field in in_file {
        if !field.name.is_empty() {
            placed.push((offset, field));
        }
        offset = offset.saturating_add(field.dtype.size());
    }
    for index in 0..placed.len().max(fields.len()) {
        let (theirs, ours) = (placed.get(index), fields.get(index));
        let same = matches!((theirs, ours), (Some((offset, field)), Some(asked))
            if field.name == name_of(asked) && *offset == asked.offset
                && (asked.check)(&field.dtype).is_ok());
        if !same {
            let found =
                theirs.map(|(offset, field)| (*offset, &*field.name, &field.dtype));
            let asked = ours.map(|field| (field.offset, name_of(field), &field.dtype));
            return Err(NpyErrorKind::Field {
                index,
                found: describe(found, "no more fields"),
                expected: describe(asked, "no more fields"),
            });
        }
    }
    if offset == size {
        return Ok(());
    }
    Err(differ(found, &record_dtype(size, fields)))
}

fn describe(field: Option<(usize, &str, &DType)>, none: &str) -> String {
    match field {
        Some((offset, name, dtype)) => format!("`{name}` of `{dtype}` at byte {offset}"),
        None => none.to_owned(),
    }
}

fn name_of(field: &RustField) -> &'static str {
    field.name.strip_prefix("r#").unwrap_or(field.name)
}

fn differ(found: &DType, asked: &DType) -> NpyErrorKind {
    NpyErrorKind::ElementType { expected: asked.to_string(), found: found.to_string() }
}

fn reordered(dtype: DType, order: ByteOrder) -> DType {
    match dtype {
        DType::Scalar(Scalar { kind, size, .. }) => DType::scalar(kind, order, size),
        other => other,
    }
}

#[cfg(feature = "num-complex")]
fn scalar_of(dtype: DType) -> Scalar {
    match dtype {
        DType::Scalar(scalar) => scalar,
        _ => Scalar { kind: Kind::Void, order: ByteOrder::None, size: 0, unit: None },
    }
}

/// Makes a struct an element of `.npy` files: `record!(Particle { id: u32, x: f64 })`.
///
/// The struct has no padding. It derives `bytemuck`'s `Pod` and `Zeroable`; with a `bool`, an enum or
/// a `char`, it derives `CheckedBitPattern`, `NoUninit` and `Zeroable` instead. NumPy packs records
/// unless `align=True` is passed. The struct has one of three forms:
///
/// - `#[repr(C, packed)]`, for NumPy's packed records;
/// - `#[repr(C)]` with [`Le`] or [`Be`] fields, which need no alignment;
/// - `#[repr(C)]` with native fields, and a field such as `pad: [u8; 4]` in place of each gap.
///
/// The macro lists fields with their types in the order of the struct. Names, types and offsets
/// must match the file. A field that is not listed is padding in the file. A field can have another
/// name in the file: `record!(Particle { id as "particle id": u32, x: f64 })`.
///
/// # Examples
///
/// ```
/// use bytemuck::{CheckedBitPattern, NoUninit, Pod, Zeroable};
/// use ndarray_memmap::npy::{self, NpyElement};
///
/// #[derive(Clone, Copy, CheckedBitPattern, NoUninit, Zeroable)]
/// #[repr(C, packed)]
/// struct Event {
///     detector: u8,
///     is_valid: bool,
///     energy: f64,
/// }
/// npy::record!(Event { detector: u8, is_valid: bool, energy: f64 });
///
/// let fields = "[('detector', '|u1'), ('is_valid', '|b1'), ('energy', '<f8')]";
/// assert_eq!(Event::dtype().to_string(), fields);
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Particle {
///     x: f64,
///     id: u32,
///     pad: [u8; 4],
/// }
/// npy::record!(Particle { x: f64, id: u32 });
///
/// assert_eq!(Particle::dtype().to_string(), "[('x', '<f8'), ('id', '<u4'), ('', '|V4')]");
/// ```
#[macro_export]
#[doc(hidden)]
macro_rules! __npy_record {
    ($Struct:ty { $($field:ident $(as $name:literal)? : $Type:ty),+ $(,)? }) => {
        impl $crate::npy::NpyElement for $Struct {
            fn dtype() -> $crate::npy::DType {
                $crate::npy::record_dtype(
                    ::core::mem::size_of::<Self>(),
                    &$crate::__npy_record!(@fields $Struct, $($field $(as $name)? : $Type),+),
                )
            }

            fn check(found: &$crate::npy::DType) -> ::core::result::Result<(), $crate::NpyErrorKind> {
                $crate::npy::check_record(
                    found,
                    ::core::mem::size_of::<Self>(),
                    &$crate::__npy_record!(@fields $Struct, $($field $(as $name)? : $Type),+),
                )
            }
        }

        const _: fn($Struct) = |record| {
            $(let _: $Type = record.$field;)+
        };
    };
    (@fields $Struct:ty, $($field:ident $(as $name:literal)? : $Type:ty),+) => {
        [$($crate::npy::RustField {
            name: $crate::__npy_record!(@name $field $($name)?),
            offset: ::core::mem::offset_of!($Struct, $field),
            dtype: <$Type as $crate::npy::NpyElement>::dtype(),
            check: <$Type as $crate::npy::NpyElement>::check,
        }),+]
    };
    (@name $field:ident) => { ::core::stringify!($field) };
    (@name $field:ident $name:literal) => { $name };
}
