//! The value of an option that is passed through to the client, which may be a secret.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::config_error::ConfigError;

/// The value of a librdkafka option: in the open, or from the environment or a file for what is secret.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// As written.
    Text(String),
    /// A whole number as written.
    Number(i64),
    /// `true` or `false`.
    Flag(bool),
    /// From somewhere else.
    From(Secret),
}

/// Where a secret lies.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Secret {
    /// In this environment variable.
    Env(String),
    /// In this file; a line break at its end is left out.
    File(PathBuf),
}

impl fmt::Debug for Setting {
    /// Says where a value comes from and never what it is: passwords may be written in the open too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From(secret) => secret.fmt(f),
            _ => f.write_str("(set)"),
        }
    }
}

/// Words in the names of options whose values are nobody's to read.
const SECRET_WORDS: [&str; 5] = ["password", "secret", "key", "token", "pem"];

impl Setting {
    /// The value as TOML, for people: that of a secret says only where it comes from.
    pub fn shown(&self, option: &str) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::From(Secret::Env(variable)) => format!("{{ env = {} }}", quoted(variable)),
            Self::From(Secret::File(path)) => format!("{{ file = {} }}", quoted(&path.display().to_string())),
            _ if SECRET_WORDS.iter().any(|word| option.contains(word)) => quoted("(set)"),
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the configuration names the variable, for a secret that is in no file"
    )]
    pub(super) fn resolve(&self, option: &str) -> Result<String, ConfigError> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Number(number) => Ok(number.to_string()),
            Self::Flag(flag) => Ok(flag.to_string()),
            Self::From(Secret::Env(variable)) => std::env::var(variable)
                .map_err(|_| ConfigError::Variable { option: option.to_owned(), variable: variable.clone() }),
            Self::From(Secret::File(path)) => {
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError::File {
                    option: option.to_owned(),
                    path: path.clone(),
                    error,
                })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}
