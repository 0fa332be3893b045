//! Reads the events of an account from the log, newest first.

use std::sync::Arc;

use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::timeline::Order;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::columns::EventColumn;
use super::convert;
use super::filter::Filter;
use super::paging::{Asked, instant};
use super::reader::Reader;
use crate::cancellation::Cancellation;
use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::read::account;
use crate::read::newest_events::{Accepted, NewestEvents};
use crate::read::snapshot::ReadSnapshot;

/// Events beyond the page that are kept while reading, before the oldest are let go.
const SLACK_EVENTS: usize = 4_096;

/// Answers a page.
///
/// # Errors
/// For an unknown account, a filter or token that is not understood, or whatever the log says.
pub fn answer(
    reader: &Reader,
    view: &Arc<View>,
    request: &v1::GetTimelineRequest,
    cancellation: &Cancellation,
) -> Result<v1::GetTimelineResponse, ApiError> {
    let asked = Asked::new(request, reader.caller().page_size_max(), view.position)?;
    let (size, position) = (asked.size, asked.position(view.position));
    let snapshot = reader.snapshot(view).cancelled_by(cancellation);
    let snapshot = ReadSnapshot { history: snapshot.history.until(position.seq), ..snapshot };
    let (entries, total) = page(&snapshot, request, asked.skipped(), size)?;
    let next_page_token = asked.next(position, entries.len(), total);
    let mut freshness = convert::freshness(view, reader.engine());
    freshness.position = Some(convert::position(position));
    Ok(v1::GetTimelineResponse { entries, next_page_token, freshness: Some(freshness) })
}

/// `size` events after the newest `skipped`, and how many are sought in all.
///
/// # Errors
/// For an unknown account, a filter that is not understood, or whatever the log says.
fn page(
    snapshot: &ReadSnapshot,
    request: &v1::GetTimelineRequest,
    skipped: usize,
    size: usize,
) -> Result<(Vec<v1::TimelineEntry>, usize), ApiError> {
    let view = snapshot.view.as_ref();
    let filter = Filter::parse(&request.filter, &EventColumn::resolve).map_err(ApiError::InvalidFilter)?;
    let as_of = instant(request.as_of.as_ref(), view)?.unwrap_or(Micros::MAX);
    let unknown = || ApiError::AccountUnknown { account: request.account.clone() };
    let account = view.names.find(&request.account).ok_or_else(unknown)?;
    account::at(view, account, as_of).ok_or_else(unknown)?;

    let sought = Sought { members: members(view, account, as_of), as_of, filter, names: &view.names };
    let (found, total) = read(&snapshot.history, view, &sought, skipped.saturating_add(size))?;
    let entry = |found: &Arc<Accepted>| convert::accepted(&view.names, &snapshot.tenant, found);
    Ok((found.iter().skip(skipped).map(entry).collect(), total))
}

fn members(view: &View, account: Symbol, as_of: Micros) -> Vec<Symbol> {
    let merges = &view.tenant.merges;
    merges.members(&view.names, merges.survivor(account, as_of), as_of)
}

struct Sought<'v> {
    members: Vec<Symbol>,
    as_of: Micros,
    filter: Filter<EventColumn>,
    names: &'v Names,
}

impl Sought<'_> {
    fn is_met_by(&self, event: &Event) -> bool {
        event.occurred_at < self.as_of
            && self.filter.matches(&mut |column: &EventColumn| column.operand(self.names, event))
    }
}

/// The newest `keep` events that are sought, and how many there are in all.
fn read(
    history: &History,
    view: &View,
    sought: &Sought<'_>,
    keep: usize,
) -> Result<(Vec<Arc<Accepted>>, usize), HistoryError> {
    let mut newest = NewestEvents::new(keep, SLACK_EVENTS);
    history.events_of(&sought.members, |excerpt| {
        for (seq, event) in excerpt.events {
            if view.control_state.counts(&event) && sought.is_met_by(&event) {
                let (order, recorded_at) = (Order::of(&event), excerpt.header.recorded_at);
                newest.offer(sought.names, &Arc::new(Accepted { order, seq, recorded_at, event }));
            }
        }
        Ok::<(), HistoryError>(())
    })?;
    let total = usize::try_from(newest.total).unwrap_or(usize::MAX);
    Ok((newest.newest_first(sought.names), total))
}
