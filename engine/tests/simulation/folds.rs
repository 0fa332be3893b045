//! The fold with its workers as the engine steps them, one job at a time in an order that the seed draws.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tidewatch_engine::control::entry::Control;
use tidewatch_engine::control::state::{ControlState, Effect};
use tidewatch_engine::fold::history::History;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::fold::worker::{FoldContext, Worker};
use tidewatch_engine::fold::workers::{Entries, observe};
use tidewatch_engine::position::Position;
use tidewatch_engine::storage::log::Entry;
use tidewatch_projections::account::Account;
use tidewatch_projections::canonical::write_account;
use tidewatch_projections::metric::{Scalar, evaluate};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::status::{Since, status};
use tidewatch_projections::tenant::Tenant;

use crate::draw::Draw;

/// The model that the oracle knows.
pub const MODEL: &str = include_str!("model.toml");

/// Reads a model once.
pub fn model(text: &str) -> Model {
    thread_local! {
        static READ: RefCell<HashMap<String, Model>> = RefCell::default();
    }
    READ.with_borrow_mut(|read| {
        let parse = || Model::parse(text).expect("the simulation adopts models that parse");
        read.entry(text.to_owned()).or_insert_with(parse).clone()
    })
}

/// What is folded under, with the bounds of live state.
pub fn context(names: &Arc<Names>, control_state: &ControlState) -> FoldContext {
    context_of(names, control_state, model(control_state.model_text()), Bounds::LIVE, &[])
}

/// The same for any model, exact at `cuts`.
pub fn context_of(
    names: &Arc<Names>,
    control_state: &ControlState,
    model: Model,
    bounds: Bounds,
    cuts: &[i64],
) -> FoldContext {
    let calendar = control_state.calendar().expect("the simulation adopts zones that exist");
    let plan = Plan::compile(model, names, calendar, bounds, cuts).expect("the model has few filters");
    FoldContext {
        names: Arc::clone(names),
        plan: Arc::new(plan),
        control_state: Arc::new(control_state.clone()),
        only: None,
    }
}

enum Job {
    Apply(Entries),
    TakeControlState(Arc<ControlState>),
}

/// W workers and what crosses accounts.
pub struct Folds {
    context: FoldContext,
    control_state: ControlState,
    tenant: Tenant,
    workers: Vec<(Worker, VecDeque<Job>)>,
    /// The last sequence that was queued.
    pub seq: u64,
}

impl Folds {
    /// No account yet.
    pub fn new(count: usize, context: FoldContext) -> Self {
        let workers =
            (0..count).map(|index| (Worker::new(index, count, context.clone()), VecDeque::new())).collect();
        let control_state = (*context.control_state).clone();
        Self { context, control_state, tenant: Tenant::default(), workers, seq: 0 }
    }

    /// All entries of a log, folded at once.
    pub fn of(count: usize, context: FoldContext, entries: Vec<(u64, Entry)>) -> Self {
        let mut folds = Self::new(count, context);
        folds.seq = entries.last().map_or(0, |(seq, _)| *seq);
        folds.apply(Entries::new(entries));
        folds.settle();
        folds
    }

    fn apply(&mut self, entries: Entries) {
        observe(&mut self.tenant, &self.context, &entries);
        for (_, jobs) in &mut self.workers {
            jobs.push_back(Job::Apply(Arc::clone(&entries)));
        }
    }

    /// Takes a durable frame, as the engine's fold thread does.
    pub fn take(
        &mut self,
        last_seq: u64,
        entries: Vec<(u64, Entry)>,
        control: Option<&Control>,
        history: &History,
    ) -> Result<(), String> {
        self.seq = last_seq;
        let effect =
            control.map_or(Effect::None, |control| self.control_state.learn(&self.context.names, control));
        match effect {
            Effect::Refold => {
                let mut entries = Vec::new();
                history
                    .until(last_seq)
                    .frames(|frame| {
                        entries.extend(frame.entries);
                        Ok::<(), tidewatch_engine::storage::log::LogError>(())
                    })
                    .map_err(|error| error.to_string())?;
                *self =
                    Self::of(self.workers.len(), context(&self.context.names, &self.control_state), entries);
            }
            Effect::None => {
                self.apply(Entries::new(entries));
                if control.is_some() {
                    let control_state = Arc::new(self.control_state.clone());
                    self.context.control_state = Arc::clone(&control_state);
                    for (_, jobs) in &mut self.workers {
                        jobs.push_back(Job::TakeControlState(Arc::clone(&control_state)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets one worker do one job.
    pub fn work(&mut self, draw: &mut Draw) {
        let worker = draw.below(self.workers.len());
        self.step(worker);
    }

    fn step(&mut self, worker: usize) -> bool {
        let (worker, jobs) = &mut self.workers[worker];
        match jobs.pop_front() {
            None => return false,
            Some(Job::Apply(entries)) => worker.apply(&entries),
            Some(Job::TakeControlState(control_state)) => worker.take_control_state(control_state),
        }
        true
    }

    /// Lets every worker do all there is.
    pub fn settle(&mut self) {
        for worker in 0..self.workers.len() {
            while self.step(worker) {}
        }
    }

    /// The state, once all workers are done.
    pub fn view(&mut self) -> View {
        self.settle();
        View {
            position: Position { shard: 0, lineage: 0, seq: self.seq },
            names: Arc::clone(&self.context.names),
            control_state: Arc::clone(&self.context.control_state),
            plan: Arc::clone(&self.context.plan),
            tenant: Arc::new(self.tenant.clone()),
            parts: self.workers.iter().map(|(worker, _)| worker.part()).collect(),
        }
    }
}

/// Every account's state as bytes that do not depend on how it came about, by account.
pub fn canonical(view: &View) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = view
        .accounts()
        .map(|account| {
            let mut bytes = Vec::new();
            write_account(account, &view.names, &mut bytes);
            (view.names.text(account.id).to_owned(), bytes)
        })
        .collect();
    all.sort();
    all
}

/// What an account is worth at an instant, by the engine: its metrics and its status.
pub fn figures(view: &View, account: Symbol, as_of: i64) -> (Vec<Option<Scalar>>, Since) {
    let unknown = Account::new(account);
    let mut members = view.members(account, as_of);
    if members.first().is_none_or(|survivor| survivor.id != account) {
        members.insert(0, &unknown);
    }
    let context = view.context();
    (evaluate(context, &members, as_of), status(context, &members, as_of))
}
