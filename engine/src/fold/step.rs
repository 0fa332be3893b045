//! One step of the fold: takes the entries of a frame and puts out what workers must do.
//!
//! Sans-IO, and the only place that says what a frame means to those who fold: the running engine, an opening, a rebuild,
//! a read of the past and the simulation all step through it and differ in who carries the directives out.

use std::sync::Arc;

use tidewatch_projections::calendar::Day;
use tidewatch_projections::tenant::Tenant;

use super::day_close::DayClose;
use super::worker::FoldContext;
use crate::control::entry::{Control, ControlError};
use crate::control::state::{ControlState, Effect};
use crate::storage::log::Entry;

/// Entries of one frame, shared by the workers.
pub type Entries = Arc<Vec<(u64, Entry)>>;

/// What a frame asks of those who fold. Each is a barrier for the next: every worker carries them out in this order.
#[derive(Clone, Debug)]
pub enum Directive {
    /// Fold the events among these entries.
    Apply(Entries),
    /// Read what follows under these settings, which leave what was folded right.
    TakeControlState(Arc<ControlState>),
    /// The clock has closed these days, the last included: in order, each once.
    CloseDays {
        /// The first of them; nearly always the only one.
        first: Day,
        /// The last of them.
        last: Day,
    },
    /// What was folded is wrong under the new settings: fold the log anew up to this frame, beside the state that is served.
    Refold,
}

/// The state of the fold that is no account's own: under what it reads, what crosses accounts, and how far time has come.
pub struct Step {
    context: FoldContext,
    tenant: Arc<Tenant>,
    days: DayClose,
}

impl Step {
    /// Starts before the first entry. Facts depend on the last settings, so a log that is read back is read from its
    /// beginning under what all its control entries add up to: those that the context's control state holds already only
    /// move the clock when their turn comes.
    pub fn new(context: FoldContext) -> Self {
        Self { context, tenant: Arc::default(), days: DayClose::default() }
    }

    /// Under what entries are read.
    pub fn context(&self) -> &FoldContext {
        &self.context
    }

    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// The newest day that the clock has closed.
    pub fn closed_through(&self) -> Option<Day> {
        self.days.closed_through()
    }

    /// Takes the entries of the next frame.
    ///
    /// # Errors
    /// [`StepError`] for a control entry that this version cannot read.
    pub fn step(&mut self, entries: &Entries, out: &mut Vec<Directive>) -> Result<(), StepError> {
        out.push(Directive::Apply(Arc::clone(entries)));
        let tenant = Arc::make_mut(&mut self.tenant);
        let mut controls = Vec::new();
        for (seq, entry) in entries.iter() {
            match entry {
                Entry::Event(event) if self.context.control_state.counts(event) => {
                    tenant.observe(&self.context.names, event);
                }
                Entry::Control(record) => {
                    let control = Control::of_record(record);
                    controls.push((*seq, control.map_err(|source| StepError { seq: *seq, source })?));
                }
                Entry::Event(_) | Entry::DeadLetter(_) => {}
            }
        }
        for (seq, control) in controls {
            self.take_control(seq, &control, out);
        }
        Ok(())
    }

    fn take_control(&mut self, seq: u64, control: &Control, out: &mut Vec<Directive>) {
        if seq > self.context.control_state.seq {
            let state = Arc::make_mut(&mut self.context.control_state);
            match state.apply(&self.context.names, seq, control) {
                Effect::Refold => return out.push(Directive::Refold),
                Effect::None => {
                    out.push(Directive::TakeControlState(Arc::clone(&self.context.control_state)));
                }
            }
        }
        if let Some((first, last)) = self.days.take(control) {
            out.push(Directive::CloseDays { first, last });
        }
    }
}

/// A control entry that could not be stepped through.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry {seq}: {source}")]
pub struct StepError {
    pub seq: u64,
    /// What is wrong with it.
    pub source: ControlError,
}
