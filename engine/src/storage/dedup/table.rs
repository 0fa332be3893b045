//! Recent ids in memory, partitioned by key prefix, so that no growth or sort handles all of them at once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::run::Record;

pub(crate) const PARTS: usize = 64;
const PART_SHIFT: u32 = 128 - PARTS.ilog2();

/// Keys are keyed hashes already: their low half is their hash.
#[derive(Default)]
pub(crate) struct KeyHasher {
    hash: u64,
}

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.hash
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = self.hash << 8 | u64::from(*byte);
        }
    }

    fn write_u128(&mut self, key: u128) {
        self.hash = key as u64;
    }
}

type Part = HashMap<u128, (u64, u64), BuildHasherDefault<KeyHasher>>;

/// Ids with sequence and fingerprint.
pub(crate) struct Table {
    parts: Vec<Part>,
    len: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self { parts: (0..PARTS).map(|_| Part::default()).collect(), len: 0 }
    }
}

impl Table {
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    #[inline]
    pub(crate) fn get(&self, key: u128) -> Option<(u64, u64)> {
        self.parts[(key >> PART_SHIFT) as usize].get(&key).copied()
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: u128, seq: u64, fingerprint: u64) {
        let part = &mut self.parts[(key >> PART_SHIFT) as usize];
        self.len += u64::from(part.insert(key, (seq, fingerprint)).is_none());
    }

    pub(crate) fn each_key(&self, mut each: impl FnMut(u128)) {
        for part in &self.parts {
            part.keys().for_each(|key| each(*key));
        }
    }

    /// The ids of one part by key, greatest first. Parts follow each other in the order of keys.
    pub(crate) fn part_descending(&self, part: usize) -> Vec<Record> {
        let mut records: Vec<_> = self.parts[part]
            .iter()
            .map(|(key, (seq, fingerprint))| Record { key: *key, seq: *seq, fingerprint: *fingerprint })
            .collect();
        records.sort_unstable_by_key(|record| std::cmp::Reverse(record.key));
        records
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        const SLOT_BYTES: usize = size_of::<(u128, (u64, u64))>() + 1;
        self.parts.iter().map(|part| (part.capacity() * SLOT_BYTES) as u64).sum()
    }
}
