//! Subscriptions: when one is live, which figures hold, how its term rolls, and the status that follows for the account.

use std::collections::BTreeMap;

use super::{Asked, Fact, Moment};
use crate::told::{day, months_later};

/// One subscription at one moment.
pub(super) struct Subscription<'a> {
    pub account: &'a str,
    pub id: &'a str,
    pub is_live: bool,
    has_begun: bool,
    pub is_trial: bool,
    pub is_cancelled: bool,
    is_paused: bool,
    /// The first day without service.
    ended_on: Option<i32>,
    pub seats: Option<i64>,
    /// In minor units.
    pub amount: Option<i64>,
    pub recurring: bool,
    pub notice: Option<i64>,
    pub commit: Option<i64>,
    /// First day and last, where stated.
    pub term: (i32, Option<i32>),
}

/// Whether a type speaks of subscriptions or trials.
pub(super) fn is_about_subscriptions(kind: &str) -> bool {
    ["subscription_", "trial_", "cancellation_"].iter().any(|start| kind.starts_with(start))
}

/// The day that an event names under a key.
pub(super) fn named(fact: &Fact, key: &str) -> Option<i32> {
    fact.told.text(key).map(|text| day(text.parse().expect("the simulation writes dates")))
}

/// The later of the day whose figures an event states and its own day.
fn counts_from(fact: &Fact) -> i32 {
    let key = match fact.told.kind {
        "subscription_started" | "subscription_renewed" => "term_start",
        "subscription_changed" => "effective_at",
        _ => return fact.day,
    };
    named(fact, key).map_or(fact.day, |day| day.max(fact.day))
}

impl Asked<'_> {
    /// The account's status, and the day since when, where the contract tells one.
    pub fn status(&self) -> (&'static str, Option<i32>) {
        if let Some(closed) = self.own.iter().find(|fact| fact.told.kind == "account_closed") {
            return ("closed", Some(closed.day));
        }
        let all = self.subscriptions(self.now());
        let live: Vec<_> = all.iter().filter(|one| one.is_live).collect();
        let paid: Vec<_> = live.iter().filter(|one| !one.is_trial).collect();
        let status = match () {
            () if all.is_empty() => "paying",
            () if live.is_empty() && !all.iter().any(|one| one.has_begun) => "prospect",
            () if live.is_empty() => {
                let begun = all.iter().filter(|one| one.has_begun);
                return ("ended", begun.filter_map(|one| one.ended_on).max());
            }
            () if paid.is_empty() => "trial",
            () if paid.iter().all(|one| one.is_paused) => "paused",
            () if paid.iter().all(|one| one.is_cancelled) => "leaving",
            () if paid.iter().all(|one| one.amount == Some(0)) => "free",
            () => "paying",
        };
        (status, None)
    }

    /// Every subscription of every member.
    pub(super) fn subscriptions(&self, moment: Moment) -> Vec<Subscription<'_>> {
        let mut own: BTreeMap<(&str, &str), Vec<&Fact>> = BTreeMap::new();
        let mut of_all: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(moment.at).iter().filter(|fact| is_about_subscriptions(fact.told.kind)) {
            let Some(account) = fact.told.account() else { continue };
            match fact.told.text("subscription_id") {
                Some(id) => own.entry((account, id)).or_default().push(fact),
                None => of_all.entry(account).or_default().push(fact),
            }
        }
        own.into_iter()
            .map(|((account, id), facts)| {
                let mut all = facts.clone();
                all.extend(of_all.get(account).into_iter().flatten());
                all.sort_by_key(|fact| fact.order());
                Subscription::of(account, id, &facts, &all, moment.day)
            })
            .collect()
    }
}

impl<'a> Subscription<'a> {
    /// From the events that name it, and those together with the ones that mean all of the account's.
    fn of(account: &'a str, id: &'a str, facts: &[&Fact], all: &[&Fact], today: i32) -> Self {
        let is_start = |fact: &Fact| matches!(fact.told.kind, "subscription_started" | "trial_started");
        let has_started = |fact: &Fact| is_start(fact) && counts_from(fact) <= today;
        let is_kind = |kinds: &[&str]| facts.iter().any(|fact| kinds.contains(&fact.told.kind));

        let is_paid = facts.iter().any(|fact| fact.told.kind == "subscription_started" && has_started(fact));
        let is_trial =
            is_kind(&["trial_started", "trial_ended"]) && !is_kind(&["trial_converted"]) && !is_paid;

        let newest_start = facts.iter().rposition(|fact| has_started(fact));
        let end = facts[newest_start.map_or(0, |at| at + 1)..].iter().find(|fact| {
            fact.told.kind == "subscription_ended" || (is_trial && fact.told.kind == "trial_ended")
        });

        let mut cancellation: Option<&Fact> = None;
        for fact in all {
            match fact.told.kind {
                "subscription_cancelled" => cancellation = Some(fact),
                "cancellation_withdrawn" => cancellation = None,
                _ if has_started(fact) => cancellation = None,
                _ => {}
            }
        }
        let off = cancellation.map(|fact| named(fact, "effective_at").unwrap_or(fact.day));
        let ended_on =
            [end.map(|fact| fact.day), off.filter(|off| *off <= today)].into_iter().flatten().min();

        let pauses = ["subscription_paused", "subscription_resumed"];
        let pause = all.iter().rev().find(|fact| pauses.contains(&fact.told.kind));
        let is_paused = pause.is_some_and(|fact| {
            fact.told.kind == "subscription_paused" && named(fact, "until").is_none_or(|until| today <= until)
        });

        let kinds = ["subscription_started", "trial_started", "trial_converted", "subscription_changed"];
        let states =
            |fact: &&&Fact| kinds.contains(&fact.told.kind) || fact.told.kind == "subscription_renewed";
        let mut stated: Vec<&Fact> =
            facts.iter().filter(states).filter(|fact| counts_from(fact) <= today).copied().collect();
        stated.sort_by_key(|fact| counts_from(fact));
        let number = |key: &str| stated.iter().rev().find_map(|fact| fact.told.number(key));
        let truth = |key: &str| stated.iter().rev().find_map(|fact| fact.told.truth(key));

        let has_begun = !is_start(facts[0]) || newest_start.is_some();
        let base = stated.iter().rev().find(|fact| match fact.told.kind {
            "subscription_started" | "subscription_renewed" => true,
            "trial_started" => is_trial,
            "trial_converted" => fact.told.text("term_end").is_some(),
            _ => false,
        });
        let term = base.map_or((facts[0].day, None), |base| {
            (named(base, "term_start").unwrap_or(base.day), named(base, "term_end"))
        });
        // From the day of a cancellation on it rolls no more.
        let until = cancellation.map_or(today, |fact| today.min(fact.day - 1));
        Self {
            account,
            id,
            is_live: has_begun && ended_on.is_none(),
            has_begun,
            is_trial,
            is_cancelled: cancellation.is_some(),
            is_paused,
            ended_on,
            seats: number("seats"),
            amount: stated.iter().rev().find_map(|fact| fact.told.amount).map(|(minor, _)| minor),
            recurring: truth("recurring").unwrap_or(true),
            notice: number("notice_days"),
            commit: number("commit_quantity"),
            term: if truth("auto_renew") == Some(true) { rolled(term, until) } else { term },
        }
    }
}

/// The term that holds on a day when it rolls on by its own length: term k starts k months or days after the first.
fn rolled((start, end): (i32, Option<i32>), until: i32) -> (i32, Option<i32>) {
    let Some(end) = end.filter(|end| start <= *end) else { return (start, end) };
    let months = (1..=(end - start) / 28 + 1).find(|months| months_later(start, *months) == end + 1);
    let begin = |k: i32| match months {
        Some(months) => months_later(start, k * months),
        None => start + k * (end - start + 1),
    };
    let k = (0..).take_while(|k| begin(k + 1) <= until).count() as i32;
    (begin(k), Some(begin(k + 1) - 1))
}
