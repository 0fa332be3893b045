//! The value of an option that is passed through to librdkafka: plain, or a secret from the environment or a file.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

use super::config_error::ConfigError;

/// The value of a librdkafka option. Secrets can be read from the environment or a file instead of being written here.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A string, passed on as written.
    Text(String),
    /// A whole number, passed on as written.
    Number(i64),
    /// A boolean, passed on as `true` or `false`.
    Flag(bool),
    /// A secret that is read from elsewhere.
    From(Secret),
}

/// Where a secret is read from.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Secret {
    /// The environment variable of this name.
    Env(String),
    /// The file at this path; a line break at its end is removed.
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

/// Words in the names of options whose values are never printed.
const SECRET_WORDS: [&str; 5] = ["password", "secret", "key", "token", "pem"];

impl Setting {
    /// The value as TOML, for people. A secret is replaced by where it comes from.
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
