//! What the detector knows of one account on one day: its last 98 days, its age, and what was usual in the fleet.

/// Complete days that are looked at, the judged one last.
pub const DAYS: usize = 98;
/// The same in weeks.
pub const WEEKS: usize = DAYS / WEEK;
/// Days of a week.
pub const WEEK: usize = 7;
/// Index of the first of the last seven days.
pub(super) const LAST_WEEK: usize = DAYS - WEEK;

/// The weight that the fleet's weekday shares have beside the account's own, in events.
const SHARES_WEIGHT: f64 = 60.0;

/// One account as the day that is judged closes. Days run from the oldest to the judged one, weekdays from the one after its
/// own to its own: day `i` has weekday `i % 7`, and the judged day has 6.
#[derive(Clone, Copy, Debug)]
pub struct History<'a> {
    /// Activity of each day, from 0; whole numbers are exact up to 2⁵³.
    pub counts: &'a [f64; DAYS],
    /// The fleet's day factors: 1 on a usual day, 0 on a closed one. Below [`super::parameters::Parameters::dark`] a day is missing.
    pub factors: &'a [f64; DAYS],
    /// Days since the account's life began, that day and the judged one included.
    pub age_days: u32,
    /// The fleet's weekday shares, which add up to 1.
    pub fleet_shares: &'a [f64; WEEK],
}

/// Activity of each week, the oldest first.
pub(super) fn weekly(counts: &[f64; DAYS]) -> [f64; WEEKS] {
    std::array::from_fn(|week| counts[week * WEEK..(week + 1) * WEEK].iter().sum())
}

impl History<'_> {
    /// The account's own weekday shares over the weeks before the last, drawn towards the fleet's.
    pub fn shares(&self) -> [f64; WEEK] {
        let mut sums = [0.0; WEEK];
        for (day, count) in self.counts[..LAST_WEEK].iter().enumerate() {
            sums[day % WEEK] += count;
        }
        let total = sums.iter().sum::<f64>() + SHARES_WEIGHT;
        std::array::from_fn(|weekday| (sums[weekday] + SHARES_WEIGHT * self.fleet_shares[weekday]) / total)
    }

    /// The last day with activity.
    pub(super) fn last_active(&self) -> Option<usize> {
        self.counts.iter().rposition(|count| *count > 0.0)
    }

    /// Whether a whole week lies within the account's life; weeks count from 0, the oldest.
    pub(super) fn has_lived(&self, week: usize) -> bool {
        self.age_days as usize >= (WEEKS - week) * WEEK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_drawn_towards_the_fleets() {
        // 13 weeks of 10 on weekday 6 and nothing else: (130 + 60/7) / 190 there, (60/7) / 190 on every other.
        let mut counts = [0.0; DAYS];
        (0..DAYS).filter(|day| day % WEEK == 6).for_each(|day| counts[day] = 10.0);
        let history = History {
            counts: &counts,
            factors: &[1.0; DAYS],
            age_days: 98,
            fleet_shares: &[1.0 / 7.0; WEEK],
        };
        let shares = history.shares();
        assert!((shares[6] - (130.0 + 60.0 / 7.0) / 190.0).abs() < 1e-15, "{shares:?}");
        assert!((shares[0] - 60.0 / 7.0 / 190.0).abs() < 1e-15, "{shares:?}");
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_week_counts_once_all_of_it_was_lived() {
        let history = |age_days| History {
            counts: &[0.0; DAYS],
            factors: &[1.0; DAYS],
            age_days,
            fleet_shares: &[1.0 / 7.0; WEEK],
        };
        assert!(history(14).has_lived(12) && !history(13).has_lived(12));
        assert!(history(98).has_lived(0) && !history(97).has_lived(0));
    }
}
