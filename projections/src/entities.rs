//! Things of one account under their own ids, bounded.

use thin_vec::ThinVec;

/// Values by id, ascending.
#[derive(Clone, PartialEq, Debug)]
pub struct Entities<K, T> {
    entries: ThinVec<(K, T)>,
    /// By hash, once there was one too many: who leaves next is the last.
    leaving: ThinVec<(u64, K)>,
}

impl<K, T> Default for Entities<K, T> {
    fn default() -> Self {
        Self { entries: ThinVec::new(), leaving: ThinVec::new() }
    }
}

impl<K: Ord + Clone, T: Default> Entities<K, T> {
    /// Changes the value under an id, made when absent. Past `entities_max`, at least 1, those with the least `hash` stay, so what is
    /// kept depends on which ids came and never on when; an id that does not stay changes nothing.
    pub fn change(
        &mut self,
        id: K,
        entities_max: usize,
        hash: impl Fn(&K) -> u64,
        change: impl FnOnce(&mut T),
    ) {
        let mut found = self.find(&id);
        if found.is_err() && self.entries.len() >= entities_max {
            if !self.make_room(&id, hash) {
                return;
            }
            found = self.find(&id);
        }
        let index = found.unwrap_or_else(|index| {
            self.entries.insert(index, (id, T::default()));
            index
        });
        change(&mut self.entries[index].1);
    }

    /// Lets the one with the greatest hash go; says whether that is not the new one itself.
    fn make_room(&mut self, id: &K, hash: impl Fn(&K) -> u64) -> bool {
        if self.leaving.is_empty() {
            self.leaving = self.entries.iter().map(|(other, _)| (hash(other), other.clone())).collect();
            self.leaving.sort_unstable();
        }
        let new = (hash(id), id.clone());
        let place = self.leaving.partition_point(|other| *other < new);
        self.leaving.insert(place, new);
        let left = self.leaving.pop().expect("one was just put in").1;
        if left == *id {
            return false;
        }
        let index = self.find(&left).expect("whoever can leave is kept");
        self.entries.remove(index);
        true
    }
}

impl<K: Ord, T> Entities<K, T> {
    fn find(&self, id: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(other, _)| other.cmp(id))
    }

    /// The value under an id.
    pub fn get(&self, id: &K) -> Option<&T> {
        Some(&self.entries[self.find(id).ok()?].1)
    }
}

impl<K, T> Entities<K, T> {
    /// Those that are kept, by rising id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(K, T)> {
        self.entries.iter()
    }

    /// Whether some were left out because there were too many.
    pub fn is_cut(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// FNV-1a, 64 bits: decides which members stay past a bound; nothing relies on it being hard to invert.
pub(crate) fn text_hash(text: &str) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_kept_does_not_depend_on_arrival(ids in prop::collection::vec(0u64..50, 0..80), at in any::<prop::sample::Index>()) {
            let kept = |ids: &[u64]| {
                let mut entities: Entities<u64, u64> = Entities::default();
                for id in ids {
                    entities.change(*id, 10, |id| id.wrapping_mul(0x9e37_79b9_7f4a_7c15), |_| ());
                }
                entities
            };
            let mut turned = ids.clone();
            if !turned.is_empty() {
                let by = at.index(turned.len());
                turned.rotate_left(by);
            }
            prop_assert_eq!(kept(&ids), kept(&turned));
        }
    }
}
