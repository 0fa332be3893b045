//! One partition as the reader sees it: position, watermarks, completeness, and what to do about its checkpoint. Pure.

use std::time::{Duration, Instant};

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;

use super::config::{Accept, Start};
use super::raw::TopicId;
use crate::checkpoint::PartitionCheckpoint;

/// What a survey saw of a partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Marks {
    /// The oldest offset the broker has.
    pub low: i64,
    /// The offset after the newest record a reader may see.
    pub high: i64,
    /// The first offset at or after the configured start time; `None` unless the source starts at a time.
    pub at_start_time: Option<i64>,
}

/// Why a partition cannot go on by itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Halt {
    /// The topic was deleted and made again.
    Recreated {
        /// The id records were read under.
        was: String,
        /// The id now.
        is: TopicId,
    },
    /// The broker deleted records that were not read yet.
    RetentionLoss {
        /// The offset to be read next.
        from: i64,
        /// The oldest one left.
        low: i64,
    },
    /// The partition ends before the position, or its history was rewritten: a broker lost what it had acknowledged.
    Truncated {
        /// The offset to be read next.
        from: i64,
        /// The partition's end.
        high: i64,
    },
}

impl Halt {
    /// The stable word of the cause.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Recreated { .. } => "recreated",
            Self::RetentionLoss { .. } => "retention_loss",
            Self::Truncated { .. } => "truncated",
        }
    }

    /// What happened, for a person.
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

    /// The answer to put into the configuration.
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

/// Where a partition with this checkpoint goes on.
///
/// # Errors
/// When it must not go on: the records after the checkpoint are not there any more.
pub fn resume_at(
    checkpoint: &PartitionCheckpoint,
    id: &TopicId,
    marks: Marks,
    accepted: &[Accept],
) -> Result<(i64, i32), Halt> {
    if checkpoint.topic_id != id.as_str() {
        let answered = accepted.iter().any(|answer| {
            matches!(answer, Accept::Topic { topic, topic_id }
                if *topic == checkpoint.topic && TopicId::new(topic_id) == *id)
        });
        return if answered {
            Ok((marks.low, NO_EPOCH))
        } else {
            Err(Halt::Recreated { was: checkpoint.topic_id.clone(), is: id.clone() })
        };
    }
    let stopped_at = checkpoint.next_offset;
    // Going back loses nothing. Going forward is an answer to records that are gone: one that stays in the configuration
    // must not skip those that stand at the same offsets of a topic made again, or of a source that starts over.
    let is_answer = |offset: &i64| *offset <= stopped_at || stopped_at < marks.low;
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
    if at < marks.low {
        Err(Halt::RetentionLoss { from: stopped_at, low: marks.low })
    } else if at > marks.high {
        Err(Halt::Truncated { from: stopped_at, high: marks.high })
    } else {
        Ok((at, epoch))
    }
}

/// Where a partition without a checkpoint begins. One that was added to a topic already read begins at its oldest
/// record: whatever it holds is new.
pub fn start_at(start: Start, added: bool, marks: Marks) -> i64 {
    match start {
        _ if added => marks.low,
        Start::Earliest => marks.low,
        Start::Latest => marks.high,
        Start::Time(_) => marks.at_start_time.unwrap_or(marks.high).clamp(marks.low, marks.high),
    }
}

/// A leader epoch that is not known.
pub const NO_EPOCH: i32 = -1;

/// A partition being read.
#[derive(Debug)]
pub struct Partition {
    /// The topic's place in the source's list.
    pub topic: usize,
    /// The topic's name.
    pub topic_name: Symbol,
    /// The partition's number.
    pub partition: i32,
    /// The topic's id it was admitted under.
    pub topic_id: TopicId,
    /// The same as a name, for the origins of records.
    pub topic_id_name: Symbol,
    /// The offset handed over next.
    pub position: i64,
    /// Leader epoch of the last record below.
    pub epoch: i32,
    /// Whether the position moved since it was last told.
    pub moved: bool,
    /// The high watermark that "caught up" means; `None` for partitions that appeared later.
    pub target: Option<i64>,
    /// Why it is stopped.
    pub halt: Option<Halt>,
    /// The client refused the position; the next survey says why.
    pub refused: bool,
    /// Times it was opened anew because it stood still.
    pub stalls: u64,
    /// Records handed over.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Offsets below the position under which no record came: control records, compaction, aborted transactions.
    pub gaps: u64,
    /// The watermarks last seen.
    pub marks: Marks,
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
        marks: Marks,
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
            halt: None,
            refused: false,
            stalls: 0,
            records: 0,
            bytes: 0,
            gaps: 0,
            marks,
            complete_through: None,
            passing: None,
            latest: None,
            behind_since: None,
            still_since: None,
        }
    }

    /// Takes note of a record at `offset`; `false` when it was handed over before.
    pub fn take(&mut self, offset: i64, epoch: i32) -> bool {
        if offset < self.position {
            return false;
        }
        self.pass(offset + 1, 1);
        self.epoch = epoch;
        true
    }

    /// The reader stands at the end, before `offset`.
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

    /// Takes note of watermarks asked for at `at`.
    pub fn survey(&mut self, at: Micros, marks: Marks) {
        if self.halt.is_some() {
            return;
        }
        self.marks = marks;
        if self.position >= marks.high {
            self.behind_since = None;
        } else if self.behind_since.is_none() {
            self.behind_since = Some(at);
        }
        if self.passing.is_none() {
            self.passing = Some((at, marks.high));
        } else {
            self.latest = Some((at, marks.high));
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

    /// Everything that was in the partition at this instant has been handed over; `None` before the first such instant.
    pub fn complete_through(&self) -> Option<Micros> {
        self.complete_through
    }

    /// Since when records wait that were not handed over, as far as surveys tell.
    pub fn behind_since(&self) -> Option<Micros> {
        self.behind_since
    }

    /// Records (more exactly, offsets) still to be read.
    pub fn lag(&self) -> i64 {
        (self.marks.high - self.position).max(0)
    }

    /// Whether the position passed what was there when the source opened.
    pub fn caught_up(&self) -> bool {
        self.halt.is_none() && self.target.is_none_or(|target| self.position >= target)
    }

    /// Whether it stood still for `limit` though it has data and the client gives none. To be asked after each survey;
    /// `drained` says whether the reader had taken all the client had.
    pub fn stalled(&mut self, now: Instant, limit: Duration, drained: bool) -> bool {
        if self.halt.is_some() || !drained || self.position >= self.marks.high {
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

    /// What the client's refusal of the position means, by the watermarks seen since; `None` when it is readable.
    pub fn judge_refusal(&self) -> Option<Halt> {
        let from = self.position;
        if from < self.marks.low {
            Some(Halt::RetentionLoss { from, low: self.marks.low })
        } else if from > self.marks.high {
            Some(Halt::Truncated { from, high: self.marks.high })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::names::Names;

    use super::*;

    fn marks(low: i64, high: i64) -> Marks {
        Marks { low, high, at_start_time: None }
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
        Partition::new(0, names.intern("t"), 0, id, (position, NO_EPOCH), marks(0, 0))
    }

    #[test]
    fn a_checkpoint_inside_the_watermarks_goes_on_where_it_was() {
        for at in [10, 15, 20] {
            assert_eq!(resume_at(&checkpoint(at), &TopicId::new("one"), marks(10, 20), &[]), Ok((at, 5)));
        }
    }

    #[test]
    fn lost_records_stop_until_exactly_this_stop_is_answered() {
        let one = TopicId::new("one");
        let halt = resume_at(&checkpoint(9), &one, marks(10, 20), &[]).unwrap_err();
        assert_eq!(halt, Halt::RetentionLoss { from: 9, low: 10 });
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 10 }];
        assert_eq!(resume_at(&checkpoint(9), &one, marks(10, 20), &answer), Ok((10, NO_EPOCH)));
        let later = resume_at(&checkpoint(12), &one, marks(15, 20), &answer);
        assert_eq!(later, Err(Halt::RetentionLoss { from: 12, low: 15 }), "one answer, one stop");
        let moved_on = resume_at(&checkpoint(9), &one, marks(11, 20), &answer);
        assert_eq!(moved_on, Err(Halt::RetentionLoss { from: 9, low: 11 }), "more was lost than answered");
        let again = Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 11 };
        let both = [answer[0].clone(), again];
        assert_eq!(
            resume_at(&checkpoint(9), &one, marks(11, 20), &both),
            Ok((11, NO_EPOCH)),
            "answered again"
        );
    }

    #[test]
    fn an_answer_that_stays_skips_nothing_that_is_there() {
        let one = TopicId::new("one");
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 9, offset: 14 }];
        let went_on = |at, low| resume_at(&checkpoint(at), &one, marks(low, 20), &answer).map(|(at, _)| at);
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
        let halt = resume_at(&checkpoint(21), &one, marks(10, 20), &[]).unwrap_err();
        assert_eq!(halt.cause(), "truncated");
        let answer = [Accept::Offset { topic: "t".into(), partition: 3, from: 21, offset: 20 }];
        assert_eq!(resume_at(&checkpoint(21), &one, marks(10, 20), &answer), Ok((20, NO_EPOCH)));
    }

    #[test]
    fn another_topic_id_stops_even_when_the_offset_would_fit() {
        let two = TopicId::new("two");
        let halt = resume_at(&checkpoint(15), &two, marks(10, 20), &[]).unwrap_err();
        assert_eq!(halt.cause(), "recreated");
        let answer = [Accept::Topic { topic: "t".into(), topic_id: "two".into() }];
        assert_eq!(resume_at(&checkpoint(15), &two, marks(10, 20), &answer), Ok((10, NO_EPOCH)));
        assert!(resume_at(&checkpoint(15), &TopicId::new("three"), marks(10, 20), &answer).is_err());
    }

    #[test]
    fn the_answer_printed_is_the_answer_accepted() {
        let halt = resume_at(&checkpoint(9), &TopicId::new("one"), marks(10, 20), &[]).unwrap_err();
        let text = halt.what_to_do("t", 3);
        let (_, pairs) = text.split_once("[[sources.accept]] ").unwrap();
        let answer: Accept = toml::from_str(&pairs.replace(", ", "\n")).unwrap();
        assert!(resume_at(&checkpoint(9), &TopicId::new("one"), marks(10, 20), &[answer]).is_ok());
    }

    #[test]
    fn a_start_is_by_policy_and_an_added_partition_at_its_oldest() {
        let at = Marks { low: 10, high: 20, at_start_time: Some(13) };
        assert_eq!(start_at(Start::Earliest, false, at), 10);
        assert_eq!(start_at(Start::Latest, false, at), 20);
        assert_eq!(start_at(Start::Time(0), false, at), 13);
        assert_eq!(start_at(Start::Time(0), false, marks(10, 20)), 20, "nothing as young as that");
        assert_eq!(start_at(Start::Latest, true, at), 10);
    }

    #[test]
    fn complete_only_through_the_moment_whose_end_was_passed() {
        let mut reader = partition(0);
        assert_eq!(reader.complete_through(), None);
        reader.survey(100, marks(0, 3));
        reader.survey(200, marks(0, 5));
        reader.survey(300, marks(0, 6));
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
            reader.survey(at, marks(0, 7));
            assert_eq!(reader.complete_through(), Some(at));
        }
    }

    #[test]
    fn a_stopped_partition_holds_the_clock() {
        let mut reader = partition(7);
        reader.survey(100, marks(0, 7));
        reader.halt = Some(Halt::RetentionLoss { from: 7, low: 9 });
        reader.survey(200, marks(0, 7));
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
        reader.survey(1, marks(0, 5));
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
