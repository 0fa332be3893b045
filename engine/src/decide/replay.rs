//! Replays rules over the past, as if they had been live since the first event (alerts §7): events as known now, every day
//! closed at its end and the close delay, nothing `found` but on the first day.

use std::sync::Arc;

use tidewatch_projections::alert::book::AlertBook;
use tidewatch_projections::alert::close::{Close, Telling, Tellings};
use tidewatch_projections::alert::judge::{NoScores, Scores};
use tidewatch_projections::alert::record::Transition;
use tidewatch_projections::alert::watch::{Source, Watch};
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;
use tidewatch_projections::model::Model;
use tidewatch_projections::plan::Bounds;
use tidewatch_projections::rules::Rules;

use super::close::Closer;
use super::scores::{ScoreTable, look_back_days};
use crate::fold::compile::Compiled;
use crate::fold::history::{History, HistoryError};
use crate::fold::view::View;
use crate::fold::worker::FoldContext;
use crate::position::Position;
use crate::read::scan::{ScanError, standing_accounts};

/// What is replayed.
pub struct Replay {
    pub rules: Arc<Rules>,
    /// The model that rules about metrics, scores and bands look at.
    pub model: Model,
    /// The first day that is told.
    pub from: Day,
    /// The last one.
    pub to: Day,
}

/// A transition of the past, and when it would have been decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Replayed {
    /// The instant at which the clock would have closed the day.
    pub at: Micros,
    pub transition: Transition,
}

/// What a replay comes to.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Replays {
    /// The transitions that are told, by instant, then account.
    pub transitions: Vec<Replayed>,
    /// Accounts that the detector judged on the last day.
    pub accounts: usize,
    /// Rules that name a metric the model lacks: they were not evaluated.
    pub without_metric: Vec<String>,
}

/// Runs the rules over the whole log.
///
/// # Errors
/// Whatever the log says; once the history is cancelled.
pub fn replay(history: &History, replay: &Replay, workers: usize) -> Result<Replays, ScanError> {
    let summary = history.summary()?;
    let names = Arc::clone(history.names());
    let calendar = summary.control_state.calendar().map_err(HistoryError::from)?;
    let compiled = Compiled::new(replay.model.clone(), Some(&replay.rules), &names, calendar, Bounds::NONE);
    let Compiled { plan, watch } = compiled.map_err(HistoryError::from)?;
    let watch = watch.expect("it was compiled with rules");
    let close_delay_us = summary.control_state.settings.close_delay_us;
    let context = FoldContext {
        names: Arc::clone(&names),
        plan,
        watch: None,
        control_state: Arc::new(summary.control_state),
        only: None,
    };
    let fold = history.fold(workers, context)?;
    let view = fold.settle(Position { shard: 0, lineage: 0, seq: summary.last_seq });
    drop(fold);
    let mut replays = Replays { without_metric: without_metric(&watch), ..Replays::default() };
    let Some(first_at) = view.tenant.oldest_at else { return Ok(replays) };
    let first = view.plan.calendar.day(first_at);
    let scores = scores(&view, &watch, (first, replay.to), workers, history)?;
    let closer = Closer {
        view: &view,
        watch: &watch,
        scores: &*scores,
        workers,
        cancellation: history.cancellation(),
    };
    let mut book = AlertBook::default();
    let mut day = first;
    while day <= replay.to {
        let accounts = closer.accounts(day);
        for factors in closer.factors(&book, day, &accounts)? {
            book.adopt_factors(&factors);
        }
        let telling = if day == first { Telling::Found("first_day") } else { Telling::Told };
        let Close { decided, .. } =
            closer.decide(&book, day, &accounts, (telling, |_| Tellings::all(telling)))?;
        book.apply(&names, &decided, 0, false);
        book.decided_through = Some(day);
        if replay.from <= day {
            let at = view.plan.calendar.end(day).saturating_add(close_delay_us);
            replays
                .transitions
                .extend(decided.transitions.into_iter().map(|transition| Replayed { at, transition }));
        }
        replays.accounts = accounts.len();
        day = day.plus(1);
    }
    Ok(replays)
}

fn without_metric(watch: &Watch) -> Vec<String> {
    let rules = watch.rules.rules.iter().enumerate();
    let lacking = rules.filter(|(place, _)| matches!(watch.source(*place), Source::NoMetric(_)));
    lacking.map(|(_, rule)| rule.name.clone()).collect()
}

/// The scores of all days, where a rule looks at any.
fn scores(
    view: &View,
    watch: &Watch,
    (from, to): (Day, Day),
    workers: usize,
    history: &History,
) -> Result<Box<dyn Scores>, ScanError> {
    if from > to || look_back_days(watch).is_none() || view.plan.model.scoring.is_err() {
        return Ok(Box::new(NoScores));
    }
    let accounts = standing_accounts(view, view.plan.calendar.end(to));
    let table = ScoreTable::compute(view, &accounts, (from, to), workers, history.cancellation())?;
    Ok(Box::new(table))
}
