//! Overrides: a person sets the band of an account against what was computed, for at most ninety days (health-model §7).

use tidewatch_projections::event::Micros;
use tidewatch_proto::log::v1 as wire;

/// Days that an override lasts at most.
pub const OVERRIDE_DAYS_MAX: i64 = 90;
/// Longest reason, in bytes.
pub const OVERRIDE_REASON_BYTES_MAX: usize = 2_000;

/// The band of an account as a person sees it, and for how long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BandOverride {
    /// As the model names it; empty: an earlier override ends.
    pub band: Box<str>,
    pub reason: Box<str>,
    pub author: Box<str>,
    /// From when on.
    pub at: Micros,
    /// Until when, exclusive.
    pub expires_at: Micros,
}

impl BandOverride {
    /// Whether it holds at the time that the log knows, which may lie shortly before the time it was set at.
    pub fn holds(&self, now: Micros) -> bool {
        !self.band.is_empty() && now < self.expires_at
    }

    pub(super) fn to_wire(&self, account: &str) -> wire::OverrideSet {
        wire::OverrideSet {
            account: account.to_owned(),
            band: self.band.to_string(),
            reason: self.reason.to_string(),
            author: self.author.to_string(),
            at_us: self.at,
            expires_us: self.expires_at,
        }
    }

    pub(super) fn from_wire(set: wire::OverrideSet) -> Self {
        Self {
            band: set.band.into(),
            reason: set.reason.into(),
            author: set.author.into(),
            at: set.at_us,
            expires_at: set.expires_us,
        }
    }
}
