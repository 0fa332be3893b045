//! The few figures of a health that lists are filtered and ordered by.

use super::{Band, Health, Reason, State};
use crate::account_at::AccountAt;
use crate::entities::text_hash;
use crate::event::Micros;
use crate::names::Symbol;

/// What lists keep of one account's health.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Cell {
    /// The account that answers.
    pub account: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// Whether there is a score.
    pub state: State,
    /// Why, where the state does not say it all.
    pub reason: Option<Reason>,
    /// The score from 0 to 100.
    pub score: Option<f64>,
    /// The band as it is shown.
    pub band: Band,
    /// The share of the weights that measures with a value hold.
    pub coverage: f64,
    /// The profile, by its place in the model.
    pub profile: Option<u32>,
    /// A hash of status, facts and override: lists are filtered by them, and a change of one is a change of the list.
    pub facts_hash: u64,
}

impl Cell {
    /// Whether it shows the same as another, at whatever instants the two stand.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        Self { as_of: other.as_of, ..*self } == *other
    }

    /// The cell of a health.
    pub fn of(health: &Health) -> Self {
        Self {
            account: health.account,
            as_of: health.as_of,
            state: health.state,
            reason: health.reason,
            score: health.score(),
            band: health.band,
            coverage: health.coverage(),
            profile: health.profile().and_then(|profile| u32::try_from(profile).ok()),
            facts_hash: 0,
        }
    }

    /// The same, with the facts that it stands beside and the band that a person set; empty: none did.
    pub fn with_facts(mut self, account_at: &AccountAt<'_>, by_hand: &str) -> Self {
        let mut hash = text_hash(account_at.since().status.name()).rotate_left(7) ^ text_hash(by_hand);
        if let Some(own) = account_at.own() {
            for (name, stated) in own.facts(account_at.context().names, account_at.as_of) {
                for text in [name, stated.to_json().as_str()] {
                    hash = hash.rotate_left(5).wrapping_mul(31) ^ text_hash(text);
                }
            }
        }
        self.facts_hash = hash;
        self
    }
}
