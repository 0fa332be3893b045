//! Windows of days: plain ones, and those that leave out closed days and reach back for as many others.

use crate::calendar::Day;
use crate::settings::Closed;

/// The days a figure looks at.
pub(super) struct Window<'a> {
    /// The first day it reached.
    pub first: Day,
    /// The last day.
    pub last: Day,
    skip: Option<&'a Closed>,
}

impl<'a> Window<'a> {
    /// The `days` days ending on `last`; all days up to it when there is no window.
    pub fn plain(days: Option<u32>, last: Day) -> Self {
        Self { first: days.map_or(Day::MIN, |days| last.plus(1 - i64::from(days))), last, skip: None }
    }

    /// The days from `first` to `last`.
    pub fn from(first: Day, last: Day) -> Self {
        Self { first, last, skip: None }
    }

    /// The newest `days` days up to `last` that are not closed, looking back over at most twice as many; `None` when
    /// fewer than half are left (health-model §3).
    pub fn skipping(days: u32, last: Day, closed: &'a Closed) -> Option<Self> {
        if closed.is_empty() {
            return Some(Self::plain(Some(days), last));
        }
        let mut open = 0;
        let mut first = last;
        for back in 0..2 * i64::from(days) {
            let day = last.plus(-back);
            if !closed.contains(day) {
                open += 1;
                first = day;
                if open == days {
                    break;
                }
            }
        }
        (2 * open >= days && open > 0).then_some(Self { first, last, skip: Some(closed) })
    }

    /// Whether a day between first and last counts.
    pub fn counts(&self, day: Day) -> bool {
        self.skip.is_none_or(|closed| !closed.contains(day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ClosedDays, Scope};

    fn closed(from: i32, to: i32) -> Closed {
        Closed::of(&[ClosedDays { scope: Scope::All, from: Day(from), to: Day(to) }], "acme", None, None)
    }

    #[test]
    fn closed_days_are_made_up_for_by_reaching_back() {
        let closed = closed(95, 98);
        let window = Window::skipping(7, Day(100), &closed).expect("enough open days");
        assert_eq!((window.first, window.last), (Day(90), Day(100)));
        assert!(!window.counts(Day(96)) && window.counts(Day(94)));
    }

    #[test]
    fn the_reach_is_at_most_double_and_less_than_half_is_missing() {
        let short = closed(90, 100);
        let window = Window::skipping(7, Day(100), &short);
        assert!(window.is_none(), "3 of 7 days are left in 14");
        let enough = closed(91, 100);
        assert_eq!(Window::skipping(7, Day(100), &enough).map(|window| window.first), Some(Day(87)));
    }
}
