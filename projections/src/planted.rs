//! The bug that the engine's simulation plants in this crate, to show that it would be found.
//!
//! Without the feature `planted-bugs` nothing of this is in the program.

/// The sum of a total and a value; exact, unless the bug is planted in this thread.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub fn sum(total: i128, value: i128) -> i128 {
    // Each value is at most 10³⁶ units, so a sum needs over a hundred such extremes to saturate.
    total.saturating_add(value)
}

#[cfg(feature = "planted-bugs")]
mod planting {
    use std::cell::Cell;

    thread_local! {
        static IN_ARRIVAL_ORDER: Cell<bool> = const { Cell::new(false) };
    }

    /// Plants the bug in this thread, or removes it: sums round as they grow, and depend on the order of arrival.
    pub fn sum_in_arrival_order(planted: bool) {
        IN_ARRIVAL_ORDER.set(planted);
    }

    /// The sum of a total and a value; exact, unless the bug is planted in this thread.
    pub fn sum(total: i128, value: i128) -> i128 {
        match IN_ARRIVAL_ORDER.get() {
            true => (total as f32 + value as f32) as i128,
            false => total.saturating_add(value),
        }
    }
}

#[cfg(feature = "planted-bugs")]
pub use planting::{sum, sum_in_arrival_order};
