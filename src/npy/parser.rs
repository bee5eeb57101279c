//! Parses the Python literals that headers need; knows nothing of their meaning.

use std::borrow::Cow;

use crate::error::NpyErrorKind;

/// The maximum nesting depth of brackets; each record takes two levels.
const DEPTH: usize = 64;

/// The value of a literal; a container is only checked for syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Literal<'t> {
    Text(Cow<'t, str>),
    /// A whole number; `None` if the number does not fit.
    Integer(Option<i128>),
    Bool(bool),
    /// Bytes, a fraction, `None`, or a container.
    Other,
}

/// Reads literals from left to right, each byte once.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// Whether numbers may end in `L`, as Python 2 wrote them.
    longs: bool,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(text: &'t str, longs: bool) -> Self {
        Self { text, at: 0, longs }
    }

    /// Skips white space and returns the position of the next token.
    pub(crate) fn at(&mut self) -> usize {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c);
        let blanks = self.rest().iter().take_while(|byte| blank(byte)).count();
        self.advance(blanks);
        self.at
    }

    /// Returns the next byte after white space, or 0 at the end.
    pub(crate) fn peek(&mut self) -> u8 {
        self.at();
        self.rest().first().copied().unwrap_or(0)
    }

    /// Consumes a punctuation mark if it comes next; returns whether it did.
    pub(crate) fn take(&mut self, mark: u8) -> bool {
        let found = self.peek() == mark && !self.rest().is_empty();
        self.advance(usize::from(found));
        found
    }

    /// Consumes a punctuation mark, or returns an error.
    pub(crate) fn expect(
        &mut self,
        mark: u8,
        expected: &'static str,
    ) -> Result<(), NpyErrorKind> {
        if self.take(mark) { Ok(()) } else { Err(self.syntax(expected)) }
    }

    /// Returns whether only white space is left.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.at();
        self.rest().is_empty()
    }

    /// Returns a syntax error at the current position.
    pub(crate) fn syntax(&mut self, expected: &'static str) -> NpyErrorKind {
        NpyErrorKind::Syntax { at: self.at(), expected }
    }

    /// Reads a literal of any kind.
    pub(crate) fn literal(&mut self) -> Result<Literal<'t>, NpyErrorKind> {
        let mut closers: Vec<u8> = Vec::new();
        let mut literal = Literal::Other;
        let mut alone = true;
        loop {
            let closer = match self.peek() {
                b'(' => b')',
                b'[' => b']',
                b'{' => b'}',
                _ => 0,
            };
            if closer != 0 {
                self.advance(1);
                if closers.len() == DEPTH {
                    return Err(self.syntax("fewer nested brackets"));
                }
                closers.push(closer);
                alone &= closer == b')';
                if self.peek() != closer {
                    continue;
                }
                alone = false;
            } else {
                literal = self.scalar()?;
            }
            // A value is complete: continue in its container, or close the container.
            loop {
                let Some(&closer) = closers.last() else {
                    return Ok(literal);
                };
                let separated = self.take(b',') || closer == b'}' && self.take(b':');
                // `('a')` is the string, `('a',)` is not.
                alone &= !separated;
                if !alone {
                    literal = Literal::Other;
                }
                if self.take(closer) {
                    closers.pop();
                } else if separated {
                    break;
                } else {
                    return Err(self.syntax("a comma or a closing bracket"));
                }
            }
        }
    }

    fn scalar(&mut self) -> Result<Literal<'t>, NpyErrorKind> {
        match self.peek() {
            b'\'' | b'"' => self.string().map(Literal::Text),
            b'b' if matches!(self.rest().get(1), Some(b'\'' | b'"')) => {
                self.advance(1);
                self.string().map(|_| Literal::Other)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'.' if matches!(self.rest().get(1), Some(b'0'..=b'9')) => self.number(),
            b'.' if self.rest().starts_with(b"...") => {
                self.advance(3);
                Ok(Literal::Other)
            }
            _ => {
                let word = self.rest().iter().take_while(|b| b.is_ascii_alphabetic());
                let len = word.count();
                let literal = match self.rest().get(..len) {
                    Some(b"True") => Literal::Bool(true),
                    Some(b"False") => Literal::Bool(false),
                    Some(b"None") => Literal::Other,
                    _ => return Err(self.syntax("a literal")),
                };
                self.advance(len);
                Ok(literal)
            }
        }
    }

    fn number(&mut self) -> Result<Literal<'t>, NpyErrorKind> {
        let negative = self.take(b'-');
        self.at();
        let digits = self.digits();
        let fraction = self.fraction()?;
        let zeros = digits.len() > 1 && digits.starts_with('0');
        if !fraction && (digits.is_empty() || zeros) {
            return Err(self.syntax("a number without leading zeros"));
        }
        if !fraction && self.longs && self.rest().first() == Some(&b'L') {
            self.advance(1);
        }
        if self.rest().first().is_some_and(u8::is_ascii_alphanumeric) {
            return Err(self.syntax("the end of a number"));
        }
        if fraction {
            return Ok(Literal::Other);
        }
        let number = digits.parse::<i128>().ok();
        let signed = if negative { number.and_then(i128::checked_neg) } else { number };
        Ok(Literal::Integer(signed))
    }

    /// Reads a fraction, an exponent and an imaginary unit; returns whether there is any.
    fn fraction(&mut self) -> Result<bool, NpyErrorKind> {
        let start = self.at;
        if self.rest().first() == Some(&b'.') {
            self.advance(1);
            self.digits();
        }
        if matches!(self.rest().first(), Some(b'e' | b'E')) {
            self.advance(1);
            if matches!(self.rest().first(), Some(b'+' | b'-')) {
                self.advance(1);
            }
            if self.digits().is_empty() {
                return Err(self.syntax("an exponent"));
            }
        }
        if matches!(self.rest().first(), Some(b'j' | b'J')) {
            self.advance(1);
        }
        Ok(self.at > start)
    }

    fn digits(&mut self) -> &'t str {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.tail().get(..count).unwrap_or_default();
        self.advance(count);
        digits
    }

    /// Reads a string between quotes.
    fn string(&mut self) -> Result<Cow<'t, str>, NpyErrorKind> {
        let quote = char::from(self.peek());
        self.advance(1);
        let inside = self.tail();
        let plain = inside.find([quote, '\\', '\n', '\r', '\0']).unwrap_or(inside.len());
        if inside.get(plain..).is_some_and(|rest| rest.starts_with(quote)) {
            self.advance(plain.saturating_add(1));
            return Ok(Cow::Borrowed(inside.get(..plain).unwrap_or_default()));
        }
        let mut text = String::new();
        let mut characters = inside.chars();
        loop {
            match characters.next() {
                // Python keeps the backslash of an unknown escape.
                Some('\\') if !starts_escape(&characters) => text.push('\\'),
                Some('\\') => match escaped(&mut characters) {
                    Some(character) => text.push(character),
                    None => return Err(self.syntax("a string without such an escape")),
                },
                Some(c) if c == quote => break,
                None | Some('\n' | '\r' | '\0') => {
                    return Err(self.syntax("a string that is closed"));
                }
                Some(c) => text.push(c),
            }
        }
        self.advance(inside.len().saturating_sub(characters.as_str().len()));
        Ok(Cow::Owned(text))
    }

    fn tail(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn rest(&self) -> &'t [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn advance(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes);
    }
}

/// Returns whether the characters after a backslash form an escape in Python.
fn starts_escape(characters: &std::str::Chars<'_>) -> bool {
    characters.as_str().starts_with(|c: char| "\n\r\\'\"abfnrtvxNuU01234567".contains(c))
}

/// Reads the escape after a backslash.
fn escaped(characters: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match characters.next()? {
        c @ ('\\' | '\'' | '"') => return Some(c),
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        'a' => return Some('\x07'),
        'b' => return Some('\x08'),
        'v' => return Some('\x0b'),
        'f' => return Some('\x0c'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let code = (0..digits).try_fold(0_u32, |code, _| {
        let digit = characters.next()?.to_digit(16)?;
        code.checked_mul(16)?.checked_add(digit)
    })?;
    char::from_u32(code)
}

/// Returns a string as Python's `repr` prints it.
pub(crate) fn repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&match u32::from(c) {
                code @ ..=0xff => format!("\\x{code:02x}"),
                code @ ..=0xffff => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
    out
}

/// Returns whether Python prints a character without an escape.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    // `escape_debug` does not escape a combining mark after a letter.
    let text = String::from_iter(['x', c]);
    !c.is_whitespace() && text.escape_debug().count() == 2
}
