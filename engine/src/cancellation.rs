//! Work that is under way can be told that nobody waits for it any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells work to stop. Clones tell the same work.
#[derive(Clone, Debug, Default)]
pub struct Cancellation {
    is_cancelled: Arc<AtomicBool>,
}

/// The work stopped early.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("nobody waits for the answer any more")]
pub struct Cancelled;

impl Cancellation {
    /// Tells the work to stop at its next check.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Goes on unless the work was told to stop. Costs one load, so that it can stand in inner loops.
    ///
    /// # Errors
    /// After [`Cancellation::cancel`].
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled.load(Ordering::Relaxed) { Err(Cancelled) } else { Ok(()) }
    }

    /// Cancels when it is dropped: held by whoever waits.
    pub fn when_dropped(&self) -> CancelledWhenDropped {
        CancelledWhenDropped(self.clone())
    }
}

/// See [`Cancellation::when_dropped`].
#[derive(Debug)]
pub struct CancelledWhenDropped(Cancellation);

impl Drop for CancelledWhenDropped {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
