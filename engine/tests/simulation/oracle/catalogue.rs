//! The metrics of `model.toml`, as the oracle has them.

use super::Fact;
use crate::told::{Told, family};

/// Which events a metric looks at.
#[derive(Clone, Copy)]
pub struct What {
    of: Of,
    that: fn(&Told) -> bool,
}

/// Which types it can match.
#[derive(Clone, Copy)]
enum Of {
    Family(&'static str),
    Kind(&'static str),
}

impl What {
    /// Whether events of this type can be among them: what decides whether a metric is fed.
    pub fn can_match(&self, kind: &str) -> bool {
        match self.of {
            Of::Family(name) => family(kind) == Some(name),
            Of::Kind(name) => kind == name,
        }
    }

    /// Whether an event is one of them.
    pub fn matches(&self, fact: &Fact) -> bool {
        let is_of = match self.of {
            Of::Family(name) => fact.family == Some(name),
            Of::Kind(name) => fact.told.kind == name,
        };
        is_of && (self.that)(&fact.told)
    }
}

/// What an aggregation adds up.
#[derive(Clone, Copy)]
pub enum Field {
    Quantity,
    /// In minor units of this currency.
    Amount(&'static str),
    Property(&'static str),
}

/// How a plain metric adds up.
#[derive(Clone, Copy)]
pub enum Agg {
    Count,
    Sum(Field),
    Users,
    Days,
    /// Of these features, or of all.
    Features(&'static [&'static str]),
    FeaturesShare(&'static [&'static str]),
    FirstTime,
    LastTime,
    SinceLast,
    Last(Field),
    Mean(Field),
    Quantile(Field, f64),
    DecayedMean(Field, f64),
    DecayedSum(Option<Field>, f64),
    Happiness,
    FirstReply,
    Resolution,
}

/// A state of affairs.
#[derive(Clone, Copy)]
pub enum Standing {
    PastDueDays,
    PastDue(&'static str),
    OpenTickets,
    Escalations,
    Renewal,
    Notice,
    Milestones,
    Burn,
    Expected,
    Seats,
    Age,
}

/// A metric.
#[derive(Clone, Copy)]
pub enum Metric {
    Plain {
        agg: Agg,
        what: What,
        window: Option<i32>,
        skip: bool,
    },
    Standing(Standing),
    PerSeat(&'static str),
    /// With the least denominator.
    Ratio(&'static str, &'static str, f64),
    Change(&'static str),
    Own(&'static str, i32),
    Slope(&'static str, i32),
    Share {
        above: What,
        below: What,
        window: i32,
        min: f64,
    },
}

/// The milestones of `model.toml`: name, days after which it is due.
pub const MILESTONES: [(&str, i32); 3] = [("kickoff", 2), ("live", 10), ("adopted", 30)];
/// Its `payment_terms_days`.
pub const PAYMENT_TERMS_DAYS: i32 = 30;
/// Its `usage_rhythm`.
pub const USAGE_RHYTHM: &str = "daily";

const fn of(of: Of) -> What {
    What { of, that: |_| true }
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

const fn share(above: What, below: What, window: i32, min: f64) -> Metric {
    Metric::Share { above, below, window, min }
}

const USAGE: What = of(Of::Family("usage"));
const VALUE: What = of(Of::Family("value"));
const SUPPORT: What = of(Of::Family("support"));
const LIFECYCLE: What = of(Of::Family("lifecycle"));
const NPS: What = kind("nps_answered");
const CSAT: What = kind("csat_answered");
const OPENED: What = kind("ticket_opened");
const SCORE: Field = Field::Property("score");
const DURATION: Field = Field::Property("duration_s");
const SERVICES: What = What { of: Of::Family("usage"), that: |told| told.actor == "service" };
const TIMED: What = What { of: Of::Kind("usage"), that: |told| told.number("duration_s").is_some() };
const LARGE: What =
    What { of: Of::Family("usage"), that: |told| told.quantity.unwrap_or(1_000_000) > 5_000_000 };
const OTHERS: What = What {
    of: Of::Family("usage"),
    that: |told| told.text("feature").is_some_and(|feature| !["f0", "f3"].contains(&feature)),
};

const fn kind(name: &'static str) -> What {
    of(Of::Kind(name))
}

/// All of them, by name.
pub const METRICS: &[(&str, Metric)] = &[
    ("usage_7d", plain(Agg::Count, USAGE, 7)),
    ("usage_sum", plain(Agg::Sum(Field::Quantity), USAGE, 28)),
    ("usage_ever", ever(Agg::Count, kind("usage"))),
    ("usage_services", plain(Agg::Count, SERVICES, 28)),
    ("usage_large", ever(Agg::Count, LARGE)),
    ("usage_others", open_days(Agg::Count, OTHERS, 28)),
    ("usage_timed", plain(Agg::Days, TIMED, 28)),
    ("events_open", open_days(Agg::Count, USAGE, 14)),
    ("people_7d", plain(Agg::Users, USAGE, 7)),
    ("people_support", plain(Agg::Users, SUPPORT, 60)),
    ("days_14d", open_days(Agg::Days, USAGE, 14)),
    ("features_28d", plain(Agg::Features(&[]), USAGE, 28)),
    ("core_28d", plain(Agg::Features(&["f0", "f1"]), USAGE, 28)),
    ("core_share", open_days(Agg::FeaturesShare(&["f1", "f2", "f9"]), USAGE, 7)),
    ("no_core", plain(Agg::FeaturesShare(&[]), USAGE, 7)),
    ("value_sum", open_days(Agg::Sum(Field::Quantity), VALUE, 21)),
    ("value_ever", ever(Agg::Sum(Field::Quantity), VALUE)),
    ("pages", plain(Agg::Count, kind("page_viewed"), 30)),
    ("moments", ever(Agg::Count, LIFECYCLE)),
    ("left", plain(Agg::Count, kind("user_deactivated"), 60)),
    ("first_usage", ever(Agg::FirstTime, USAGE)),
    ("last_usage", ever(Agg::LastTime, USAGE)),
    ("quiet_days", ever(Agg::SinceLast, USAGE)),
    ("nps_last", ever(Agg::Last(SCORE), NPS)),
    ("pulse", ever(Agg::Last(Field::Property("points")), kind("pulse_recorded"))),
    ("csat_mean", plain(Agg::Mean(SCORE), CSAT, 60)),
    ("csat_median", plain(Agg::Quantile(SCORE, 0.5), CSAT, 60)),
    ("slow", plain(Agg::Quantile(DURATION, 0.9), USAGE, 28)),
    ("nps", plain(Agg::DecayedMean(SCORE, 15.0), NPS, 90)),
    ("usage_decayed", ever(Agg::DecayedSum(Some(Field::Quantity), 3.5), USAGE)),
    ("failures", plain(Agg::DecayedSum(None, 5.0), kind("payment_failed"), 40)),
    ("invoiced", plain(Agg::Sum(Field::Amount("EUR")), kind("invoice_issued"), 60)),
    ("invoiced_yen", ever(Agg::Sum(Field::Amount("JPY")), kind("invoice_issued"))),
    ("refunded", plain(Agg::Sum(Field::Amount("EUR")), kind("refund_issued"), 60)),
    ("granted", ever(Agg::Sum(Field::Quantity), kind("credits_granted"))),
    ("first_reply", plain(Agg::FirstReply, OPENED, 60)),
    ("resolution", plain(Agg::Resolution, OPENED, 60)),
    ("happiness", plain(Agg::Happiness, kind("ticket_rated"), 90)),
    ("reopened", share(kind("ticket_reopened"), kind("ticket_resolved"), 60, 1.0)),
    ("goals", share(kind("goal_met"), kind("goal_set"), 365, 1.0)),
    ("escalated", share(kind("ticket_escalated"), SUPPORT, 90, 4.0)),
    ("seats", Metric::Standing(Standing::Seats)),
    ("age", Metric::Standing(Standing::Age)),
    ("past_due_days", Metric::Standing(Standing::PastDueDays)),
    ("past_due", Metric::Standing(Standing::PastDue("EUR"))),
    ("past_due_dinar", Metric::Standing(Standing::PastDue("KWD"))),
    ("open_tickets", Metric::Standing(Standing::OpenTickets)),
    ("escalations", Metric::Standing(Standing::Escalations)),
    ("renewal", Metric::Standing(Standing::Renewal)),
    ("notice", Metric::Standing(Standing::Notice)),
    ("milestones", Metric::Standing(Standing::Milestones)),
    ("burn", Metric::Standing(Standing::Burn)),
    ("expected", Metric::Standing(Standing::Expected)),
    ("people_per_seat", Metric::PerSeat("people_7d")),
    ("regularity", Metric::Ratio("days_14d", "expected", f64::NEG_INFINITY)),
    ("usage_per_person", Metric::Ratio("usage_7d", "people_7d", 2.0)),
    ("escalated_open", Metric::Ratio("escalations", "open_tickets", f64::NEG_INFINITY)),
    ("usage_change", Metric::Change("events_open")),
    ("usage_own", Metric::Own("usage_7d", 5)),
    ("ever_own", Metric::Own("usage_ever", 4)),
    ("seat_own", Metric::Own("people_per_seat", 4)),
    ("regular_own", Metric::Own("regularity", 3)),
    ("escalated_own", Metric::Own("escalated_open", 4)),
    ("usage_slope", Metric::Slope("usage_7d", 6)),
];

/// The metric of this name.
pub fn metric(name: &str) -> Metric {
    METRICS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, metric)| *metric)
        .expect("metrics name each other")
}
