//! The silence test: the run of days without activity against how often the account is active (drop-detection §4).

use libm::{exp, log1p};

use super::history::{DAYS, History, WEEK};
use super::parameters::Parameters;

/// Age in days below which silence says nothing.
const AGE_DAYS_MIN: u32 = 21;

/// How unlikely the present silence is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Silence {
    /// P(no active day in the run).
    pub p: f64,
    /// Days since the last activity, missing ones included; 0 where the judged day itself was active.
    pub days: u32,
    /// Active days that the run would have had.
    pub missed: f64,
    /// Active days before the run.
    pub active: u32,
    /// Days before the run of which anything is known.
    pub known: u32,
}

impl Silence {
    /// Judges the silence of an account; `None` where its own rhythm is not known yet.
    pub fn test(history: &History<'_>, parameters: &Parameters) -> Option<Self> {
        let last = history.last_active()?;
        if history.age_days < AGE_DAYS_MIN {
            return None;
        }
        let born = DAYS.saturating_sub(history.age_days as usize);
        let is_known = |day: &usize| history.factors[*day] >= parameters.dark;
        let (mut known, mut active) = ([0_u32; WEEK], [0_u32; WEEK]);
        for day in (born..=last).filter(is_known) {
            known[day % WEEK] += 1;
            active[day % WEEK] += u32::from(history.counts[day] > 0.0);
        }
        let active_days: u32 = active.iter().sum();
        if active_days < parameters.active_days_min {
            return None;
        }
        let known_days: u32 = known.iter().sum();
        let mean = (f64::from(active_days) + 0.5) / (f64::from(known_days) + 1.0);
        let most = 1.0 - 0.5 / (f64::from(active_days) + 2.0);
        let mut missed = 0.0;
        for day in (born.max(last + 1)..DAYS).filter(is_known) {
            let weekday = day % WEEK;
            let often = (f64::from(active[weekday]) + 2.0 * mean) / (f64::from(known[weekday]) + 2.0);
            missed += often.min(most) * history.factors[day].min(1.0);
        }
        // The beta tail of a window at a count of 0, in closed form.
        let weight = f64::from(active_days) + 0.5;
        let p = exp(-weight * log1p(missed / weight));
        let days = u32::try_from(DAYS - 1 - last).expect("98 days at most");
        Some(Self { p, days, missed, active: active_days, known: known_days })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Active on each of the first so many days, then silent.
    fn test(active: usize, age_days: u32, factors: &[f64; DAYS]) -> Option<Silence> {
        let counts: [f64; DAYS] = std::array::from_fn(|day| if day < active { 1.0 } else { 0.0 });
        let history = History { counts: &counts, factors, age_days, fleet_shares: &[1.0 / 7.0; WEEK] };
        Silence::test(&history, &Parameters::default())
    }

    #[test]
    fn a_daily_account_that_stops_misses_nearly_a_day_a_day() {
        // 91 of 91 days active, then 7 silent: q = min((13 + 2·91.5/92)/15, 1 − 0.5/93) = 1 − 0.5/93 on each weekday.
        let silence = test(91, 400, &[1.0; DAYS]).expect("old and active enough");
        let missed = 7.0 * (1.0 - 0.5 / 93.0);
        assert_eq!((silence.days, silence.active, silence.known), (7, 91, 91));
        assert!((silence.missed - missed).abs() < 1e-12, "{silence:?}");
        let p = libm::pow(1.0 + missed / 91.5, -91.5);
        assert!((silence.p / p - 1.0).abs() < 1e-12, "{silence:?}");
    }

    #[test]
    fn missing_days_are_no_silence() {
        let mut factors = [1.0; DAYS];
        factors[91..].fill(0.0);
        let silence = test(91, 400, &factors).expect("old and active enough");
        assert_eq!((silence.days, silence.missed, silence.p), (7, 0.0, 1.0));
    }

    #[test]
    fn too_young_or_too_rarely_active_says_nothing() {
        assert!(test(91, 20, &[1.0; DAYS]).is_none() && test(91, 21, &[1.0; DAYS]).is_some());
        assert!(test(4, 400, &[1.0; DAYS]).is_none() && test(5, 400, &[1.0; DAYS]).is_some());
        assert!(test(0, 400, &[1.0; DAYS]).is_none());
    }
}
