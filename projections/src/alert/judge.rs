//! What the rules say of one account on a day, whatever its alerts are.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::fall::Activity;
use super::figures::Figures;
use super::fleet::Fleet;
use super::life::{Finding, Outcome};
use super::record::AccountAlerts;
use super::watch::{Source, Watch};
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::days::Slot;
use crate::health::profile;
use crate::names::Symbol;
use crate::rules::kind::Kind;
use crate::rules::metric_tests::MetricTests;
use crate::rules::rule::Rule;
use crate::series::Series;
use crate::severity::Severity;
use crate::subscription::{Change, Recorded};
use crate::vocabulary::Status;

/// The scope of alerts about the whole account.
pub const SCOPE_ACCOUNT: &str = "account";
/// Days after a pause in which no rule is on (alerts §3).
const AFTER_PAUSE_DAYS: i64 = 14;

/// The score and band of an account at the end of a day.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct DayScore {
    /// From 0 to 100; `None` where it has none.
    pub score: Option<f64>,
    /// The band, by its place in the adopted model; `None` without a score.
    pub band: Option<usize>,
}

/// Knows the scores of accounts at the ends of days.
pub trait Scores: Sync {
    /// That of an account; `None` where it is not known.
    fn at(&self, account: Symbol, day: Day) -> Option<DayScore>;
}

/// Scores of nobody: for rules that look at none.
pub struct NoScores;

impl Scores for NoScores {
    fn at(&self, _: Symbol, _: Day) -> Option<DayScore> {
        None
    }
}

/// What everybody is judged by on a day.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    /// The rules.
    pub watch: &'a Watch,
    /// What is usual in the fleet, by rule of the detector.
    pub fleets: &'a BTreeMap<Box<str>, Fleet>,
    /// Scores at the ends of days.
    pub scores: &'a dyn Scores,
    /// The day that closed.
    pub day: Day,
}

/// What one rule says of an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// The rule, by its place in the file.
    pub rule: usize,
    /// What of the account it looks at.
    pub scope: Box<str>,
    /// What it says.
    pub outcome: Outcome,
    /// Whether the detector had enough to go by: storms are held against their number.
    pub is_measured: bool,
}

impl Bench<'_> {
    /// What every rule says of an account at the end of the day.
    pub fn judge(&self, account_at: &AccountAt<'_>, alerts: &AccountAlerts) -> Vec<Judged> {
        let status = account_at.since().status;
        let over = match status {
            _ if account_at.is_vendors() => Some("excluded"),
            Status::Ended | Status::Closed => Some("left"),
            Status::Merged => Some("merged"),
            _ => None,
        };
        let after_pause = over.is_none() && was_paused_lately(account_at);
        let rules = self.watch.rules.rules.iter().enumerate();
        let judge = |(place, rule): (usize, &Rule)| {
            let scope: Box<str> = match &rule.kind {
                Kind::Drop(drop) => drop.scope.name().into(),
                _ => SCOPE_ACCOUNT.into(),
            };
            let applies = || rule.when.as_ref().is_none_or(|when| profile::holds(when, account_at));
            let (outcome, is_measured) = match over {
                Some(cause) => (Outcome::Over(cause), false),
                None if after_pause || !rule.statuses.contains(&status) || !applies() => {
                    (Outcome::NotJudged, false)
                }
                None => self.outcome(place, rule, &scope, account_at, alerts),
            };
            Judged { rule: place, scope, outcome, is_measured }
        };
        rules.map(judge).collect()
    }

    fn outcome(
        &self,
        place: usize,
        rule: &Rule,
        scope: &str,
        account_at: &AccountAt<'_>,
        alerts: &AccountAlerts,
    ) -> (Outcome, bool) {
        let outcome = match (&rule.kind, self.watch.source(place)) {
            (Kind::Drop(drop), Source::Series(series)) => {
                let fleet = self.fleets.get(rule.name.as_str());
                let activity =
                    fleet.and_then(|fleet| Activity::of(account_at, drop, *series, fleet, self.day));
                let is_measured = activity.is_some();
                let outcome =
                    activity.map(|activity| activity.outcome(alerts.find(&rule.name, scope), self.day));
                return (outcome.unwrap_or(Outcome::NotJudged), is_measured);
            }
            (Kind::Metrics(tests), Source::Metrics(places)) => metrics(rule, tests, places, account_at),
            (Kind::Event(_), Source::Series(series)) => events(rule, *series, account_at, self.day),
            (Kind::Band(bands), _) => self.band(rule, bands, account_at),
            (Kind::Points { points, within_days }, _) => self.fell(rule, *points, *within_days, account_at),
            _ => Outcome::NotJudged,
        };
        (outcome, false)
    }

    fn band(&self, rule: &Rule, bands: &[(String, Severity)], account_at: &AccountAt<'_>) -> Outcome {
        let Some(DayScore { score, band: Some(band) }) = self.scores.at(account_at.survivor, self.day) else {
            return Outcome::Missing;
        };
        let scoring = account_at.context().plan.model.scoring.as_ref();
        let Some(band) = scoring.ok().and_then(|scoring| scoring.bands.get(band)) else {
            return Outcome::Missing;
        };
        let Some((name, severity)) = bands.iter().find(|(name, _)| *name == band.name) else {
            return Outcome::Gone;
        };
        let text = match score {
            Some(score) => format!("the band is {name}, at a score of {score:.1}"),
            None => format!("the band is {name}"),
        };
        let values = score.into_iter().map(|score| ("score".into(), score)).collect();
        found(rule, *severity, Figures { values, text: text.into(), ..Figures::default() })
    }

    /// Whether the score lies so far below its highest of the days before.
    fn fell(&self, rule: &Rule, points: f64, within_days: u32, account_at: &AccountAt<'_>) -> Outcome {
        let score = |day: Day| self.scores.at(account_at.survivor, day)?.score;
        let Some(now) = score(self.day) else { return Outcome::Missing };
        let days = (1..=i64::from(within_days)).map(|back| self.day.plus(-back));
        let before = days.filter_map(|day| Some((score(day)?, day)));
        let highest = before.reduce(|best, other| if other.0 > best.0 { other } else { best });
        let Some((highest, day)) = highest else { return Outcome::Missing };
        if highest - now < points {
            return Outcome::Gone;
        }
        let text = format!("the score fell from {highest:.1} on {} to {now:.1}", day.to_text());
        let values = vec![("from".into(), highest), ("score".into(), now)];
        let severity = rule.severity.unwrap_or(Severity::Low);
        found(rule, severity, Figures { values, text: text.into(), ..Figures::default() })
    }
}

fn found(rule: &Rule, severity: Severity, figures: Figures) -> Outcome {
    Outcome::Found(Finding { name: rule.name.as_str().into(), severity, figures, reopens: true })
}

fn metrics(rule: &Rule, tests: &MetricTests, places: &[usize], account_at: &AccountAt<'_>) -> Outcome {
    let model = &account_at.context().plan.model;
    if !account_at.is_exact(model.lookback_days(places)) {
        return Outcome::Missing;
    }
    let number = |place: usize| account_at.metric(place).and_then(|value| value.number());
    let value = |name: &str| {
        let at = tests.tests.iter().position(|test| test.metric == name)?;
        number(places[at])
    };
    match tests.hold(value) {
        None => Outcome::Missing,
        Some(false) => Outcome::Gone,
        Some(true) => {
            let mut text = String::new();
            let mut values = Vec::new();
            for (test, place) in tests.tests.iter().zip(places) {
                let Some(value) = number(*place).filter(|value| test.holds(*value)) else { continue };
                let joint = if text.is_empty() { "" } else { ", " };
                let _infallible = write!(text, "{joint}{} is {}", test.metric, Short(value));
                values.push((test.metric.as_str().into(), value));
            }
            let severity = rule.severity.unwrap_or(Severity::Low);
            found(rule, severity, Figures { values, text: text.into(), ..Figures::default() })
        }
    }
}

/// A number with at most three digits behind the point.
struct Short(f64);

impl std::fmt::Display for Short {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{:.3}", self.0);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Whether such an event happened on the day.
fn events(rule: &Rule, series: usize, account_at: &AccountAt<'_>, day: Day) -> Outcome {
    let happened = account_at.members().iter().filter_map(|member| match member.series(series) {
        Some(Series::Activity(days)) => {
            let of_day = days.between(day, Slot::end_of(day));
            Some(of_day.iter().map(|(_, activity)| activity.events).sum::<u64>())
        }
        _ => None,
    });
    let count: u64 = happened.sum();
    if count == 0 {
        return Outcome::Gone;
    }
    let what = rule.name.replace('_', " ");
    let text = match count {
        1 => format!("{what} on {}", day.to_text()),
        _ => format!("{what}, {count} times on {}", day.to_text()),
    };
    let values = vec![("events".into(), count as f64)];
    let severity = rule.severity.unwrap_or(Severity::Low);
    found(rule, severity, Figures { values, text: text.into(), ..Figures::default() })
}

/// Whether the account was paused at the end of one of the last days.
fn was_paused_lately(account_at: &AccountAt<'_>) -> bool {
    let pauses = |recorded: &Recorded| matches!(recorded.change, Change::Paused { .. });
    let may_have = account_at.members().iter().any(|member| {
        let of_all = member.account_wide.all().iter().any(|(_, recorded)| pauses(recorded));
        of_all
            || member
                .subscriptions
                .iter()
                .any(|(_, line)| line.all().iter().any(|(_, recorded)| pauses(recorded)))
    });
    may_have
        && (1..=AFTER_PAUSE_DAYS)
            .any(|back| account_at.at_end_of(account_at.today.plus(-back)).since().status == Status::Paused)
}
