//! A data directory opened to be read: its lock is held, nothing else of it is written, and no thread runs on it.
//!
//! A log that was not closed in order is read up to its last whole frame and left as it is; the next opening for writing
//! repairs it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use tidewatch_projections::names::Names;
use tidewatch_projections::tenant::Tenant;
use tokio::sync::watch;

use super::{Engine, EngineError, Shared};
use crate::cancellation::Cancellation;
use crate::clock::SystemClock;
use crate::fold::history::{History, HistoryError};
use crate::fold::replay::Fold;
use crate::fold::step::Entries;
use crate::fold::view::{Published, View};
use crate::fold::worker::FoldContext;
use crate::fold::workers::Workers;
use crate::position::Position;
use crate::storage::directory::{Directory, SHARD};
use crate::write::queues::Inbox;

impl Engine {
    /// Takes a data directory that is there and reads its log. On `workers` threads its accounts are folded; with `None`
    /// its views have no accounts, and calls that need them are refused. `progress` is told (sequence, last sequence)
    /// while folding. Every change is refused with [`EngineError::ReadOnly`].
    ///
    /// # Errors
    /// When there is no directory or it is held; whatever the log says.
    pub fn open_read_only(
        root: &Path,
        workers: Option<usize>,
        progress: &dyn Fn(u64, u64),
    ) -> Result<Self, EngineError> {
        let directory = Directory::open(root)?;
        let names = Arc::new(Names::new());
        let log = History::new(Arc::clone(directory.disk()), Arc::clone(&names), u64::MAX);
        let summary = log.summary()?;
        let log = log.until(summary.last_seq);
        let position = Position { shard: SHARD, lineage: log.end()?.lineage, seq: summary.last_seq };
        let context = log.adopted_context(&summary.control_state)?;
        let view = match workers {
            Some(workers) => folded(&log, workers, context, position, progress)?,
            None => without_accounts(context, position),
        };
        let inbox = Inbox::default();
        inbox.close();
        let shared = Arc::new(Shared {
            names,
            inbox,
            reply_ids: AtomicU64::new(1),
            waiting: Mutex::default(),
            published: Some(Arc::new(Published::new(view))),
            cells: Arc::default(),
            stopping: Cancellation::default(),
            durable: watch::Sender::new(position.seq),
            refolded_seq: AtomicU64::new(0),
            refold_progress: Arc::new(|_, _| ()),
            lineage: position.lineage,
            failure: Mutex::new(None),
            is_read_only: true,
            sources: Mutex::new(BTreeMap::new()),
            account_index: Arc::new(directory.account_index(true, workers.unwrap_or(1), &Arc::default())),
            clock: Arc::new(SystemClock),
            meters: Arc::default(),
        });
        Ok(Self { shared, threads: Vec::new(), directory, carried_out: Vec::new() })
    }
}

fn folded(
    log: &History,
    workers: usize,
    context: FoldContext,
    position: Position,
    progress: &dyn Fn(u64, u64),
) -> Result<View, HistoryError> {
    let workers = Workers::start(workers, &context);
    let mut fold = Fold::new(context, workers);
    log.frames(|frame| {
        let seq = frame.header.next_seq() - 1;
        fold.take(&Entries::new(frame.entries))?;
        progress(seq, position.seq);
        Ok::<(), HistoryError>(())
    })?;
    Ok(fold.settle(position))
}

fn without_accounts(context: FoldContext, position: Position) -> View {
    let FoldContext { names, plan, watch, control_state, .. } = context;
    let (tenant, intake) = (Arc::new(Tenant::default()), Arc::default());
    View {
        position,
        names,
        control_state,
        plan,
        watch,
        tenant,
        intake,
        closed_through: None,
        parts: Vec::new(),
    }
}
