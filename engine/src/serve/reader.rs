//! The part of an engine that services read from: views, history, index and status.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;

use super::api_error::ApiError;
use super::caller::Caller;
use super::monotonic;
use super::token::parse_position;
use crate::app::Engine;
use crate::cancellation::Cancellation;
use crate::fold::history::History;
use crate::fold::view::{Published, View};
use crate::position::Position;
use crate::read::admission::Cost;
use crate::read::index::Index;
use crate::read::scheduler::{Answer, QuestionDigest, Scheduler};
use crate::read::snapshot::ReadSnapshot;

/// How long a read waits for its `min_position` at most.
pub const MIN_POSITION_WAIT_MAX: Duration = Duration::from_secs(10);

/// The engine as the services see it. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    engine: Arc<Engine>,
    /// `None` where the engine only writes.
    published: Option<Arc<Published>>,
    index: Arc<Index>,
    scheduler: Arc<Scheduler>,
    scan_workers: usize,
    caller: Caller,
}

impl Reader {
    /// Reads an engine that folds; `None` for one that only writes. Reads of the past are run by `scheduler`, each on up to
    /// `scan_workers` threads.
    pub fn new(
        engine: Arc<Engine>,
        index: Arc<Index>,
        scheduler: Arc<Scheduler>,
        scan_workers: usize,
    ) -> Option<Self> {
        let published = Some(Arc::clone(engine.published()?));
        Some(Self { engine, published, index, scheduler, scan_workers, caller: Caller::Network })
    }

    /// Reads an engine for a command of this process. One that only writes refuses what needs a view.
    pub fn of_command_line(
        engine: Arc<Engine>,
        index: Arc<Index>,
        scheduler: Arc<Scheduler>,
        scan_workers: usize,
    ) -> Self {
        let published = engine.published().map(Arc::clone);
        Self { engine, published, index, scheduler, scan_workers, caller: Caller::CommandLine }
    }

    pub fn caller(&self) -> Caller {
        self.caller
    }

    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// The index, which may lie behind the log.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// What runs reads of the past.
    pub fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    /// Reads the past: every answer from the log comes by here, or from the scheduler itself. Work reads a log that the
    /// given cancellation ends ([`History::cancelled_by`]).
    ///
    /// # Errors
    /// What the work says; when as many reads wait as may, and when the deadline passes.
    pub async fn past<T: Send + Sync + 'static>(
        &self,
        question: QuestionDigest,
        cost: Cost,
        deadline: Option<Instant>,
        work: impl FnOnce(&Cancellation) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Arc<Answer<T>>, ApiError> {
        self.scheduler.ask(Some(question), cost, work)?.answer(deadline).await
    }

    fn published(&self) -> Result<&Published, ApiError> {
        self.published.as_deref().ok_or(ApiError::NotFolded)
    }

    /// The newest view.
    ///
    /// # Errors
    /// When the engine does not fold accounts.
    pub fn newest(&self) -> Result<Arc<View>, ApiError> {
        folded(self.published()?.load())
    }

    /// Tells of every published sequence.
    ///
    /// # Errors
    /// When the engine does not fold accounts.
    pub fn watch(&self) -> Result<tokio::sync::watch::Receiver<u64>, ApiError> {
        Ok(self.published()?.watch())
    }

    /// The sequence that a position token names, of this history.
    ///
    /// # Errors
    /// For a token of another shard or history, and one past what is durable.
    pub fn sequence(&self, token: &str) -> Result<u64, ApiError> {
        let here = self.position();
        match wanted(token, here)? {
            seq if seq <= here.seq => Ok(seq),
            seq => Err(ApiError::PositionNotReached { wanted: seq, published: here.seq, refold: None }),
        }
    }

    /// Where the newest view stands; the durable end of the log where there is none.
    pub fn position(&self) -> Position {
        match &self.published {
            Some(published) => published.load().position,
            None => self.engine.position(*self.engine.durable().borrow()),
        }
    }

    /// The newest view, once it stands at the position a request asks for (an empty token asks for none). Waits no longer
    /// than `deadline` and [`MIN_POSITION_WAIT_MAX`].
    ///
    /// # Errors
    /// For a token of another history; when the time is over; when the engine does not fold accounts.
    pub async fn view(&self, min_position: &str, deadline: Option<Instant>) -> Result<Arc<View>, ApiError> {
        folded(self.log_view(min_position, deadline).await?)
    }

    /// The same for what only the settings and the log answer: of a directory that was opened without a fold, the view has
    /// no accounts.
    ///
    /// # Errors
    /// As [`Reader::view`]; of engines without a fold, only one that writes is refused.
    pub async fn log_view(
        &self,
        min_position: &str,
        deadline: Option<Instant>,
    ) -> Result<Arc<View>, ApiError> {
        let source = self.published()?;
        let view = source.load();
        if min_position.is_empty() {
            return Ok(view);
        }
        let wanted = wanted(min_position, view.position)?;
        if !view.shows(wanted) {
            let latest = monotonic() + MIN_POSITION_WAIT_MAX;
            let until = deadline.map_or(latest, |deadline| deadline.min(latest));
            let mut published = source.watch();
            let reached = timeout_at(until.into(), published.wait_for(|_| source.load().shows(wanted))).await;
            if !matches!(reached, Ok(Ok(_))) {
                let view = source.load();
                let published = view.position.seq;
                let refold = self.engine.refolding(&view);
                return Err(ApiError::PositionNotReached { wanted, published, refold });
            }
        }
        Ok(source.load())
    }

    /// The log up to the position of a view.
    pub fn history(&self, view: &View) -> History {
        self.engine.history().until(view.position.seq).under(&view.control_state)
    }

    /// A view with the log below it.
    pub fn snapshot(&self, view: &Arc<View>) -> ReadSnapshot {
        ReadSnapshot {
            view: Arc::clone(view),
            history: self.history(view),
            tenant: self.engine.directory().tenant().into(),
            workers: self.scan_workers,
        }
    }
}

fn folded(view: Arc<View>) -> Result<Arc<View>, ApiError> {
    if view.is_folded() { Ok(view) } else { Err(ApiError::NotFolded) }
}

fn wanted(token: &str, here: Position) -> Result<u64, ApiError> {
    let invalid = |problem: &str| ApiError::InvalidPosition { problem: problem.to_owned() };
    let asked = parse_position(token).ok_or_else(|| invalid("is no position token, or a damaged one"))?;
    if asked.shard != here.shard {
        return Err(invalid(&format!("is of shard {}, this is shard {}", asked.shard, here.shard)));
    }
    if asked.lineage != here.lineage {
        let problem = format!(
            "is of lineage {:032x}, this is {:032x}: a backup was restored since; read without it",
            asked.lineage, here.lineage
        );
        return Err(ApiError::InvalidPosition { problem });
    }
    Ok(asked.seq)
}
