//! An account's own pattern: what share of a usual week each day should carry, and which days are known at all.

use super::history::{DAYS, History, LAST_WEEK, WEEK};

/// The pattern of one account on the day that is judged.
pub(super) struct Pattern<'a> {
    pub history: History<'a>,
    /// Own weekday shares.
    pub shares: [f64; WEEK],
    /// Of each day: factor × share.
    pub exposures: [f64; DAYS],
    /// Whether a day's factor is not dark.
    pub is_known: [bool; DAYS],
}

impl<'a> Pattern<'a> {
    pub fn of(history: History<'a>, dark: f64) -> Self {
        let shares = history.shares();
        Self {
            history,
            shares,
            exposures: std::array::from_fn(|day| history.factors[day] * shares[day % WEEK]),
            is_known: std::array::from_fn(|day| history.factors[day] >= dark),
        }
    }

    /// The known days of a week, by weekday; weeks count from 0, the oldest.
    pub fn known(&self, week: usize) -> impl Iterator<Item = usize> {
        (week * WEEK..(week + 1) * WEEK).filter(|day| self.is_known[*day])
    }

    /// Whether a weekday of the last week is known.
    pub fn is_weekday_known(&self, weekday: usize) -> bool {
        self.is_known[LAST_WEEK + weekday]
    }
}
