//! Property values: JSON with exact numbers.

use crate::decimal::Decimal;

/// The value of one property. Equality is by JSON type and value: `1` equals `1.0` and differs from `"1"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// JSON `null`: present, but unknown.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, exact.
    Number(Decimal),
    /// A text.
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
}
