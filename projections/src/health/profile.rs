//! Which profile of a model applies to an account (health-model §7).

use crate::account_at::AccountAt;
use crate::decimal::Decimal;
use crate::filter::{FieldValue, Test};
use crate::model::condition::{Condition, FactTest};
use crate::model::scoring::Scoring;
use crate::subscription::{AmountPer, SubscriptionState};
use crate::vocabulary::KINDS;

/// The first profile whose condition holds; `None` where the model has no profile.
pub(super) fn choose(scoring: &Scoring, account_at: &AccountAt<'_>) -> Option<usize> {
    let holds = |when: &Condition| holds(when, account_at);
    scoring.profiles.iter().position(|profile| profile.when.as_ref().is_none_or(holds))
}

/// Whether a condition on facts holds of an account.
pub fn holds(when: &Condition, account_at: &AccountAt<'_>) -> bool {
    when.alternatives.iter().any(|tests| tests.iter().all(|test| passes(test, account_at)))
}

fn passes(test: &FactTest, account_at: &AccountAt<'_>) -> bool {
    match test {
        FactTest::Status(test) => test.passes(Some(FieldValue::Text(account_at.since().status.name()))),
        FactTest::AgeDaysBelow(days) => account_at.age_days().is_some_and(|age| age < i64::from(*days)),
        FactTest::EverUsed(used) => account_at.has_used() == *used,
        FactTest::Seats(test) => number_passes(test, account_at.seats()),
        FactTest::Amount(test) => number_passes(test, annual_amount(account_at)),
        FactTest::Named(name, test) => {
            let stated = account_at.fact(name).and_then(FieldValue::of);
            // Who states no kind is a customer.
            let stated = stated.or_else(|| (**name == *"kind").then_some(FieldValue::Text(KINDS[0])));
            stated.is_some() && test.passes(stated)
        }
    }
}

fn number_passes(test: &Test, number: Option<Decimal>) -> bool {
    number.is_some() && test.passes(number.map(FieldValue::Number))
}

/// The annualised amount of the live subscriptions that are no trials, in minor units: month × 12, year × 1, else × 365 over
/// the days of the term. `None` where one of them states none, where currencies differ, and where there is no such
/// subscription.
pub fn annual_amount(account_at: &AccountAt<'_>) -> Option<Decimal> {
    let paid = || {
        account_at
            .subscription_states()
            .iter()
            .map(|(_, state)| state)
            .filter(|state| state.live && !state.trial)
    };
    let currency = paid().next()?.amount?.currency;
    if paid().any(|state| state.amount.is_none_or(|amount| amount.currency != currency)) {
        return None;
    }
    let yearly: Option<Vec<i128>> = paid().map(billionths_a_year).collect();
    Some(Decimal::new(yearly?.into_iter().sum(), -BILLIONTHS_DIGITS))
}

/// Digits after the point that a year's share of a term is kept to, in minor units.
const BILLIONTHS_DIGITS: i32 = 9;
const BILLION: i128 = 1_000_000_000;

fn billionths_a_year(state: &SubscriptionState) -> Option<i128> {
    let minor = i128::from(state.amount?.minor) * BILLION;
    match state.amount_per {
        Some(AmountPer::Month) => Some(minor * 12),
        Some(AmountPer::Year) => Some(minor),
        Some(AmountPer::Term) | None => {
            let days = i128::from(state.term.end?.since(state.term.start) + 1);
            (days > 0).then(|| minor * 365 / days)
        }
    }
}
