//! A position in the log: shard, lineage and sequence. Receipts, reads and page tokens refer to it.

use std::fmt;

/// (shard, lineage, sequence). Two positions compare only within one lineage.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Position {
    pub shard: u32,
    /// The lineage: another one after every restored backup.
    pub lineage: u128,
    /// The sequence; 0 is before the first entry.
    pub seq: u64,
}

impl fmt::Display for Position {
    /// The one number for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seq.fmt(f)
    }
}
