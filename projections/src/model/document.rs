//! Reading the values of a model file: each is of the type and in the range its key needs, or refused by its path.

use toml::{Table, Value as Toml};

use super::{ModelError, bad_value, nearest};
use crate::decimal::Decimal;
use crate::value::Value;

/// Reads a text as TOML.
pub(crate) fn parse(text: &str) -> Result<Table, ModelError> {
    text.parse::<Table>().map_err(|error| ModelError::Syntax(error.to_string()))
}

/// Refuses a key that is not among the valid ones.
pub(crate) fn check_keys(table: &Table, path: &str, valid: &[&str]) -> Result<(), ModelError> {
    match table.keys().find(|key| !valid.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(ModelError::UnknownKey {
            path: path.to_owned(),
            key: key.clone(),
            nearest: nearest(key, valid.iter().copied()).to_owned(),
            valid: valid.join(", "),
        }),
    }
}

/// Refuses a key that `what` has no use for.
pub(crate) fn check_useful(table: &Table, path: &str, what: &str, useful: &[&str]) -> Result<(), ModelError> {
    match table.keys().find(|key| !useful.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(useless(path, what, key, useful)),
    }
}

/// The error for a key that `what` has no use for.
pub(crate) fn useless(path: &str, what: &str, key: &str, useful: &[&str]) -> ModelError {
    ModelError::UselessKey {
        path: path.to_owned(),
        agg: what.into(),
        key: key.to_owned(),
        nearest: nearest(key, useful.iter().copied()).into(),
        valid: useful.join(", ").into(),
    }
}

/// The value of a key that `what` cannot do without.
pub(crate) fn required<'a>(
    table: &'a Table,
    key: &str,
    path: &str,
    what: &str,
) -> Result<&'a Toml, ModelError> {
    table.get(key).ok_or_else(|| ModelError::MissingKey {
        path: path.to_owned(),
        agg: what.to_owned(),
        key: key.to_owned(),
    })
}

pub(crate) fn table<'a>(value: &'a Toml, path: &str, expected: &str) -> Result<&'a Table, ModelError> {
    value.as_table().ok_or_else(|| bad_value(path, value, expected))
}

pub(crate) fn list<'a>(value: &'a Toml, path: &str, expected: &str) -> Result<&'a [Toml], ModelError> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| bad_value(path, value, expected))
}

pub(crate) fn text<'a>(value: &'a Toml, path: &str) -> Result<&'a str, ModelError> {
    value.as_str().ok_or_else(|| bad_value(path, value, "a text"))
}

/// A text that is not empty.
pub(crate) fn name<'a>(value: &'a Toml, path: &str) -> Result<&'a str, ModelError> {
    value.as_str().filter(|name| !name.is_empty()).ok_or_else(|| bad_value(path, value, "a name"))
}

/// One of some words.
pub(crate) fn word<'a>(value: &'a Toml, path: &str, words: &[&str]) -> Result<&'a str, ModelError> {
    let known = value.as_str().filter(|word| words.contains(word));
    known.ok_or_else(|| {
        let nearest = nearest(value.as_str().unwrap_or_default(), words.iter().copied());
        bad_value(path, value, &format!("one of {} (nearest: {nearest:?})", words.join(", ")))
    })
}

pub(crate) fn flag(value: &Toml, path: &str) -> Result<bool, ModelError> {
    value.as_bool().ok_or_else(|| bad_value(path, value, "true or false"))
}

pub(crate) fn integer(value: &Toml, path: &str, least: i64, greatest: i64) -> Result<i64, ModelError> {
    let whole = match value {
        Toml::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => Some(*number as i64),
        other => other.as_integer(),
    };
    whole
        .filter(|number| (least..=greatest).contains(number))
        .ok_or_else(|| bad_value(path, value, &format!("a whole number from {least} to {greatest}")))
}

/// A whole number that is not below 0, within limits.
pub(crate) fn whole(value: &Toml, path: &str, least: u32, greatest: u32) -> Result<u32, ModelError> {
    let number = integer(value, path, least.into(), greatest.into())?;
    Ok(u32::try_from(number).expect("within the limit"))
}

/// Whole days, at least one and at most a hundred years.
pub(crate) fn days(value: &Toml, path: &str) -> Result<u32, ModelError> {
    const DAYS_MAX: u32 = 36_525;
    whole(value, path, 1, DAYS_MAX)
}

pub(crate) fn number(
    value: &Toml,
    path: &str,
    expected: &str,
    holds: impl Fn(f64) -> bool,
) -> Result<f64, ModelError> {
    let number = match value {
        Toml::Integer(number) => Some(*number as f64),
        other => other.as_float(),
    };
    number
        .filter(|number| number.is_finite() && holds(*number))
        .ok_or_else(|| bad_value(path, value, expected))
}

/// The entries of a table by rising name, whatever the order of the file.
pub(crate) fn by_name(table: &Table) -> Vec<(&String, &Toml)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_unstable_by_key(|(name, _)| *name);
    entries
}

/// The index of a name among those of one kind, such as "metric"; an error tells the nearest of them.
pub(crate) fn find(
    name: &str,
    among: &[impl AsRef<str>],
    what: &'static str,
    path: &str,
) -> Result<usize, ModelError> {
    among.iter().position(|known| known.as_ref() == name).ok_or_else(|| ModelError::NoSuchName {
        path: path.to_owned(),
        what,
        name: name.to_owned(),
        nearest: nearest(name, among.iter().map(AsRef::as_ref)).to_owned(),
    })
}

/// A table without what means nothing: comments, white space, the order of keys, the spelling of numbers.
pub(crate) fn canonical(table: &Table) -> Vec<u8> {
    let mut bytes = Vec::new();
    object(table).write_json(&mut bytes);
    bytes
}

fn object(table: &Table) -> Value {
    let mut fields: Vec<(Box<str>, Value)> =
        table.iter().map(|(key, value)| (key.as_str().into(), value_of(value))).collect();
    fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Value::Object(fields)
}

pub(crate) fn value_of(toml: &Toml) -> Value {
    match toml {
        Toml::String(text) => Value::Text(text.as_str().into()),
        Toml::Integer(number) => Value::Number(Decimal::from(*number)),
        Toml::Float(number) => {
            let text = number.to_string();
            Decimal::parse(&text).map_or_else(|| Value::Text(text.into()), Value::Number)
        }
        Toml::Boolean(truth) => Value::Bool(*truth),
        Toml::Datetime(time) => Value::Text(time.to_string().into()),
        Toml::Array(items) => Value::List(items.iter().map(value_of).collect()),
        Toml::Table(table) => object(table),
    }
}

/// The error for a combination that the contract excludes.
pub(crate) fn refused(path: &str, reason: impl Into<String>) -> ModelError {
    ModelError::Refused { path: path.to_owned(), reason: reason.into() }
}
