//! `AccountService`: accounts by id, in batches and in lists, and their timelines.

use std::sync::Arc;
use std::time::Instant;

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;
use tidewatch_proto::v1;
use tidewatch_proto::v1::account_service_server::AccountService;
use tonic::{Request, Response, Status};

use crate::cancellation::Cancellation;
use crate::fold::history::HistoryError;
use crate::fold::view::View;
use crate::read::account;
use crate::read::admission::Cost;
use crate::read::estimate;
use crate::read::past::accounts_at;
use crate::read::scheduler::QuestionDigest;
use crate::read::snapshot::ReadSnapshot;
use crate::serve::api_error::ApiError;
use crate::serve::columns::AccountColumn;
use crate::serve::paging::{Asked, BATCH_ACCOUNTS_MAX, deadline, instant, over_all, question};
use crate::serve::pins::Pins;
use crate::serve::reader::Reader;
use crate::serve::selection::Selection;
use crate::serve::{convert, timeline};

/// Adopted metrics beside each account of a list at most.
pub const METRICS_PER_LIST_MAX: usize = 32;

pub struct Accounts {
    reader: Reader,
    pins: Arc<Pins<View>>,
}

impl Accounts {
    /// Answers from this reader; keeps the positions of lists in `pins`.
    pub fn new(reader: Reader, pins: Arc<Pins<View>>) -> Self {
        Self { reader, pins }
    }

    /// Answers accounts in the order asked, `None` where nothing is known of one.
    async fn find(
        &self,
        view: &Arc<View>,
        accounts: Vec<String>,
        as_of: Option<Micros>,
        deadline: Option<Instant>,
        question: impl FnOnce() -> QuestionDigest,
    ) -> Result<Vec<Option<v1::Account>>, ApiError> {
        let Some(as_of) = as_of else {
            return Ok(accounts.iter().map(|account| live(view, account)).collect());
        };
        let snapshot = self.reader.snapshot(view);
        let inexact = inexact(view, &accounts, as_of);
        if inexact.is_empty() {
            return Ok(at(&snapshot, &accounts, as_of)?);
        }
        let cost = Cost { answer_bytes: 0, ..estimate::scan(view, Some(&inexact), 0) };
        let found = self.reader.past(question(), cost, deadline, move |cancellation| {
            Ok(at(&snapshot.cancelled_by(cancellation), &accounts, as_of)?)
        });
        Ok(found.await?.owned())
    }
}

/// An account at its live instant; `None` where nothing is known of it.
fn live(view: &View, account: &str) -> Option<v1::Account> {
    account::live(view, view.names.find(account)?).map(|account_at| convert::account(&account_at))
}

/// The accounts that memory does not answer exactly at an instant.
fn inexact(view: &View, accounts: &[String], as_of: Micros) -> Vec<Symbol> {
    let is_exact =
        |account| account::at(view, account, as_of).is_none_or(|account_at| account_at.is_newest());
    let found = accounts.iter().filter_map(|account| view.names.find(account));
    found.filter(|account| !is_exact(*account)).collect()
}

/// Accounts at an instant, in the order asked; `None` where nothing is known of one.
///
/// # Errors
/// Whatever the log says, where memory does not answer exactly.
fn at(
    snapshot: &ReadSnapshot,
    accounts: &[String],
    as_of: Micros,
) -> Result<Vec<Option<v1::Account>>, HistoryError> {
    let ReadSnapshot { view, history, .. } = snapshot;
    let inexact = inexact(view, accounts, as_of);
    let past = match inexact.as_slice() {
        [] => None,
        inexact => Some(accounts_at(history, view, inexact, as_of)?),
    };
    let answer = |account: Symbol| {
        let view = past.as_ref().filter(|_| inexact.contains(&account)).unwrap_or(view);
        account::at(view, account, as_of).map(|account_at| convert::account(&account_at))
    };
    Ok(accounts.iter().map(|account| answer(view.names.find(account)?)).collect())
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn get_account(
        &self,
        request: Request<v1::GetAccountRequest>,
    ) -> Result<Response<v1::GetAccountResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.view(&request.min_position, deadline).await?;
        let as_of = instant(request.as_of.as_ref(), &view)?;
        let bare = v1::GetAccountRequest { min_position: String::new(), ..request };
        let question = || question("GetAccount", &bare, view.position);
        let accounts = vec![bare.account.clone()];
        let found = self.find(&view, accounts, as_of, deadline, question).await?.pop().flatten();
        let account = found.ok_or(ApiError::AccountUnknown { account: bare.account })?;
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::GetAccountResponse { account: Some(account), freshness }))
    }

    async fn batch_get_accounts(
        &self,
        request: Request<v1::BatchGetAccountsRequest>,
    ) -> Result<Response<v1::BatchGetAccountsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let asked = request.accounts.len();
        if asked > BATCH_ACCOUNTS_MAX {
            return Err(ApiError::TooMany { what: "accounts", asked, most: BATCH_ACCOUNTS_MAX }.into());
        }
        let view = self.reader.view(&request.min_position, deadline).await?;
        let as_of = instant(request.as_of.as_ref(), &view)?;
        let bare = v1::BatchGetAccountsRequest { min_position: String::new(), ..request };
        let question = || question("BatchGetAccounts", &bare, view.position);
        let found = self.find(&view, bare.accounts.clone(), as_of, deadline, question).await?;
        let results = bare.accounts.into_iter().zip(found).map(|(account, found)| result(account, found));
        let freshness = Some(convert::freshness(&view, self.reader.engine()));
        Ok(Response::new(v1::BatchGetAccountsResponse { results: results.collect(), freshness }))
    }

    async fn list_accounts(
        &self,
        request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let newest = self.reader.view(&request.min_position, deadline).await?;
        let size_max = self.reader.caller().page_size_max();
        let asked = Asked::new(&request, size_max, newest.position)?;
        let view = asked.pinned(&self.pins, newest, !request.min_position.is_empty())?;
        let listed = Arc::clone(&view);
        let listing = over_all(deadline, move |cancellation| {
            list(&listed, &request, asked.skipped(), asked.size, cancellation)
        });
        let (accounts, total) = listing.await?;
        let next_page_token = asked.next_pinned(&self.pins, &view, accounts.len(), total)?;
        Ok(Response::new(v1::ListAccountsResponse {
            accounts,
            next_page_token,
            total: u32::try_from(total).unwrap_or(u32::MAX),
            freshness: Some(convert::freshness(&view, self.reader.engine())),
        }))
    }

    async fn get_timeline(
        &self,
        request: Request<v1::GetTimelineRequest>,
    ) -> Result<Response<v1::GetTimelineResponse>, Status> {
        let deadline = deadline(request.metadata());
        let request = request.into_inner();
        let view = self.reader.view(&request.min_position, deadline).await?;
        let bare = v1::GetTimelineRequest { min_position: String::new(), ..request };
        let question = question("GetTimeline", &bare, view.position);
        let reader = self.reader.clone();
        let answer = self.reader.past(question, estimate::READ, deadline, move |cancellation| {
            timeline::answer(&reader, &view, &bare, cancellation)
        });
        Ok(Response::new(answer.await?.owned()))
    }
}

fn result(account: String, found: Option<v1::Account>) -> v1::AccountResult {
    let result = match found {
        Some(found) => v1::account_result::Result::Found(Box::new(found)),
        None => {
            let refusal = ApiError::AccountUnknown { account: account.clone() };
            v1::account_result::Result::Error(refusal.item())
        }
    };
    v1::AccountResult { account, result: Some(result) }
}

/// `size` accounts of a list after the first `skipped`, and how many pass the filter in all.
///
/// # Errors
/// For a filter, an order or a metric that the view does not know; once it is cancelled.
fn list(
    view: &View,
    request: &v1::ListAccountsRequest,
    skipped: usize,
    size: usize,
    cancellation: &Cancellation,
) -> Result<(Vec<v1::ListedAccount>, usize), ApiError> {
    let resolve = |path: &[String]| AccountColumn::resolve(&view.plan, path);
    let selection = Selection::parse(&view.names, &request.filter, &request.order_by, &resolve)?;
    let metrics = metrics_of(view, &request.metrics)?;
    let led = view.accounts().map(|account| account::led_by(view, account));
    let all = led.map(|account_at| account_at.map(|account_at| (account_at.survivor, account_at)));
    let (page, total) = selection.page(all, AccountColumn::operand, (skipped, size), cancellation)?;
    let subjects = page.into_iter().filter_map(|account| account::live(view, account));
    let listed = subjects.map(|account_at| v1::ListedAccount {
        account: Some(convert::account(&account_at)),
        metrics: metrics
            .iter()
            .map(|(index, name)| convert::metric(name, account_at.metric(*index)))
            .collect(),
    });
    Ok((listed.collect(), total))
}

/// The names of the adopted metrics, in the order of the model file.
pub(super) fn adopted_metrics(view: &View) -> Vec<String> {
    view.plan.model.metrics.iter().map(|metric| metric.name.clone()).collect()
}

fn metrics_of(view: &View, names: &[String]) -> Result<Vec<(usize, String)>, ApiError> {
    if names.len() > METRICS_PER_LIST_MAX {
        let asked = names.len();
        return Err(ApiError::TooMany { what: "metrics", asked, most: METRICS_PER_LIST_MAX });
    }
    let found =
        names.iter().map(|name| Ok((super::metrics::index_of(&view.plan.model, name)?, name.clone())));
    found.collect()
}
