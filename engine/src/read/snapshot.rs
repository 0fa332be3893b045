//! A consistent source for one answer: a view and the log up to its position.

use std::sync::Arc;

use crate::cancellation::Cancellation;
use crate::fold::history::History;
use crate::fold::view::View;

/// A view, and the log up to its position.
#[derive(Clone)]
pub struct ReadSnapshot {
    /// Everything up to its position, folded.
    pub view: Arc<View>,
    /// The log up to that position, for what memory does not answer exactly.
    pub history: History,
    /// Whose data it is.
    pub tenant: Arc<str>,
    /// Threads one reading of the log may use.
    pub workers: usize,
}

impl ReadSnapshot {
    /// The same one; its readings of the log end once they are cancelled.
    pub fn cancelled_by(self, cancellation: &Cancellation) -> Self {
        Self { history: self.history.cancelled_by(cancellation), ..self }
    }
}
