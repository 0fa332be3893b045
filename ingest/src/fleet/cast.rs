//! What each account of the fleet will live through, drawn before the first event: the truth that tests compare with.

use jiff::civil::Date;

use super::season::Rhythm;
use crate::random::Random;

/// The plot of an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Goes on as it is.
    Steady,
    /// Doubles within a year and buys more.
    Growing,
    /// Churns silently: its use dies away over twelve weeks, nobody complains, and it cancels.
    Fading,
    /// Churns silently and at once.
    Vanishing,
    /// Its most active person leaves; about half of the use goes with them for six weeks.
    KeyUserLeaves,
    /// Runs on its own machines: no telemetry ever.
    OnPremise,
    /// Comes as a trial and buys after 30 days.
    TrialConverts,
    /// Comes as a trial and does not buy.
    TrialEnds,
    /// Pauses its subscription for three weeks.
    Pausing,
    /// Buys less from some day on.
    Shrinking,
    /// Comes during the history and is brought on board.
    Joining,
    /// Is merged into another account.
    MergedAway,
    /// Cancels and takes it back.
    Wavering,
}

/// Roles are dealt from shuffled decks of these, so that a fleet of at least [`DECK`] accounts shows every plot.
const CARDS: [(Role, usize); 13] = [
    (Role::Steady, 12),
    (Role::Growing, 4),
    (Role::Fading, 2),
    (Role::Vanishing, 1),
    (Role::KeyUserLeaves, 2),
    (Role::OnPremise, 2),
    (Role::TrialConverts, 1),
    (Role::TrialEnds, 1),
    (Role::Pausing, 1),
    (Role::Shrinking, 1),
    (Role::Joining, 3),
    (Role::MergedAway, 1),
    (Role::Wavering, 1),
];

/// Accounts in which every [`Role`] appears.
pub const DECK: usize = 32;
/// Days from the first sign of a fading account to its silence.
pub(super) const FADE_DAYS: i32 = 84;
/// Length of a trial, in days.
pub(super) const TRIAL_DAYS: i32 = 30;
/// Length of a pause, in days.
pub(super) const PAUSE_DAYS: i32 = 21;
/// Days until a new account's use is at its full level.
pub(super) const RAMP_DAYS: i32 = 56;
/// Days from the begin of the fleet to the two days without telemetry.
pub(super) const OUTAGE_AFTER_DAYS: i32 = 200;
/// Days without telemetry for everyone.
pub(super) const OUTAGE_DAYS: i32 = 2;

/// What is known of an account beforehand. Days are calendar days of the account's own zone.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountTruth {
    /// The account's id.
    pub id: String,
    /// The company's name.
    pub name: String,
    /// Its plot.
    pub role: Role,
    /// How its use is spread over the week.
    pub rhythm: Rhythm,
    /// Usage and value events in a plain week before growth, ramp and plot; never below 3.
    pub weekly_events: f64,
    /// Persons who use the product.
    pub people: u32,
    /// The first day with an event. Accounts older than the fleet begin with it.
    pub joined: Date,
    /// The day of the plot's turn; for roles without one nothing happens on it.
    pub turn: Date,
    /// The first day from which no usage or value event comes any more.
    pub quiet_from: Option<Date>,
    /// The account it is merged into, on the day of the turn.
    pub merged_into: Option<String>,
}

/// What is known of a fleet beforehand.
#[derive(Clone, PartialEq, Debug)]
pub struct Truth {
    /// First and last day on which no account sends usage or value.
    pub outage: (Date, Date),
    /// All accounts, in the order of their numbers.
    pub accounts: Vec<AccountTruth>,
}

impl Role {
    /// The roles of a fleet, by account number.
    pub(super) fn deal(seed: u64, accounts: usize) -> Vec<Self> {
        let deck: Vec<Self> = CARDS.iter().flat_map(|(role, count)| vec![*role; *count]).collect();
        let mut dealt = Vec::with_capacity(accounts.next_multiple_of(DECK));
        while dealt.len() < accounts {
            let mut hand = deck.clone();
            Random::keyed(&[seed, dealt.len() as u64, 1]).shuffle(&mut hand);
            dealt.extend(hand);
        }
        dealt.truncate(accounts);
        dealt
    }

    /// Whether the account comes during the history.
    pub(super) fn is_new(self) -> bool {
        matches!(self, Self::Joining | Self::TrialConverts | Self::TrialEnds)
    }

    /// Days from the turn to silence, where the plot ends in it.
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

    /// Yearly growth of the use, as a fraction.
    pub(super) fn growth(self) -> f64 {
        if self == Self::Growing { 0.9 } else { 0.05 }
    }

    /// What the plot leaves of the use, `days` after the turn (negative before it).
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
    fn every_deck_holds_every_role() {
        assert_eq!(CARDS.iter().map(|(_, count)| count).sum::<usize>(), DECK);
        let mut dealt = Role::deal(3, 2 * DECK);
        assert_ne!(dealt[..DECK], dealt[DECK..], "two decks lie in different orders");
        for deck in dealt.chunks_mut(DECK) {
            deck.sort();
            let mut roles = deck.to_vec();
            roles.dedup();
            assert_eq!(roles.len(), CARDS.len());
        }
    }
}
