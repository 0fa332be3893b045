//! The planted bugs and, for each, a seed that finds it.

use tidewatch_engine::planted::Bug;

/// Every planted bug, and the first seed from 0 on that found it.
pub const RECORDED: [(Bug, u64); 17] = [
    (Bug::AcknowledgeBeforeSync, 0),
    (Bug::CheckpointTooFar, 0),
    (Bug::DedupBeforeDurability, 0),
    (Bug::SkipDirectorySync, 1),
    (Bug::ClockAheadOfBacklog, 0),
    (Bug::ForgetWhoStreams, 2),
    (Bug::FilterMissIsTruth, 11),
    (Bug::TrustUncheckedTail, 5),
    (Bug::RunWithoutSequence, 9),
    (Bug::StaleCompleteThrough, 344),
    (Bug::SyncAgain, 83),
    (Bug::TrustPageCache, 4),
    (Bug::AdoptWithoutRefold, 7),
    (Bug::SwitchBeforeTheRest, 7),
    (Bug::SumInArrivalOrder, 0),
    (Bug::ChainedTerms, 14),
    (Bug::PauseWithoutEnd, 6),
];

/// The bug of this name.
pub fn named(name: &str) -> Option<Bug> {
    RECORDED.iter().map(|(bug, _)| *bug).find(|bug| format!("{bug:?}") == name)
}

/// All names.
pub fn names() -> String {
    RECORDED.map(|(bug, _)| format!("{bug:?}")).join(", ")
}
