//! States of affairs: what is owed, open, due, expected.

use std::collections::BTreeMap;

use super::catalogue::{MILESTONES, PAYMENT_TERMS_DAYS, Standing, USAGE_RHYTHM};
use super::figure::ticket;
use super::subscription::{Subscription, is_about_subscriptions, named};
use super::{Asked, Fact, Moment};

impl Asked<'_> {
    pub(super) fn standing(&self, standing: Standing, moment: Moment) -> Option<f64> {
        match standing {
            Standing::PastDueDays => {
                let owed = self.past_due(moment)?;
                Some(owed.iter().map(|(days, _, _)| f64::from(*days)).fold(0.0, f64::max))
            }
            Standing::PastDue(currency) => {
                let owed = self.past_due(moment)?;
                let owed = owed.iter().filter(|(_, _, of)| *of == currency);
                Some(owed.map(|(_, minor, _)| *minor as f64).sum())
            }
            Standing::OpenTickets => {
                let fed = self.is_fed(|kind| STATES.contains(&kind), moment, false);
                fed.then(|| self.tickets(moment, is_open))
            }
            Standing::Escalations => {
                let fed = self.is_fed(|kind| kind == "ticket_escalated", moment, false);
                fed.then(|| self.tickets(moment, |facts| is_open(facts) && is_escalated(facts)))
            }
            Standing::Renewal => self.to_term_end(moment, |_| Some(0)),
            Standing::Notice => self.to_term_end(moment, |subscription| subscription.notice),
            Standing::Milestones => self.milestones(moment),
            Standing::Burn => self.burn(moment),
            Standing::Expected => Some(match self.fact("usage_rhythm", moment.at).unwrap_or(USAGE_RHYTHM) {
                "daily" => 20.0,
                "weekly" => 4.0,
                _ => 1.0,
            }),
            Standing::Seats => self.seats(moment),
            Standing::Age => {
                self.life.filter(|life| *life <= moment.day).map(|life| f64::from(moment.day - life))
            }
        }
    }

    /// How many tickets are of a kind, each with its events in order.
    fn tickets(&self, moment: Moment, counts: impl Fn(&[&Fact]) -> bool) -> f64 {
        let mut tickets: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(moment.at).iter().filter(|fact| fact.family == Some("support")) {
            tickets.entry(ticket(fact)).or_default().push(fact);
        }
        tickets.iter().filter(|(id, facts)| id.is_some() && counts(facts)).count() as f64
    }

    /// Days since each open invoice was due, what is owed, and in which currency.
    fn past_due(&self, moment: Moment) -> Option<Vec<(i32, i64, &'static str)>> {
        let mut invoices: BTreeMap<_, Vec<&Fact>> = BTreeMap::new();
        for fact in self.before(moment.at) {
            if let Some(invoice) = fact.told.account().zip(fact.told.text("invoice_id")) {
                invoices.entry(invoice).or_default().push(fact);
            }
        }
        let issued = |facts: &[&Fact]| {
            facts.iter().rev().find(|fact| fact.told.kind == "invoice_issued").copied().cloned()
        };
        let mut any = false;
        let mut owed = Vec::new();
        for facts in invoices.values() {
            let Some(newest) = issued(facts) else { continue };
            any = true;
            let (minor, currency) = newest.told.amount.expect("the simulation's invoices have amounts");
            let due = named(&newest, "due_at").unwrap_or(newest.day + PAYMENT_TERMS_DAYS);
            let is_settled = facts.iter().any(|fact| {
                fact.told.kind == "invoice_voided"
                    || (fact.told.kind == "invoice_paid" && fact.told.amount.is_none())
            });
            let moved = |kind: &str| -> i64 {
                let of_kind = facts.iter().filter(|fact| fact.told.kind == kind);
                let amounts = of_kind.filter_map(|fact| fact.told.amount);
                amounts.filter(|(_, of)| *of == currency).map(|(minor, _)| minor).sum()
            };
            let open = minor - moved("invoice_paid") + moved("credit_issued");
            if !is_settled && due < moment.day && open > 0 {
                owed.push((moment.day - due, open, currency));
            }
        }
        (any && self.is_fed(|kind| kind == "invoice_paid", moment, false)).then_some(owed)
    }

    /// Days to the nearest term end, less those given.
    fn to_term_end(&self, moment: Moment, less: impl Fn(&Subscription) -> Option<i64>) -> Option<f64> {
        if !self.is_fed(is_about_subscriptions, moment, false) {
            return None;
        }
        let all = self.subscriptions(moment);
        let renewable = all.iter().filter(|one| {
            one.is_live && one.recurring && !one.is_trial && !one.is_cancelled && one.amount != Some(0)
        });
        let days = renewable.filter_map(|one| Some(i64::from(one.term.1? - moment.day) - less(one)?));
        days.min().map(|days| days as f64)
    }

    fn milestones(&self, moment: Moment) -> Option<f64> {
        let life = self.life.filter(|life| *life <= moment.day)?;
        let mut since = life;
        let mut stage = "";
        for fact in self.own.iter().filter(|fact| fact.told.at < moment.at) {
            let told = matches!(fact.told.kind, "stage_changed" | "account_updated");
            if let Some(now) = fact.told.text("stage").filter(|_| told) {
                if now == "onboarding" && stage != "onboarding" {
                    since = life.max(fact.day);
                }
                stage = now;
            }
        }
        let due: Vec<&str> = MILESTONES
            .iter()
            .filter(|(_, days)| *days <= moment.day - since)
            .map(|(name, _)| *name)
            .collect();
        let reached = |name: &&str| {
            let mut seen = self.before(moment.at).iter();
            seen.any(|fact| {
                fact.told.kind == "milestone_reached" && fact.told.text("milestone") == Some(name)
            })
        };
        let done = due.iter().copied().filter(reached).count();
        let fed = self.is_fed(|kind| kind == "milestone_reached", moment, false);
        (fed && !due.is_empty()).then(|| done as f64 / due.len() as f64)
    }

    fn burn(&self, moment: Moment) -> Option<f64> {
        let (mut used, mut expected) = (0, 0.0);
        for one in self.subscriptions(moment).iter().filter(|one| one.is_live) {
            let (Some(commit), (start, Some(end))) = (one.commit, one.term) else { continue };
            let uses = self.before(moment.at).iter().filter(|fact| {
                fact.told.kind == "credits_used"
                    && fact.told.account() == Some(one.account)
                    && fact.told.text("subscription_id") == Some(one.id)
                    && fact.day >= start
            });
            if start <= end {
                used += uses.filter_map(|fact| fact.told.quantity).sum::<i64>();
                let passed = f64::from(moment.day - start + 1) / f64::from(end - start + 1);
                expected += commit as f64 * passed.min(1.0);
            }
        }
        let fed = self.is_fed(|kind| kind == "credits_used", moment, false);
        (fed && expected > 0.0).then(|| used as f64 / 1e6 / expected)
    }

    fn seats(&self, moment: Moment) -> Option<f64> {
        let all = self.subscriptions(moment);
        let paid = all.iter().filter(|one| one.is_live && !one.is_trial);
        let stated: Vec<i64> = paid.filter_map(|one| one.seats).collect();
        if !stated.is_empty() {
            return Some(stated.iter().sum::<i64>() as f64);
        }
        let own = self.own.iter().rev().filter(|fact| fact.told.at < moment.at);
        let mut told = own.filter(|fact| fact.told.kind == "account_updated");
        told.find_map(|fact| fact.told.number("seats")).map(|seats| seats as f64)
    }
}

const STATES: [&str; 4] = ["ticket_opened", "ticket_reopened", "ticket_resolved", "ticket_closed"];

fn is_open(facts: &[&Fact]) -> bool {
    let newest = facts.iter().rev().find(|fact| STATES.contains(&fact.told.kind));
    newest.is_some_and(|fact| matches!(fact.told.kind, "ticket_opened" | "ticket_reopened"))
}

fn is_escalated(facts: &[&Fact]) -> bool {
    let kinds = ["ticket_escalated", "ticket_deescalated"];
    let newest = facts.iter().rev().find(|fact| kinds.contains(&fact.told.kind));
    newest.is_some_and(|fact| fact.told.kind == "ticket_escalated")
}
