//! Comparisons: complete days only, both sides end yesterday or earlier.

use super::Part;
use super::plain::quantile;
use crate::account_at::AccountAt;
use crate::calendar::Day;

/// Fewer windows of the past say nothing (health-model §4).
const WINDOWS_MIN: usize = 3;

impl AccountAt<'_> {
    fn yesterday(&self) -> Day {
        self.today.plus(-1)
    }

    fn ending(&self, index: usize, last: Day) -> Part {
        self.part(index, self.end_of(last))
    }

    /// Whether a window that ends on `last` lies within the account's life.
    fn within_life(&self, part: &Part, last: Day) -> bool {
        match (self.first_day(), part.first) {
            (None, _) => false,
            (Some(life), Some(first)) => life <= first,
            // Without a window the part begins with life, so life must have begun by its end.
            (Some(life), None) => life <= last,
        }
    }

    /// (now − before) / before.
    pub(super) fn change(&self, index: usize, window: u32) -> Option<f64> {
        let now = self.ending(index, self.yesterday());
        let first = now.first.unwrap_or_else(|| self.yesterday().plus(1 - i64::from(window)));
        let before_last = first.plus(-1);
        let before = self.ending(index, before_last);
        if !self.within_life(&now, self.yesterday()) || !self.within_life(&before, before_last) {
            return None;
        }
        let (now, before) = (now.value?.number()?, before.value?.number()?);
        match before {
            base if base > 0.0 => Some((now - base) / base),
            0.0 => Some(if now > 0.0 { 1.0 } else { -1.0 }),
            _ => None,
        }
    }

    /// Now / the median of the same window k weeks ago.
    pub(super) fn against_own(&self, index: usize, weeks: u32) -> Option<f64> {
        let now = self.ending(index, self.yesterday()).value?.number()?;
        let mut past: Vec<f64> = Vec::with_capacity(weeks as usize);
        for week in 1..=i64::from(weeks) {
            let last = self.yesterday().plus(-7 * week);
            if self.first_day().is_none_or(|life| last < life) {
                break;
            }
            let part = self.ending(index, last);
            if self.within_life(&part, last) {
                past.extend(part.value.and_then(|value| value.number()));
            }
        }
        if past.len() < WINDOWS_MIN {
            return None;
        }
        past.sort_unstable_by(f64::total_cmp);
        match quantile(&past, 0.5)? {
            median if median > 0.0 => Some(now / median),
            0.0 => Some(if now > 0.0 { 2.0 } else { 0.0 }),
            _ => None,
        }
    }

    /// The least-squares slope per week over the weeks that count, divided by their mean.
    pub(super) fn slope(&self, index: usize, weeks: u32) -> Option<f64> {
        let mut points: Vec<(f64, f64)> = Vec::with_capacity(weeks as usize);
        for week in (1..=i64::from(weeks)).rev() {
            let last = self.today.plus(-7 * (week - 1) - 1);
            if self.first_day().is_none_or(|life| last < life) {
                continue;
            }
            let part = self.ending(index, last);
            if self.within_life(&part, last) {
                points
                    .extend(part.value.and_then(|value| value.number()).map(|value| (-(week as f64), value)));
            }
        }
        if points.len() < WINDOWS_MIN {
            return None;
        }
        let n = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
        if mean_y == 0.0 {
            return Some(-1.0);
        }
        if mean_y < 0.0 {
            return None;
        }
        let above: f64 = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
        let below: f64 = points.iter().map(|(x, _)| (x - mean_x) * (x - mean_x)).sum();
        Some(above / below / mean_y)
    }
}
