//! A constant that a mapping file states: a text, a number or a truth value.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use toml::Value as Toml;

use super::cooked::Cooked;
use super::error::{MappingError, bad_value};

/// A constant of the mapping.
#[derive(Clone, PartialEq, Debug)]
pub enum Constant {
    /// A text.
    Text(Box<str>),
    /// A number.
    Number(Decimal),
    /// A truth value.
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

    pub(super) fn cooked(&self) -> Cooked<'_> {
        match self {
            Self::Text(text) => Cooked::Text(Cow::Borrowed(text)),
            Self::Number(number) => Cooked::Number(*number),
            Self::Bool(truth) => Cooked::Bool(*truth),
        }
    }

    pub(super) fn equals(&self, value: &Cooked<'_>) -> bool {
        self.cooked() == *value
    }
}
