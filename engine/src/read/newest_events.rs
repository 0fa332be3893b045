//! The newest of some events: so many are kept, and all are counted.

use std::cmp::Ordering;
use std::sync::Arc;

use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::Names;
use tidewatch_projections::timeline::Order;

/// An accepted event and where it stands in the log.
pub struct Accepted {
    /// Its place among others.
    pub order: Order,
    /// Its sequence.
    pub seq: u64,
    /// When it was accepted.
    pub recorded_at: Micros,
    /// The event.
    pub event: Event,
}

/// The newest of the events that were offered.
pub struct NewestEvents {
    keep: usize,
    /// Events beyond those that are kept, before the oldest are let go.
    slack: usize,
    kept: Vec<Arc<Accepted>>,
    /// How many were offered.
    pub total: u64,
}

impl NewestEvents {
    /// Keeps so many, and while they are offered up to `slack` more.
    pub fn new(keep: usize, slack: usize) -> Self {
        Self { keep, slack, kept: Vec::new(), total: 0 }
    }

    /// Takes one that was not offered yet.
    pub fn offer(&mut self, names: &Names, event: &Arc<Accepted>) {
        self.total += 1;
        self.kept.push(Arc::clone(event));
        if self.kept.len() > self.keep.saturating_add(self.slack) {
            self.cut(names);
        }
    }

    /// Those kept, newest first.
    pub fn newest_first(mut self, names: &Names) -> Vec<Arc<Accepted>> {
        self.cut(names);
        self.kept
    }

    fn cut(&mut self, names: &Names) {
        let newest_first =
            |a: &Arc<Accepted>, b: &Arc<Accepted>| -> Ordering { b.order.cmp(&a.order, names) };
        self.kept.sort_unstable_by(newest_first);
        self.kept.truncate(self.keep);
    }
}
