//! Selects the first k items of an order without sorting all of them.

use std::cmp::Ordering;

/// Keeps the first `most` of all items put in. Takes memory for twice as many.
pub struct TopK<T, C> {
    most: usize,
    compare: C,
    kept: Vec<T>,
    /// The first `most` of `kept` are the first of all before the last cut, the greatest of them at their end.
    is_cut: bool,
}

impl<T, C: Fn(&T, &T) -> Ordering> TopK<T, C> {
    /// Keeps nothing yet. Items that `compare` calls equal are kept by chance.
    pub fn new(most: usize, compare: C) -> Self {
        Self { most, compare, kept: Vec::new(), is_cut: false }
    }

    /// Takes an item, unless it is known to be none of the first.
    pub fn put(&mut self, item: T) {
        let comes_too_late = |last: &T| self.is_cut && (self.compare)(&item, last) != Ordering::Less;
        if self.most == 0 || self.kept.get(self.most - 1).is_some_and(comes_too_late) {
            return;
        }
        self.kept.push(item);
        if self.kept.len() / 2 >= self.most {
            self.cut();
        }
    }

    /// The first ones in order.
    pub fn sorted(mut self) -> Vec<T> {
        if self.kept.len() > self.most {
            self.cut();
        }
        self.kept.sort_unstable_by(self.compare);
        self.kept
    }

    fn cut(&mut self) {
        self.kept.select_nth_unstable_by(self.most - 1, &self.compare);
        self.kept.truncate(self.most);
        self.is_cut = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_first_are_those_of_the_sorted_list(
            items in prop::collection::vec(0u16..500, 0..400),
            most in prop_oneof![0usize..20, Just(usize::MAX)],
        ) {
            let mut top_k = TopK::new(most, u16::cmp);
            for item in &items {
                top_k.put(*item);
                prop_assert!(most == 0 || top_k.kept.len() / 2 < most);
            }
            let mut expected = items;
            expected.sort_unstable();
            expected.truncate(most);
            prop_assert_eq!(top_k.sorted(), expected);
        }
    }
}
