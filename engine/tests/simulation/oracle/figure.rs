//! Plain aggregations: figures of the events that a metric looks at.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{Agg, Field, What};
use super::{Asked, Fact, Moment, Part};
use crate::told::Told;

const HOUR_US: f64 = 3_600_000_000.0;
/// Half-lives after which a decayed value counts no more.
const HALF_LIVES: f64 = 10.0;
/// Fewer rated tickets say nothing about happiness.
const RATED_MIN: usize = 5;

impl Field {
    /// What an event has there, if it is a number.
    fn of(self, fact: &Fact) -> Option<f64> {
        match self {
            Self::Quantity => {
                let is_one = matches!(fact.family, Some("usage" | "value"));
                let millionths = fact.told.quantity.or(is_one.then_some(1_000_000))?;
                Some(millionths as f64 / 1e6)
            }
            Self::Amount(currency) => {
                fact.told.amount.filter(|(_, of)| *of == currency).map(|(minor, _)| minor as f64)
            }
            Self::Property("points") => fact.told.text("colour").map(|colour| match colour {
                "red" => 0.0,
                "yellow" => 50.0,
                _ => 100.0,
            }),
            Self::Property(key) => fact.told.number(key).map(|number| number as f64),
        }
    }
}

impl Asked<'_> {
    /// The days of a window, or nothing where too few are left.
    fn window(&self, days: i32, skip: bool, last: i32) -> Option<BTreeSet<i32>> {
        if !skip {
            return Some((last - days + 1..=last).collect());
        }
        let open = (last - 2 * days + 1..=last).rev().filter(|day| !self.closed.contains(day));
        let taken: BTreeSet<i32> = open.take(days as usize).collect();
        (2 * taken.len() >= days as usize).then_some(taken)
    }

    pub(super) fn plain(
        &self,
        agg: Agg,
        what: What,
        window: Option<i32>,
        skip: bool,
        moment: Moment,
    ) -> Part {
        let days = match window.map(|days| self.window(days, skip, moment.day)) {
            Some(None) => return (None, Some(moment.day)),
            Some(Some(days)) => Some(days),
            None => None,
        };
        let first = days.as_ref().and_then(|days| days.first().copied());
        let users = matches!(agg, Agg::Users);
        let replies = |kind: &str| kind == "ticket_replied";
        if !self.is_fed(|kind| what.can_match(kind), moment, users)
            || (matches!(agg, Agg::FirstReply) && !self.is_fed(replies, moment, false))
        {
            return (None, first);
        }
        let is_inside = |fact: &Fact| match &days {
            Some(days) => days.contains(&fact.day),
            None => !moment.is_compared || self.life.is_some_and(|life| fact.day >= life),
        };
        let seen = self.before(moment.at).iter().copied();
        let found: Vec<&Fact> =
            seen.filter(|fact| what.matches(fact) && is_inside(fact) && !fact.told.is_own_staff()).collect();
        (self.figure(agg, &found, moment), first)
    }

    fn figure(&self, agg: Agg, found: &[&Fact], moment: Moment) -> Option<f64> {
        let numbers = |field: Field| found.iter().filter_map(|fact| field.of(fact)).collect::<Vec<f64>>();
        let persons = || found.iter().filter(|fact| fact.told.actor == "person");
        let features = |core: &[&str]| {
            let all: BTreeSet<&str> = found.iter().filter_map(|fact| fact.told.text("feature")).collect();
            all.into_iter().filter(|feature| core.is_empty() || core.contains(feature)).count() as f64
        };
        let age = |fact: &Fact| f64::from(moment.day - fact.day);
        Some(match agg {
            Agg::Count => found.len() as f64,
            Agg::Sum(field) => numbers(field).iter().sum(),
            Agg::Users => {
                persons().filter_map(|fact| fact.told.user.as_ref()).collect::<BTreeSet<_>>().len() as f64
            }
            Agg::Days => persons().map(|fact| fact.day).collect::<BTreeSet<_>>().len() as f64,
            Agg::Features(core) => features(core),
            Agg::FeaturesShare([]) => return None,
            Agg::FeaturesShare(core) => features(core) / core.len() as f64,
            Agg::FirstTime => found.first()?.told.at as f64,
            Agg::LastTime => found.last()?.told.at as f64,
            Agg::SinceLast => age(found.last()?),
            Agg::Last(field) => *numbers(field).last()?,
            Agg::Mean(field) => {
                let numbers = numbers(field);
                let sum: f64 = numbers.iter().sum();
                return (!numbers.is_empty()).then(|| sum / numbers.len() as f64);
            }
            Agg::Quantile(field, q) => quantile(numbers(field), q)?,
            Agg::DecayedSum(field, half_life) => {
                let fresh = found.iter().filter(|fact| age(fact) <= (HALF_LIVES * half_life).floor());
                let value = |fact: &Fact| field.map_or(Some(1.0), |field| field.of(fact));
                fresh.filter_map(|fact| Some(value(fact)? * (-age(fact) / half_life).exp2())).sum()
            }
            Agg::DecayedMean(field, half_life) => {
                let mut newest: BTreeMap<(String, &str), (f64, f64)> = BTreeMap::new();
                for (place, fact) in found.iter().enumerate() {
                    let user = fact.told.user.as_ref();
                    let who = user.map_or(format!("nobody {place}"), |user| format!("user {user}"));
                    if let Some(value) = field.of(fact) {
                        newest.insert((who, fact.told.text("survey").unwrap_or("")), (value, age(fact)));
                    }
                }
                let fresh = || newest.values().filter(|(_, age)| *age <= (HALF_LIVES * half_life).floor());
                let above: f64 = fresh().map(|(value, age)| value * (-age / half_life).exp2()).sum();
                let below: f64 = fresh().map(|(_, age)| (-age / half_life).exp2()).sum();
                return (below > 0.0).then(|| above / below);
            }
            Agg::Happiness => {
                let rating = |fact: &&Fact| match fact.told.text("rating") {
                    Some("great") => Some(1.0),
                    Some("okay") => Some(0.0),
                    Some("bad") => Some(-1.0),
                    _ => None,
                };
                let newest: BTreeMap<_, f64> =
                    found.iter().filter_map(|fact| Some((ticket(fact), rating(fact)?))).collect();
                let sum: f64 = newest.values().sum();
                return (newest.len() >= RATED_MIN).then(|| 100.0 * sum / newest.len() as f64);
            }
            Agg::FirstReply => median(self.waits(found, moment, |told| {
                let is_answer = told.kind == "ticket_replied"
                    && told.text("by") == Some("agent")
                    && told.truth("public").unwrap_or(true);
                is_answer || matches!(told.kind, "ticket_resolved" | "ticket_closed")
            }))?,
            Agg::Resolution => median(
                self.waits(found, moment, |told| matches!(told.kind, "ticket_resolved" | "ticket_closed")),
            )?,
        })
    }

    /// What happened to an event's ticket, in order.
    fn of_ticket<'s>(&'s self, of: &'s Fact, moment: Moment) -> impl Iterator<Item = &'s Fact> {
        self.before(moment.at).iter().copied().filter(|fact| ticket(fact) == ticket(of))
    }

    /// Hours that tickets waited, those whose first opening is among `openings`.
    fn waits(&self, openings: &[&Fact], moment: Moment, ends: impl Fn(&Told) -> bool) -> Vec<f64> {
        let is_first = |opening: &&&Fact| {
            let first = self.of_ticket(opening, moment).find(|fact| fact.told.kind == "ticket_opened");
            first.is_some_and(|first| first.order() == opening.order())
        };
        let wait = |opening: &&Fact| {
            let mut later = self.of_ticket(opening, moment).filter(|fact| fact.order() > opening.order());
            let end = later.find(|fact| ends(&fact.told));
            (end.map_or(moment.at, |end| end.told.at) - opening.told.at) as f64 / HOUR_US
        };
        openings.iter().filter(is_first).map(wait).collect()
    }
}

/// Which ticket an event is about, if any.
pub(super) fn ticket(fact: &Fact) -> Option<(&str, &str)> {
    fact.told.account().zip(fact.told.text("ticket_id"))
}

pub(super) fn median(values: Vec<f64>) -> Option<f64> {
    quantile(values, 0.5)
}

fn quantile(mut values: Vec<f64>, q: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let h = values.len().checked_sub(1)? as f64 * q;
    let (low, high) = (values[h.floor() as usize], values[h.ceil() as usize]);
    Some(low + (h - h.floor()) * (high - low))
}
