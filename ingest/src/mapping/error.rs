//! Errors of a mapping file: each names the place, the value and what to write instead.

use tidewatch_projections::model_error::nearest;
use toml::{Table, Value as Toml};

/// Why a mapping file cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MappingError {
    /// The file is longer than [`super::MAPPING_BYTES_MAX`].
    #[error("the mapping has {bytes} bytes, more than {most}")]
    TooLong {
        /// The length of the file, in bytes.
        bytes: usize,
        /// The largest length allowed, in bytes.
        most: usize,
    },
    /// The file is not valid TOML; the text is the parser's message.
    #[error("the mapping is not valid TOML: {0}")]
    Syntax(String),
    /// A key is not in the grammar.
    #[error("{at}: unknown key {key:?}; nearest valid key: {nearest:?} (valid: {valid})")]
    UnknownKey {
        /// The table that the key stands in.
        at: String,
        /// The key as it is written.
        key: String,
        /// The valid key most similar to it.
        nearest: String,
        /// All valid keys of the table, separated by commas.
        valid: String,
    },
    /// A value has the wrong type or is outside its range.
    #[error("{at}: {value} is not {expected}")]
    BadValue {
        /// The place, as `rules[2].type`.
        at: String,
        /// The value as written.
        value: String,
        /// What the value must be.
        expected: String,
    },
    /// The combination of keys has no meaning.
    #[error("{at}: {why}")]
    Invalid {
        /// The place, as `rules[2].type`.
        at: String,
        /// Why it has none, and what to write instead.
        why: String,
    },
}

pub(super) fn bad_value(at: &str, value: &Toml, expected: &str) -> MappingError {
    let value = value.to_string();
    MappingError::BadValue {
        at: at.to_owned(),
        value: value.trim().to_owned(),
        expected: expected.to_owned(),
    }
}

pub(super) fn invalid(at: &str, why: impl Into<String>) -> MappingError {
    MappingError::Invalid { at: at.to_owned(), why: why.into() }
}

/// Rejects keys outside `valid`.
pub(super) fn only_keys(at: &str, table: &Table, valid: &[&str]) -> Result<(), MappingError> {
    match table.keys().find(|key| !valid.contains(&key.as_str())) {
        None => Ok(()),
        Some(key) => Err(MappingError::UnknownKey {
            at: at.to_owned(),
            key: key.clone(),
            nearest: nearest(key, valid.iter().copied()).to_owned(),
            valid: valid.join(", "),
        }),
    }
}

pub(super) fn text<'t>(at: &str, value: &'t Toml) -> Result<&'t str, MappingError> {
    value.as_str().ok_or_else(|| bad_value(at, value, "a text"))
}

pub(super) fn truth(at: &str, table: &Table, key: &str) -> Result<bool, MappingError> {
    match table.get(key) {
        None => Ok(false),
        Some(Toml::Boolean(truth)) => Ok(*truth),
        Some(other) => Err(bad_value(&format!("{at}.{key}"), other, "true or false")),
    }
}

pub(super) fn texts(at: &str, value: &Toml) -> Result<Vec<String>, MappingError> {
    let expected = "a text or a list of texts";
    match value {
        Toml::String(text) => Ok(vec![text.clone()]),
        Toml::Array(items) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(|| bad_value(at, value, expected)))
            .collect(),
        other => Err(bad_value(at, other, expected)),
    }
}
