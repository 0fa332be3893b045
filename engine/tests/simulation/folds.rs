//! The fold with its workers as the engine steps them, one job at a time in an order that the seed draws.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tidewatch_engine::control::state::ControlState;
use tidewatch_engine::fold::history::{History, HistoryError};
use tidewatch_engine::fold::refold::Refold;
use tidewatch_engine::fold::replay::{Executor, Fold, Taken};
use tidewatch_engine::fold::served::{Change, Served};
use tidewatch_engine::fold::step::Entries;
use tidewatch_engine::fold::view::View;
use tidewatch_engine::fold::worker::{FoldContext, Worker};
use tidewatch_engine::position::Position;
use tidewatch_engine::storage::log::Entry;
use tidewatch_projections::account_at::AccountAt;
use tidewatch_projections::canonical::write_account;
use tidewatch_projections::health::{Health, health};
use tidewatch_projections::model::Model;
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::{Bounds, Plan};
use tidewatch_projections::scalar::Scalar;
use tidewatch_projections::status::Since;

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
        watch: None,
        control_state: Arc::new(control_state.clone()),
        only: None,
    }
}

enum Job {
    Apply(Entries),
    TakeControlState(Arc<ControlState>),
}

/// W workers, each with what it has still to do.
pub struct Queues(Vec<(Worker, VecDeque<Job>)>);

impl Queues {
    fn new(count: usize, context: &FoldContext) -> Self {
        let worker = |index| (Worker::new(index, count, context.clone()), VecDeque::new());
        Self((0..count).map(worker).collect())
    }

    fn push(&mut self, job: impl Fn() -> Job) {
        self.0.iter_mut().for_each(|(_, jobs)| jobs.push_back(job()));
    }

    fn work(&mut self, worker: usize) -> bool {
        let (worker, jobs) = &mut self.0[worker];
        match jobs.pop_front() {
            None => return false,
            Some(Job::Apply(entries)) => worker.apply(&entries),
            Some(Job::TakeControlState(state)) => worker.take_control_state(state),
        }
        true
    }
}

impl Executor for Queues {
    fn apply(&mut self, entries: &Entries) {
        self.push(|| Job::Apply(Arc::clone(entries)));
    }

    fn take_control_state(&mut self, state: &Arc<ControlState>) {
        self.push(|| Job::TakeControlState(Arc::clone(state)));
    }
}

/// The fold of the engine with workers that work when the seed lets them, and the one that is run beside it.
pub struct Folds {
    served: Served<Queues>,
    beside: Option<Refold<Queues>>,
}

impl Folds {
    /// No account yet.
    fn empty(count: usize, context: FoldContext) -> Fold<Queues> {
        let queues = Queues::new(count, &context);
        Fold::new(context, queues)
    }

    /// A fold that has taken everything up to a sequence.
    fn settled(fold: Fold<Queues>, seq: u64) -> Self {
        let mut folds = Self { served: Served::new(fold, seq), beside: None };
        folds.settle();
        folds
    }

    /// All entries of a log, folded at once.
    pub fn of(count: usize, context: FoldContext, entries: Vec<(u64, Entry)>) -> Self {
        let mut fold = Self::empty(count, context);
        let seq = entries.last().map_or(0, |(seq, _)| *seq);
        let taken = fold.take(&Entries::new(entries));
        assert_ne!(
            taken,
            Ok(Taken::Refold),
            "a log is folded under all its control entries from its beginning"
        );
        Self::settled(fold, seq)
    }

    /// A log, read back frame by frame as the engine does at an opening.
    pub fn of_log(count: usize, context: FoldContext, history: &History) -> Result<Self, HistoryError> {
        let mut fold = Self::empty(count, context);
        history.replay(&mut fold)?;
        Ok(Self::settled(fold, history.end()?.last_seq))
    }

    /// Takes a durable frame, as the engine's fold thread does. Says whether another fold took the place of the served one.
    pub fn take(
        &mut self,
        last_seq: u64,
        entries: Vec<(u64, Entry)>,
        history: &History,
    ) -> Result<bool, HistoryError> {
        match self.served.take(last_seq, &Entries::new(entries))? {
            Change::Events | Change::Control => Ok(false),
            Change::Refold(_) => {
                let fold = self.served.fold();
                let context = context(&fold.step().context().names, fold.step().adopted());
                let queues = Queues::new(fold.executor().0.len(), &context);
                self.beside = Some(Refold::new(history, context, queues));
                Ok(false)
            }
            Change::Replaced(_) => Ok(true),
        }
    }

    /// Lets the fold beside the served one read on, up to `entries_max` entries. Says where it came to.
    pub fn read_on(&mut self, entries_max: u64) -> Result<Option<u64>, HistoryError> {
        let Some(beside) = &mut self.beside else { return Ok(None) };
        let until_seq = self.served.seq().min(beside.seq() + entries_max);
        beside.read_on(until_seq, |_| ())?;
        Ok(Some(beside.seq()))
    }

    /// Lets it take the place of the served one at the next frame, wherever it has come to. Says whether there is one.
    pub fn replace(&mut self) -> bool {
        let beside = self.beside.take();
        beside.map(|beside| self.served.replace(beside)).is_some()
    }

    /// Whether all that was adopted shows.
    pub fn shows_all(&self) -> bool {
        let waiting = &self.served.fold().step().context().control_state.waiting;
        waiting.first().is_none() && self.beside.is_none() && !self.served.is_to_be_replaced()
    }

    /// Lets one worker do one job.
    pub fn work(&mut self, draw: &mut Draw) {
        let worker = draw.below(self.served.fold().executor().0.len());
        self.served.executor_mut().work(worker);
    }

    /// Lets every worker do all there is.
    pub fn settle(&mut self) {
        let queues = self.served.executor_mut();
        for worker in 0..queues.0.len() {
            while queues.work(worker) {}
        }
    }

    /// The state, once all workers are done.
    pub fn view(&mut self) -> View {
        self.settle();
        let fold = self.served.fold();
        let parts = fold.executor().0.iter().map(|(worker, _)| worker.part()).collect();
        fold.view_of(Position { shard: 0, lineage: 0, seq: self.served.seq() }, parts)
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

/// What an account is worth at an instant, by the engine: its metrics, its status and its health.
pub fn figures(view: &View, account: Symbol, as_of: i64) -> (Vec<Option<Scalar>>, Since, Health) {
    let account_at = AccountAt::new(view.context(), account, as_of);
    let health = health(&account_at).expect("state without bounds has everything");
    (account_at.metrics(), account_at.since(), health)
}
