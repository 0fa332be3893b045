//! Bugs that the simulation plants in the engine to prove that it would find them.
//!
//! Without the feature `planted-bugs` every [`active`] is a constant `false` and nothing of this is in the program.
//! With it a thread plants at most one bug at a time, for itself: seeds that run beside each other do not mix.

/// A bug that can be planted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// A new segment's directory is not synced, so that a crash can lose the whole file.
    SkipDirectorySync,
    /// The filter is not refilled from the runs at opening, yet its misses still count as "never seen".
    FilterMissIsTruth,
    /// Opening believes frames past the last known sync without checking their bodies.
    TrustUncheckedTail,
    /// A run of ids is used though it covers sequences the log does not have, or another lineage's.
    RunWithoutSequence,
    /// Answers are given before the frames they depend on are synced.
    AcknowledgeBeforeSync,
    /// Progress is noted before the records it covers.
    CheckpointTooFar,
    /// A duplicate is answered although its event is not durable.
    DedupBeforeDurability,
    /// The clock follows the wall although sources have a backlog.
    ClockAheadOfBacklog,
    /// Which sources stream is forgotten when the process ends, so that the next one's clock does not wait for them.
    ForgetWhoStreams,
    /// What a reader proved before its source was reset moves the clock, although its records were refused.
    StaleCompleteThrough,
    /// A sync that failed is called again, and believed.
    SyncAgain,
    /// After an abrupt end the last segment is written on as it reads, without a synced copy.
    TrustPageCache,
    /// Another zone or model is adopted, and what was folded under the old one stays.
    AdoptWithoutRefold,
    /// A fold takes the place of the one that is served without what came since it last read the log.
    SwitchBeforeTheRest,
    /// Sums are floating-point numbers, added in the order of arrival.
    SumInArrivalOrder,
    /// A term rolls on from the one before, so that the last of a month drifts to its 28th.
    ChainedTerms,
    /// A pause goes on after the last day it names.
    PauseWithoutEnd,
}

#[cfg(feature = "planted-bugs")]
mod planting {
    use super::Bug;
    use std::cell::Cell;
    use tidewatch_projections::planted::{self as folds, Bug as InFolds};

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in this thread, in place of the one before; `None` removes it.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
        folds::plant(match bug {
            Some(Bug::SumInArrivalOrder) => Some(InFolds::SumInArrivalOrder),
            Some(Bug::ChainedTerms) => Some(InFolds::ChainedTerms),
            Some(Bug::PauseWithoutEnd) => Some(InFolds::PauseWithoutEnd),
            _ => None,
        });
    }

    /// Whether this thread runs with the bug.
    pub fn active(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }
}

#[cfg(feature = "planted-bugs")]
pub use planting::{active, plant};

/// Whether this thread runs with the bug; never, in a program built without the feature `planted-bugs`.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub fn active(_bug: Bug) -> bool {
    false
}
