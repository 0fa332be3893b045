//! One step of the fold: takes the entries of a frame and puts out what workers must do.
//!
//! Sans-IO, and the only place that says what a frame means to those who fold: the running engine, an opening, a rebuild,
//! a read of the past and the simulation all step through it and differ in who carries the directives out.

use std::sync::Arc;

use tidewatch_projections::calendar::Day;
use tidewatch_projections::model::Model;
use tidewatch_projections::tenant::Tenant;

use super::compile::{Compiled, adopted_rules};
use super::day_close::DayClose;
use super::intake::Intake;
use super::worker::FoldContext;
use crate::control::entry::{Control, ControlError};
use crate::control::state::{ControlState, Effect};
use crate::storage::log::{ControlRecord, Entry};

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
    /// What was folded would be wrong under what was adopted: fold the log anew under [`Step::adopted`], beside this fold,
    /// which goes on under what was in force before.
    Refold,
}

/// The state of the fold that is no account's own: under what it reads, what crosses accounts, and how far time has come.
pub struct Step {
    context: FoldContext,
    /// What all control entries add up to, while some of them wait for another fold.
    adopted: Option<Arc<ControlState>>,
    tenant: Arc<Tenant>,
    intake: Arc<Intake>,
    days: DayClose,
}

impl Step {
    /// Starts before the first entry. Facts depend on the last settings, so a log that is read back is read from its
    /// beginning under what all its control entries add up to: those that the context's control state holds already only
    /// move the clock when their turn comes.
    pub fn new(context: FoldContext) -> Self {
        Self {
            context,
            adopted: None,
            tenant: Arc::default(),
            intake: Arc::default(),
            days: DayClose::default(),
        }
    }

    /// Under what entries are read.
    pub fn context(&self) -> &FoldContext {
        &self.context
    }

    /// What all control entries add up to. It differs from what entries are read under while an adoption or a reset waits for
    /// another fold.
    pub fn adopted(&self) -> &Arc<ControlState> {
        self.adopted.as_ref().unwrap_or(&self.context.control_state)
    }

    pub fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    /// How events came since the newest decision.
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
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
        let clock_at = self.context.control_state.clock_at;
        let mut controls = Vec::new();
        for (seq, entry) in entries.iter() {
            match entry {
                Entry::Event(event) if self.context.control_state.counts(event) => {
                    tenant.observe(&self.context.names, event);
                    self.intake.observe(event, clock_at);
                }
                Entry::Control(record) => {
                    controls.push((*seq, control_of(*seq, record)?));
                }
                Entry::Event(_) | Entry::DeadLetter(_) => {}
            }
        }
        for (place, (seq, control)) in controls.iter().enumerate() {
            let next = controls.get(place + 1).map(|(_, next)| next);
            self.take_control(*seq, control, next, out);
        }
        Ok(())
    }

    fn take_control(
        &mut self,
        seq: u64,
        control: &Control,
        next: Option<&Control>,
        out: &mut Vec<Directive>,
    ) {
        if let Control::AlertsDecided(part) = control
            && part.is_last
        {
            Arc::make_mut(&mut self.intake).decided();
        }
        let known = &self.context.control_state;
        let waits = match seq > known.seq {
            false => known.waiting.contains(seq),
            true => self.take_new(seq, control, next, out),
        };
        if !waits && let Some((first, last)) = self.days.take(control) {
            out.push(Directive::CloseDays { first, last });
        }
    }

    /// Takes a control entry that this fold has not read under from the start; says whether it waits for another fold.
    fn take_new(
        &mut self,
        seq: u64,
        control: &Control,
        next: Option<&Control>,
        out: &mut Vec<Directive>,
    ) -> bool {
        let mut adopted = Arc::clone(self.adopted());
        let mut effect = Arc::make_mut(&mut adopted).apply(&self.context.names, seq, control);
        let is_first = self.adopted.is_none();
        if effect == Effect::Refold
            && is_first
            && let Some(compiled) = alike(&self.context, control)
        {
            (self.context.plan, self.context.watch) = (compiled.plan, compiled.watch);
            effect = Effect::None;
        }
        if is_first && self.is_first_of_two(control, next) {
            effect = Effect::Refold;
        }
        let state = &mut self.context.control_state;
        let waits = effect == Effect::Refold || !is_first && control.changes_meaning();
        match (waits, is_first) {
            (true, _) => Arc::make_mut(state).wait(seq, control),
            (false, true) => *state = Arc::clone(&adopted),
            (false, false) => {
                Arc::make_mut(state).apply(&self.context.names, seq, control);
            }
        }
        if waits || !is_first {
            self.adopted = Some(adopted);
        }
        out.push(Directive::TakeControlState(Arc::clone(state)));
        if effect == Effect::Refold {
            out.push(Directive::Refold);
        }
        waits
    }

    /// Whether these are settings adopted together with a model that needs another fold: they show when it does.
    fn is_first_of_two(&self, control: &Control, next: Option<&Control>) -> bool {
        match (control, next) {
            (Control::SettingsAdopted { .. }, Some(model @ Control::ModelAdopted { text })) => {
                **text != *self.adopted().model_text() && alike(&self.context, model).is_none()
            }
            _ => false,
        }
    }
}

/// The plan of a model, or of rules, that read the series which are kept already: it needs no other fold.
fn alike(context: &FoldContext, control: &Control) -> Option<Compiled> {
    let FoldContext { names, plan, watch, control_state, .. } = context;
    let (model, rules) = match control {
        Control::ModelAdopted { text } => {
            (Model::parse_adopted(text).ok()?, watch.as_ref().map(|watch| Arc::clone(&watch.rules)))
        }
        Control::RulesAdopted { text } => {
            (Model::parse_adopted(control_state.model_text()).ok()?, adopted_rules(text))
        }
        _ => return None,
    };
    let compiled = Compiled::new(model, rules.as_ref(), names, plan.calendar.clone(), plan.bounds).ok()?;
    plan.folds_alike(&compiled.plan).then_some(compiled)
}

/// Reads a control entry of the log.
pub(super) fn control_of(seq: u64, record: &ControlRecord) -> Result<Control, StepError> {
    Control::of_record(record).map_err(|source| StepError { seq, source })
}

/// A control entry that could not be stepped through.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("entry {seq}: {source}")]
pub struct StepError {
    pub seq: u64,
    /// What is wrong with it.
    pub source: ControlError,
}

#[cfg(test)]
mod tests {
    use tidewatch_projections::calendar::Calendar;
    use tidewatch_projections::names::Names;
    use tidewatch_projections::plan::{Bounds, Plan};
    use tidewatch_projections::settings::{ClosedDays, Scope, Settings};

    use super::*;

    const USES: &str = "[metrics]\nuses = { agg = 'count', filter = { type = 'usage' } }\n";

    /// A fold under a model that was adopted at sequence 1.
    fn step() -> Step {
        let names = Arc::new(Names::new());
        let mut control_state = ControlState::default();
        control_state.apply(&names, 1, &Control::ModelAdopted { text: USES.into() });
        let model = Model::parse(USES).unwrap();
        let plan = Plan::compile(model, &names, Calendar::utc(), Bounds::LIVE, &[]).unwrap();
        Step::new(FoldContext {
            names,
            plan: Arc::new(plan),
            watch: None,
            control_state: Arc::new(control_state),
            only: None,
        })
    }

    fn entry(seq: u64, control: &Control) -> (u64, Entry) {
        let mut payload = Vec::new();
        control.encode(None, &mut payload);
        (seq, Entry::Control(ControlRecord { kind: control.kind(), payload: payload.into() }))
    }

    /// Takes control entries from sequence 2 on, each in its frame; says after which of them another fold is asked for.
    fn refolds(step: &mut Step, controls: &[Control]) -> Vec<u64> {
        let mut asked = Vec::new();
        for (seq, control) in (2..).zip(controls) {
            let mut directives = Vec::new();
            step.step(&Arc::new(vec![entry(seq, control)]), &mut directives).unwrap();
            asked.extend(directives.iter().any(|it| matches!(it, Directive::Refold)).then_some(seq));
        }
        asked
    }

    fn model(text: &str) -> Control {
        Control::ModelAdopted { text: text.into() }
    }

    fn settings(zone: &str, closed: i32) -> Control {
        let closed_days =
            (0..closed).map(|day| ClosedDays { scope: Scope::All, from: Day(day), to: Day(day) });
        let closed_days = closed_days.collect();
        ControlState::adoption_of(Settings { zone: zone.into(), closed_days, ..Settings::default() })
    }

    #[test]
    fn what_is_adopted_after_a_change_that_waits_waits_too_and_nothing_else() {
        const HOUR: i64 = 3_600_000_000;
        let clock = |at| Control::ClockAdvanced { at };
        let opened = |source: &str| Control::SourceOpened {
            source: source.into(),
            mapping_digest: "".into(),
            streams: false,
        };
        let controls = [
            settings("UTC", 1),
            clock(240 * HOUR + 3 * HOUR),
            settings("Asia/Tokyo", 1),
            opened("app"),
            settings("Asia/Tokyo", 2),
            // Past the end of the day there, not past the one here.
            clock(258 * HOUR),
        ];
        let mut live = step();
        assert_eq!(refolds(&mut live, &controls), [4]);
        let served = Arc::clone(&live.context().control_state);
        assert_eq!((&*served.settings.zone, served.settings.closed_days.len()), ("UTC", 1));
        assert_eq!((served.sources.len(), served.clock_at, served.seq), (1, Some(258 * HOUR), 7));
        assert_eq!((served.waiting.first(), served.waiting.contains(6)), (Some(4), true));
        assert!(served.waiting.hides(4) && !served.waiting.hides(5) && !served.waiting.hides(7));
        let adopted = live.adopted();
        assert_eq!((&*adopted.settings.zone, adopted.settings.closed_days.len()), ("Asia/Tokyo", 2));
        assert_eq!((adopted.waiting.first(), adopted.clock_at), (None, Some(258 * HOUR)));

        // The log read back under what the view is read under comes to the same.
        let mut again =
            Step::new(FoldContext { control_state: Arc::clone(&served), ..step().context().clone() });
        assert!(refolds(&mut again, &controls).is_empty());
        assert_eq!(again.context().control_state, served);
        assert_eq!((again.closed_through(), live.closed_through()), (Some(Day(9)), Some(Day(9))));
        let mut anew =
            Step::new(FoldContext { control_state: Arc::clone(adopted), ..step().context().clone() });
        assert!(refolds(&mut anew, &controls).is_empty());
        assert_eq!(anew.closed_through(), Some(Day(10)));
    }

    #[test]
    fn settings_and_a_model_that_are_adopted_together_show_together() {
        let both = |text: String| Arc::new(vec![entry(2, &settings("UTC", 1)), entry(3, &model(&text))]);
        let step_of_two = |entries: &Entries| {
            let mut step = step();
            step.step(entries, &mut Vec::new()).unwrap();
            let state = Arc::clone(&step.context().control_state);
            (state.settings.closed_days.len(), state.models.len(), state.waiting.first())
        };
        assert_eq!(step_of_two(&both(USES.replace("usage", "value"))), (0, 1, Some(2)));
        assert_eq!(step_of_two(&both(format!("{USES}# reviewed\n"))), (1, 2, None));
    }

    #[test]
    fn a_model_that_reads_the_same_series_needs_no_other_fold() {
        let recently = "[metrics]\nrecently = { agg = 'count', filter = { type = 'usage' }, window = 7 }\n";
        let mut step = step();
        assert!(refolds(&mut step, &[model(recently)]).is_empty());
        assert_eq!(step.context().plan.model.metrics[0].name, "recently");
        let others = USES.replace("usage", "value");
        let reset = Control::SourceReset { source: "app".into(), generation: 1, mapping_digest: "".into() };
        assert_eq!(refolds(&mut step, &[model(recently), model(&others), model(USES), reset]), [3, 4, 5]);
        assert_eq!(step.context().plan.model.metrics[0].name, "recently");
        let waiting = &step.context().control_state.waiting;
        assert!(waiting.hides(5) && waiting.hides(6), "a reset hides what its source brings anew");
    }
}
