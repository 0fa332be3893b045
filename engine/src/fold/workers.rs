//! Runs the workers of a fold on threads and publishes a view when all of them stand at the same frame.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::replay::{Executor, Fold};
use super::step::Entries;
use super::view::{Part, Published, View};
use super::worker::{FoldContext, Worker};
use crate::control::state::ControlState;
use crate::position::Position;

/// Frames that wait for one worker; past them the fold's feeder waits.
const QUEUE_FRAMES_MAX: usize = 8;

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

/// W workers on their own threads.
pub struct Workers {
    queues: Vec<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads (at least one) with no account yet.
    pub fn start(count: usize, context: &FoldContext) -> Self {
        let count = count.max(1);
        let (queues, threads) = (0..count)
            .map(|index| {
                let (sender, receiver) = sync_channel(QUEUE_FRAMES_MAX);
                let worker = Worker::new(index, count, context.clone());
                let thread = thread::Builder::new()
                    .name(format!("fold-{index}"))
                    .spawn(move || work(index, worker, &receiver))
                    .expect("the system gives threads at start");
                (sender, thread)
            })
            .unzip();
        Self { queues, threads }
    }

    /// Calls `done` with every worker's accounts once all of them stand where this is called.
    fn hand_over(&self, done: impl FnOnce(Vec<Part>) + Send + 'static) {
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
}

impl Executor for Workers {
    fn apply(&mut self, entries: &Entries) {
        for queue in &self.queues {
            send(queue, Job::Apply(Arc::clone(entries)));
        }
    }

    fn take_control_state(&mut self, state: &Arc<ControlState>) {
        for queue in &self.queues {
            send(queue, Job::TakeControlState(Arc::clone(state)));
        }
    }
}

impl Fold<Workers> {
    /// Calls `done` with the view at `position` once every worker stands there.
    pub fn view(&self, position: Position, done: impl FnOnce(View) + Send + 'static) {
        let view = self.view_of(position, Vec::new());
        self.executor().hand_over(move |parts| done(View { parts, ..view }));
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

impl Drop for Workers {
    fn drop(&mut self) {
        self.queues.clear();
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so; the others end by themselves.
            let _ended = thread.join();
        }
    }
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
