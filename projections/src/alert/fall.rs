//! What a rule of the drop detector says of an account on a day.

use super::activity;
use super::figures::Figures;
use super::fleet::{Fleet, WHOLE_FLEET};
use super::life::{Finding, Outcome};
use super::record::Alert;
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::drop::baseline::{Baseline, present_level};
use crate::drop::decline::{Decline, decline};
use crate::drop::fleet_pattern::open_index;
use crate::drop::fleet_prior::fleet_c0;
use crate::drop::history::{DAYS, History, WEEK, WEEKS};
use crate::drop::parameters::Parameters;
use crate::drop::verdict::{self, Evidence, Verdict};
use crate::rules::DROP_OUTCOMES;
use crate::rules::kind::Drop;
use crate::severity::Severity;
use crate::value::Value;

/// The activity is back at this share of the level that was frozen when the alert opened (drop-detection §4).
const BACK_SHARE: f64 = 0.75;
/// An alert that resolved a short while ago opens again only where p is this many times smaller.
const REOPEN_DIVISOR: f64 = 10.0;
/// Days from the opening of a drop in which a slow decline is the same loss (alerts §2).
const DECLINE_AFTER_DROP_DAYS: i64 = 28;
/// The age from which an account is judged at all: that of the silence test.
const AGE_DAYS_MIN: i64 = 21;

pub(super) const ACTIVITY_DROP: &str = DROP_OUTCOMES[0];
pub(super) const GONE_SILENT: &str = DROP_OUTCOMES[1];
const SLOW_DECLINE: &str = DROP_OUTCOMES[2];

/// The activity of an account as one rule looks at it on a day.
pub struct Activity {
    counts: [f64; DAYS],
    factors: [f64; DAYS],
    weeks: [f64; WEEKS],
    shares: [f64; WEEK],
    age_days: u32,
    parameters: Parameters,
}

/// The group of an account: the value of a fact, where that has factors of its own.
pub fn group_of<'a>(account_at: &AccountAt<'a>, rule: &Drop) -> Option<&'a str> {
    account_at.fact(rule.segment_by.as_deref()?).and_then(Value::as_text).filter(|group| !group.is_empty())
}

impl Activity {
    /// What is known on a day; `None` of an account that is too young, or was never used.
    pub fn of(
        account_at: &AccountAt<'_>,
        rule: &Drop,
        series: usize,
        fleet: &Fleet,
        day: Day,
    ) -> Option<Self> {
        let age = day.since(activity::live_from(account_at)?) + 1;
        if age < AGE_DAYS_MIN {
            return None;
        }
        let group = group_of(account_at, rule).filter(|group| fleet.has(group)).unwrap_or(WHOLE_FLEET);
        let counts = activity::counts(account_at, series, day);
        let (mut factors, mut weeks) = (fleet.factors(group, day), fleet.weeks(group));
        let closed = account_at.closed();
        let defaults = Parameters::default();
        let c0 = fleet.c0.map_or_else(|| fleet_c0([]), |(c0, _)| c0);
        let age_days = u32::try_from(age).unwrap_or(u32::MAX);
        if !closed.is_empty() {
            let is_closed = |place: usize| closed.contains(day.plus(place as i64 + 1 - DAYS as i64));
            (0..DAYS).filter(|place| is_closed(*place)).for_each(|place| factors[place] = 0.0);
            let history =
                History { counts: &counts, factors: &factors, age_days, fleet_shares: &fleet.shares };
            weeks = open_index(&weeks, &history.shares(), is_closed);
        }
        let parameters = Parameters { alpha: rule.alpha, drop_min: rule.drop_min, c0, ..defaults };
        Some(Self { counts, factors, weeks, shares: fleet.shares, age_days, parameters })
    }

    fn history(&self) -> History<'_> {
        History {
            counts: &self.counts,
            factors: &self.factors,
            age_days: self.age_days,
            fleet_shares: &self.shares,
        }
    }

    /// The weeks that tell how much weeks vary in the fleet.
    pub fn baseline(&self) -> Baseline {
        Baseline::of_account(&self.history(), self.parameters.dark)
    }

    /// Activity of a usual week: what a return is held against.
    fn level(&self) -> f64 {
        let usual = || self.counts[..DAYS - WEEK].iter().sum::<f64>() / (WEEKS - 1) as f64;
        self.baseline().level().unwrap_or_else(usual)
    }

    /// What the detector says, beside the alert of the same scope.
    pub fn outcome(&self, alert: Option<&Alert>, day: Day) -> Outcome {
        let active = alert.filter(|alert| alert.state.is_active());
        let level = active.and_then(|alert| alert.figures.level);
        if let Some(level) = level {
            match present_level(&self.history(), self.parameters.dark) {
                None => return Outcome::Missing,
                Some(present) if present >= BACK_SHARE * level => return Outcome::Gone,
                Some(_) => {}
            }
        }
        if let Some(verdict) = verdict::alert(&self.history(), &self.parameters) {
            return Outcome::Found(self.fallen(&verdict, level));
        }
        if active.is_some() {
            return Outcome::Holds;
        }
        let dropped_lately = alert.is_some_and(|alert| {
            let since = alert.opened_on.map(|opened| day.since(opened));
            *alert.name != *SLOW_DECLINE && since.is_some_and(|days| days <= DECLINE_AFTER_DROP_DAYS)
        });
        let declined = || decline(&self.counts, self.age_days, &self.weeks, &self.parameters);
        match declined().filter(|decline| decline.is_alert && !dropped_lately) {
            Some(decline) => Outcome::Found(self.declined(&decline)),
            None => Outcome::Gone,
        }
    }

    fn fallen(&self, verdict: &Verdict, level: Option<f64>) -> Finding {
        let name = match verdict.evidence {
            Evidence::Silence(_) => GONE_SILENT,
            _ => ACTIVITY_DROP,
        };
        let figures = Figures {
            p: Some(verdict.p),
            drop: verdict.drop,
            expected: verdict.expected,
            level: Some(level.unwrap_or_else(|| self.level())),
            text: verdict.text().unwrap_or_default().into(),
            ..Figures::default()
        };
        Finding {
            name: name.into(),
            severity: verdict.severity.unwrap_or(Severity::Low),
            figures,
            reopens: verdict.p <= self.parameters.alpha / REOPEN_DIVISOR,
        }
    }

    fn declined(&self, decline: &Decline) -> Finding {
        let text = format!(
            "{:.0} events in the last 2 weeks against {:.0} expected (level of 6 weeks, three months back); {:+.0} % fitted over 7 weeks",
            decline.count,
            decline.expected,
            decline.change * 100.0
        );
        let figures = Figures {
            p: Some(decline.p),
            drop: Some(decline.drop),
            expected: Some(decline.expected),
            level: Some(self.level()),
            text: text.into(),
            ..Figures::default()
        };
        Finding {
            name: SLOW_DECLINE.into(),
            severity: Severity::Medium,
            figures,
            reopens: decline.p <= self.parameters.decline_alpha / REOPEN_DIVISOR,
        }
    }
}

/// Whether an alert of this name is one of sudden loss: those are counted towards a storm.
pub fn is_sudden(name: &str) -> bool {
    name == ACTIVITY_DROP || name == GONE_SILENT
}
