//! The few figures of a health that lists are filtered and ordered by.

use super::{Band, Health, Reason, State};
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
}

impl Cell {
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
        }
    }
}
