//! The status of an account (health-model §2).

use std::borrow::Borrow;

use crate::account::Account;
use crate::calendar::Day;
use crate::context::Context;
use crate::decimal::{Decimal, QUANTITY_DIGITS};
use crate::event::Micros;
use crate::names::Symbol;
use crate::subscription::{self, SubscriptionState};
use crate::value::Value;
pub use crate::vocabulary::Status;

/// A status and the day it became so, where that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// The status.
    pub status: Status,
    /// The first day of it; of `ended`, day 1 of no service.
    pub since: Option<Day>,
}

/// What is true at an instant of every subscription, with its id, of the accounts that count together; in their order.
pub fn subscription_states<'a>(
    context: Context<'_>,
    members: &[&'a Account],
    as_of: Micros,
) -> Vec<(&'a str, SubscriptionState)> {
    let today = context.plan.calendar.day(as_of - 1);
    let of_one = |member: &&'a Account| {
        let Account { subscriptions, account_wide, .. } = *member;
        subscriptions.iter().filter_map(move |(id, line)| {
            let standing = subscription::standing(line, account_wide, context.names, as_of, today)?;
            Some((id.as_ref(), standing))
        })
    };
    members.iter().flat_map(of_one).collect()
}

/// The status of a survivor that was closed at some instant or never, from the [`subscription_states`] of all accounts that
/// count with it.
pub fn of(
    context: Context<'_>,
    survivor: Symbol,
    closed_at: Option<Micros>,
    all: &[(&str, SubscriptionState)],
    as_of: Micros,
) -> Since {
    let Context { plan, tenant, .. } = context;
    let only = |status| Since { status, since: None };
    if let Some(closed_at) = closed_at.filter(|at| *at < as_of) {
        return Since { status: Status::Closed, since: Some(plan.calendar.day(closed_at)) };
    }
    if tenant.merges.survivor(survivor, as_of) != survivor {
        return only(Status::Merged);
    }
    if all.is_empty() {
        return only(Status::Paying);
    }
    let all = || all.iter().map(|(_, standing)| standing);
    if !all().any(|standing| standing.live) {
        // What was cancelled before it began gave no day of service and has no end.
        let served = || all().filter(|standing| standing.served);
        return match served().next() {
            None => only(Status::Prospect),
            Some(_) => Since {
                status: Status::Ended,
                since: served().filter_map(|standing| standing.ended_on).max(),
            },
        };
    }
    let paid = || all().filter(|standing| standing.live && !standing.trial);
    only(if paid().next().is_none() {
        Status::Trial
    } else if paid().all(|standing| standing.paused) {
        Status::Paused
    } else if paid().all(|standing| standing.cancelled) {
        Status::Leaving
    } else if paid().all(|standing| standing.amount.is_some_and(|amount| amount.minor == 0)) {
        Status::Free
    } else {
        Status::Paying
    })
}

/// Seats in force (health-model §2): those of live subscriptions that are no trials; where none states any, the fact
/// `seats` of the account. `None` where nobody stated any.
pub fn seats<S: Borrow<SubscriptionState>>(
    subscription_states: impl Iterator<Item = S>,
    fact: Option<&Value>,
) -> Option<Decimal> {
    let stated = |state: S| {
        let state = state.borrow();
        state.seats.filter(|_| state.live && !state.trial)
    };
    match subscription_states.filter_map(stated).map(i128::from).reduce(|sum, seats| sum + seats) {
        Some(millionths) => Some(Decimal::new(millionths, -(QUANTITY_DIGITS as i32))),
        None => fact.and_then(Value::as_number),
    }
}
