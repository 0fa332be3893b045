//! What the contract says the figures are, computed in the plainest way from the accepted events. Nothing here is shared
//! with the engine: every value is found by going through all events again.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::told::{KINDS, Told, Whom, family};

const HOUR_US: f64 = 3_600_000_000.0;

/// An accepted event that counts.
#[derive(Clone, Debug)]
pub struct Fact {
    /// Its source.
    pub source: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub told: Told,
    /// Its day in the reporting zone.
    pub day: i32,
}

impl Fact {
    fn order(&self) -> (i64, &str, &str) {
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
        days(at.to_zoned_datetime(self.zone.clone()).date())
    }

    /// The first instant after a day.
    pub fn end(&self, day: i32) -> i64 {
        *self.ends.borrow_mut().entry(day).or_insert_with(|| {
            let next = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(i64::from(day) + 1);
            let start =
                next.to_zoned_datetime(self.zone.clone()).expect("the simulation lives in this century");
            start.timestamp().as_microsecond()
        })
    }

    /// The day a text names.
    fn named(&self, text: &str) -> i32 {
        days(text.parse().expect("the simulation writes dates"))
    }
}

fn days(date: jiff::civil::Date) -> i32 {
    (date - jiff::civil::date(1970, 1, 1)).get_days()
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

/// Which events a metric looks at.
#[derive(Clone, Copy)]
pub enum What {
    /// A family.
    Family(&'static str),
    /// A type.
    Kind(&'static str),
}

impl What {
    fn matches(self, kind: &str) -> bool {
        match self {
            Self::Family(name) => family(kind) == Some(name),
            Self::Kind(name) => kind == name,
        }
    }
}

/// How a plain metric adds up.
#[derive(Clone, Copy)]
pub enum Agg {
    Count,
    /// Of quantities.
    Sum,
    /// Of amounts in EUR, minor units.
    Money,
    Users,
    Days,
    Features,
    FirstTime,
    SinceLast,
    /// Of `properties.score`.
    LastScore,
    MeanScore,
    MedianScore,
    DecayedScore(f64),
    DecayedSum(f64),
    FirstReply,
    Resolution,
}

/// A metric, as the model file `model.toml` beside this one declares it.
#[derive(Clone, Copy)]
pub enum Metric {
    Plain { agg: Agg, what: What, window: Option<i32>, skip: bool },
    PerSeat(&'static str),
    Ratio(&'static str, &'static str),
    Change(&'static str),
    Own(&'static str, i32),
    Slope(&'static str, i32),
    Share { above: What, below: What, window: i32 },
    PastDueDays,
    PastDue,
    OpenTickets,
    Escalations,
    Expected,
    Seats,
    Age,
}

const fn plain(agg: Agg, what: What, window: i32) -> Metric {
    Metric::Plain { agg, what, window: Some(window), skip: false }
}

const fn open_days(agg: Agg, what: What, window: i32) -> Metric {
    Metric::Plain { agg, what, window: Some(window), skip: true }
}

const fn ever(agg: Agg, what: What) -> Metric {
    Metric::Plain { agg, what, window: None, skip: false }
}

const USAGE: What = What::Family("usage");
const VALUE: What = What::Family("value");
const NPS: What = What::Kind("nps_answered");
const CSAT: What = What::Kind("csat_answered");

/// The metrics of `model.toml`, in its order.
pub const METRICS: [(&str, Metric); 32] = [
    ("usage_7d", plain(Agg::Count, USAGE, 7)),
    ("usage_sum", plain(Agg::Sum, USAGE, 28)),
    ("usage_ever", ever(Agg::Count, What::Kind("usage"))),
    ("events_open", open_days(Agg::Count, USAGE, 14)),
    ("people_7d", plain(Agg::Users, USAGE, 7)),
    ("days_14d", open_days(Agg::Days, USAGE, 14)),
    ("features_28d", plain(Agg::Features, USAGE, 28)),
    ("value_sum", open_days(Agg::Sum, VALUE, 21)),
    ("value_ever", ever(Agg::Sum, VALUE)),
    ("pages", plain(Agg::Count, What::Kind("page_viewed"), 30)),
    ("first_usage", ever(Agg::FirstTime, USAGE)),
    ("quiet_days", ever(Agg::SinceLast, USAGE)),
    ("nps_last", ever(Agg::LastScore, NPS)),
    ("csat_mean", plain(Agg::MeanScore, CSAT, 60)),
    ("csat_median", plain(Agg::MedianScore, CSAT, 60)),
    ("nps", plain(Agg::DecayedScore(15.0), NPS, 90)),
    ("usage_decayed", ever(Agg::DecayedSum(3.5), USAGE)),
    ("invoiced", plain(Agg::Money, What::Kind("invoice_issued"), 60)),
    ("first_reply", plain(Agg::FirstReply, What::Kind("ticket_opened"), 60)),
    ("resolution", plain(Agg::Resolution, What::Kind("ticket_opened"), 60)),
    (
        "reopened",
        Metric::Share {
            above: What::Kind("ticket_reopened"),
            below: What::Kind("ticket_resolved"),
            window: 60,
        },
    ),
    ("seats", Metric::Seats),
    ("age", Metric::Age),
    ("past_due_days", Metric::PastDueDays),
    ("past_due", Metric::PastDue),
    ("open_tickets", Metric::OpenTickets),
    ("escalations", Metric::Escalations),
    ("expected", Metric::Expected),
    ("people_per_seat", Metric::PerSeat("people_7d")),
    ("regularity", Metric::Ratio("days_14d", "expected")),
    ("usage_change", Metric::Change("events_open")),
    ("usage_own", Metric::Own("usage_7d", 5)),
];

/// Metrics of the model that are not in the first list, only to keep that one readable.
pub const MORE: [(&str, Metric); 2] =
    [("seat_own", Metric::Own("people_per_seat", 4)), ("usage_slope", Metric::Slope("usage_7d", 6))];

fn metric(name: &str) -> Metric {
    let all = METRICS.iter().chain(&MORE);
    all.clone().find(|(known, _)| *known == name).map(|(_, metric)| *metric).expect("metrics name each other")
}

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
    survivor: &'a str,
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

    /// Every account that has an event of its own and answers for itself, sorted.
    pub fn standing(&self, as_of: i64) -> Vec<&str> {
        let own: BTreeSet<&str> = self.facts.iter().filter_map(|fact| fact.told.account()).collect();
        own.into_iter().filter(|account| self.survivor(account, as_of) == *account).collect()
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
            matches!(
                fact.told.family(),
                Some("usage" | "value" | "billing" | "support" | "survey" | "lifecycle")
            ) && !fact.told.is_own_staff()
        };
        let life = seen.iter().find(starts_life).map(|fact| fact.day);
        let today = self.zone.day(as_of - 1);
        let mut asked =
            Asked { oracle: self, survivor, seen, own, as_of, today, life, closed: BTreeSet::new() };
        let segment = asked.fact("segment", as_of).map(|segment| format!("segment:{segment}"));
        for (scope, from, to) in &self.closed {
            let is_own = *scope == format!("account:{survivor}") || Some(scope) == segment.as_ref();
            if scope == "all" || is_own {
                asked.closed.extend(*from..=*to);
            }
        }
        asked
    }

    fn is_fed(&self, what: impl Fn(&str) -> bool, day: i32, users: bool, is_dark: bool) -> bool {
        let end = self.zone.end(day);
        self.feed.iter().any(|(kind, (earliest, with_user))| {
            let is_dark = is_dark && matches!(family(kind), Some("usage" | "value"));
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

    fn fact(&self, key: &str, at: i64) -> Option<&str> {
        let facts =
            self.own.iter().rev().filter(|fact| fact.told.at < at && fact.told.kind == "account_updated");
        facts.into_iter().find_map(|fact| fact.told.text(key))
    }

    fn is_fed(&self, what: impl Fn(&str) -> bool, moment: Moment, users: bool) -> bool {
        let is_dark = self.fact("deployment", moment.at) == Some("on_premise");
        self.oracle.is_fed(what, moment.day, users, is_dark)
    }

    fn before(&self, at: i64) -> impl DoubleEndedIterator<Item = &Fact> {
        self.seen.iter().copied().filter(move |fact| fact.told.at < at)
    }

    fn part(&self, name: &str, moment: Moment) -> Part {
        match metric(name) {
            Metric::Plain { agg, what, window, skip } => self.plain(agg, what, window, skip, moment),
            Metric::PerSeat(a) => {
                let (above, first) = self.part(a, moment);
                let seats = self.seats(moment).filter(|seats| *seats > 0.0);
                (above.zip(seats).map(|(above, seats)| above / seats), first)
            }
            Metric::Ratio(a, b) => {
                let ((a, first_a), (b, first_b)) = (self.part(a, moment), self.part(b, moment));
                let first = match (first_a, first_b) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (a, b) => a.or(b),
                };
                (a.zip(b.filter(|b| *b > 0.0)).map(|(a, b)| a / b), first)
            }
            Metric::Share { above, below, window } => {
                let count = |what: What| {
                    let fed = self.is_fed(|kind| what.matches(kind), moment, false);
                    let days = moment.day - window + 1..=moment.day;
                    let matching = self.before(moment.at).filter(|fact| what.matches(fact.told.kind));
                    fed.then(|| matching.filter(|fact| days.contains(&fact.day)).count() as f64)
                };
                let value = match (count(above), count(below)) {
                    (Some(a), Some(b)) if b >= 1.0 => Some(a / b),
                    _ => None,
                };
                (value, Some(moment.day - window + 1))
            }
            Metric::PastDueDays => (self.past_due(moment).map(|(days, _)| days), None),
            Metric::PastDue => (self.past_due(moment).map(|(_, amount)| amount), None),
            Metric::OpenTickets => (self.open_tickets(moment), None),
            Metric::Escalations => (self.escalations(moment), None),
            Metric::Expected => {
                let days = match self.fact("usage_rhythm", moment.at).unwrap_or("daily") {
                    "daily" => 20.0,
                    "weekly" => 4.0,
                    _ => 1.0,
                };
                (Some(days), None)
            }
            Metric::Seats => (self.seats(moment), None),
            Metric::Age => {
                (self.life.filter(|life| *life <= moment.day).map(|life| f64::from(moment.day - life)), None)
            }
            Metric::Change(..) | Metric::Own(..) | Metric::Slope(..) => {
                unreachable!("comparisons have no parts")
            }
        }
    }

    /// The days of a window, or nothing where too few are left.
    fn window(&self, days: i32, skip: bool, last: i32) -> Option<BTreeSet<i32>> {
        if !skip {
            return Some((last - days + 1..=last).collect());
        }
        let open = (last - 2 * days + 1..=last).rev().filter(|day| !self.closed.contains(day));
        let taken: BTreeSet<i32> = open.take(days as usize).collect();
        (2 * taken.len() >= days as usize).then_some(taken)
    }

    fn plain(&self, agg: Agg, what: What, window: Option<i32>, skip: bool, moment: Moment) -> Part {
        let window_days = match window.map(|days| self.window(days, skip, moment.day)) {
            Some(None) => return (None, Some(moment.day)),
            Some(Some(days)) => Some(days),
            None => None,
        };
        let first = window_days.as_ref().and_then(|days| days.first().copied());
        let users = matches!(agg, Agg::Users);
        if !self.is_fed(|kind| what.matches(kind), moment, users) {
            return (None, first);
        }
        if matches!(agg, Agg::FirstReply) && !self.is_fed(|kind| kind == "ticket_replied", moment, false) {
            return (None, first);
        }
        let is_inside = |fact: &&Fact| match &window_days {
            Some(days) => days.contains(&fact.day),
            None => !moment.is_compared || self.life.is_some_and(|life| fact.day >= life),
        };
        let found: Vec<&Fact> = self
            .before(moment.at)
            .filter(|fact| what.matches(fact.told.kind) && !fact.told.is_own_staff())
            .filter(is_inside)
            .collect();
        (self.figure(agg, &found, moment), first)
    }

    fn figure(&self, agg: Agg, found: &[&Fact], moment: Moment) -> Option<f64> {
        let quantity = |fact: &&Fact| {
            let stated = fact.told.quantity;
            stated.or(matches!(fact.told.family(), Some("usage" | "value")).then_some(1_000_000))
        };
        let score = |fact: &&Fact| fact.told.number("score").map(|score| score as f64);
        let persons = || found.iter().filter(|fact| fact.told.actor == "person");
        let scores: Vec<f64> = found.iter().filter_map(score).collect();
        Some(match agg {
            Agg::Count => found.len() as f64,
            Agg::Sum => found.iter().filter_map(quantity).map(i128::from).sum::<i128>() as f64 / 1e6,
            Agg::Money => {
                let amounts = found.iter().filter_map(|fact| fact.told.amount);
                amounts.filter(|(_, currency)| *currency == "EUR").map(|(minor, _)| minor).sum::<i64>() as f64
            }
            Agg::Users => {
                persons().filter_map(|fact| fact.told.user.as_ref()).collect::<BTreeSet<_>>().len() as f64
            }
            Agg::Days => persons().map(|fact| fact.day).collect::<BTreeSet<_>>().len() as f64,
            Agg::Features => {
                found.iter().filter_map(|fact| fact.told.text("feature")).collect::<BTreeSet<_>>().len()
                    as f64
            }
            Agg::FirstTime => found.first()?.told.at as f64,
            Agg::SinceLast => f64::from(moment.day - found.last()?.day),
            Agg::LastScore => *scores.last()?,
            Agg::MeanScore if scores.is_empty() => return None,
            Agg::MeanScore => scores.iter().sum::<f64>() / scores.len() as f64,
            Agg::MedianScore => median(scores)?,
            Agg::DecayedSum(half_life) => {
                let fresh = found
                    .iter()
                    .filter(|fact| f64::from(moment.day - fact.day) <= (10.0 * half_life).floor());
                fresh
                    .filter_map(|fact| Some((quantity(fact)?, moment.day - fact.day)))
                    .map(|(quantity, age)| quantity as f64 / 1e6 * (-f64::from(age) / half_life).exp2())
                    .sum()
            }
            Agg::DecayedScore(half_life) => {
                let mut newest: BTreeMap<(String, &str), &Fact> = BTreeMap::new();
                for (place, fact) in found.iter().enumerate().filter(|(_, fact)| score(fact).is_some()) {
                    let who = fact
                        .told
                        .user
                        .as_ref()
                        .map_or(format!("nobody {place}"), |user| format!("user {user}"));
                    newest.insert((who, fact.told.text("survey").unwrap_or("")), fact);
                }
                let (mut above, mut below) = (0.0, 0.0);
                for fact in newest.values() {
                    let age = f64::from(moment.day - fact.day);
                    if age <= (10.0 * half_life).floor() {
                        let weight = (-age / half_life).exp2();
                        above += weight * score(fact).expect("only answers with a score were kept");
                        below += weight;
                    }
                }
                if below == 0.0 {
                    return None;
                }
                above / below
            }
            Agg::FirstReply => median(self.waits(found, moment, &|told| {
                let is_answer = told.kind == "ticket_replied"
                    && told.text("by") == Some("agent")
                    && told.truth("public").unwrap_or(true);
                is_answer || matches!(told.kind, "ticket_resolved" | "ticket_closed")
            }))?,
            Agg::Resolution => median(
                self.waits(found, moment, &|told| matches!(told.kind, "ticket_resolved" | "ticket_closed")),
            )?,
        })
    }

    /// Hours that tickets waited, those whose first opening is among `openings`.
    fn waits(&self, openings: &[&Fact], moment: Moment, ends: &dyn Fn(&Told) -> bool) -> Vec<f64> {
        let of_ticket =
            |fact: &Fact| (fact.told.whom.clone(), fact.told.text("ticket_id").map(str::to_owned));
        let is_first = |opening: &&&Fact| {
            let all = self.before(moment.at).filter(|fact| fact.told.kind == "ticket_opened");
            let mut same = all.filter(|fact| of_ticket(fact) == of_ticket(opening));
            same.next().is_some_and(|first| first.order() == opening.order())
        };
        let wait = |opening: &&Fact| {
            let later = self.before(moment.at).filter(|fact| fact.order() > opening.order());
            let end =
                later.filter(|fact| of_ticket(fact) == of_ticket(opening)).find(|fact| ends(&fact.told));
            (end.map_or(moment.at, |end| end.told.at) - opening.told.at) as f64 / HOUR_US
        };
        openings.iter().filter(is_first).map(wait).collect()
    }

    /// Tickets and the events of each, in order.
    fn tickets(&self, at: i64) -> BTreeMap<(&str, &str), Vec<&Fact>> {
        let mut tickets: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(at) {
            if let (Some(account), Some(ticket)) = (fact.told.account(), fact.told.text("ticket_id")) {
                tickets.entry((account, ticket)).or_default().push(fact);
            }
        }
        tickets
    }

    fn open_tickets(&self, moment: Moment) -> Option<f64> {
        let states = ["ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"];
        self.is_fed(|kind| states.contains(&kind), moment, false).then(|| {
            let is_open = |facts: &&Vec<&Fact>| is_open(facts);
            self.tickets(moment.at).values().filter(is_open).count() as f64
        })
    }

    fn escalations(&self, moment: Moment) -> Option<f64> {
        self.is_fed(|kind| kind == "ticket_escalated", moment, false).then(|| {
            let tickets = self.tickets(moment.at);
            let is_escalated = |facts: &&Vec<&Fact>| {
                let kinds = ["ticket_escalated", "ticket_deescalated"];
                let newest = facts.iter().rev().find(|fact| kinds.contains(&fact.told.kind));
                is_open(facts) && newest.is_some_and(|fact| fact.told.kind == "ticket_escalated")
            };
            tickets.values().filter(is_escalated).count() as f64
        })
    }

    /// The oldest past due in days, and the sum past due in EUR cents.
    fn past_due(&self, moment: Moment) -> Option<(f64, f64)> {
        let mut invoices: BTreeMap<(&str, &str), Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(moment.at) {
            if let (Some(account), Some(invoice)) = (fact.told.account(), fact.told.text("invoice_id")) {
                invoices.entry((account, invoice)).or_default().push(fact);
            }
        }
        let issued = |facts: &&Vec<&Fact>| facts.iter().any(|fact| fact.told.kind == "invoice_issued");
        let has_invoice = invoices.values().any(|facts| issued(&facts));
        if !has_invoice || !self.is_fed(|kind| kind == "invoice_paid", moment, false) {
            return None;
        }
        let (mut oldest, mut sum) = (0.0_f64, 0.0);
        for facts in invoices.values().filter(issued) {
            let newest =
                facts.iter().rev().find(|fact| fact.told.kind == "invoice_issued").expect("it was issued");
            let (minor, currency) = newest.told.amount.expect("the simulation's invoices have amounts");
            let named = newest.told.text("due_at").map(|date| self.oracle.zone.named(date));
            let due = named.unwrap_or(newest.day + 30);
            let is_settled = facts.iter().any(|fact| {
                fact.told.kind == "invoice_voided"
                    || (fact.told.kind == "invoice_paid" && fact.told.amount.is_none())
            });
            let moved = |kind: &str| -> i64 {
                let amounts =
                    facts.iter().filter(|fact| fact.told.kind == kind).filter_map(|fact| fact.told.amount);
                amounts.filter(|(_, of)| *of == currency).map(|(minor, _)| minor).sum()
            };
            let owed = minor - moved("invoice_paid") + moved("credit_issued");
            if !is_settled && due < moment.day && owed > 0 {
                oldest = oldest.max(f64::from(moment.day - due));
                if currency == "EUR" {
                    sum += owed as f64;
                }
            }
        }
        Some((oldest, sum))
    }

    fn seats(&self, moment: Moment) -> Option<f64> {
        let mut subscriptions: BTreeMap<(&str, &str), Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(moment.at) {
            let is_one = fact.told.kind.starts_with("subscription_");
            if let (Some(account), Some(id), true) =
                (fact.told.account(), fact.told.text("subscription_id"), is_one)
            {
                subscriptions.entry((account, id)).or_default().push(fact);
            }
        }
        let named = |fact: &Fact, key| fact.told.text(key).map(|date| self.oracle.zone.named(date));
        let mut stated = None;
        for facts in subscriptions.values() {
            let counts_from = |fact: &&Fact| {
                let key =
                    if fact.told.kind == "subscription_started" { "term_start" } else { "effective_at" };
                named(fact, key).map_or(fact.day, |day| day.max(fact.day))
            };
            let start = facts.iter().find(|fact| fact.told.kind == "subscription_started");
            let is_first = facts[0].told.kind == "subscription_started";
            let has_begun = !is_first || start.is_some_and(|start| counts_from(start) <= moment.day);
            let ended =
                facts.iter().any(|fact| fact.told.kind == "subscription_ended" && fact.day <= moment.day);
            let cancelled = facts.iter().rev().find(|fact| fact.told.kind == "subscription_cancelled");
            let off =
                cancelled.is_some_and(|fact| named(fact, "effective_at").unwrap_or(fact.day) <= moment.day);
            if !has_begun || ended || off {
                continue;
            }
            let mut counting: Vec<&&Fact> = facts
                .iter()
                .filter(|fact| fact.told.number("seats").is_some() && counts_from(fact) <= moment.day)
                .collect();
            counting.sort_by_key(|fact| counts_from(fact));
            if let Some(newest) = counting.last() {
                *stated.get_or_insert(0) += newest.told.number("seats").expect("only such were kept");
            }
        }
        let of_account = || {
            let facts = self.own.iter().rev().filter(|fact| fact.told.at < moment.at);
            facts
                .filter(|fact| fact.told.kind == "account_updated")
                .find_map(|fact| fact.told.number("seats"))
        };
        stated.or_else(of_account).map(|seats| seats as f64)
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

    fn against_own(&self, a: &str, weeks: i32) -> Option<f64> {
        let life = self.life?;
        let now = self.part(a, self.end_of(self.today - 1)).0?;
        let past = (1..=weeks).filter_map(|week| {
            let (value, first) = self.part(a, self.end_of(self.today - 1 - 7 * week));
            value.filter(|_| first.is_none_or(|first| first >= life))
        });
        let past: Vec<f64> = past.collect();
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
                let (value, first) = self.part(a, self.end_of(self.today - 7 * (week - 1) - 1));
                let value = value.filter(|_| first.is_none_or(|first| first >= life))?;
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

    /// Whom it is about.
    pub fn survivor(&self) -> &str {
        self.survivor
    }
}

fn is_open(facts: &[&Fact]) -> bool {
    let states = ["ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"];
    let newest = facts.iter().rev().find(|fact| states.contains(&fact.told.kind));
    newest.is_some_and(|fact| matches!(fact.told.kind, "ticket_opened" | "ticket_reopened"))
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let (low, high) = (values[last / 2], values[last.div_ceil(2)]);
    Some(low + 0.5 * (high - low))
}

/// Types of the tenant and since when each is fed, with users and without, as the contract counts them.
pub fn feed(facts: &[Fact]) -> Feed {
    let mut feed = BTreeMap::new();
    for kind in KINDS {
        let of_kind = || facts.iter().filter(move |fact| fact.told.kind == kind);
        if let Some(earliest) = of_kind().map(|fact| fact.told.at).min() {
            let with_user = of_kind().filter(|fact| fact.told.user.is_some()).map(|fact| fact.told.at).min();
            feed.insert(kind, (earliest, with_user));
        }
    }
    feed
}

/// Events that wait for an account.
pub fn parked(facts: &[Fact]) -> usize {
    facts.iter().filter(|fact| matches!(fact.told.whom, Whom::Reference(..) | Whom::User)).count()
}
