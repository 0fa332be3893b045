//! The regularised incomplete beta function, which every probability of the detector is.
//!
//! Our own, over `libm`: the value of a library that takes logarithms from the machine's C library could differ between two
//! machines, and a decision is replayed on another one. Measured beside it, `statrs` agrees to 10⁻⁸ or better.

use libm::{exp, lgamma, log, log1p};

/// Two terms of the fraction in a row that change it by less end it.
const PRECISION: f64 = 1e-14;
/// Far more than any argument of the detector needs; a limit so that none can run for ever.
const TERMS_MAX: u32 = 20_000;
/// Stands for a denominator of 0 (modified Lentz algorithm).
const TINY: f64 = 1e-300;
/// The logarithm below which `exp` gives 0.
const LEAST_LOGARITHM: f64 = -745.0;

/// `I_x(a, b)`: the share of a beta distribution with parameters `a` and `b`, both above 0, that lies below `x`.
///
/// By the continued fraction with the modified Lentz algorithm, on the side of the mean where it converges fast: values far
/// below 10⁻¹⁶ keep their digits. 0 where `x` is 0 or less, 1 where it is 1 or more.
pub fn beta_regularised(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - below_mean(b, a, 1.0 - x);
    }
    below_mean(a, b, x)
}

fn below_mean(a: f64, b: f64, x: f64) -> f64 {
    let front = lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x);
    if front <= LEAST_LOGARITHM {
        return 0.0;
    }
    exp(front) * fraction(a, b, x) / a
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for term in 1..TERMS_MAX {
        let m = f64::from(term);
        let at = a + 2.0 * m;
        let even = m * (b - m) * x / ((at - 1.0) * at);
        let odd = -(a + m) * (a + b + m) * x / (at * (at + 1.0));
        for coefficient in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + coefficient * d);
            c = away_from_zero(1.0 + coefficient / c);
            value *= d * c;
        }
        if (d * c - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

fn away_from_zero(number: f64) -> f64 {
    if number.abs() > TINY { number } else { TINY }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_close(value: f64, expected: f64, relative: f64) -> bool {
        (value - expected).abs() <= relative * expected.abs()
    }

    #[test]
    fn closed_forms_are_met() {
        // I_x(a, 1) = x^a and I_x(1, b) = 1 − (1 − x)^b.
        for (a, x) in [(0.5, 0.9), (1.0, 0.3), (24.5, 8.0 / 9.0), (1_000.0, 0.999)] {
            let (value, expected) = (beta_regularised(a, 1.0, x), libm::pow(x, a));
            assert!(is_close(value, expected, 1e-12), "a {a}, x {x}: {value} is not {expected}");
            let value = beta_regularised(1.0, a, 1.0 - x);
            assert!(is_close(value, 1.0 - expected, 1e-12), "b {a}, x {x}: {value}");
        }
        // Integers give the binomial tail: I_{1/2}(2, 3) = P(at least 2 of 4 heads) = 11/16.
        assert!(is_close(beta_regularised(2.0, 3.0, 0.5), 11.0 / 16.0, 1e-14));
        // P(at least 9 of 10) at 1/10 = (10·9 + 1)/10¹⁰: a tail is not lost in 1 − (1 − p).
        assert!(is_close(beta_regularised(9.0, 2.0, 0.1), 9.1e-9, 1e-12));
    }

    #[test]
    fn outside_of_the_interval_nothing_or_everything_lies_below() {
        assert_eq!(beta_regularised(2.0, 3.0, -1.0), 0.0);
        assert_eq!(beta_regularised(2.0, 3.0, 0.0), 0.0);
        assert_eq!(beta_regularised(2.0, 3.0, 1.0), 1.0);
        assert_eq!(beta_regularised(200_000.0, 1.0, 0.75), 0.0, "below the least number");
    }

    proptest! {
        #[test]
        fn both_sides_add_up_to_one(a in 0.5..5_000.0_f64, b in 0.5..5_000.0_f64, x in 0.0..1.0_f64) {
            let (below, above) = (beta_regularised(a, b, x), beta_regularised(b, a, 1.0 - x));
            prop_assert!((below + above - 1.0).abs() < 1e-9, "{below} + {above}");
        }

        #[test]
        fn more_lies_below_a_greater_value(a in 0.5..5_000.0_f64, b in 0.5..5_000.0_f64, x in 0.0..1.0_f64, y in 0.0..1.0_f64) {
            let (low, high) = (x.min(y), x.max(y));
            prop_assert!(beta_regularised(a, b, low) <= beta_regularised(a, b, high) + 1e-9);
        }
    }
}
