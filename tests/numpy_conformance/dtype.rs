//! NumPy's types: their names, sizes and values; knows nothing of arrays.

use serde_json::Value;

use crate::element;
use crate::json::{FromJson, Result, one_or_many};

/// A type of elements.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum DType {
    /// A type with a name such as `<f4`, `|S3` and `>M8[ns]`.
    Plain {
        order: char,
        kind: char,
        /// Bytes, but for text the number of characters.
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

    pub(crate) fn item_size(&self) -> usize {
        match self {
            Self::Plain { kind: 'U', count, .. } => count.saturating_mul(4),
            Self::Plain { count, .. } => *count,
            Self::Record(fields) => {
                fields.iter().map(Field::size).fold(0, usize::saturating_add)
            }
        }
    }

    /// Returns what NumPy aligns elements of this type to.
    pub(crate) fn align(&self) -> usize {
        match self {
            Self::Plain { kind: 'S' | 'V', .. } | Self::Record(_) => 1,
            Self::Plain { kind: 'U', .. } => 4,
            Self::Plain { kind: 'c', count, .. } => count / 2,
            Self::Plain { count, .. } => *count,
        }
    }

    /// Names the number that stands for an element: a date is an integer.
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

    fn size(&self) -> usize {
        self.shape.iter().copied().fold(self.dtype.item_size(), usize::saturating_mul)
    }
}

fn decode_array(dtype: &DType, shape: &[usize], bytes: &[u8]) -> Value {
    let Some((length, rest)) = shape.split_first() else {
        return dtype.decode(bytes);
    };
    let size = bytes.len().checked_div(*length).unwrap_or_default();
    bytes.chunks(size.max(1)).map(|bytes| decode_array(dtype, rest, bytes)).collect()
}

fn decode_text(order: char, bytes: &[u8]) -> Value {
    let (chars, _) = bytes.as_chunks::<4>();
    let decode = if order == '>' { u32::from_be_bytes } else { u32::from_le_bytes };
    let chars = chars.iter().map(|bytes| char::from_u32(decode(*bytes)));
    let text = chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    text.collect::<String>().trim_end_matches('\0').into()
}
