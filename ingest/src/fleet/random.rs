//! A small generator whose draws are the same on every machine: the standard library promises none.

/// Words of state of the generator.
const STATE_WORDS: usize = 4;
/// From this mean on a Poisson draw is taken from the normal distribution; below, it multiplies uniform draws.
const POISSON_NORMAL_FROM: f64 = 40.0;

/// xoshiro256++ seeded by SplitMix64, both by their published definitions.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: [u64; STATE_WORDS],
}

/// One step of SplitMix64: also a good mixer of two words.
fn split_mix(word: &mut u64) -> u64 {
    *word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *word;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Random {
    /// The stream of a key: streams of different keys have nothing in common, so an account's days do not depend on how
    /// many draws another account took.
    pub(super) fn keyed(key: &[u64]) -> Self {
        let mut word = 0x7469_6465_7761_7463;
        for part in key {
            word ^= split_mix(&mut word.clone()).wrapping_add(*part);
            word = split_mix(&mut word);
        }
        Self { state: std::array::from_fn(|_| split_mix(&mut word)) }
    }

    /// 64 uniform bits.
    pub(super) fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let drawn = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        drawn
    }

    /// Uniform in [0, 1), in steps of 2⁻⁵³.
    pub(super) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..`bound`; 0 when the bound is 0. The bias of a multiplication by 2⁻⁶⁴ is far below what shows.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform in `low..=high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low) + 1) as i64
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of the choices.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// The index of a weight, with probability proportional to it.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut drawn = self.below(weights.iter().map(|weight| u64::from(*weight)).sum());
        for (index, weight) in weights.iter().enumerate() {
            match drawn.checked_sub(u64::from(*weight)) {
                Some(left) => drawn = left,
                None => return index,
            }
        }
        weights.len() - 1
    }

    /// Normal with mean 0 and deviation 1 (Box–Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * libm::log(1.0 - self.unit())).sqrt();
        radius * libm::cos(std::f64::consts::TAU * self.unit())
    }

    /// Log-normal with this median; `spread` is the deviation of the logarithm.
    pub(super) fn log_normal(&mut self, median: f64, spread: f64) -> f64 {
        median * libm::exp(spread * self.normal())
    }

    /// A count with this mean; 0 when the mean is not above 0.
    pub(super) fn poisson(&mut self, mean: f64) -> u64 {
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

    /// Puts the items into an order of its own.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_follows_its_definition() {
        let mut word = 1_234_567;
        let drawn: Vec<u64> = (0..3).map(|_| split_mix(&mut word)).collect();
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
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
