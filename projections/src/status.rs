//! The status of an account (health-model §2).

use crate::account::Account;
use crate::calendar::Day;
use crate::event::Micros;
use crate::metric::Context;
use crate::subscription::{self, Standing};
use crate::vocabulary::EventType;

/// Where an account stands with the vendor, in the order in which the contract tests it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Status {
    /// `account_closed` was recorded.
    Closed,
    /// It was merged into another, which answers for it.
    Merged,
    /// It pays, or no subscription was ever heard of.
    Paying,
    /// Service ended.
    Ended,
    /// No service has begun.
    Prospect,
    /// Only trials run.
    Trial,
    /// All paid subscriptions are paused.
    Paused,
    /// All paid subscriptions are cancelled.
    Leaving,
    /// All amounts are 0.
    Free,
}

impl Status {
    /// The name in answers and conditions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Paying => "paying",
            Self::Ended => "ended",
            Self::Prospect => "prospect",
            Self::Trial => "trial",
            Self::Paused => "paused",
            Self::Leaving => "leaving",
            Self::Free => "free",
        }
    }
}

/// A status and the day it became so, where that is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Since {
    /// The status.
    pub status: Status,
    /// The first day of it; of `ended`, day 1 of no service.
    pub since: Option<Day>,
}

/// The status of the accounts that count together (the survivor first) at an instant.
pub fn status(context: Context<'_>, members: &[&Account], as_of: Micros) -> Since {
    let Context { plan, tenant, names, .. } = context;
    let survivor = members[0];
    let only = |status| Since { status, since: None };
    if let Some(closed_at) = survivor.closed_at.filter(|at| *at < as_of) {
        return Since { status: Status::Closed, since: Some(plan.calendar.day(closed_at)) };
    }
    if tenant.merges.survivor(survivor.id, as_of) != survivor.id {
        return only(Status::Merged);
    }
    let today = plan.calendar.day(as_of - 1);
    let all: Vec<Standing> = members
        .iter()
        .flat_map(|member| {
            member.subscriptions.iter().filter_map(|(_, line)| {
                subscription::standing(line, &member.account_wide, names, as_of, today)
            })
        })
        .collect();
    let live: Vec<&Standing> = all.iter().filter(|standing| standing.live).collect();
    let paid: Vec<&&Standing> = live.iter().filter(|standing| !standing.trial).collect();
    if all.is_empty() {
        return only(Status::Paying);
    }
    if live.is_empty() {
        // What was cancelled before it began has no end.
        let begun: Vec<&Standing> = all.iter().filter(|standing| standing.begun).collect();
        let since = begun.iter().filter_map(|standing| standing.ended_on).max();
        return if begun.is_empty() {
            only(Status::Prospect)
        } else {
            Since { status: Status::Ended, since }
        };
    }
    only(match paid.as_slice() {
        [] => Status::Trial,
        paid if paid.iter().all(|standing| standing.paused) => Status::Paused,
        paid if paid.iter().all(|standing| standing.cancelled) => Status::Leaving,
        paid if paid.iter().all(|standing| standing.amount.is_some_and(|amount| amount.minor == 0)) => {
            Status::Free
        }
        _ => Status::Paying,
    })
}

/// Whether events of a type speak of a subscription, so that their feed makes subscriptions known.
pub fn speaks_of_subscriptions(kind: EventType) -> bool {
    use EventType::{
        CancellationWithdrawn, SubscriptionCancelled, SubscriptionChanged, SubscriptionEnded,
        SubscriptionPaused, SubscriptionRenewed, SubscriptionResumed, SubscriptionStarted, TrialConverted,
        TrialEnded, TrialStarted,
    };
    matches!(
        kind,
        SubscriptionStarted
            | TrialStarted
            | TrialConverted
            | TrialEnded
            | SubscriptionChanged
            | SubscriptionRenewed
            | SubscriptionCancelled
            | CancellationWithdrawn
            | SubscriptionEnded
            | SubscriptionPaused
            | SubscriptionResumed
    )
}
