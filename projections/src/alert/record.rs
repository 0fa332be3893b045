//! The alerts of one account: the fold of their transitions.

use super::change::Change;
use super::figures::Figures;
use crate::calendar::Day;
use crate::severity::Severity;

/// Where an alert stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AlertState {
    /// Its condition holds, not yet long enough.
    Pending,
    /// Open, and told.
    Open,
    /// Open, not told: it was true before anybody looked.
    Found,
    /// Open, not told yet: it waits for a person, or for three closed days.
    Held,
    /// Open, not told: another alert of the account says it.
    Inhibited,
    /// Its condition is gone; within the cool-down it would be the same alert.
    Resolved,
    /// Over. The same condition makes another alert.
    Closed,
}

impl AlertState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Open, Self::Found, Self::Held, Self::Inhibited, Self::Resolved, Self::Closed];

    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Found => "found",
            Self::Held => "held",
            Self::Inhibited => "inhibited",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Whether its condition is taken to hold.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Open | Self::Found | Self::Held | Self::Inhibited)
    }
}

/// Which alert of an account: at most one of a rule and a scope is not over.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot {
    /// The rule of the file, or of the fleet.
    pub rule: Box<str>,
    /// What of the account it is about: `account`, `service`, `subscription:X` …
    pub scope: Box<str>,
}

/// One transition, as it is decided and logged.
#[derive(Clone, PartialEq, Debug)]
pub struct Transition {
    /// The account; `*` of alerts of the fleet.
    pub account: Box<str>,
    /// Which alert of it.
    pub slot: Slot,
    /// What the alert is called: the rule, or the outcome of the drop detector.
    pub name: Box<str>,
    /// What became of it.
    pub change: Change,
    /// The day whose close decided it.
    pub day: Day,
    /// How severe it is.
    pub severity: Severity,
    /// Why it changed.
    pub cause: Box<str>,
    /// What it is about.
    pub figures: Figures,
    /// Which transition of its alert it is, from 1. A proposal whose alert changed meanwhile has a number that is taken.
    pub number: u32,
}

/// Open days in a row that an alert has counted since its last transition; what the calendar tells is not counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// On which the condition of a resolved one held again: towards `hold_days`.
    pub holding: u32,
    /// On which the condition of an open one did not hold: towards `keep_days`.
    pub gone: u32,
}

/// An alert as its transitions left it.
#[derive(Clone, PartialEq, Debug)]
pub struct Alert {
    /// Which alert of its account.
    pub slot: Slot,
    /// What it is called.
    pub name: Box<str>,
    /// Where it stands.
    pub state: AlertState,
    /// The day it first opened, or became pending: part of its identity.
    pub first_on: Day,
    /// The day of its newest opening; `None` while it only was pending.
    pub opened_on: Option<Day>,
    /// The day of its newest transition.
    pub changed_on: Day,
    /// How severe it is.
    pub severity: Severity,
    /// Why it last changed.
    pub cause: Box<str>,
    /// What it is about.
    pub figures: Figures,
    /// Transitions so far: the number of the newest.
    pub transitions: u32,
    /// How often it opened again within its cool-down.
    pub flaps: u32,
    /// Days counted since its newest transition.
    pub counts: Counts,
}

/// The alerts of one account, the newest of each slot, by slot.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AccountAlerts {
    alerts: Vec<Alert>,
}

impl AccountAlerts {
    /// All of them, by slot.
    pub fn all(&self) -> &[Alert] {
        &self.alerts
    }

    /// The newest alert of a slot.
    pub fn get(&self, slot: &Slot) -> Option<&Alert> {
        self.find(&slot.rule, &slot.scope)
    }

    /// The newest alert of a rule and scope.
    pub fn find(&self, rule: &str, scope: &str) -> Option<&Alert> {
        self.place(rule, scope).ok().map(|at| &self.alerts[at])
    }

    fn place(&self, rule: &str, scope: &str) -> Result<usize, usize> {
        self.alerts.binary_search_by(|alert| (&*alert.slot.rule, &*alert.slot.scope).cmp(&(rule, scope)))
    }

    /// Takes a transition in.
    pub fn apply(&mut self, transition: &Transition) {
        let Transition { slot, change, day, .. } = transition;
        let at = match self.place(&slot.rule, &slot.scope) {
            Ok(at) if self.alerts[at].state != AlertState::Closed => at,
            Ok(at) => {
                self.alerts[at] = Alert::new(transition);
                at
            }
            Err(at) => {
                self.alerts.insert(at, Alert::new(transition));
                at
            }
        };
        let alert = &mut self.alerts[at];
        let state = match change {
            Change::Pending => AlertState::Pending,
            Change::Open | Change::Released => AlertState::Open,
            Change::Found => AlertState::Found,
            Change::Held => AlertState::Held,
            Change::Inhibited => AlertState::Inhibited,
            Change::Resolved | Change::Corrected => AlertState::Resolved,
            Change::Closed => AlertState::Closed,
            Change::Updated if alert.state == AlertState::Found && transition.severity > alert.severity => {
                AlertState::Open
            }
            Change::Updated | Change::Acknowledged | Change::Snoozed => alert.state,
        };
        if alert.state == AlertState::Pending && state.is_active() {
            alert.first_on = *day;
        }
        if !alert.state.is_active() && state.is_active() {
            alert.flaps += u32::from(alert.state == AlertState::Resolved);
            alert.opened_on = Some(*day);
            alert.name = transition.name.clone();
        }
        alert.counts = Counts::default();
        alert.state = state;
        alert.changed_on = *day;
        alert.severity = transition.severity;
        alert.cause = transition.cause.clone();
        alert.figures = transition.figures.clone();
        alert.transitions = transition.number;
    }

    /// The number that the next transition of a slot has.
    pub fn next_number(&self, slot: &Slot) -> u32 {
        Alert::next_number(self.get(slot))
    }

    /// Takes over how many days an alert has counted.
    pub fn count(&mut self, slot: &Slot, counts: Counts) {
        if let Ok(at) = self.place(&slot.rule, &slot.scope) {
            self.alerts[at].counts = counts;
        }
    }
}

impl Alert {
    /// The number that the next transition has after an alert, which is `None` before the first. One that is over has a successor
    /// of its own.
    pub fn next_number(alert: Option<&Self>) -> u32 {
        alert.filter(|alert| alert.state != AlertState::Closed).map_or(1, |alert| alert.transitions + 1)
    }

    fn new(transition: &Transition) -> Self {
        Self {
            slot: transition.slot.clone(),
            name: transition.name.clone(),
            state: AlertState::Closed,
            first_on: transition.day,
            opened_on: None,
            changed_on: transition.day,
            severity: transition.severity,
            cause: transition.cause.clone(),
            figures: Figures::default(),
            transitions: 0,
            flaps: 0,
            counts: Counts::default(),
        }
    }
}
