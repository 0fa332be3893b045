//! States of affairs: what is owed, open, due, expected.

use super::{Moment, Scalar};
use crate::account_at::AccountAt;
use crate::calendar::Day;
use crate::days::Slot;
use crate::decimal::{Decimal, QUANTITY_DIGITS, exact_to_f64};
use crate::invoice::{self, PastDue};
use crate::model::{Rhythm, StandingKind};
use crate::status;
use crate::subscription;
use crate::ticket;
use crate::value::Value;
use crate::vocabulary::{EventType, speaks_of_subscriptions};

impl AccountAt<'_> {
    pub(super) fn standing(&self, kind: StandingKind, moment: Moment) -> Option<Scalar> {
        let integer = |number: i64| Scalar::Integer(i128::from(number));
        match kind {
            StandingKind::OldestPastDueDays => {
                let oldest = self.past_due(moment)?.iter().map(|owed| moment.day.since(owed.due)).max();
                Some(integer(oldest.unwrap_or(0)))
            }
            StandingKind::AmountPastDue(currency) => {
                let owed = self.past_due(moment)?;
                let open = owed.iter().filter(|owed| owed.open.currency == currency);
                Some(Scalar::Integer(open.map(|owed| i128::from(owed.open.minor)).sum()))
            }
            StandingKind::OpenTickets => {
                use EventType::{TicketClosed, TicketOpened, TicketReopened, TicketResolved};
                let types = [TicketOpened, TicketReopened, TicketResolved, TicketClosed];
                self.fed(moment, false, |kind| types.contains(&kind))
                    .then(|| self.count_tickets(moment, false))
            }
            StandingKind::OpenEscalations => self
                .fed(moment, false, |kind| kind == EventType::TicketEscalated)
                .then(|| self.count_tickets(moment, true)),
            StandingKind::DaysToRenewal => self.least_days(moment, |_| Some(0)),
            StandingKind::DaysToNotice => self.least_days(moment, |standing| standing.notice_days),
            StandingKind::MilestonesShare => self.milestones_share(moment),
            StandingKind::ExpectedDays => {
                let stated = self.fact_at("usage_rhythm", moment.at).and_then(Value::as_text);
                let rhythm = stated.and_then(Rhythm::from_name).unwrap_or(self.plan().model.usage_rhythm);
                Some(integer(i64::from(rhythm.expected_days())))
            }
            StandingKind::CreditsBurn => self.credits_burn(moment),
            StandingKind::Seats => self.seats_at(moment).map(number),
            StandingKind::AgeDays => {
                let life = self.first_day().filter(|life| *life <= moment.day)?;
                Some(integer(moment.day.since(life)))
            }
        }
    }

    /// What is true of every subscription of every member at a moment.
    pub(super) fn subscriptions(
        &self,
        moment: Moment,
    ) -> impl Iterator<Item = (SubscriptionKey, subscription::SubscriptionState)> {
        let each = self.members().iter().enumerate().flat_map(move |(member, account)| {
            account.subscriptions.iter().enumerate().filter_map(move |(index, (_, line))| {
                let standing = subscription::standing(
                    line,
                    &account.account_wide,
                    self.context.names,
                    moment.at,
                    moment.day,
                )?;
                Some((SubscriptionKey { member, index }, standing))
            })
        });
        each.collect::<Vec<_>>().into_iter()
    }

    /// Seats in force at a moment.
    pub(super) fn seats_at(&self, moment: Moment) -> Option<f64> {
        let states = self.subscriptions(moment).map(|(_, state)| state);
        status::seats(states, self.fact_at("seats", moment.at)).map(Decimal::to_f64)
    }

    /// Invoices past due; `None` before the first invoice or while payments are unfed.
    fn past_due(&self, moment: Moment) -> Option<Vec<PastDue>> {
        if !self.fed(moment, false, |kind| kind == EventType::InvoicePaid) {
            return None;
        }
        let mut any = false;
        let mut owed = Vec::new();
        for member in self.members() {
            for (_, line) in member.invoices.iter() {
                any |= invoice::issued(line, moment.at);
                let terms = self.plan().model.payment_terms_days;
                owed.extend(invoice::past_due(line, moment.at, moment.day, terms));
            }
        }
        any.then_some(owed)
    }

    fn count_tickets(&self, moment: Moment, escalated: bool) -> Scalar {
        let mut count = 0;
        self.each_ticket(|ticket| {
            let counts =
                ticket::open(ticket, moment.at) && (!escalated || ticket::escalated(ticket, moment.at));
            count += i128::from(counts);
        });
        Scalar::Integer(count)
    }

    /// Days to the nearest term end, less `before`, over what can still be renewed.
    fn least_days(
        &self,
        moment: Moment,
        before: impl Fn(&subscription::SubscriptionState) -> Option<i64>,
    ) -> Option<Scalar> {
        let fed = self.fed(moment, false, speaks_of_subscriptions);
        if !fed {
            return None;
        }
        let renewable = |standing: &subscription::SubscriptionState| {
            standing.live
                && standing.recurring
                && !standing.trial
                && !standing.cancelled
                && standing.amount.is_none_or(|amount| amount.minor != 0)
        };
        self.subscriptions(moment)
            .filter(|(_, standing)| renewable(standing))
            .filter_map(|(_, standing)| Some(standing.term.end?.plus(-before(&standing)?).since(moment.day)))
            .min()
            .map(|days| Scalar::Integer(i128::from(days)))
    }

    fn milestones_share(&self, moment: Moment) -> Option<Scalar> {
        if !self.fed(moment, false, |kind| kind == EventType::MilestoneReached) {
            return None;
        }
        let life = self.first_day().filter(|life| *life <= moment.day)?;
        let from = self.onboarding_since(moment).map_or(life, |day| day.max(life));
        let age = moment.day.since(from);
        let due: Vec<_> =
            self.plan().model.milestones.iter().filter(|milestone| milestone.due_after_days <= age).collect();
        let reached = |name: &str| {
            self.members().iter().any(|member| {
                member.milestones.get(&name.into()).is_some_and(|seen| seen.first_at < moment.at)
            })
        };
        let done = due.iter().filter(|milestone| reached(&milestone.name)).count();
        (!due.is_empty()).then(|| Scalar::Number(done as f64 / due.len() as f64))
    }

    /// The day of the newest change of the stage to `onboarding`.
    fn onboarding_since(&self, moment: Moment) -> Option<Day> {
        let stages = self.own()?.fact_history(self.context.names, "stage")?.before(moment.at);
        let is_onboarding = |value: &Value| value.as_text() == Some("onboarding");
        let mut since = None;
        let mut before = false;
        for (order, stage) in stages {
            if is_onboarding(stage) && !before {
                since = Some(self.plan().calendar.day(order.at));
            }
            before = is_onboarding(stage);
        }
        since
    }

    /// Credits used against the share of the commitment that time has used up.
    fn credits_burn(&self, moment: Moment) -> Option<Scalar> {
        if !self.fed(moment, false, |kind| kind == EventType::CreditsUsed) {
            return None;
        }
        let mut used = 0_i128;
        let mut expected = 0.0;
        let mut committed = false;
        for (key, standing) in self.subscriptions(moment) {
            let (true, Some(commit), Some(end)) = (standing.live, standing.commit, standing.term.end) else {
                continue;
            };
            let start = standing.term.start;
            let length = end.since(start) + 1;
            if length <= 0 {
                continue;
            }
            committed = true;
            let passed = moment.day.since(start) + 1;
            expected +=
                exact_to_f64(i128::from(commit), QUANTITY_DIGITS) * (passed as f64 / length as f64).min(1.0);
            used += self.credits_used(key, start, moment.slot);
        }
        (committed && expected > 0.0).then(|| number(exact_to_f64(used, QUANTITY_DIGITS) / expected))
    }

    fn credits_used(&self, key: SubscriptionKey, since: Day, last: Slot) -> i128 {
        let member = self.members()[key.member];
        let Some((id, _)) = member.subscriptions.iter().nth(key.index) else { return 0 };
        let Some(days) = member.credits_used.get(id) else { return 0 };
        days.between(since, last).iter().map(|(_, sum)| sum.total).sum()
    }
}

/// Which subscription of which member.
#[derive(Clone, Copy)]
pub(super) struct SubscriptionKey {
    member: usize,
    index: usize,
}

fn number(value: f64) -> Scalar {
    Scalar::Number(value)
}
