//! Sets up the log of the process: text for people or JSON for programs, on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Format {
    /// One line for people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level was not understood.
    #[error(
        "log level {level:?} is not understood ({source}); use error, warn, info, debug or trace, or target=level pairs by commas"
    )]
    Level {
        /// The level asked for.
        level: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// A word that is no level: the filter would take it for a target and hide everything else.
    #[error(
        "log level {word:?} is no level; use error, warn, info, debug, trace or off, or target=level pairs by commas"
    )]
    NoLevel { word: String },
    /// The process has a log already.
    #[error("the process writes a log already")]
    Twice,
}

/// Checks a level without starting anything.
///
/// # Errors
/// When it is not understood.
pub fn check(level: &str) -> Result<(), TelemetryError> {
    filter(level).map(drop)
}

fn filter(level: &str) -> Result<EnvFilter, TelemetryError> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let words = level.split(',').map(str::trim).filter(|word| !word.contains(['=', '[']));
    for word in words {
        if !LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level)) {
            return Err(TelemetryError::NoLevel { word: word.to_owned() });
        }
    }
    EnvFilter::try_new(level).map_err(|source| TelemetryError::Level { level: level.to_owned(), source })
}

/// Starts the log of the process. `level` is one of error, warn, info, debug and trace, or `target=level` pairs by commas.
///
/// # Errors
/// When the level is not understood or the process has a log already.
pub fn start(format: Format, level: &str) -> Result<(), TelemetryError> {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(level)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| TelemetryError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_is_refused() {
        for level in ["info", "WARN", "warn,kafka=debug", "off,tidewatch_engine::app=trace"] {
            assert!(check(level).is_ok(), "{level}");
        }
        for level in ["loud", "", "info,kafka", "kafka=loud"] {
            assert!(check(level).is_err(), "{level:?} hides everything or means nothing");
        }
    }
}
