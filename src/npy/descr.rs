//! Reads element types from `descr`; knows nothing of the rest of the header.

use std::collections::BTreeSet;

use super::dtype::{ByteOrder, DType, Field, KINDS, Kind, Scalar, UNITS, Unit};
use super::parser::{Cursor, Literal, repr};
use crate::error::{Error, ErrorKind, NpyErrorKind, Result};

/// The maximum nesting depth of records.
const DEPTH: usize = 16;

impl DType {
    /// Reads the value of `descr`, which is known to be a well-formed literal.
    pub(crate) fn read(reader: &mut Cursor<'_>) -> Result<Self> {
        let at = reader.at();
        let dtype = read_nested(reader, 0).map_err(|error| match error.kind() {
            ErrorKind::Npy(NpyErrorKind::Syntax { at, .. }) => {
                fault(*at, "a field is not a tuple of name, type and shape")
            }
            _ => error,
        })?;
        match dtype.checked_size() {
            Some(0) => Err(ErrorKind::ZeroSizedElement.into()),
            Some(_) => Ok(dtype),
            None => Err(fault(at, "an element has 2 GiB or more")),
        }
    }
}

impl std::str::FromStr for DType {
    type Err = Error;

    /// Parses NumPy's text, such as `<f8` or `[('id', '<u4'), ('x', '<f8')]`.
    fn from_str(text: &str) -> Result<Self> {
        let quoted = repr(text);
        let text = if text.starts_with('[') { text } else { &quoted };
        let mut reader = Cursor::new(text, false);
        reader.clone().literal()?;
        let dtype = Self::read(&mut reader)?;
        if reader.is_at_end() {
            return Ok(dtype);
        }
        Err(reader.syntax("nothing more").into())
    }
}

/// Reads a tuple of lengths.
pub(crate) fn read_shape(reader: &mut Cursor<'_>) -> Result<Vec<usize>> {
    let at = reader.at();
    let mut shape = Vec::new();
    if !reader.take(b'(') {
        reader.literal()?;
        return Err(NpyErrorKind::Shape { at }.into());
    }
    let inside = reader.clone();
    while !reader.take(b')') {
        let at = reader.at();
        let length = match reader.literal()? {
            Literal::Integer(Some(length)) if length < 0 => {
                return Err(NpyErrorKind::NegativeLength { at }.into());
            }
            Literal::Integer(length) => length,
            // `((3,))` is a tuple in brackets.
            Literal::Other if shape.is_empty() && reader.take(b')') => {
                return read_shape(&mut inside.clone());
            }
            _ => return Err(NpyErrorKind::Shape { at }.into()),
        };
        let length = length.and_then(|length| usize::try_from(length).ok());
        shape.push(length.ok_or(ErrorKind::TooLarge)?);
        if !reader.take(b',') {
            reader.expect(b')', "a comma or `)`")?;
            // `(3)` is a number to Python, not a tuple.
            if shape.len() == 1 {
                return Err(NpyErrorKind::Shape { at }.into());
            }
            break;
        }
    }
    Ok(shape)
}

fn read_nested(reader: &mut Cursor<'_>, depth: usize) -> Result<DType> {
    let at = reader.at();
    if reader.peek() != b'[' {
        return match reader.literal()? {
            Literal::Text(text) => parse_scalar(&text, at),
            _ => Err(fault(at, "it is neither a string nor a list of fields")),
        };
    }
    if depth == DEPTH {
        return Err(fault(at, "records are nested too deeply"));
    }
    reader.take(b'[');
    let mut fields = Vec::new();
    let mut names = BTreeSet::new();
    while !reader.take(b']') {
        let at = reader.at();
        let field = read_field(reader, depth)?;
        let name = (!field.name.is_empty()).then(|| field.name.clone());
        if name.into_iter().chain(field.title.clone()).any(|name| !names.insert(name)) {
            return Err(fault(at, "two fields have one name"));
        }
        push(&mut fields, field);
        if !reader.take(b',') {
            reader.expect(b']', "a comma or `]`")?;
            break;
        }
    }
    Ok(DType::Record(fields))
}

/// Adds a field; merges adjacent padding into one block, as NumPy prints it.
fn push(fields: &mut Vec<Field>, field: Field) {
    let Some(size) = padding(&field) else {
        fields.push(field);
        return;
    };
    let before = fields.pop_if(|field| padding(field).is_some());
    let before = before.and_then(|field| padding(&field)).unwrap_or(0);
    // An overflowing sum is far above the size limit of elements.
    let size = size.saturating_add(before);
    if size > 0 {
        let dtype = DType::scalar(Kind::Void, ByteOrder::None, size);
        fields.push(Field { dtype, ..field });
    }
}

/// Returns the size of a field if it is padding.
fn padding(field: &Field) -> Option<usize> {
    let is_void = match &field.dtype {
        DType::Scalar(scalar) => scalar.kind == Kind::Void,
        // With any item type: NumPy has no unnamed arrays.
        DType::Array { .. } => true,
        DType::Record(_) => false,
    };
    let is_padding = is_void && field.name.is_empty() && field.title.is_none();
    is_padding.then(|| field.dtype.size())
}

/// Reads `('name', type)` or `('name', type, shape)`; the name may be `('title', 'name')`.
fn read_field(reader: &mut Cursor<'_>, depth: usize) -> Result<Field> {
    let at = reader.at();
    let tuple = |at| fault(at, "a field is not a tuple of name and type");
    if !reader.take(b'(') {
        reader.literal()?;
        return Err(tuple(at));
    }
    let (title, name) = if reader.take(b'(') {
        let title = read_name(reader)?;
        reader.expect(b',', "a comma")?;
        let name = read_name(reader)?;
        reader.take(b',');
        reader.expect(b')', "`)`")?;
        (Some(title), name)
    } else {
        (None, read_name(reader)?)
    };
    if !reader.take(b',') || reader.peek() == b')' {
        return Err(tuple(at));
    }
    let mut dtype = read_nested(reader, depth.saturating_add(1))?;
    if reader.take(b',') && reader.peek() != b')' {
        let at = reader.at();
        let fits = |shape: &Vec<usize>| {
            shape.len() <= 64 && shape.iter().all(|&len| i32::try_from(len).is_ok())
        };
        let shape = read_shape(reader).ok().filter(fits);
        let shape = shape.ok_or_else(|| fault(at, "a field has no such shape"))?;
        if !shape.is_empty() && dtype.size() == 0 {
            return Err(fault(at, "a field has an array of nothing"));
        }
        if !shape.is_empty() {
            dtype = DType::Array { item: Box::new(dtype), shape };
        }
        reader.take(b',');
    }
    reader.expect(b')', "`)`")?;
    Ok(Field { name, title, dtype })
}

fn read_name(reader: &mut Cursor<'_>) -> Result<String> {
    let at = reader.at();
    match reader.literal()? {
        Literal::Text(name) => Ok(name.into_owned()),
        _ => Err(fault(at, "the name of a field is not a string")),
    }
}

/// Parses a text such as `<f8`, whose position is `at`.
fn parse_scalar(text: &str, at: usize) -> Result<DType> {
    let unknown = || fault(at, "NumPy writes no such type");
    if text.trim_start_matches(['<', '>', '|', '=']) == "O" || text == "object" {
        return Err(NpyErrorKind::ObjectType.into());
    }
    let order = match text.chars().next().ok_or_else(unknown)? {
        '<' => ByteOrder::Little,
        '>' => ByteOrder::Big,
        '|' | '=' => ByteOrder::NATIVE,
        _ => return Err(fault(at, "it does not begin with a byte order")),
    };
    let mut rest = text.get(1..).unwrap_or_default().chars();
    let letter = rest.next().ok_or_else(unknown)?;
    if letter == 'O' {
        return Err(NpyErrorKind::ObjectType.into());
    }
    let (_, kind) = KINDS.iter().find(|(l, _)| *l == letter).ok_or_else(unknown)?;
    let rest = rest.as_str();
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, unit) = rest.split_at_checked(digits).ok_or_else(unknown)?;
    let bytes = matches!(kind, Kind::Bytes | Kind::Unicode | Kind::Void);
    let digits = if bytes && digits.is_empty() { "0" } else { digits };
    let number: usize = digits.parse().map_err(|_| unknown())?;
    let known = match kind {
        Kind::Bool => number == 1,
        Kind::Int | Kind::Uint => matches!(number, 1 | 2 | 4 | 8),
        Kind::Float => matches!(number, 2 | 4 | 8 | 16),
        Kind::Complex => matches!(number, 8 | 16 | 32),
        Kind::Datetime | Kind::Timedelta => number == 8,
        Kind::Bytes | Kind::Unicode | Kind::Void => bytes,
    };
    let timed = matches!(kind, Kind::Datetime | Kind::Timedelta);
    if !known || !timed && !unit.is_empty() {
        return Err(unknown());
    }
    let width = if *kind == Kind::Unicode { 4 } else { 1 };
    let size = number.checked_mul(width).ok_or_else(unknown)?;
    let DType::Scalar(scalar) = DType::scalar(*kind, order, size) else {
        return Err(unknown());
    };
    let unit = parse_unit(unit).ok_or_else(unknown)?;
    Ok(DType::Scalar(Scalar { unit, ..scalar }))
}

/// Parses an empty text, or a unit in brackets.
fn parse_unit(text: &str) -> Option<Option<Unit>> {
    if text.is_empty() {
        return Some(None);
    }
    let inside = text.strip_prefix('[')?.strip_suffix(']')?;
    let digits = inside.find(|c: char| !c.is_ascii_digit())?;
    let (count, name) = inside.split_at_checked(digits)?;
    let name = UNITS.into_iter().find(|unit| *unit == name)?;
    let count = if count.is_empty() { 1 } else { count.parse().ok()? };
    let fits = count > 0 && i32::try_from(count).is_ok();
    fits.then_some(Some(Unit { count, name }))
}

fn fault(at: usize, why: &'static str) -> Error {
    NpyErrorKind::Descr { at, why }.into()
}
