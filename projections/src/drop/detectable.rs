//! How soon the detector would notice that an account's activity falls, given its own past.

use super::history::{DAYS, History, WEEK};
use super::parameters::{Parameters, WINDOWS};
use super::pattern::Pattern;
use super::verdict;
use super::window::Window;

/// The falls that are asked about, as shares.
pub const FALLS: [f64; 3] = [1.0, 0.7, 0.5];
/// Later is not looked.
pub const DETECTABLE_DAYS_MAX: u32 = 28;

/// Within how many days each fall would be noticed.
///
/// The account's days are continued from tomorrow on: on each day happens exactly what the present baseline lets expect of
/// that weekday, less the fall; the fleet is as usual, no day is closed. What is told is the first of these days on which the
/// detector alerts. Chance makes it a few days more or less.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Detectable {
    /// For each of [`FALLS`]: days from tomorrow on, that one included; `None` where the detector does not notice it within
    /// [`DETECTABLE_DAYS_MAX`].
    pub within_days: [Option<u32>; FALLS.len()],
}

impl Detectable {
    /// Asks the detector about the days to come.
    pub fn of(history: &History<'_>, parameters: &Parameters) -> Self {
        let pattern = Pattern::of(*history, parameters.dark);
        let [week, ..] = WINDOWS;
        let rate = Window::measure(&pattern, week.days, parameters).map(|window| window.rate());
        Self {
            within_days: FALLS.map(|fall| {
                // Of a total stop no level needs to be known.
                let rate = if fall == 1.0 { Some(0.0) } else { rate.map(|rate| rate * (1.0 - fall)) };
                noticed_after(history, &pattern.shares, rate?, parameters)
            }),
        }
    }

    /// Whether a week is enough to notice that the account stopped. Where it is not, its silence must not be shown as fine.
    pub fn is_judged_weekly(&self) -> bool {
        self.within_days[0].is_some_and(|days| days as usize <= WEEK)
    }
}

/// Days until an account that goes on at some events a week is told.
fn noticed_after(
    history: &History<'_>,
    shares: &[f64; WEEK],
    rate: f64,
    parameters: &Parameters,
) -> Option<u32> {
    let (mut counts, mut factors, mut fleet_shares) =
        (*history.counts, *history.factors, *history.fleet_shares);
    (1..=DETECTABLE_DAYS_MAX).find(|day| {
        counts.copy_within(1.., 0);
        factors.copy_within(1.., 0);
        fleet_shares.rotate_left(1);
        // Weekday 6 is today's, so tomorrow's is 0.
        counts[DAYS - 1] = rate * shares[(*day as usize - 1) % WEEK];
        factors[DAYS - 1] = 1.0;
        let then = History {
            counts: &counts,
            factors: &factors,
            age_days: history.age_days.saturating_add(*day),
            fleet_shares: &fleet_shares,
        };
        verdict::alert(&then, parameters).is_some()
    })
}
