//! What commands read of accounts, in the types of the API: of a directory at rest or of a running engine.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;

use super::place::{Access, Place};
use super::remote::Remote;
use crate::fold::history::History;
use crate::position::Position;
use crate::read::snapshot::ReadSnapshot;
use crate::serve::api_error::ApiError;
use crate::serve::paging::{BATCH_ACCOUNTS_MAX, PAGE_SIZE_MAX};
use crate::serve::services::{accounts, metrics};
use crate::serve::timeline;
use crate::storage::directory::Directory;

/// Where accounts are read.
pub(super) enum Reads {
    /// A directory at rest, folded once.
    Resting(Box<Resting>),
    /// A running engine.
    Remote(Remote),
}

/// A folded directory, held while it is read.
pub(super) struct Resting {
    _directory: Directory,
    snapshot: ReadSnapshot,
}

/// A part of a list that is asked for page by page.
pub(super) struct Listed<T> {
    pub items: Vec<T>,
    /// There are more beyond the limit.
    pub is_cut: bool,
}

impl Resting {
    /// Folds the log of a directory that nobody holds.
    fn open(root: &Path, workers: usize) -> anyhow::Result<Self> {
        let directory = Directory::open(root)?;
        let history = History::new(Arc::clone(directory.disk()), Arc::new(Names::new()), u64::MAX);
        let summary = history.summary()?;
        let context = history.adopted_context(&summary.control_state)?;
        let fold = history.fold(workers, context)?;
        let view = Arc::new(fold.settle(Position { shard: 0, lineage: 0, seq: summary.last_seq }));
        let tenant = directory.tenant().into();
        Ok(Self { _directory: directory, snapshot: ReadSnapshot { view, history, tenant, workers } })
    }
}

impl Reads {
    /// Reads the place that a command was given.
    pub(super) fn open(place: &Place, workers: usize) -> anyhow::Result<Self> {
        Ok(match place.access()? {
            Access::Data(root) => Self::Resting(Box::new(Resting::open(root, workers)?)),
            Access::Server(remote) => Self::Remote(remote),
        })
    }

    /// One account at its live instant, or the one it was merged into.
    pub(super) fn account(&self, account: &str) -> anyhow::Result<v1::Account> {
        match self {
            Self::Resting(resting) => {
                let unknown = || ApiError::AccountUnknown { account: account.to_owned() };
                Ok(accounts::live(&resting.snapshot.view, account).ok_or_else(unknown)?)
            }
            Self::Remote(remote) => {
                let request = v1::GetAccountRequest { account: account.to_owned(), ..Default::default() };
                let answer = remote.ask(remote.accounts().get_account(request))?;
                answer.account.context("the engine answered no account")
            }
        }
    }

    /// The adopted metrics of accounts at their live instants, in that order.
    pub(super) fn live_metrics(&self, accounts: &[String]) -> anyhow::Result<Vec<v1::MetricRow>> {
        let mut rows = Vec::with_capacity(accounts.len());
        for part in accounts.chunks(BATCH_ACCOUNTS_MAX) {
            match self {
                Self::Resting(resting) => {
                    rows.extend(metrics::live_rows(&resting.snapshot, Some(part.to_vec()))?);
                }
                Self::Remote(remote) => {
                    let request = v1::ScanMetricsRequest { accounts: part.to_vec(), ..Default::default() };
                    rows.extend(scan(remote, request)?);
                }
            }
        }
        Ok(rows)
    }

    /// The first accounts of a list, and how many there are.
    pub(super) fn list(
        &self,
        request: &v1::ListAccountsRequest,
        limit: usize,
    ) -> anyhow::Result<(Vec<v1::ListedAccount>, usize)> {
        let remote = match self {
            Self::Resting(resting) => {
                return Ok(accounts::list(&resting.snapshot.view, request, 0, limit)?);
            }
            Self::Remote(remote) => remote,
        };
        let mut total = 0;
        let listed = pages(limit, |page_size, page_token| {
            let request = v1::ListAccountsRequest { page_size, page_token, ..request.clone() };
            let page = remote.ask(remote.accounts().list_accounts(request))?;
            total = page.total as usize;
            Ok((page.accounts, page.next_page_token))
        })?;
        Ok((listed.items, total))
    }

    /// The newest events of an account that a filter lets through.
    pub(super) fn timeline(
        &self,
        request: &v1::GetTimelineRequest,
        limit: usize,
    ) -> anyhow::Result<Listed<v1::TimelineEntry>> {
        match self {
            Self::Resting(resting) => {
                let (items, total) = timeline::page(&resting.snapshot, request, 0, limit)?;
                Ok(Listed { is_cut: items.len() < total, items })
            }
            Self::Remote(remote) => pages(limit, |page_size, page_token| {
                let request = v1::GetTimelineRequest { page_size, page_token, ..request.clone() };
                let page = remote.ask(remote.accounts().get_timeline(request))?;
                Ok((page.entries, page.next_page_token))
            }),
        }
    }

    /// The names of the adopted metrics.
    pub(super) fn adopted_metrics(&self) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Resting(resting) => Ok(accounts::adopted_metrics(&resting.snapshot.view)),
            Self::Remote(remote) => Ok(info(remote)?.metrics),
        }
    }

    /// The calendar of the reporting zone.
    pub(super) fn calendar(&self) -> anyhow::Result<Calendar> {
        match self {
            Self::Resting(resting) => Ok(resting.snapshot.view.plan.calendar.clone()),
            Self::Remote(remote) => Ok(Calendar::new(&info(remote)?.zone)?),
        }
    }
}

fn info(remote: &Remote) -> anyhow::Result<v1::GetServerInfoResponse> {
    remote.ask(remote.server().get_server_info(v1::GetServerInfoRequest {}))
}

/// The rows of a scan, once all of them have come.
pub(super) fn scan(remote: &Remote, request: v1::ScanMetricsRequest) -> anyhow::Result<Vec<v1::MetricRow>> {
    let mut rows = Vec::new();
    remote.each(remote.metrics().scan_metrics(request), |message| {
        rows.extend(message.row);
        Ok(())
    })?;
    Ok(rows)
}

/// Asks for pages, by size and token, until there are `limit` items or no more.
pub(super) fn pages<T>(
    limit: usize,
    mut ask: impl FnMut(i32, String) -> anyhow::Result<(Vec<T>, String)>,
) -> anyhow::Result<Listed<T>> {
    let (mut items, mut token) = (Vec::new(), String::new());
    while items.len() < limit {
        let size = (limit - items.len()).min(PAGE_SIZE_MAX);
        let (page, next) = ask(i32::try_from(size).expect("a page is small"), token)?;
        items.extend(page);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    Ok(Listed { items, is_cut: !token.is_empty() })
}
