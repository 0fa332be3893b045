//! The configuration of a Kafka source: its keys, defaults and checks, and the librdkafka options made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use serde::Deserialize;
use tidewatch_projections::event::Micros;

use super::config_error::ConfigError;
use super::setting::Setting;

/// One `[[sources]]` entry with `kind = "kafka"` (the kind itself is read by whoever chooses among kinds).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaConfig {
    /// The source's name in counters, checkpoints' messages and as the default `source` of its events.
    pub name: String,
    /// The bootstrap brokers as `host:port`, separated by commas.
    pub brokers: String,
    /// The topics, by exact name; every partition of each is read.
    pub topics: Vec<String>,
    /// Where reading begins in a partition that has no checkpoint.
    #[serde(default)]
    pub start: Start,
    /// The format of the records.
    #[serde(default)]
    pub format: Format,
    /// The mapping file; given exactly when `format = "mapped"`.
    #[serde(default)]
    pub mapping: Option<PathBuf>,
    /// The consumer group under which offsets are committed for lag monitoring; it is never read from.
    /// `tidewatch-<name>` unless given.
    #[serde(default)]
    pub group: Option<String>,
    /// Answers to stops of partitions; each applies to one stop only.
    #[serde(default)]
    pub accept: Vec<Accept>,
    /// Options passed through to librdkafka: TLS, SASL, buffers.
    #[serde(default)]
    pub options: BTreeMap<String, Setting>,
    /// Memory for fetched records that wait to be read, in KiB. One fetch per broker (`fetch.max.bytes`, 8 MiB unless
    /// set) can exceed it.
    #[serde(default = "queue_kib_max")]
    pub queue_kib_max: u32,
    /// Largest batch of records, in bytes; a single larger record makes a batch of its own.
    #[serde(default = "batch_bytes_max")]
    pub batch_bytes_max: usize,
    /// How often topic ids, partitions and watermarks are read, in ms. It bounds the delay of completeness and how fast a new
    /// partition is found.
    #[serde(default = "survey_ms")]
    pub survey_ms: u64,
    /// How long a partition with data may return nothing before it is opened again, in ms.
    #[serde(default = "stall_ms")]
    pub stall_ms: u64,
    /// Least time between two commits for lag monitoring, in ms.
    #[serde(default = "commit_ms")]
    pub commit_ms: u64,
}

fn queue_kib_max() -> u32 {
    8 * 1024
}

fn batch_bytes_max() -> usize {
    1024 * 1024
}

fn survey_ms() -> u64 {
    1_000
}

fn stall_ms() -> u64 {
    30_000
}

fn commit_ms() -> u64 {
    1_000
}

/// The format of a source's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The event envelope as JSON.
    #[default]
    Native,
    /// Any JSON, through a mapping.
    Mapped,
}

/// Where reading begins in a partition without a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
pub enum Start {
    /// At the oldest record that the broker has.
    #[default]
    Earliest,
    /// After the newest record at the moment the source first sees the partition.
    Latest,
    /// At the first record whose Kafka timestamp is at or after this instant, in µs since the epoch.
    Time(Micros),
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            time => jiff::Timestamp::from_str(time).map(|at| Self::Time(at.as_microsecond())).map_err(|error| {
                format!(
                    "start = {time:?} is neither \"earliest\" nor \"latest\" nor a time like \"2026-01-31T00:00:00Z\" ({error})"
                )
            }),
        }
    }
}

impl TryFrom<String> for Start {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// The operator's answer to one stop of a partition. It names the stop, so it does not apply to any later one and may stay in
/// the file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum Accept {
    /// Answers `recreated`: read the topic with this id from its oldest record.
    Topic {
        /// The name of the topic.
        topic: String,
        /// The id of the new topic, as the stop and Kafka's tools print it.
        topic_id: String,
    },
    /// Answers `retention_loss` and `truncated`: continue at `offset` instead of `from`.
    Offset {
        /// The name of the topic.
        topic: String,
        /// The number of the partition.
        partition: i32,
        /// The offset at which the partition stopped.
        from: i64,
        /// The offset at which it continues.
        offset: i64,
    },
}

/// Options that cannot be set, because exactly-once reading depends on them.
const RESERVED: [&str; 11] = [
    "bootstrap.servers",
    "metadata.broker.list",
    "group.id",
    "group.protocol",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "auto.offset.reset",
    "enable.partition.eof",
    "log.queue",
    "log_level",
    "queued.max.messages.kbytes",
];

impl KafkaConfig {
    /// Checks the values beyond their types.
    ///
    /// # Errors
    /// With the first key that has no usable value.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: &str| {
            Err(ConfigError::Key { source_name: self.name.clone(), key, problem: problem.to_owned() })
        };
        if self.name.is_empty() {
            return wrong("name", "is empty; give the source a name");
        }
        if self.brokers.trim().is_empty() {
            return wrong("brokers", "is empty; give host:port");
        }
        if self.topics.is_empty() || self.topics.iter().any(String::is_empty) {
            return wrong("topics", "must list at least one topic, none of them empty");
        }
        if self.topics.iter().collect::<BTreeSet<_>>().len() != self.topics.len() {
            return wrong("topics", "lists a topic twice");
        }
        match (self.format, &self.mapping) {
            (Format::Mapped, None) => {
                return wrong("mapping", "is missing; format = \"mapped\" needs a mapping file");
            }
            (Format::Native, Some(_)) => {
                return wrong("mapping", "is given, but format is \"native\"; set format = \"mapped\"");
            }
            _ => {}
        }
        for (key, value) in [
            ("batch_bytes_max", self.batch_bytes_max as u64),
            ("survey_ms", self.survey_ms),
            ("stall_ms", self.stall_ms),
            ("commit_ms", self.commit_ms),
        ] {
            if value == 0 {
                return wrong(key, "is 0; give at least 1");
            }
        }
        if !(QUEUE_KIB_LEAST..=QUEUE_KIB_LIMIT).contains(&self.queue_kib_max) {
            return wrong("queue_kib_max", "must lie between 1024 (1 MiB, one fetch) and 2097151 (2 GiB)");
        }
        for option in self.options.keys() {
            if RESERVED.contains(&option.as_str()) {
                return Err(ConfigError::Reserved { source_name: self.name.clone(), option: option.clone() });
            }
        }
        Ok(())
    }

    /// The consumer group for commits: the configured one or `tidewatch-<name>`.
    pub fn group(&self) -> String {
        self.group.clone().unwrap_or_else(|| format!("tidewatch-{}", self.name))
    }

    /// The time between two surveys.
    pub fn survey_every(&self) -> Duration {
        Duration::from_millis(self.survey_ms)
    }

    /// Every key and option with its value as TOML, for people. Secrets are replaced by where they come from.
    pub fn shown(&self) -> Vec<(String, String)> {
        let text = |text: &str| toml::Value::from(text).to_string();
        let start = match self.start {
            Start::Earliest => "earliest".to_owned(),
            Start::Latest => "latest".to_owned(),
            Start::Time(at) => crate::time::write_rfc3339(at),
        };
        let format = match self.format {
            Format::Native => "native",
            Format::Mapped => "mapped",
        };
        let mapping = self.mapping.as_ref().map(|file| ("mapping", text(&file.display().to_string())));
        let keys = [
            ("brokers", text(&self.brokers)),
            ("topics", toml::Value::from(self.topics.clone()).to_string()),
            ("start", text(&start)),
            ("format", text(format)),
            ("group", text(&self.group())),
            ("queue_kib_max", self.queue_kib_max.to_string()),
            ("batch_bytes_max", self.batch_bytes_max.to_string()),
            ("survey_ms", self.survey_ms.to_string()),
            ("stall_ms", self.stall_ms.to_string()),
            ("commit_ms", self.commit_ms.to_string()),
        ];
        let options =
            self.options.iter().map(|(option, setting)| (format!("options.{option}"), setting.shown(option)));
        let keys = keys.into_iter().chain(mapping).map(|(key, value)| (key.to_owned(), value));
        keys.chain(options).collect()
    }

    /// The options of the client that reads watermarks and topic ids.
    ///
    /// # Errors
    /// When a secret cannot be read.
    pub(crate) fn plain_client(&self) -> Result<ClientConfig, ConfigError> {
        let mut client = ClientConfig::new();
        client.set_log_level(RDKafkaLogLevel::Info).set("client.id", "tidewatch");
        for (option, setting) in &self.options {
            client.set(option, setting.resolve(option)?);
        }
        client.set("bootstrap.servers", &self.brokers);
        Ok(client)
    }

    /// The options of the client that reads records.
    ///
    /// # Errors
    /// When a secret cannot be read.
    pub(crate) fn reading_client(&self) -> Result<ClientConfig, ConfigError> {
        let plain = self.plain_client()?;
        let mut client = plain.clone();
        let fetch_bytes = FETCH_BYTES_MAX.min(u64::from(self.queue_kib_max) * 1024).max(FETCH_BYTES_MIN);
        for (option, value) in [
            ("fetch.min.bytes", "1".to_owned()),
            ("fetch.wait.max.ms", "500".to_owned()),
            // The default of a second starves small queues.
            ("fetch.queue.backoff.ms", "5".to_owned()),
            ("fetch.error.backoff.ms", "100".to_owned()),
            ("max.partition.fetch.bytes", fetch_bytes.min(PARTITION_FETCH_BYTES_MAX).to_string()),
            ("queued.min.messages", "1000000".to_owned()),
            ("check.crcs", "true".to_owned()),
            ("reconnect.backoff.ms", "50".to_owned()),
            ("reconnect.backoff.max.ms", "2000".to_owned()),
        ] {
            if plain.get(option).is_none() {
                client.set(option, value);
            }
        }
        // With a larger `message.max.bytes` the client chooses a fetch that has room for one.
        if plain.get("fetch.max.bytes").is_none() && plain.get("message.max.bytes").is_none() {
            client.set("fetch.max.bytes", fetch_bytes.to_string());
        }
        // The client reports the topic ids that its fetches use in its debug log only.
        let debug = plain.get("debug").map_or("metadata".to_owned(), |asked| format!("metadata,{asked}"));
        client
            .set_log_level(RDKafkaLogLevel::Debug)
            .set("debug", debug)
            .set("group.id", self.group())
            .set("queued.max.messages.kbytes", self.queue_kib_max.to_string())
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("enable.partition.eof", "true");
        Ok(client)
    }
}

/// Least `queue_kib_max`: room for the smallest fetch.
const QUEUE_KIB_LEAST: u32 = 1024;

/// Largest `queued.max.messages.kbytes` of librdkafka.
const QUEUE_KIB_LIMIT: u32 = 2_097_151;

/// Largest fetch response, in bytes.
const FETCH_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// librdkafka wants room for one message of `message.max.bytes` (1,000,000 by default).
const FETCH_BYTES_MIN: u64 = 1_000_000;

/// Largest part of one partition in a fetch response, in bytes.
const PARTITION_FETCH_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = 'feed'\nbrokers = 'localhost:9092'\ntopics = ['events']\n";

    fn parse(more: &str) -> Result<KafkaConfig, toml::de::Error> {
        toml::from_str(&format!("{LEAST}{more}"))
    }

    #[test]
    fn the_least_configuration_reads_native_events_from_the_beginning() {
        let config = parse("").unwrap();
        config.check().unwrap();
        assert_eq!((config.start, config.format), (Start::Earliest, Format::Native));
        assert_eq!(config.group(), "tidewatch-feed");
    }

    #[test]
    fn start_takes_two_words_and_times() {
        assert_eq!(parse("start = 'latest'").unwrap().start, Start::Latest);
        assert_eq!(parse("start = '1970-01-01T00:00:01Z'").unwrap().start, Start::Time(1_000_000));
        let error = parse("start = 'yesterday'").unwrap_err().to_string();
        assert!(error.contains("neither \"earliest\" nor \"latest\""), "{error}");
    }

    #[test]
    fn unknown_keys_and_answers_with_missing_parts_are_refused() {
        assert!(parse("topic = 'x'").is_err());
        assert!(parse("[[accept]]\ntopic = 'events'\npartition = 1").is_err());
        assert!(parse("[[accept]]\ntopic = 'events'\ntopic_id = 'a'\noffset = 3").is_err());
        let config = parse("[[accept]]\ntopic = 'events'\npartition = 1\nfrom = 5\noffset = 9").unwrap();
        assert!(matches!(config.accept[0], Accept::Offset { from: 5, offset: 9, .. }));
    }

    #[test]
    fn what_exactly_once_rests_on_is_not_for_options() {
        let error = parse("[options]\n'auto.offset.reset' = 'latest'").unwrap().check().unwrap_err();
        assert!(
            matches!(&error, ConfigError::Reserved { option, .. } if option == "auto.offset.reset"),
            "{error}"
        );
    }

    #[test]
    fn a_mapping_goes_with_its_format() {
        assert!(parse("format = 'mapped'").unwrap().check().is_err());
        assert!(parse("mapping = 'm.toml'").unwrap().check().is_err());
        parse("format = 'mapped'\nmapping = 'm.toml'").unwrap().check().unwrap();
    }

    #[test]
    fn secrets_come_from_files_and_are_not_printed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\n").unwrap();
        let path = file.path().display();
        let config =
            parse(&format!("[options]\n'sasl.password' = {{ file = '{path}' }}\n'sasl.username' = 'u'"))
                .unwrap();
        assert_eq!(config.plain_client().unwrap().get("sasl.password"), Some("hunter2"));
        assert!(!format!("{config:?}").contains("hunter2"));
        let open = parse("[options]\n'sasl.password' = 'hunter3'").unwrap();
        assert!(!format!("{open:?}").contains("hunter3"));
    }

    #[test]
    fn a_missing_secret_says_which() {
        let config = parse("[options]\n'sasl.password' = { env = 'TIDEWATCH_TEST_UNSET' }").unwrap();
        let error = config.plain_client().unwrap_err().to_string();
        assert!(error.contains("sasl.password") && error.contains("TIDEWATCH_TEST_UNSET"), "{error}");
    }

    #[test]
    fn fetched_records_take_a_bounded_memory_that_the_user_may_set() {
        let client = parse("").unwrap().reading_client().unwrap();
        assert_eq!(client.get("queued.max.messages.kbytes"), Some("8192"));
        assert_eq!(client.get("fetch.max.bytes"), Some("8388608"));
        let config = parse("queue_kib_max = 65536\n[options]\n'fetch.max.bytes' = 1048576").unwrap();
        let client = config.reading_client().unwrap();
        assert_eq!(client.get("queued.max.messages.kbytes"), Some("65536"));
        assert_eq!(client.get("fetch.max.bytes"), Some("1048576"));
    }

    #[test]
    fn options_of_the_user_win_over_defaults_but_not_over_promises() {
        let client = parse("[options]\n'fetch.min.bytes' = 65536\ndebug = 'broker'")
            .unwrap()
            .reading_client()
            .unwrap();
        assert_eq!(client.get("fetch.min.bytes"), Some("65536"));
        assert_eq!(client.get("debug"), Some("metadata,broker"));
        assert_eq!(client.get("auto.offset.reset"), Some("error"));
    }
}
