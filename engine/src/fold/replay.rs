//! Pairs the step of the fold with whoever carries out its directives.

use std::sync::Arc;

use super::step::{Directive, Entries, Step, StepError};
use super::view::{Part, View};
use super::worker::{FoldContext, Worker};
use crate::control::state::ControlState;
use crate::position::Position;

/// Carries the directives of a step out: threads, the caller's own thread, or the simulation in an order that it draws.
pub trait Executor {
    /// Folds the events among these entries.
    fn apply(&mut self, entries: &Entries);

    /// Reads what follows under these settings.
    fn take_control_state(&mut self, state: &Arc<ControlState>);
}

impl Executor for Worker {
    fn apply(&mut self, entries: &Entries) {
        Worker::apply(self, entries);
    }

    fn take_control_state(&mut self, state: &Arc<ControlState>) {
        Worker::take_control_state(self, Arc::clone(state));
    }
}

/// What a frame did to a fold.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Taken {
    /// Its events were folded in.
    Events,
    /// So were its control entries: readers wait for what they change.
    Control,
    /// Something was adopted that it cannot show: the log is to be folded anew under [`Step::adopted`], beside it.
    Refold,
}

/// A step and who carries it out.
pub struct Fold<E> {
    step: Step,
    executor: E,
    directives: Vec<Directive>,
}

impl<E: Executor> Fold<E> {
    /// A fold before the first entry.
    pub fn new(context: FoldContext, executor: E) -> Self {
        Self { step: Step::new(context), executor, directives: Vec::new() }
    }

    /// The state that is no account's own.
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// Who folds the accounts.
    pub fn executor(&self) -> &E {
        &self.executor
    }

    /// Who folds the accounts.
    pub fn executor_mut(&mut self) -> &mut E {
        &mut self.executor
    }

    /// What readers see at `position` when the accounts are these.
    pub fn view_of(&self, position: Position, parts: Vec<Part>) -> View {
        let FoldContext { names, plan, watch, control_state, .. } = self.step.context().clone();
        let (tenant, closed_through) = (Arc::clone(self.step.tenant()), self.step.closed_through());
        let intake = Arc::clone(self.step.intake());
        View { position, names, control_state, plan, watch, tenant, intake, closed_through, parts }
    }

    /// Takes the next frame.
    ///
    /// # Errors
    /// [`StepError`] for a control entry that this version cannot read.
    pub fn take(&mut self, entries: &Entries) -> Result<Taken, StepError> {
        self.step.step(entries, &mut self.directives)?;
        let mut taken = Taken::Events;
        for directive in self.directives.drain(..) {
            match directive {
                Directive::Apply(entries) => self.executor.apply(&entries),
                Directive::TakeControlState(state) => {
                    self.executor.take_control_state(&state);
                    taken = taken.max(Taken::Control);
                }
                Directive::CloseDays { .. } => taken = taken.max(Taken::Control),
                Directive::Refold => taken = Taken::Refold,
            }
        }
        Ok(taken)
    }
}
