//! Reads the configuration from the annotated default file, the user's file and the environment.

mod sources;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidewatch_ingest::kafka::KafkaConfig;
use tidewatch_ingest::limits::{LimitOutOfRange, Limits};
use tidewatch_projections::model_error::nearest;
use toml::{Table, Value};

use crate::read::admission::AdmissionLimits;
use crate::telemetry::{self, Format, TelemetryError};

pub const DEFAULT: &str = include_str!("../../deploy/tidewatch.toml");
/// Every variable starts so.
pub const VARIABLE_PREFIX: &str = "TIDEWATCH_";
/// The one list of tables.
const SOURCES: &str = "sources";

/// All settings of a process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Whose data it is.
    pub tenant: String,
    /// Fold workers; 0 is one for each processor.
    pub workers: u16,
    pub dedup: DedupConfig,
    /// Limits on one record.
    pub limits: Limits,
    /// Where it is served.
    pub serve: ServeConfig,
    /// The log of the process.
    pub log: LogConfig,
    /// Where events come from.
    #[serde(default)]
    pub sources: Vec<SourceConfig>,
}

/// `[dedup]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DedupConfig {
    /// Memory for the table of recent ids, in bytes.
    pub memory_bytes_max: u64,
}

/// `[serve]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServeConfig {
    pub grpc: SocketAddr,
    /// The pages for operators.
    pub http: SocketAddr,
    /// Reads of the past that run at once.
    pub past_reads_max: usize,
    /// Reads of the past that wait.
    pub past_reads_waiting_max: usize,
    /// Memory for reads of the past, in bytes.
    pub past_memory_bytes_max: usize,
}

/// The most reads of the past that any setting may let run or wait: each takes a thread, or a place in a short list.
const PAST_READS_CEILING: usize = 1_024;

impl ServeConfig {
    /// How much may be read of the past at once.
    pub fn past(&self) -> AdmissionLimits {
        AdmissionLimits {
            scans_max: self.past_reads_max,
            waiting_max: self.past_reads_waiting_max,
            memory_bytes_max: self.past_memory_bytes_max as u64,
        }
    }

    fn check(&self) -> Result<(), LimitOutOfRange> {
        let ranges = [
            ("past_reads_max", self.past_reads_max, 1, PAST_READS_CEILING),
            ("past_reads_waiting_max", self.past_reads_waiting_max, 0, PAST_READS_CEILING),
            ("past_memory_bytes_max", self.past_memory_bytes_max, 1, usize::MAX),
        ];
        match ranges.into_iter().find(|(_, value, least, most)| value < least || value > most) {
            Some((name, value, least, most)) => Err(LimitOutOfRange { name, value, least, most }),
            None => Ok(()),
        }
    }
}

/// `[log]`
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    pub level: String,
    /// How it is written.
    pub format: LogFormat,
}

/// How lines of the log of the process are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl From<LogFormat> for Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Text => Self::Text,
            LogFormat::Json => Self::Json,
        }
    }
}

/// One of `[[sources]]`, by its `kind`.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SourceConfig {
    /// Topics of a broker.
    Kafka(Box<KafkaConfig>),
}

/// Where a value came from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    Default,
    File,
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(variable) => variable.fmt(f),
        }
    }
}

/// A setting as `check-config` prints it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effective {
    /// Its path, as `serve.grpc`.
    pub key: String,
    /// Its value, as TOML.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is not there or cannot be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not TOML, or a value of the wrong type.
    #[error("the configuration is not valid: {0}")]
    Invalid(String),
    /// A key that no setting has.
    #[error("the configuration has an unknown key {key:?}; the nearest known one is {nearest:?}")]
    UnknownKey {
        key: String,
        /// The path of the known key most like it.
        nearest: String,
    },
    /// A variable whose value is not of its setting's type.
    #[error("{variable} = {value:?} is no {expected}")]
    Variable {
        variable: String,
        value: String,
        /// What the setting takes.
        expected: &'static str,
    },
    /// A limit outside its range.
    #[error(transparent)]
    Limit(#[from] LimitOutOfRange),
    /// A level of the log of the process.
    #[error(transparent)]
    Level(#[from] TelemetryError),
    /// Two sources of one name would share their dead letters, counters and generation.
    #[error("two sources are named {name:?}; names are part of every event's identity, give each its own")]
    SameName { name: String },
}

/// Variables of the command line, of the tests and of the test broker start so; they are no settings.
const OTHER_VARIABLES: [&str; 2] = ["TIDEWATCH_DATA", "TIDEWATCH_BROKER"];

/// A variable that no setting has: it changes nothing, which whoever set it should know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownVariable {
    pub variable: String,
    /// The known variable most like it.
    pub nearest: String,
}

impl fmt::Display for UnknownVariable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { variable, nearest } = self;
        write!(f, "the environment sets {variable}, which no setting has; the nearest is {nearest}")
    }
}

/// A configuration with the origin of every setting.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub config: Config,
    /// Every setting, by key; those of sources by the source's name.
    pub effective: Vec<Effective>,
    /// Variables of the environment that look like settings and are none.
    pub unknown_variables: Vec<UnknownVariable>,
}

/// Puts a configuration together from the default, a file's text and the environment.
///
/// # Errors
/// The first thing that is wrong, with its key.
pub fn load(
    file: Option<&str>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let invalid = |error: toml::de::Error| ConfigError::Invalid(error.to_string());
    let mut settings = BTreeMap::new();
    let mut table: Table = DEFAULT.parse().map_err(invalid)?;
    flatten("", &table, &mut |key, _| settings.insert(key, Origin::Default).map_or((), |_| ()));
    if let Some(text) = file {
        let given: Table = text.parse().map_err(invalid)?;
        overlay("", &mut table, given, &mut settings)?;
    }
    let unknown_variables = overlay_environment(&mut table, environment, &mut settings)?;
    let mut effective = Vec::new();
    flatten("", &table, &mut |key, value| {
        if let Some(origin) = settings.get(&key) {
            effective.push(Effective { key, value: value.to_string(), origin: origin.clone() });
        }
    });
    let config: Config = Value::Table(table).try_into().map_err(invalid)?;
    config.limits.check()?;
    config.serve.check()?;
    telemetry::check(&config.log.level)?;
    effective.extend(sources::effective(&config, &settings));
    let mut names = Vec::new();
    for SourceConfig::Kafka(source) in &config.sources {
        if names.contains(&&source.name) {
            return Err(ConfigError::SameName { name: source.name.clone() });
        }
        names.push(&source.name);
    }
    Ok(Loaded { config, effective, unknown_variables })
}

/// Reads a configuration file, if one is given, and the process's environment.
///
/// # Errors
/// When the file cannot be read; those of [`load`].
#[expect(clippy::disallowed_methods, reason = "this is the one way of settings into the process")]
pub fn read(path: Option<&Path>) -> Result<Loaded, ConfigError> {
    let text = match path {
        None => None,
        Some(path) => Some(
            std::fs::read_to_string(path)
                .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?,
        ),
    };
    load(text.as_deref(), std::env::vars())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Calls `each` with every value that is no table.
fn flatten(path: &str, table: &Table, each: &mut dyn FnMut(String, &Value)) {
    for (key, value) in table {
        match value {
            Value::Table(table) => flatten(&join(path, key), table, each),
            value => each(join(path, key), value),
        }
    }
}

fn overlay(
    path: &str,
    table: &mut Table,
    given: Table,
    settings: &mut BTreeMap<String, Origin>,
) -> Result<(), ConfigError> {
    for (key, value) in given {
        let full = join(path, &key);
        if full == SOURCES {
            sources::note(&value, settings)?;
            table.insert(key, value);
            continue;
        }
        match (table.get_mut(&key), value) {
            (None, _) => {
                let known = settings.keys().map(String::as_str).chain([SOURCES]);
                let nearest = nearest(&full, known).to_owned();
                return Err(ConfigError::UnknownKey { key: full, nearest });
            }
            (Some(Value::Table(inner)), Value::Table(given)) => overlay(&full, inner, given, settings)?,
            (Some(known), value) => {
                *known = value;
                settings.insert(full, Origin::File);
            }
        }
    }
    Ok(())
}

fn variable_of(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.replace(|c: char| !c.is_ascii_alphanumeric(), "_").to_uppercase())
}

fn overlay_environment(
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
    settings: &mut BTreeMap<String, Origin>,
) -> Result<Vec<UnknownVariable>, ConfigError> {
    let mut unknown = Vec::new();
    let fixed =
        settings.keys().filter(|key| !key.starts_with(SOURCES)).map(|key| (variable_of(key), key.clone()));
    let known: BTreeMap<String, String> = fixed.chain(sources::variables(table)).collect();
    for (variable, text) in environment {
        let is_other = OTHER_VARIABLES.iter().any(|other| variable.starts_with(other));
        let is_ours = variable.starts_with(VARIABLE_PREFIX) && !is_other;
        if !is_ours {
            continue;
        }
        let Some(key) = known.get(&variable).cloned().or_else(|| sources::option_of(table, &variable)) else {
            let nearest = nearest(&variable, known.keys().map(String::as_str)).to_owned();
            unknown.push(UnknownVariable { variable, nearest });
            continue;
        };
        let place = match key.starts_with(SOURCES) {
            true => sources::place(table, &key),
            false => find(table, &key),
        };
        let place = place.expect("every known key has its place");
        let wrong =
            |expected| ConfigError::Variable { variable: variable.clone(), value: text.clone(), expected };
        *place = match place {
            Value::Integer(_) => {
                Value::Integer(text.replace('_', "").parse().map_err(|_| wrong("whole number"))?)
            }
            Value::Array(_) => Value::Array(text.split(',').map(|item| item.trim().into()).collect()),
            Value::Boolean(_) => Value::Boolean(text.parse().map_err(|_| wrong("true or false"))?),
            _ => Value::String(text),
        };
        settings.insert(key, Origin::Environment(variable));
    }
    Ok(unknown)
}

fn find<'t>(table: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    match key.split_once('.') {
        None => table.get_mut(key),
        Some((first, rest)) => find(table.get_mut(first)?.as_table_mut()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        super::load(Some(file), environment)
    }

    #[test]
    fn the_annotated_file_is_a_whole_configuration() {
        let loaded = load("", &[]).unwrap();
        assert_eq!(loaded.config.limits, Limits::default());
        assert_eq!(loaded.config.serve.past(), AdmissionLimits::default());
        assert!(loaded.effective.iter().all(|setting| setting.origin == Origin::Default));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_both_are_named() {
        let loaded = load(
            "workers = 3\n[serve]\nhttp = '127.0.0.1:1'\ngrpc = '127.0.0.1:2'",
            &[("TIDEWATCH_SERVE_GRPC", "127.0.0.1:3"), ("HOME", "/"), ("TIDEWATCH_DATA", "x")],
        )
        .unwrap();
        assert_eq!((loaded.config.workers, loaded.config.serve.grpc.port()), (3, 3));
        let origin = |key: &str| loaded.effective.iter().find(|s| s.key == key).unwrap().origin.to_string();
        assert_eq!(origin("serve.grpc"), "TIDEWATCH_SERVE_GRPC");
        assert_eq!((origin("serve.http"), origin("tenant")), ("file".into(), "default".into()));
    }

    #[test]
    fn the_budget_of_reads_of_the_past_is_set_by_file_and_environment() {
        let file = "[serve]\npast_reads_max = 2\npast_reads_waiting_max = 0";
        let loaded = load(file, &[("TIDEWATCH_SERVE_PAST_MEMORY_BYTES_MAX", "1_000")]).unwrap();
        let expected = AdmissionLimits { scans_max: 2, waiting_max: 0, memory_bytes_max: 1_000 };
        assert_eq!(loaded.config.serve.past(), expected);
        let refused = load("[serve]\npast_reads_max = 0", &[]).unwrap_err().to_string();
        assert!(refused.contains("past_reads_max = 0 is outside 1 to"), "{refused}");
    }

    #[test]
    fn what_nobody_knows_is_refused_with_the_nearest() {
        let refused =
            |file: &str, environment: &[(&str, &str)]| load(file, environment).unwrap_err().to_string();
        assert!(refused("[serve]\ngprc = 'x'", &[]).contains("\"serve.grpc\""));
        let unknown = load("", &[("TIDEWATCH_WORKER", "2")]).unwrap().unknown_variables;
        assert_eq!(unknown[0].nearest, "TIDEWATCH_WORKERS");
        assert!(refused("", &[("TIDEWATCH_WORKERS", "two")]).contains("whole number"));
        assert!(refused("[limits]\ndepth_max = 1000", &[]).contains("depth_max = 1000"));
        assert!(refused("[log]\nlevel = 'loud'", &[]).contains("\"loud\""));
    }

    #[test]
    fn sources_are_read_by_their_kind() {
        let file = "
            [[sources]]
            name = 'app'
            kind = 'kafka'
            brokers = 'localhost:9092'
            topics = ['events']
        ";
        let loaded = load(file, &[]).unwrap();
        let [SourceConfig::Kafka(source)] = loaded.config.sources.as_slice() else { panic!("one source") };
        assert_eq!(source.topics, ["events"]);
        let twice = format!("{file}{file}");
        assert!(load(&twice, &[]).unwrap_err().to_string().contains("\"app\""));
        assert!(load(&file.replace("topics", "topic"), &[]).is_err());
    }
}
