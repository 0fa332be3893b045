//! The newest events behind some metrics of one account, from one reading of its events.

use std::sync::Arc;

use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::event::Micros;
use tidewatch_projections::health::{Health, judged_at};
use tidewatch_projections::metric::evidence::Evidence;
use tidewatch_projections::model::Model;
use tidewatch_projections::timeline::Order;

use crate::fold::history::HistoryError;
use crate::fold::view::View;
use crate::read::newest_events::{Accepted, NewestEvents};
use crate::read::past;
use crate::read::snapshot::ReadSnapshot;

/// Events of one metric beyond those asked for that are kept while reading.
const SLACK_EVENTS: usize = 256;

/// What stands behind one metric.
pub struct Behind {
    /// What was looked for.
    pub evidence: Evidence,
    /// How many events there are.
    pub total: u64,
    /// The newest of them, newest first.
    pub events: Vec<Arc<Accepted>>,
}

/// The newest `keep` events behind each of some metrics of a model, in their order, at the instant whose figures a health has,
/// of those that happened at `since` or after it. The account is read through the index of accounts, once for all metrics.
///
/// # Errors
/// Whatever the log says.
pub fn behind(
    snapshot: &ReadSnapshot,
    model: &Model,
    health: &Health,
    metrics: &[usize],
    since: Micros,
    keep: usize,
) -> Result<Vec<Behind>, HistoryError> {
    let ReadSnapshot { view, history, .. } = snapshot;
    let accounts = [health.account];
    let unbounded: View;
    let mut judged = judged_at(&AccountAt::new(view.context(), health.account, health.as_of));
    if judged.is_err() {
        unbounded = past::accounts_at(history, view, &accounts, health.as_of)?;
        judged = judged_at(&AccountAt::new(unbounded.context(), health.account, health.as_of));
    }
    let Ok(Some(account_at)) = judged else { return Ok(Vec::new()) };
    let merges = &view.tenant.merges;
    let members = merges.members(&view.names, account_at.survivor, account_at.as_of);
    let sought: Vec<Evidence> =
        metrics.iter().map(|metric| Evidence::of(model, *metric, &account_at).since(since)).collect();
    let mut newest: Vec<NewestEvents> =
        sought.iter().map(|_| NewestEvents::new(keep, SLACK_EVENTS)).collect();
    if !sought.iter().all(Evidence::is_of_no_event) {
        history.events_of(&members, |excerpt| {
            for (seq, event) in excerpt.events {
                let met = sought.iter().zip(&mut newest);
                let met: Vec<&mut NewestEvents> = met
                    .filter(|(sought, _)| sought.has(&view.names, &event))
                    .map(|(_, newest)| newest)
                    .collect();
                if met.is_empty() || !view.control_state.counts(&event) {
                    continue;
                }
                let (order, recorded_at) = (Order::of(&event), excerpt.header.recorded_at);
                let accepted = Arc::new(Accepted { order, seq, recorded_at, event });
                met.into_iter().for_each(|newest| newest.offer(&view.names, &accepted));
            }
            Ok::<(), HistoryError>(())
        })?;
    }
    let behind = |(evidence, newest): (Evidence, NewestEvents)| Behind {
        evidence,
        total: newest.total,
        events: newest.newest_first(&view.names),
    };
    Ok(sought.into_iter().zip(newest).map(behind).collect())
}
