//! The conditions of a rule, which decide whether it matches a record.

use tidewatch_projections::decimal::Decimal;
use toml::{Table, Value as Toml};

use super::constant::Constant;
use super::error::{MappingError, bad_value, invalid, only_keys, texts};
use super::mapped_value::MappedValue;
use super::path::Path;
use crate::json::{Fields, Node};

const KEYS: [&str; 9] = ["exists", "not", "prefix", "suffix", "contains", "ge", "gt", "le", "lt"];

/// The tests of one `when` table, all of which must hold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Condition {
    tests: Vec<(Path, Test)>,
}

#[derive(Clone, PartialEq, Debug)]
enum Test {
    Equals(Vec<Constant>),
    Not(Vec<Constant>),
    Exists(bool),
    Prefix(Vec<String>),
    Suffix(Vec<String>),
    Contains(Vec<String>),
    AtLeast(Decimal),
    Above(Decimal),
    AtMost(Decimal),
    Below(Decimal),
}

/// Reads `when`: one table, all of whose tests must hold, or a list of tables, one of which must.
pub(super) fn read_when(at: &str, when: &Toml) -> Result<Vec<Condition>, MappingError> {
    match when {
        Toml::Table(table) => Ok(vec![Condition::read(at, table)?]),
        Toml::Array(tables) if !tables.is_empty() => tables
            .iter()
            .map(|table| match table {
                Toml::Table(table) => Condition::read(at, table),
                other => Err(bad_value(at, other, "a table of path = condition")),
            })
            .collect(),
        other => Err(bad_value(at, other, "a table of path = condition, or a list of such tables")),
    }
}

impl Condition {
    fn read(at: &str, table: &Table) -> Result<Self, MappingError> {
        let mut tests = Vec::new();
        for (key, value) in table {
            let at = format!("{at}.{key}");
            let path = Path::parse_key(key).filter(|path| !path.is_root());
            let path =
                path.ok_or_else(|| invalid(&at, "the key is no path such as type or \"customer.id\""))?;
            match value {
                Toml::Table(tests_of) => {
                    only_keys(&at, tests_of, &KEYS).map_err(|error| quote_paths(&at, tests_of, error))?;
                    for (name, operand) in tests_of {
                        tests.push((path.clone(), Test::read(&format!("{at}.{name}"), name, operand)?));
                    }
                }
                other => tests.push((path, Test::Equals(Constant::read_list(&at, other)?))),
            }
        }
        Ok(Self { tests })
    }

    /// Whether every test holds.
    pub fn holds(&self, record: &Fields<'_>) -> bool {
        self.tests.iter().all(|(path, test)| test.holds(path.find(record)))
    }

    /// Whether it holds for every record.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// The top-level keys of a record that it reads.
    pub fn top_level_keys(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().filter_map(|(path, _)| path.top_level_key())
    }
}

/// TOML reads `props.kind = 1` as a table in a table; the remedy is a quoted key, which the nearest key would not suggest.
fn quote_paths(at: &str, table: &Table, error: MappingError) -> MappingError {
    match table.iter().next() {
        Some((key, _)) if table.len() == 1 && !KEYS.contains(&key.as_str()) => {
            invalid(at, format!("{error}; a path of several keys is written in quotes, as \"a.{key}\" = …"))
        }
        _ => error,
    }
}

impl Test {
    fn read(at: &str, name: &str, operand: &Toml) -> Result<Self, MappingError> {
        let number = || match Constant::read(at, operand)? {
            Constant::Number(number) => Ok(number),
            _ => Err(bad_value(at, operand, "a number")),
        };
        Ok(match name {
            "exists" => {
                Self::Exists(operand.as_bool().ok_or_else(|| bad_value(at, operand, "true or false"))?)
            }
            "not" => Self::Not(Constant::read_list(at, operand)?),
            "prefix" => Self::Prefix(texts(at, operand)?),
            "suffix" => Self::Suffix(texts(at, operand)?),
            "contains" => Self::Contains(texts(at, operand)?),
            "ge" => Self::AtLeast(number()?),
            "gt" => Self::Above(number()?),
            "le" => Self::AtMost(number()?),
            _ => Self::Below(number()?),
        })
    }

    fn holds(&self, found: Option<&Node<'_>>) -> bool {
        let text_like = |parts: &[String], like: fn(&str, &str) -> bool| match found {
            Some(Node::Text(text)) => parts.iter().any(|part| like(text, part)),
            _ => false,
        };
        let number_like = |like: &dyn Fn(Decimal) -> bool| match found {
            Some(Node::Number(text)) => Decimal::parse(text).is_some_and(like),
            _ => false,
        };
        let one_of = |constants: &[Constant]| {
            found
                .and_then(|node| MappedValue::of_node(node).ok())
                .is_some_and(|value| constants.iter().any(|c| c.equals(&value)))
        };
        match self {
            Self::Equals(constants) => one_of(constants),
            Self::Not(constants) => !one_of(constants),
            Self::Exists(expected) => found.is_some() == *expected,
            Self::Prefix(parts) => text_like(parts, |text, part| text.starts_with(part)),
            Self::Suffix(parts) => text_like(parts, |text, part| text.ends_with(part)),
            Self::Contains(parts) => match found {
                Some(Node::List(items)) => items.iter().any(|item| match item {
                    Node::Text(text) => parts.iter().any(|part| *part == **text),
                    _ => false,
                }),
                _ => text_like(parts, |text, part| text.contains(part)),
            },
            Self::AtLeast(bound) => number_like(&|number| number >= *bound),
            Self::Above(bound) => number_like(&|number| number > *bound),
            Self::AtMost(bound) => number_like(&|number| number <= *bound),
            Self::Below(bound) => number_like(&|number| number < *bound),
        }
    }
}
