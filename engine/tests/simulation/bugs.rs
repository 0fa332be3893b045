//! The planted bugs and, for each, a seed that finds it.

use tidewatch_engine::planted::Bug;

/// Every planted bug, and the first seed from 0 on that found it.
pub const RECORDED: [(Bug, u64); 13] = [
    (Bug::AcknowledgeBeforeSync, 0),
    (Bug::CheckpointTooFar, 0),
    (Bug::DedupBeforeDurability, 0),
    (Bug::SkipDirectorySync, 0),
    (Bug::ClockAheadOfBacklog, 0),
    (Bug::FilterMissIsTruth, 7),
    (Bug::TrustUncheckedTail, 8),
    (Bug::RunWithoutSequence, 43),
    (Bug::StaleCompleteThrough, 85),
    (Bug::SyncAgain, 129),
    (Bug::TrustPageCache, 34),
    (Bug::AdoptWithoutRefold, 5),
    (Bug::SumInArrivalOrder, 0),
];

/// The bug of this name.
pub fn named(name: &str) -> Option<Bug> {
    RECORDED.iter().map(|(bug, _)| *bug).find(|bug| format!("{bug:?}") == name)
}

/// All names.
pub fn names() -> String {
    RECORDED.map(|(bug, _)| format!("{bug:?}")).join(", ")
}
