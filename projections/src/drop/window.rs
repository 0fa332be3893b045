//! The count test: the last days against the same weekdays of up to eight weeks before (drop-detection §4).

use libm::log1p;

use super::history::{LAST_WEEK, WEEK, WEEKS};
use super::median::median;
use super::parameters::{Parameters, TIE};
use super::pattern::Pattern;
use super::tail::Tail;

/// Weeks before the last.
const EARLIER: usize = WEEKS - 1;
/// A week with less than this part of the window's usual share is no reference.
const PART_MIN: f64 = 0.5;
/// Added to the cap of a week, so that small ones are not cut.
const CAP_FLOOR: f64 = 3.0;
/// The days of a week may scatter so many caps before they are cut.
const DAY_CAPS: f64 = 3.0;
/// Added to the cap of a day.
const DAY_CAP_FLOOR: f64 = 10.0;
/// The most recent weeks of the baseline, against which a drop must be sudden.
const RECENT: usize = 2;

/// The last days of an account beside its baseline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Complete days, the judged one included.
    pub days: usize,
    /// What happened in them.
    pub count: f64,
    /// What was expected to.
    pub expected: f64,
    /// 1 − count / expected.
    pub drop: f64,
    /// The same against the most recent weeks.
    pub drop_recent: f64,
    /// Activity of the baseline's weeks, cut back, the most recent first.
    sums: [f64; EARLIER],
    /// Their exposures.
    exposures: [f64; EARLIER],
    /// How many weeks there are.
    pub weeks: usize,
    /// Which weeks these are: bit r of week r.
    kept: u16,
    /// The sum of `sums`.
    baseline: f64,
    /// The sum of `exposures`.
    baseline_exposure: f64,
    /// The window's own exposure.
    exposure: f64,
    /// The shares of the window's usable weekdays, added up.
    share: f64,
}

impl Window {
    /// The last `days` days, at most seven. `None` where too little is known of them or of the weeks before.
    pub fn measure(pattern: &Pattern<'_>, days: usize, parameters: &Parameters) -> Option<Self> {
        let first = WEEK - days;
        let (mut share, mut count, mut exposure, mut usual) = (0.0, 0.0, 0.0, 0.0);
        for weekday in first..WEEK {
            usual += pattern.shares[weekday];
            if pattern.is_weekday_known(weekday) {
                share += pattern.shares[weekday];
                count += pattern.history.counts[LAST_WEEK + weekday];
                exposure += pattern.exposures[LAST_WEEK + weekday];
            }
        }
        if share <= 0.0 || exposure < PART_MIN * usual {
            return None;
        }
        let (mut sums, mut exposures) = ([0.0; EARLIER], [0.0; EARLIER]);
        let (mut weeks, mut kept) = (0, 0_u16);
        for week in (0..EARLIER).rev() {
            if !pattern.history.has_lived(week) {
                break;
            }
            let (mut sum, mut exposed) = (0.0, 0.0);
            for weekday in first..WEEK {
                let day = week * WEEK + weekday;
                if pattern.is_weekday_known(weekday) && pattern.is_known[day] {
                    sum += pattern.history.counts[day];
                    exposed += pattern.exposures[day];
                }
            }
            if exposed < PART_MIN * share {
                continue;
            }
            (sums[weeks], exposures[weeks]) = (sum, exposed);
            weeks += 1;
            kept |= 1 << week;
            if weeks == parameters.weeks {
                break;
            }
        }
        if weeks < parameters.weeks_min {
            return None;
        }
        let mut rates: [f64; EARLIER] = std::array::from_fn(|week| sums[week] / exposures[week]);
        let usual_rate = median(&mut rates[..weeks])?;
        for week in 0..weeks {
            sums[week] = sums[week].min(parameters.cap * usual_rate * exposures[week] + CAP_FLOOR);
        }
        let baseline: f64 = sums[..weeks].iter().sum();
        let baseline_exposure: f64 = exposures[..weeks].iter().sum();
        let expected = baseline / baseline_exposure * exposure;
        let recent = weeks.min(RECENT);
        let recently =
            sums[..recent].iter().sum::<f64>() / exposures[..recent].iter().sum::<f64>() * exposure;
        let drop_from = |level: f64| if level > 0.0 { 1.0 - count / level } else { 0.0 };
        Some(Self {
            days,
            count,
            expected,
            drop: drop_from(expected),
            drop_recent: drop_from(recently),
            sums,
            exposures,
            weeks,
            kept,
            baseline,
            baseline_exposure,
            exposure,
            share,
        })
    }

    /// Activity of a usual week.
    pub fn rate(&self) -> f64 {
        self.baseline / self.baseline_exposure
    }

    /// Whether it fell by enough to be worth telling.
    pub fn is_drop(&self, parameters: &Parameters) -> bool {
        self.drop >= parameters.drop_min - TIE && self.drop_recent >= parameters.drop_recent_min - TIE
    }

    /// Whether it is back at its level, or nearly.
    pub fn is_back(&self, parameters: &Parameters) -> bool {
        self.expected >= 3.0 - TIE && self.count > parameters.still_low * self.expected + TIE
    }

    /// −ln of a number that no p of this window is below: that of no activity at all without any dispersion.
    ///
    /// A p is I_x(B/φ + 1/2, w/φ + 1) with x = EB/(EB + Ew). It rises with w and, at w = 0, where it is x^(B/φ + 1/2), with φ.
    pub fn evidence_max(&self) -> f64 {
        (self.baseline + 0.5) * log1p(self.exposure / self.baseline_exposure)
    }

    /// The predictive distribution of the count.
    pub fn tail(&self, pattern: &Pattern<'_>, scatter: &Scatter, parameters: &Parameters) -> Tail {
        let rate = self.rate();
        let mut chi_square = 0.0;
        if rate > 0.0 {
            for (sum, exposure) in self.sums[..self.weeks].iter().zip(&self.exposures) {
                let deviation = sum - rate * exposure;
                chi_square += deviation * deviation / (rate * exposure);
            }
        }
        let weeks = self.weeks as f64;
        let above = parameters.d0 * (1.0 + parameters.c0 * self.baseline / weeks) + chi_square;
        let below = parameters.d0 + weeks - 1.0;
        let by_days = above + parameters.day_weight * scatter.chi_square;
        let days = below + parameters.day_weight * scatter.freedom();
        let mut off = 0.0;
        for weekday in WEEK - self.days..WEEK {
            if pattern.is_weekday_known(weekday) {
                off +=
                    (1.0 - pattern.history.factors[LAST_WEEK + weekday].min(1.0)) * pattern.shares[weekday];
            }
        }
        off /= self.share;
        let dispersion = 1.0_f64.max(above / below).max(by_days / days)
            + parameters.off_variance * off * off * self.expected;
        let part = self.baseline_exposure / (self.baseline_exposure + self.exposure);
        Tail { baseline: self.baseline, dispersion, part }
    }
}

/// How the days of some weeks scatter about the account's pattern.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scatter {
    kept: u16,
    /// Σ (count − expected)² / expected.
    chi_square: f64,
    /// Days that are known.
    days: usize,
}

impl Scatter {
    /// The scatter of the weeks of a window's baseline; `before` is taken if it is of the same weeks.
    pub fn of(pattern: &Pattern<'_>, window: &Window, parameters: &Parameters, before: Option<Self>) -> Self {
        if let Some(before) = before.filter(|before| before.kept == window.kept) {
            return before;
        }
        let days = || {
            let weeks = (0..EARLIER).rev().filter(|week| window.kept & (1 << week) != 0);
            weeks.flat_map(|week| pattern.known(week))
        };
        let (mut count, mut sum, mut exposure) = (0, 0.0, 0.0);
        for day in days() {
            count += 1;
            sum += pattern.history.counts[day];
            exposure += pattern.exposures[day];
        }
        let (rate, mut chi_square) = (sum / exposure, 0.0);
        for day in days() {
            let expected = rate * pattern.exposures[day];
            if expected > 0.0 {
                let most = DAY_CAPS * parameters.cap * expected + DAY_CAP_FLOOR;
                let deviation = pattern.history.counts[day].min(most) - expected;
                chi_square += deviation * deviation / expected;
            }
        }
        Self { kept: window.kept, chi_square, days: count }
    }

    fn freedom(&self) -> f64 {
        self.days.saturating_sub(WEEK).max(1) as f64
    }
}
