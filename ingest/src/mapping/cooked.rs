//! A value on its way from a record to its target.

use std::borrow::Cow;

use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::value::Value;

use crate::json::{self, Node};
use crate::reject::{Reason, Rejection};

/// A value on its way from the record to its target.
#[derive(Clone, PartialEq, Debug)]
pub enum Cooked<'r> {
    /// A text.
    Text(Cow<'r, str>),
    /// A number.
    Number(Decimal),
    /// A truth value.
    Bool(bool),
    /// A list or an object, as it stands in the record.
    Whole(&'r Node<'r>),
}

impl<'r> Cooked<'r> {
    pub(super) fn of_node(node: &'r Node<'r>) -> Result<Self, Rejection> {
        Ok(match node {
            Node::Text(text) => Self::Text(Cow::Borrowed(text)),
            Node::Number(text) => Self::Number(json::read_number(text)?),
            Node::Bool(truth) => Self::Bool(*truth),
            Node::Null | Node::List(_) | Node::Object(_) => Self::Whole(node),
        })
    }

    /// What it is, for a sentence.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Bool(_) => "a truth value",
            Self::Whole(node) => node.kind(),
        }
    }

    /// The text of a scalar: a number in plain notation, a truth value by its word.
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
pub(super) fn number_of(value: &Cooked<'_>) -> Result<Decimal, Rejection> {
    match value {
        Cooked::Number(number) => Some(*number),
        Cooked::Text(text) => Decimal::parse(text.trim()),
        Cooked::Bool(_) | Cooked::Whole(_) => None,
    }
    .ok_or_else(|| {
        let shown = match value {
            Cooked::Text(text) => format!("{text:?}"),
            other => other.kind().to_owned(),
        };
        Rejection::new(Reason::BadField, format!("{shown} is no decimal number"))
    })
}
