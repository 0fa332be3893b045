//! The figures of a subscription that hold on a day, and how its term rolls (health-model §2).

use std::ptr;

use super::{AmountPer, Change, Entry, Recorded, Term, Terms};
use crate::calendar::Day;
use crate::event::Money;
use crate::planted::{self, Bug};

/// The statements that count on a day, the one that counts last at the end.
pub(super) struct Figures<'a> {
    stated: Vec<&'a Recorded>,
    /// The start of the trial that still runs. Amount and term of any other trial ended with it.
    trial_start: Option<&'a Recorded>,
}

impl<'a> Figures<'a> {
    pub fn on(seen: &'a [Entry], trial_start: Option<&'a Recorded>, today: Day) -> Self {
        let mut stated: Vec<&Recorded> = seen
            .iter()
            .map(|(_, recorded)| recorded)
            .filter(|recorded| recorded.terms().is_some() && recorded.counts_from() <= today)
            .collect();
        // Stable: statements that count from one day stay in the order of (occurred_at, source, id).
        stated.sort_by_key(|recorded| recorded.counts_from());
        Self { stated, trial_start }
    }

    /// A figure as stated last, trials that are over included: what a trial says of seats carries over.
    pub fn newest<T>(&self, figure: impl Fn(&Terms) -> Option<T>) -> Option<T> {
        self.stated.iter().rev().find_map(|recorded| recorded.terms().and_then(&figure))
    }

    /// What the amount is.
    pub fn amount(&self) -> Option<Money> {
        self.newest_of_running(|recorded| recorded.terms()?.amount)
    }

    /// What the amount is for.
    pub fn amount_per(&self) -> Option<AmountPer> {
        self.newest_of_running(|recorded| recorded.terms()?.amount_per)
    }

    fn newest_of_running<T>(&self, figure: impl Fn(&'a Recorded) -> Option<T>) -> Option<T> {
        let is_over = |recorded: &Recorded| {
            matches!(recorded.change, Change::TrialStarted(_))
                && !self.trial_start.is_some_and(|start| ptr::eq(start, recorded))
        };
        self.stated.iter().rev().filter(|recorded| !is_over(recorded)).find_map(|recorded| figure(recorded))
    }

    /// The term that holds today: the newest stated one, rolled on by its own length while it renews by itself. Without
    /// any it began on `first_day` and has no end.
    pub fn term(&self, first_day: Day, cancelled_on: Option<Day>, today: Day) -> Term {
        let stated = self.newest_of_running(|recorded| match &recorded.change {
            Change::Started(terms) | Change::TrialStarted(terms) | Change::Renewed(terms) => {
                Some((recorded, terms))
            }
            Change::TrialConverted(terms) if terms.states_a_term() => Some((recorded, terms)),
            _ => None,
        });
        let Some((recorded, terms)) = stated else { return Term { start: first_day, end: None } };
        let term = Term { start: recorded.named_day(), end: terms.term_end };
        let renews = self.newest(|terms| terms.auto_renew).unwrap_or(false);
        match term.end {
            Some(end) if renews && end < today && term.start <= end => {
                rolled(term.start, end, cancelled_on, today)
            }
            _ => term,
        }
    }
}

/// Term k starts k·n after the first start; a term that would begin on or after the day of a cancellation does not.
fn rolled(start: Day, end: Day, cancelled_on: Option<Day>, today: Day) -> Term {
    let after = end.plus(1);
    let months = whole_months(start, after);
    let days = after.since(start);
    let begin = |k: i64| match months {
        Some(months) if planted::active(Bug::ChainedTerms) => {
            (0..k).fold(start, |day, _| day.plus_months(months))
        }
        Some(months) => start.plus_months(k.saturating_mul(months)),
        None => start.plus(k.saturating_mul(days)),
    };
    let limit = match cancelled_on {
        Some(day) => today.min(day.plus(-1)),
        None => today,
    };
    // The greatest k whose term begins by the limit, from an estimate that is at most one step off per month's length.
    let mut k = (limit.since(start) / days.max(1)).max(0) + 1;
    while k > 0 && begin(k) > limit {
        k -= 1;
    }
    while begin(k + 1) <= limit {
        k += 1;
    }
    Term { start: begin(k), end: Some(begin(k + 1).plus(-1)) }
}

fn whole_months(start: Day, after: Day) -> Option<i64> {
    const DAYS_OF_MONTH_MIN: i64 = 28;
    let most = after.since(start) / DAYS_OF_MONTH_MIN + 1;
    let least = (after.since(start) / 31 - 1).max(1);
    (least..=most).find(|months| start.plus_months(*months) == after)
}
