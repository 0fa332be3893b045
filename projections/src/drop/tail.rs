//! How likely so little activity would be, had nothing changed.

use super::beta::beta_regularised;

/// The predictive distribution of a window's count: negative binomial, in units of the dispersion, its mean known no better
/// than the weeks of the baseline tell it (Poisson–Gamma).
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tail {
    /// Activity of the baseline.
    pub(super) baseline: f64,
    /// Variance over mean, at least 1.
    pub(super) dispersion: f64,
    /// The baseline's part of all exposure, its own and that of the window.
    pub(super) part: f64,
}

/// Halvings of the interval in which a quantile is looked for.
const HALVINGS: usize = 60;

impl Tail {
    /// P(count ≤ `count`).
    pub fn at_most(&self, count: f64) -> f64 {
        beta_regularised(self.baseline / self.dispersion + 0.5, count / self.dispersion + 1.0, self.part)
    }

    /// The count that is exceeded with probability 1 − `share`, `expected` being the mean.
    pub fn quantile(&self, share: f64, expected: f64) -> f64 {
        let (mut low, mut high) = (0.0, (4.0 * expected + 20.0).max(20.0));
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            if self.at_most(middle) < share { low = middle } else { high = middle }
        }
        high
    }
}
