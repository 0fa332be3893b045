//! How healthy an account is (health-model §5–7): its score with everything the score is made of, or why it has none.

mod band;
pub mod cell;
pub mod change;
mod measured;
pub mod profile;
pub mod shift;
mod standing;
mod walk;
mod weighed;

use crate::account_at::AccountAt;
use crate::event::Micros;
use crate::model::Model;
use crate::model::scoring::Scoring;
use crate::names::Symbol;
use crate::vocabulary::Status;

pub use measured::Measured;
pub use walk::{Walk, history, judged_at};
pub use weighed::{GroupScore, MeasureScore, Weighed};

/// Memory does not have everything an answer depends on: it is to be answered from the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("memory does not reach back as far as this answer looks; it is answered from the log")]
pub struct Inexact;

/// Whether an account has a score, and if not, of which kind its absence is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// It has one.
    Scored,
    /// It has one as of an instant at which the clock stood still behind its newest events.
    CatchingUp,
    /// It is paused: the answer is that of the newest day end at which it was not.
    Frozen,
    /// Too little is known of it. That is not unhealthy.
    Unknown,
    /// It is none of the accounts that are scored.
    StatusExcluded,
    /// The model declares no profile.
    NoModel,
}

impl State {
    /// The contract's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::CatchingUp => "catching_up",
            Self::Frozen => "frozen",
            Self::Unknown => "unknown",
            Self::StatusExcluded => "status_excluded",
            Self::NoModel => "no_model",
        }
    }
}

/// Why a state is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// No event has started its life yet.
    NoLife,
    /// Measures with a value hold less of the weight than the model asks for.
    Coverage,
    /// It is paused.
    Paused,
    /// Its last subscription has ended.
    Ended,
    /// It was closed.
    Closed,
    /// It is an account of the vendor.
    Internal,
    /// It is there for tests.
    Test,
    /// Beside a score: the product was never used, and silence was judged as such.
    NeverUsed,
}

impl Reason {
    /// The contract's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLife => "no_life",
            Self::Coverage => "coverage",
            Self::Paused => "paused",
            Self::Ended => "ended",
            Self::Closed => "closed",
            Self::Internal => "internal",
            Self::Test => "test",
            Self::NeverUsed => "never_used",
        }
    }
}

/// The band as it is shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Band {
    /// One of the model's, by its place among them, worst first.
    Of(usize),
    /// There is no score to tell it by.
    Unknown,
    /// The account is not scored at all.
    Excluded,
}

impl Band {
    /// Its name under the model that gave it: `unknown` without a score; `None` of what is not scored at all.
    pub fn name(self, model: &Model) -> Option<&str> {
        match (self, &model.scoring) {
            (Self::Of(band), Ok(scoring)) => Some(&scoring.bands[band].name),
            (Self::Of(_) | Self::Unknown, _) => Some("unknown"),
            (Self::Excluded, _) => None,
        }
    }
}

/// The health of one account at one instant under one model.
#[derive(Clone, PartialEq, Debug)]
pub struct Health {
    /// The account that answers: the survivor of the one asked for.
    pub account: Symbol,
    /// The instant, exclusive.
    pub as_of: Micros,
    /// Whether there is a score.
    pub state: State,
    /// Why, where the state does not say it all.
    pub reason: Option<Reason>,
    /// The status at the instant.
    pub status: Status,
    /// The band, with the margin that keeps it from flickering.
    pub band: Band,
    /// Whether the day is not over yet, so that the band may still change.
    pub provisional: bool,
    /// The figures; `None` where there are none to show.
    pub figures: Option<Figures>,
}

/// What a profile gives for an account.
#[derive(Clone, PartialEq, Debug)]
pub struct Figures {
    /// Index of the profile in the model.
    pub profile: usize,
    /// Coverage, score, groups and measures.
    pub weighed: Weighed,
}

impl Health {
    /// The score from 0 to 100, rounded to 9 decimals.
    pub fn score(&self) -> Option<f64> {
        match self.state {
            State::Scored | State::CatchingUp | State::Frozen => self.figures.as_ref()?.weighed.score,
            State::Unknown | State::StatusExcluded | State::NoModel => None,
        }
    }

    /// The share of the weights that measures with a value hold, from 0 to 1, rounded to 9 decimals.
    pub fn coverage(&self) -> f64 {
        self.figures.as_ref().map_or(0.0, |figures| figures.weighed.coverage)
    }

    /// The profile that gave the figures, by its place in the model.
    pub fn profile(&self) -> Option<usize> {
        self.figures.as_ref().map(|figures| figures.profile)
    }
}

/// A score cut to whole points, as it is shown.
pub fn shown(score: f64) -> i64 {
    score.floor() as i64
}

/// The profile that applies to an account, by its place in the model; `None` where the model has none.
pub fn profile_of(scoring: &Scoring, account_at: &AccountAt<'_>) -> Option<usize> {
    profile::choose(scoring, account_at)
}

/// The health of an account at an instant.
///
/// # Errors
/// When memory does not hold all that the answer depends on.
pub fn health(account_at: &AccountAt<'_>) -> Result<Health, Inexact> {
    Walk::new().step(account_at)
}
