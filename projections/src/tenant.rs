//! What crosses accounts: which types are fed, who was merged into whom.
//!
//! Everything here depends on the set of accepted events only, never on their order.

use std::cmp::Ordering;

use crate::calendar::{Calendar, Day};
use crate::event::{Event, Micros};
use crate::names::{Names, Symbol};
use crate::parked::Parked;
use crate::timeline::Order;
use crate::vocabulary::{EventType, Family};

/// Since when a type has been arriving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fed {
    /// Its earliest event.
    pub earliest_at: Micros,
    /// Its earliest event with a user.
    pub earliest_user_at: Option<Micros>,
}

/// Since when each type has been arriving in the tenant (health-model §3).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Feed {
    /// Sorted by type.
    types: Vec<(EventType, Fed)>,
}

impl Feed {
    /// Counts an event; says whether it made its type, or its type's users, arrive earlier than known. Events of the
    /// vendor's own staff count too: they show that the feed works.
    pub fn observe(&mut self, event: &Event) -> bool {
        let user_at = event.user.map(|_| event.occurred_at);
        self.note(event.kind, Fed { earliest_at: event.occurred_at, earliest_user_at: user_at })
    }

    /// Takes what is known elsewhere of a type; says whether it made anything earlier.
    pub fn note(&mut self, kind: EventType, other: Fed) -> bool {
        let index = match self.types.binary_search_by_key(&kind, |(known, _)| *known) {
            Ok(index) => index,
            Err(index) => {
                self.types.insert(index, (kind, other));
                return true;
            }
        };
        let fed = &mut self.types[index].1;
        let user_at = match (fed.earliest_user_at, other.earliest_user_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let earlier = Fed { earliest_at: fed.earliest_at.min(other.earliest_at), earliest_user_at: user_at };
        std::mem::replace(fed, earlier) != earlier
    }

    /// All types that ever arrived.
    pub fn types(&self) -> impl Iterator<Item = (EventType, Fed)> + '_ {
        self.types.iter().copied()
    }

    /// Whether any type that `matches` is fed on a day; the whole day of its earliest event counts. With `users`, its
    /// events must have carried a user by then. `telemetry` says whether usage and value can be fed at all.
    pub fn any_fed(
        &self,
        calendar: &Calendar,
        day: Day,
        users: bool,
        telemetry: bool,
        matches: impl Fn(EventType) -> bool,
    ) -> bool {
        let fed_by = |at: Micros| at < calendar.end(day);
        self.types.iter().any(|(kind, fed)| {
            let arrives = fed_by(fed.earliest_at) && (!users || fed.earliest_user_at.is_some_and(fed_by));
            let dark = !telemetry && matches!(kind.family(), Some(Family::Usage | Family::Value));
            arrives && !dark && matches(*kind)
        })
    }
}

/// Merges of accounts, all that were accepted.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Merges {
    /// (place, merged account, its survivor), in order.
    edges: Vec<(Order, Symbol, Symbol)>,
    /// Every account that stands in one of them, sorted: nearly all accounts stand in none, and are told so at once.
    accounts: Vec<Symbol>,
}

impl Merges {
    fn insert(&mut self, names: &Names, order: Order, from: Symbol, into: Symbol) {
        let at = self.edges.partition_point(|(other, _, _)| other.cmp(&order, names) == Ordering::Less);
        if self.edges.get(at).is_none_or(|(other, _, _)| *other != order) {
            self.edges.insert(at, (order, from, into));
            for account in [from, into] {
                if let Err(at) = self.accounts.binary_search(&account) {
                    self.accounts.insert(at, account);
                }
            }
        }
    }

    /// Takes back what a source stated so far: it was reset.
    pub fn forget(&mut self, source: Symbol) {
        self.edges.retain(|(order, _, _)| order.source != source);
        self.accounts = self.edges.iter().flat_map(|(_, from, into)| [*from, *into]).collect();
        self.accounts.sort_unstable();
        self.accounts.dedup();
    }

    /// Whether an account stands in any merge; one that does not answers for itself alone, at every instant.
    pub fn concern(&self, account: Symbol) -> bool {
        self.accounts.binary_search(&account).is_ok()
    }

    /// Whether merging `from` into `into` would make some account its own survivor.
    pub fn would_cycle(&self, from: Symbol, into: Symbol) -> bool {
        let mut reached = vec![into];
        let mut next = 0;
        while let Some(account) = reached.get(next).copied() {
            if account == from {
                return true;
            }
            for (_, merged, survivor) in &self.edges {
                if *merged == account && !reached.contains(survivor) {
                    reached.push(*survivor);
                }
            }
            next += 1;
        }
        false
    }

    fn seen(&self, as_of: Micros) -> &[(Order, Symbol, Symbol)] {
        &self.edges[..self.edges.partition_point(|(order, _, _)| order.at < as_of)]
    }

    /// Merges that happened before an instant, in order: (merged account, survivor). Of several of one account the newest
    /// holds.
    pub fn before(&self, as_of: Micros) -> impl Iterator<Item = (Symbol, Symbol)> {
        self.seen(as_of).iter().map(|(_, from, into)| (*from, *into))
    }

    /// The account that answers for `account` at an instant: itself unless it was merged before.
    pub fn survivor(&self, account: Symbol, as_of: Micros) -> Symbol {
        if !self.concern(account) {
            return account;
        }
        let seen = self.seen(as_of);
        let mut survivor = account;
        // A chain without cycles has at most as many links as there are merges.
        for _ in 0..=seen.len() {
            match seen.iter().rev().find(|(_, from, _)| *from == survivor) {
                Some((_, _, into)) => survivor = *into,
                None => break,
            }
        }
        survivor
    }

    /// The accounts whose events count for `survivor` at an instant, itself first, the others by id.
    pub fn members(&self, names: &Names, survivor: Symbol, as_of: Micros) -> Vec<Symbol> {
        if !self.concern(survivor) {
            return vec![survivor];
        }
        let mut merged: Vec<Symbol> = self.edges.iter().map(|(_, from, _)| *from).collect();
        merged.sort_unstable();
        merged.dedup();
        merged.retain(|account| *account != survivor && self.survivor(*account, as_of) == survivor);
        merged.sort_by_key(|account| names.text(*account));
        merged.insert(0, survivor);
        merged
    }

    /// Some accounts and those that ever count together with one of them, at whatever instant; sorted, each once.
    pub fn connected(&self, accounts: &[Symbol]) -> Vec<Symbol> {
        let mut connected: Vec<Symbol> = accounts.iter().flat_map(|account| self.reached(*account)).collect();
        connected.sort_unstable();
        connected.dedup();
        connected
    }

    fn reached(&self, account: Symbol) -> Vec<Symbol> {
        let mut reached = vec![account];
        if !self.concern(account) {
            return reached;
        }
        let mut next = 0;
        while let Some(account) = reached.get(next).copied() {
            for (_, from, into) in &self.edges {
                for (one, other) in [(from, into), (into, from)] {
                    if *one == account && !reached.contains(other) {
                        reached.push(*other);
                    }
                }
            }
            next += 1;
        }
        reached
    }

    /// All merges in order: (place, merged account, survivor).
    pub fn all(&self) -> &[(Order, Symbol, Symbol)] {
        &self.edges
    }
}

/// Everything that crosses accounts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tenant {
    /// Since when each type arrives.
    pub feed: Feed,
    /// Who was merged into whom.
    pub merges: Merges,
    /// The newest accepted event.
    pub newest_at: Option<Micros>,
    /// The oldest accepted event.
    pub oldest_at: Option<Micros>,
    /// How many events were accepted.
    pub events: u64,
    /// Events that wait for an account.
    pub parked: Parked,
}

impl Tenant {
    /// Folds an event in.
    pub fn observe(&mut self, names: &Names, event: &Event) {
        self.events += 1;
        self.newest_at = Some(self.newest_at.map_or(event.occurred_at, |at| at.max(event.occurred_at)));
        self.oldest_at = Some(self.oldest_at.map_or(event.occurred_at, |at| at.min(event.occurred_at)));
        self.feed.observe(event);
        if let Some((from, into)) = merge_of(names, event) {
            self.merges.insert(names, Order::of(event), from, into);
        }
        self.parked.observe(names, event);
    }

    /// Adds what another fold saw of other events of the tenant.
    pub fn merge(&mut self, names: &Names, other: &Self) {
        self.events += other.events;
        self.newest_at = self.newest_at.max(other.newest_at);
        self.oldest_at = match (self.oldest_at, other.oldest_at) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        for (kind, fed) in other.feed.types() {
            self.feed.note(kind, fed);
        }
        for (order, from, into) in other.merges.all() {
            self.merges.insert(names, order.clone(), *from, *into);
        }
        self.parked.merge(&other.parked);
    }

    /// The instant `last` means: one microsecond after the newest accepted event (health-model §3).
    pub fn last_instant(&self) -> Option<Micros> {
        self.newest_at.map(|at| at.saturating_add(1))
    }
}

/// The merge an event states: (merged account, survivor).
pub fn merge_of(names: &Names, event: &Event) -> Option<(Symbol, Symbol)> {
    if event.kind != EventType::AccountMerged {
        return None;
    }
    // The contract does not require it; a merge into nobody means nothing.
    let into = event.property_named(names, "into_account")?.as_text().filter(|into| !into.is_empty())?;
    Some((event.account()?, names.intern(into)))
}
