//! Reads a whole log back: first its control entries, then every frame.

use std::sync::Arc;

use tidewatch_projections::calendar::UnknownZone;
use tidewatch_projections::model::{Model, ModelError};
use tidewatch_projections::names::{Names, Symbol};
use tidewatch_projections::plan::Bounds;
use tidewatch_projections::tenant::{Tenant, merge_of};

use super::compile::{Compiled, adopted_rules};
use super::replay::{Executor, Fold};
use super::step::{Entries, StepError, control_of};
use super::worker::FoldContext;
use super::workers::Workers;
use crate::cancellation::Cancellation;
use crate::control::entry::Control;
use crate::control::state::{ControlState, Waiting};
use crate::storage::account_index::{self, AccountIndex};
use crate::storage::directory::LOG_DIR;
use crate::storage::disk::Disk;
use crate::storage::log::{BackwardReader, Entry, Excerpt, Frame, LogError, LogReader};

/// Why the log could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error(transparent)]
    Log(#[from] LogError),
    /// An entry of a later version, or a damaged one.
    #[error(transparent)]
    Control(#[from] StepError),
    /// The adopted zone is not in this build's rules.
    #[error("the adopted settings cannot be used: {0}")]
    Zone(#[from] UnknownZone),
    /// The adopted model is not of this version's grammar.
    #[error("the adopted model cannot be used: {0}")]
    Model(#[from] ModelError),
}

/// What control entries and merges add up to: small, and needed before anything is folded.
#[derive(Default)]
pub struct LogSummary {
    /// Settings, model, sources, clock.
    pub control_state: ControlState,
    /// Merges only.
    pub merged: Tenant,
    /// The last sequence.
    pub last_seq: u64,
}

/// The end of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// The log's lineage; 0 of an empty log.
    pub lineage: u128,
    /// The last sequence, 0 of an empty log.
    pub last_seq: u64,
}

/// A whole log on a disk, up to a sequence.
#[derive(Clone)]
pub struct History {
    disk: Arc<dyn Disk>,
    names: Arc<Names>,
    until_seq: u64,
    waiting: Waiting,
    cancellation: Cancellation,
    account_index: Option<Arc<AccountIndex>>,
}

impl History {
    /// The log of `disk` up to `until_seq` included.
    pub fn new(disk: Arc<dyn Disk>, names: Arc<Names>, until_seq: u64) -> Self {
        let (waiting, cancellation) = (Waiting::default(), Cancellation::default());
        Self { disk, names, until_seq, waiting, cancellation, account_index: None }
    }

    /// The same log, whose index of accounts answers for it what is asked of some accounts.
    pub fn indexed_by(self, index: &Arc<AccountIndex>) -> Self {
        Self { account_index: Some(Arc::clone(index)), ..self }
    }

    /// The same log up to another sequence.
    pub fn until(&self, until_seq: u64) -> Self {
        Self { until_seq, ..self.clone() }
    }

    /// The same log, read under what a view is read under: what waits for another fold there is passed over.
    pub fn under(&self, control_state: &ControlState) -> Self {
        Self { waiting: control_state.waiting.clone(), ..self.clone() }
    }

    /// The same log; reading it ends with an error between two frames once it is cancelled.
    pub fn cancelled_by(&self, cancellation: &Cancellation) -> Self {
        Self { cancellation: cancellation.clone(), ..self.clone() }
    }

    /// What ends its readings, for whoever goes on with what was read.
    pub fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// The table that everything read is interned in.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    pub(super) fn reader(&self) -> LogReader {
        self.reader_from(1)
    }

    fn reader_from(&self, from_seq: u64) -> LogReader {
        LogReader::new(Arc::clone(&self.disk), LOG_DIR, Arc::clone(&self.names), from_seq)
            .until(self.until_seq)
            .cancelled_by(&self.cancellation)
    }

    /// Reads the frames that end with a control entry or a merge, and passes over the others without decoding them.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn summary(&self) -> Result<LogSummary, HistoryError> {
        let mut summary = LogSummary::default();
        let last_seq = self.control_frames(|entries| {
            let mut merges = Vec::new();
            for (seq, entry) in entries {
                match entry {
                    Entry::Control(record) => {
                        let control = control_of(seq, &record)?;
                        if self.waiting.contains(seq) {
                            summary.control_state.wait(seq, &control);
                            continue;
                        }
                        summary.control_state.apply(&self.names, seq, &control);
                        if let Control::SourceReset { source, .. } = &control {
                            summary.merged.merges.forget(self.names.intern(source));
                        }
                    }
                    Entry::Event(event) if merge_of(&self.names, &event).is_some() => merges.push(event),
                    Entry::Event(_) | Entry::DeadLetter(_) => {}
                }
            }
            let counting = merges.iter().filter(|event| summary.control_state.counts(event));
            counting.for_each(|event| summary.merged.observe(&self.names, event));
            Ok(())
        })?;
        Ok(LogSummary { last_seq, ..summary })
    }

    /// Calls `each` with every control entry that shows, in the order of their sequences.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn controls(&self, mut each: impl FnMut(u64, Control)) -> Result<(), HistoryError> {
        self.control_frames(|entries| {
            for (seq, entry) in entries {
                if let Entry::Control(record) = entry
                    && !self.waiting.contains(seq)
                {
                    each(seq, control_of(seq, &record)?);
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Calls `each` with the entries of every frame that ends with a control entry or a merge, and passes over the others without
    /// decoding them. Answers the last sequence of the log.
    fn control_frames(
        &self,
        mut each: impl FnMut(Vec<(u64, Entry)>) -> Result<(), StepError>,
    ) -> Result<u64, HistoryError> {
        let mut last_seq = 0;
        let mut reader = self.reader();
        while let Some(raw) = reader.next_raw()? {
            last_seq = raw.header.next_seq() - 1;
            if raw.header.is_control() {
                let frame = raw.decode(&self.names).map_err(|source| LogError::Malformed {
                    file: LOG_DIR.into(),
                    offset: u64::from(raw.header.offset),
                    source,
                })?;
                each(frame.entries)?;
            }
        }
        Ok(last_seq)
    }

    /// Calls `each` with every frame.
    ///
    /// # Errors
    /// Whatever the log or `each` says.
    pub fn frames<E: From<LogError>>(&self, mut each: impl FnMut(Frame) -> Result<(), E>) -> Result<(), E> {
        let mut reader = self.reader();
        while let Some(frame) = reader.next_frame()? {
            each(frame)?;
        }
        Ok(())
    }

    /// Calls `each` with the events of some accounts, frame by frame in the order of their sequences: from where the index of
    /// accounts says, or by a search of every frame where the log has none.
    ///
    /// # Errors
    /// Whatever the log or `each` says.
    pub fn events_of<E: From<LogError>>(
        &self,
        accounts: &[Symbol],
        each: impl FnMut(Excerpt) -> Result<(), E>,
    ) -> Result<(), E> {
        let Self { disk, names, until_seq, cancellation, account_index, .. } = self;
        match account_index {
            Some(index) => index.read(names, accounts, *until_seq, cancellation, each),
            None => account_index::scan(disk, LOG_DIR, names, accounts, *until_seq, cancellation, each),
        }
    }

    /// Calls `each` with every entry from a sequence on; `false` ends the reading.
    ///
    /// # Errors
    /// Whatever the log or `each` says.
    pub fn entries_from<E: From<LogError>>(
        &self,
        from_seq: u64,
        mut each: impl FnMut(u64, Entry) -> Result<bool, E>,
    ) -> Result<(), E> {
        let mut reader = self.reader_from(from_seq);
        while let Some(frame) = reader.next_frame()? {
            for (seq, entry) in frame.entries {
                if !each(seq, entry)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The entry with this sequence.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn entry(&self, seq: u64) -> Result<Option<Entry>, HistoryError> {
        let mut found = None;
        self.entries_from(seq, |at, entry| {
            found = Some(entry).filter(|_| at == seq);
            Ok::<bool, HistoryError>(false)
        })?;
        Ok(found)
    }

    /// Where the log ends, found from its end.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn end(&self) -> Result<End, HistoryError> {
        let mut reader = BackwardReader::open(Arc::clone(&self.disk), LOG_DIR)?;
        while let Some(raw) = reader.previous_raw()? {
            let end = End { lineage: raw.header.lineage, last_seq: raw.header.next_seq() - 1 };
            if end.last_seq <= self.until_seq {
                return Ok(end);
            }
        }
        Ok(End { lineage: 0, last_seq: 0 })
    }

    /// Folds every frame on `workers` threads.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn fold(&self, workers: usize, context: FoldContext) -> Result<Fold<Workers>, HistoryError> {
        let workers = Workers::start(workers, &context);
        let mut fold = Fold::new(context, workers);
        self.replay(&mut fold)?;
        Ok(fold)
    }

    /// Steps a fold that has seen nothing yet through every frame.
    ///
    /// # Errors
    /// Whatever the log says.
    pub fn replay<E: Executor>(&self, fold: &mut Fold<E>) -> Result<(), HistoryError> {
        self.frames(|frame| {
            fold.take(&Entries::new(frame.entries))?;
            Ok(())
        })
    }

    /// What the adopted model is folded under, with bounded accounts. Says so when that model cannot be scored.
    ///
    /// # Errors
    /// When the adopted zone or model is not one this version knows.
    pub fn adopted_context(&self, control_state: &ControlState) -> Result<FoldContext, HistoryError> {
        let model = Model::parse_adopted(control_state.model_text())?;
        if let Err(error) = &model.scoring {
            tracing::warn!(
                "the adopted model gives no scores: {error}; metrics are answered, `tidewatch adopt --model FILE` adopts a mended model"
            );
        }
        let rules = adopted_rules(control_state.rules_text());
        let calendar = control_state.calendar()?;
        let Compiled { plan, watch } =
            Compiled::new(model, rules.as_ref(), &self.names, calendar, Bounds::LIVE)?;
        Ok(FoldContext {
            names: Arc::clone(&self.names),
            plan,
            watch,
            control_state: Arc::new(control_state.clone()),
            only: None,
        })
    }
}
