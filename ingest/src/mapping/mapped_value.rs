//! A value that an expression reads from a record and transforms before it is set.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::value::Value;

use crate::json::{self, Node};
use crate::reject::{Reason, Rejection};

/// A value between the record and its target, borrowed from the record where possible.
#[derive(Clone, PartialEq, Debug)]
pub enum MappedValue<'r> {
    /// A text, borrowed unless a transformation changed it.
    Text(Cow<'r, str>),
    /// A number with exact decimal digits.
    Number(Decimal),
    /// A boolean, `true` or `false`.
    Bool(bool),
    /// A list, an object or null, as it stands in the record.
    Whole(&'r Node<'r>),
}

impl<'r> MappedValue<'r> {
    pub(super) fn of_node(node: &'r Node<'r>) -> Result<Self, Rejection> {
        Ok(match node {
            Node::Text(text) => Self::Text(Cow::Borrowed(text)),
            Node::Number(text) => Self::Number(json::read_number(text)?),
            Node::Bool(truth) => Self::Bool(*truth),
            Node::Null | Node::List(_) | Node::Object(_) => Self::Whole(node),
        })
    }

    /// The type with its article, for messages: `a text`, `a number`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Whole(node) => node.kind(),
        }
    }

    /// The text of a scalar, numbers in plain notation; `None` for a list or object.
    pub fn into_text(self) -> Option<Cow<'r, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Bool(truth) => Some(Cow::Borrowed(if truth { "true" } else { "false" })),
            Self::Whole(_) => None,
        }
    }

    pub(super) fn into_value(self) -> Result<Value, Rejection> {
        Ok(match self {
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Number(number) => Value::Number(number),
            Self::Bool(truth) => Value::Bool(truth),
            Self::Whole(node) => node.to_value()?,
        })
    }
}

/// The number of a number or of a decimal text.
pub(super) fn number_of(value: &MappedValue<'_>) -> Result<Decimal, Rejection> {
    match value {
        MappedValue::Number(number) => Some(*number),
        MappedValue::Text(text) => Decimal::parse(text.trim()),
        MappedValue::Bool(_) | MappedValue::Whole(_) => None,
    }
    .ok_or_else(|| {
        let shown = match value {
            MappedValue::Text(text) => format!("{text:?}"),
            other => other.kind().to_owned(),
        };
        Rejection::new(Reason::BadField, format!("{shown} is no decimal number"))
    })
}
