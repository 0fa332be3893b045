//! Subscriptions: when one is live, which figures hold, how its term rolls, and the status that follows for the account.

use std::collections::BTreeMap;

use super::{Asked, Fact, Moment};
use crate::told::{day, months_later};

/// One subscription at one moment.
pub(super) struct Subscription<'a> {
    pub account: &'a str,
    pub id: &'a str,
    pub is_live: bool,
    /// Service ran for a day or more.
    has_served: bool,
    pub is_trial: bool,
    pub is_cancelled: bool,
    is_paused: bool,
    /// The first day without service after the last that had any.
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

/// The day that an event's figures name, else its own.
fn named_day(fact: &Fact) -> i32 {
    let key = match fact.told.kind {
        "subscription_changed" => "effective_at",
        _ => "term_start",
    };
    named(fact, key).unwrap_or(fact.day)
}

/// The later of the day whose figures an event states and its own day.
fn counts_from(fact: &Fact) -> i32 {
    named_day(fact).max(fact.day)
}

fn is_start(fact: &Fact) -> bool {
    matches!(fact.told.kind, "subscription_started" | "trial_started")
}

/// Days on which service runs, the first and the first without.
struct Spell {
    from: i32,
    off: Option<i32>,
}

/// What the events up to one of them make of a subscription.
#[derive(Default)]
struct Course<'a> {
    /// In order; only the last may have no day at all.
    spells: Vec<Spell>,
    /// The newest start that counts.
    start: Option<&'a Fact>,
    converted: bool,
    cancelled: Option<&'a Fact>,
    ended: Option<i32>,
    trial_ended: Option<i32>,
    /// A trial without a start was heard of by its end; a renewal that undoes the end leaves it a trial.
    trial_unstarted: bool,
    /// The last day of a pause; the inner `None` is a pause without one.
    pause: Option<Option<i32>>,
}

impl<'a> Course<'a> {
    /// Through the events that name the subscription and those that mean all of the account's, in order.
    fn of(facts: &[&'a Fact], of_all: &[&'a Fact], today: i32) -> Self {
        let mut course = Self::default();
        let first = facts[0];
        if !is_start(first) {
            // First heard of by another event than its start, it counts as begun before it.
            course.open(i32::MIN);
        }
        let mut all: Vec<&Fact> = facts.to_vec();
        all.extend(of_all.iter().filter(|fact| fact.order() > first.order()));
        all.sort_by_key(|fact| fact.order());
        for fact in all {
            let names_it = fact.told.text("subscription_id").is_some();
            if names_it || course.spells.iter().any(|spell| spell.from <= fact.day) {
                course.step(fact, today);
            }
        }
        course
    }

    fn step(&mut self, fact: &'a Fact, today: i32) {
        match fact.told.kind {
            "subscription_started" | "trial_started" if counts_from(fact) <= today => {
                self.open(named_day(fact));
                (self.start, self.converted, self.pause) = (Some(fact), false, None);
            }
            "trial_converted" => (self.converted, self.trial_ended) = (true, None),
            "trial_ended" if self.may_be_trial() => {
                self.trial_unstarted = self.start.is_none();
                self.trial_ended = self.trial_ended.or(Some(fact.day));
            }
            "subscription_ended" => self.ended = self.ended.or(Some(fact.day)),
            "subscription_cancelled" => self.cancelled = Some(fact),
            "cancellation_withdrawn" => self.cancelled = None,
            "subscription_renewed" if self.off().is_some_and(|off| named_day(fact) >= off) => {
                match self.off().is_some_and(|off| off <= fact.day) {
                    true => self.open(named_day(fact)),
                    false => self.undo(),
                }
            }
            "subscription_paused" => self.pause = Some(named(fact, "until")),
            "subscription_resumed" => self.pause = None,
            _ => {}
        }
    }

    fn open(&mut self, from: i32) {
        let off = self.off().filter(|off| *off <= from);
        if let Some(last) = self.spells.last_mut() {
            last.off = off;
            if last.from >= off.unwrap_or(from) {
                self.spells.pop();
            }
        }
        self.spells.push(Spell { from, off: None });
        self.undo();
    }

    fn undo(&mut self) {
        (self.cancelled, self.ended, self.trial_ended) = (None, None, None);
    }

    /// The first day without service.
    fn off(&self) -> Option<i32> {
        let effective = self.cancelled.map(|fact| named(fact, "effective_at").unwrap_or(fact.day));
        [effective, self.ended, self.trial_ended].into_iter().flatten().min()
    }

    /// It is paid neither by its newest start nor by a conversion since.
    fn may_be_trial(&self) -> bool {
        !self.converted && self.start.is_none_or(|start| start.told.kind == "trial_started")
    }

    fn is_trial(&self) -> bool {
        self.may_be_trial() && (self.start.is_some() || self.trial_unstarted)
    }

    /// The start of the trial that still runs.
    fn trial(&self) -> Option<&'a Fact> {
        self.start.filter(|_| self.is_trial())
    }
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
            () if live.is_empty() && !all.iter().any(|one| one.has_served) => "prospect",
            () if live.is_empty() => {
                let served = all.iter().filter(|one| one.has_served);
                return ("ended", served.filter_map(|one| one.ended_on).max());
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
                let of_all = of_all.get(account).map_or(&[][..], Vec::as_slice);
                Subscription::of(account, id, &facts, of_all, moment.day)
            })
            .collect()
    }
}

impl<'a> Subscription<'a> {
    /// From the events that name it and those that mean all of the account's.
    fn of(account: &'a str, id: &'a str, facts: &[&Fact], of_all: &[&Fact], today: i32) -> Self {
        let course = Course::of(facts, of_all, today);
        let off = course.off();
        let off_today = off.filter(|off| *off <= today);
        let last = course.spells.last().filter(|spell| spell.from <= today);
        let is_live = last.is_some() && off_today.is_none();
        let serves = last.is_some_and(|spell| off.is_none_or(|off| spell.from < off));
        let earlier = &course.spells[..course.spells.len().saturating_sub(1)];
        let ended_on = [
            off_today.filter(|off| course.spells.last().is_some_and(|spell| spell.from < *off)),
            earlier.iter().rev().find_map(|spell| spell.off),
            off_today,
        ];
        let is_paused = course.pause.is_some_and(|until| until.is_none_or(|until| today <= until));

        let kinds = ["subscription_started", "trial_started", "trial_converted", "subscription_changed"];
        let states =
            |fact: &&&Fact| kinds.contains(&fact.told.kind) || fact.told.kind == "subscription_renewed";
        let mut stated: Vec<&Fact> =
            facts.iter().filter(states).filter(|fact| counts_from(fact) <= today).copied().collect();
        stated.sort_by_key(|fact| counts_from(fact));
        let number = |key: &str| stated.iter().rev().find_map(|fact| fact.told.number(key));
        let truth = |key: &str| stated.iter().rev().find_map(|fact| fact.told.truth(key));

        // Amount and term of a trial end with it.
        let runs = |fact: &&&Fact| {
            fact.told.kind != "trial_started"
                || course.trial().is_some_and(|trial| std::ptr::eq(trial, **fact))
        };
        let running = || stated.iter().rev().filter(runs);
        let base = running().find(|fact| match fact.told.kind {
            "subscription_started" | "subscription_renewed" | "trial_started" => true,
            "trial_converted" => fact.told.text("term_end").is_some(),
            _ => false,
        });
        let term = base.map_or((facts[0].day, None), |base| {
            (named(base, "term_start").unwrap_or(base.day), named(base, "term_end"))
        });
        // From the day of a cancellation on it rolls no more.
        let until = course.cancelled.map_or(today, |fact| today.min(fact.day - 1));
        Self {
            account,
            id,
            is_live,
            has_served: !earlier.is_empty() || serves,
            is_trial: course.is_trial(),
            is_cancelled: course.cancelled.is_some(),
            is_paused,
            ended_on: ended_on.into_iter().flatten().next().filter(|_| !is_live),
            seats: number("seats"),
            amount: running().find_map(|fact| fact.told.amount).map(|(minor, _)| minor),
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
