//! What the contract says the figures are, computed in the plainest way from the accepted events. Nothing here is shared
//! with the engine: every value is found by going through all events again.

mod catalogue;
mod figure;
mod standing;
mod subscription;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::told::{KINDS, Told, Whom, date, day};
use catalogue::{Metric, Standing, metric};
use figure::median;

pub use catalogue::METRICS;

/// An accepted event that counts.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub told: Told,
    /// The family of its type.
    pub family: Option<&'static str>,
    /// Its day in the reporting zone.
    pub day: i32,
}

impl Fact {
    /// Ties are broken by source and id.
    pub fn order(&self) -> (i64, &str, &str) {
        (self.told.at, &self.source, &self.id)
    }
}

/// The reporting zone.
pub struct Zone {
    zone: jiff::tz::TimeZone,
    ends: RefCell<BTreeMap<i32, i64>>,
}

impl Zone {
    /// By its IANA name.
    pub fn new(name: &str) -> Self {
        let zone = jiff::tz::TimeZone::get(name).expect("the simulation adopts zones that exist");
        Self { zone, ends: RefCell::default() }
    }

    /// The day of an instant, counted from 1970-01-01.
    pub fn day(&self, at: i64) -> i32 {
        let at = jiff::Timestamp::from_microsecond(at).expect("the simulation lives in this century");
        day(at.to_zoned_datetime(self.zone.clone()).date())
    }

    /// The first instant after a day.
    pub fn end(&self, day: i32) -> i64 {
        *self.ends.borrow_mut().entry(day).or_insert_with(|| {
            let start = date(day + 1)
                .to_zoned_datetime(self.zone.clone())
                .expect("the simulation lives in this century");
            start.timestamp().as_microsecond()
        })
    }
}

/// A closed period: scope as settings write it, first and last day.
pub type Closed = (String, i32, i32);

/// Everything the figures depend on.
pub struct Oracle {
    /// All accepted events that count, by (occurred_at, source, id).
    pub facts: Vec<Fact>,
    /// The zone.
    pub zone: Zone,
    /// Closed periods.
    pub closed: Vec<Closed>,
    /// Since when each type is fed.
    pub feed: Feed,
}

/// The earliest event of each type, and the earliest with a user.
pub type Feed = BTreeMap<&'static str, (i64, Option<i64>)>;

/// A moment at which a part is worth something.
#[derive(Clone, Copy)]
struct Moment {
    /// Exclusive.
    at: i64,
    day: i32,
    /// Under a comparison a part without a window begins with life.
    is_compared: bool,
}

/// A part's value and the first day its window reached.
type Part = (Option<f64>, Option<i32>);

/// One account at one instant.
pub struct Asked<'a> {
    oracle: &'a Oracle,
    /// Events of all members before the instant, in order.
    seen: Vec<&'a Fact>,
    /// The survivor's own facts.
    own: Vec<&'a Fact>,
    as_of: i64,
    today: i32,
    life: Option<i32>,
    closed: BTreeSet<i32>,
}

impl Oracle {
    /// The survivor of an account at an instant.
    pub fn survivor<'a>(&'a self, account: &'a str, as_of: i64) -> &'a str {
        let mut at = account;
        for _ in 0..100 {
            let newest = self.facts.iter().rev().find(|fact| {
                fact.told.kind == "account_merged" && fact.told.at < as_of && fact.told.account() == Some(at)
            });
            match newest.and_then(|fact| fact.told.text("into_account")) {
                Some(into) => at = into,
                None => return at,
            }
        }
        unreachable!("merges that make a cycle are refused")
    }

    /// Every account that an event before the instant names, as its own or as a survivor, and that answers for itself;
    /// sorted.
    pub fn standing(&self, as_of: i64) -> Vec<&str> {
        let seen = || self.facts.iter().filter(|fact| fact.told.at < as_of);
        let own = seen().filter_map(|fact| fact.told.account());
        let merges = seen().filter(|fact| fact.told.kind == "account_merged");
        let named: BTreeSet<&str> =
            own.chain(merges.filter_map(|fact| fact.told.text("into_account"))).collect();
        named.into_iter().filter(|account| self.survivor(account, as_of) == *account).collect()
    }

    /// One microsecond after the newest event.
    pub fn last(&self) -> Option<i64> {
        self.facts.iter().map(|fact| fact.told.at + 1).max()
    }

    /// An account at an instant.
    pub fn ask<'a>(&'a self, survivor: &'a str, as_of: i64) -> Asked<'a> {
        let before = || self.facts.iter().filter(move |fact| fact.told.at < as_of);
        let accounts: BTreeSet<&str> = before().filter_map(|fact| fact.told.account()).collect();
        let members: BTreeSet<&str> =
            accounts.into_iter().filter(|account| self.survivor(account, as_of) == survivor).collect();
        let counts = |fact: &&Fact| fact.told.account().is_some_and(|account| members.contains(account));
        let seen: Vec<&Fact> = before().filter(counts).collect();
        let own = before().filter(|fact| fact.told.account() == Some(survivor)).collect();
        let starts_life = |fact: &&&Fact| {
            fact.family.is_some_and(|family| family != "account") && !fact.told.is_own_staff()
        };
        let life = seen.iter().find(starts_life).map(|fact| fact.day);
        let today = self.zone.day(as_of - 1);
        let mut asked = Asked { oracle: self, seen, own, as_of, today, life, closed: BTreeSet::new() };
        let place = |key: &str| asked.fact(key, as_of).map(|value| format!("{key}:{value}"));
        let scopes =
            [Some("all".to_owned()), Some(format!("account:{survivor}")), place("segment"), place("country")];
        let mine = self.closed.iter().filter(|(scope, _, _)| scopes.contains(&Some(scope.clone())));
        asked.closed = mine.flat_map(|(_, from, to)| *from..=*to).collect();
        asked
    }

    fn is_fed(&self, what: impl Fn(&str) -> bool, day: i32, users: bool, is_dark: bool) -> bool {
        let end = self.zone.end(day);
        self.feed.iter().any(|(kind, (earliest, with_user))| {
            let is_dark = is_dark && matches!(*kind, "usage" | "value");
            let carries_user = with_user.is_some_and(|earliest| earliest < end);
            what(kind) && !is_dark && *earliest < end && (!users || carries_user)
        })
    }
}

impl Asked<'_> {
    /// The value of a metric.
    pub fn value(&self, name: &str) -> Option<f64> {
        match metric(name) {
            Metric::Change(a) => self.change(a),
            Metric::Own(a, weeks) => self.against_own(a, weeks),
            Metric::Slope(a, weeks) => self.slope(a, weeks),
            _ => self.part(name, self.now()).0,
        }
    }

    fn now(&self) -> Moment {
        Moment { at: self.as_of, day: self.today, is_compared: false }
    }

    fn end_of(&self, day: i32) -> Moment {
        Moment { at: self.oracle.zone.end(day), day, is_compared: true }
    }

    /// The newest text the survivor was told of a fact; an empty one says that there is none.
    fn fact(&self, key: &str, at: i64) -> Option<&str> {
        let facts = self.own.iter().rev().filter(|fact| fact.told.at < at);
        let updates = facts.into_iter().filter(|fact| fact.told.kind == "account_updated");
        updates.into_iter().find_map(|fact| fact.told.text(key)).filter(|text| !text.is_empty())
    }

    fn is_fed(&self, what: impl Fn(&str) -> bool, moment: Moment, users: bool) -> bool {
        let is_dark = self.fact("deployment", moment.at) == Some("on_premise");
        self.oracle.is_fed(what, moment.day, users, is_dark)
    }

    fn before(&self, at: i64) -> &[&Fact] {
        &self.seen[..self.seen.partition_point(|fact| fact.told.at < at)]
    }

    fn part(&self, name: &str, moment: Moment) -> Part {
        match metric(name) {
            Metric::Plain { agg, what, window, skip } => self.plain(agg, what, window, skip, moment),
            Metric::Standing(standing) => (self.standing(standing, moment), None),
            Metric::PerSeat(a) => {
                let (above, first) = self.part(a, moment);
                let seats = self.standing(Standing::Seats, moment).filter(|seats| *seats > 0.0);
                (above.zip(seats).map(|(above, seats)| above / seats), first)
            }
            Metric::Ratio(a, b, least) => {
                let ((a, first_a), (b, first_b)) = (self.part(a, moment), self.part(b, moment));
                let first = match (first_a, first_b) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                (a.zip(b.filter(|b| *b > 0.0 && *b >= least)).map(|(a, b)| a / b), first)
            }
            Metric::Share { above, below, window, min } => {
                let count = |what: catalogue::What| {
                    let fed = self.is_fed(|kind| what.can_match(kind), moment, false);
                    let days = moment.day - window + 1..=moment.day;
                    let matching = self.before(moment.at).iter().filter(|fact| what.matches(fact));
                    fed.then(|| matching.filter(|fact| days.contains(&fact.day)).count() as f64)
                };
                let value = count(above).zip(count(below).filter(|b| *b >= min)).map(|(a, b)| a / b);
                (value, Some(moment.day - window + 1))
            }
            Metric::Change(..) | Metric::Own(..) | Metric::Slope(..) => {
                unreachable!("comparisons have no parts")
            }
        }
    }

    fn change(&self, a: &str) -> Option<f64> {
        let life = self.life?;
        let (now, first) = self.part(a, self.end_of(self.today - 1));
        let first = first?;
        let (then, first_then) = self.part(a, self.end_of(first - 1));
        let (now, then) = (now?, then?);
        if first < life || first_then? < life {
            return None;
        }
        match then {
            0.0 if now > 0.0 => Some(1.0),
            0.0 => Some(-1.0),
            then if then < 0.0 => None,
            then => Some((now - then) / then),
        }
    }

    /// A part at the end of a day, where its window begins on or after the first day of life; without one it begins there.
    fn in_life(&self, a: &str, last: i32, life: i32) -> Option<f64> {
        let (value, first) = self.part(a, self.end_of(last));
        value.filter(|_| first.unwrap_or(life) >= life && last >= life)
    }

    fn against_own(&self, a: &str, weeks: i32) -> Option<f64> {
        let life = self.life?;
        let now = self.part(a, self.end_of(self.today - 1)).0?;
        let past: Vec<f64> =
            (1..=weeks).filter_map(|week| self.in_life(a, self.today - 1 - 7 * week, life)).collect();
        if past.len() < 3 {
            return None;
        }
        match median(past)? {
            0.0 if now > 0.0 => Some(2.0),
            0.0 => Some(0.0),
            base if base < 0.0 => None,
            base => Some(now / base),
        }
    }

    fn slope(&self, a: &str, weeks: i32) -> Option<f64> {
        let life = self.life?;
        let points: Vec<(f64, f64)> = (1..=weeks)
            .filter_map(|week| {
                let value = self.in_life(a, self.today - 7 * (week - 1) - 1, life)?;
                Some((f64::from(-week), value))
            })
            .collect();
        if points.len() < 3 {
            return None;
        }
        let count = points.len() as f64;
        let x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        if y == 0.0 {
            return Some(-1.0);
        }
        if y < 0.0 {
            return None;
        }
        let above: f64 = points.iter().map(|(xi, yi)| (xi - x) * (yi - y)).sum();
        let below: f64 = points.iter().map(|(xi, _)| (xi - x) * (xi - x)).sum();
        Some(above / below / y)
    }
}

/// Types of the tenant and since when each is fed, with users and without, as the contract counts them.
pub fn feed(facts: &[Fact]) -> Feed {
    let mut feed = BTreeMap::new();
    for kind in KINDS.iter().flat_map(|(_, kinds)| *kinds) {
        let of_kind = || facts.iter().filter(move |fact| fact.told.kind == *kind);
        if let Some(earliest) = of_kind().map(|fact| fact.told.at).min() {
            let with_user = of_kind().filter(|fact| fact.told.user.is_some()).map(|fact| fact.told.at).min();
            feed.insert(*kind, (earliest, with_user));
        }
    }
    feed
}

/// Events that wait for an account.
pub fn parked(facts: &[Fact]) -> usize {
    facts.iter().filter(|fact| matches!(fact.told.whom, Whom::Reference(..) | Whom::User)).count()
}
