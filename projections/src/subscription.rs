//! Subscriptions: when one is live, which figures hold, and how its term rolls (health-model §2).

mod figures;
mod service;

use crate::calendar::Day;
use crate::event::{Micros, Money};
use crate::names::Names;
use crate::timeline::{Order, Timeline};
use figures::Figures;
use service::Service;

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
pub struct SubscriptionState {
    /// Service runs today.
    pub live: bool,
    /// Service ran on some day up to today.
    pub served: bool,
    /// It is a trial.
    pub trial: bool,
    /// A cancellation stands.
    pub cancelled: bool,
    /// Service is suspended today.
    pub paused: bool,
    /// The first day without service, once it has come; of one that begins again later, that of the last service.
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

    /// The day the figures name, else the day of the event.
    fn named_day(&self) -> Day {
        self.terms().and_then(|terms| terms.from).unwrap_or(self.day)
    }

    fn is_start(&self) -> bool {
        matches!(self.change, Change::Started(_) | Change::TrialStarted(_))
    }
}

type Entry = (Order, Recorded);

/// What is true of a subscription on `today`, from its own changes and the account-wide ones before `as_of`.
///
/// `None` while nothing of it was seen.
pub fn standing(
    own: &Timeline<Recorded>,
    account_wide: &Timeline<Recorded>,
    names: &Names,
    as_of: Micros,
    today: Day,
) -> Option<SubscriptionState> {
    let seen = own.before(as_of);
    let (_, first) = seen.first()?;
    let service = Service::on(seen, account_wide.before(as_of), names, today);
    let figures = Figures::on(seen, service.trial_start(), today);
    Some(SubscriptionState {
        live: service.is_live(),
        served: service.has_served(),
        trial: service.is_trial(),
        cancelled: service.cancelled_on().is_some(),
        paused: service.is_paused(),
        ended_on: service.ended_on(),
        term: figures.term(first.day, service.cancelled_on(), today),
        amount: figures.amount(),
        amount_per: figures.amount_per(),
        seats: figures.newest(|terms| terms.seats),
        plan: figures.newest(|terms| terms.plan.clone()),
        recurring: figures.newest(|terms| terms.recurring).unwrap_or(true),
        notice_days: figures.newest(|terms| terms.notice_days),
        commit: figures.newest(|terms| terms.commit),
    })
}

#[cfg(test)]
mod tests;
