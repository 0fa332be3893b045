//! What is usual in the whole fleet: its weekday shares and the index of its weeks (drop-detection §4, §5).

use super::fleet_day::{ACCOUNTS_MIN, CAP, WEIGHT_HALF};
use super::history::{DAYS, WEEK, WEEKS, weekly};

/// The weekday shares of a fleet, added up account by account in the order of accounts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FleetShares([f64; WEEK]);

impl FleetShares {
    /// Adds the 98 days of an account. None counts for more than some twenty events a day.
    pub fn add(&mut self, counts: &[f64; DAYS]) {
        let weight = 1.0 / (1.0 + counts.iter().sum::<f64>() / DAYS as f64 / WEIGHT_HALF);
        for (day, count) in counts.iter().enumerate() {
            self.0[day % WEEK] += weight * count;
        }
    }

    /// What part of a week each weekday carries, the judged day's last; all 0 without activity.
    pub fn shares(&self) -> [f64; WEEK] {
        let sum: f64 = self.0.iter().sum();
        let sum = if sum == 0.0 { 1.0 } else { sum };
        self.0.map(|share| share / sum)
    }
}

/// The weeks of a fleet, or of a segment, added up account by account in the order of accounts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct WeekIndex {
    accounts: u32,
    sums: [f64; WEEKS],
}

impl WeekIndex {
    /// Adds the 98 days of an account that lived through all of them.
    pub fn add(&mut self, counts: &[f64; DAYS]) {
        let weeks = weekly(counts);
        let mean = weeks.iter().sum::<f64>() / WEEKS as f64;
        let weight = 1.0 / (1.0 + mean / (WEIGHT_HALF * WEEK as f64));
        for (sum, week) in self.sums.iter_mut().zip(weeks) {
            *sum += weight * week.min(CAP.0 * mean + CAP.1);
        }
        self.accounts += 1;
    }

    /// How busy each week was, the oldest first; their mean is 1. All 1 of a fleet too small to tell.
    pub fn index(&self) -> [f64; WEEKS] {
        if self.accounts < ACCOUNTS_MIN {
            return [1.0; WEEKS];
        }
        let mean = self.sums.iter().sum::<f64>() / WEEKS as f64;
        let mean = if mean == 0.0 { 1.0 } else { mean };
        self.sums.map(|sum| sum / mean)
    }
}

/// The index of an account some of whose days were closed: each week at the part that was open, by the account's own shares.
pub fn open_index(
    index: &[f64; WEEKS],
    shares: &[f64; WEEK],
    is_closed: impl Fn(usize) -> bool,
) -> [f64; WEEKS] {
    std::array::from_fn(|week| {
        let open = (0..WEEK).filter(|weekday| !is_closed(week * WEEK + weekday));
        index[week] * open.map(|weekday| shares[weekday]).sum::<f64>()
    })
}
