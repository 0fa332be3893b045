//! `AlertService`: what the rules find.

use std::sync::Arc;

use tidewatch_projections::calendar::Day;
use tidewatch_projections::model::Model;
use tidewatch_projections::rules::Rules;
use tidewatch_proto::v1;
use tidewatch_proto::v1::alert_service_server::AlertService;
use tonic::{Request, Response, Status};

use crate::control::adoption::RULES_BYTES_MAX;
use crate::control::entry::Control;
use crate::decide::live::TELLS;
use crate::decide::replay::{self, Replay, Replays};
use crate::read::estimate;
use crate::serve::api_error::ApiError;
use crate::serve::asked::day;
use crate::serve::cases;
use crate::serve::convert;
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::paging::{Asked, aside, deadline, question};
use crate::serve::reader::Reader;
use crate::serve::rows::{Answers, WireRows, stream_rows};
use crate::serve::transitions::wire_transition;

/// Transitions of one message.
const TRANSITIONS_PER_MESSAGE: usize = 500;

pub struct Alerts {
    reader: Reader,
    idempotency: Arc<IdempotencyStore>,
}

impl Alerts {
    /// Answers from this reader.
    pub fn new(reader: Reader, idempotency: Arc<IdempotencyStore>) -> Self {
        Self { reader, idempotency }
    }
}

/// What was decided, to be told part by part.
struct Transitions(Vec<v1::AlertTransition>);

impl WireRows for Transitions {
    type Message = v1::ListTransitionsResponse;

    fn count(&self) -> usize {
        self.0.len().div_ceil(TRANSITIONS_PER_MESSAGE).max(1)
    }

    fn wire(&self, place: usize) -> v1::ListTransitionsResponse {
        let part = self.0.chunks(TRANSITIONS_PER_MESSAGE).nth(place).unwrap_or_default();
        v1::ListTransitionsResponse { transitions: part.to_vec(), freshness: None }
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
        let rules = Arc::new(parsed(&request.rules, view.control_state.rules_text())?);
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
            Ok(replay::replay(&snapshot.history, &asked, snapshot.workers)?)
        });
        let message = move |part: v1::ReplayRulesResponse, is_first: bool| v1::ReplayRulesResponse {
            freshness: is_first.then(|| freshness.clone()),
            ..part
        };
        Ok(Response::new(stream_rows(replays.await?, deadline, message)))
    }

    type ListTransitionsStream = Answers<v1::ListTransitionsResponse>;

    async fn list_transitions(
        &self,
        request: Request<v1::ListTransitionsRequest>,
    ) -> Result<Response<Self::ListTransitionsStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let bound =
            |text: &str, field: &str, open: Day| if text.is_empty() { Ok(open) } else { day(text, field) };
        let (from, to) =
            (bound(&request.from, "from", Day(i32::MIN))?, bound(&request.to, "to", Day(i32::MAX))?);
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let account = request.account.clone();
        let bare = v1::ListTransitionsRequest { min_position: String::new(), ..request };
        let question = question("ListTransitions", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let (calendar, delay_us) = (view.plan.calendar.clone(), view.control_state.settings.close_delay_us);
        let snapshot = self.reader.snapshot(&view);
        let answer = self.reader.past(question, estimate::READ, deadline, move |cancellation| {
            let history = snapshot.cancelled_by(cancellation).history;
            let mut told = Vec::new();
            history.controls(|_, control| {
                let Control::AlertsDecided(part) = control else { return };
                if !(from..=to).contains(&part.day) {
                    return;
                }
                let at = calendar.end(part.day).saturating_add(delay_us);
                let wanted = part.decided.transitions.iter();
                let wanted =
                    wanted.filter(|transition| account.is_empty() || *transition.account == *account);
                told.extend(wanted.map(|transition| wire_transition(at, transition)));
            })?;
            Ok(Transitions(told))
        });
        let message = move |part: v1::ListTransitionsResponse, is_first: bool| v1::ListTransitionsResponse {
            freshness: is_first.then(|| freshness.clone()),
            ..part
        };
        Ok(Response::new(stream_rows(answer.await?, deadline, message)))
    }

    async fn list_cases(
        &self,
        request: Request<v1::ListCasesRequest>,
    ) -> Result<Response<v1::ListCasesResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let page = Asked::new(&request, self.reader.caller().page_size_max(), self.reader.position())?;
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let cases = cases::list(&view, &request)?;
        let total = cases.len();
        let cases: Vec<v1::Case> = cases.into_iter().skip(page.skipped()).take(page.size).collect();
        Ok(Response::new(v1::ListCasesResponse {
            next_page_token: page.next(view.position, cases.len(), total),
            cases,
            freshness: Some(convert::freshness(&view, self.reader.engine())),
        }))
    }

    async fn change_case(
        &self,
        asked: Request<v1::ChangeCaseRequest>,
    ) -> Result<Response<v1::ChangeCaseResponse>, Status> {
        let asked = asked.into_inner();
        let (engine, idempotency) = (Arc::clone(self.reader.engine()), Arc::clone(&self.idempotency));
        let caller = self.reader.caller();
        let answer = aside(move || {
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(&engine, caller, "ChangeCase", by, &asked)?;
            let command = cases::command(&asked, &request, TELLS)?;
            let position = Some(idempotency.submit(&engine, command, &request)?);
            Ok(v1::ChangeCaseResponse { position })
        });
        Ok(Response::new(answer.await?))
    }
}
