//! The positions of the entries in a header's dictionary; knows nothing of the values' meaning.

use super::parser::{Cursor, Literal};
use crate::error::{Error, NpyErrorKind, Result};

/// Readers at the starts of the header's values; every value is a well-formed literal.
pub(super) struct Entries<'t> {
    pub(super) descr: Cursor<'t>,
    pub(super) fortran_order: Cursor<'t>,
    pub(super) shape: Cursor<'t>,
}

impl<'t> Entries<'t> {
    /// Finds the entries in a text, which must be a dictionary of exactly these keys.
    pub(super) fn read(mut reader: Cursor<'t>) -> Result<Self> {
        let whole = reader.clone();
        let mut brackets: usize = 0;
        while reader.take(b'(') {
            brackets = brackets.saturating_add(1);
        }
        if !reader.take(b'{') {
            return Err(no_dictionary(whole));
        }
        let Some(found) = Found::read(&mut reader)? else {
            return Err(no_dictionary(whole));
        };
        while brackets > 0 && reader.take(b')') {
            brackets = brackets.saturating_sub(1);
        }
        if reader.peek() == b',' {
            return Err(no_dictionary(whole));
        }
        if brackets > 0 || !reader.is_at_end() {
            return Err(reader.syntax("nothing after the dictionary").into());
        }
        found.complete()
    }
}

/// The entries that have been found.
#[derive(Default)]
struct Found<'t> {
    descr: Option<Cursor<'t>>,
    fortran_order: Option<Cursor<'t>>,
    shape: Option<Cursor<'t>>,
    /// Whether the dictionary has an unknown key.
    unknown: bool,
    /// The position of a repeated key.
    twice: Option<usize>,
}

impl<'t> Found<'t> {
    /// Reads up to the closing brace; returns `None` if the braces enclose a set.
    fn read(reader: &mut Cursor<'t>) -> Result<Option<Self>> {
        let mut found = Self::default();
        let mut has_values = None;
        while !reader.take(b'}') {
            let at = reader.at();
            let key = reader.literal()?;
            let has_value = reader.take(b':');
            if *has_values.get_or_insert(has_value) != has_value {
                let expected = if has_value { "no colon" } else { "a colon" };
                return Err(reader.syntax(expected).into());
            }
            if has_value {
                found.insert(&key, at, reader.clone());
                reader.literal()?;
            }
            if !reader.take(b',') {
                reader.expect(b'}', "a comma or `}`")?;
                break;
            }
        }
        Ok((has_values != Some(false)).then_some(found))
    }

    fn insert(&mut self, key: &Literal<'_>, at: usize, value: Cursor<'t>) {
        let slot = match key {
            Literal::Text(key) if key == "descr" => &mut self.descr,
            Literal::Text(key) if key == "fortran_order" => &mut self.fortran_order,
            Literal::Text(key) if key == "shape" => &mut self.shape,
            _ => {
                self.unknown = true;
                return;
            }
        };
        if slot.replace(value).is_some() {
            self.twice = Some(at);
        }
    }

    fn complete(self) -> Result<Entries<'t>> {
        let Self { descr, fortran_order, shape, unknown, twice } = self;
        match (descr, fortran_order, shape, twice) {
            (Some(descr), Some(fortran_order), Some(shape), None) if !unknown => {
                Ok(Entries { descr, fortran_order, shape })
            }
            (Some(_), Some(_), Some(_), Some(at)) if !unknown => {
                Err(NpyErrorKind::Syntax { at, expected: "each key once" }.into())
            }
            _ => Err(NpyErrorKind::Keys.into()),
        }
    }
}

/// Returns the error for a header that is not a dictionary: another literal, or no literal at all.
fn no_dictionary(mut reader: Cursor<'_>) -> Error {
    loop {
        if let Err(e) = reader.literal() {
            return e.into();
        }
        let comma = reader.take(b',');
        if reader.is_at_end() {
            return NpyErrorKind::NotADictionary.into();
        }
        if !comma {
            return reader.syntax("nothing after the value").into();
        }
    }
}
