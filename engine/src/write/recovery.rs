//! Opens a shard: repairs the log and restores the sequencer and the fold from it.

use std::sync::Arc;

use tidewatch_projections::names::Names;

use crate::failpoint::{Place, pass};
use crate::fold::history::{History, HistoryError};
use crate::fold::replay::Fold;
use crate::fold::step::Entries;
use crate::fold::workers::Workers;
use crate::storage::dedup::{Dedup, DedupError, DedupOptions};
use crate::storage::directory::DEDUP_DIR;
use crate::storage::disk::Disk;
use crate::storage::identity::Identity;
use crate::storage::log::{LogError, LogOptions, LogWriter, Opened};
use crate::write::sequencer::{RecoverError, Sequencer};

/// Why a shard could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log, or what it is read under.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The table of accepted ids.
    #[error(transparent)]
    Dedup(#[from] DedupError),
    /// An entry that the sequencer could not take in again.
    #[error("entry {seq}: {source}")]
    Entry { seq: u64, source: RecoverError },
}

impl From<LogError> for RecoveryError {
    fn from(error: LogError) -> Self {
        Self::History(error.into())
    }
}

/// A shard ready to go on.
pub struct Recovered {
    /// Knows every accepted id, every source and the clock.
    pub sequencer: Sequencer,
    /// The log's only writer.
    pub log: LogWriter,
    /// What opening found and did.
    pub opened: Opened,
    /// The log that was read back.
    pub history: History,
    /// The state at its end, if it was asked for.
    pub fold: Option<Fold<Workers>>,
}

pub struct Recovery<'a> {
    pub disk: Arc<dyn Disk>,
    /// How the log is laid out.
    pub log: LogOptions,
    /// The shard's table of names.
    pub names: Arc<Names>,
    pub identity: Identity,
    /// Memory for the table of recent ids, in bytes.
    pub dedup_memory_bytes_max: u64,
    /// Fold the state on so many workers; `None` does without.
    pub workers: Option<usize>,
    /// Told (sequence, last sequence) as reading goes on.
    pub progress: &'a dyn Fn(u64, u64),
}

impl Recovery<'_> {
    /// Opens the log and reads it back.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn run(self) -> Result<Recovered, RecoveryError> {
        let Self { disk, log, names, identity, dedup_memory_bytes_max, workers, progress } = self;
        let (log, opened) = LogWriter::open(Arc::clone(&disk), log)?;
        let options = DedupOptions {
            dir: DEDUP_DIR.into(),
            lineage: opened.lineage,
            memory_bytes_max: dedup_memory_bytes_max,
        };
        let (dedup, dedup_opened) = Dedup::open(Arc::clone(&disk), options, opened.last_seq)?;
        for discarded in &dedup_opened.discarded {
            tracing::warn!(
                file = discarded.file,
                why = discarded.why,
                "a run of ids is rebuilt from the log"
            );
        }
        let history = History::new(disk, Arc::clone(&names), opened.last_seq);
        let summary = history.summary()?;
        let mut fold = match workers {
            Some(workers) => {
                let context = history.adopted_context(&summary.control_state)?;
                let workers = Workers::start(workers, &context);
                Some(Fold::new(context, workers))
            }
            None => None,
        };
        let mut sequencer = Sequencer::new(names, identity, dedup, opened.last_seq + 1);
        history.frames(|frame| {
            pass(Place::FrameReplayed);
            for (seq, entry) in &frame.entries {
                sequencer
                    .recover(*seq, entry)
                    .map_err(|source| RecoveryError::Entry { seq: *seq, source })?;
            }
            progress(frame.header.next_seq() - 1, opened.last_seq);
            if let Some(fold) = &mut fold {
                fold.take(&Entries::new(frame.entries)).map_err(HistoryError::from)?;
            }
            Ok::<(), RecoveryError>(())
        })?;
        let recovered = sequencer.recovered(opened.recorded_at, opened.checkpoints.clone());
        recovered.map_err(HistoryError::from)?;
        Ok(Recovered { sequencer, log, opened, history, fold })
    }
}
