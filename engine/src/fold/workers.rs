//! Folding: frames go to W workers by account, what crosses accounts is folded here, and a view is published when all
//! workers stand at the same frame.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use tidewatch_projections::event::Event;
use tidewatch_projections::tenant::Tenant;

use crate::control::state::ControlState;
use crate::fold::view::{Part, Published, View};
use crate::fold::worker::{FoldContext, Worker};
use crate::position::Position;
use crate::storage::log::Entry;

/// Frames that wait for one worker; past them the fold's feeder waits.
const QUEUE_FRAMES_MAX: usize = 8;

/// Entries of one frame, shared by the workers.
pub type Entries = Arc<Vec<(u64, Entry)>>;

enum Job {
    Apply(Entries),
    TakeControlState(Arc<ControlState>),
    /// Hand the accounts over; the last worker to do so calls `done` with all parts.
    HandOver(Arc<HandOver>),
}

/// What becomes of all workers' accounts.
type Done = Box<dyn FnOnce(Vec<Part>) + Send>;

struct HandOver {
    waiting: AtomicUsize,
    parts: Mutex<Vec<Part>>,
    done: Mutex<Option<Done>>,
}

impl HandOver {
    fn give(&self, index: usize, part: Part) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)[index] = part;
        if self.waiting.fetch_sub(1, Ordering::AcqRel) == 1 {
            let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
            if let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take() {
                done(parts);
            }
        }
    }
}

/// W workers on their own threads, and the fold of what crosses accounts.
pub struct Fold {
    context: FoldContext,
    tenant: Arc<Tenant>,
    queues: Vec<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Fold {
    /// Starts `workers` threads (at least one) with no account yet.
    pub fn start(workers: usize, context: FoldContext) -> Self {
        let workers = workers.max(1);
        let (queues, threads) = (0..workers)
            .map(|index| {
                let (sender, receiver) = sync_channel(QUEUE_FRAMES_MAX);
                let worker = Worker::new(index, workers, context.clone());
                let thread = thread::Builder::new()
                    .name(format!("fold-{index}"))
                    .spawn(move || work(index, worker, &receiver))
                    .expect("the system gives threads at start");
                (sender, thread)
            })
            .unzip();
        Self { context, tenant: Arc::default(), queues, threads }
    }

    /// Under what the log is read.
    pub fn context(&self) -> &FoldContext {
        &self.context
    }

    /// Folds a frame in.
    pub fn apply(&mut self, entries: Entries) {
        observe(Arc::make_mut(&mut self.tenant), &self.context, &entries);
        for queue in &self.queues {
            send(queue, Job::Apply(Arc::clone(&entries)));
        }
    }

    /// Another control_state that leaves what was folded right (see [`crate::control::state::Effect`]).
    pub fn take_control_state(&mut self, control_state: Arc<ControlState>) {
        self.context.control_state = Arc::clone(&control_state);
        for queue in &self.queues {
            send(queue, Job::TakeControlState(Arc::clone(&control_state)));
        }
    }

    /// Calls `done` with the view at `position` once every worker stands there.
    pub fn view(&self, position: Position, done: impl FnOnce(View) + Send + 'static) {
        let FoldContext { names, plan, control_state, .. } = self.context.clone();
        let tenant = Arc::clone(&self.tenant);
        let done = move |parts| done(View { position, names, control_state, plan, tenant, parts });
        let workers = self.queues.len();
        let hand_over = Arc::new(HandOver {
            waiting: AtomicUsize::new(workers),
            parts: Mutex::new(vec![Part::default(); workers]),
            done: Mutex::new(Some(Box::new(done))),
        });
        for queue in &self.queues {
            send(queue, Job::HandOver(Arc::clone(&hand_over)));
        }
    }

    /// Publishes the view at `position` once every worker stands there.
    pub fn publish(&self, position: Position, published: &Arc<Published>) {
        let published = Arc::clone(published);
        self.view(position, move |view| published.store(view));
    }

    /// Waits until every worker stands at `position` and gives the view there: a barrier.
    pub fn settle(&self, position: Position) -> View {
        let (sender, receiver) = sync_channel(1);
        self.view(position, move |view| sender.send(view).expect("the caller waits for the view"));
        receiver.recv().expect("workers run as long as the fold")
    }
}

impl Drop for Fold {
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so; the others end by themselves.
            let _ended = thread.join();
        }
    }
}

/// Counts what crosses accounts.
pub fn observe(tenant: &mut Tenant, context: &FoldContext, entries: &[(u64, Entry)]) {
    let counting = |event: &&Event| context.control_state.counts(event);
    let events = entries.iter().filter_map(|(_, entry)| match entry {
        Entry::Event(event) => Some(event),
        Entry::DeadLetter(_) | Entry::Control(_) => None,
    });
    events.filter(counting).for_each(|event| tenant.observe(&context.names, event));
}

fn send(queue: &SyncSender<Job>, job: Job) {
    queue.send(job).expect("workers run as long as the fold; one that panicked has said why");
}

fn work(index: usize, mut worker: Worker, jobs: &Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Apply(entries) => worker.apply(&entries),
            Job::TakeControlState(control_state) => worker.take_control_state(control_state),
            Job::HandOver(hand_over) => hand_over.give(index, worker.part()),
        }
    }
}
