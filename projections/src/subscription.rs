//! Subscriptions: when one is live, which figures hold, and how its term rolls (health-model §2).

use crate::calendar::Day;
use crate::event::{Micros, Money};
use crate::planted::{self, Bug};
use crate::timeline::{Order, Timeline};

/// What a billing event says about one subscription. Absent figures are unknown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// `subscription_started`.
    Started(Terms),
    /// `trial_started`.
    TrialStarted(Terms),
    /// `trial_converted`: no longer a trial.
    TrialConverted(Terms),
    /// `trial_ended`.
    TrialEnded,
    /// `subscription_changed`, from the day it names.
    Changed(Terms),
    /// `subscription_renewed`.
    Renewed(Terms),
    /// `subscription_cancelled`.
    Cancelled {
        /// The first day without service; unstated it is the day of the event.
        effective: Option<Day>,
    },
    /// `cancellation_withdrawn`.
    Withdrawn,
    /// `subscription_ended`.
    Ended,
    /// `subscription_paused`.
    Paused {
        /// The last day of the pause.
        until: Option<Day>,
    },
    /// `subscription_resumed`.
    Resumed,
}

/// The figures an event may state.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Terms {
    /// The day the figures name: `term_start`, `effective_at`.
    pub from: Option<Day>,
    /// The term's last day.
    pub term_end: Option<Day>,
    /// The amount, per `amount_per`.
    pub amount: Option<Money>,
    /// What the amount is for.
    pub amount_per: Option<AmountPer>,
    /// The new total of seats, in millionths.
    pub seats: Option<i64>,
    /// The plan's name.
    pub plan: Option<Box<str>>,
    /// Whether it recurs; unstated means it does.
    pub recurring: Option<bool>,
    /// Whether the term rolls on by itself.
    pub auto_renew: Option<bool>,
    /// Days before the term's end by which notice must be given.
    pub notice_days: Option<i64>,
    /// The committed quantity, in millionths.
    pub commit: Option<i64>,
}

impl Terms {
    fn states_a_term(&self) -> bool {
        self.from.is_some() || self.term_end.is_some()
    }
}

/// What an amount is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AmountPer {
    /// One month.
    Month,
    /// One year.
    Year,
    /// The whole term.
    Term,
}

/// A term that holds on some day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Term {
    /// Its first day.
    pub start: Day,
    /// Its last day, when stated.
    pub end: Option<Day>,
}

/// What is true of one subscription at the end of what was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Service runs today.
    pub live: bool,
    /// Service ran some day up to today.
    pub begun: bool,
    /// It is a trial.
    pub trial: bool,
    /// A cancellation stands.
    pub cancelled: bool,
    /// Service is suspended today.
    pub paused: bool,
    /// The day service ended, when it did.
    pub ended_on: Option<Day>,
    /// The term that holds today.
    pub term: Term,
    /// The amount that holds today.
    pub amount: Option<Money>,
    /// What it is for.
    pub amount_per: Option<AmountPer>,
    /// Seats that hold today, in millionths.
    pub seats: Option<i64>,
    /// The plan that holds today.
    pub plan: Option<Box<str>>,
    /// Whether it recurs.
    pub recurring: bool,
    /// Days of notice.
    pub notice_days: Option<i64>,
    /// The committed quantity of the term, in millionths.
    pub commit: Option<i64>,
}

/// A change, and the day it was recorded to have happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recorded {
    /// The day of the event.
    pub day: Day,
    /// What it says.
    pub change: Change,
}

impl Recorded {
    fn terms(&self) -> Option<&Terms> {
        match &self.change {
            Change::Started(terms)
            | Change::TrialStarted(terms)
            | Change::TrialConverted(terms)
            | Change::Changed(terms)
            | Change::Renewed(terms) => Some(terms),
            _ => None,
        }
    }

    /// The later of the day the figures name and the day of the event.
    fn counts_from(&self) -> Day {
        self.terms().and_then(|terms| terms.from).map_or(self.day, |named| named.max(self.day))
    }

    /// A start whose day has not come does not count yet; everything else does once it is seen.
    fn counts(&self, today: Day) -> bool {
        !self.starts() || self.counts_from() <= today
    }

    fn starts(&self) -> bool {
        matches!(self.change, Change::Started(_) | Change::TrialStarted(_))
    }
}

type Entry = (Order, Recorded);

/// What is true of a subscription on `today`, from its own changes and the account-wide pauses before `as_of`.
///
/// `None` while nothing of it was seen.
pub fn standing(
    own: &Timeline<Recorded>,
    account_wide: &Timeline<Recorded>,
    names: &crate::names::Names,
    as_of: Micros,
    today: Day,
) -> Option<Standing> {
    let seen = own.before(as_of);
    let (_, first) = seen.first()?;
    let counting: Vec<&Entry> = seen.iter().filter(|(_, recorded)| recorded.counts(today)).collect();
    // First heard of by another event than its start, it counts as begun before it.
    let begun = !first.starts() || counting.iter().any(|(_, recorded)| recorded.starts());
    let life = life(&counting);
    let all = merged(&counting, account_wide.before(as_of), names);
    let cancellation = cancellation(&all);
    let off = cancellation.map(|(_, effective)| effective).filter(|day| *day <= today);
    let ended_on = match (life.ended_on, off) {
        (Some(ended), Some(off)) => Some(ended.min(off)),
        (ended, off) => ended.or(off),
    };
    let figures = Figures::on(seen, today);
    Some(Standing {
        live: begun && ended_on.is_none(),
        begun,
        trial: life.trial,
        cancelled: cancellation.is_some(),
        paused: paused(&all, today),
        ended_on,
        term: figures.term(seen, life.trial, cancellation.map(|(day, _)| day), today),
        amount: figures.newest(|terms| terms.amount),
        amount_per: figures.newest(|terms| terms.amount_per),
        seats: figures.newest(|terms| terms.seats),
        plan: figures.newest(|terms| terms.plan.clone()),
        recurring: figures.newest(|terms| terms.recurring).unwrap_or(true),
        notice_days: figures.newest(|terms| terms.notice_days),
        commit: figures.newest(|terms| terms.commit),
    })
}

struct Life {
    trial: bool,
    ended_on: Option<Day>,
}

/// A trial is what began or ended as one, until it is converted or paid for. An end holds until the next start; that of a
/// trial only while it is one.
fn life(counting: &[&Entry]) -> Life {
    let (mut trial, mut paid) = (false, false);
    let (mut ended_on, mut trial_ended_on) = (None, None);
    for (_, recorded) in counting {
        match recorded.change {
            Change::Started(_) | Change::TrialStarted(_) => {
                paid = matches!(recorded.change, Change::Started(_));
                trial = !paid;
                (ended_on, trial_ended_on) = (None, None);
            }
            Change::TrialConverted(_) => (trial, paid) = (false, true),
            Change::TrialEnded => {
                trial = !paid;
                trial_ended_on = trial_ended_on.or(Some(recorded.day));
            }
            Change::Ended => ended_on = ended_on.or(Some(recorded.day)),
            _ => {}
        }
    }
    let ended_on = [ended_on, trial_ended_on.filter(|_| trial)].into_iter().flatten().min();
    Life { trial, ended_on }
}

/// Own changes and account-wide ones in one order.
fn merged<'a>(own: &[&'a Entry], wide: &'a [Entry], names: &crate::names::Names) -> Vec<&'a Entry> {
    let mut all: Vec<&Entry> = own.iter().copied().chain(wide).collect();
    if !wide.is_empty() {
        all.sort_by(|a, b| a.0.cmp(&b.0, names));
    }
    all
}

/// The day of the standing cancellation and the first day without service. A withdrawal or a new start undoes those
/// before it; a renewal does not.
fn cancellation(all: &[&Entry]) -> Option<(Day, Day)> {
    let mut standing = None;
    for (_, recorded) in all {
        match recorded.change {
            Change::Cancelled { effective } => {
                standing = Some((recorded.day, effective.unwrap_or(recorded.day)))
            }
            Change::Withdrawn | Change::Started(_) | Change::TrialStarted(_) => standing = None,
            _ => {}
        }
    }
    standing
}

fn paused(all: &[&Entry], today: Day) -> bool {
    let newest = all.iter().rev().find_map(|(_, recorded)| match recorded.change {
        Change::Paused { until } => {
            let last = until.filter(|_| !planted::active(Bug::PauseWithoutEnd));
            Some(last.is_none_or(|last| today <= last))
        }
        Change::Resumed => Some(false),
        _ => None,
    });
    newest.unwrap_or(false)
}

/// The statements that count on a day, the one that counts last at the end.
struct Figures<'a>(Vec<&'a Recorded>);

impl<'a> Figures<'a> {
    fn on(seen: &'a [Entry], today: Day) -> Self {
        let mut stated: Vec<&Recorded> = seen
            .iter()
            .map(|(_, recorded)| recorded)
            .filter(|recorded| recorded.terms().is_some() && recorded.counts_from() <= today)
            .collect();
        // Stable: statements that count from one day stay in the order of (occurred_at, source, id).
        stated.sort_by_key(|recorded| recorded.counts_from());
        Self(stated)
    }

    fn newest<T>(&self, figure: impl Fn(&Terms) -> Option<T>) -> Option<T> {
        self.0.iter().rev().find_map(|recorded| recorded.terms().and_then(&figure))
    }

    /// The term that holds today: the newest stated one, rolled on by its own length while it renews by itself.
    fn term(&self, seen: &[Entry], trial: bool, cancelled_on: Option<Day>, today: Day) -> Term {
        let stated = self.0.iter().rev().find_map(|recorded| match &recorded.change {
            Change::Started(terms) => Some((terms, recorded.day)),
            // The end of a trial is not the end of the paid term that follows it.
            Change::TrialStarted(terms) if trial => Some((terms, recorded.day)),
            Change::Renewed(terms) | Change::TrialConverted(terms) if terms.states_a_term() => {
                Some((terms, recorded.day))
            }
            _ => None,
        });
        let first_day = seen.first().map_or(today, |(_, recorded)| recorded.day);
        let Some((terms, day)) = stated else { return Term { start: first_day, end: None } };
        let term = Term { start: terms.from.unwrap_or(day), end: terms.term_end };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Names;

    fn day(text: &str) -> Day {
        Day::parse(text).expect("a date")
    }

    fn at(day: Day) -> Micros {
        i64::from(day.0) * 86_400_000_000
    }

    fn line(names: &Names, changes: Vec<(&str, Change)>) -> Timeline<Recorded> {
        let mut line = Timeline::default();
        let source = names.intern("billing");
        for (index, (on, change)) in changes.into_iter().enumerate() {
            let order = Order { at: at(day(on)), source, id: index.to_string().into() };
            line.insert(names, order, Recorded { day: day(on), change });
        }
        line
    }

    fn terms(from: &str, to: &str) -> Terms {
        Terms { from: Some(day(from)), term_end: Some(day(to)), ..Terms::default() }
    }

    fn on(line: &Timeline<Recorded>, names: &Names, today: &str) -> Standing {
        standing(line, &Timeline::default(), names, at(day(today).plus(1)), day(today)).expect("it was seen")
    }

    #[test]
    fn a_month_at_the_end_of_january_rolls_without_drifting() {
        let names = Names::new();
        let terms = Terms { auto_renew: Some(true), ..terms("2024-01-31", "2024-02-28") };
        let line = line(&names, vec![("2024-01-31", Change::Started(terms))]);
        let term = |today| on(&line, &names, today).term;
        assert_eq!(term("2024-02-28"), Term { start: day("2024-01-31"), end: Some(day("2024-02-28")) });
        assert_eq!(term("2024-03-01"), Term { start: day("2024-02-29"), end: Some(day("2024-03-30")) });
        assert_eq!(term("2024-04-01"), Term { start: day("2024-03-31"), end: Some(day("2024-04-29")) });
    }

    #[test]
    fn a_cancellation_stops_the_rolling_and_a_withdrawal_starts_it_again() {
        let names = Names::new();
        let start = Terms { auto_renew: Some(true), ..terms("2023-01-01", "2023-12-31") };
        let cancelled = Change::Cancelled { effective: Some(day("2025-06-01")) };
        let mut changes = vec![("2023-01-01", Change::Started(start)), ("2024-03-01", cancelled)];
        let before = line(&names, changes.clone());
        let standing = on(&before, &names, "2025-03-01");
        assert_eq!(standing.term.end, Some(day("2024-12-31")));
        assert!(standing.live && standing.cancelled);
        assert!(!on(&before, &names, "2025-06-01").live, "the effective day is the first without service");
        changes.push(("2024-04-01", Change::Withdrawn));
        let standing = on(&line(&names, changes), &names, "2025-07-01");
        assert_eq!(standing.term.end, Some(day("2025-12-31")));
        assert!(standing.live && !standing.cancelled);
    }

    #[test]
    fn figures_count_from_the_day_they_name_and_never_before_their_event() {
        let names = Names::new();
        let start = Terms { seats: Some(5), ..terms("2024-01-01", "2024-12-31") };
        let later = Terms { from: Some(day("2024-06-01")), seats: Some(9), ..Terms::default() };
        let backdated = Terms { from: Some(day("2024-01-15")), seats: Some(7), ..Terms::default() };
        let line = line(
            &names,
            vec![
                ("2024-01-01", Change::Started(start)),
                ("2024-02-01", Change::Changed(later)),
                ("2024-03-01", Change::Changed(backdated)),
            ],
        );
        let seats = |today| on(&line, &names, today).seats;
        assert_eq!(seats("2024-02-15"), Some(5));
        assert_eq!(seats("2024-03-01"), Some(7));
        assert_eq!(seats("2024-06-01"), Some(9));
    }

    #[test]
    fn first_heard_of_by_another_event_it_counts_as_begun() {
        let names = Names::new();
        let line = line(&names, vec![("2024-05-01", Change::Changed(Terms::default()))]);
        assert!(on(&line, &names, "2024-05-01").live);
    }

    #[test]
    fn a_converted_trial_has_no_term_until_one_is_stated() {
        let names = Names::new();
        let converted = |terms| {
            line(
                &names,
                vec![
                    ("2024-01-01", Change::TrialStarted(terms_of_trial())),
                    ("2024-01-20", Change::TrialConverted(terms)),
                ],
            )
        };
        assert_eq!(on(&converted(Terms::default()), &names, "2024-01-10").term.end, Some(day("2024-01-31")));
        assert_eq!(on(&converted(Terms::default()), &names, "2024-02-10").term.end, None);
        let stated = converted(terms("2024-01-20", "2025-01-19"));
        assert_eq!(on(&stated, &names, "2024-02-10").term.end, Some(day("2025-01-19")));
    }

    fn terms_of_trial() -> Terms {
        terms("2024-01-01", "2024-01-31")
    }

    #[test]
    fn a_trial_ends_once_though_its_start_was_never_heard_of_and_a_conversion_undoes_no_other_end() {
        let names = Names::new();
        let mut changes = vec![("2024-01-10", Change::TrialEnded)];
        let ended = on(&line(&names, changes.clone()), &names, "2024-01-15");
        assert_eq!((ended.live, ended.trial, ended.ended_on), (false, true, Some(day("2024-01-10"))));
        changes.push(("2024-01-12", Change::TrialConverted(Terms::default())));
        let converted = on(&line(&names, changes.clone()), &names, "2024-01-15");
        assert!(converted.live && !converted.trial);
        changes.insert(0, ("2024-01-05", Change::Ended));
        let over = on(&line(&names, changes.clone()), &names, "2024-01-15");
        assert_eq!((over.live, over.ended_on), (false, Some(day("2024-01-05"))));
        changes.push(("2024-01-14", Change::Started(Terms::default())));
        assert!(on(&line(&names, changes), &names, "2024-01-15").live, "a start begins afresh");
    }

    #[test]
    fn a_pause_ends_with_its_last_day() {
        let names = Names::new();
        let line = line(
            &names,
            vec![
                ("2024-01-01", Change::Started(terms("2024-01-01", "2024-12-31"))),
                ("2024-02-01", Change::Paused { until: Some(day("2024-02-10")) }),
            ],
        );
        assert!(on(&line, &names, "2024-02-10").paused);
        assert!(!on(&line, &names, "2024-02-11").paused);
    }
}
