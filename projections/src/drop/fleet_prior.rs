//! The fleet's prior: how much a week of an account usually varies beyond chance (drop-detection §4, `c0`).

use super::baseline::Baseline;
use super::median::median;

/// Weeks that an account must have to count.
const WEEKS_MIN: usize = 8;
/// Mean events a week that an account must have to count.
const MEAN_MIN: f64 = 20.0;
/// Fewer accounts do not tell.
const ACCOUNTS_MIN: usize = 20;
/// What holds where they do not.
const DEFAULT: f64 = 0.05;
/// The least and the greatest prior.
const RANGE: (f64, f64) = (0.02, 0.25);

/// The prior from some accounts' baselines; their order does not matter.
pub fn fleet_c0<'a>(baselines: impl IntoIterator<Item = &'a Baseline>) -> f64 {
    let mut squares: Vec<f64> = baselines.into_iter().filter_map(excess).collect();
    match median(&mut squares) {
        Some(middle) if squares.len() >= ACCOUNTS_MIN => middle.clamp(RANGE.0, RANGE.1),
        _ => DEFAULT,
    }
}

/// The squared coefficient of variation of a week beyond that of a Poisson count; `None` of too few or too quiet weeks.
fn excess(baseline: &Baseline) -> Option<f64> {
    let weeks = baseline.weeks();
    let count = weeks.len() as f64;
    let sum: f64 = weeks.iter().map(|week| week.count).sum();
    if weeks.len() < WEEKS_MIN || sum / count < MEAN_MIN {
        return None;
    }
    let rate = sum / weeks.iter().map(|week| week.exposure).sum::<f64>();
    let scatter = weeks.iter().map(|week| {
        let expected = rate * week.exposure;
        (week.count - expected) * (week.count - expected) / expected
    });
    Some((scatter.sum::<f64>() / (count - 1.0) - 1.0) / (sum / count))
}
