//! A fold of the log from its beginning, beside the one that is served, on its way to take its place.

use super::history::{History, HistoryError};
use super::replay::{Executor, Fold};
use super::step::Entries;
use super::worker::FoldContext;
use crate::storage::log::LogReader;

/// A fold and how far in the log it has come. It never reads an adoption that the served fold has not taken: whoever runs it
/// bounds it by [`super::served::Served::seq`].
pub struct Refold<E> {
    fold: Fold<E>,
    reader: LogReader,
    seq: u64,
}

impl<E: Executor> Refold<E> {
    /// A fold of `history` that has read nothing yet.
    pub fn new(history: &History, context: FoldContext, executor: E) -> Self {
        Self { fold: Fold::new(context, executor), reader: history.reader(), seq: 0 }
    }

    /// Everything up to here is folded in, or queued for whoever does.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Folds on up to `until_seq`, and tells the sequence after each frame.
    ///
    /// # Errors
    /// Whatever the log says; once the history is cancelled.
    pub fn read_on(&mut self, until_seq: u64, mut told: impl FnMut(u64)) -> Result<(), HistoryError> {
        self.reader.set_until(until_seq);
        while let Some(frame) = self.reader.next_frame()? {
            let seq = frame.header.next_seq() - 1;
            self.fold.take(&Entries::new(frame.entries))?;
            self.seq = seq;
            told(seq);
        }
        Ok(())
    }

    /// The fold, to go on with.
    pub fn into_fold(self) -> Fold<E> {
        self.fold
    }
}
