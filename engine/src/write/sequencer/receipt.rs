//! The answers of the sequencer, given once they are durable.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_ingest::reject::Reason;

use super::input::{CommandError, ReplyId};

/// What became of a batch: every record of it is durable in one way or another, or none was taken.
pub type BatchReply = Result<Box<Receipt>, CommandError>;
/// What became of opening a source: it may be read from there.
pub type OpenReply = Result<Box<Opened>, CommandError>;
/// What became of a command: the sequence at which it holds.
pub type CommandReply = Result<u64, CommandError>;

/// An answer to one input.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    Batch(ReplyId, BatchReply),
    OpenSource(ReplyId, OpenReply),
    Command(ReplyId, CommandReply),
}

/// From where a source goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opened {
    /// The generation its batches must name.
    pub generation: u32,
    /// How far every stream of the log has been read; the source picks its own.
    pub checkpoints: Vec<Checkpoint>,
}

/// What became of the records of a batch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Receipt {
    pub accepted: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Left out by a rule of the mapping.
    pub filtered: u64,
    /// New dead letters by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Records whose bytes are a dead letter already.
    pub repeated_dead_letters: u64,
    /// Reading at this position sees all of it.
    pub last_seq: u64,
}

impl Receipt {
    pub(super) fn count_rejected(&mut self, reason: Reason) {
        *self.rejected.entry(reason).or_default() += 1;
    }

    /// New dead letters of all reasons.
    pub fn rejected_count(&self) -> u64 {
        self.rejected.values().sum()
    }
}

impl AddAssign<&Receipt> for Receipt {
    fn add_assign(&mut self, other: &Receipt) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.filtered += other.filtered;
        self.repeated_dead_letters += other.repeated_dead_letters;
        self.last_seq = self.last_seq.max(other.last_seq);
        for (reason, count) in &other.rejected {
            *self.rejected.entry(*reason).or_default() += count;
        }
    }
}
