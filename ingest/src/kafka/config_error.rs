//! Why a Kafka source cannot be opened as it is configured, told with the key and what would be right.

use std::path::PathBuf;

/// A Kafka source that cannot be opened as configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key has no usable value.
    #[error("source {source_name}: {key} {problem}")]
    Key {
        /// The source.
        source_name: String,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// An option is not the user's to set.
    #[error(
        "source {source_name}: option {option} is decided by the engine, since exactly-once reading depends on it; remove it"
    )]
    Reserved {
        /// The source.
        source_name: String,
        /// The option.
        option: String,
    },
    /// A secret's environment variable is not set.
    #[error("option {option} comes from the environment variable {variable}, which is not set; set it")]
    Variable {
        /// The option.
        option: String,
        /// The variable.
        variable: String,
    },
    /// A secret's file cannot be read.
    #[error("option {option} comes from the file {path}, which cannot be read: {error}")]
    File {
        /// The option.
        option: String,
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// librdkafka refuses an option.
    #[error("source {source_name}: the Kafka client refuses the options: {error}")]
    Client {
        /// The source.
        source_name: String,
        /// What it says; it names the option.
        error: rdkafka::error::KafkaError,
    },
    /// The machine gave no thread.
    #[error("source {source_name}: no thread for its surveys: {error}; raise the limit of processes")]
    Thread {
        /// The source.
        source_name: String,
        /// Why.
        error: std::io::Error,
    },
}
