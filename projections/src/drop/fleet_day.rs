//! The fleet's day factor: how busy one day was against the same weekday of eight weeks before (drop-detection §4).

use libm::{exp, log};

use super::median::median;

/// The day and the same weekday of the weeks before it.
pub const FLEET_DAYS: usize = 9;
/// Weeks before the day.
const WEEKS_BEFORE: usize = FLEET_DAYS - 1;
/// Fewer accounts are no fleet.
pub(super) const ACCOUNTS_MIN: u32 = 8;
/// Events a day at which an account weighs half: none counts for more than so many.
pub(super) const WEIGHT_HALF: f64 = 20.0;
/// A day, or a week, above so many times the account's mean, and some more, is cut: imports, backfills.
pub(super) const CAP: (f64, f64) = (3.0, 5.0);
/// Active on so many of the eight days before, an account is expected to be active.
const REGULAR_DAYS: usize = 7;
/// Factors below are not told apart.
const RAW_MIN: f64 = 1e-6;
/// A day is never taken for busier.
const FACTOR_MAX: f64 = 1.5;
/// The least noise of a fleet, and that of one with too few days to tell it.
const NOISE: (f64, f64) = (0.02, 0.1);
/// Fewer days before do not tell the noise.
const NOISE_DAYS_MIN: usize = 14;
/// Days before that tell the noise.
pub const NOISE_DAYS: usize = 56;
/// Standard deviation over median absolute deviation, of a normal distribution.
const MAD_SCALE: f64 = 1.4826;
/// Of the regularly active accounts so many are silent where telemetry is missing.
const MISSING_SILENT_SHARE: f64 = 0.9;
/// A lull: at most this factor, and so many times the noise below 1.
const LULL: (f64, f64) = (0.75, 4.0);

/// One day of a fleet, or of a segment, added up account by account; always in the order of accounts, so that the sums do not
/// depend on how events arrived.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct FleetDay {
    accounts: u32,
    sums: [f64; FLEET_DAYS],
    regular: u32,
    silent: u32,
}

impl FleetDay {
    /// Adds an account that lived through all of them: its activity on the day, then on the same weekday 1, 2 … 8 weeks
    /// before.
    pub fn add(&mut self, counts: &[f64; FLEET_DAYS]) {
        let mean = counts[1..].iter().sum::<f64>() / WEEKS_BEFORE as f64;
        let (weight, cap) = (1.0 / (1.0 + mean / WEIGHT_HALF), CAP.0 * mean + CAP.1);
        for (sum, count) in self.sums.iter_mut().zip(counts) {
            *sum += weight * count.min(cap);
        }
        self.accounts += 1;
        if counts[1..].iter().filter(|count| **count > 0.0).count() >= REGULAR_DAYS {
            self.regular += 1;
            self.silent += u32::from(counts[0] <= 0.0);
        }
    }

    /// The day over the median of those before; 1 of a fleet too small to tell, or without activity.
    pub fn raw(&self) -> f64 {
        if self.accounts < ACCOUNTS_MIN {
            return 1.0;
        }
        let mut before: [f64; WEEKS_BEFORE] = std::array::from_fn(|week| self.sums[1 + week]);
        match median(&mut before) {
            Some(usual) if usual > 0.0 => self.sums[0] / usual,
            _ => 1.0,
        }
    }

    /// Of the accounts that are regularly active on this weekday, the share without any activity; 0 where there are none.
    pub fn silent_share(&self) -> f64 {
        if self.regular == 0 { 0.0 } else { f64::from(self.silent) / f64::from(self.regular) }
    }
}

/// How much a fleet's raw factors vary from day to day, in logarithms.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FleetNoise(f64);

/// What is to be said of a day of the whole fleet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FleetStatus {
    /// As any other.
    Normal,
    /// A holiday, or a part of the telemetry lost.
    Lull,
    /// Nearly nobody was heard of.
    TelemetryMissing,
}

impl FleetStatus {
    /// The name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Lull => "fleet_lull",
            Self::TelemetryMissing => "telemetry_missing",
        }
    }
}

impl FleetNoise {
    /// From the raw factors of the days before, at best [`NOISE_DAYS`].
    pub fn of(before: &[f64]) -> Self {
        if before.len() < NOISE_DAYS_MIN {
            return Self(NOISE.1);
        }
        let mut deviations: Vec<f64> = before.iter().map(|raw| log(raw.max(RAW_MIN)).abs()).collect();
        Self((MAD_SCALE * median(&mut deviations).unwrap_or_default()).max(NOISE.0))
    }

    /// The day factor: a raw factor within the noise is drawn to 1, one far outside of it stays; at most 1.5.
    pub fn factor(self, raw: f64) -> f64 {
        let deviation = log(raw.max(RAW_MIN));
        let square = deviation * deviation;
        exp(deviation * square / (square + self.0 * self.0)).min(FACTOR_MAX)
    }

    /// What is to be said of a day; `silent_share` is [`FleetDay::silent_share`] and `dark` the factor below which a day is
    /// missing.
    pub fn status(self, raw: f64, silent_share: f64, dark: f64) -> FleetStatus {
        let below = -log(raw.max(RAW_MIN)) / self.0;
        match raw {
            raw if raw < dark && silent_share >= MISSING_SILENT_SHARE => FleetStatus::TelemetryMissing,
            raw if raw <= LULL.0 && below >= LULL.1 => FleetStatus::Lull,
            _ => FleetStatus::Normal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(accounts: &[[f64; FLEET_DAYS]]) -> FleetDay {
        let mut day = FleetDay::default();
        accounts.iter().for_each(|counts| day.add(counts));
        day
    }

    fn row(today: f64, before: f64) -> [f64; FLEET_DAYS] {
        std::array::from_fn(|week| if week == 0 { today } else { before })
    }

    #[test]
    fn a_day_is_held_against_the_median_of_those_before() {
        // Eight accounts of 20 a day, each weighing 1/2, at half: 8 · 10/2 over 8 · 20/2.
        let half = fleet(&[row(10.0, 20.0); 8]);
        assert!((half.raw() - 0.5).abs() < 1e-15);
        assert_eq!(fleet(&[row(10.0, 20.0); 7]).raw(), 1.0, "seven are no fleet");
        assert_eq!(fleet(&[row(0.0, 0.0); 9]).raw(), 1.0, "nothing ever happened");
    }

    #[test]
    fn a_whale_weighs_no_more_than_twenty_events() {
        // 1,000,000 a day weighs 1/50,001, so 19.9996 events; seven of 20 a day weigh 10 each.
        let mut accounts = vec![row(20.0, 20.0); 7];
        accounts.push(row(0.0, 1_000_000.0));
        let whale = 1_000_000.0 / 50_001.0;
        assert!((fleet(&accounts).raw() - 70.0 / (70.0 + whale)).abs() < 1e-12);
    }

    #[test]
    fn an_import_is_cut() {
        // A mean of 20 caps at 65.
        let mut accounts = vec![row(20.0, 20.0); 7];
        accounts.push(row(10_000.0, 20.0));
        assert!((fleet(&accounts).raw() - (7.0 * 20.0 + 65.0) / 160.0).abs() < 1e-12);
    }

    #[test]
    fn silence_counts_among_the_regular_only() {
        let mut seldom = [0.0; FLEET_DAYS];
        seldom[3] = 9.0;
        let day = fleet(&[row(0.0, 1.0), row(0.0, 2.0), row(0.0, 3.0), row(4.0, 4.0), seldom]);
        assert_eq!(day.silent_share(), 0.75);
        assert_eq!(FleetDay::default().silent_share(), 0.0);
    }

    #[test]
    fn noise_is_drawn_to_one_and_holidays_are_not() {
        // |ln 1.03| = 0.02956 on every day before: the noise is 1.4826 times that.
        let noise = FleetNoise::of(&[1.03; NOISE_DAYS]);
        let deviation = log(1.03);
        assert!((noise.0 - 1.4826 * deviation).abs() < 1e-15);
        // l = ln 1.03: l³/(l² + (1.4826 l)²) = l/3.1981.
        assert!((log(noise.factor(1.03)) - deviation / (1.0 + 1.4826 * 1.4826)).abs() < 1e-15);
        assert!((noise.factor(0.2) - 0.2).abs() < 0.01, "{}", noise.factor(0.2));
        assert_eq!(noise.factor(9.0), 1.5);
        assert_eq!(FleetNoise::of(&[1.5; 13]).0, 0.1, "two weeks tell the noise, less does not");
        assert_eq!(FleetNoise::of(&[1.0; NOISE_DAYS]).0, 0.02);
    }

    #[test]
    fn a_day_has_a_status() {
        let noise = FleetNoise::of(&[1.0; NOISE_DAYS]);
        let status = |raw, silent_share| noise.status(raw, silent_share, 0.3);
        assert_eq!(status(0.0, 1.0), FleetStatus::TelemetryMissing);
        assert_eq!(status(0.2, 0.89), FleetStatus::Lull, "Christmas");
        assert_eq!(status(0.75, 0.1), FleetStatus::Lull);
        assert_eq!(status(0.76, 0.1), FleetStatus::Normal);
        assert_eq!(FleetNoise(0.1).status(0.7, 0.0, 0.3), FleetStatus::Normal, "3.6 times the noise");
    }
}
