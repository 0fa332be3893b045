//! Reads `[[sources]]`, the one list of the configuration, whose tables are addressed by the name of their source.
//!
//! `sources.app.brokers` is the key `brokers` of the source `app`, and `TIDEWATCH_SOURCES_APP_BROKERS` the variable that sets
//! it; `TIDEWATCH_SOURCES_APP_OPTIONS_SASL_PASSWORD` sets its client's option `sasl.password`.

use std::collections::BTreeMap;

use tidewatch_projections::model_error::nearest;
use toml::{Table, Value};

use super::{Config, ConfigError, Effective, Origin, SOURCES, SourceConfig, variable_of};

/// A key of a source, with an empty value of its type.
type Key = (&'static str, fn() -> Value);

const TEXT: fn() -> Value = || Value::String(String::new());
const NUMBER: fn() -> Value = || Value::Integer(0);
const LIST: fn() -> Value = || Value::Array(Vec::new());

/// Keys that the environment can set.
const KEYS: [Key; 11] = [
    ("brokers", TEXT),
    ("topics", LIST),
    ("start", TEXT),
    ("format", TEXT),
    ("mapping", TEXT),
    ("group", TEXT),
    ("queue_kib_max", NUMBER),
    ("batch_bytes_max", NUMBER),
    ("survey_ms", NUMBER),
    ("stall_ms", NUMBER),
    ("commit_ms", NUMBER),
];
/// Keys that only a file can set: they say which source it is, or hold more than one value.
const FILE_KEYS: [&str; 4] = ["name", "kind", "accept", "options"];

/// Checks the keys of the sources of a file, and notes which there are.
pub(super) fn note(given: &Value, settings: &mut BTreeMap<String, Origin>) -> Result<(), ConfigError> {
    for (place, source) in tables(given).enumerate() {
        let name = source.get("name").and_then(Value::as_str);
        let path = name.map_or_else(|| format!("{SOURCES}[{place}]"), |name| format!("{SOURCES}.{name}"));
        for (key, value) in source {
            let known = KEYS.iter().map(|(key, _)| *key).chain(FILE_KEYS);
            if !known.clone().any(|known| known == key) {
                let nearest = format!("{path}.{}", nearest(key, known));
                return Err(ConfigError::UnknownKey { key: format!("{path}.{key}"), nearest });
            }
            match value {
                Value::Table(options) if key == "options" => settings
                    .extend(options.keys().map(|option| (format!("{path}.options.{option}"), Origin::File))),
                _ => {
                    settings.insert(format!("{path}.{key}"), Origin::File);
                }
            }
        }
    }
    Ok(())
}

fn tables(sources: &Value) -> impl Iterator<Item = &Table> {
    sources.as_array().into_iter().flatten().filter_map(Value::as_table)
}

/// The variables that set keys of these sources, with the keys.
pub(super) fn variables(table: &Table) -> Vec<(String, String)> {
    let sources = table.get(SOURCES).into_iter().flat_map(tables);
    let names = sources.filter_map(|source| source.get("name").and_then(Value::as_str));
    let keys = |name: &str| KEYS.map(|(key, _)| format!("{SOURCES}.{name}.{key}"));
    names.flat_map(keys).map(|key| (variable_of(&key), key)).collect()
}

/// The option of a source that a variable sets, as a key; `None` where it sets none.
pub(super) fn option_of(table: &Table, variable: &str) -> Option<String> {
    let sources = table.get(SOURCES).into_iter().flat_map(tables);
    let mut names = sources.filter_map(|source| source.get("name").and_then(Value::as_str));
    names.find_map(|name| {
        let options = format!("{SOURCES}.{name}.options");
        let option = variable.strip_prefix(&variable_of(&options))?.strip_prefix('_')?;
        // Names of options are words in lower case with points between them.
        Some(format!("{options}.{}", option.to_lowercase().replace('_', ".")))
    })
}

/// Where the value of a source's key stands; an empty one of its type is put there first.
pub(super) fn place<'t>(table: &'t mut Table, key: &str) -> Option<&'t mut Value> {
    let rest = key.strip_prefix(SOURCES)?.strip_prefix('.')?;
    let sources = table.get_mut(SOURCES)?.as_array_mut()?;
    sources.iter_mut().filter_map(Value::as_table_mut).find_map(|source| {
        let key = {
            let name = source.get("name").and_then(Value::as_str)?;
            rest.strip_prefix(name)?.strip_prefix('.')?.to_owned()
        };
        if let Some(option) = key.strip_prefix("options.") {
            let options =
                source.entry("options").or_insert_with(|| Value::Table(Table::new())).as_table_mut()?;
            options.insert(option.to_owned(), TEXT());
            return options.get_mut(option);
        }
        let (name, empty) = KEYS.iter().find(|(name, _)| *name == key)?;
        source.insert((*name).to_owned(), empty());
        source.get_mut(*name)
    })
}

/// Every key of every source with its value and where it came from.
pub(super) fn effective(config: &Config, settings: &BTreeMap<String, Origin>) -> Vec<Effective> {
    let mut effective = Vec::new();
    for SourceConfig::Kafka(source) in &config.sources {
        for (key, value) in source.shown() {
            let key = format!("{SOURCES}.{}.{key}", source.name);
            let origin = settings.get(&key).cloned().unwrap_or(Origin::Default);
            effective.push(Effective { key, value, origin });
        }
    }
    effective
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
        [[sources]]
        name = 'app-eu'
        kind = 'kafka'
        brokers = 'localhost:9092'
        topics = ['events']
        options = { 'ssl.key.password' = 'hunter2', 'security.protocol' = 'ssl' }
    ";

    fn load(file: &str, environment: &[(&str, &str)]) -> Result<super::super::Loaded, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        super::super::load(Some(file), environment)
    }

    #[test]
    fn the_environment_sets_keys_and_options_of_a_source_by_its_name() {
        let environment = [
            ("TIDEWATCH_SOURCES_APP_EU_BROKERS", "broker:9093"),
            ("TIDEWATCH_SOURCES_APP_EU_TOPICS", "orders, logins"),
            ("TIDEWATCH_SOURCES_APP_EU_STALL_MS", "5_000"),
            ("TIDEWATCH_SOURCES_APP_EU_OPTIONS_SASL_PASSWORD", "hunter3"),
        ];
        let loaded = load(FILE, &environment).unwrap();
        assert_eq!(loaded.unknown_variables, []);
        let [SourceConfig::Kafka(source)] = loaded.config.sources.as_slice() else { panic!("one source") };
        assert_eq!((source.brokers.as_str(), source.stall_ms), ("broker:9093", 5_000));
        assert_eq!(source.topics, ["orders", "logins"]);
        assert!(source.options.contains_key("sasl.password"));
        let shown = |key: &str| {
            let setting = loaded.effective.iter().find(|setting| setting.key == key);
            let setting = setting.unwrap_or_else(|| panic!("{key} is not shown"));
            format!("{} from {}", setting.value, setting.origin)
        };
        for (key, expected) in [
            ("sources.app-eu.brokers", "\"broker:9093\" from TIDEWATCH_SOURCES_APP_EU_BROKERS"),
            ("sources.app-eu.format", "\"native\" from default"),
            ("sources.app-eu.options.security.protocol", "\"ssl\" from file"),
            ("sources.app-eu.options.ssl.key.password", "\"(set)\" from file"),
            (
                "sources.app-eu.options.sasl.password",
                "\"(set)\" from TIDEWATCH_SOURCES_APP_EU_OPTIONS_SASL_PASSWORD",
            ),
        ] {
            assert_eq!(shown(key), expected);
        }
        let page: String = loaded.effective.iter().map(|setting| setting.value.as_str()).collect();
        assert!(!page.contains("hunter"), "{page}");
    }

    #[test]
    fn what_no_source_has_is_refused_or_told_with_the_nearest() {
        let refused = load(&FILE.replace("topics", "topic"), &[]).unwrap_err().to_string();
        assert!(
            refused.contains("\"sources.app-eu.topic\"") && refused.contains("\"sources.app-eu.topics\""),
            "{refused}"
        );
        let refused = load(&FILE.replace("name", "nam"), &[]).unwrap_err().to_string();
        assert!(
            refused.contains("\"sources[0].nam\"") && refused.contains("\"sources[0].name\""),
            "{refused}"
        );
        let unknown = load(FILE, &[("TIDEWATCH_SOURCES_APP_EU_BROKER", "x")]).unwrap().unknown_variables;
        assert_eq!(unknown[0].nearest, "TIDEWATCH_SOURCES_APP_EU_BROKERS");
        let wrong = load(FILE, &[("TIDEWATCH_SOURCES_APP_EU_STALL_MS", "soon")]).unwrap_err().to_string();
        assert!(
            wrong.contains("TIDEWATCH_SOURCES_APP_EU_STALL_MS") && wrong.contains("whole number"),
            "{wrong}"
        );
    }

    #[test]
    fn every_key_that_is_shown_can_be_set() {
        let loaded = load(FILE, &[]).unwrap();
        let SourceConfig::Kafka(source) = &loaded.config.sources[0];
        for (key, _) in source.shown().into_iter().filter(|(key, _)| !key.starts_with("options.")) {
            assert!(KEYS.iter().any(|(known, _)| *known == key), "{key}");
        }
    }
}
