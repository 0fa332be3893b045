//! Watches the health of accounts: sends what changed since a position, conflated, for as long as the client listens.
//!
//! Nothing is remembered of a client: a token is a position, and each cell knows the sequence at which the health, the status
//! or a fact of its account changed last. After a restart every cell counts as changed, so a client that resumes gets all of them once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidewatch_projections::health::health;
use tidewatch_projections::names::Symbol;
use tidewatch_proto::v1;
use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tonic::Status;
use v1::watch_health_response::Message;

use super::api_error::ApiError;
use super::filter::Filter;
use super::health::{Naming, model_version};
use super::health_list::HealthColumn;
use super::paging::over_all;
use super::reader::Reader;
use super::rows::give;
use super::{convert, monotonic};
use crate::cancellation::Cancellation;
use crate::fold::view::View;
use crate::read::account;
use crate::read::cells::{Cells, Place};

/// A client hears something at least this often.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// How soon a stop of the engine is noticed.
const STOP_LOOK_EVERY: Duration = Duration::from_millis(500);
/// Changes are gathered for this long: of several of one account the newest is sent.
const GATHER: Duration = Duration::from_millis(200);

/// What goes to the client.
pub type Sender = mpsc::Sender<Result<v1::WatchHealthResponse, Status>>;

/// Sends what changes after a sequence until the client goes, the deadline passes or the engine stops.
///
/// # Errors
/// For a filter that the view does not know; when the client takes nothing for [`super::paging::SLOWNESS_MAX`]; at the deadline.
pub async fn watch(
    reader: &Reader,
    filter: &str,
    mut sent_seq: Option<u64>,
    deadline: Option<Instant>,
    stop: &AtomicBool,
    to: &Sender,
) -> Result<(), ApiError> {
    let mut published = reader.watch()?;
    let mut beat_at = monotonic();
    // A client that has gone is noticed where changes are waited for.
    let tell = |message| give(v1::WatchHealthResponse { message: Some(message) }, to, deadline);
    while !stop.load(Ordering::Relaxed) {
        let view = reader.newest()?;
        if sent_seq.is_none_or(|seq| seq < view.position.seq) {
            let (store, shown, filter) =
                (Arc::clone(reader.engine().cells()), Arc::clone(&view), filter.to_owned());
            let changes = over_all(deadline, move |cancellation| {
                let cells = store.at(&shown, cancellation)?;
                changes(&cells, &filter, sent_seq, cancellation)
            });
            let version = model_version(&view.plan.model, &view.control_state.settings);
            for change in changes.await? {
                if let Some(message) = message(&view, &version, change) {
                    tell(message).await?;
                }
            }
            sent_seq = Some(view.position.seq);
            beat_at = monotonic();
        }
        if beat_at <= monotonic() {
            let heartbeat = v1::WatchHeartbeat {
                token: convert::position(view.position).token,
                freshness: Some(convert::freshness(&view, reader.engine())),
            };
            tell(Message::Heartbeat(heartbeat)).await?;
            beat_at = monotonic() + HEARTBEAT_EVERY;
        }
        let until = beat_at.min(monotonic() + STOP_LOOK_EVERY);
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        tokio::select! {
            () = to.closed() => return Ok(()),
            changed = timeout_at(until.into(), published.changed()) => match changed {
                Ok(Ok(())) => tokio::time::sleep(GATHER).await,
                // The engine has ended.
                Ok(Err(_)) => return Ok(()),
                Err(_elapsed) if deadline.is_some_and(|deadline| deadline <= monotonic()) => {
                    return Err(ApiError::DeadlinePassed);
                }
                Err(_elapsed) => {}
            },
        }
    }
    Ok(())
}

/// What a client is to be told of one account.
enum Change {
    /// What its health shows changed.
    Changed(Symbol),
    /// It is not in the list.
    Left(Symbol),
}

/// The accounts whose cells changed after a sequence; all of them where there is none.
fn changes(
    cells: &Cells,
    filter: &str,
    after: Option<u64>,
    cancellation: &Cancellation,
) -> Result<Vec<Change>, ApiError> {
    let view = cells.view.as_ref();
    let plan = view.plan.as_ref();
    let resolve = |path: &[String]| HealthColumn::resolve(plan, path);
    let filter = Filter::parse(filter, &resolve).map_err(ApiError::InvalidFilter)?;
    let mut changes = Vec::new();
    for (account, place) in cells.all() {
        cancellation.check()?;
        match place {
            Place::Cell(cell, changed_seq) if after.is_none_or(|after| after < changed_seq) => {
                let Some(account_at) = account::led_by(view, account) else { continue };
                if filter.matches(&mut |column| column.operand(view, &cell, &account_at)) {
                    changes.push(Change::Changed(account_at.survivor));
                } else if after.is_some() {
                    changes.push(Change::Left(account_at.survivor));
                }
            }
            Place::Merged if after.is_some() => changes.push(Change::Left(account.id)),
            Place::Cell(..) | Place::Merged | Place::Inexact(_) => {}
        }
    }
    Ok(changes)
}

/// The message about an account; made one by one, so that a long list is never there as a whole.
fn message(view: &View, version: &v1::ModelVersion, change: Change) -> Option<Message> {
    match change {
        Change::Left(account) => Some(Message::Left(view.names.text(account).to_owned())),
        Change::Changed(account) => {
            let account_at = account::live(view, account)?;
            let naming = Naming { names: &view.names, model: &view.plan.model, version };
            let listed = naming.listed(view, &account_at, &health(&account_at).ok()?);
            Some(Message::Changed(Box::new(listed)))
        }
    }
}
