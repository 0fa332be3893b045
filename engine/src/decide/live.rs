//! Decides the days that the clock closed and nobody decided yet, over a view; what comes out is to be logged (architecture
//! §2.4). Knows no threads and changes nothing.

use tidewatch_projections::alert::book::AlertBook;
use tidewatch_projections::alert::close::{Close, Decided, Telling, Tellings};
use tidewatch_projections::alert::fleet::FleetFactors;
use tidewatch_projections::alert::judge::Scores;
use tidewatch_projections::alert::watch::Watch;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;

use super::close::Closer;
use crate::cancellation::{Cancellation, Cancelled};
use crate::control::entry::DayDecided;
use crate::fold::view::View;

const DAY_US: Micros = 86_400_000_000;
/// Whether notices of alerts and cases are queued for their receivers: not before there is something that delivers them, because
/// what was queued would be told long after.
pub const TELLS: bool = false;
/// Transitions and counts of one entry of the log: a whole close of a large company is too long for one.
pub const PART_ENTRIES: usize = 500;

/// The first day that is to be decided, if the clock has closed one: the day after the newest that was; of those that closed
/// before anyone decided, the last alone.
pub fn next_day(view: &View, book: &AlertBook) -> Option<Day> {
    let closed = view.closed_through?;
    let day = match (&book.partial, book.decided_through) {
        (Some(partial), _) => partial.day,
        (None, Some(decided)) => decided.plus(1),
        (None, None) => closed,
    };
    (day <= closed).then_some(day)
}

/// Why what opens on a day is only listed, for everybody; `None`: it is told.
fn listed(view: &View, book: &AlertBook, watch: &Watch, day: Day) -> Option<&'static str> {
    let horizon_us = i64::from(watch.rules.live_horizon_days) * DAY_US;
    let now = view.control_state.now().unwrap_or(Micros::MIN);
    if book.decided_seq == 0 {
        Some("first_close")
    } else if view.control_state.adopted_seq > book.decided_seq {
        Some("adoption")
    } else if now.saturating_sub(view.plan.calendar.end(day)) > horizon_us {
        Some("late_close")
    } else {
        None
    }
}

/// Whether all sources that bring something are new: what they show may be their own beginning.
fn is_learning(view: &View, watch: &Watch, brings: impl Fn(bool) -> bool) -> bool {
    let learning_us = i64::from(watch.rules.learning_days) * DAY_US;
    let now = view.control_state.now().unwrap_or(Micros::MIN);
    let is_new = |source: Symbol| {
        let opened = view.control_state.sources.get(&source).and_then(|state| state.opened_at);
        opened.is_some_and(|opened| now < opened.saturating_add(learning_us))
    };
    let mut sources = view.intake.sources().filter(|(_, is_usage)| brings(*is_usage)).peekable();
    sources.peek().is_some() && sources.all(|(source, _)| is_new(source))
}

/// What a close comes to, in parts that are logged one after the other.
pub struct Decision {
    pub factors: Vec<FleetFactors>,
    /// At least one; the last says so.
    pub parts: Vec<DayDecided>,
}

/// Decides a day.
///
/// # Errors
/// Once it is cancelled.
pub fn decide(
    view: &View,
    watch: &Watch,
    scores: &dyn Scores,
    day: Day,
    workers: usize,
    cancellation: &Cancellation,
) -> Result<Decision, Cancelled> {
    let mut book = view.control_state.alerts.clone();
    let closer = Closer { view, watch, scores, workers, cancellation };
    let accounts = closer.accounts(day);
    let all = listed(view, &book, watch, day).map_or(Telling::Told, Telling::Found);
    let learning = |brings: fn(bool) -> bool| match all {
        Telling::Told if is_learning(view, watch, brings) => Telling::Found("learning"),
        all => all,
    };
    let of_sources = Tellings { activity: learning(|is_usage| is_usage), others: learning(|_| true) };
    let tellings = |account: Symbol| match view.intake.is_backfilled(account) {
        true if all == Telling::Told => Tellings::all(Telling::Found("import")),
        _ => of_sources,
    };
    let partial = book.partial.clone();
    let mut factors = Vec::new();
    let close = match &partial {
        Some(partial) => closer.decide_rest(&book, partial, &accounts, tellings)?,
        None => {
            factors = closer.factors(&book, day, &accounts)?;
            factors.iter().for_each(|factors| book.adopt_factors(factors));
            closer.decide(&book, day, &accounts, (all, tellings))?
        }
    };
    Ok(Decision { factors, parts: parts(day, close, TELLS) })
}

/// Cuts a close into parts of whole accounts.
fn parts(day: Day, close: Close, tells: bool) -> Vec<DayDecided> {
    let Close { decided, hold } = close;
    let mut transitions = decided.transitions.into_iter().peekable();
    let mut counted = decided.counted.into_iter().peekable();
    let mut parts = Vec::new();
    loop {
        let mut part = Decided::default();
        let mut through: Box<str> = "".into();
        while part.transitions.len() + part.counted.len() < PART_ENTRIES {
            let next = match (transitions.peek(), counted.peek()) {
                (None, None) => break,
                (Some(transition), None) => transition.account.clone(),
                (None, Some(counted)) => counted.account.clone(),
                (Some(transition), Some(counted)) => transition.account.clone().min(counted.account.clone()),
            };
            while let Some(transition) = transitions.next_if(|transition| transition.account == next) {
                part.transitions.push(transition);
            }
            while let Some(counted) = counted.next_if(|counted| counted.account == next) {
                part.counted.push(counted);
            }
            through = next;
        }
        let is_last = transitions.peek().is_none() && counted.peek().is_none();
        parts.push(DayDecided { day, decided: part, through, is_last, hold: hold.clone(), tells });
        if is_last {
            return parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::alert::close::Counted;
    use tidewatch_projections::alert::record::{Counts, Slot};

    use super::*;

    #[test]
    fn a_long_close_is_cut_between_accounts_and_loses_nothing() {
        let counted = |account: String| Counted {
            account: account.into(),
            slot: Slot { rule: "r".into(), scope: "account".into() },
            counts: Counts::default(),
        };
        let all: Vec<Counted> = (0..PART_ENTRIES)
            .flat_map(|place| [counted(format!("{place:06}")), counted(format!("{place:06}"))])
            .collect();
        let decided = Decided { transitions: Vec::new(), counted: all.clone() };
        let parts = parts(Day(1), Close { decided, hold: "storm".into() }, true);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts.iter().map(|part| part.is_last).collect::<Vec<_>>(), [false, true]);
        assert_eq!(&*parts[0].through, "000249");
        let joined: Vec<Counted> = parts.into_iter().flat_map(|part| part.decided.counted).collect();
        assert_eq!(joined, all);
    }

    #[test]
    fn a_close_without_news_is_one_part() {
        let parts = parts(Day(1), Close::default(), false);
        assert_eq!(parts.len(), 1);
        assert!(parts[0].is_last && parts[0].decided == Decided::default());
    }
}
