//! Tracks the position, watermarks and completeness of one partition, and decides where it resumes or why it stops. Pure.

use std::time::{Duration, Instant};

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;

use super::config::{Accept, Start};
use super::raw::TopicId;
use crate::checkpoint::PartitionCheckpoint;

/// The watermarks of a partition as a survey saw them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watermarks {
    /// The low watermark: the oldest offset that the broker has.
    pub low: i64,
    /// The high watermark: the offset after the newest record that a reader may see.
    pub high: i64,
    /// The first offset at or after the configured start time; `None` unless the source starts at a time.
    pub at_start_time: Option<i64>,
}

/// Why a partition stopped and needs a decision of the operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// The topic was deleted and created again.
    Recreated {
        /// The id of the topic that was read.
        was: String,
        /// The id of the topic that has the name now.
        is: TopicId,
    },
    /// The broker deleted records that were not read yet.
    RetentionLoss {
        /// The offset of the next record to read.
        from: i64,
        /// The oldest offset that is left.
        low: i64,
    },
    /// The partition ends before the position, or its history was rewritten: a broker lost acknowledged records.
    Truncated {
        /// The offset of the next record to read.
        from: i64,
        /// The high watermark of the partition.
        high: i64,
    },
}

impl StopReason {
    /// The cause, a stable word for labels.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Recreated { .. } => "recreated",
            Self::RetentionLoss { .. } => "retention_loss",
            Self::Truncated { .. } => "truncated",
        }
    }

    /// What happened, in a sentence for people.
    pub fn what_happened(&self) -> String {
        match self {
            Self::Recreated { was, is } => format!(
                "the topic was deleted and made again: it was read as {was} and is {} now",
                is.as_str()
            ),
            Self::RetentionLoss { from, low } => format!(
                "the broker deleted {} offset(s) before they were read: the next to read is {from}, the oldest left is {low}",
                low - from
            ),
            Self::Truncated { from, high } => format!(
                "the partition was cut below what was read: the next to read is {from}, the partition ends at {high}"
            ),
        }
    }

    /// What to add to the configuration to go on, in a sentence for people.
    pub fn what_to_do(&self, topic: &str, partition: i32) -> String {
        match self {
            Self::Recreated { is, .. } => format!(
                "to read the new topic from its beginning add to the source: [[sources.accept]] topic = \"{topic}\", topic_id = \"{}\"",
                is.as_str()
            ),
            Self::RetentionLoss { from, low: to } | Self::Truncated { from, high: to } => format!(
                "to go on at offset {to} add to the source: [[sources.accept]] topic = \"{topic}\", partition = {partition}, from = {from}, offset = {to}"
            ),
        }
    }
}

/// The offset and leader epoch at which a partition with this checkpoint resumes.
///
/// # Errors
/// When it must not resume, because the records after the checkpoint no longer exist.
pub fn resume_at(
    checkpoint: &PartitionCheckpoint,
    id: &TopicId,
    watermarks: Watermarks,
    accepted: &[Accept],
) -> Result<(i64, i32), StopReason> {
    if checkpoint.topic_id != id.as_str() {
        let answered = accepted.iter().any(|answer| {
            matches!(answer, Accept::Topic { topic, topic_id }
                if *topic == checkpoint.topic && TopicId::new(topic_id) == *id)
        });
        return if answered {
            Ok((watermarks.low, NO_EPOCH))
        } else {
            Err(StopReason::Recreated { was: checkpoint.topic_id.clone(), is: id.clone() })
        };
    }
    let stopped_at = checkpoint.next_offset;
    // Going back loses nothing. Going forward is an answer to records that are gone: one that stays in the configuration
    // must not skip those that stand at the same offsets of a topic made again, or of a source that starts over.
    let is_answer = |offset: &i64| *offset <= stopped_at || stopped_at < watermarks.low;
    // The last answer to a stop counts: more records may have gone between the first answer and the reading.
    let answer = accepted.iter().rev().find_map(|answer| match answer {
        Accept::Offset { topic, partition, from, offset }
            if *topic == checkpoint.topic && *partition == checkpoint.partition && *from == stopped_at =>
        {
            Some(*offset).filter(is_answer)
        }
        _ => None,
    });
    // An answer skips the client's own check of the leader epoch: the cut it would find is what was answered.
    let (at, epoch) = answer.map_or((stopped_at, checkpoint.leader_epoch), |offset| (offset, NO_EPOCH));
    if at < watermarks.low {
        Err(StopReason::RetentionLoss { from: stopped_at, low: watermarks.low })
    } else if at > watermarks.high {
        Err(StopReason::Truncated { from: stopped_at, high: watermarks.high })
    } else {
        Ok((at, epoch))
    }
}

/// The offset at which a partition without a checkpoint begins. One that was added to a topic already read begins at its
/// oldest record, because all its records are new.
pub fn start_at(start: Start, added: bool, watermarks: Watermarks) -> i64 {
    match start {
        _ if added => watermarks.low,
        Start::Earliest => watermarks.low,
        Start::Latest => watermarks.high,
        Start::Time(_) => {
            watermarks.at_start_time.unwrap_or(watermarks.high).clamp(watermarks.low, watermarks.high)
        }
    }
}

/// The leader epoch that stands for an unknown one.
pub const NO_EPOCH: i32 = -1;

/// A partition being read.
#[derive(Debug)]
pub struct Partition {
    /// The index of the topic in the source's list.
    pub topic: usize,
    /// The name of the topic.
    pub topic_name: Symbol,
    /// The number of the partition in the topic.
    pub partition: i32,
    /// The id of the topic when the partition was added.
    pub topic_id: TopicId,
    /// The same id as an interned name, for the origins of records.
    pub topic_id_name: Symbol,
    /// The offset of the next record to return.
    pub position: i64,
    /// The leader epoch of the last record below the position.
    pub epoch: i32,
    /// Whether the position moved since it was last reported as progress.
    pub moved: bool,
    /// The high watermark at which the partition counts as caught up; `None` for partitions that appeared later.
    pub target: Option<i64>,
    /// Why it is stopped; `None` while it is read.
    pub stop_reason: Option<StopReason>,
    /// Whether the client refused the position; the next survey finds the reason.
    pub refused: bool,
    /// How often it was opened again because it stalled.
    pub stalls: u64,
    /// How many records were returned.
    pub records: u64,
    /// How many bytes these records have.
    pub bytes: u64,
    /// Offsets below the position without a record: control records, compaction, aborted transactions.
    pub gaps: u64,
    /// The watermarks of the last survey.
    pub watermarks: Watermarks,
    complete_through: Option<Micros>,
    passing: Option<(Micros, i64)>,
    latest: Option<(Micros, i64)>,
    behind_since: Option<Micros>,
    still_since: Option<Instant>,
}

impl Partition {
    /// A partition about to be read from `position`.
    pub fn new(
        topic: usize,
        topic_name: Symbol,
        partition: i32,
        (topic_id, topic_id_name): (TopicId, Symbol),
        (position, epoch): (i64, i32),
        watermarks: Watermarks,
    ) -> Self {
        Self {
            topic,
            topic_name,
            partition,
            topic_id,
            topic_id_name,
            position,
            epoch,
            moved: true,
            target: None,
            stop_reason: None,
            refused: false,
            stalls: 0,
            records: 0,
            bytes: 0,
            gaps: 0,
            watermarks,
            complete_through: None,
            passing: None,
            latest: None,
            behind_since: None,
            still_since: None,
        }
    }

    /// Advances past a record at `offset`; `false` when that record was returned before.
    pub fn take(&mut self, offset: i64, epoch: i32) -> bool {
        if offset < self.position {
            return false;
        }
        self.pass(offset + 1, 1);
        self.epoch = epoch;
        true
    }

    /// Advances to the end of the partition, which is before `offset`.
    pub fn reach_end(&mut self, offset: i64) {
        if offset > self.position {
            self.pass(offset, 0);
        }
    }

    fn pass(&mut self, position: i64, records: u64) {
        self.gaps += (position - self.position).unsigned_abs() - records;
        self.position = position;
        self.moved = true;
        self.still_since = None;
        self.advance();
    }

    /// Applies the watermarks of a survey made at `at`, in µs since the epoch.
    pub fn survey(&mut self, at: Micros, watermarks: Watermarks) {
        if self.stop_reason.is_some() {
            return;
        }
        self.watermarks = watermarks;
        if self.position >= watermarks.high {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(at);
        }
        if self.passing.is_none() {
            self.passing = Some((at, watermarks.high));
        } else {
            self.latest = Some((at, watermarks.high));
        }
        self.advance();
    }

    fn advance(&mut self) {
        while let Some((at, high)) = self.passing
            && self.position >= high
        {
            self.complete_through = Some(at);
            self.passing = self.latest.take();
            self.behind_since = self.passing.filter(|(_, high)| self.position < *high).map(|(at, _)| at);
        }
    }

    /// The complete-through time, in µs: every record that was in the partition at this instant has been returned. `None`
    /// before the first such instant.
    pub fn complete_through(&self) -> Option<Micros> {
        self.complete_through
    }

    /// Since when records wait to be returned, in µs, as far as surveys show; `None` when none do.
    pub fn behind_since(&self) -> Option<Micros> {
        self.behind_since
    }

    /// The lag: offsets between the position and the high watermark.
    pub fn lag(&self) -> i64 {
        (self.watermarks.high - self.position).max(0)
    }

    /// Whether every record that existed when the source was opened has been returned.
    pub fn caught_up(&self) -> bool {
        self.stop_reason.is_none() && self.target.is_none_or(|target| self.position >= target)
    }

    /// Whether the partition has had data for `limit` while the client returned none. To be called after each survey;
    /// `drained` says whether every record of the client's queue has been taken.
    pub fn stalled(&mut self, now: Instant, limit: Duration, drained: bool) -> bool {
        if self.stop_reason.is_some() || !drained || self.position >= self.watermarks.high {
            self.still_since = None;
            return false;
        }
        let since = *self.still_since.get_or_insert(now);
        if now.duration_since(since) < limit {
            return false;
        }
        self.still_since = None;
        self.stalls += 1;
        true
    }

    /// Why the client refused the position, by the watermarks seen since; `None` when the position is readable.
    pub fn explain_refusal(&self) -> Option<StopReason> {
        let from = self.position;
        if from < self.watermarks.low {
            Some(StopReason::RetentionLoss { from, low: self.watermarks.low })
        } else if from > self.watermarks.high {
            Some(StopReason::Truncated { from, high: self.watermarks.high })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::names::Names;

    use super::*;

    fn watermarks(low: i64, high: i64) -> Watermarks {
        Watermarks { low, high, at_start_time: None }
    }

    fn checkpoint(next_offset: i64) -> PartitionCheckpoint {
        PartitionCheckpoint {
            source: "app".into(),
            cluster: "c".into(),
            topic: "t".into(),
            topic_id: "one".into(),
            partition: 3,
            leader_epoch: 5,
            next_offset,
        }
    }

    fn partition(position: i64) -> Partition {
        let names = Names::new();
        let id = (TopicId::new("one"), names.intern("one"));
        Partition::new(0, names.intern("t"), 0, id, (position, NO_EPOCH), watermarks(0, 0))
    }

    #[test]
    fn a_checkpoint_inside_the_watermarks_goes_on_where_it_was() {
        for at in [10, 15, 20] {
            assert_eq!(
                resume_at(&checkpoint(at), &TopicId::new("one"), watermarks(10, 20), &[]),
                Ok((at, 5))
            );
        }
    }

    #[test]
    fn lost_records_stop_until_exactly_this_stop_is_answered() {
        let one = TopicId::new("one");
        let stop_reason = resume_at(&checkpoint(9), &one, watermarks(10, 20), &[]).unwrap_err();
        assert_eq!(stop_reason, StopReason::RetentionLoss { from: 9, low: 10 });
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 10 }];
        assert_eq!(resume_at(&checkpoint(9), &one, watermarks(10, 20), &answer), Ok((10, NO_EPOCH)));
        let later = resume_at(&checkpoint(12), &one, watermarks(15, 20), &answer);
        assert_eq!(later, Err(StopReason::RetentionLoss { from: 12, low: 15 }), "one answer, one stop");
        let moved_on = resume_at(&checkpoint(9), &one, watermarks(11, 20), &answer);
        assert_eq!(
            moved_on,
            Err(StopReason::RetentionLoss { from: 9, low: 11 }),
            "more was lost than answered"
        );
        let again = Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 11 };
        let both = [answer[0].clone(), again];
        assert_eq!(
            resume_at(&checkpoint(9), &one, watermarks(11, 20), &both),
            Ok((11, NO_EPOCH)),
            "answered again"
        );
    }

    #[test]
    fn an_answer_that_stays_skips_nothing_that_is_there() {
        let one = TopicId::new("one");
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 14 }];
        let went_on =
            |at, low| resume_at(&checkpoint(at), &one, watermarks(low, 20), &answer).map(|(at, _)| at);
        assert_eq!(went_on(9, 14), Ok(14), "the records are gone");
        assert_eq!(
            went_on(9, 5),
            Ok(9),
            "they are there: the topic was made again, or the source starts over"
        );
        assert_eq!(went_on(9, 9), Ok(9));
    }

    #[test]
    fn a_cut_partition_stops_until_answered() {
        let one = TopicId::new("one");
        let stop_reason = resume_at(&checkpoint(21), &one, watermarks(10, 20), &[]).unwrap_err();
        assert_eq!(stop_reason.cause(), "truncated");
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 21, offset: 20 }];
        assert_eq!(resume_at(&checkpoint(21), &one, watermarks(10, 20), &answer), Ok((20, NO_EPOCH)));
    }

    #[test]
    fn another_topic_id_stops_even_when_the_offset_would_fit() {
        let two = TopicId::new("two");
        let stop_reason = resume_at(&checkpoint(15), &two, watermarks(10, 20), &[]).unwrap_err();
        assert_eq!(stop_reason.cause(), "recreated");
        let answer = [Accept::Topic { topic: "t".into(), topic_id: "two".into() }];
        assert_eq!(resume_at(&checkpoint(15), &two, watermarks(10, 20), &answer), Ok((10, NO_EPOCH)));
        assert!(resume_at(&checkpoint(15), &TopicId::new("three"), watermarks(10, 20), &answer).is_err());
    }

    #[test]
    fn the_answer_printed_is_the_answer_accepted() {
        let stop_reason =
            resume_at(&checkpoint(9), &TopicId::new("one"), watermarks(10, 20), &[]).unwrap_err();
        let text = stop_reason.what_to_do("t", 3);
        let (_, pairs) = text.split_once("[[sources.accept]] ").unwrap();
        let answer: Accept = toml::from_str(&pairs.replace(", ", "\n")).unwrap();
        assert!(resume_at(&checkpoint(9), &TopicId::new("one"), watermarks(10, 20), &[answer]).is_ok());
    }

    #[test]
    fn a_start_is_by_policy_and_an_added_partition_at_its_oldest() {
        let at = Watermarks { low: 10, high: 20, at_start_time: Some(13) };
        assert_eq!(start_at(Start::Earliest, false, at), 10);
        assert_eq!(start_at(Start::Latest, false, at), 20);
        assert_eq!(start_at(Start::Time(0), false, at), 13);
        assert_eq!(start_at(Start::Time(0), false, watermarks(10, 20)), 20, "nothing as young as that");
        assert_eq!(start_at(Start::Latest, true, at), 10);
    }

    #[test]
    fn complete_only_through_the_moment_whose_end_was_passed() {
        let mut reader = partition(0);
        assert_eq!(reader.complete_through(), None);
        reader.survey(100, watermarks(0, 3));
        reader.survey(200, watermarks(0, 5));
        reader.survey(300, watermarks(0, 6));
        assert_eq!(reader.complete_through(), None);
        assert_eq!(reader.behind_since(), Some(100));
        for offset in 0..3 {
            assert!(reader.take(offset, 0));
        }
        assert_eq!(reader.complete_through(), Some(100));
        for offset in 3..6 {
            assert!(reader.take(offset, 0));
        }
        assert_eq!(reader.complete_through(), Some(300));
        assert_eq!(reader.behind_since(), None);
    }

    #[test]
    fn an_idle_partition_is_complete_through_each_survey() {
        let mut reader = partition(7);
        for at in [100, 200] {
            reader.survey(at, watermarks(0, 7));
            assert_eq!(reader.complete_through(), Some(at));
        }
    }

    #[test]
    fn a_stopped_partition_holds_the_clock() {
        let mut reader = partition(7);
        reader.survey(100, watermarks(0, 7));
        reader.stop_reason = Some(StopReason::RetentionLoss { from: 7, low: 9 });
        reader.survey(200, watermarks(0, 7));
        assert_eq!(reader.complete_through(), Some(100));
    }

    #[test]
    fn an_end_behind_control_records_moves_the_position_and_counts_the_gap() {
        let mut reader = partition(0);
        reader.take(0, 0);
        reader.reach_end(3);
        assert_eq!((reader.position, reader.gaps), (3, 2));
        reader.reach_end(2);
        assert_eq!(reader.position, 3);
        assert!(!reader.take(2, 0), "a repeated record is not handed over");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from; its value does not matter")]
    fn only_a_drained_partition_with_data_stalls_and_once_per_limit() {
        let (start, limit) = (Instant::now(), Duration::from_secs(30));
        let mut reader = partition(0);
        reader.survey(1, watermarks(0, 5));
        assert!(!reader.stalled(start, limit, true));
        assert!(!reader.stalled(start + limit, limit, false), "records wait to be taken");
        assert!(!reader.stalled(start + limit, limit, true), "counted from the first look since");
        assert!(reader.stalled(start + limit * 2, limit, true));
        assert!(!reader.stalled(start + limit * 2, limit, true));
        assert_eq!(reader.stalls, 1);
        reader.take(4, 0);
        assert!(!reader.stalled(start + limit * 9, limit, true), "nothing left to read");
    }
}
