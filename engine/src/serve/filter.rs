//! The filter grammar of every list, in calls and on the command line: a strict subset of AIP-160.
//!
//! ```text
//! filter     = conjunction | disjunction
//! conjunction = term { "AND" term }          AND and OR are never mixed without parentheses: AIP-160 and most
//! disjunction = term { "OR" term }           languages disagree about which of them binds tighter
//! term       = [ "NOT" | "-" ] ( "(" filter ")" | comparison )
//! comparison = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" ) value
//! field      = name { "." ( name | quoted ) }
//! value      = word | quoted                  `field:*` asks whether the field is present
//! ```
//!
//! A comparison with what is absent is false, `!=` included. `:` looks for a part of a text, ignoring case, and means
//! equality elsewhere. A [`Filter`] is checked against the fields of its list when it is parsed, so that evaluation
//! cannot fail.

mod parse;

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::civil::Date;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::Micros;

pub use parse::{FilterError, Resolve};

/// Longest filter or order, in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;
/// Comparisons in one filter at most.
pub const COMPARISONS_MAX: usize = 64;
/// Depth of parentheses and negations at most.
pub const DEPTH_MAX: usize = 16;

/// What a field of a list holds, which decides how its literals are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Text,
    Number,
    Truth,
    /// An instant: RFC 3339, or a date, which means its first instant in UTC.
    Instant,
    /// A calendar day: `2026-03-01`.
    Day,
    /// Whatever each item holds there, compared by its type: attributes, properties, metrics.
    Any,
}

/// The value an item has in a field.
#[derive(Clone, PartialEq, Debug)]
pub enum Operand<'a> {
    Text(Cow<'a, str>),
    Exact(Decimal),
    Number(f64),
    Truth(bool),
    Instant(Micros),
    Day(Date),
}

/// How a comparison compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Has,
}

/// A literal, read as the kind of its field asks.
#[derive(Clone, PartialEq, Debug)]
enum Literal {
    Present,
    Text(Box<str>),
    Number(Decimal, f64),
    Truth(bool),
    Instant(Micros),
    Day(Date),
}

#[derive(Clone, PartialEq, Debug)]
enum Node<F> {
    All(Vec<Node<F>>),
    Any(Vec<Node<F>>),
    Not(Box<Node<F>>),
    Compare(F, Operator, Literal),
}

/// A checked filter over fields `F`.
#[derive(Clone, PartialEq, Debug)]
pub struct Filter<F> {
    root: Node<F>,
}

impl<F> Filter<F> {
    /// The filter every item passes.
    pub fn everything() -> Self {
        Self { root: Node::All(Vec::new()) }
    }

    /// Reads a filter; the empty text is [`Filter::everything`].
    ///
    /// # Errors
    /// Names the first place that does not fit the grammar, the fields or a limit.
    pub fn parse(text: &str, resolve: &Resolve<'_, F>) -> Result<Self, FilterError> {
        parse::filter(text, resolve).map(|root| root.map_or_else(Self::everything, |root| Self { root }))
    }

    /// Whether an item passes, given its fields.
    pub fn matches<'a>(&self, field: &mut impl FnMut(&F) -> Option<Operand<'a>>) -> bool {
        self.root.matches(field)
    }
}

impl<F> Node<F> {
    fn matches<'a>(&self, field: &mut impl FnMut(&F) -> Option<Operand<'a>>) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|node| node.matches(field)),
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(field)),
            Self::Not(node) => !node.matches(field),
            Self::Compare(name, operator, literal) => {
                field(name).is_some_and(|operand| compare(&operand, *operator, literal))
            }
        }
    }
}

fn compare(operand: &Operand<'_>, operator: Operator, literal: &Literal) -> bool {
    if *literal == Literal::Present {
        return true;
    }
    if let (Operator::Has, Operand::Text(text), Literal::Text(part)) = (operator, operand, literal) {
        return text.to_lowercase().contains(&part.to_lowercase());
    }
    let Some(order) = order(operand, literal) else {
        // Another type than the literal's: different, and neither before nor after it.
        return operator == Operator::NotEqual;
    };
    match operator {
        Operator::Equal | Operator::Has => order == Ordering::Equal,
        Operator::NotEqual => order != Ordering::Equal,
        Operator::Less => order == Ordering::Less,
        Operator::LessOrEqual => order != Ordering::Greater,
        Operator::Greater => order == Ordering::Greater,
        Operator::GreaterOrEqual => order != Ordering::Less,
    }
}

fn order(operand: &Operand<'_>, literal: &Literal) -> Option<Ordering> {
    match (operand, literal) {
        (Operand::Text(text), Literal::Text(literal)) => Some(text.as_ref().cmp(literal)),
        (Operand::Exact(number), Literal::Number(literal, _)) => Some(number.cmp(literal)),
        (Operand::Number(number), Literal::Number(_, literal)) => number.partial_cmp(literal),
        (Operand::Truth(truth), Literal::Truth(literal)) => Some(truth.cmp(literal)),
        (Operand::Instant(instant), Literal::Instant(literal)) => Some(instant.cmp(literal)),
        (Operand::Day(day), Literal::Day(literal)) => Some(day.cmp(literal)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
