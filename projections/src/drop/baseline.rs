//! The weeks that an account's level comes from.

use super::history::{History, LAST_WEEK, WEEK, WEEKS};
use super::pattern::Pattern;

/// Most weeks of a baseline.
pub const BASELINE_WEEKS: usize = 8;
/// A week with less than this part of a usual one is left out.
const EXPOSURE_MIN: f64 = 0.5;

/// One week of a baseline.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct BaselineWeek {
    /// Activity of its known days.
    pub count: f64,
    /// Their part of a usual week: 1 of a whole one.
    pub exposure: f64,
}

/// Up to eight weeks before the last, the most recent first.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Baseline {
    weeks: [BaselineWeek; BASELINE_WEEKS],
    count: usize,
}

impl Baseline {
    /// Some weeks, of which the first eight count.
    pub fn of(weeks: impl IntoIterator<Item = BaselineWeek>) -> Self {
        let mut baseline = Self::default();
        for week in weeks.into_iter().take(BASELINE_WEEKS) {
            baseline.weeks[baseline.count] = week;
            baseline.count += 1;
        }
        baseline
    }

    /// The weeks of an account before its last that it lived through and of which enough is known.
    pub fn of_account(history: &History<'_>, dark: f64) -> Self {
        let pattern = Pattern::of(*history, dark);
        let lived = (0..WEEKS - 1).rev().take_while(|week| history.has_lived(*week));
        let weeks = lived.map(|week| exposed(&pattern, week));
        Self::of(weeks.filter(|week| week.exposure >= EXPOSURE_MIN))
    }

    /// The weeks, the most recent first.
    pub fn weeks(&self) -> &[BaselineWeek] {
        &self.weeks[..self.count]
    }

    /// Activity of a usual week; `None` without a week.
    pub fn level(&self) -> Option<f64> {
        let weeks = self.weeks();
        let exposure: f64 = weeks.iter().map(|week| week.exposure).sum();
        (!weeks.is_empty()).then(|| weeks.iter().map(|week| week.count).sum::<f64>() / exposure)
    }
}

/// Activity of the last seven days, put on the scale of a usual week: what a level that was frozen when an alert opened is
/// held against. `None` where less than half a week of them is known.
pub fn present_level(history: &History<'_>, dark: f64) -> Option<f64> {
    let week = exposed(&Pattern::of(*history, dark), LAST_WEEK / WEEK);
    (week.exposure >= EXPOSURE_MIN).then(|| week.count / week.exposure)
}

fn exposed(pattern: &Pattern<'_>, week: usize) -> BaselineWeek {
    pattern.known(week).fold(BaselineWeek::default(), |sum, day| BaselineWeek {
        count: sum.count + pattern.history.counts[day],
        exposure: sum.exposure + pattern.exposures[day],
    })
}
