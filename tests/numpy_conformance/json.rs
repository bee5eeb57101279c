//! JSON objects whose every field must be read; independent of the cases.

use serde_json::{Map, Value};

/// A value, or a line that says why there is none.
pub(crate) type Result<T, E = String> = std::result::Result<T, E>;

/// The fields of an object that are not yet read.
pub(crate) struct Fields {
    name: &'static str,
    unread: Map<String, Value>,
}

impl Fields {
    pub(crate) fn of(name: &'static str, value: &Value) -> Result<Self> {
        match value {
            Value::Object(fields) => Ok(Self { name, unread: fields.clone() }),
            other => Err(format!("`{name}` is not an object: {other}")),
        }
    }

    pub(crate) fn raw(&mut self, field: &str) -> Option<Value> {
        self.unread.remove(field)
    }

    /// Reads a field that is an object.
    pub(crate) fn object(&mut self, field: &'static str) -> Result<Self> {
        Self::of(field, &self.need::<Value>(field)?)
    }

    /// Reads a field; `None` if it is missing or null.
    pub(crate) fn get<T: FromJson>(&mut self, field: &str) -> Result<Option<T>> {
        let value = self.raw(field).filter(|value| !value.is_null());
        let read = value.map(|value| {
            let name = self.name;
            T::from_json(&value)
                .ok_or_else(|| format!("`{field}` in `{name}` cannot be {value}"))
        });
        read.transpose()
    }

    pub(crate) fn need<T: FromJson>(&mut self, field: &str) -> Result<T> {
        let missing = format!("no `{field}` in `{}`", self.name);
        self.get(field)?.ok_or(missing)
    }

    /// Returns whether one of these fields exists and is unread.
    pub(crate) fn has_any(&self, fields: &[&str]) -> bool {
        fields.iter().any(|field| self.unread.contains_key(*field))
    }

    /// Skips fields that contain nothing to check, if they exist.
    pub(crate) fn pass_over(&mut self, fields: &[&str]) {
        for field in fields {
            self.unread.remove(*field);
        }
    }

    pub(crate) fn done(self) -> Result<()> {
        let name = self.name;
        let unread = self.unread.keys().next();
        unread.map_or(Ok(()), |field| Err(format!("unknown field `{field}` in `{name}`")))
    }
}

/// A type that can be read from a JSON value.
pub(crate) trait FromJson: Sized {
    fn from_json(value: &Value) -> Option<Self>;
}

/// Bytes given as hexadecimal digits.
pub(crate) struct Hex(pub(crate) Vec<u8>);

impl FromJson for Hex {
    fn from_json(value: &Value) -> Option<Self> {
        let (pairs, rest) = value.as_str()?.as_bytes().as_chunks::<2>();
        let byte =
            |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let bytes: Option<Vec<_>> = pairs.iter().map(byte).collect();
        bytes.filter(|_| rest.is_empty()).map(Self)
    }
}

impl FromJson for Value {
    fn from_json(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl FromJson for String {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(Self::from)
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromJson for u64 {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64()
    }
}

impl FromJson for i64 {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_i64()
    }
}

impl FromJson for usize {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_array()?.iter().map(T::from_json).collect()
    }
}

/// Reads a value or a list of values.
pub(crate) fn one_or_many<T: FromJson>(value: &Value) -> Option<Vec<T>> {
    T::from_json(value).map(|one| vec![one]).or_else(|| Vec::from_json(value))
}
