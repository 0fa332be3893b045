//! What the sequencer answers, once it is durable.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_ingest::reject::Reason;

use super::input::{CommandError, ReplyId};

/// An answer to one input.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The question's.
    pub reply_id: ReplyId,
    /// What became of it.
    pub reply: Reply,
}

/// What became of an input.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    /// A batch was taken; every record of it is durable in one way or another.
    Taken(Box<Receipt>),
    /// A source may be read.
    Opened(Box<Opened>),
    /// A command was carried out.
    Done {
        /// The position at which it holds.
        seq: u64,
    },
    /// Nothing was done.
    Failed(CommandError),
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
    /// New events.
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
