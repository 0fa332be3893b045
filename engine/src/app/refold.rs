//! Folds the log anew on threads of their own while everything else goes on, as after another model was adopted.
//!
//! The first pass reads the log up to where the served fold stands, the next what came meanwhile, and so on until so little is
//! left that it is folded between two frames ([`crate::fold::served::Served`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use super::{Engine, Shared};
use crate::cancellation::{Cancellation, CancelledWhenDropped};
use crate::fold::history::{History, HistoryError};
use crate::fold::refold::Refold;
use crate::fold::replay::Fold;
use crate::fold::view::View;
use crate::fold::worker::FoldContext;
use crate::fold::workers::Workers;
use crate::meters::REFOLDED;

/// With so few entries left the served fold waits for them: some milliseconds of folding.
const REST_ENTRIES_MAX: u64 = 8_192;
/// Parts of the log after each of which the log of the process says how far it is.
const TOLD_PARTS: u64 = 10;

/// How far a fold has come that something adopted waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefoldProgress {
    /// The sequence of the first adoption or reset that waits.
    pub since_seq: u64,
    /// Everything up to here is folded.
    pub folded_seq: u64,
    /// The last durable sequence.
    pub last_seq: u64,
}

impl Engine {
    /// How far the fold has come that a view lacks; `None` when all that is adopted shows in it.
    pub fn refolding(&self, view: &View) -> Option<RefoldProgress> {
        let since_seq = view.control_state.waiting.first()?;
        let last_seq = *self.shared.durable.borrow();
        let folded_seq = self.shared.refolded_seq.load(Ordering::Relaxed).min(last_seq);
        Some(RefoldProgress { since_seq, folded_seq, last_seq })
    }
}

/// A fold that is run beside the served one. It ends early when this is dropped.
pub(super) struct Refolding {
    served_seq: Arc<AtomicU64>,
    ready: Receiver<Result<Refold<Workers>, HistoryError>>,
    retire: SyncSender<Fold<Workers>>,
    _cancelled: CancelledWhenDropped,
}

impl Refolding {
    /// Starts to fold `history` under `context`; the served fold stands at `served_seq`.
    pub(super) fn start(
        shared: &Arc<Shared>,
        history: &History,
        context: FoldContext,
        workers: usize,
        served_seq: u64,
    ) -> (Self, JoinHandle<()>) {
        let cancellation = Cancellation::default();
        let cancelled = cancellation.when_dropped();
        let history = history.cancelled_by(&cancellation);
        let served_seq = Arc::new(AtomicU64::new(served_seq));
        let (to_served, ready) = sync_channel(1);
        let (retire, retired) = sync_channel(1);
        let (shared, until) = (Arc::clone(shared), Arc::clone(&served_seq));
        let run = move || {
            let folded = catch_up(&shared, &history, context, workers, &until);
            drop(history);
            // Where nobody waits for it any more it ends here; else what was served until now does, off the path of the next frame.
            if to_served.send(folded).is_ok() {
                drop(retired.recv());
            }
        };
        let thread = thread::Builder::new().name("refold".into()).spawn(run);
        let thread = thread.expect("the system gives a thread for each of a few folds");
        (Self { served_seq, ready, retire, _cancelled: cancelled }, thread)
    }

    /// The served fold stands at a sequence now.
    pub(super) fn follow(&self, served_seq: u64) {
        self.served_seq.store(served_seq, Ordering::Relaxed);
    }

    /// The fold, once it has come close.
    ///
    /// # Errors
    /// Whatever the log said.
    pub(super) fn ready(&self) -> Result<Option<Refold<Workers>>, String> {
        match self.ready.try_recv() {
            Ok(folded) => folded.map(Some).map_err(|error| error.to_string()),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => {
                Err("the fold beside the view panicked; the message above says where".into())
            }
        }
    }

    /// Lets its thread end the fold that it took the place of: to free a whole state takes its time.
    pub(super) fn retire(self, retired: Fold<Workers>) {
        // A thread that has ended gives it back, and it ends here.
        let _retired = self.retire.send(retired);
    }
}

fn catch_up(
    shared: &Shared,
    history: &History,
    context: FoldContext,
    workers: usize,
    served_seq: &AtomicU64,
) -> Result<Refold<Workers>, HistoryError> {
    let refolded = shared.meters.gauge(&REFOLDED, &[]);
    let executor = Workers::start(workers, &context);
    let mut refold = Refold::new(history, context, executor);
    let mut told_part = 0;
    loop {
        let (from_seq, until_seq) = (refold.seq(), served_seq.load(Ordering::Relaxed));
        refold.read_on(until_seq, |seq| {
            shared.refolded_seq.store(seq, Ordering::Relaxed);
            refolded.set(seq as f64);
            let part = seq * TOLD_PARTS / until_seq.max(1);
            if part > told_part {
                told_part = part;
                let percent = part * (100 / TOLD_PARTS);
                tracing::info!(seq, last_seq = until_seq, "{percent} % of the log are folded anew");
            }
            (shared.refold_progress)(seq, until_seq);
        })?;
        let pass_entries = refold.seq() - from_seq;
        if is_close(served_seq.load(Ordering::Relaxed) - refold.seq(), pass_entries) {
            return Ok(refold);
        }
    }
}

/// Whether the rest is little enough to be folded between two frames; one that does not become less from pass to pass never
/// will, and whoever brings it waits for it then.
fn is_close(rest_entries: u64, pass_entries: u64) -> bool {
    rest_entries <= REST_ENTRIES_MAX || rest_entries >= pass_entries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_end_when_little_is_left_or_they_gain_nothing() {
        assert!(is_close(0, 0) && is_close(REST_ENTRIES_MAX, 10_000_000));
        assert!(!is_close(REST_ENTRIES_MAX + 1, 10_000_000) && !is_close(999_999, 1_000_000));
        assert!(
            is_close(1_000_000, 1_000_000),
            "an import as fast as the fold is held up once, not for ever"
        );
    }
}
