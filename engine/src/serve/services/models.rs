//! `ModelService`: the adopted models, and what is wrong with others.

use std::sync::Arc;

use tidewatch_projections::health::Band;
use tidewatch_projections::health::shift::Shift;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Names;
use tidewatch_projections::settings::Settings;
use tidewatch_proto::v1;
use tidewatch_proto::v1::model_service_server::ModelService;
use tonic::{Request, Response, Status};

use crate::control::state::ControlState;
use crate::read::estimate;
use crate::read::preview::{self, Preview};
use crate::read::scan::AsOf;
use crate::serve::api_error::ApiError;
use crate::serve::health::model_version;
use crate::serve::model_check::check_for;
use crate::serve::paging::{as_of, deadline, over_all, page_size, question};
use crate::serve::reader::Reader;
use crate::serve::{asked, convert, model_words};

pub struct Models {
    reader: Reader,
}

impl Models {
    /// Answers from this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// The model in force at a sequence.
    fn at(&self, control_state: &ControlState, sequence: u64) -> Result<v1::AdoptedModel, ApiError> {
        let text = control_state.model_text_at(sequence);
        // One of an earlier build may answer metrics and give no score.
        let invalid = |error: tidewatch_projections::model::ModelError| ApiError::InvalidModel {
            problem: format!("what was adopted is none of this build: {error}"),
        };
        let model = Model::parse_adopted(text).map_err(invalid)?;
        let adopted = control_state.models.iter().rev().find(|adopted| adopted.seq <= sequence);
        let position = |seq: u64| convert::position(self.reader.engine().position(seq));
        Ok(v1::AdoptedModel {
            text: text.to_owned(),
            version: Some(model_version(&model, &control_state.settings)),
            adopted_at: adopted.map(|adopted| position(adopted.seq)),
        })
    }
}

/// A model of a preview.
#[derive(Clone, Copy)]
struct Judge<'a> {
    model: &'a Model,
    settings: &'a Settings,
}

impl Judge<'_> {
    /// The place of a band among those of the model, for the order in which they are told: those without a score last.
    fn rank(&self, band: Option<&String>) -> usize {
        let bands = self.model.scoring.as_ref().map_or(&[][..], |scoring| scoring.bands.as_slice());
        let place = bands.iter().position(|known| Some(&known.name) == band);
        place.unwrap_or(bands.len() + usize::from(band.is_none()))
    }
}

fn wire_preview(
    found: &Preview,
    names: &Names,
    before: Judge<'_>,
    after: Judge<'_>,
) -> v1::PreviewModelResponse {
    let mut bands: Vec<_> = found.bands.iter().collect();
    bands.sort_by_key(|((from, to), _)| (before.rank(from.as_ref()), after.rank(to.as_ref())));
    let moves = bands.into_iter().map(|((from, to), accounts)| v1::BandMove {
        before: from.clone(),
        after: to.clone(),
        accounts: *accounts as u64,
    });
    let band = |judge: Judge<'_>, band: Band| band.name(judge.model).unwrap_or_default().to_owned();
    let moved = found.moved.iter().map(|moved| v1::MovedAccount {
        account: names.text(moved.account).to_owned(),
        score_before: moved.before.score().unwrap_or_default(),
        score_after: moved.after.score().unwrap_or_default(),
        band_before: band(before, moved.before.band),
        band_after: band(after, moved.after.band),
        shifts: moved.shifts.iter().map(wire_shift).collect(),
    });
    let version = |judge: Judge<'_>| model_version(judge.model, judge.settings);
    v1::PreviewModelResponse {
        as_of: Some(convert::timestamp(found.as_of)),
        before: Some(version(before)),
        after: Some(version(after)),
        accounts: found.accounts as u64,
        bands: moves.collect(),
        scores_before: found.before.iter().map(|accounts| *accounts as u64).collect(),
        scores_after: found.after.iter().map(|accounts| *accounts as u64).collect(),
        moved: moved.collect(),
        freshness: None,
    }
}

fn wire_shift(shift: &Shift) -> v1::ScoreShift {
    v1::ScoreShift { name: shift.measure.clone(), points: shift.points, text: model_words::shift(shift) }
}

#[tonic::async_trait]
impl ModelService for Models {
    async fn get_model(
        &self,
        request: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        let deadline = deadline(request.metadata());
        let v1::GetModelRequest { sequence, min_position } = request.into_inner();
        let view = self.reader.log_view(&min_position, deadline).await?;
        let sequence = if sequence == 0 { u64::MAX } else { sequence };
        Ok(Response::new(v1::GetModelResponse {
            model: Some(self.at(&view.control_state, sequence)?),
            freshness: Some(convert::freshness(&view, self.reader.engine())),
        }))
    }

    async fn list_model_versions(
        &self,
        request: Request<v1::ListModelVersionsRequest>,
    ) -> Result<Response<v1::ListModelVersionsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let view = self.reader.log_view(&request.into_inner().min_position, deadline).await?;
        let adopted = view.control_state.models.iter().rev();
        let versions = adopted.map(|adopted| {
            let version = self.at(&view.control_state, adopted.seq)?;
            Ok(v1::AdoptedModel { text: String::new(), ..version })
        });
        Ok(Response::new(v1::ListModelVersionsResponse {
            versions: versions.collect::<Result<_, ApiError>>()?,
            freshness: Some(convert::freshness(&view, self.reader.engine())),
        }))
    }

    async fn check_model(
        &self,
        request: Request<v1::CheckModelRequest>,
    ) -> Result<Response<v1::CheckModelResponse>, Status> {
        let deadline = deadline(request.metadata());
        let v1::CheckModelRequest { model: text, min_position } = request.into_inner();
        asked::check_model_bytes(&text)?;
        let view = self.reader.view(&min_position, deadline).await?;
        let asked = Arc::clone(&view);
        let answer = over_all(deadline, move |cancellation| {
            let checked = check_for(&text, &asked, cancellation)?;
            let version = |model: &Model| model_version(model, &asked.control_state.settings);
            let version = checked.model.as_ref().map(version);
            Ok(v1::CheckModelResponse { findings: checked.findings, version, freshness: None })
        });
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::CheckModelResponse { freshness, ..answer.await? }))
    }

    async fn preview_model(
        &self,
        request: Request<v1::PreviewModelRequest>,
    ) -> Result<Response<v1::PreviewModelResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let empty = || ApiError::InvalidModel { problem: "the text is empty".to_owned() };
        let model = asked::model(&request.model)?.ok_or_else(empty)?;
        let most = page_size(request.moved_max, self.reader.caller().page_size_max())?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let nothing = || ApiError::InvalidAsOf {
            problem: "no event was accepted yet, so there is no instant".to_owned(),
        };
        let as_of = match &request.as_of {
            Some(asked) => as_of(asked)?,
            None => AsOf::At(preview::instant(&view).ok_or_else(nothing)?),
        };
        let bare = v1::PreviewModelRequest { min_position: String::new(), ..request };
        let question = question("PreviewModel", &bare, view.position);
        // Every account twice, with its health.
        let cost = estimate::scan(&view, None, 2 * estimate::HEALTH_VALUES);
        let snapshot = self.reader.snapshot(&view);
        let answer = self.reader.past(question, cost, deadline, move |cancellation| {
            let snapshot = snapshot.cancelled_by(cancellation);
            let found = preview::preview(&snapshot, model.clone(), as_of, most)?;
            let (adopted, settings) = (&snapshot.view.plan.model, &snapshot.view.control_state.settings);
            let before = Judge { model: adopted, settings };
            let after = Judge { model: &model, settings };
            Ok(wire_preview(&found, &snapshot.view.names, before, after))
        });
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::PreviewModelResponse { freshness, ..answer.await?.owned() }))
    }
}
