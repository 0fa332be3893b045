//! Events that wait for an account: they carry an external reference or only a user, and no link says yet whose they are.

use std::hash::Hash;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::event::{Event, Subject};
use crate::names::{Names, Symbol};

/// Most sources counted apart; lines name their sources themselves, so strangers could name any number.
pub const SOURCES_MAX: usize = 256;

/// How many events wait, by source, and a fingerprint of what each waits for.
///
/// Sources that name no account park all they bring, so nothing here grows with the references.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Parked {
    /// Sorted by symbol; `None` is all sources past the bound.
    by_source: Vec<(Option<Symbol>, u64)>,
    /// The sum of a hash of each event's reference: the same whatever the order, and another when one is missing.
    fingerprint: u128,
}

impl Parked {
    /// Counts an event, unless it has an account.
    pub fn observe(&mut self, names: &Names, event: &Event) {
        let text = |symbol: Symbol| names.text(symbol);
        let waits_for = match event.subject {
            Subject::Account(_) => return,
            Subject::Ref { system, id } => (Some(text(system)), text(id)),
            Subject::User => (None, event.user.map_or("", text)),
        };
        let mut hasher = SipHasher13::new();
        waits_for.hash(&mut hasher);
        self.add(Some(event.source), 1);
        self.fingerprint = self.fingerprint.wrapping_add(hasher.finish128().as_u128());
    }

    fn add(&mut self, source: Option<Symbol>, events: u64) {
        match self.by_source.binary_search_by_key(&source, |(other, _)| *other) {
            Ok(index) => self.by_source[index].1 += events,
            Err(_) if self.by_source.len() > SOURCES_MAX && source.is_some() => self.add(None, events),
            Err(index) => self.by_source.insert(index, (source, events)),
        }
    }

    /// Adds what another fold saw of other events.
    pub fn merge(&mut self, other: &Self) {
        other.by_source.iter().for_each(|(source, events)| self.add(*source, *events));
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
    }

    /// How many events of each source wait, in no meaningful order; `None` is all sources past [`SOURCES_MAX`].
    pub fn by_source(&self) -> impl Iterator<Item = (Option<Symbol>, u64)> {
        self.by_source.iter().copied()
    }

    /// How many events wait.
    pub fn events(&self) -> u64 {
        self.by_source.iter().map(|(_, events)| events).sum()
    }

    /// Equal for equal sets of waiting events, whatever their order; texts decide, not symbols.
    pub fn fingerprint(&self) -> u128 {
        self.fingerprint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Actor;
    use crate::vocabulary::EventType;

    fn event(names: &Names, source: &str, subject: Subject) -> Event {
        Event {
            source: names.intern(source),
            generation: 0,
            id: "1".into(),
            subject,
            user: Some(names.intern("ann")),
            actor: Actor::Person,
            product: None,
            kind: EventType::Usage,
            occurred_at: 0,
            quantity: None,
            amount: None,
            feature: None,
            metric: None,
            properties: Vec::new(),
            unknown: Box::default(),
        }
    }

    fn parked(names: &Names, waiting: &[(&str, Subject)]) -> Parked {
        let mut parked = Parked::default();
        waiting.iter().for_each(|(source, subject)| parked.observe(names, &event(names, source, *subject)));
        parked
    }

    #[test]
    fn what_waits_is_told_apart_and_order_is_not() {
        let names = Names::new();
        let by_ref = |id| Subject::Ref { system: names.intern("crm"), id: names.intern(id) };
        let one = parked(&names, &[("app", by_ref("7")), ("app", Subject::User), ("web", by_ref("8"))]);
        let other = parked(&names, &[("web", by_ref("8")), ("app", by_ref("7")), ("app", Subject::User)]);
        assert_eq!(one, other);
        assert_eq!(one.events(), 3);
        let account = Subject::Account(names.intern("acme"));
        assert_eq!(parked(&names, &[("app", account)]), Parked::default());
        let third = parked(&names, &[("app", by_ref("7")), ("app", by_ref("7")), ("web", by_ref("8"))]);
        assert_ne!(one.fingerprint(), third.fingerprint());
    }

    #[test]
    fn sources_past_the_bound_are_counted_together() {
        let names = Names::new();
        let sources: Vec<String> = (0..SOURCES_MAX + 50).map(|number| number.to_string()).collect();
        let waiting: Vec<_> = sources.iter().map(|source| (source.as_str(), Subject::User)).collect();
        let parked = parked(&names, &waiting);
        assert_eq!(parked.events(), SOURCES_MAX as u64 + 50);
        assert!(parked.by_source().count() <= SOURCES_MAX + 2, "{}", parked.by_source().count());
    }
}
