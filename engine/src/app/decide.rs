//! Decides alerts when the clock closes a day, on a thread beside the fold: looks at the newest view, and has what it decides
//! logged like any command.

use std::thread;
use std::time::Duration;

use tidewatch_projections::alert::judge::{NoScores, Scores};
use tidewatch_projections::alert::record::AlertState;
use tidewatch_projections::calendar::Day;
use tidewatch_projections::event::Micros;

use super::{EngineError, Shared};
use crate::clock::monotonic;
use crate::control::entry::CaseChange;
use crate::decide::live::{Decision, TELLS, decide, next_day};
use crate::decide::scores::ScoreWindow;
use crate::fold::view::{Published, View};
use crate::meters::{ALERTS_BY_STATE, DAYS_DECIDED, DECIDE_TIME, TRANSITIONS};
use crate::write::sequencer::Command;

/// How soon a closed day, and the end of the shard, are noticed.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What the thread remembers between two looks.
#[derive(Default)]
struct Decider {
    scores: ScoreWindow,
    /// The position of the newest view that was looked at, and what time it was there.
    seen: Option<(u64, Option<Micros>)>,
    /// The newest day that was decided here: a view may not show that yet.
    decided: Option<Day>,
}

/// Decides until the shard shuts down.
pub(super) fn decide_days(shared: &Shared, published: &Published, workers: usize) -> Result<(), String> {
    let mut decider = Decider::default();
    if published.load().watch.as_ref().is_some_and(|watch| !watch.rules.routes.is_empty()) {
        tracing::warn!("the rules name routes, and this version delivers nothing: see `tidewatch cases`");
    }
    while shared.stopping.check().is_ok() {
        match decider.look(shared, &published.load(), workers) {
            Ok(()) => thread::sleep(LOOK_EVERY),
            Err(EngineError::ShuttingDown) => return Ok(()),
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(())
}

impl Decider {
    fn look(&mut self, shared: &Shared, view: &View, workers: usize) -> Result<(), EngineError> {
        let now = view.control_state.now();
        let seen = self.seen.replace((view.position.seq, now));
        if seen.is_some_and(|(seq, _)| seq == view.position.seq) {
            return Ok(());
        }
        if seen.is_none_or(|(_, before)| before != now) {
            wake(shared, view)?;
        }
        match next_day(view, &view.control_state.alerts) {
            Some(day) if self.decided != Some(day) => self.decide(shared, view, day, workers),
            _ => Ok(()),
        }
    }

    fn decide(&mut self, shared: &Shared, view: &View, day: Day, workers: usize) -> Result<(), EngineError> {
        let Some(watch) = &view.watch else { return Ok(()) };
        let began = monotonic();
        let scored = self.scores.bring_up_to(view, watch, day, workers, &shared.stopping);
        let Ok(has_scores) = scored else { return Ok(()) };
        let scores: &dyn Scores = if has_scores { &self.scores } else { &NoScores };
        let decision = decide(view, watch, scores, day, workers, &shared.stopping);
        let Ok(Decision { mut factors, parts }) = decision else { return Ok(()) };
        shared.meters.histogram(&DECIDE_TIME, &[]).record(began.elapsed().as_secs_f64());
        for part in parts {
            for transition in &part.decided.transitions {
                let labels = [&*transition.name, transition.change.name()];
                shared.meters.counter(&TRANSITIONS, &labels).increment(1);
            }
            let factors = std::mem::take(&mut factors);
            shared.carry_out(Command::Decide { factors, part: Box::new(part) }, None)?;
        }
        self.decided = Some(day);
        shared.meters.counter(&DAYS_DECIDED, &[]).increment(1);
        tracing::info!(day = day.to_text(), "the day is decided");
        tell_states(shared, view);
        Ok(())
    }
}

/// Ends the snoozes whose time is over.
fn wake(shared: &Shared, view: &View) -> Result<(), EngineError> {
    let now = view.control_state.now().unwrap_or(Micros::MIN);
    for (account, record) in view.control_state.alerts.accounts() {
        let until = record.case.as_ref().and_then(|case| case.snoozed_until);
        if until.is_some_and(|until| until <= now) {
            let (account, author) = (view.names.text(account).into(), "".into());
            let change = CaseChange { account, author, at: now, tells: TELLS, action: None };
            shared.carry_out(Command::ChangeCase(change), None)?;
        }
    }
    Ok(())
}

/// Sets how many alerts there are in each state.
fn tell_states(shared: &Shared, view: &View) {
    let mut counts = [0_u64; AlertState::ALL.len()];
    for (_, record) in view.control_state.alerts.accounts() {
        for alert in record.alerts.all() {
            counts[alert.state as usize] += 1;
        }
    }
    for (state, count) in AlertState::ALL.into_iter().zip(counts) {
        shared.meters.gauge(&ALERTS_BY_STATE, &[state.name()]).set(count as f64);
    }
}
