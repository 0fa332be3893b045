//! Why a Kafka source cannot be opened as it is configured; each error names the key and what would be right.

use std::path::PathBuf;

/// Why a Kafka source cannot be opened as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key has a value that cannot be used.
    #[error("source {source_name}: {key} {problem}")]
    Key {
        /// The name of the source.
        source_name: String,
        /// The key in the configuration.
        key: &'static str,
        /// What is wrong with the value and what would be right.
        problem: String,
    },
    /// An option is set that the engine must decide.
    #[error(
        "source {source_name}: option {option} is decided by the engine, since exactly-once reading depends on it; remove it"
    )]
    Reserved {
        /// The name of the source.
        source_name: String,
        /// The name of the librdkafka option.
        option: String,
    },
    /// A secret's environment variable is not set.
    #[error("option {option} comes from the environment variable {variable}, which is not set; set it")]
    Variable {
        /// The name of the librdkafka option.
        option: String,
        /// The name of the environment variable.
        variable: String,
    },
    /// A secret's file cannot be read.
    #[error("option {option} comes from the file {path}, which cannot be read: {error}")]
    File {
        /// The name of the librdkafka option.
        option: String,
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// librdkafka rejects an option or its value.
    #[error("source {source_name}: the Kafka client refuses the options: {error}")]
    Client {
        /// The name of the source.
        source_name: String,
        /// The error of librdkafka, which names the option.
        error: rdkafka::error::KafkaError,
    },
    /// The thread for the surveys could not be started.
    #[error("source {source_name}: no thread for its surveys: {error}; raise the limit of processes")]
    Thread {
        /// The name of the source.
        source_name: String,
        /// The error of the operating system.
        error: std::io::Error,
    },
}
