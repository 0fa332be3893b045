//! The JSON parser: one pass over the text, recursing once per level up to the depth limit.
//!
//! It is our own because the number's text, duplicate keys and limits are needed in one pass: reading by way of
//! serde_json's raw values took one and a half times as long. Escapes, the rare and intricate part, are left to serde_json,
//! and a property test holds that both accept the same texts.

use std::borrow::Cow;

use super::node::{Fields, Node};
use crate::limits::Limits;
use crate::reject::{Reason, Rejection};

/// Reads a text that is one object with white space around it.
pub(super) fn object_of<'a>(text: &'a str, limits: &Limits) -> Result<Fields<'a>, Rejection> {
    let mut reader = Reader { text, at: 0, limits };
    reader.skip_space();
    reader.expect(b'{', "an object")?;
    let fields = reader.object(1)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.unexpected("the end of the record"));
    }
    Ok(fields)
}

struct Reader<'a, 'l> {
    text: &'a str,
    at: usize,
    limits: &'l Limits,
}

impl<'a> Reader<'a, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self, expected: &str) -> Rejection {
        let place = self.at + 1;
        let detail = match self.text.get(self.at..).and_then(|rest| rest.chars().next()) {
            Some(found) => format!("not valid JSON: byte {place} is {found:?}, expected {expected}"),
            None => format!("not valid JSON: it ends at byte {place}, expected {expected}"),
        };
        Rejection::new(Reason::NotJson, detail)
    }

    fn expect(&mut self, byte: u8, expected: &str) -> Result<(), Rejection> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn within(&self, what: &str, limit: &str, length: usize, most: usize) -> Result<(), Rejection> {
        if length <= most {
            return Ok(());
        }
        Err(Rejection::new(Reason::OverLimit, format!("{what} of {length} is past {limit} = {most}")))
    }

    fn deeper(&self, depth: usize) -> Result<usize, Rejection> {
        let limit = self.limits.depth_max;
        if depth >= limit {
            return Err(Rejection::new(Reason::TooDeep, format!("nested deeper than depth_max = {limit}")));
        }
        Ok(depth + 1)
    }

    /// The fields up to the closing brace; the opening one is read.
    fn object(&mut self, depth: usize) -> Result<Fields<'a>, Rejection> {
        const FIELDS_USUAL: usize = 8;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Vec::new());
        }
        let mut fields = Vec::with_capacity(FIELDS_USUAL);
        loop {
            self.skip_space();
            self.expect(b'"', "a key in quotes")?;
            let key = self.text()?;
            self.within("a key", "id_bytes_max", key.len(), self.limits.id_bytes_max)?;
            self.within("an object", "fields_max", fields.len() + 1, self.limits.fields_max)?;
            self.skip_space();
            self.expect(b':', "a colon")?;
            fields.push((key, self.node(depth)?));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.unexpected("a comma or a closing brace")),
            }
        }
        self.at += 1;
        reject_duplicates(&fields)?;
        Ok(fields)
    }

    /// The items up to the closing bracket; the opening one is read.
    fn list(&mut self, depth: usize) -> Result<Vec<Node<'a>>, Rejection> {
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(items);
        }
        loop {
            self.within("a list", "items_max", items.len() + 1, self.limits.items_max)?;
            items.push(self.node(depth)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.unexpected("a comma or a closing bracket")),
            }
        }
        self.at += 1;
        Ok(items)
    }

    fn node(&mut self, depth: usize) -> Result<Node<'a>, Rejection> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let text = self.text()?;
                self.within("a text", "text_bytes_max", text.len(), self.limits.text_bytes_max)?;
                Ok(Node::Text(text))
            }
            Some(b'{') => {
                let depth = self.deeper(depth)?;
                self.at += 1;
                self.object(depth).map(Node::Object)
            }
            Some(b'[') => {
                let depth = self.deeper(depth)?;
                self.at += 1;
                self.list(depth).map(Node::List)
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => {
                for (word, node) in
                    [("null", Node::Null), ("true", Node::Bool(true)), ("false", Node::Bool(false))]
                {
                    if self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
                        self.at += word.len();
                        return Ok(node);
                    }
                }
                Err(self.unexpected("a value"))
            }
        }
    }

    /// The text up to the closing quote; the opening one is read.
    fn text(&mut self) -> Result<Cow<'a, str>, Rejection> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            self.at += plain_length(&bytes[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at = (self.at + 2).min(bytes.len());
                }
                Some(_) => return Err(self.unexpected("an escape for this control character")),
                None => return Err(self.unexpected("a closing quote")),
            }
        }
        let end = self.at;
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        let text = serde_json::from_str::<String>(&self.text[start - 1..=end]);
        text.map(Cow::Owned).map_err(|error| {
            Rejection::new(Reason::NotJson, format!("not valid JSON: the text at byte {start}: {error}"))
        })
    }

    fn number(&mut self) -> Result<Node<'a>, Rejection> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Node::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected("a digit"));
        }
        Ok(())
    }
}

/// How many bytes from the start are neither a quote, a backslash nor a control character: eight at a time.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let mut length = 0;
    for eight in bytes.chunks_exact(8) {
        let word = u64::from_le_bytes(eight.try_into().expect("a chunk of eight"));
        let quote = has_zero(word ^ u64::from_ne_bytes([b'"'; 8]));
        let backslash = has_zero(word ^ u64::from_ne_bytes([b'\\'; 8]));
        let control = word.wrapping_sub(u64::from_ne_bytes([0x20; 8])) & !word & HIGHS;
        // Only the lowest mark is sure: borrows run upwards.
        let marks = quote | backslash | control;
        if marks != 0 {
            return length + (marks.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let rest = &bytes[length..];
    length + rest.iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

fn reject_duplicates(fields: &Fields<'_>) -> Result<(), Rejection> {
    const COMPARE_ALL_MAX: usize = 16;
    let twice = if fields.len() <= COMPARE_ALL_MAX {
        let seen = |at: usize| fields[..at].iter().any(|(key, _)| *key == fields[at].0);
        (1..fields.len()).find(|&at| seen(at)).map(|at| &fields[at].0)
    } else {
        let mut keys: Vec<&Cow<'_, str>> = fields.iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    match twice {
        Some(key) => {
            Err(Rejection::new(Reason::DuplicateKey, format!("the key {key:?} stands twice in one object")))
        }
        None => Ok(()),
    }
}
