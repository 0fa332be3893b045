//! A blocked Bloom filter: each key sets one bit in each of the eight words of one cache line.

/// Bits of the filter for each key it is made for.
const BITS_A_KEY: u64 = 16;
const WORDS: usize = 8;
const BLOCK_BITS: u64 = 64 * WORDS as u64;
/// Bits of the key that choose a bit of a word.
const WORD_BITS: u32 = 6;

#[derive(Clone)]
#[repr(align(64))]
struct Block([u64; WORDS]);

/// Says of a key that it was never inserted, or that it may have been.
pub(crate) struct Filter {
    blocks: Vec<Block>,
    capacity: u64,
    count: u64,
}

impl Filter {
    /// A filter for so many keys at the stated rate of false hits; more are taken, at a higher one.
    pub(crate) fn with_capacity(keys: u64) -> Self {
        let blocks = (keys * BITS_A_KEY).div_ceil(BLOCK_BITS).max(1);
        Self { blocks: vec![Block([0; WORDS]); blocks as usize], capacity: keys, count: 0 }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn is_over_capacity(&self) -> bool {
        self.count > self.capacity
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        (self.blocks.len() * size_of::<Block>()) as u64
    }

    /// The high half chooses the block, the low half a bit in each word.
    #[inline]
    fn block(&self, key: u128) -> usize {
        (((key >> 64) * self.blocks.len() as u128) >> 64) as usize
    }

    #[inline]
    fn bit(key: u128, word: usize) -> u64 {
        1 << (key as u64 >> (WORD_BITS * word as u32) & 63)
    }

    #[inline]
    pub(crate) fn insert(&mut self, key: u128) {
        let at = self.block(key);
        for (word, bits) in self.blocks[at].0.iter_mut().enumerate() {
            *bits |= Self::bit(key, word);
        }
        self.count += 1;
    }

    #[inline]
    pub(crate) fn may_hold(&self, key: u128) -> bool {
        let block = &self.blocks[self.block(key)].0;
        block.iter().enumerate().all(|(word, bits)| bits & Self::bit(key, word) != 0)
    }
}

#[cfg(test)]
mod tests {
    use tidewatch_ingest::random::Random;

    use super::*;

    #[test]
    fn every_key_is_found_and_few_others_are() {
        const KEYS: u64 = 50_000;
        let mut random = Random::new(1);
        let mut key = || u128::from(random.bits()) << 64 | u128::from(random.bits());
        let mut filter = Filter::with_capacity(KEYS);
        let keys: Vec<u128> = (0..KEYS).map(|_| key()).collect();
        keys.iter().for_each(|key| filter.insert(*key));
        assert!(keys.iter().all(|key| filter.may_hold(*key)));
        let false_hits = (0..KEYS).filter(|_| filter.may_hold(key())).count() as u64;
        assert!(false_hits * 500 < KEYS, "{false_hits} false hits of {KEYS}: more than 0.2 %");
    }
}
