//! What happened on one day among the events that pass one filter: how many, by which people, with which features.

use crate::days::Cell;
use crate::names::Names;

/// One day. People and features go by their numbers in the account's rosters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Activity {
    /// Events of the day that pass the filter.
    pub events: u64,
    /// The first people as bits, and [`ANYONE`].
    people: u64,
    features: u64,
    wide: Option<Box<Wide>>,
}

/// Those whose numbers do not fit into one word: most accounts have none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Wide {
    people: Vec<u64>,
    features: Vec<u64>,
}

/// Numbers below are bits of the first word.
const FIRST_WORD: u32 = 63;
/// A person acted, named or not.
const ANYONE: u64 = 1 << FIRST_WORD;

impl Activity {
    /// A person acted, named or not.
    pub fn note_person(&mut self, person: Option<u32>) {
        self.people |= ANYONE;
        match person {
            Some(number) if number < FIRST_WORD => self.people |= 1 << number,
            Some(number) => set(&mut self.wide.get_or_insert_default().people, number - FIRST_WORD),
            None => {}
        }
    }

    /// A feature was used.
    pub fn note_feature(&mut self, number: u32) {
        match number < FIRST_WORD {
            true => self.features |= 1 << number,
            false => set(&mut self.wide.get_or_insert_default().features, number - FIRST_WORD),
        }
    }

    /// Whether a person acted, named or not.
    pub fn by_anyone(&self) -> bool {
        self.people & ANYONE != 0
    }

    /// The people, by number.
    pub fn people(&self) -> impl Iterator<Item = u32> {
        numbers(self.people & !ANYONE, self.wide.as_ref().map_or(&[], |wide| &wide.people))
    }

    /// The features, by number.
    pub fn features(&self) -> impl Iterator<Item = u32> {
        numbers(self.features, self.wide.as_ref().map_or(&[], |wide| &wide.features))
    }

    /// A person is not kept any more.
    pub fn forget_person(&mut self, number: u32) {
        match number < FIRST_WORD {
            true => self.people &= !(1 << number),
            false => clear(self.wide.as_mut().map(|wide| &mut wide.people), number - FIRST_WORD),
        }
    }

    /// A feature is not kept any more.
    pub fn forget_feature(&mut self, number: u32) {
        match number < FIRST_WORD {
            true => self.features &= !(1 << number),
            false => clear(self.wide.as_mut().map(|wide| &mut wide.features), number - FIRST_WORD),
        }
    }
}

impl Cell for Activity {
    fn merge(&mut self, _: &Names, other: &Self) {
        self.events += other.events;
        self.people |= other.people;
        self.features |= other.features;
        if let Some(theirs) = &other.wide {
            let ours = self.wide.get_or_insert_default();
            unite(&mut ours.people, &theirs.people);
            unite(&mut ours.features, &theirs.features);
        }
    }
}

fn set(words: &mut Vec<u64>, bit: u32) {
    let word = (bit / u64::BITS) as usize;
    if words.len() <= word {
        words.resize(word + 1, 0);
    }
    words[word] |= 1 << (bit % u64::BITS);
}

fn clear(words: Option<&mut Vec<u64>>, bit: u32) {
    if let Some(word) = words.and_then(|words| words.get_mut((bit / u64::BITS) as usize)) {
        *word &= !(1 << (bit % u64::BITS));
    }
}

fn unite(words: &mut Vec<u64>, others: &[u64]) {
    if words.len() < others.len() {
        words.resize(others.len(), 0);
    }
    words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
}

/// The bits of the first word and of the words that follow it.
fn numbers(first: u64, words: &[u64]) -> impl Iterator<Item = u32> {
    let rest = words.iter().zip((FIRST_WORD..).step_by(u64::BITS as usize));
    std::iter::once((first, 0)).chain(rest.map(|(word, from)| (*word, from))).flat_map(|(word, from)| {
        std::iter::successors(Some(word), |left| Some(left & left.wrapping_sub(1)))
            .take_while(|left| *left != 0)
            .map(move |left| from + left.trailing_zeros())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(numbers: &[u32]) -> Activity {
        let mut activity = Activity::default();
        for number in numbers {
            activity.note_person(Some(*number));
            activity.note_feature(*number);
        }
        activity
    }

    proptest! {
        #[test]
        fn it_is_a_set(
            a in prop::collection::vec(0u32..300, 0..40),
            b in prop::collection::vec(0u32..300, 0..40),
            left in 0u32..300,
        ) {
            let mut both = of(&a);
            both.merge(&Names::new(), &of(&b));
            let mut expected: BTreeSet<u32> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(both.people().collect::<Vec<_>>(), Vec::from_iter(expected.clone()));
            both.forget_person(left);
            both.forget_feature(left);
            expected.remove(&left);
            prop_assert_eq!(both.people().collect::<Vec<_>>(), Vec::from_iter(expected.clone()));
            prop_assert_eq!(both.features().collect::<Vec<_>>(), Vec::from_iter(expected));
        }
    }

    #[test]
    fn somebody_unnamed_makes_the_day_active_and_is_nobody_in_particular() {
        let mut activity = Activity::default();
        assert!(!activity.by_anyone());
        activity.note_person(None);
        assert!(activity.by_anyone());
        assert_eq!(activity.people().count(), 0);
    }
}
