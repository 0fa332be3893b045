//! Statistics of a Kafka source, for metrics and status pages.

use tidewatch_projections::event::Micros;

use crate::source::SourceHealth;

/// Counters and states of one source since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// The partitions, ordered by topic and number.
    pub partitions: Vec<PartitionStatistics>,
    /// Records without a value (tombstones), which carry no event and are skipped.
    pub tombstones: u64,
    /// Records fetched a second time after a partition was opened again, and skipped.
    pub repeated: u64,
    /// Records dropped because their partition had stopped.
    pub discarded: u64,
    /// Configured topics that the broker does not have.
    pub topics_missing: Vec<String>,
    /// Partitions that are not read yet because their watermarks are unknown.
    pub partitions_waiting: u64,
    /// Surveys of ids and watermarks that succeeded.
    pub surveys: u64,
    /// How many of these surveys failed.
    pub surveys_failed: u64,
    /// Why the last survey failed; `None` after a success.
    pub survey_failure: Option<String>,
    /// Commits for lag monitoring that the broker accepted.
    pub commits: u64,
    /// Commits refused because the group has another active member: two engines may use the same group name.
    pub commits_refused: u64,
    /// Commits that failed for other reasons; the next commit covers them.
    pub commits_failed: u64,
    /// Errors of partitions that the client recovers from by itself.
    pub errors: u64,
    /// Lines at level warning or error in the client's log.
    pub errors_logged: u64,
    /// The last of these lines.
    pub last_error_logged: Option<String>,
    /// Fetched records in the client's queue.
    pub queued: u64,
}

impl Statistics {
    /// The statistics in the form common to all sources.
    pub fn health(&self) -> SourceHealth {
        let sum = |of: fn(&PartitionStatistics) -> u64| self.partitions.iter().map(of).sum::<u64>();
        let stopped = self.partitions.iter().filter(|partition| partition.stopped.is_some()).count() as u64;
        SourceHealth {
            skipped: vec![
                ("tombstone", self.tombstones),
                ("repeated", self.repeated),
                ("stopped_partition", self.discarded),
                ("gap", sum(|partition| partition.gaps)),
            ],
            errors: vec![
                ("stall", sum(|partition| partition.stalls)),
                ("client_error", self.errors),
                ("client_complaint", self.errors_logged),
                ("survey_failed", self.surveys_failed),
                ("commit_refused", self.commits_refused),
                ("commit_failed", self.commits_failed),
            ],
            partitions: vec![
                ("reading", self.partitions.len() as u64 - stopped),
                ("stopped", stopped),
                ("waiting", self.partitions_waiting),
                ("missing_topic", self.topics_missing.len() as u64),
            ],
            lag_records: sum(|partition| partition.lag.unsigned_abs()),
            behind_since: self.partitions.iter().filter_map(|partition| partition.behind_since).min(),
        }
    }
}

/// Counters and state of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatistics {
    /// The name of the topic.
    pub topic: String,
    /// The number of the partition.
    pub partition: i32,
    /// The offset of the next record to return.
    pub position: i64,
    /// The low watermark of the last survey: the oldest offset that the broker had.
    pub low: i64,
    /// The high watermark of the last survey: the offset after the newest record.
    pub high: i64,
    /// Offsets between `position` and `high`.
    pub lag: i64,
    /// Since when records wait, in µs since the epoch, as far as surveys show; `None` when none do.
    pub behind_since: Option<Micros>,
    /// The complete-through time of the partition, in µs; see [`super::KafkaSource`].
    pub complete_through: Option<Micros>,
    /// How many records were returned.
    pub records: u64,
    /// How many bytes these records have.
    pub bytes: u64,
    /// Offsets below the position without a record: control records, compaction, aborted transactions.
    pub gaps: u64,
    /// How often it was opened again because it stalled.
    pub stalls: u64,
    /// The cause of its stop, a stable word; `None` while it is read.
    pub stopped: Option<&'static str>,
}
