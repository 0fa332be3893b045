//! Converts the domain's types to those of the API.

use std::collections::BTreeMap;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::decimal::{QUANTITY_DIGITS, exact_to_f64};
use tidewatch_projections::event::{Actor, Event, Micros, Subject as Whom};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::status::Status;
use tidewatch_projections::subscription::{AmountPer, SubscriptionState};
use tidewatch_projections::value::Value;
use tidewatch_proto::prost_types::Timestamp;
use tidewatch_proto::v1;

use super::token::position_token;
use crate::app::{Condition, Engine, RefoldProgress, SourceStatus};
use crate::fold::view::View;
use crate::position::Position;
use crate::read::newest_events::Accepted;
use crate::read::scan::AsOf;

const MICROS: i64 = 1_000_000;

pub fn timestamp(at: Micros) -> Timestamp {
    let nanos = i32::try_from(at.rem_euclid(MICROS) * 1_000).expect("below a second");
    Timestamp { seconds: at.div_euclid(MICROS), nanos }
}

/// The instant of a timestamp, finer digits cut; `None` outside the years 1 to 9999.
pub fn micros(at: &Timestamp) -> Option<Micros> {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    let sound = (FIRST..=LAST).contains(&at.seconds) && (0..1_000_000_000).contains(&at.nanos);
    sound.then(|| at.seconds * MICROS + i64::from(at.nanos) / 1_000)
}

/// An instant as a request names it.
pub fn as_of(asked: AsOf) -> v1::AsOf {
    let instant = match asked {
        AsOf::At(at) => v1::as_of::Instant::At(timestamp(at)),
        AsOf::EndOf(at) => v1::as_of::Instant::Date(day(at)),
        AsOf::Last => v1::as_of::Instant::Last(true),
    };
    v1::AsOf { instant: Some(instant) }
}

/// A status in the word that filters and tables use.
pub fn status_name(status: v1::AccountStatus) -> String {
    word(status.as_str_name(), "ACCOUNT_STATUS_")
}

/// The word that text has for an enum's value, of which all names of the enum share a prefix.
pub fn word(name: &str, prefix: &str) -> String {
    name.trim_start_matches(prefix).to_lowercase()
}

/// A place in the log.
pub fn position(at: Position) -> v1::Position {
    v1::Position {
        token: position_token(at),
        sequence: at.seq,
        shard: at.shard,
        lineage: format!("{:032x}", at.lineage),
    }
}

/// How old an answer from this view is.
pub fn freshness(view: &View, engine: &Engine) -> v1::Freshness {
    v1::Freshness {
        position: Some(position(view.position)),
        watermark: view.control_state.clock_at.map(timestamp),
        newest_event: view.tenant.newest_at.map(timestamp),
        sources: source_ages(engine),
        refold: engine.refolding(view).map(refold),
    }
}

fn refold(progress: RefoldProgress) -> v1::Refold {
    let RefoldProgress { since_seq, folded_seq, last_seq } = progress;
    v1::Refold { since: since_seq, folded: folded_seq, entries: last_seq }
}

/// How old the news of the sources is that were read since the start or that the clock waits for.
pub fn source_ages(engine: &Engine) -> Vec<v1::SourceAge> {
    let now = engine.now();
    engine.sources().into_iter().map(|source| source_age(source, now)).collect()
}

fn source_age(status: SourceStatus, now: Micros) -> v1::SourceAge {
    let state = match status.condition {
        Condition::Running => v1::SourceState::Running,
        Condition::Impaired => v1::SourceState::Impaired,
        Condition::Stopped => v1::SourceState::Stopped,
        Condition::Ended => v1::SourceState::Ended,
    };
    v1::SourceAge {
        source: status.name,
        state: state.into(),
        // The wall clock may have been set back since.
        age_us: status.taken_at.map(|taken| (now - taken).max(0)),
        complete_through: status.complete_through.map(timestamp),
        problem: status.problem,
    }
}

pub fn account(account_at: &AccountAt<'_>) -> v1::Account {
    let names = account_at.context().names;
    let since = account_at.since();
    let mut merged: Vec<String> =
        account_at.merged().map(|member| names.text(member.id).to_owned()).collect();
    merged.sort_unstable();
    v1::Account {
        id: names.text(account_at.survivor).to_owned(),
        as_of: Some(timestamp(account_at.as_of)),
        status: status(since.status).into(),
        status_since: since.since.map(day),
        first_day: account_at.first_day().map(day),
        age_days: account_at.age_days().and_then(|days| i32::try_from(days).ok()),
        seats: account_at.seats().map(Decimal::to_f64),
        facts: Some(facts(account_at)),
        subscriptions: subscriptions(account_at),
        open_tickets: u32::try_from(account_at.open_tickets()).unwrap_or(u32::MAX),
        events: account_at.events(),
        newest_event: account_at.newest_at().map(timestamp),
        merged,
        past_bounds: account_at.members().iter().any(|member| member.past_a_bound()),
        catching_up: account_at.catching_up,
    }
}

fn day(day: Day) -> String {
    day.to_text()
}

pub fn status(status: Status) -> v1::AccountStatus {
    match status {
        Status::Closed => v1::AccountStatus::Closed,
        Status::Merged => v1::AccountStatus::Merged,
        Status::Ended => v1::AccountStatus::Ended,
        Status::Prospect => v1::AccountStatus::Prospect,
        Status::Trial => v1::AccountStatus::Trial,
        Status::Paused => v1::AccountStatus::Paused,
        Status::Leaving => v1::AccountStatus::Leaving,
        Status::Free => v1::AccountStatus::Free,
        Status::Paying => v1::AccountStatus::Paying,
    }
}

fn facts(account_at: &AccountAt<'_>) -> v1::AccountFacts {
    let mut facts = v1::AccountFacts::default();
    let Some(own) = account_at.own() else { return facts };
    for (name, stated) in own.facts(account_at.context().names, account_at.as_of) {
        match facts.text_mut(name).and_then(|field| Some((field, plain_text(stated)?))) {
            Some((field, text)) => *field = Some(text),
            // What is no text where one belongs is shown as it came.
            None => drop(facts.attributes.insert(name.to_owned(), value(stated))),
        }
    }
    facts
}

/// A value as a fact that is a text shows it; `None` for lists, objects and null.
pub fn plain_text(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.as_ref().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

fn subscriptions(account_at: &AccountAt<'_>) -> Vec<v1::Subscription> {
    let mut all: Vec<v1::Subscription> =
        account_at.subscription_states().iter().map(|(id, state)| subscription_of(id, state)).collect();
    all.sort_by(|left, right| left.id.cmp(&right.id));
    all
}

fn subscription_of(id: &str, state: &SubscriptionState) -> v1::Subscription {
    let wire_state = if state.ended_on.is_some() {
        v1::SubscriptionState::Ended
    } else if !state.live {
        v1::SubscriptionState::Announced
    } else if state.paused {
        v1::SubscriptionState::Paused
    } else if state.cancelled {
        v1::SubscriptionState::Leaving
    } else {
        v1::SubscriptionState::Live
    };
    v1::Subscription {
        id: id.to_owned(),
        state: wire_state.into(),
        trial: state.trial,
        plan: state.plan.as_deref().map(str::to_owned),
        seats: state.seats.map(|millionths| exact_to_f64(i128::from(millionths), QUANTITY_DIGITS)),
        amount_minor: state.amount.map(|amount| amount.minor),
        currency: state.amount.map_or_else(String::new, |amount| amount.currency.code().to_owned()),
        amount_per: state.amount_per.map(|per| {
            let name = match per {
                AmountPer::Month => "month",
                AmountPer::Year => "year",
                AmountPer::Term => "term",
            };
            name.to_owned()
        }),
        term_start: Some(day(state.term.start)),
        term_end: state.term.end.map(day),
        recurring: state.recurring,
        notice_days: state.notice_days.and_then(|days| i32::try_from(days).ok()),
        ended_on: state.ended_on.map(day),
    }
}

/// A metric with its value.
pub fn metric(name: &str, value: Option<&Scalar>) -> v1::Metric {
    let value = value.map(|value| match value {
        Scalar::Number(number) => v1::metric::Value::Number(*number),
        Scalar::Integer(whole) => {
            let fits = i64::try_from(*whole);
            fits.map_or(v1::metric::Value::Number(*whole as f64), v1::metric::Value::Integer)
        }
        Scalar::Text(text) => v1::metric::Value::Text(text.clone()),
    });
    v1::Metric { name: name.to_owned(), value }
}

pub fn value(value: &Value) -> v1::Value {
    let kind = match value {
        Value::Null => None,
        Value::Bool(truth) => Some(v1::value::Kind::Bool(*truth)),
        Value::Number(number) => Some(v1::value::Kind::Number(number.to_string())),
        Value::Text(text) => Some(v1::value::Kind::Text(text.as_ref().to_owned())),
        Value::List(values) => {
            Some(v1::value::Kind::List(v1::ValueList { values: values.iter().map(self::value).collect() }))
        }
        Value::Object(fields) => {
            let fields =
                fields.iter().map(|(key, field)| (key.as_ref().to_owned(), self::value(field))).collect();
            Some(v1::value::Kind::Object(v1::ValueObject { fields }))
        }
    };
    v1::Value { kind }
}

/// An accepted event with its place in the log.
pub fn accepted(names: &Names, tenant: &str, accepted: &Accepted) -> v1::TimelineEntry {
    v1::TimelineEntry {
        event: Some(event(names, tenant, &accepted.event)),
        sequence: accepted.seq,
        recorded_at: Some(timestamp(accepted.recorded_at)),
    }
}

pub fn event(names: &Names, tenant: &str, event: &Event) -> v1::Event {
    let text = |symbol: Symbol| names.text(symbol).to_owned();
    let optional = |symbol: Option<Symbol>| symbol.map(text).unwrap_or_default();
    let subject = match event.subject {
        Whom::Account(account) => Some(v1::event::Subject::Account(text(account))),
        Whom::Ref { system, id } => {
            Some(v1::event::Subject::Ref(v1::ExternalRef { system: text(system), id: text(id) }))
        }
        Whom::User => None,
    };
    let actor = match event.actor {
        Actor::Person => v1::Actor::Person,
        Actor::Service => v1::Actor::Service,
        Actor::Internal => v1::Actor::Internal,
    };
    v1::Event {
        tenant: tenant.to_owned(),
        source: text(event.source),
        id: event.id.as_ref().to_owned(),
        subject,
        user: optional(event.user),
        actor: actor.into(),
        product: optional(event.product),
        r#type: event.kind.name(names).to_owned(),
        occurred_at: Some(timestamp(event.occurred_at)),
        quantity_micros: event.quantity,
        amount_minor: event.amount.map(|amount| amount.minor),
        currency: event.amount.map_or_else(String::new, |amount| amount.currency.code().to_owned()),
        properties: properties(names, event),
        generation: event.generation,
        unknown_json: String::from_utf8_lossy(&event.unknown).into_owned(),
    }
}

fn properties(names: &Names, event: &Event) -> BTreeMap<String, v1::Value> {
    let interned = [("feature", event.feature), ("metric", event.metric)];
    let interned = interned.into_iter().filter_map(|(key, symbol)| {
        let kind = Some(v1::value::Kind::Text(names.text(symbol?).to_owned()));
        Some((key.to_owned(), v1::Value { kind }))
    });
    let others = event.properties.iter().map(|(key, stated)| (names.text(*key).to_owned(), value(stated)));
    interned.chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn instants_keep_their_microseconds(at in -62_135_596_800_000_000i64..253_402_300_800_000_000) {
            prop_assert_eq!(micros(&timestamp(at)), Some(at));
        }
    }

    #[test]
    fn instants_outside_four_digit_years_are_none() {
        assert_eq!(micros(&Timestamp { seconds: 253_402_300_800, nanos: 0 }), None);
        assert_eq!(micros(&Timestamp { seconds: 0, nanos: -1 }), None);
    }

    #[test]
    fn whole_numbers_beyond_64_bits_come_as_numbers() {
        let wide = metric("m", Some(&Scalar::Integer(1 << 100)));
        assert_eq!(wide.value, Some(v1::metric::Value::Number((1u128 << 100) as f64)));
        assert_eq!(metric("m", None).value, None);
    }
}
