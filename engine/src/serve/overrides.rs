//! Checks what a call to set a band by hand asks for.

use std::borrow::Cow;
use std::sync::Arc;

use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use crate::control::band_override::{BandOverride, OVERRIDE_DAYS_MAX, OVERRIDE_REASON_BYTES_MAX};
use crate::control::request::Request;
use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::write::sequencer::Command;

/// Days that an override holds where the call names none.
const DAYS_DEFAULT: i64 = 30;
const DAY_US: i64 = 86_400_000_000;

/// What a call is checked against.
pub struct Known<'v> {
    view: Option<&'v View>,
    names: Arc<Names>,
    model: Cow<'v, Model>,
}

impl<'v> Known<'v> {
    /// What a view says; without one, what the log does.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn of(view: Option<&'v View>, history: &History) -> Result<Self, HistoryError> {
        let (names, model) = match view {
            Some(view) => (Arc::clone(&view.names), Cow::Borrowed(&view.plan.model)),
            None => {
                let summary = history.summary()?;
                let model = Model::parse_adopted(summary.control_state.model_text())?;
                (Arc::clone(history.names()), Cow::Owned(model))
            }
        };
        Ok(Self { view, names, model })
    }

    /// Whether an account has an event. Where accounts were not folded, whatever has a name may be one.
    fn has(&self, account: &str) -> bool {
        let Some(account) = self.names.find(account) else { return false };
        self.view.filter(|view| view.is_folded()).is_none_or(|view| view.account(account).is_some())
    }
}

/// The command that carries a call out.
///
/// # Errors
/// For an account that no event names, a band that the adopted model does not have, a number of days outside the limits, and
/// without a reason.
pub fn command(
    known: &Known<'_>,
    asked: &v1::SetOverrideRequest,
    request: &Request,
) -> Result<Command, ApiError> {
    let refused = |problem: String| ApiError::InvalidOverride { problem };
    if !known.has(&asked.account) {
        return Err(ApiError::AccountUnknown { account: asked.account.clone() });
    }
    if asked.reason.trim().is_empty() {
        return Err(refused("it has no reason; say why the computed band is wrong".to_owned()));
    }
    if asked.reason.len() > OVERRIDE_REASON_BYTES_MAX {
        let (bytes, most) = (asked.reason.len(), OVERRIDE_REASON_BYTES_MAX);
        return Err(ApiError::TooLong { field: "reason", bytes, most });
    }
    let bands = known.model.scoring.as_ref().map_or(&[][..], |scoring| scoring.bands.as_slice());
    if !asked.band.is_empty() && !bands.iter().any(|band| band.name == asked.band) {
        let names: Vec<&str> = bands.iter().map(|band| band.name.as_str()).collect();
        let problem = format!("the adopted model has no band {:?}; it has {}", asked.band, names.join(", "));
        return Err(refused(problem));
    }
    let days = match i64::from(asked.days) {
        0 => DAYS_DEFAULT,
        days if (1..=OVERRIDE_DAYS_MAX).contains(&days) => days,
        days => return Err(refused(format!("{days} days are outside 1 to {OVERRIDE_DAYS_MAX}"))),
    };
    let author = if request.on_behalf_of.is_empty() { &request.actor } else { &request.on_behalf_of };
    let band_override = BandOverride {
        band: asked.band.as_str().into(),
        reason: asked.reason.as_str().into(),
        author: author.clone(),
        at: request.at,
        expires_at: request.at.saturating_add(days * DAY_US),
    };
    Ok(Command::SetOverride { account: asked.account.as_str().into(), band_override })
}
