//! NumPy's types: their names, sizes and values; knows nothing of arrays.

use ndarray_memmap::npy;
use serde_json::{Value, json};

use crate::element;
use crate::json::{FromJson, Result, one_or_many};

/// A type of elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DType {
    /// A type with a name such as `<f4`, `|S3` and `>M8[ns]`.
    Plain {
        order: char,
        kind: char,
        /// The number of bytes, or of characters for text.
        count: usize,
        unit: String,
    },
    /// A packed record.
    Record(Vec<Field>),
}

/// One field of a record, or an array of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Field {
    name: Value,
    dtype: DType,
    shape: Vec<usize>,
}

impl DType {
    /// Reads a name or a list of fields; null is NumPy's default.
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let read = match value {
            Value::Null => Self::plain("|u1"),
            Value::String(name) => Self::plain(name),
            Value::Array(fields) => {
                fields.iter().map(Field::read).collect::<Option<_>>().map(Self::Record)
            }
            _ => None,
        };
        read.ok_or_else(|| format!("unknown dtype {value}"))
    }

    fn plain(name: &str) -> Option<Self> {
        let (order, name) = match name.chars().next()? {
            order @ ('<' | '>' | '|' | '=') => (order, name.get(1..)?),
            _ => ('=', name),
        };
        let kind = name.chars().next().filter(|kind| "biufcmMSUVO".contains(*kind))?;
        let rest = name.get(1..)?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (count, unit) = rest.split_at_checked(digits)?;
        let count = if kind == 'O' { 8 } else { count.parse().ok()? };
        let is_time = matches!(kind, 'm' | 'M');
        if !unit.is_empty() && (!is_time || !unit.starts_with('[')) {
            return None;
        }
        let has_order =
            !matches!(kind, 'b' | 'S' | 'V' | 'O') && count > 1 || kind == 'U';
        let order = match order {
            _ if !has_order => '|',
            '>' => '>',
            _ => '<',
        };
        Some(Self::Plain { order, kind, count, unit: unit.to_owned() })
    }

    /// Converts a type that the crate has parsed.
    pub(crate) fn of(found: &npy::DType) -> Option<Self> {
        use npy::Kind as K;
        let scalar = match found {
            npy::DType::Scalar(scalar) => scalar,
            npy::DType::Record(fields) => {
                return fields
                    .iter()
                    .map(Field::of)
                    .collect::<Option<_>>()
                    .map(Self::Record);
            }
            _ => return None,
        };
        let order = match scalar.order {
            npy::ByteOrder::Little => '<',
            npy::ByteOrder::Big => '>',
            npy::ByteOrder::None => '|',
        };
        let kind = match scalar.kind {
            K::Bool => 'b',
            K::Int => 'i',
            K::Uint => 'u',
            K::Float => 'f',
            K::Complex => 'c',
            K::Datetime => 'M',
            K::Timedelta => 'm',
            K::Bytes => 'S',
            K::Unicode => 'U',
            K::Void => 'V',
            _ => return None,
        };
        let count = if kind == 'U' { scalar.size / 4 } else { scalar.size };
        let unit = match scalar.unit {
            None => String::new(),
            Some(npy::Unit { count: 1, name }) => format!("[{name}]"),
            Some(npy::Unit { count, name }) => format!("[{count}{name}]"),
        };
        Some(Self::Plain { order, kind, count, unit })
    }

    /// Returns NumPy's own text for the type.
    pub(crate) fn descr(&self) -> String {
        match self {
            Self::Plain { order, kind: 'O', .. } => format!("{order}O"),
            Self::Plain { order, kind, count, unit } => {
                format!("{order}{kind}{count}{unit}")
            }
            Self::Record(fields) => {
                let fields: Vec<_> = fields.iter().map(Field::descr).collect();
                format!("[{}]", fields.join(", "))
            }
        }
    }

    pub(crate) fn item_size(&self) -> usize {
        match self {
            Self::Plain { kind: 'U', count, .. } => count.saturating_mul(4),
            Self::Plain { count, .. } => *count,
            Self::Record(fields) => {
                fields.iter().map(Field::size).fold(0, usize::saturating_add)
            }
        }
    }

    /// Returns NumPy's alignment of the type.
    pub(crate) fn align(&self) -> usize {
        match self {
            Self::Plain { kind: 'S' | 'V', .. } | Self::Record(_) => 1,
            Self::Plain { kind: 'U', .. } => 4,
            Self::Plain { kind: 'c', count, .. } => count / 2,
            Self::Plain { count, .. } => *count,
        }
    }

    /// Names the numeric type that represents an element: a date is an integer.
    pub(crate) fn number(&self) -> Option<String> {
        match self {
            Self::Plain { kind: 'S' | 'U' | 'V' | 'O', .. } | Self::Record(_) => None,
            Self::Plain { order, kind: 'm' | 'M', count, .. } => {
                Some(format!("{order}i{count}"))
            }
            Self::Plain { order, kind, count, .. } => {
                Some(format!("{order}{kind}{count}"))
            }
        }
    }

    /// Decodes the bytes of one element.
    pub(crate) fn decode(&self, bytes: &[u8]) -> Value {
        match self {
            Self::Plain { kind: 'S', .. } => {
                let end = bytes.iter().rposition(|byte| *byte != 0);
                let text = end.and_then(|end| bytes.get(..=end)).unwrap_or_default();
                text.iter().map(|byte| char::from(*byte)).collect::<String>().into()
            }
            Self::Plain { kind: 'U', order, .. } => decode_text(*order, bytes),
            Self::Plain { kind: 'V' | 'O', .. } => {
                bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
            }
            Self::Plain { kind: 'f', count: 16, order, .. } => {
                element::float(decode_extended(*order, bytes))
            }
            Self::Plain { kind: 'c', count: 32, order, .. } => {
                let (parts, _) = bytes.as_chunks::<16>();
                let part = |part: &[u8; 16]| decode_extended(*order, part);
                parts.iter().map(part).map(element::float).collect()
            }
            Self::Plain { .. } => {
                element::decode_number(&self.number().unwrap_or_default(), bytes)
            }
            Self::Record(fields) => {
                let mut rest = bytes;
                let values = fields.iter().map(|field| {
                    let (bytes, after) =
                        rest.split_at_checked(field.size()).unwrap_or((rest, &[]));
                    rest = after;
                    decode_array(&field.dtype, &field.shape, bytes)
                });
                values.collect()
            }
        }
    }
}

impl Field {
    fn read(value: &Value) -> Option<Self> {
        let (name, dtype, shape) = match value.as_array()?.as_slice() {
            [name, dtype] => (name, dtype, Vec::new()),
            [name, dtype, shape] => (name, dtype, one_or_many(shape)?),
            _ => return None,
        };
        let dtype = DType::read(dtype).ok()?;
        Some(Self { name: Value::from_json(name)?, dtype, shape })
    }

    fn of(found: &npy::Field) -> Option<Self> {
        let name = match &found.title {
            Some(title) => json!([title, found.name]),
            None => json!(found.name),
        };
        let (dtype, shape) = match &found.dtype {
            npy::DType::Array { item, shape } => (DType::of(item)?, shape.clone()),
            dtype => (DType::of(dtype)?, Vec::new()),
        };
        Some(Self { name, dtype, shape })
    }

    fn descr(&self) -> String {
        let name = match self.name.as_array().map(Vec::as_slice) {
            Some([title, name]) => format!("({}, {})", quoted(title), quoted(name)),
            _ => quoted(&self.name),
        };
        let dtype = match &self.dtype {
            plain @ DType::Plain { .. } => format!("'{}'", plain.descr()),
            record => record.descr(),
        };
        let lengths: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        match lengths.as_slice() {
            [] => format!("({name}, {dtype})"),
            [length] => format!("({name}, {dtype}, ({length},))"),
            lengths => format!("({name}, {dtype}, ({}))", lengths.join(", ")),
        }
    }

    fn size(&self) -> usize {
        self.shape.iter().copied().fold(self.dtype.item_size(), usize::saturating_mul)
    }
}

/// Quotes a name as Python does.
fn quoted(name: &Value) -> String {
    let name = name.as_str().unwrap_or_default();
    let quote = if name.contains('\'') && !name.contains('"') { '"' } else { '\'' };
    let mut text = String::from(quote);
    for c in name.chars() {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\\' => text.push_str("\\\\"),
            c if c == quote => text.extend(['\\', c]),
            c => text.push(c),
        }
    }
    text.push(quote);
    text
}

fn decode_array(dtype: &DType, shape: &[usize], bytes: &[u8]) -> Value {
    let Some((length, rest)) = shape.split_first() else {
        return dtype.decode(bytes);
    };
    let size = bytes.len().checked_div(*length).unwrap_or_default();
    bytes.chunks(size.max(1)).map(|bytes| decode_array(dtype, rest, bytes)).collect()
}

/// Decodes the 80-bit x86 format: an exponent above a fraction with an explicit integer bit.
fn decode_extended(order: char, bytes: &[u8]) -> f64 {
    let bytes: [u8; 16] = bytes.try_into().unwrap_or_default();
    let decode = if order == '>' { u128::from_be_bytes } else { u128::from_le_bytes };
    let bits = decode(bytes);
    let fraction = u64::try_from(bits & u128::from(u64::MAX)).unwrap_or_default();
    let sign = if bits >> 79 & 1 == 0 { 1.0 } else { -1.0 };
    let exponent = i32::try_from(bits >> 64 & 0x7fff).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "as in NumPy's own conversion")]
    match (exponent, fraction << 1) {
        (0x7fff, 0) => sign * f64::INFINITY,
        (0x7fff, _) => f64::NAN,
        // Since the 80387, values without the integer bit are invalid.
        (1.., _) if fraction >> 63 == 0 => f64::NAN,
        _ => sign * fraction as f64 * 2.0_f64.powi(exponent.saturating_sub(16383 + 63)),
    }
}

fn decode_text(order: char, bytes: &[u8]) -> Value {
    let (chars, _) = bytes.as_chunks::<4>();
    let decode = if order == '>' { u32::from_be_bytes } else { u32::from_le_bytes };
    let chars = chars.iter().map(|bytes| char::from_u32(decode(*bytes)));
    let text = chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().trim_end_matches('\0').into()
}
