//! The people, or the features, that an account has met, numbered: a day's set of them is then a few bits.
//!
//! Numbers follow arrival and mean nothing outside their account: whatever is told, compared or digested goes by name.

use std::collections::{BinaryHeap, HashMap};

use thin_vec::ThinVec;

use crate::entities::text_hash;
use crate::event::Micros;
use crate::names::{Names, Symbol};
use crate::seen::Seen;

/// Up to here a look-up compares all names one by one, which costs less than a hash table and takes less memory.
const LINEAR_MAX: usize = 64;

/// The number of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbered {
    /// The number of a name that was known or found room.
    At(u32),
    /// Its number, which was another's that is not kept any more: what is known under it is void.
    InPlaceOfAnother(u32),
    /// The roster is full of names that stay before it.
    NotKept,
}

/// Names by number, and what was seen of each.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    names: ThinVec<Symbol>,
    /// By number; shorter than the names where the last ones were never seen.
    seen: ThinVec<Seen>,
    large: Option<Box<Large>>,
    /// Whether names beyond the bound were left out.
    pub cut: bool,
}

/// What only a large roster needs.
#[derive(Clone, Debug, Default)]
struct Large {
    numbers: HashMap<Symbol, u32>,
    /// By hash, the greatest first; filled once the bound is reached.
    leaving: BinaryHeap<(u64, u32)>,
}

impl Roster {
    /// The number of a name, given on first sight. Past `most` those with the least hash stay, so who is kept depends on
    /// which names came and never on when.
    pub fn number(&mut self, names: &Names, name: Symbol, most: usize) -> Numbered {
        if let Some(number) = self.find(name) {
            return Numbered::At(number);
        }
        if self.names.len() >= most {
            return self.replace(names, name);
        }
        let number = u32::try_from(self.names.len()).expect("fewer than 2^32 names of one account");
        self.names.push(name);
        if let Some(large) = &mut self.large {
            large.numbers.insert(name, number);
        } else if self.names.len() > LINEAR_MAX {
            self.large().numbers.insert(name, number);
        }
        Numbered::At(number)
    }

    /// The names it keeps, in no order.
    pub fn names(&self) -> impl Iterator<Item = Symbol> + '_ {
        self.names.iter().copied()
    }

    fn find(&self, name: Symbol) -> Option<u32> {
        match &self.large {
            Some(large) => large.numbers.get(&name).copied(),
            None => self.names.iter().position(|other| *other == name).map(|number| number as u32),
        }
    }

    fn large(&mut self) -> &mut Large {
        let names = &self.names;
        self.large.get_or_insert_with(|| {
            let numbers = names.iter().zip(0..).map(|(name, number)| (*name, number)).collect();
            Box::new(Large { numbers, leaving: BinaryHeap::new() })
        })
    }

    fn replace(&mut self, names: &Names, name: Symbol) -> Numbered {
        self.cut = true;
        let hash = |name: Symbol| text_hash(names.text(name));
        if self.large.as_ref().is_none_or(|large| large.leaving.is_empty()) {
            let leaving = self.names.iter().zip(0..).map(|(name, number)| (hash(*name), number)).collect();
            self.large().leaving = leaving;
        }
        let large = self.large.as_mut().expect("made above");
        let Some(mut greatest) = large.leaving.peek_mut().filter(|greatest| greatest.0 > hash(name)) else {
            return Numbered::NotKept;
        };
        let number = greatest.1;
        *greatest = (hash(name), number);
        drop(greatest);
        let left = std::mem::replace(&mut self.names[number as usize], name);
        large.numbers.remove(&left);
        large.numbers.insert(name, number);
        if let Some(seen) = self.seen.get_mut(number as usize) {
            *seen = Seen::default();
        }
        Numbered::InPlaceOfAnother(number)
    }

    /// Notes that somebody or something was seen.
    pub fn see(&mut self, number: u32, at: Micros) {
        let index = number as usize;
        if self.seen.len() <= index {
            self.seen.resize(index + 1, Seen::default());
        }
        self.seen[index].add(at);
    }

    /// Reads the heads of both lists: see [`crate::account::Account::touch`].
    pub(crate) fn touch(&self) -> usize {
        self.names.len() ^ self.seen.len()
    }

    /// The name behind a number of this roster.
    pub fn name(&self, number: u32) -> Symbol {
        self.names[number as usize]
    }

    /// Whoever was seen, in no meaningful order.
    pub fn seen(&self) -> impl Iterator<Item = (Symbol, &Seen)> {
        self.names.iter().copied().zip(&self.seen).filter(|(_, seen)| seen.events > 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the roster holds, by name.
    fn kept(names: &Names, ids: &[u16], most: usize) -> Vec<(String, u64)> {
        let mut roster = Roster::default();
        for id in ids {
            let name = names.intern(&id.to_string());
            match roster.number(names, name, most) {
                Numbered::At(number) | Numbered::InPlaceOfAnother(number) => {
                    assert_eq!(roster.name(number), name);
                    roster.see(number, i64::from(*id));
                }
                Numbered::NotKept => {}
            }
        }
        let mut kept: Vec<(String, u64)> =
            roster.seen().map(|(name, seen)| (names.text(name).to_owned(), seen.events)).collect();
        kept.sort();
        kept
    }

    proptest! {
        #[test]
        fn who_is_kept_does_not_depend_on_arrival(
            ids in prop::collection::vec(0u16..300, 0..600),
            at in any::<prop::sample::Index>(),
            most in prop::sample::select(vec![1usize, 10, LINEAR_MAX, LINEAR_MAX + 1, 150, 1_000]),
        ) {
            let mut turned = ids.clone();
            if !turned.is_empty() {
                let by = at.index(turned.len());
                turned.rotate_left(by);
                turned[..by].reverse();
            }
            let one = kept(&Names::new(), &ids, most);
            prop_assert_eq!(&one, &kept(&Names::new(), &turned, most));
            let distinct: std::collections::BTreeSet<&u16> = ids.iter().collect();
            prop_assert_eq!(one.len(), distinct.len().min(most));
        }
    }
}
