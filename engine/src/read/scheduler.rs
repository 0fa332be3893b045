//! The one way to reads of the past: runs them on threads that may wait, as [`Admission`] admits them.
//!
//! A scan goes on as long as one of its callers waits. When the last one is gone, by its deadline or because its client
//! left, a scan that waits is dropped and one that runs is told to stop; its place and memory count until it has.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::cancellation::Cancellation;
use crate::clock::monotonic;
use crate::read::admission::{Admission, AdmissionLimits, Admitted, Cost, Counts, ScanId};

/// Tells equal questions at one position apart from others: a digest of everything that the answer depends on.
pub type QuestionDigest = [u8; 32];

/// Why a scan gave no answer, besides what it says itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ScheduleError {
    /// As many scans wait as may.
    #[error("{scans_max} reads of the past run and {waiting_max} wait, the most there may be")]
    Full {
        /// Scans that run at most.
        scans_max: usize,
        /// Scans that wait at most.
        waiting_max: usize,
        /// After about which time there will be a place.
        retry_after: Duration,
    },
    /// The caller's deadline passed before the scan ended.
    #[error("the deadline passed before the read of the past was done")]
    DeadlinePassed,
    /// The scan panicked, or the process ends.
    #[error("the read of the past was broken off")]
    BrokenOff,
}

pub struct Scheduler {
    state: Mutex<State>,
}

/// Answers of one question are of one type.
type Question = (TypeId, QuestionDigest);

struct State {
    admission: Admission<Question>,
    /// The scans that wait or run.
    scans: HashMap<ScanId, Scan>,
}

struct Scan {
    /// `None` once it runs.
    work: Option<Work>,
    cancellation: Cancellation,
    /// A `watch::Receiver<Outcome<T, E>>` of its question's types.
    outcome: Box<dyn Any + Send>,
}

struct Work {
    runtime: Handle,
    run: Box<dyn FnOnce() + Send>,
}

/// `None` until the scan has ended.
type Outcome<T, E> = Option<Result<Arc<Answer<T>>, E>>;

impl Default for Scheduler {
    fn default() -> Self {
        Self::new(AdmissionLimits::default())
    }
}

impl Scheduler {
    /// Runs scans under these limits.
    pub fn new(limits: AdmissionLimits) -> Self {
        let state = State { admission: Admission::new(limits), scans: HashMap::new() };
        Self { state: Mutex::new(state) }
    }

    pub fn limits(&self) -> AdmissionLimits {
        self.locked().admission.limits()
    }

    /// Figures of all scans.
    pub fn counts(&self) -> Counts {
        self.locked().admission.counts()
    }

    /// Takes a question in and runs `work` for it, now or later, unless a scan for an equal one is under way. Work checks
    /// the cancellation that it is given. To be called where a runtime is.
    ///
    /// # Errors
    /// [`ScheduleError::Full`].
    pub fn ask<T, E>(
        self: &Arc<Self>,
        question: Option<QuestionDigest>,
        cost: Cost,
        work: impl FnOnce(&Cancellation) -> Result<T, E> + Send + 'static,
    ) -> Result<Pending<T, E>, ScheduleError>
    where
        T: Send + Sync + 'static,
        E: Clone + Send + Sync + 'static,
    {
        let question = question.map(|question| (TypeId::of::<(T, E)>(), question));
        let mut state = self.locked();
        let admitted = state.admission.ask(question, cost).map_err(|refused| {
            let AdmissionLimits { scans_max, waiting_max, .. } = state.admission.limits();
            ScheduleError::Full { scans_max, waiting_max, retry_after: refused.retry_after }
        })?;
        let (id, outcome, start) = match admitted {
            Admitted::Shares(id) => {
                let outcome = state.scans[&id].outcome.downcast_ref::<watch::Receiver<Outcome<T, E>>>();
                (id, outcome.expect("a question names the types of its answer").clone(), None)
            }
            Admitted::Starts(id) | Admitted::Waits(id) => {
                let cancellation = Cancellation::default();
                let (sender, outcome) = watch::channel(None);
                let run = self.run(id, cancellation.clone(), sender, work);
                let work = Work { runtime: Handle::current(), run: Box::new(run) };
                let scan = Scan { work: Some(work), cancellation, outcome: Box::new(outcome.clone()) };
                state.scans.insert(id, scan);
                let start = match admitted {
                    Admitted::Starts(_) => state.take_work(id),
                    _ => None,
                };
                (id, outcome, start)
            }
        };
        // A runtime that ends drops work at once, and its end locks the state.
        drop(state);
        start.into_iter().for_each(Work::start);
        Ok(Pending { outcome, _caller: Caller { scheduler: Arc::clone(self), id } })
    }

    fn run<T, E>(
        self: &Arc<Self>,
        id: ScanId,
        cancellation: Cancellation,
        outcome: watch::Sender<Outcome<T, E>>,
        work: impl FnOnce(&Cancellation) -> Result<T, E> + Send + 'static,
    ) -> impl FnOnce() + Send + 'static
    where
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        let mut running = Running { scheduler: Arc::clone(self), id, began: None, has_answer: false };
        move || {
            running.began = Some(monotonic());
            let done = work(&cancellation);
            running.has_answer = done.is_ok();
            let held = Held { scheduler: Arc::clone(&running.scheduler), id };
            // It has ended before anyone can let go of its answer.
            drop(running);
            let answer = done.map(|value| Arc::new(Answer { value, _held: held }));
            // An answer that nobody waits for is dropped.
            outcome.send_replace(Some(answer));
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // The state is whole after every statement, so a panic elsewhere cannot have left it half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and starts what may start then.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.locked();
        change(&mut state);
        let started = state.admission.start();
        let works: Vec<Work> = started.into_iter().filter_map(|id| state.take_work(id)).collect();
        drop(state);
        works.into_iter().for_each(Work::start);
    }
}

impl State {
    fn take_work(&mut self, id: ScanId) -> Option<Work> {
        self.scans.get_mut(&id)?.work.take()
    }
}

impl Work {
    fn start(self) {
        // What it finds is sent to those who wait.
        let _task = self.runtime.spawn_blocking(self.run);
    }
}

/// A scan that runs or will; ended when it is dropped, even by a panic.
struct Running {
    scheduler: Arc<Scheduler>,
    id: ScanId,
    /// `None` until it runs.
    began: Option<Instant>,
    has_answer: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let took = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        self.scheduler.change(|state| {
            state.admission.finish(self.id, took, self.has_answer);
            state.scans.remove(&self.id);
        });
    }
}

/// What an answer takes of the budget.
struct Held {
    scheduler: Arc<Scheduler>,
    id: ScanId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.scheduler.change(|state| state.admission.release(self.id));
    }
}

/// What a scan found, shared by all who asked. Counts against the budget until the last one has let go of it.
pub struct Answer<T> {
    value: T,
    _held: Held,
}

impl<T: Clone> Answer<T> {
    /// The answer, apart from the others who share it.
    pub fn owned(self: Arc<Self>) -> T {
        Arc::try_unwrap(self).map_or_else(|shared| shared.value.clone(), |own| own.value)
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

struct Caller {
    scheduler: Arc<Scheduler>,
    id: ScanId,
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut dropped = None;
        self.scheduler.change(|state| {
            if state.admission.leave(self.id) {
                if let Some(scan) = state.scans.get(&self.id) {
                    scan.cancellation.cancel();
                }
            } else if !state.admission.is_known(self.id) {
                dropped = state.scans.remove(&self.id);
            }
        });
        // Outside the lock: the end of work that never ran takes it.
        drop(dropped);
    }
}

/// A question whose scan waits or runs. Whoever drops it waits no more.
pub struct Pending<T, E> {
    outcome: watch::Receiver<Outcome<T, E>>,
    _caller: Caller,
}

impl<T, E: Clone + From<ScheduleError>> Pending<T, E> {
    /// Waits for the answer, until the deadline.
    ///
    /// # Errors
    /// What the scan says; [`ScheduleError::DeadlinePassed`] and [`ScheduleError::BrokenOff`].
    pub async fn answer(mut self, deadline: Option<Instant>) -> Result<Arc<Answer<T>>, E> {
        let ended = self.outcome.wait_for(Option::is_some);
        let ended = match deadline {
            Some(deadline) => timeout_at(deadline.into(), ended)
                .await
                .map_err(|_elapsed| E::from(ScheduleError::DeadlinePassed))?,
            None => ended.await,
        };
        let outcome = ended.map_err(|_gone| E::from(ScheduleError::BrokenOff))?;
        outcome.clone().expect("it was waited for")
    }
}
