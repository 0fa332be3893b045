//! A JSON value as it stands in a record: borrowed, with numbers as they were written.

use std::borrow::Cow;

use tidewatch_projections::decimal::{Decimal, EXPONENT_MAX};
use tidewatch_projections::value::Value;

use crate::reject::{Reason, Rejection};

/// A JSON value that borrows from the record.
#[derive(Clone, PartialEq, Debug)]
pub enum Node<'a> {
    /// The JSON value `null`.
    Null,
    /// A boolean, `true` or `false`.
    Bool(bool),
    /// A number as it was written, valid by the grammar of JSON.
    Number(&'a str),
    /// A string with its escapes resolved.
    Text(Cow<'a, str>),
    /// An array of nodes, in order.
    List(Vec<Node<'a>>),
    /// An object, in the order of the record, each key once.
    Object(Fields<'a>),
}

/// The fields of an object, in the order of the record.
pub type Fields<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

impl<'a> Node<'a> {
    /// The field of an object; `None` for other nodes too.
    pub fn field(&self, key: &str) -> Option<&Node<'a>> {
        match self {
            Node::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// The JSON type with its article, for messages: `a text`, `a number`.
    pub fn kind(&self) -> &'static str {
        match self {
            Node::Null => "null",
            Node::Bool(_) => "a truth value",
            Node::Number(_) => "a number",
            Node::Text(_) => "a text",
            Node::List(_) => "a list",
            Node::Object(_) => "an object",
        }
    }

    /// The value with exact numbers and sorted keys.
    ///
    /// # Errors
    /// `over_limit` when a number's magnitude is past 10^±400.
    pub fn to_value(&self) -> Result<Value, Rejection> {
        Ok(match self {
            Node::Null => Value::Null,
            Node::Bool(truth) => Value::Bool(*truth),
            Node::Number(text) => Value::Number(read_number(text)?),
            Node::Text(text) => Value::Text(text.as_ref().into()),
            Node::List(items) => Value::List(items.iter().map(Node::to_value).collect::<Result<_, _>>()?),
            Node::Object(fields) => Value::Object(sorted_values(fields)?),
        })
    }
}

fn sorted_values(fields: &Fields<'_>) -> Result<Vec<(Box<str>, Value)>, Rejection> {
    let mut values: Vec<(Box<str>, Value)> = fields
        .iter()
        .map(|(key, node)| Ok((key.as_ref().into(), node.to_value()?)))
        .collect::<Result<_, _>>()?;
    values.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(values)
}

/// A JSON number, exact.
///
/// # Errors
/// `over_limit` when its magnitude is past 10^±400.
pub fn read_number(text: &str) -> Result<Decimal, Rejection> {
    // In lowest terms the exponent can pass the limit that its text kept, and would not be read back.
    Decimal::parse(text)
        .filter(|number| number.exponent() <= EXPONENT_MAX)
        .ok_or_else(|| Rejection::new(Reason::OverLimit, format!("the number {text} is beyond 10^±400")))
}
