//! `HealthService`: how healthy accounts are, at any instant and under any model.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Micros;
use tidewatch_projections::health::change::changes;
use tidewatch_projections::health::{Band, Health, MeasureScore};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;
use tidewatch_proto::v1;
use tidewatch_proto::v1::health_service_server::HealthService;
use tonic::{Request, Response, Status};

use crate::fold::view::View;
use crate::read::account;
use crate::read::answer::{Asked, Rows, answer, find};
use crate::read::cells::Cells;
use crate::read::estimate::HEALTH_VALUES;
use crate::read::health::{AccountDays, OfHealth, history};
use crate::read::scan::AsOf;
use crate::read::scheduler::{Answer, QuestionDigest};
use crate::read::snapshot::ReadSnapshot;
use crate::serve::api_error::ApiError;
use crate::serve::asked::{asked, cost, day, model};
use crate::serve::convert;
use crate::serve::evidence::{EvidenceAsked, MeasureEvidence};
use crate::serve::health::{Naming, model_version, override_of, wire_override};
use crate::serve::health_list::list;
use crate::serve::health_watch::watch;
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::overrides;
use crate::serve::paging::{self, aside, deadline, instant, over_all, question};
use crate::serve::pins::Pins;
use crate::serve::reader::Reader;
use crate::serve::rows::{Answers, WireRows, stream, stream_rows};

/// Days that an explanation looks back where it names no instant.
const EXPLAINED_DAYS: i64 = 28;

pub struct HealthAnswers {
    reader: Reader,
    pins: Arc<Pins<View>>,
    idempotency: Arc<IdempotencyStore>,
    stop: Arc<AtomicBool>,
}

impl HealthAnswers {
    /// Answers from this reader, pages of lists from the views pinned here, and watches until `stop` is set.
    pub fn new(
        reader: Reader,
        pins: Arc<Pins<View>>,
        idempotency: Arc<IdempotencyStore>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { reader, pins, idempotency, stop }
    }

    /// The health of the accounts that memory does not answer, from the log.
    async fn of_log(
        &self,
        cells: &Cells,
        question: QuestionDigest,
        deadline: Option<Instant>,
    ) -> Result<HashMap<Symbol, Health>, ApiError> {
        let inexact = cells.inexact();
        if inexact.is_empty() {
            return Ok(HashMap::new());
        }
        let view = &cells.view;
        let ids = inexact.iter().map(|account| view.names.text(*account).to_owned()).collect();
        let asked = Asked { accounts: Some(ids), as_of: Vec::new(), model: None };
        let rows = self.rows(view, asked, question, deadline, no_evidence).await?;
        let health = rows.rows.rows.iter().filter_map(|(row, _)| Some((row.account, row.value.clone()?)));
        Ok(health.collect())
    }

    async fn rows(
        &self,
        view: &Arc<View>,
        asked: Asked,
        question: QuestionDigest,
        deadline: Option<Instant>,
        evidence: impl FnOnce(&ReadSnapshot, &Model, &Rows<Health>) -> Result<MeasureEvidence, ApiError>
        + Send
        + 'static,
    ) -> Result<Arc<Answer<HealthRows>>, ApiError> {
        let cost = cost(view, &asked, HEALTH_VALUES);
        let snapshot = self.reader.snapshot(view);
        let named = Named::new(view, asked.model.clone());
        let scan = self.reader.past(question, cost, deadline, move |cancellation| {
            let snapshot = snapshot.cancelled_by(cancellation);
            let rows = answer(&snapshot, &asked, &OfHealth)?.ok_or(ApiError::NotFolded)?;
            let evidence = evidence(&snapshot, named.naming().model, &rows)?;
            Ok(HealthRows { named, rows, evidence })
        });
        scan.await
    }
}

/// What the places in an answer are named by.
struct Named {
    view: Arc<View>,
    /// The model that came with the question; `None`: the adopted one answers.
    model: Option<Model>,
    version: v1::ModelVersion,
}

impl Named {
    fn new(view: &Arc<View>, model: Option<Model>) -> Self {
        let answers = model.as_ref().unwrap_or(&view.plan.model);
        let version = model_version(answers, &view.control_state.settings);
        Self { view: Arc::clone(view), model, version }
    }

    fn naming(&self) -> Naming<'_> {
        let model = self.model.as_ref().unwrap_or(&self.view.plan.model);
        Naming { names: &self.view.names, model, version: &self.version }
    }
}

struct HealthRows {
    named: Named,
    rows: Rows<Health>,
    /// Of the last row.
    evidence: MeasureEvidence,
}

/// For whoever asks for no events behind measures.
fn no_evidence(_: &ReadSnapshot, _: &Model, _: &Rows<Health>) -> Result<MeasureEvidence, ApiError> {
    Ok(MeasureEvidence::default())
}

impl WireRows for HealthRows {
    type Message = v1::Health;

    fn count(&self) -> usize {
        self.rows.rows.len()
    }

    fn wire(&self, place: usize) -> v1::Health {
        let (row, _) = &self.rows.rows[place];
        let mut wire = match &row.value {
            Some(health) => self.named.naming().health(health),
            None => v1::Health {
                state: v1::HealthState::Unknown.into(),
                reason: v1::HealthReason::NoLife.into(),
                band: self.named.naming().band(Band::Unknown),
                model: Some(self.named.version.clone()),
                ..Default::default()
            },
        };
        if let Some(account) = self.rows.unknown(place) {
            account.clone_into(&mut wire.account);
        }
        if self.rows.is_live && row.value.is_some() {
            wire.r#override = override_of(&self.named.view, row.account);
        }
        wire
    }
}

impl HealthRows {
    /// Why the second row differs from the first.
    fn changes(&self) -> Vec<v1::HealthChange> {
        match (self.rows.value(0), self.rows.value(1)) {
            (Some(from), Some(to)) => self.named.naming().changes(from, to, &self.evidence),
            _ => Vec::new(),
        }
    }

    /// Adds the events behind the measures of the first row to it.
    fn add_evidence(&self, wire: &mut v1::Health) {
        let figures = self.rows.value(0).and_then(|health| health.figures.as_ref());
        let measures = figures.iter().flat_map(|figures| &figures.weighed.measures);
        for (wire, measure) in wire.measures.iter_mut().zip(measures) {
            wire.evidence = self.evidence.of(measure.measure);
        }
    }
}

struct HistoryRows {
    named: Named,
    accounts: Vec<AccountDays>,
}

impl WireRows for HistoryRows {
    type Message = v1::GetHealthHistoryResponse;

    fn count(&self) -> usize {
        self.accounts.len()
    }

    fn wire(&self, place: usize) -> v1::GetHealthHistoryResponse {
        let AccountDays { account, days } = &self.accounts[place];
        let naming = self.named.naming();
        v1::GetHealthHistoryResponse {
            account: account.clone(),
            days: days.iter().map(|(day, health)| naming.day(*day, health)).collect(),
            model: Some(self.named.version.clone()),
            freshness: None,
        }
    }
}

#[tonic::async_trait]
impl HealthService for HealthAnswers {
    async fn get_health(
        &self,
        request: Request<v1::GetHealthRequest>,
    ) -> Result<Response<v1::GetHealthResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(vec![request.account.clone()]);
        let asked = asked(self.reader.caller(), accounts, request.as_of.as_slice(), &request.model)?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let evidence = EvidenceAsked::new(request.evidence.as_ref(), asked.model(&view))?;
        let bare = v1::GetHealthRequest { min_position: String::new(), ..request };
        let question = question("GetHealth", &bare, view.position);
        find(&view, &bare.account).ok_or(ApiError::AccountUnknown { account: bare.account })?;
        let rows = self.rows(&view, asked, question, deadline, move |snapshot, model, rows| {
            match (&evidence, rows.value(0)) {
                (Some(evidence), Some(health)) => {
                    MeasureEvidence::read(snapshot, model, health, evidence, |_| true, Micros::MIN)
                }
                _ => Ok(MeasureEvidence::default()),
            }
        });
        let rows = rows.await?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        let mut health = rows.wire(0);
        rows.add_evidence(&mut health);
        Ok(Response::new(v1::GetHealthResponse { health: Some(health), freshness }))
    }

    async fn batch_get_health(
        &self,
        request: Request<v1::BatchGetHealthRequest>,
    ) -> Result<Response<v1::BatchGetHealthResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(request.accounts.clone());
        let asked = asked(self.reader.caller(), accounts, request.as_of.as_slice(), &request.model)?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let bare = v1::BatchGetHealthRequest { min_position: String::new(), ..request };
        let question = question("BatchGetHealth", &bare, view.position);
        let rows = self.rows(&view, asked, question, deadline, no_evidence).await?;
        let result = |(place, account): (usize, String)| {
            let result = match rows.rows.unknown(place) {
                None => v1::health_result::Result::Found(Box::new(rows.wire(place))),
                Some(_) => {
                    let unknown = ApiError::AccountUnknown { account: account.clone() };
                    v1::health_result::Result::Error(unknown.item())
                }
            };
            v1::HealthResult { account, result: Some(result) }
        };
        let results = bare.accounts.into_iter().enumerate().map(result).collect();
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::BatchGetHealthResponse { results, freshness }))
    }

    async fn list_health(
        &self,
        request: Request<v1::ListHealthRequest>,
    ) -> Result<Response<v1::ListHealthResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let newest = self.reader.view(&request.min_position, deadline).await?;
        let size_max = self.reader.caller().page_size_max();
        let asked = paging::Asked::new(&request, size_max, newest.position)?;
        let view = asked.pinned(&self.pins, newest, !request.min_position.is_empty())?;
        let (store, listed) = (Arc::clone(self.reader.engine().cells()), Arc::clone(&view));
        let cells = over_all(deadline, move |cancellation| Ok(store.at(&listed, cancellation)?)).await?;
        let inexact_question = question("ListHealth", &v1::ListHealthRequest::default(), view.position);
        let past = self.of_log(&cells, inexact_question, deadline).await?;
        let named = Named::new(&view, None);
        let skipped = asked.skipped();
        let listing = over_all(deadline, move |cancellation| {
            list(&cells, &past, named.naming(), &request, (skipped, asked.size), cancellation)
        });
        let (accounts, total) = listing.await?;
        let next_page_token = asked.next_pinned(&self.pins, &view, accounts.len(), total)?;
        Ok(Response::new(v1::ListHealthResponse {
            accounts,
            next_page_token,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            freshness: Some(convert::freshness(&view, self.reader.engine())),
        }))
    }

    async fn set_override(
        &self,
        asked: Request<v1::SetOverrideRequest>,
    ) -> Result<Response<v1::SetOverrideResponse>, Status> {
        let asked = asked.into_inner();
        let view = match self.reader.log_view("", None).await {
            Ok(view) => Some(view),
            // An engine that only writes has no view; its log knows the names and the model.
            Err(ApiError::NotFolded) => None,
            Err(refusal) => return Err(refusal.into()),
        };
        let (engine, idempotency) = (Arc::clone(self.reader.engine()), Arc::clone(&self.idempotency));
        let caller = self.reader.caller();
        let answer = aside(move || {
            let by = (asked.request_id.as_str(), asked.on_behalf_of.as_str());
            let request = request(&engine, caller, "SetOverride", by, &asked)?;
            let known = overrides::Known::of(view.as_deref(), &engine.history())?;
            let command = overrides::command(&known, &asked, &request)?;
            let position = Some(idempotency.submit(&engine, command, &request)?);
            Ok(v1::SetOverrideResponse { position })
        });
        Ok(Response::new(answer.await?))
    }

    async fn list_overrides(
        &self,
        request: Request<v1::ListOverridesRequest>,
    ) -> Result<Response<v1::ListOverridesResponse>, Status> {
        let deadline = deadline(request.metadata());
        let view = self.reader.log_view(&request.into_inner().min_position, deadline).await?;
        let mut overrides: Vec<v1::HealthOverride> = view
            .control_state
            .overrides_in_force()
            .map(|(account, set)| wire_override(view.names.text(account), set))
            .collect();
        overrides.sort_by(|a, b| a.account.cmp(&b.account));
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::ListOverridesResponse { overrides, freshness }))
    }

    type WatchHealthStream = Answers<v1::WatchHealthResponse>;

    async fn watch_health(
        &self,
        request: Request<v1::WatchHealthRequest>,
    ) -> Result<Response<Self::WatchHealthStream>, Status> {
        let deadline = deadline(request.metadata());
        let v1::WatchHealthRequest { filter, token } = request.into_inner();
        let sent_seq = match token.as_str() {
            "" => None,
            token => Some(self.reader.sequence(token)?),
        };
        let (reader, stop) = (self.reader.clone(), Arc::clone(&self.stop));
        Ok(Response::new(stream(|to| async move {
            watch(&reader, &filter, sent_seq, deadline, &stop, &to).await
        })))
    }

    type ScanHealthStream = Answers<v1::ScanHealthResponse>;

    async fn scan_health(
        &self,
        request: Request<v1::ScanHealthRequest>,
    ) -> Result<Response<Self::ScanHealthStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(request.accounts.clone()).filter(|accounts| !accounts.is_empty());
        let asked = asked(self.reader.caller(), accounts, &request.as_of, &request.model)?;
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::ScanHealthRequest { min_position: String::new(), ..request };
        let question = question("ScanHealth", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let rows = self.rows(&view, asked, question, deadline, no_evidence).await?;
        Ok(Response::new(stream_rows(rows, deadline, move |health, is_first| v1::ScanHealthResponse {
            health: Some(health),
            freshness: is_first.then(|| freshness.clone()),
        })))
    }

    type GetHealthHistoryStream = Answers<v1::GetHealthHistoryResponse>;

    async fn get_health_history(
        &self,
        request: Request<v1::GetHealthHistoryRequest>,
    ) -> Result<Response<Self::GetHealthHistoryStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(request.accounts.clone()).filter(|accounts| !accounts.is_empty());
        let asked = asked(self.reader.caller(), accounts, &[], &request.model)?;
        let (from, to) = (day(&request.from, "from")?, day(&request.to, "to")?);
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::GetHealthHistoryRequest { min_position: String::new(), ..request };
        let question = question("GetHealthHistory", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let cost = cost(&view, &asked, HEALTH_VALUES);
        let (snapshot, named) = (self.reader.snapshot(&view), Named::new(&view, asked.model.clone()));
        let rows = self.reader.past(question, cost, deadline, move |cancellation| {
            let accounts = history(&snapshot.cancelled_by(cancellation), &asked, from, to)?;
            Ok(HistoryRows { named, accounts })
        });
        let message = move |account, is_first: bool| v1::GetHealthHistoryResponse {
            freshness: is_first.then(|| freshness.clone()),
            ..account
        };
        Ok(Response::new(stream_rows(rows.await?, deadline, message)))
    }

    async fn explain_health(
        &self,
        request: Request<v1::ExplainHealthRequest>,
    ) -> Result<Response<v1::ExplainHealthResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.view(&request.min_position, deadline).await?;
        let bare = v1::ExplainHealthRequest { min_position: String::new(), ..request };
        let question = question("ExplainHealth", &bare, view.position);
        let unknown = || ApiError::AccountUnknown { account: bare.account.clone() };
        let symbol = find(&view, &bare.account).ok_or_else(unknown)?;
        let live_at = account::live(&view, symbol).map(|account_at| account_at.as_of).ok_or_else(unknown)?;
        let to = instant(bare.to.as_ref(), &view)?.unwrap_or(live_at);
        let from = match instant(bare.from.as_ref(), &view)? {
            Some(from) => from,
            None => days_before(&view.plan.calendar, to, EXPLAINED_DAYS),
        };
        let asked = Asked {
            accounts: Some(vec![bare.account.clone()]),
            as_of: vec![AsOf::At(from), AsOf::At(to)],
            model: model(&bare.model)?,
        };
        let evidence = EvidenceAsked::new(bare.evidence.as_ref(), asked.model(&view))?;
        let rows = self.rows(&view, asked, question, deadline, move |snapshot, model, rows| {
            match (&evidence, rows.value(0), rows.value(1)) {
                (Some(evidence), Some(before), Some(health)) => {
                    let moved = changes(before, health);
                    let has_line = |measure: &MeasureScore| {
                        moved.iter().any(|change| change.measure == Some(measure.measure))
                    };
                    MeasureEvidence::read(snapshot, model, health, evidence, has_line, from)
                }
                _ => Ok(MeasureEvidence::default()),
            }
        });
        let rows = rows.await?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::ExplainHealthResponse {
            from: Some(rows.wire(0)),
            to: Some(rows.wire(1)),
            changes: rows.changes(),
            freshness,
        }))
    }
}

/// The same time of day so many days before, by wall clock.
fn days_before(calendar: &Calendar, at: Micros, days: i64) -> Micros {
    let day = calendar.day(at - 1);
    if calendar.end(day) == at {
        return calendar.end(day.plus(-days));
    }
    calendar.start(day.plus(-days)) + (at - calendar.start(day))
}
