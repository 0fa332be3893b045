//! The figures of a Kafka source, for metrics and status pages.

use tidewatch_projections::event::Micros;

use crate::source::Vitals;

/// Figures of one source since it was opened.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Per partition, by topic and number.
    pub partitions: Vec<PartitionStatistics>,
    /// Records without a value, which carry no event: passed over.
    pub tombstones: u64,
    /// Records that came a second time after a partition was opened anew: passed over.
    pub repeated: u64,
    /// Records dropped because their partition had stopped.
    pub discarded: u64,
    /// Topics of the configuration that the broker does not have.
    pub topics_missing: Vec<String>,
    /// Partitions known by number whose watermarks are not known yet, so that they are not read.
    pub partitions_waiting: u64,
    /// Surveys of ids and watermarks that succeeded.
    pub surveys: u64,
    /// Surveys that failed.
    pub surveys_failed: u64,
    /// Why the last survey failed; `None` after a success.
    pub survey_failure: Option<String>,
    /// Commits for lag tools that the broker took.
    pub commits: u64,
    /// Commits refused because a member of the same group lives elsewhere: two engines may share a group's name.
    pub commits_refused: u64,
    /// Commits that failed for other reasons; the next one makes up for it.
    pub commits_failed: u64,
    /// Errors of partitions that the client overcame or will.
    pub errors: u64,
    /// Warnings and errors in the client's log.
    pub complaints: u64,
    /// The last of them.
    pub complaint: Option<String>,
    /// Records fetched that wait to be handed over, as far as the client has queued them.
    pub queued: u64,
}

impl Statistics {
    /// The figures that every source tells in the same form.
    pub fn vitals(&self) -> Vitals {
        let sum = |of: fn(&PartitionStatistics) -> u64| self.partitions.iter().map(of).sum::<u64>();
        let stopped = self.partitions.iter().filter(|partition| partition.stopped.is_some()).count() as u64;
        Vitals {
            skipped: vec![
                ("tombstone", self.tombstones),
                ("repeated", self.repeated),
                ("stopped_partition", self.discarded),
                ("gap", sum(|partition| partition.gaps)),
            ],
            troubles: vec![
                ("stall", sum(|partition| partition.stalls)),
                ("client_error", self.errors),
                ("client_complaint", self.complaints),
                ("survey_failed", self.surveys_failed),
                ("commit_refused", self.commits_refused),
                ("commit_failed", self.commits_failed),
            ],
            parts: vec![
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

/// Figures of one partition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartitionStatistics {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The offset handed over next.
    pub position: i64,
    /// The oldest offset the broker had at the last survey.
    pub low: i64,
    /// The offset after the newest record at the last survey.
    pub high: i64,
    /// Offsets between position and `high`.
    pub lag: i64,
    /// Since when records wait, as far as surveys tell; `None` when none do.
    pub behind_since: Option<Micros>,
    /// See [`super::KafkaSource`] on completeness.
    pub complete_through: Option<Micros>,
    /// Records handed over.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Offsets without a record: control records, compaction, aborted transactions.
    pub gaps: u64,
    /// Times it was opened anew because it stood still.
    pub stalls: u64,
    /// The cause it is stopped for.
    pub stopped: Option<&'static str>,
}
