//! The ids that were accepted: what deduplication asks.

use std::collections::HashMap;

/// What is known of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Never seen.
    New,
    /// Seen with the same content.
    Duplicate {
        /// Where.
        seq: u64,
    },
    /// Seen with other content.
    Conflict {
        /// Where.
        seq: u64,
    },
}

/// The table of ids cannot answer; nothing can be accepted without it.
#[derive(Debug, thiserror::Error)]
#[error("the table of accepted ids cannot be read: {what}; check the disk, then restart: the table is rebuilt from the log")]
pub struct KnownError {
    /// What happened.
    pub what: String,
}

/// All keys ever accepted, without a window.
pub trait Known: Send {
    /// Looks a key up.
    ///
    /// # Errors
    /// When the part that lies on disk cannot be read.
    fn check(&mut self, key: u128, fingerprint: u64) -> Result<Verdict, KnownError>;

    /// Adds a key that [`Known::check`] called new.
    fn insert(&mut self, key: u128, fingerprint: u64, seq: u64);

    /// Every key of the log up to this sequence is in the table already; what comes after is added from the log.
    fn known_to(&self) -> u64 {
        0
    }
}

/// All keys in memory: 32 bytes and the table's slack for each.
#[derive(Default)]
pub struct KnownInMemory {
    keys: HashMap<u128, (u64, u64)>,
}

impl Known for KnownInMemory {
    fn check(&mut self, key: u128, fingerprint: u64) -> Result<Verdict, KnownError> {
        Ok(match self.keys.get(&key) {
            None => Verdict::New,
            Some((known, seq)) if *known == fingerprint => Verdict::Duplicate { seq: *seq },
            Some((_, seq)) => Verdict::Conflict { seq: *seq },
        })
    }

    fn insert(&mut self, key: u128, fingerprint: u64, seq: u64) {
        self.keys.insert(key, (fingerprint, seq));
    }
}
