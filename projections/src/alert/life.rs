//! The life of one alert: what a closed day makes of it (alerts §1).
//!
//! A state machine without a clock: it takes where the alert stands and what its rule says of a day, and gives the transition,
//! or the days counted, that follow. Whether what would open is told, found, held or inhibited is decided by whoever looks at
//! the whole close.

use std::cmp::Ordering;

use super::change::Change;
use super::figures::Figures;
use super::record::{Alert, AlertState, Counts};
use crate::calendar::Day;
use crate::rules::kind::Kind;
use crate::rules::rule::Rule;
use crate::rules::shared::Missing;
use crate::settings::Closed;
use crate::severity::Severity;

/// Closed days after which what is held and still holds is released (alerts §5).
const HELD_DAYS_MAX: u32 = 3;
/// Days after which a lower activity is the new normal (drop-detection §4).
const NEW_NORMAL_DAYS: i64 = 90;

/// The cause of what the condition itself brought about.
pub(super) const CONDITION: &str = "condition";
/// The cause of an opening within the cool-down.
pub(super) const FLAP: &str = "flap";
/// The cause of an end without the condition.
pub(super) const PASSED: &str = "passed";

/// What a rule found of an account on a day.
#[derive(Clone, PartialEq, Debug)]
pub struct Finding {
    /// What its alert is called.
    pub name: Box<str>,
    /// How severe it is.
    pub severity: Severity,
    /// What it is about.
    pub figures: Figures,
    /// Whether it is sure enough to open an alert again that resolved a short while ago.
    pub reopens: bool,
}

/// What a rule says of an account on a day.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The account is not judged by the rule on this day; what is open stays as it is.
    NotJudged,
    /// It will not be judged any more, and why: what is open is over.
    Over(&'static str),
    /// Its input is missing.
    Missing,
    /// The condition does not hold.
    Gone,
    /// The condition holds, as it did when the alert opened: it has no figures of its own.
    Holds,
    /// The condition holds.
    Found(Finding),
}

/// What a day makes of an alert.
#[derive(Clone, PartialEq, Debug)]
pub enum Next {
    /// Nothing.
    Same,
    /// Days were counted.
    Count(Counts),
    /// A transition; of an opening one with what was found, else with the figures that it has.
    Change {
        /// What becomes of it.
        change: Change,
        /// Why.
        cause: Box<str>,
        /// What was found, where that is new.
        finding: Option<Finding>,
    },
}

impl Next {
    fn change(change: Change, cause: &str) -> Self {
        Self::Change { change, cause: cause.into(), finding: None }
    }

    fn found(change: Change, cause: &str, finding: Finding) -> Self {
        Self::Change { change, cause: cause.into(), finding: Some(finding) }
    }
}

/// A day as an account lives it: only its open days are counted.
#[derive(Clone, Copy, Debug)]
pub struct Today<'a> {
    /// The day.
    pub day: Day,
    /// The account's closed days.
    pub closed: &'a Closed,
}

impl Today<'_> {
    /// Whether it is an open day of the account.
    pub fn is_open(&self) -> bool {
        !self.closed.contains(self.day)
    }

    /// Open days after another one, this one included.
    fn open_days_since(&self, other: Day) -> u32 {
        let days = self.day.since(other).max(0);
        let open = match self.closed.is_empty() {
            true => days,
            false => (0..days).filter(|back| !self.closed.contains(self.day.plus(-back))).count() as i64,
        };
        u32::try_from(open).unwrap_or(u32::MAX)
    }
}

/// What a day makes of the alert of a rule; `alert` is `None` before the first.
pub fn step(alert: Option<&Alert>, rule: &Rule, outcome: Outcome, today: Today<'_>) -> Next {
    let outcome = match (outcome, rule.missing) {
        (Outcome::Missing, Missing::Ok) => Outcome::Gone,
        (Outcome::Missing, Missing::Alert) => Outcome::Found(unheard(rule)),
        (outcome, _) => outcome,
    };
    let Some(alert) = alert.filter(|alert| alert.state != AlertState::Closed) else {
        return match outcome {
            Outcome::Found(finding) => begin(rule, finding, today),
            _ => Next::Same,
        };
    };
    if let Outcome::Over(cause) = outcome {
        return Next::change(Change::Closed, cause);
    }
    match alert.state {
        AlertState::Pending => pending(alert, rule, outcome, today),
        AlertState::Resolved => resolved(alert, rule, outcome, today),
        _ => active(alert, rule, outcome, today),
    }
}

/// What stands for a condition whose input is missing where the rule takes that for bad news.
fn unheard(rule: &Rule) -> Finding {
    let figures = Figures { text: "no data".into(), ..Figures::default() };
    Finding {
        name: rule.name.as_str().into(),
        severity: rule.severity.unwrap_or(Severity::Low),
        figures,
        reopens: true,
    }
}

fn begin(rule: &Rule, finding: Finding, today: Today<'_>) -> Next {
    // A closed day counts for nothing, save that an event does not happen again on the next open one.
    if !today.is_open() && !matches!(rule.kind, Kind::Event(_)) {
        return Next::Same;
    }
    let change = if rule.hold_days <= 1 { Change::Open } else { Change::Pending };
    Next::found(change, CONDITION, finding)
}

fn pending(alert: &Alert, rule: &Rule, outcome: Outcome, today: Today<'_>) -> Next {
    match outcome {
        Outcome::Found(finding) => {
            // The day on which it became pending was the first.
            if 1 + today.open_days_since(alert.changed_on) < rule.hold_days {
                return Next::Same;
            }
            Next::found(Change::Open, CONDITION, finding)
        }
        Outcome::Gone => Next::change(Change::Closed, PASSED),
        _ => Next::Same,
    }
}

fn active(alert: &Alert, rule: &Rule, outcome: Outcome, today: Today<'_>) -> Next {
    let is_told = matches!(alert.state, AlertState::Open | AlertState::Held);
    let end = |cause: &str| Next::change(if is_told { Change::Resolved } else { Change::Closed }, cause);
    let is_drop = matches!(rule.kind, Kind::Drop(_));
    let opened_on = alert.opened_on.unwrap_or(alert.first_on);
    if is_drop && today.day.since(opened_on) >= NEW_NORMAL_DAYS {
        return end("new_normal");
    }
    match outcome {
        Outcome::Gone => {
            let gone = alert.counts.gone + u32::from(today.is_open());
            if gone >= rule.keep_days {
                return end(if is_drop { "back" } else { PASSED });
            }
            counted(alert, Counts { holding: 0, gone })
        }
        Outcome::Found(finding) if is_news(alert, &finding, is_drop) => {
            let cause: Box<str> = match finding.severity.cmp(&alert.severity) {
                Ordering::Greater => "worse".into(),
                Ordering::Less if !is_drop => "better".into(),
                _ => finding.name.clone(),
            };
            Next::Change { change: Change::Updated, cause, finding: Some(finding) }
        }
        Outcome::Found(_) | Outcome::Holds => {
            let is_held = alert.state == AlertState::Held;
            if is_held && today.open_days_since(alert.changed_on) >= HELD_DAYS_MAX {
                return Next::change(Change::Released, "still_holds");
            }
            counted(alert, Counts::default())
        }
        _ => Next::Same,
    }
}

/// A rise in severity is news, and so is another outcome of the detector, the first time. A fall is one too, save that of a
/// detector, whose severity changes from day to day with the week it looks at.
fn is_news(alert: &Alert, finding: &Finding, is_drop: bool) -> bool {
    let is_other = finding.name != alert.name && alert.cause != finding.name;
    let has_changed = match finding.severity.cmp(&alert.severity) {
        Ordering::Greater => true,
        Ordering::Less => !is_drop,
        Ordering::Equal => false,
    };
    alert.state != AlertState::Held && (is_other || has_changed)
}

fn resolved(alert: &Alert, rule: &Rule, outcome: Outcome, today: Today<'_>) -> Next {
    let since = today.open_days_since(alert.changed_on);
    if let Outcome::Found(finding) = outcome
        && finding.reopens
        && since <= rule.cooldown_days
    {
        let holding = alert.counts.holding + u32::from(today.is_open());
        if holding >= rule.hold_days {
            return Next::found(Change::Open, FLAP, finding);
        }
        return counted(alert, Counts { holding, gone: 0 });
    }
    if since >= rule.cooldown_days {
        return Next::change(Change::Closed, "cooled_down");
    }
    counted(alert, Counts::default())
}

fn counted(alert: &Alert, counts: Counts) -> Next {
    if alert.counts == counts { Next::Same } else { Next::Count(counts) }
}
