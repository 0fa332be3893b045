//! `AlertService`: what the rules find.

use std::sync::Arc;

use tidewatch_projections::alert::record::Transition;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::model::Model;
use tidewatch_projections::rules::{self, Rules};
use tidewatch_proto::v1;
use tidewatch_proto::v1::alert_service_server::AlertService;
use tonic::{Request, Response, Status};

use crate::decide::replay::{self, Replay, Replays};
use crate::read::estimate;
use crate::serve::api_error::ApiError;
use crate::serve::convert;
use crate::serve::paging::{deadline, question};
use crate::serve::reader::Reader;
use crate::serve::rows::{Answers, WireRows, stream_rows};

/// Longest rule file that is read, in bytes.
pub const RULES_BYTES_MAX: usize = 1 << 20;
/// Transitions of one message.
const TRANSITIONS_PER_MESSAGE: usize = 500;

pub struct Alerts {
    reader: Reader,
}

impl Alerts {
    /// Answers from this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }
}

/// A transition as the API has it.
pub fn wire_transition(at: i64, transition: &Transition) -> v1::AlertTransition {
    let figures = &transition.figures;
    v1::AlertTransition {
        at: Some(convert::timestamp(at)),
        account: transition.account.to_string(),
        rule: transition.name.to_string(),
        scope: transition.slot.scope.to_string(),
        transition: transition.change.name().to_owned(),
        severity: transition.severity.name().to_owned(),
        cause: transition.cause.to_string(),
        figures: Some(v1::AlertFigures {
            p: figures.p,
            drop: figures.drop,
            expected: figures.expected,
            text: figures.text.to_string(),
            values: figures.values.iter().map(|(name, value)| (name.to_string(), *value)).collect(),
            members: figures.members.iter().map(|member| member.to_string()).collect(),
            level: figures.level,
        }),
        day: transition.day.to_text(),
    }
}

impl WireRows for Replays {
    type Message = v1::ReplayRulesResponse;

    fn count(&self) -> usize {
        self.transitions.len().div_ceil(TRANSITIONS_PER_MESSAGE).max(1)
    }

    fn wire(&self, place: usize) -> v1::ReplayRulesResponse {
        let parts = &mut self.transitions.chunks(TRANSITIONS_PER_MESSAGE);
        let part = parts.nth(place).unwrap_or_default();
        let is_last = place + 1 == self.count();
        v1::ReplayRulesResponse {
            transitions: part.iter().map(|told| wire_transition(told.at, &told.transition)).collect(),
            accounts: if is_last { self.accounts as u64 } else { 0 },
            rules_without_metric: if is_last { self.without_metric.clone() } else { Vec::new() },
            freshness: None,
        }
    }
}

fn day(text: &str, field: &str) -> Result<Day, ApiError> {
    Day::parse(text).ok_or_else(|| ApiError::InvalidAsOf { problem: format!("{field} {text:?} is no date") })
}

/// A rule file that came with a question; the adopted one of an empty text.
fn parsed(text: &str, adopted: &str) -> Result<Rules, ApiError> {
    if text.len() > RULES_BYTES_MAX {
        let problem = format!("the file has {} bytes, at most {RULES_BYTES_MAX} are read", text.len());
        return Err(ApiError::InvalidRules { problem });
    }
    let text = if text.is_empty() { adopted } else { text };
    Rules::parse(text).map_err(|error| ApiError::InvalidRules { problem: error.to_string() })
}

#[tonic::async_trait]
impl AlertService for Alerts {
    type ReplayRulesStream = Answers<v1::ReplayRulesResponse>;

    async fn replay_rules(
        &self,
        request: Request<v1::ReplayRulesRequest>,
    ) -> Result<Response<Self::ReplayRulesStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let (from, to) = (day(&request.from, "from")?, day(&request.to, "to")?);
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let rules = Arc::new(parsed(&request.rules, rules::DEFAULT)?);
        let model = Model::parse_adopted(view.control_state.model_text()).map_err(|error| {
            ApiError::InvalidModel { problem: format!("what was adopted is none of this build: {error}") }
        })?;
        let bare = v1::ReplayRulesRequest { min_position: String::new(), ..request };
        let question = question("ReplayRules", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let cost = estimate::scan(&view, None, 0);
        let snapshot = self.reader.snapshot(&view);
        let asked = Replay { rules, model, from, to };
        let replays = self.reader.past(question, cost, deadline, move |cancellation| {
            let snapshot = snapshot.cancelled_by(cancellation);
            Ok(replay::replay(&snapshot.history, &asked, snapshot.workers, &|_, _| {})?)
        });
        let message = move |part: v1::ReplayRulesResponse, is_first: bool| v1::ReplayRulesResponse {
            freshness: is_first.then(|| freshness.clone()),
            ..part
        };
        Ok(Response::new(stream_rows(replays.await?, deadline, message)))
    }
}
