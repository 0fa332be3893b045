//! A constant of a mapping file: a text, a number or a boolean.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use toml::Value as Toml;

use super::error::{MappingError, bad_value};
use super::mapped_value::MappedValue;

/// A constant value that the mapping file states.
#[derive(Clone, PartialEq, Debug)]
pub enum Constant {
    /// A text, also one that looks like a number.
    Text(Box<str>),
    /// A number with the decimal digits of the file.
    Number(Decimal),
    /// A boolean, `true` or `false`.
    Bool(bool),
}

impl Constant {
    pub(super) fn read(at: &str, value: &Toml) -> Result<Self, MappingError> {
        match value {
            Toml::String(text) => Ok(Self::Text(text.as_str().into())),
            Toml::Boolean(truth) => Ok(Self::Bool(*truth)),
            Toml::Integer(number) => Ok(Self::Number(Decimal::from(*number))),
            // The shortest text that reads back to the same double is the number as written.
            Toml::Float(number) => Decimal::parse(&format!("{number:e}"))
                .map(Self::Number)
                .ok_or_else(|| bad_value(at, value, "a finite number")),
            other => Err(bad_value(at, other, "a text, a number or a truth value")),
        }
    }

    pub(super) fn read_list(at: &str, value: &Toml) -> Result<Vec<Self>, MappingError> {
        match value {
            Toml::Array(items) => items.iter().map(|item| Self::read(at, item)).collect(),
            single => Ok(vec![Self::read(at, single)?]),
        }
    }

    pub(super) fn as_value(&self) -> MappedValue<'_> {
        match self {
            Self::Text(text) => MappedValue::Text(Cow::Borrowed(text)),
            Self::Number(number) => MappedValue::Number(*number),
            Self::Bool(truth) => MappedValue::Bool(*truth),
        }
    }

    pub(super) fn equals(&self, value: &MappedValue<'_>) -> bool {
        self.as_value() == *value
    }
}
