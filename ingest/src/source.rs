//! The interface of a source of records: Kafka, files, the simulated fleet and the test simulation implement it.

use std::time::Duration;

use tidewatch_projections::event::Micros;

use crate::batch::RawBatch;
use crate::checkpoint::Checkpoint;

/// Whether a source can return more records after a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polled {
    /// More records may follow.
    Open,
    /// The source has ended: a file was read to its end, or a replay is done.
    Ended,
}

/// A part of a source that stopped until an operator decides how to go on. Other partitions of the source go on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("source {source_name} stopped at {stream}: {what_happened}; {what_to_do}")]
pub struct Stopped {
    /// The name of the source.
    pub source_name: String,
    /// The partition or file that stopped.
    pub stream: String,
    /// The cause, a stable word for labels: `recreated`, `retention_loss`, `unreadable` …
    pub cause: &'static str,
    /// What happened, with offsets and ids.
    pub what_happened: String,
    /// What the operator can do about it.
    pub what_to_do: String,
}

/// The condition of a source since it was opened: skipped records, errors, state of its partitions and lag.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SourceHealth {
    /// Records skipped because they carry no event, by reason; the words are stable and serve as labels.
    pub skipped: Vec<(&'static str, u64)>,
    /// Errors that the source recovers from by itself, by kind; the words are stable and serve as labels.
    pub errors: Vec<(&'static str, u64)>,
    /// How many of its partitions are in each state; the words are stable and serve as labels.
    pub partitions: Vec<(&'static str, u64)>,
    /// Records still to be read, as far as the source knows.
    pub lag_records: u64,
    /// Since when records wait to be read, in µs by the engine's clock; `None` when none do.
    pub behind_since: Option<Micros>,
}

/// A stream of raw records that keeps track of its own progress.
pub trait Source: Send {
    /// The name of the source in configuration, metrics and events.
    fn name(&self) -> &str;

    /// Continues after these checkpoints: all that the log has, of which the source takes its own. Called once, before the
    /// first poll.
    ///
    /// # Errors
    /// When the stream is not the one that the checkpoints belong to.
    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped>;

    /// Waits up to `wait` for records and appends them to an empty `out`, at most the source's batch limit in bytes.
    ///
    /// # Errors
    /// When some part of the source stopped for good; the rest can still be polled.
    fn poll(&mut self, wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped>;

    /// Called when all records up to these checkpoints are durable: the time to commit offsets for lag monitoring.
    fn durable(&mut self, _checkpoints: &[Checkpoint]) {}

    /// The complete-through time, in µs: every event the source had before this instant has been returned (design §4).
    /// `None` while unknown, and always for sources that do not stream.
    fn complete_through(&self) -> Option<Micros> {
        None
    }

    /// Whether a streaming source has returned every record it had when it was opened. A source that ends reports that
    /// with [`Polled::Ended`].
    fn caught_up(&self) -> bool {
        false
    }

    /// The condition of the source, for operators; `None` for a source that reports none.
    fn health(&self) -> Option<SourceHealth> {
        None
    }

    /// Whether the source streams, so that the watermark waits for it.
    fn streams(&self) -> bool {
        false
    }
}
