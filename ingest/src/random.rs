//! Random draws that are the same on every machine and in every release: published generators, and draws on top of them
//! that depend on nothing but the seed.
//!
//! The simulated fleet, the simulated disk and the benchmarks draw from here. None of it is fit for secrets.

use rand_xoshiro::rand_core::{RngCore, SeedableRng};
pub use rand_xoshiro::{SplitMix64, Xoshiro256PlusPlus};

/// From this mean on a Poisson draw is taken from the normal distribution; below, it multiplies uniform draws.
const POISSON_NORMAL_FROM: f64 = 40.0;

/// A stream of draws from the generator `G`. The same seed or key gives the same draws in the same order.
#[derive(Clone, Debug)]
pub struct Random<G = Xoshiro256PlusPlus> {
    generator: G,
}

impl Random<SplitMix64> {
    /// The SplitMix64 stream of a seed: one word of state, so that a new stream costs nothing.
    pub fn new(seed: u64) -> Self {
        Self { generator: SplitMix64::seed_from_u64(seed) }
    }
}

impl Random<Xoshiro256PlusPlus> {
    /// The xoshiro256++ stream of a key of several words. Streams of different keys have nothing in common, so the draws
    /// for one account and day do not depend on how many another took.
    pub fn keyed(key: &[u64]) -> Self {
        let mix = |word| SplitMix64::seed_from_u64(word).next_u64();
        let start = 0x7469_6465_7761_7463;
        let seed = key.iter().fold(start, |word, part| mix(word ^ mix(word).wrapping_add(*part)));
        Self { generator: Xoshiro256PlusPlus::seed_from_u64(seed) }
    }
}

impl<G: RngCore> Random<G> {
    /// The next 64 uniform random bits.
    pub fn bits(&mut self) -> u64 {
        self.generator.next_u64()
    }

    /// Uniform in [0, 1), in steps of 2⁻⁵³.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..`bound`; 0 when the bound is 0. The bias of a multiplication by 2⁻⁶⁴ is far below what shows.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A whole number uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// True with the probability `parts / of`, without rounding.
    pub fn chance_in(&mut self, parts: u64, of: u64) -> bool {
        self.below(of) < parts
    }

    /// One of the choices, each equally likely.
    ///
    /// # Panics
    /// When there is no choice.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// The index of a weight, with probability proportional to it.
    ///
    /// # Panics
    /// When there is no weight.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut drawn = self.below(weights.iter().map(|weight| u64::from(*weight)).sum());
        for (index, weight) in weights.iter().enumerate() {
            match drawn.checked_sub(u64::from(*weight)) {
                Some(left) => drawn = left,
                None => return index,
            }
        }
        weights.len() - 1
    }

    /// Normal with mean 0 and standard deviation 1 (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Log-normal with this median; `spread` is the standard deviation of the logarithm.
    pub fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * libm::exp(spread * self.normal())
    }

    /// A count with a Poisson distribution of this mean; 0 when the mean is not above 0.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean >= POISSON_NORMAL_FROM {
            return libm::round(mean + mean.sqrt() * self.normal()).max(0.0) as u64;
        }
        let floor = libm::exp(-mean);
        let mut product = self.unit();
        let mut count = 0;
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Puts the items into a random order, every order equally likely (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A release of the generators that drew something else would change every seed's fleet and simulation.
    #[test]
    fn streams_are_those_of_every_release_before() {
        let mut random = Random::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
        let mut random = Random::keyed(&[7, 0, 4]);
        let drawn: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(drawn, [17_455_489_149_100_794_453, 1_544_657_962_018_266_862, 1_640_299_301_254_142_391]);
    }

    #[test]
    fn draws_have_the_stated_mean() {
        let mut random = Random::keyed(&[7]);
        for mean in [0.3, 4.0, 39.0, 400.0] {
            let total: u64 = (0..20_000).map(|_| random.poisson(mean)).sum();
            let found = total as f64 / 20_000.0;
            assert!((found - mean).abs() < 6.0 * (mean / 20_000.0).sqrt(), "{found} for {mean}");
        }
        let total: f64 = (0..20_000).map(|_| random.normal()).sum();
        assert!((total / 20_000.0).abs() < 0.05);
    }

    #[test]
    fn keys_open_different_streams() {
        let first = |key: &[u64]| Random::keyed(key).bits();
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1]), first(&[1, 0]));
        assert_eq!(first(&[1, 2]), first(&[1, 2]));
    }
}
