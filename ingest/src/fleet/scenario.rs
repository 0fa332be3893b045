//! Assigns each account a scenario before its first event: the ground truth that tests compare with.

use jiff::civil::Date;

use super::season::Rhythm;
use crate::random::Random;

/// What happens to an account in the course of its history.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Scenario {
    /// Uses the product as before, renews and stays.
    Steady,
    /// Doubles its usage within a year and buys more seats.
    Growing,
    /// Churns silently: usage declines to nothing over twelve weeks, nobody complains, and it cancels.
    Fading,
    /// Churns silently: usage stops from one day to the next.
    Vanishing,
    /// Its most active user leaves; usage halves for six weeks and recovers to three quarters.
    KeyUserLeaves,
    /// Runs on premise: no telemetry ever.
    OnPremise,
    /// Starts as a trial and buys after 30 days.
    TrialConverts,
    /// Starts as a trial and does not buy.
    TrialEnds,
    /// Pauses its subscription for three weeks.
    Pausing,
    /// Reduces its subscription and uses 30 % less from then on.
    Shrinking,
    /// Becomes a customer during the history and is onboarded.
    Joining,
    /// Is merged into another account at its turning point.
    MergedAway,
    /// Cancels and withdraws the cancellation.
    Wavering,
}

/// How many accounts of each cycle have the scenario. Cycles are shuffled, so a fleet of at least [`SCENARIO_CYCLE`]
/// accounts has every scenario.
const SCENARIO_COUNTS: [(Scenario, usize); 13] = [
    (Scenario::Steady, 12),
    (Scenario::Growing, 4),
    (Scenario::Fading, 2),
    (Scenario::Vanishing, 1),
    (Scenario::KeyUserLeaves, 2),
    (Scenario::OnPremise, 2),
    (Scenario::TrialConverts, 1),
    (Scenario::TrialEnds, 1),
    (Scenario::Pausing, 1),
    (Scenario::Shrinking, 1),
    (Scenario::Joining, 3),
    (Scenario::MergedAway, 1),
    (Scenario::Wavering, 1),
];

/// Number of consecutive accounts among which every [`Scenario`] appears.
pub const SCENARIO_CYCLE: usize = 32;
/// Days from the first decline of a fading account's usage to its last event.
pub(super) const FADE_DAYS: i32 = 84;
/// Length of a trial, in days.
pub(super) const TRIAL_DAYS: i32 = 30;
/// Length of a pause, in days.
pub(super) const PAUSE_DAYS: i32 = 21;
/// Days until a new account's usage is at its full level.
pub(super) const RAMP_DAYS: i32 = 56;
/// Days from the start of the fleet to the outage.
pub(super) const OUTAGE_AFTER_DAYS: i32 = 200;
/// Length of the outage, in days on which no account sends telemetry.
pub(super) const OUTAGE_DAYS: i32 = 2;

/// What will happen to an account. Days are calendar days of the account's own zone.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountTruth {
    /// The id of the account in its events.
    pub id: String,
    /// The name of the company, with its legal form.
    pub name: String,
    /// What happens to the account.
    pub scenario: Scenario,
    /// How its usage is spread over the week and the day.
    pub rhythm: Rhythm,
    /// Usage and value events of a normal week, before growth, ramp-up and scenario; at least 3.
    pub weekly_events: f64,
    /// How many people use the product.
    pub people: u32,
    /// The first day with an event. Accounts older than the fleet begin with it.
    pub joined: Date,
    /// The turning point of the scenario; in scenarios without one nothing happens on that day.
    pub turn: Date,
    /// The first day from which no usage or value event comes any more.
    pub quiet_from: Option<Date>,
    /// The account it is merged into at its turning point.
    pub merged_into: Option<String>,
}

/// What will happen to the accounts of a fleet.
#[derive(Clone, PartialEq, Debug)]
pub struct Truth {
    /// First and last day on which no account sends usage or value.
    pub outage: (Date, Date),
    /// All accounts, in the order of their numbers.
    pub accounts: Vec<AccountTruth>,
}

impl Scenario {
    /// The scenarios of a fleet, by account number.
    pub(super) fn assign(seed: u64, accounts: usize) -> Vec<Self> {
        let cycle: Vec<Self> =
            SCENARIO_COUNTS.iter().flat_map(|(scenario, count)| vec![*scenario; *count]).collect();
        let mut assigned = Vec::with_capacity(accounts.next_multiple_of(SCENARIO_CYCLE));
        while assigned.len() < accounts {
            let mut shuffled = cycle.clone();
            Random::keyed(&[seed, assigned.len() as u64, 1]).shuffle(&mut shuffled);
            assigned.extend(shuffled);
        }
        assigned.truncate(accounts);
        assigned
    }

    /// Whether the account starts during the history.
    pub(super) fn is_new(self) -> bool {
        matches!(self, Self::Joining | Self::TrialConverts | Self::TrialEnds)
    }

    /// Days from the turning point to the last usage event; `None` for accounts that go on.
    pub(super) fn quiet_after_turn(self) -> Option<i32> {
        match self {
            Self::Fading => Some(FADE_DAYS),
            Self::Vanishing | Self::MergedAway | Self::TrialEnds => Some(0),
            _ => None,
        }
    }

    /// Whether it leaves because it no longer uses what it bought.
    pub(super) fn churns(self) -> bool {
        matches!(self, Self::Fading | Self::Vanishing)
    }

    /// Yearly growth of usage, as a fraction.
    pub(super) fn growth(self) -> f64 {
        if self == Self::Growing { 0.9 } else { 0.05 }
    }

    /// The share of normal usage that is left `days` after the turning point (negative before it), from 0 to 1.
    pub(super) fn level(self, days: i32) -> f64 {
        match self {
            Self::OnPremise => 0.0,
            _ if days < 0 => 1.0,
            Self::Fading => (1.0 - f64::from(days) / f64::from(FADE_DAYS)).max(0.0),
            Self::Vanishing | Self::MergedAway | Self::TrialEnds => 0.0,
            Self::KeyUserLeaves if days < 42 => 0.5,
            Self::KeyUserLeaves => 0.75,
            Self::Pausing if days < PAUSE_DAYS => 0.0,
            Self::Shrinking => 0.7,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cycle_has_every_scenario() {
        assert_eq!(SCENARIO_COUNTS.iter().map(|(_, count)| count).sum::<usize>(), SCENARIO_CYCLE);
        let mut assigned = Scenario::assign(3, 2 * SCENARIO_CYCLE);
        assert_ne!(
            assigned[..SCENARIO_CYCLE],
            assigned[SCENARIO_CYCLE..],
            "two cycles have different orders"
        );
        for cycle in assigned.chunks_mut(SCENARIO_CYCLE) {
            cycle.sort();
            let mut scenarios = cycle.to_vec();
            scenarios.dedup();
            assert_eq!(scenarios.len(), SCENARIO_COUNTS.len());
        }
    }
}
