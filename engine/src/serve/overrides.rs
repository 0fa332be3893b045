//! Checks what a call to set a band by hand asks for.

use tidewatch_proto::v1;

use super::api_error::ApiError;
use crate::control::band_override::{BandOverride, OVERRIDE_DAYS_MAX, OVERRIDE_REASON_BYTES_MAX};
use crate::control::request::Request;
use crate::fold::view::View;
use crate::write::sequencer::Command;

/// Days that an override holds where the call names none.
const DAYS_DEFAULT: i64 = 30;
const DAY_US: i64 = 86_400_000_000;

/// The command that carries a call out.
///
/// # Errors
/// For an account that no event names, a band that the adopted model does not have, a number of days outside the limits, and
/// without a reason.
pub fn command(view: &View, asked: &v1::SetOverrideRequest, request: &Request) -> Result<Command, ApiError> {
    let refused = |problem: String| ApiError::InvalidOverride { problem };
    let unknown = || ApiError::AccountUnknown { account: asked.account.clone() };
    let account = view.names.find(&asked.account).ok_or_else(unknown)?;
    // Where accounts were not folded, whoever has a name may be one.
    if view.is_folded() && view.account(account).is_none() {
        return Err(unknown());
    }
    if asked.reason.trim().is_empty() {
        return Err(refused("it has no reason; say why the computed band is wrong".to_owned()));
    }
    if asked.reason.len() > OVERRIDE_REASON_BYTES_MAX {
        let (bytes, most) = (asked.reason.len(), OVERRIDE_REASON_BYTES_MAX);
        return Err(ApiError::TooLong { field: "reason", bytes, most });
    }
    let bands = view.plan.model.scoring.as_ref().map_or(&[][..], |scoring| scoring.bands.as_slice());
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
