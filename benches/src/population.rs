//! A population of accounts whose people use features: the same events on every machine.
//!
//! The fleet of `ingest` is lifelike and has all types; this one has exactly as many accounts, people and features as it is
//! asked for, and its events cost little to make.

use tidewatch_ingest::random::Random;
use tidewatch_projections::decimal::Decimal;
use tidewatch_projections::event::{Actor, Event, Micros, Subject};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::value::Value;
use tidewatch_projections::vocabulary::EventType;

/// 2025-01-01T00:00:00Z.
pub const BEGIN: Micros = 1_735_689_600_000_000;
const DAY_US: u64 = 86_400_000_000;

/// How large a population is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Accounts.
    pub accounts: u32,
    /// People of each.
    pub users: u32,
    /// Features they use.
    pub features: u32,
    /// Days over which the events are spread evenly, from [`BEGIN`].
    pub days: u32,
    /// Events in all.
    pub events: u64,
}

/// Who takes part, as symbols.
pub struct Population {
    size: Size,
    source: Symbol,
    duration: Symbol,
    accounts: Vec<Symbol>,
    /// By account and person.
    users: Vec<Symbol>,
    features: Vec<Symbol>,
}

impl Population {
    /// Names everybody.
    pub fn new(size: Size, names: &Names) -> Self {
        let person = |account, user| format!("user-{account:08}-{user:02}");
        let people = (0..size.accounts).flat_map(|account| (0..size.users).map(move |user| (account, user)));
        Self {
            size,
            source: names.intern("app"),
            duration: names.intern("duration_s"),
            accounts: (0..size.accounts)
                .map(|account| names.intern(&format!("account-{account:08}")))
                .collect(),
            users: people.map(|(account, user)| names.intern(&person(account, user))).collect(),
            features: (0..size.features)
                .map(|feature| names.intern(&format!("feature-{feature:02}")))
                .collect(),
        }
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        self.size
    }

    /// The id of account `number`.
    pub fn account(&self, number: usize) -> Symbol {
        self.accounts[number]
    }

    /// Event `index`, in the order of time. Few accounts, and few people of each, have many of the events: the busiest
    /// tenth a third of them.
    pub fn event(&self, index: u64) -> Event {
        let account = busy(mix(3 * index), self.accounts.len());
        let user = busy(mix(3 * index + 1), self.size.users as usize);
        let rest = mix(3 * index + 2);
        self.event_of(index, account, user, rest)
    }

    /// Event `index` of those that follow a plan instead of chance: each day each person of each account once, with the
    /// features in turn.
    pub fn event_of_plan(&self, index: u64) -> Event {
        let (accounts, users) = (u64::from(self.size.accounts), u64::from(self.size.users));
        let account = index % accounts;
        let user = index / accounts % users;
        self.event_of(index, account as usize, user as usize, index / accounts)
    }

    fn event_of(&self, index: u64, account: usize, user: usize, rest: u64) -> Event {
        let span_us = u64::from(self.size.days) * DAY_US;
        let at = u128::from(index) * u128::from(span_us) / u128::from(self.size.events.max(1));
        Event {
            source: self.source,
            generation: 0,
            id: uuid(index).into(),
            subject: Subject::Account(self.accounts[account]),
            user: Some(self.users[account * self.size.users as usize + user]),
            actor: Actor::Person,
            product: None,
            kind: EventType::Usage,
            occurred_at: BEGIN + i64::try_from(at).expect("a few years"),
            quantity: None,
            amount: None,
            feature: Some(self.features[rest as usize % self.features.len()]),
            metric: None,
            properties: vec![(self.duration, Value::Number(Decimal::new(i128::from(rest >> 54), 0)))],
            unknown: Box::default(),
        }
    }
}

/// A random UUID as text, as most producers send for an id: nothing makes it shorter.
fn uuid(number: u64) -> String {
    let bits = u128::from(mix(!number)) << 64 | u128::from(mix(number ^ 1 << 63));
    let bits = bits & !(0xf << 76 | 0b11 << 62) | 4 << 76 | 0b10 << 62;
    let part = |shift: u32, digits: u32| bits >> shift & ((1 << (4 * digits)) - 1);
    let [low, middle, version, variant, node] =
        [part(96, 8), part(80, 4), part(64, 4), part(48, 4), part(0, 12)];
    format!("{low:08x}-{middle:04x}-{version:04x}-{variant:04x}-{node:012x}")
}

/// One of `count`, the first ones most often: the square of an even draw.
fn busy(random: u64, count: usize) -> usize {
    let even = (random >> 11) as f64 / (1u64 << 53) as f64;
    ((even * even * count as f64) as usize).min(count - 1)
}

/// What SplitMix64 adds to its state at each draw.
const SPLIT_MIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Draw `number` of the SplitMix64 stream of seed 0, counted from 0, without the draws before it.
pub fn mix(number: u64) -> u64 {
    Random::new(number.wrapping_mul(SPLIT_MIX_STEP)).bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { accounts: 100, users: 4, features: 3, days: 2, events: 20_000 };

    #[test]
    fn events_are_in_the_order_of_time_and_the_busiest_tenth_has_a_third_of_them() {
        let names = Names::new();
        let population = Population::new(SIZE, &names);
        let events: Vec<Event> = (0..SIZE.events).map(|index| population.event(index)).collect();
        assert!(events.is_sorted_by_key(|event| event.occurred_at));
        let busiest: Vec<Symbol> = (0..10).map(|number| population.account(number)).collect();
        let theirs = events.iter().filter(|event| busiest.contains(&event.account().unwrap())).count();
        assert!((5_500..7_500).contains(&theirs), "{theirs} of 20,000");
    }

    #[test]
    fn a_draw_by_number_is_the_draw_of_the_stream() {
        let mut stream = Random::new(0);
        assert!((0..100).all(|number| mix(number) == stream.bits()));
    }

    #[test]
    fn ids_are_distinct_random_uuids() {
        let ids: std::collections::BTreeSet<String> = (0..1_000).map(uuid).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(ids.iter().all(|id| id.len() == 36 && &id[14..15] == "4" && "89ab".contains(&id[19..20])));
    }

    #[test]
    fn the_plan_lets_everybody_act_equally_often() {
        let names = Names::new();
        let population = Population::new(SIZE, &names);
        let mut counts = std::collections::BTreeMap::new();
        for index in 0..4_000 {
            *counts.entry(population.event_of_plan(index).user).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 400);
        assert!(counts.values().all(|count| *count == 10));
    }
}
