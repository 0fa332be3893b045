//! The bugs that the engine's simulation plants in this crate, to show that they would be found.
//!
//! Without the feature `planted-bugs` every [`active`] is a constant `false` and nothing of this is in the program.

/// A bug that can be planted in this crate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bug {
    /// Sums round as they grow, and depend on the order of arrival.
    SumInArrivalOrder,
    /// A term rolls on from the one before, so that the last of a month drifts to its 28th.
    ChainedTerms,
    /// A pause goes on after the last day it names.
    PauseWithoutEnd,
}

/// The sum of a total and a value; exact, unless the bug is planted in this thread.
#[inline(always)]
pub fn sum(total: i128, value: i128) -> i128 {
    if active(Bug::SumInArrivalOrder) {
        return (total as f32 + value as f32) as i128;
    }
    // Each value is at most 10³⁶ units, so a sum needs over a hundred such extremes to saturate.
    total.saturating_add(value)
}

#[cfg(feature = "planted-bugs")]
mod planting {
    use super::Bug;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in this thread, in place of the one before; `None` removes it.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
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
