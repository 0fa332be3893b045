//! Folds accounts from the log, where memory is not exact: from their own events, or from the whole log.

use std::sync::Arc;

use tidewatch_projections::event::Micros;
use tidewatch_projections::model::Model;
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::{Bounds, Plan};

use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::fold::worker::{FoldContext, Worker};
use crate::read::scan::{self, AsOf, ScanError};
use crate::read::snapshot::ReadSnapshot;
use crate::storage::log::Entry;

/// Accounts with fewer than one in so many of all events are folded from their own; more of them are folded from the whole
/// log, on several threads.
const FEW_OF: u64 = 8;

/// The view of `accounts`, and of those that answer with them, from the events before `as_of` alone; without bounds.
///
/// # Errors
/// Whatever the log says.
pub fn accounts_at(
    history: &History,
    view: &View,
    accounts: &[Symbol],
    as_of: Micros,
) -> Result<View, HistoryError> {
    of_own_events(history, view, &view.plan.model, accounts, &[as_of], as_of)
}

/// Some accounts, or all, folded from the log under a model, without bounds and cut at some instants; and the accounts asked
/// for, in that order. State is exact at those instants and at ends of days.
///
/// # Errors
/// Whatever the log says.
pub fn folded(
    snapshot: &ReadSnapshot,
    model: &Model,
    accounts: Option<&[String]>,
    instants: &[AsOf],
) -> Result<(View, Option<Vec<Symbol>>), ScanError> {
    let ReadSnapshot { view, history, workers, .. } = snapshot;
    if let Some(accounts) = accounts.filter(|_| view.is_folded()) {
        let asked: Vec<Symbol> = accounts.iter().map(|account| view.names.intern(account)).collect();
        let own = view.tenant.merges.connected(&asked);
        let own = own.into_iter().filter_map(|account| view.account(account));
        let events: u64 = own.map(|account| account.events).sum();
        if events.saturating_mul(FEW_OF) <= view.tenant.events {
            let cuts = instants.iter().filter_map(|as_of| as_of.instant(&view.plan.calendar, None));
            let cuts: Vec<Micros> = cuts.collect();
            return Ok((of_own_events(history, view, model, &asked, &cuts, Micros::MAX)?, Some(asked)));
        }
    }
    scan::folded(history, model, accounts, instants, *workers)
}

/// The view of some accounts, and of those that answer with them at any instant, folded from their events before one of them. What
/// crosses accounts is that of the view: settings, merges, feed and closed days are those of the whole log, and under them no
/// control entry changes an account.
///
/// # Errors
/// Whatever the log says.
pub fn of_own_events(
    history: &History,
    view: &View,
    model: &Model,
    accounts: &[Symbol],
    cuts: &[Micros],
    before: Micros,
) -> Result<View, HistoryError> {
    let only = view.tenant.merges.connected(accounts);
    let calendar = view.plan.calendar.clone();
    let plan = Arc::new(Plan::compile(model.clone(), &view.names, calendar, Bounds::NONE, cuts)?);
    let context = FoldContext {
        names: Arc::clone(&view.names),
        plan: Arc::clone(&plan),
        watch: None,
        control_state: Arc::clone(&view.control_state),
        only: Some(only.as_slice().into()),
    };
    let mut worker = Worker::new(0, 1, context);
    history.events_of(&only, |excerpt| {
        let events = excerpt.events.into_iter().filter(|(_, event)| event.occurred_at < before);
        let entries: Vec<_> = events.map(|(seq, event)| (seq, Entry::Event(event))).collect();
        worker.apply(&entries);
        Ok::<(), HistoryError>(())
    })?;
    Ok(View { plan, parts: vec![worker.part()], ..view.clone() })
}
