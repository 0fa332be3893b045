//! Rebuilds accounts as of a past instant from the log, where memory is not exact.

use std::sync::Arc;

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Symbol;
use tidewatch_projections::plan::{Bounds, Plan};

use crate::fold::history::{History, HistoryError};
use crate::fold::replay::Fold;
use crate::fold::step::Entries;
use crate::fold::view::View;
use crate::fold::worker::{FoldContext, Worker};
use crate::storage::log::Entry;

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
    let merges = &view.tenant.merges;
    let mut only: Vec<Symbol> = accounts
        .iter()
        .flat_map(|account| merges.members(&view.names, merges.survivor(*account, as_of), as_of))
        .collect();
    only.sort_unstable();
    only.dedup();
    let calendar = view.plan.calendar.clone();
    let plan = Plan::compile(view.plan.model.clone(), &view.names, calendar, Bounds::NONE, &[as_of])?;
    let plan = Arc::new(plan);
    let context = FoldContext {
        names: Arc::clone(&view.names),
        plan: Arc::clone(&plan),
        control_state: Arc::clone(&view.control_state),
        only: Some(only.into()),
    };
    let mut fold = Fold::new(context.clone(), Worker::new(0, 1, context));
    history.frames(|mut frame| {
        frame
            .entries
            .retain(|(_, entry)| !matches!(entry, Entry::Event(event) if event.occurred_at >= as_of));
        fold.take(&Entries::new(frame.entries))?;
        Ok::<(), HistoryError>(())
    })?;
    Ok(View { plan, parts: vec![fold.executor().part()], ..view.clone() })
}
