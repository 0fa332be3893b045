//! Property values: JSON with exact numbers.

use crate::decimal::Decimal;

/// The value of one property. Equality is by JSON type and value: `1` equals `1.0` and differs from `"1"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// JSON `null`: present, but unknown.
    Null,
    /// JSON `true` or `false`; equals no number.
    Bool(bool),
    /// A JSON number by its exact value, however it was written.
    Number(Decimal),
    /// A JSON string; may be empty.
    Text(Box<str>),
    /// An array, in order.
    List(Vec<Value>),
    /// An object, sorted by key, each key once.
    Object(Vec<(Box<str>, Value)>),
}

impl Value {
    /// The text of a `Text`.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number of a `Number`.
    pub fn as_number(&self) -> Option<Decimal> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth of a `Bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The value as JSON text: see [`Value::write_json`].
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8(out).expect("texts and punctuation are UTF-8")
    }

    /// Appends the value in its canonical form: no white space, sorted keys, numbers in lowest terms, only the escapes JSON
    /// demands, the short ones where there are any. Fingerprints and digests of mappings rest on these bytes.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(truth) => out.extend_from_slice(if *truth { b"true" } else { b"false" }),
            Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Value::Text(text) => write_text(text, out),
            Value::List(values) => {
                out.push(b'[');
                for (at, value) in values.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Value::Object(fields) => {
                write_object(fields.iter().map(|(key, value)| (key.as_ref(), value)), out);
            }
        }
    }
}

/// Appends an object of fields that come in sorted order, in canonical form.
pub fn write_object<'v>(fields: impl Iterator<Item = (&'v str, &'v Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (key, value)) in fields.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        value.write_json(out);
    }
    out.push(b'}');
}

/// Appends a text in quotes, in canonical form.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0x00..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            plain => out.push(plain),
        }
    }
    out.push(b'"');
}
