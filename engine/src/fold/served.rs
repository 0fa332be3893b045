//! The fold that answers are read from, and how another one takes its place.
//!
//! What changes the meaning of everything cannot show in a fold of its past. The fold goes on under what was in force before,
//! a [`Refold`] is run beside it, and once that has come close it is put in its place between two frames. Until then an answer
//! says that something waits ([`crate::control::state::Waiting`]). Sans-IO but for the log, which the refold reads: the
//! running engine and the simulation step through it alike.

use super::history::HistoryError;
use super::refold::Refold;
use super::replay::{Executor, Fold, Taken};
use super::step::Entries;
use crate::planted::{self, Bug};

/// What a frame changed.
pub enum Change<E> {
    /// Its events were folded in.
    Events,
    /// So were its control entries: readers wait for what they change.
    Control,
    /// Something was adopted that waits for another fold, under what [`super::step::Step::adopted`] says now. One that was under
    /// way is of no use any more; here is the one that was to take the place of this at the next frame, if there was one.
    Refold(Option<Fold<E>>),
    /// Another fold was put in the place of this one: everything that was adopted shows.
    Replaced(Fold<E>),
}

/// A fold, how far it has come, and what is to take its place.
pub struct Served<E> {
    fold: Fold<E>,
    seq: u64,
    next: Option<Refold<E>>,
}

impl<E: Executor> Served<E> {
    /// A fold that has taken everything up to `seq`.
    pub fn new(fold: Fold<E>, seq: u64) -> Self {
        Self { fold, seq, next: None }
    }

    /// The fold.
    pub fn fold(&self) -> &Fold<E> {
        &self.fold
    }

    /// Who folds the accounts.
    pub fn executor_mut(&mut self) -> &mut E {
        self.fold.executor_mut()
    }

    /// Everything up to here is folded in, or queued for whoever does.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether another fold takes the place of this one at the next frame.
    pub fn is_to_be_replaced(&self) -> bool {
        self.next.is_some()
    }

    /// Puts a fold of everything that was adopted so far in the place of this one, at the next frame that brings an entry: two
    /// views of one position never differ.
    pub fn replace(&mut self, next: Refold<E>) {
        self.next = Some(next);
    }

    /// Takes the next durable frame.
    ///
    /// # Errors
    /// [`super::step::StepError`] for a control entry that this version cannot read; whatever the log says to the fold that takes
    /// the place of this one.
    pub fn take(&mut self, last_seq: u64, entries: &Entries) -> Result<Change<E>, HistoryError> {
        let taken = self.fold.take(entries)?;
        let brings_entry = last_seq > self.seq;
        self.seq = last_seq;
        if taken == Taken::Refold {
            return Ok(Change::Refold(self.next.take().map(Refold::into_fold)));
        }
        if brings_entry && let Some(mut next) = self.next.take() {
            if !planted::active(Bug::SwitchBeforeTheRest) {
                next.read_on(last_seq, |_| ())?;
            }
            return Ok(Change::Replaced(std::mem::replace(&mut self.fold, next.into_fold())));
        }
        Ok(if taken == Taken::Control { Change::Control } else { Change::Events })
    }
}
