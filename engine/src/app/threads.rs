//! The threads of a shard: sequencer, writer and fold.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use metrics::Gauge;
use tidewatch_projections::event::Micros;

use super::Shared;
use super::cells::refresh_cells;
use super::decide::decide_days;
use super::publish_interval::PublishInterval;
use super::refold::Refolding;
use crate::clock::monotonic;
use crate::fold::history::{History, HistoryError};
use crate::fold::refold::Refold;
use crate::fold::replay::Fold;
use crate::fold::served::{Change, Served};
use crate::fold::step::Entries;
use crate::fold::workers::Workers;
use crate::meters::{DISK_FULL, FRAME_ENTRIES, FRAMES, IDS, IDS_MEMORY, REFOLDED, REFOLDS, WRITE_TIME};
use crate::position::Position;
use crate::storage::directory::SHARD;
use crate::storage::log::{LogError, LogWriter};
use crate::write::linger::Linger;
use crate::write::queues::{Next, Priority};
use crate::write::sequencer::{Emit, Input, Sequencer};
use crate::write::writer::Writer;

/// Rounds of emits that wait for the writer: one it works on, one that follows.
const WRITER_QUEUE_MAX: usize = 2;
/// Frames that wait for the fold.
const FOLD_QUEUE_FRAMES_MAX: usize = 8;
/// Time is looked at this often while nothing else happens.
pub(super) const TICK: Duration = Duration::from_secs(1);
/// Whether a fold beside the served one has come close is looked at this often while no frame comes.
const REFOLDED_LOOK_EVERY: Duration = Duration::from_millis(20);
/// A full disk is tried again this often.
const DISK_FULL_RETRY: Duration = Duration::from_millis(500);

/// The index of accounts is brought up to date when so many bytes, before compression, are durable that it does not cover. What is
/// left then takes a read a few milliseconds.
const INDEX_STEP_BYTES: usize = 2 << 20;

/// What the threads work with.
pub(super) struct Parts {
    pub(super) sequencer: Sequencer,
    pub(super) log: LogWriter,
    pub(super) history: History,
    pub(super) fold: Option<Fold<Workers>>,
    pub(super) workers: Option<usize>,
    /// Whether the health of all accounts is kept up to date for lists.
    pub(super) keep_cells: bool,
    /// Whether alerts are decided when the clock closes a day.
    pub(super) decide: bool,
}

/// A durable frame on its way to the fold.
struct Folding {
    last_seq: u64,
    entries: Entries,
}

pub(super) fn start(shared: &Arc<Shared>, parts: Parts) -> Vec<JoinHandle<()>> {
    let Parts { sequencer, log, history, fold, workers, keep_cells, decide } = parts;
    let last_seq = *shared.durable.borrow();
    let (to_writer, emits) = sync_channel(WRITER_QUEUE_MAX);
    let mut threads = vec![spawn("sequencer", shared, move |shared| sequence(shared, sequencer, &to_writer))];
    let to_fold = fold.zip(workers).map(|(fold, workers)| {
        let (to_fold, frames) = sync_channel(FOLD_QUEUE_FRAMES_MAX);
        let (served, shared_by_fold) = (Served::new(fold, last_seq), Arc::clone(shared));
        let folding = FoldThread {
            shared: shared_by_fold,
            history,
            served,
            workers,
            refolding: None,
            refold_threads: Vec::new(),
        };
        threads.push(spawn("fold", shared, move |_| folding.run(&frames)));
        to_fold
    });
    if let Some(published) = shared.published.as_ref().filter(|_| keep_cells) {
        let published = Arc::clone(published);
        threads.push(spawn("cells", shared, move |shared| {
            refresh_cells(shared, &published);
            Ok(())
        }));
    }
    if let Some(published) = shared.published.as_ref().filter(|_| decide) {
        let published = Arc::clone(published);
        let workers = workers.unwrap_or(1);
        threads.push(spawn("decide", shared, move |shared| decide_days(shared, &published, workers)));
    }
    let (to_index, grown) = sync_channel(1);
    threads.push(spawn("indexer", shared, move |shared| index(shared, &grown)));
    threads.push(spawn("writer", shared, move |shared| {
        write(shared, Writer::new(log), &emits, to_fold.as_ref(), &to_index)
    }));
    threads
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    run: impl FnOnce(&Shared) -> Result<(), String> + Send + 'static,
) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    let thread_name = name.to_owned();
    thread::Builder::new()
        .name(name.into())
        .spawn(move || {
            // A thread that panics must not leave the others waiting for it.
            let ended = catch_unwind(AssertUnwindSafe(|| run(&shared)));
            let panicked = || Err(format!("the {thread_name} panicked; the message above says where"));
            if let Err(cause) = ended.unwrap_or_else(|_| panicked()) {
                shared.fail(cause);
            }
        })
        .expect("the system gives threads at start")
}

fn sequence(
    shared: &Shared,
    mut sequencer: Sequencer,
    to_writer: &SyncSender<Vec<Emit>>,
) -> Result<(), String> {
    let mut ticked_at: Option<Micros> = None;
    let ids_disk_full = shared.meters.gauge(&DISK_FULL, &["ids"]);
    let (ids, ids_memory) = (shared.meters.gauge(&IDS, &[]), shared.meters.gauge(&IDS_MEMORY, &[]));
    let mut is_disk_full = false;
    let mut linger = Linger::new(monotonic());
    loop {
        let due = (!sequencer.is_empty()).then(|| linger.due());
        let next = shared.inbox.next(due, TICK);
        let now = shared.clock.now();
        let mut emits = Vec::new();
        let mut step = |input| sequencer.step(input, now, &mut emits).map_err(|error| error.to_string());
        let is_due = ticked_at.is_none_or(|at| (now - at).unsigned_abs() >= TICK.as_micros() as u64);
        if is_due {
            ticked_at = Some(now);
            step(Input::Tick)?;
        }
        let is_last = matches!(next, Next::Closed);
        let mut filled_by: Option<Priority> = None;
        match next {
            Next::Input(priority, input) => {
                step(input)?;
                filled_by = Some(priority);
            }
            Next::WriterFree | Next::Closed => step(Input::WriterFree)?,
            Next::Idle => {}
        }
        if emits.iter().any(|emit| matches!(emit, Emit::Frame(_))) {
            linger.close(monotonic());
        }
        // After the frames that it filled up: what is left of it stands in the next.
        if let Some(priority) = filled_by
            && !sequencer.is_empty()
        {
            linger.fill(priority);
        }
        if !emits.is_empty() {
            shared.inbox.writer_busy();
            if to_writer.send(emits).is_err() {
                // The writer has failed and said why.
                return Ok(());
            }
        }
        if is_last {
            return Ok(());
        }
        let durable_seq = *shared.durable.borrow();
        let tended = sequencer.tend(durable_seq).map_err(|error| error.to_string())?;
        if tended.is_disk_full && !is_disk_full {
            tracing::error!(
                "the disk is full: the table of ids is not written out and grows in memory; free some space"
            );
        }
        is_disk_full = tended.is_disk_full;
        if is_due {
            ids_disk_full.set(f64::from(u8::from(is_disk_full)));
            ids.set(sequencer.ids() as f64);
            ids_memory.set(sequencer.ids_memory_bytes() as f64);
        }
    }
}

fn write(
    shared: &Shared,
    mut writer: Writer,
    emits: &Receiver<Vec<Emit>>,
    to_fold: Option<&SyncSender<Folding>>,
    to_index: &SyncSender<()>,
) -> Result<(), String> {
    let mut unindexed_bytes = 0;
    let frames = shared.meters.counter(&FRAMES, &[]);
    let frame_entries = shared.meters.histogram(&FRAME_ENTRIES, &[]);
    let write_time = shared.meters.histogram(&WRITE_TIME, &[]);
    let disk_full = shared.meters.gauge(&DISK_FULL, &["log"]);
    disk_full.set(0.0);
    loop {
        let first = match emits.try_recv() {
            Err(TryRecvError::Empty) => {
                shared.inbox.writer_free();
                emits.recv().ok()
            }
            received => received.ok(),
        };
        let Some(first) = first else { break };
        writer.push(first);
        emits.try_iter().for_each(|more| writer.push(more));
        let began = monotonic();
        let holding = write_when_possible(shared, &mut writer, &disk_full)?;
        write_time.record(began.elapsed().as_secs_f64());
        shared.durable.send_if_modified(|seq| {
            let durable = writer.durable().seq;
            std::mem::replace(seq, durable) != durable
        });
        for emit in holding {
            match emit {
                Emit::Answer(answer) => shared.waiting().tell(answer),
                Emit::Frame(filled) => {
                    frames.increment(1);
                    frame_entries.record(filled.entries.len() as f64);
                    unindexed_bytes += filled.frame.bytes();
                    let Some(to_fold) = to_fold else { continue };
                    let last_seq = filled.frame.next_seq() - 1;
                    let entries = Entries::new(filled.entries);
                    if to_fold.send(Folding { last_seq, entries }).is_err() {
                        return Err("the fold has stopped".into());
                    }
                }
            }
        }
        if unindexed_bytes >= INDEX_STEP_BYTES && to_index.try_send(()).is_ok() {
            unindexed_bytes = 0;
        }
    }
    writer.close().map(|_| ()).map_err(|error| error.to_string())
}

/// Brings the index of accounts up to date whenever the log has grown. It is derived: what goes wrong stops nothing.
fn index(shared: &Shared, grown: &Receiver<()>) -> Result<(), String> {
    let mut has_told = false;
    loop {
        let durable_seq = *shared.durable.borrow();
        match shared.account_index.catch_up(durable_seq, &shared.stopping) {
            Ok(()) | Err(LogError::Cancelled(_)) => {}
            Err(error) => {
                if !std::mem::replace(&mut has_told, true) {
                    tracing::warn!(%error, "the index of accounts does not follow the log; its reads say more");
                }
            }
        }
        if grown.recv().is_err() {
            return Ok(());
        }
    }
}

/// Waits a full disk out: what was queued is neither lost nor acknowledged meanwhile. A shard that shuts down does not wait.
fn write_when_possible(shared: &Shared, writer: &mut Writer, disk_full: &Gauge) -> Result<Vec<Emit>, String> {
    let mut is_waiting = false;
    loop {
        match writer.write() {
            Err(error @ LogError::DiskFull { .. }) if !shared.inbox.is_closed() => {
                if !is_waiting {
                    tracing::error!(%error, "writing waits");
                    is_waiting = true;
                    disk_full.set(1.0);
                }
                thread::sleep(DISK_FULL_RETRY);
            }
            written => {
                if is_waiting {
                    tracing::info!("there is space again; writing goes on");
                    disk_full.set(0.0);
                }
                return written.map_err(|error| error.to_string());
            }
        }
    }
}

struct FoldThread {
    shared: Arc<Shared>,
    history: History,
    served: Served<Workers>,
    workers: usize,
    /// The fold beside the served one, while something adopted waits for it.
    refolding: Option<Refolding>,
    /// Threads of such folds.
    refold_threads: Vec<JoinHandle<()>>,
}

impl FoldThread {
    fn run(mut self, frames: &Receiver<Folding>) -> Result<(), String> {
        let mut unpublished: Option<u64> = None;
        let mut interval = PublishInterval::new(monotonic());
        loop {
            self.take_refolded()?;
            let next = match (unpublished, &self.refolding) {
                (None, None) => frames.recv().map_err(|_| RecvTimeoutError::Disconnected),
                (None, Some(_)) => frames.recv_timeout(REFOLDED_LOOK_EVERY),
                (Some(_), _) => frames.recv_timeout(interval.wait(monotonic())),
            };
            match next {
                Ok(folding) => {
                    let last_seq = folding.last_seq;
                    interval.fold(folding.entries.len());
                    let is_barrier = self.take(folding).map_err(|error| error.to_string())?;
                    unpublished = Some(last_seq);
                    if !is_barrier && !interval.wait(monotonic()).is_zero() {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.publish(unpublished);
                    return Ok(());
                }
            }
            self.publish(unpublished.take());
            interval.publish(monotonic());
        }
    }

    /// Folds a frame in; says whether readers wait for it.
    fn take(&mut self, folding: Folding) -> Result<bool, HistoryError> {
        let Folding { last_seq, entries } = folding;
        let change = self.served.take(last_seq, &entries)?;
        if let Some(refolding) = &self.refolding {
            refolding.follow(last_seq);
        }
        match change {
            Change::Events => return Ok(false),
            Change::Control => {}
            Change::Refold(void) => self.refold(void)?,
            Change::Replaced(retired) => {
                if let Some(refolding) = self.refolding.take() {
                    refolding.retire(retired);
                }
                self.tell_refolded(0);
                self.shared.meters.counter(&REFOLDS, &["shown"]).increment(1);
                tracing::info!(seq = last_seq, "everything adopted shows from here on");
            }
        }
        Ok(true)
    }

    /// Folds the log anew under all that is adopted, beside the fold that is served, in place of one that is void.
    fn refold(&mut self, void: Option<Fold<Workers>>) -> Result<(), HistoryError> {
        if let Some(refolding) = self.refolding.take() {
            self.shared.meters.counter(&REFOLDS, &["void"]).increment(1);
            // It may have come close since it was looked at.
            let come_close = || refolding.ready().ok().flatten().map(Refold::into_fold);
            if let Some(void) = void.or_else(come_close) {
                refolding.retire(void);
            }
            tracing::info!("something else was adopted meanwhile: the log is folded anew from its beginning");
        }
        self.tell_refolded(0);
        let served_seq = self.served.seq();
        let context = self.history.adopted_context(self.served.fold().step().adopted())?;
        tracing::info!(
            last_seq = served_seq,
            "what was adopted needs the log folded anew; answers are given as before until that is done"
        );
        self.refold_threads.retain(|thread| !thread.is_finished());
        let (refolding, thread) =
            Refolding::start(&self.shared, &self.history, context, self.workers, served_seq);
        self.refolding = Some(refolding);
        self.refold_threads.push(thread);
        Ok(())
    }

    /// Lets a fold that has come close take the place of the served one at the next frame, and asks for one.
    fn take_refolded(&mut self) -> Result<(), String> {
        let Some(refolding) = &self.refolding else { return Ok(()) };
        if let Some(refold) = refolding.ready()? {
            self.served.replace(refold);
            // A shard that shuts down takes nothing more; the next opening folds under what is adopted.
            let _asked = self.shared.inbox.push(Priority::Command, Input::AdvanceWall, 0);
        }
        Ok(())
    }

    fn tell_refolded(&self, seq: u64) {
        self.shared.refolded_seq.store(seq, Ordering::Relaxed);
        self.shared.meters.gauge(&REFOLDED, &[]).set(seq as f64);
    }

    fn publish(&self, seq: Option<u64>) {
        if let (Some(seq), Some(published)) = (seq, &self.shared.published) {
            let position = Position { shard: SHARD, lineage: self.shared.lineage, seq };
            self.served.fold().publish(position, published);
        }
    }
}

impl Drop for FoldThread {
    fn drop(&mut self) {
        self.refolding = None;
        for thread in self.refold_threads.drain(..) {
            // One that panicked has said so.
            let _ended = thread.join();
        }
    }
}
