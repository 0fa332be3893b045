//! Everything a seed decides, from one stream of numbers.

use tidewatch_ingest::random::{Random, SplitMix64};

/// The draws of one part of a simulation.
#[derive(Clone)]
pub struct Draw(Random<SplitMix64>);

impl Draw {
    /// The draws of a seed.
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams.
        let mut random = Random::new(seed ^ 0x5851_f42d_4c95_7f2d);
        let start = random.bits();
        Self(Random::new(start))
    }

    /// Draws of their own for a part, so that more draws elsewhere change nothing there.
    pub fn fork(&mut self) -> Self {
        Self(Random::new(self.0.bits()))
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.0.bits()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0.below(bound as u64) as usize
    }

    /// A number from `least` to `most`, both included.
    pub fn range(&mut self, least: i64, most: i64) -> i64 {
        self.0.between(least, most)
    }

    /// Whether something happens that does so `times` in a thousand.
    pub fn often(&mut self, times: u64) -> bool {
        self.0.chance_in(times, 1000)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// One of these texts.
    pub fn text(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len())]
    }

    /// An index, each as likely as its weight.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        self.0.weighted(weights)
    }

    /// Any order of these.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }
}
