//! What commands read of accounts, in the types of the API.

use anyhow::Context as _;
use tidewatch_projections::calendar::Calendar;
use tidewatch_projections::event::Micros;
use tidewatch_proto::v1;

use super::client::{Client, Opening};
use super::place::Place;
use crate::serve::convert;
use crate::serve::paging::BATCH_ACCOUNTS_MAX;

/// Where accounts are read.
pub(super) struct Reads {
    client: Client,
}

/// A part of a list that is asked for page by page.
pub(super) struct Listed<T> {
    pub items: Vec<T>,
    /// There are more beyond the limit.
    pub is_cut: bool,
}

impl Reads {
    /// Reads the place that a command was given.
    pub(super) fn open(place: &Place, workers: usize) -> anyhow::Result<Self> {
        Ok(Self::of(place.client(Opening::Accounts(workers))?))
    }

    /// Reads what an engine answers.
    pub(super) fn of(client: Client) -> Self {
        Self { client }
    }

    /// The engine that answers.
    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends in order.
    pub(super) fn close(self) -> anyhow::Result<()> {
        self.client.close()
    }

    /// One account at its live instant, or the one it was merged into.
    pub(super) fn account(&self, account: &str) -> anyhow::Result<v1::Account> {
        let request = v1::GetAccountRequest { account: account.to_owned(), ..Default::default() };
        let answer = self.client.ask(self.client.accounts().get_account(request))?;
        answer.account.context("the engine answered no account")
    }

    /// The adopted metrics of accounts at their live instants, in that order.
    pub(super) fn live_metrics(&self, accounts: &[String]) -> anyhow::Result<Vec<v1::MetricRow>> {
        let mut rows = Vec::with_capacity(accounts.len());
        for part in accounts.chunks(BATCH_ACCOUNTS_MAX) {
            let request = v1::ScanMetricsRequest { accounts: part.to_vec(), ..Default::default() };
            rows.extend(scan(&self.client, request)?);
        }
        Ok(rows)
    }

    /// The accounts with the worst scores, and how many accounts there are.
    pub(super) fn by_score(&self, limit: usize) -> anyhow::Result<(Vec<v1::ListedHealth>, usize)> {
        let mut total = 0;
        let listed = pages(&self.client, limit, |page_size, page_token| {
            let request = v1::ListHealthRequest { page_size, page_token, ..Default::default() };
            let page = self.client.ask(self.client.health().list_health(request))?;
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
        pages(&self.client, limit, |page_size, page_token| {
            let request = v1::GetTimelineRequest { page_size, page_token, ..request.clone() };
            let page = self.client.ask(self.client.accounts().get_timeline(request))?;
            Ok((page.entries, page.next_page_token))
        })
    }

    /// The calendar of the reporting zone.
    pub(super) fn calendar(&self) -> anyhow::Result<Calendar> {
        Ok(Calendar::new(&self.info()?.zone)?)
    }

    /// The instant just after the newest event, as `last` names it.
    pub(super) fn last_instant(&self) -> anyhow::Result<Micros> {
        let newest = self.info()?.freshness.and_then(|freshness| freshness.newest_event);
        let newest = newest
            .as_ref()
            .and_then(convert::micros)
            .context("nothing has happened yet: there is no event")?;
        Ok(newest + 1)
    }

    fn info(&self) -> anyhow::Result<v1::GetServerInfoResponse> {
        self.client.ask(self.client.server().get_server_info(v1::GetServerInfoRequest {}))
    }
}

/// The rows of a scan, once all of them have come.
pub(super) fn scan(client: &Client, request: v1::ScanMetricsRequest) -> anyhow::Result<Vec<v1::MetricRow>> {
    let mut rows = Vec::new();
    client.each(client.metrics().scan_metrics(request), |message| {
        rows.extend(message.row);
        Ok(())
    })?;
    Ok(rows)
}

/// Asks for pages, by size and token, until there are `limit` items or no more.
pub(super) fn pages<T>(
    client: &Client,
    limit: usize,
    mut ask: impl FnMut(i32, String) -> anyhow::Result<(Vec<T>, String)>,
) -> anyhow::Result<Listed<T>> {
    let (mut items, mut token) = (Vec::new(), String::new());
    while items.len() < limit {
        let size = (limit - items.len()).min(client.caller().page_size_max());
        let (page, next) = ask(i32::try_from(size).expect("a page is small"), token)?;
        items.extend(page);
        token = next;
        if token.is_empty() {
            break;
        }
    }
    Ok(Listed { items, is_cut: !token.is_empty() })
}
