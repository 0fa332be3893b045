//! What makes a rule fire (alerts §7).

use toml::{Table, Value as Toml};

use super::PERIOD_DAYS_MAX;
use super::metric_tests::MetricTests;
use crate::filter::{Filter, bad_value};
use crate::model::document::{
    check_keys, check_useful, days, number, refused, required, table, text, whole, word,
};
use crate::model_error::ModelError;
use crate::severity::Severity;

/// What makes a rule fire.
#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// The drop detector over a series of days. Its outcome names the alert, and its severity is the detector's own.
    Drop(Drop),
    /// The closed band is one of these; each with its severity.
    Band(Vec<(String, Severity)>),
    /// The score fell by at least so many points within so many days.
    Points {
        /// From 0 to 100.
        points: f64,
        /// Days of the comparison.
        within_days: u32,
    },
    /// A condition on metrics of the adopted model.
    Metrics(MetricTests),
    /// An event that passes a filter happened.
    Event(Filter),
    /// A milestone is overdue by so many days.
    MilestoneOverdue {
        /// Days beyond the day it was due.
        days: u32,
    },
    /// A renewal is near, and the account does not look as if it would renew.
    Renewal(Renewal),
    /// A person who carries much of the account went silent or left.
    KeyUser {
        /// The share of the account's active person-days of eight weeks that makes a person a key user.
        share_min: f64,
        /// Open days of silence.
        silent_days: u32,
    },
    /// No contact for so many days, by tier.
    Touchpoint(Vec<(String, u32)>),
}

/// A rule of the drop detector.
#[derive(Clone, PartialEq, Debug)]
pub struct Drop {
    /// Which series of the account it looks at.
    pub scope: Scope,
    /// The events of the series.
    pub filter: Filter,
    /// The adjusted p at which an alert opens.
    pub alpha: f64,
    /// The least drop, as a share.
    pub drop_min: f64,
    /// The fact whose values make segments with factors of their own; `None`: the fleet's.
    pub segment_by: Option<String>,
}

/// What of an account an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All of it.
    Account,
    /// What services do on its behalf.
    Service,
}

impl Scope {
    /// The name in rule files and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Service => "service",
        }
    }
}

/// When a renewal is at risk.
#[derive(Clone, PartialEq, Debug)]
pub struct Renewal {
    /// Days before the decision, and the severity from then on; the furthest first.
    pub stages: Vec<(u32, Severity)>,
    /// Days without contact that are a risk.
    pub contact_days: u32,
}

/// The key that says what makes a rule fire, and what may stand beside it.
struct Grammar {
    key: &'static str,
    beside: &'static [&'static str],
    /// Whether the rule states its severity, and must.
    takes_severity: bool,
}

const GRAMMARS: [Grammar; 10] = [
    Grammar {
        key: "detector",
        beside: &["scope", "filter", "alpha", "drop_min", "segment_by"],
        takes_severity: false,
    },
    Grammar { key: "band", beside: &[], takes_severity: false },
    Grammar { key: "points", beside: &["within_days"], takes_severity: true },
    Grammar { key: "any", beside: &[], takes_severity: true },
    Grammar { key: "all", beside: &[], takes_severity: true },
    Grammar { key: "event", beside: &[], takes_severity: true },
    Grammar { key: "milestone_overdue_days", beside: &[], takes_severity: true },
    Grammar { key: "stages", beside: &["contact_days"], takes_severity: false },
    Grammar { key: "share_min", beside: &["silent_days"], takes_severity: true },
    Grammar { key: "every_days", beside: &[], takes_severity: true },
];

const SEVERITY: &str = "severity";
const SCOPES: [&str; 2] = ["account", "service"];
/// The greatest alpha: beyond it an alert says nothing.
const ALPHA_MAX: f64 = 0.1;
const SHARE: &str = "a share above 0, at most 1";

fn is_share(share: f64) -> bool {
    0.0 < share && share <= 1.0
}

impl Kind {
    /// Reads what makes a rule fire, and its severity where the rule states one; `shared` are the keys of every rule.
    pub(super) fn read(
        declared: &Table,
        path: &str,
        shared: &[&str],
    ) -> Result<(Self, Option<Severity>), ModelError> {
        let grammar = grammar_of(declared, path, shared)?;
        let reading = Reading { declared, path, what: format!("a rule by {:?}", grammar.key) };
        reading.check_keys(grammar, shared)?;
        let severity = match grammar.takes_severity {
            true => Some(read_severity(reading.required(SEVERITY)?, &reading.at(SEVERITY))?),
            false => None,
        };
        let value = &declared[grammar.key];
        let at = reading.at(grammar.key);
        let kind = match grammar.key {
            "detector" => Self::Drop(reading.drop(value)?),
            "band" => Self::Band(read_severities(value, &at, "a table of bands and severities")?),
            "points" => Self::Points {
                points: number(value, &at, "a number of points above 0, at most 100", |points| {
                    0.0 < points && points <= 100.0
                })?,
                within_days: days(reading.required("within_days")?, &reading.at("within_days"))?,
            },
            "any" | "all" => Self::Metrics(MetricTests::read(value, &at, grammar.key == "all")?),
            "event" => Self::Event(read_event(value, &at)?),
            "milestone_overdue_days" => {
                Self::MilestoneOverdue { days: whole(value, &at, 0, PERIOD_DAYS_MAX)? }
            }
            "stages" => Self::Renewal(Renewal {
                stages: read_stages(value, &at)?,
                contact_days: days(reading.required("contact_days")?, &reading.at("contact_days"))?,
            }),
            "share_min" => Self::KeyUser {
                share_min: number(value, &at, SHARE, is_share)?,
                silent_days: days(reading.required("silent_days")?, &reading.at("silent_days"))?,
            },
            _ => Self::Touchpoint(read_rhythms(value, &at)?),
        };
        Ok((kind, severity))
    }
}

/// What the one key says that makes the rule fire.
fn grammar_of(declared: &Table, path: &str, shared: &[&str]) -> Result<&'static Grammar, ModelError> {
    let beside = GRAMMARS.iter().flat_map(|grammar| grammar.beside);
    let own = GRAMMARS.iter().map(|grammar| grammar.key).chain(beside.copied()).chain([SEVERITY]);
    let valid: Vec<&str> = own.chain(shared.iter().copied()).collect();
    check_keys(declared, path, &valid)?;
    let mut found = GRAMMARS.iter().filter(|grammar| declared.contains_key(grammar.key));
    match (found.next(), found.next()) {
        (Some(grammar), None) => Ok(grammar),
        (Some(one), Some(other)) => {
            let reason =
                format!("{:?} and {:?} both say when it fires; make two rules of it", one.key, other.key);
            Err(refused(path, reason))
        }
        (None, _) => {
            let keys: Vec<&str> = GRAMMARS.iter().map(|grammar| grammar.key).collect();
            Err(refused(path, format!("nothing says when it fires; give it one of {}", keys.join(", "))))
        }
    }
}

/// A rule on its way in.
struct Reading<'a> {
    declared: &'a Table,
    path: &'a str,
    /// What it is, for errors.
    what: String,
}

impl Reading<'_> {
    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn required(&self, key: &str) -> Result<&Toml, ModelError> {
        required(self.declared, key, self.path, &self.what)
    }

    /// Refuses keys that other rules take and this one does not.
    fn check_keys(&self, grammar: &Grammar, shared: &[&str]) -> Result<(), ModelError> {
        let severity = grammar.takes_severity.then_some(SEVERITY);
        let own = [grammar.key].into_iter().chain(grammar.beside.iter().copied()).chain(severity);
        let valid: Vec<&str> = own.chain(shared.iter().copied()).collect();
        check_useful(self.declared, self.path, &self.what, &valid)
    }

    fn drop(&self, detector: &Toml) -> Result<Drop, ModelError> {
        word(detector, &self.at("detector"), &["drop"])?;
        let scope = match self.declared.get("scope") {
            Some(scope) if word(scope, &self.at("scope"), &SCOPES)? == "service" => Scope::Service,
            _ => Scope::Account,
        };
        let at = self.at("filter");
        let filter = table(self.required("filter")?, &at, "a table of conditions on events")?;
        let alpha = number(
            self.required("alpha")?,
            &self.at("alpha"),
            "a probability above 0, at most 0.1",
            |alpha| 0.0 < alpha && alpha <= ALPHA_MAX,
        )?;
        let drop_min = number(self.required("drop_min")?, &self.at("drop_min"), SHARE, is_share)?;
        let segment_by = match self.declared.get("segment_by") {
            Some(fact) => {
                let path = self.at("segment_by");
                let fact = text(fact, &path)?;
                Some(fact.to_owned()).filter(|fact| !fact.is_empty())
            }
            None => None,
        };
        Ok(Drop { scope, filter: Filter::parse(filter, &at)?, alpha, drop_min, segment_by })
    }
}

/// A severity by its name.
pub(super) fn read_severity(declared: &Toml, path: &str) -> Result<Severity, ModelError> {
    let name = word(declared, path, &Severity::ALL.map(Severity::name))?;
    Ok(Severity::from_name(name).expect("it is one of them"))
}

fn read_severities(
    declared: &Toml,
    path: &str,
    expected: &str,
) -> Result<Vec<(String, Severity)>, ModelError> {
    let named = table(declared, path, expected)?;
    if named.is_empty() {
        return Err(bad_value(path, declared, expected));
    }
    let read = |(name, severity): (&String, &Toml)| {
        Ok((name.clone(), read_severity(severity, &format!("{path}.{name}"))?))
    };
    named.iter().map(read).collect()
}

/// Stages by their days before the decision.
fn read_stages(declared: &Toml, path: &str) -> Result<Vec<(u32, Severity)>, ModelError> {
    let named = read_severities(declared, path, "a table of days before the decision and severities")?;
    let mut stages = Vec::with_capacity(named.len());
    for (days, severity) in named {
        let Some(days) = days.parse().ok().filter(|days| *days > 0) else {
            let reason = format!("the key {days:?} is no whole number of days above 0");
            return Err(refused(path, reason));
        };
        stages.push((days, severity));
    }
    stages.sort_unstable_by_key(|(days, _): &(u32, Severity)| std::cmp::Reverse(*days));
    Ok(stages)
}

fn read_rhythms(declared: &Toml, path: &str) -> Result<Vec<(String, u32)>, ModelError> {
    let expected = "a table of tiers and days";
    let tiers = table(declared, path, expected)?;
    if tiers.is_empty() {
        return Err(bad_value(path, declared, expected));
    }
    let read =
        |(tier, rhythm): (&String, &Toml)| Ok((tier.clone(), days(rhythm, &format!("{path}.{tier}"))?));
    tiers.iter().map(read).collect()
}

fn read_event(declared: &Toml, path: &str) -> Result<Filter, ModelError> {
    let conditions = table(declared, path, "a table of conditions on events")?;
    required(conditions, "type", path, "an event")?;
    Filter::parse(conditions, path)
}
