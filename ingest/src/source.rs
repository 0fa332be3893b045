//! The trait every stream of records implements: Kafka, files, the simulated fleet, and the simulation's own.

use std::time::Duration;

use tidewatch_projections::event::Micros;

use crate::batch::RawBatch;
use crate::checkpoint::Checkpoint;

/// What a poll says besides the records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Polled {
    /// More may come.
    Open,
    /// The source has ended: a file at its end, a replay that is done.
    Ended,
}

/// A source that cannot go on until a person says how. Other partitions of the source may.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("source {source_name} stopped at {stream}: {what_happened}; {what_to_do}")]
pub struct Stopped {
    /// The source.
    pub source_name: String,
    /// The partition or file.
    pub stream: String,
    /// A stable word for labels: `recreated`, `retention_loss`, `unreadable` …
    pub cause: &'static str,
    /// What happened, with offsets and ids.
    pub what_happened: String,
    /// What the operator can do.
    pub what_to_do: String,
}

/// What a source has passed over and met since it was opened, and what still lies before it; for operators.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Vitals {
    /// Records without an event that were passed over, by why: stable words for labels.
    pub skipped: Vec<(&'static str, u64)>,
    /// Troubles that the source overcame or will, by kind: stable words for labels.
    pub troubles: Vec<(&'static str, u64)>,
    /// How many of its parts are in each state: stable words for labels.
    pub parts: Vec<(&'static str, u64)>,
    /// Records still to be read, as far as the source knows.
    pub lag_records: u64,
    /// Since when the first of them waits, by the engine's clock; `None` when none does.
    pub behind_since: Option<Micros>,
}

/// A stream of raw records with its own progress.
pub trait Source: Send {
    /// The name in configuration, counters and events.
    fn name(&self) -> &str;

    /// Continues after these checkpoints (all the log has; the source picks its own). Called once, before the first poll.
    ///
    /// # Errors
    /// When the stream is not the one the checkpoints speak of.
    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped>;

    /// Waits up to `wait` for records and appends them to an empty `out`, at most the source's batch limit in bytes.
    ///
    /// # Errors
    /// When some part of the source stopped for good; the rest can still be polled.
    fn poll(&mut self, wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped>;

    /// Told when records up to these checkpoints are durable: the moment to commit offsets for lag tools.
    fn durable(&mut self, _checkpoints: &[Checkpoint]) {}

    /// The instant through which this source is complete (design §4), by its position and the marks it has read.
    /// `None` while unknown. Sources that do not stream say `None` always.
    fn complete_through(&self) -> Option<Micros> {
        None
    }

    /// Whether a streaming source has handed over everything it had when it was opened. A source that ends says that
    /// with [`Polled::Ended`].
    fn caught_up(&self) -> bool {
        false
    }

    /// How it does, for operators; `None` for a source that has nothing to tell besides its records.
    fn vitals(&self) -> Option<Vitals> {
        None
    }

    /// Whether the source streams: it then takes part in the clock.
    fn streams(&self) -> bool {
        false
    }
}
