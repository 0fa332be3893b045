//! `MetricService`: metrics of accounts at any instants, adopted or of a model that comes with the question.

use std::sync::Arc;
use std::time::Instant;

use tidewatch_projections::event::Micros;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_proto::v1;
use tidewatch_proto::v1::metric_service_server::MetricService;
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::cancellation::Cancelled;
use crate::control::adoption::MODEL_BYTES_MAX;
use crate::fold::view::View;
use crate::read::account::AccountAt;
use crate::read::scan::{AsOf, Question, Row, ScanError, scan, standing_accounts};
use crate::read::scheduler::{Answer, QuestionDigest};
use crate::read::snapshot::ReadSnapshot;
use crate::read::{estimate, exactness};
use crate::serve::api_error::ApiError;
use crate::serve::caller::Caller;
use crate::serve::paging::{BATCH_ACCOUNTS_MAX, INSTANTS_MAX, SLOWNESS_MAX, as_of, deadline, question};
use crate::serve::reader::Reader;
use crate::serve::{convert, monotonic};

/// Rows of a scan that wait for the client.
const ROWS_AHEAD_MAX: usize = 64;

/// Answers about metrics.
pub struct Metrics {
    reader: Reader,
}

impl Metrics {
    /// Answers from this reader.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    async fn rows(
        &self,
        view: &Arc<View>,
        asked: Asked,
        question: QuestionDigest,
        deadline: Option<Instant>,
    ) -> Result<Arc<Answer<Rows>>, ApiError> {
        let model = asked.model.as_ref().unwrap_or(&view.plan.model);
        let values = model.metrics.len() * asked.as_of.len().max(1);
        let accounts: Option<Vec<Symbol>> = asked
            .accounts
            .as_ref()
            .map(|accounts| accounts.iter().filter_map(|account| view.names.find(account)).collect());
        let cost = estimate::scan(view, accounts.as_deref(), values);
        let snapshot = self.reader.snapshot(view);
        let scan = self.reader.past(question, cost, deadline, move |cancellation| {
            answer(&snapshot.cancelled_by(cancellation), &asked)
        });
        scan.await
    }
}

/// What is asked, checked.
struct Asked {
    /// By id; `None` is every account that answers for itself.
    accounts: Option<Vec<String>>,
    as_of: Vec<AsOf>,
    /// `None` is the adopted one.
    model: Option<Model>,
    metrics: Vec<String>,
}

impl Asked {
    fn new(
        caller: Caller,
        accounts: Option<Vec<String>>,
        instants: &[v1::AsOf],
        model: &str,
        metrics: Vec<String>,
    ) -> Result<Self, ApiError> {
        let too_many = |what, asked, most| ApiError::TooMany { what, asked, most };
        if instants.len() > caller.instants_max() {
            return Err(too_many("instants", instants.len(), caller.instants_max()));
        }
        if let Some(accounts) = accounts.as_ref().filter(|accounts| accounts.len() > BATCH_ACCOUNTS_MAX) {
            return Err(too_many("accounts", accounts.len(), BATCH_ACCOUNTS_MAX));
        }
        if model.len() > MODEL_BYTES_MAX {
            let problem = format!("it has {} bytes, at most {MODEL_BYTES_MAX} are read", model.len());
            return Err(ApiError::InvalidModel { problem });
        }
        let model = match model {
            "" => None,
            text => Some(
                Model::parse(text).map_err(|error| ApiError::InvalidModel { problem: error.to_string() })?,
            ),
        };
        let as_of = instants.iter().map(as_of).collect::<Result<_, _>>()?;
        Ok(Self { accounts, as_of, model, metrics })
    }
}

#[tonic::async_trait]
impl MetricService for Metrics {
    async fn get_metrics(
        &self,
        request: Request<v1::GetMetricsRequest>,
    ) -> Result<Response<v1::GetMetricsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(vec![request.account.clone()]);
        let (instants, metrics) = (&request.as_of, request.metrics.clone());
        let asked = Asked::new(self.reader.caller(), accounts, instants, &request.model, metrics)?;
        let view = self.reader.view(&request.min_position, deadline).await?;
        let bare = v1::GetMetricsRequest { min_position: String::new(), ..request };
        let question = question("GetMetrics", &bare, view.position);
        find(&view, &bare.account).ok_or(ApiError::AccountUnknown { account: bare.account })?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        let rows = self.rows(&view, asked, question, deadline).await?;
        let rows = (0..rows.rows.len()).map(|place| rows.wire(place)).collect();
        Ok(Response::new(v1::GetMetricsResponse { rows, freshness }))
    }

    type ScanMetricsStream =
        std::pin::Pin<Box<dyn Stream<Item = Result<v1::ScanMetricsResponse, Status>> + Send>>;

    async fn scan_metrics(
        &self,
        request: Request<v1::ScanMetricsRequest>,
    ) -> Result<Response<Self::ScanMetricsStream>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let accounts = Some(request.accounts.clone()).filter(|accounts| !accounts.is_empty());
        let (instants, metrics) = (&request.as_of, request.metrics.clone());
        let asked = Asked::new(self.reader.caller(), accounts, instants, &request.model, metrics)?;
        let view = self.reader.log_view(&request.min_position, deadline).await?;
        let bare = v1::ScanMetricsRequest { min_position: String::new(), ..request };
        let question = question("ScanMetrics", &bare, view.position);
        let freshness = convert::freshness(&view, self.reader.engine());
        let rows = self.rows(&view, asked, question, deadline).await?;
        let (to, told) = mpsc::channel(ROWS_AHEAD_MAX);
        tokio::spawn(async move {
            if let Err(refusal) = give_out(rows, freshness, &to, deadline).await {
                // A client that has gone hears nothing.
                let _told = to.send(Err(refusal.into())).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }
}

/// Gives rows out as the client takes them; they count against the budget of reads of the past until then.
async fn give_out(
    rows: Arc<Answer<Rows>>,
    freshness: v1::Freshness,
    to: &mpsc::Sender<Result<v1::ScanMetricsResponse, Status>>,
    deadline: Option<Instant>,
) -> Result<(), ApiError> {
    let mut freshness = Some(freshness);
    for place in 0..rows.rows.len() {
        let message = v1::ScanMetricsResponse { row: Some(rows.wire(place)), freshness: freshness.take() };
        let latest = monotonic() + SLOWNESS_MAX;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        match timeout_at(until.into(), to.send(Ok(message))).await {
            Ok(Ok(())) => {}
            Ok(Err(_gone)) => return Ok(()),
            Err(_elapsed) if until < latest => return Err(ApiError::DeadlinePassed),
            Err(_elapsed) => return Err(ApiError::SlowReader { waited_s: SLOWNESS_MAX.as_secs() }),
        }
    }
    Ok(())
}

/// The place of a metric in a model.
///
/// # Errors
/// When the model does not declare it.
pub fn index_of(model: &Model, name: &str) -> Result<usize, ApiError> {
    let known = || model.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = model.metrics.iter().position(|metric| metric.name == name);
    found.ok_or_else(|| ApiError::MetricUnknown { metric: name.to_owned(), known: known() })
}

/// The rows of an answer: by instant, then by account. An account that no event names has a row without values.
struct Rows {
    names: Arc<Names>,
    model: Model,
    /// The metrics asked for, by place in the model.
    columns: Vec<usize>,
    rows: Vec<Stated>,
    /// The accounts asked for, in the order in which rows repeat them, and which are known; `None` where all were.
    accounts: Option<Vec<(String, bool)>>,
    is_live: bool,
}

impl Rows {
    fn wire(&self, place: usize) -> v1::MetricRow {
        let (row, state) = &self.rows[place];
        let mut wire = row_of(&self.names, &self.model, &self.columns, row, *state);
        let asked = self.accounts.as_ref().map(|accounts| &accounts[place % accounts.len()]);
        if let Some((account, false)) = asked {
            wire.account.clone_from(account);
            wire.state = v1::MetricState::AccountUnknown.into();
            wire.as_of = wire.as_of.filter(|_| !self.is_live);
        }
        wire
    }
}

fn answer(snapshot: &ReadSnapshot, asked: &Asked) -> Result<Rows, ApiError> {
    let view = snapshot.view.as_ref();
    let model = asked.model.as_ref().unwrap_or(&view.plan.model);
    let columns: Vec<usize> = match asked.metrics.as_slice() {
        [] => (0..model.metrics.len()).collect(),
        names => names.iter().map(|name| index_of(model, name)).collect::<Result<_, _>>()?,
    };
    if !view.is_folded() {
        return of_log(snapshot, asked, model, columns);
    }
    let find = |account: &String| find(view, account);
    let accounts: Option<Vec<Option<Symbol>>> =
        asked.accounts.as_ref().map(|accounts| accounts.iter().map(find).collect());
    let rows = match asked.as_of.as_slice() {
        [] => live(snapshot, asked, (model, &columns), accounts.as_deref())?,
        instants => at_instants(snapshot, asked, (model, &columns), accounts.as_deref(), instants)?,
    };
    let are_known = accounts.iter().flatten().map(Option::is_some);
    let accounts = asked.accounts.as_ref().map(|names| names.iter().cloned().zip(are_known).collect());
    Ok(Rows {
        names: Arc::clone(&view.names),
        model: model.clone(),
        columns,
        rows,
        accounts,
        is_live: asked.as_of.is_empty(),
    })
}

/// An account of which something is known.
fn find(view: &View, account: &str) -> Option<Symbol> {
    view.names.find(account).filter(|symbol| AccountAt::live(view, *symbol).is_some())
}

/// Stands for accounts that no event names, so that asking for them makes no names: no account has the empty id.
const NOBODY: &str = "";

/// The rows of an answer where no accounts were folded: one pass over the log gives them all. It tells no account that no
/// event names from one without figures, so every row is current.
fn of_log(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    model: &Model,
    columns: Vec<usize>,
) -> Result<Rows, ApiError> {
    if asked.as_of.is_empty() {
        return Err(ApiError::NotFolded);
    }
    let rows = ask_log(snapshot, model, asked.accounts.clone(), asked.as_of.clone())?;
    Ok(Rows {
        names: Arc::clone(&snapshot.view.names),
        model: model.clone(),
        columns,
        rows: rows.into_iter().map(|row| (row, v1::MetricState::Current)).collect(),
        accounts: None,
        is_live: false,
    })
}

fn row_of(
    names: &Names,
    model: &Model,
    columns: &[usize],
    row: &Row,
    state: v1::MetricState,
) -> v1::MetricRow {
    let metric = |index: &usize| convert::metric(&model.metrics[*index].name, row.values[*index].as_ref());
    v1::MetricRow {
        account: names.text(row.account).to_owned(),
        as_of: Some(convert::timestamp(row.as_of)),
        metrics: columns.iter().map(metric).collect(),
        state: state.into(),
    }
}

type Stated = (Row, v1::MetricState);

/// Every account at its own live instant; one that is not known has none, and its row stands anywhere.
fn live(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    (model, columns): (&Model, &[usize]),
    accounts: Option<&[Option<Symbol>]>,
) -> Result<Vec<Stated>, ScanError> {
    let view = snapshot.view.as_ref();
    let live = |account: &Symbol| AccountAt::live(view, *account);
    let subjects: Vec<Option<AccountAt<'_>>> = match accounts {
        Some(accounts) => accounts.iter().map(|account| live(account.as_ref()?)).collect(),
        // One that only a merge names, and which was not merged into in the end, has no event to live by.
        None => standing_accounts(view, Micros::MAX).iter().filter_map(live).map(Some).collect(),
    };
    // Instants differ by account; those memory cannot answer are asked of the log, each at its own.
    let is_adopted = asked.model.is_none();
    let lookback_days = if is_adopted { exactness::lookback_days(model, columns) } else { 0 };
    let asks_log = |account_at: &&AccountAt<'_>| {
        !is_adopted || !exactness::is_exact(&view.plan, lookback_days, account_at.members(), account_at.as_of)
    };
    let mut instants: Vec<Micros> =
        subjects.iter().flatten().filter(asks_log).map(|account_at| account_at.as_of).collect();
    instants.sort_unstable();
    instants.dedup();
    let mut rows = Vec::with_capacity(subjects.len());
    let mut from_log = Vec::new();
    for part in instants.chunks(INSTANTS_MAX) {
        let of_part =
            subjects.iter().flatten().filter(|account_at| part.binary_search(&account_at.as_of).is_ok());
        let ids = of_part.map(|account_at| view.names.text(account_at.survivor).to_owned()).collect();
        let as_of = part.iter().copied().map(AsOf::At).collect();
        from_log.extend(ask_log(snapshot, model, Some(ids), as_of)?);
    }
    from_log.sort_by_key(|row| (row.account, row.as_of));
    for account_at in &subjects {
        snapshot.history.cancellation().check()?;
        let Some(account_at) = account_at else {
            let values = vec![None; model.metrics.len()];
            let row = Row { account: view.names.intern(NOBODY), as_of: 0, values };
            rows.push((row, v1::MetricState::AccountUnknown));
            continue;
        };
        let state = match account_at.catching_up {
            true => v1::MetricState::CatchingUp,
            false => v1::MetricState::Current,
        };
        let key = (account_at.survivor, account_at.as_of);
        let values = match from_log.binary_search_by_key(&key, |row| (row.account, row.as_of)) {
            Ok(found) => from_log[found].values.clone(),
            Err(_) => {
                let mut values = vec![None; model.metrics.len()];
                columns.iter().for_each(|column| values[*column] = account_at.metric(*column).cloned());
                values
            }
        };
        rows.push((Row { account: account_at.survivor, as_of: account_at.as_of, values }, state));
    }
    Ok(rows)
}

/// Accounts at the same instants, from memory when it has all of them exactly.
fn at_instants(
    snapshot: &ReadSnapshot,
    asked: &Asked,
    (model, columns): (&Model, &[usize]),
    accounts: Option<&[Option<Symbol>]>,
    instants: &[AsOf],
) -> Result<Vec<Stated>, ScanError> {
    let view = &snapshot.view;
    let symbols: Option<Vec<Symbol>> = accounts.map(|accounts| {
        accounts.iter().map(|account| account.unwrap_or_else(|| view.names.intern(NOBODY))).collect()
    });
    let in_memory = match asked.model {
        None => all_in_memory(snapshot, columns, symbols.as_deref(), instants)?,
        Some(_) => None,
    };
    let rows = match in_memory {
        Some(rows) => rows,
        None => {
            let name = |symbol: &Symbol| view.names.text(*symbol).to_owned();
            let ids = symbols.map(|symbols| symbols.iter().map(name).collect());
            ask_log(snapshot, model, ids, instants.to_vec())?
        }
    };
    Ok(rows.into_iter().map(|row| (row, v1::MetricState::Current)).collect())
}

/// The metrics in these columns at all instants, if memory has all of them exactly; the others are left out.
fn all_in_memory(
    snapshot: &ReadSnapshot,
    columns: &[usize],
    accounts: Option<&[Symbol]>,
    instants: &[AsOf],
) -> Result<Option<Vec<Row>>, Cancelled> {
    let view = snapshot.view.as_ref();
    let mut rows = Vec::new();
    for instant in instants {
        let as_of = match instant {
            AsOf::At(at) => *at,
            AsOf::EndOf(day) => view.plan.calendar.end(*day),
            AsOf::Last => match view.tenant.last_instant() {
                Some(last) => last,
                None => return Ok(None),
            },
        };
        let all;
        let accounts = match accounts {
            Some(accounts) => accounts,
            None => {
                all = standing_accounts(view, as_of);
                &all
            }
        };
        for account in accounts {
            snapshot.history.cancellation().check()?;
            let Some(found) = exactness::metrics(view, *account, as_of, columns) else { return Ok(None) };
            let mut values = vec![None; view.plan.model.metrics.len()];
            columns.iter().zip(found).for_each(|(column, value)| values[*column] = value);
            rows.push(Row { account: view.tenant.merges.survivor(*account, as_of), as_of, values });
        }
    }
    Ok(Some(rows))
}

fn ask_log(
    snapshot: &ReadSnapshot,
    model: &Model,
    accounts: Option<Vec<String>>,
    as_of: Vec<AsOf>,
) -> Result<Vec<Row>, ScanError> {
    let question = Question { model: model.clone(), as_of, accounts };
    scan(&snapshot.history, &question, snapshot.workers)
}
