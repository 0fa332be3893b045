//! Things in the order in which they count: by (occurred_at, source, id), whatever the order of arrival.

use std::cmp::Ordering;

use thin_vec::ThinVec;

use crate::event::{Event, Micros};
use crate::names::{Names, Symbol};

/// An event's place in the contract's one order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// `occurred_at` of the event.
    pub at: Micros,
    /// The source; compared as UTF-8 bytes of its name.
    pub source: Symbol,
    /// The id; compared as UTF-8 bytes.
    pub id: Box<str>,
}

impl Order {
    /// The place of an event.
    pub fn of(event: &Event) -> Self {
        Self { at: event.occurred_at, source: event.source, id: event.id.clone() }
    }

    /// Which of two events comes first: by instant, then by source and id as UTF-8 bytes.
    pub fn cmp(&self, other: &Self, names: &Names) -> Ordering {
        self.at
            .cmp(&other.at)
            .then_with(|| match self.source == other.source {
                true => Ordering::Equal,
                false => names.text(self.source).as_bytes().cmp(names.text(other.source).as_bytes()),
            })
            .then_with(|| self.id.as_bytes().cmp(other.id.as_bytes()))
    }
}

/// Values in the contract's order.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeline<T>(ThinVec<(Order, T)>);

impl<T> Default for Timeline<T> {
    fn default() -> Self {
        Self(ThinVec::new())
    }
}

impl<T> Timeline<T> {
    /// Puts a value in its place.
    pub fn insert(&mut self, names: &Names, order: Order, value: T) {
        let at = match self.0.last() {
            Some((last, _)) if last.cmp(&order, names) == Ordering::Greater => {
                self.0.partition_point(|(other, _)| other.cmp(&order, names) != Ordering::Greater)
            }
            _ => self.0.len(),
        };
        self.0.insert(at, (order, value));
    }

    /// All values that happened before an instant, oldest first.
    pub fn before(&self, as_of: Micros) -> &[(Order, T)] {
        &self.0[..self.0.partition_point(|(order, _)| order.at < as_of)]
    }

    /// The newest value before an instant.
    pub fn newest(&self, as_of: Micros) -> Option<&T> {
        self.before(as_of).last().map(|(_, value)| value)
    }

    /// All values, oldest first.
    pub fn all(&self) -> &[(Order, T)] {
        &self.0
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all but the newest `keep` values; says whether any was forgotten.
    pub fn keep_newest(&mut self, keep: usize) -> bool {
        let excess = self.0.len().saturating_sub(keep);
        self.0.drain(..excess);
        excess > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_by_source_then_id_and_instants_are_exclusive() {
        let names = Names::new();
        let (zeta, alpha) = (names.intern("zeta"), names.intern("alpha"));
        let order = |at, source, id: &str| Order { at, source, id: id.into() };
        let mut line = Timeline::default();
        for (at, source, id) in
            [(5, zeta, "1"), (5, alpha, "2"), (5, alpha, "10"), (3, zeta, "9"), (7, alpha, "0")]
        {
            line.insert(&names, order(at, source, id), id.to_owned());
        }
        let ids: Vec<&str> = line.before(7).iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(ids, ["9", "10", "2", "1"]);
        assert_eq!(line.newest(5).map(String::as_str), Some("9"));
    }
}
