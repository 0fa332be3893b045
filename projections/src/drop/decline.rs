//! The slow decline: the last two weeks against those three months back, on a falling trend (drop-detection §5).

use libm::{exp, log};

use super::beta::beta_regularised;
use super::history::{DAYS, WEEKS, weekly};
use super::median::median;
use super::parameters::Parameters;
use super::tail::Tail;

/// Age in days below which nothing is said.
const AGE_DAYS_MIN: u32 = 91;
/// The weeks of the old level; the oldest week is 0.
const LEVEL: std::ops::Range<usize> = 2..8;
/// Fewer of them say nothing.
const LEVEL_MIN: usize = 4;
/// The weeks of the trend.
const TREND: std::ops::Range<usize> = 6..14;
/// Fewer of them say nothing.
const TREND_MIN: usize = 6;
/// The two weeks that are judged.
const LAST: [usize; 2] = [WEEKS - 2, WEEKS - 1];
/// Added to the cap of a week, so that small ones are not cut.
const CAP_FLOOR: f64 = 3.0;
/// Weeks over which the fitted change is told.
const CHANGE_WEEKS: f64 = 7.0;

/// A decline, or why there is none.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Decline {
    /// Whether it is worth an alert.
    pub is_alert: bool,
    /// The greater of the level's p and the square of the trend's.
    pub p: f64,
    /// By what share the last two weeks lie below the old level.
    pub drop: f64,
    /// The fitted change over seven weeks, as a share; below 0 where activity falls.
    pub change: f64,
    /// Activity of the last two weeks, and what the old level lets expect of them.
    pub count: f64,
    /// See `count`.
    pub expected: f64,
}

/// Judges the last 14 weeks of an account, days from the oldest to the judged one; `index` is the fleet's, from
/// a `WeekIndex`. `None` where the account is too new, was never active, or too many weeks are missing.
pub fn decline(
    counts: &[f64; DAYS],
    age_days: u32,
    index: &[f64; WEEKS],
    parameters: &Parameters,
) -> Option<Decline> {
    let is_known = |week: &usize| index[*week] >= parameters.dark;
    if age_days < AGE_DAYS_MIN
        || LEVEL.filter(is_known).count() < LEVEL_MIN
        || TREND.filter(is_known).count() < TREND_MIN
        || !LAST.iter().all(is_known)
    {
        return None;
    }
    let weeks = weekly(counts);
    let level = Level::of(&weeks, index, parameters);
    if level.expected <= 0.0 {
        return None;
    }
    let count = weeks[LAST[0]] + weeks[LAST[1]];
    let drop = 1.0 - count / level.expected;
    let (p_trend, change) = trend(&weeks, index, parameters);
    let p = level.p(count, parameters).max(p_trend * p_trend);
    let low = (1.0 + parameters.decline_change_max) * level.rate;
    let is_alert = p <= parameters.decline_alpha
        && drop >= parameters.decline_drop_min
        && change <= parameters.decline_change_max
        && LAST.iter().all(|week| weeks[*week] / index[*week] <= low);
    Some(Decline { is_alert, p, drop, change, count, expected: level.expected })
}

/// The old level and what it lets expect.
struct Level {
    baseline: f64,
    exposure: f64,
    /// Exposure of the last two weeks.
    last: f64,
    rate: f64,
    expected: f64,
    chi_square: f64,
    weeks: f64,
}

impl Level {
    fn of(weeks: &[f64; WEEKS], index: &[f64; WEEKS], parameters: &Parameters) -> Self {
        let known = || LEVEL.filter(|week| index[*week] >= parameters.dark);
        let mut rates = [0.0; WEEKS];
        let mut count = 0;
        for week in known() {
            rates[count] = weeks[week] / index[week];
            count += 1;
        }
        let usual = median(&mut rates[..count]).unwrap_or_default();
        let capped = |week: usize| weeks[week].min(parameters.cap * usual * index[week] + CAP_FLOOR);
        let baseline: f64 = known().map(capped).sum();
        let exposure: f64 = known().map(|week| index[week]).sum();
        let (rate, last) = (baseline / exposure, index[LAST[0]] + index[LAST[1]]);
        let deviation = |week: usize| {
            let expected = rate * index[week];
            (capped(week) - expected) * (capped(week) - expected) / expected
        };
        let chi_square = if rate > 0.0 { known().map(deviation).sum() } else { 0.0 };
        Self { baseline, exposure, last, rate, expected: rate * last, chi_square, weeks: count as f64 }
    }

    /// P(so little activity in the last two weeks).
    fn p(&self, count: f64, parameters: &Parameters) -> f64 {
        let above = parameters.d0 * (1.0 + parameters.c0 * self.baseline / self.weeks) + self.chi_square;
        let dispersion = 1.0_f64.max(above / (parameters.d0 + self.weeks - 1.0));
        let part = self.exposure / (self.exposure + self.last);
        Tail { baseline: self.baseline, dispersion, part }.at_most(count)
    }
}

/// The one-sided p of a falling trend of the logarithm, and the fitted change over seven weeks.
fn trend(weeks: &[f64; WEEKS], index: &[f64; WEEKS], parameters: &Parameters) -> (f64, f64) {
    let known = || TREND.filter(|week| index[*week] >= parameters.dark);
    let count = known().count() as f64;
    let value = |week: usize| log((weeks[week] + 0.5) / index[week]);
    let mean_week = known().sum::<usize>() as f64 / count;
    let mean = known().map(value).sum::<f64>() / count;
    let from_mean = |week: usize| week as f64 - mean_week;
    let spread: f64 = known().map(|week| from_mean(week) * from_mean(week)).sum();
    let slope = known().map(|week| from_mean(week) * value(week)).sum::<f64>() / spread;
    let freedom = count - 2.0 + parameters.d0;
    let residual = |week: usize| value(week) - mean - slope * from_mean(week);
    let residuals: f64 = known().map(|week| residual(week) * residual(week)).sum();
    let usual = known().map(|week| weeks[week]).sum::<f64>() / count;
    let variance = (residuals + parameters.d0 * (1.0 / usual.max(0.5) + parameters.c0)) / freedom;
    let t = slope / (variance / spread).sqrt();
    let beyond = 0.5 * beta_regularised(freedom / 2.0, 0.5, freedom / (freedom + t * t));
    (if t < 0.0 { beyond } else { 1.0 - beyond }, exp(CHANGE_WEEKS * slope) - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drop::history::WEEK;

    fn daily(weeks: [f64; WEEKS]) -> [f64; DAYS] {
        std::array::from_fn(|day| weeks[day / WEEK] / 7.0)
    }

    fn judged(weeks: [f64; WEEKS]) -> Decline {
        decline(&daily(weeks), 400, &[1.0; WEEKS], &Parameters::default()).expect("old enough")
    }

    #[test]
    fn a_slide_over_six_weeks_is_told_with_its_figures() {
        let found = judged([
            700.0, 700.0, 700.0, 700.0, 700.0, 700.0, 700.0, 700.0, 630.0, 560.0, 490.0, 420.0, 350.0, 280.0,
        ]);
        // 630 in the last two weeks where six weeks at 700 let expect 1,400.
        assert!(found.is_alert, "{found:?}");
        assert!((found.drop - 0.55).abs() < 1e-12 && (found.expected - 1_400.0).abs() < 1e-9, "{found:?}");
        assert!(found.change < -0.5 && found.p < 1e-4, "{found:?}");
    }

    #[test]
    fn a_steady_account_does_not_decline() {
        let found = judged([70.0; WEEKS]);
        assert!(!found.is_alert && found.drop.abs() < 1e-12 && found.change.abs() < 1e-9, "{found:?}");
        // The trend is flat, so half of all draws fall more: p = max(p of the level, 1/4).
        assert!(found.p >= 0.25, "{found:?}");
    }

    #[test]
    fn the_young_the_idle_and_the_dark_are_not_judged() {
        let (counts, parameters) = (daily([70.0; WEEKS]), Parameters::default());
        assert!(decline(&counts, 90, &[1.0; WEEKS], &parameters).is_none());
        assert!(decline(&[0.0; DAYS], 400, &[1.0; WEEKS], &parameters).is_none());
        let mut index = [1.0; WEEKS];
        index[13] = 0.2;
        assert!(decline(&counts, 400, &index, &parameters).is_none(), "the last week is missing");
        index = [1.0; WEEKS];
        index[2..5].fill(0.0);
        assert!(decline(&counts, 400, &index, &parameters).is_none(), "half of the old level is missing");
    }
}
