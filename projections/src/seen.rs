//! How often and between when something was seen.

use crate::event::Micros;

/// How often and between when something was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The earliest instant it was seen.
    pub first_at: Micros,
    /// The newest instant it was seen.
    pub last_at: Micros,
    /// Events in which it was seen.
    pub events: u64,
}

impl Default for Seen {
    fn default() -> Self {
        Self { first_at: Micros::MAX, last_at: Micros::MIN, events: 0 }
    }
}

impl Seen {
    /// Takes in that it was seen once more, in any order of time.
    pub fn add(&mut self, at: Micros) {
        self.first_at = self.first_at.min(at);
        self.last_at = self.last_at.max(at);
        self.events += 1;
    }
}
