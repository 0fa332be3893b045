//! Appends and syncs frames, and only then releases what depends on them.

use std::collections::VecDeque;

use crate::failpoint::{Place, pass};
use crate::planted::{self, Bug};
use crate::storage::log::{Durable, LogError, LogWriter};
use crate::write::sequencer::Emit;

/// Writes what the sequencer emits, in its order.
pub struct Writer {
    log: LogWriter,
    waiting: VecDeque<Emit>,
    /// Written, not synced yet.
    written: Vec<Emit>,
}

impl Writer {
    /// A writer of an opened log.
    pub fn new(log: LogWriter) -> Self {
        Self { log, waiting: VecDeque::new(), written: Vec::new() }
    }

    /// Queues emits behind those before.
    pub fn push(&mut self, emits: impl IntoIterator<Item = Emit>) {
        self.waiting.extend(emits);
    }

    /// Writes all queued frames and syncs; gives everything that holds from now on, in its order.
    ///
    /// # Errors
    /// [`LogError::DiskFull`]: nothing is lost, [`Writer::write`] goes on where it stopped when it is called again. After any
    /// other error nothing more is written, and nothing that was not given out may be acknowledged.
    pub fn write(&mut self) -> Result<Vec<Emit>, LogError> {
        while let Some(emit) = self.waiting.front() {
            if let Emit::Frame(filled) = emit {
                pass(Place::BeforeAppend);
                self.log.append(&filled.frame)?;
            }
            self.written.extend(self.waiting.pop_front());
        }
        if planted::active(Bug::AcknowledgeBeforeSync) {
            return Ok(std::mem::take(&mut self.written));
        }
        pass(Place::BeforeSync);
        self.log.sync()?;
        pass(Place::BeforeAnswer);
        Ok(std::mem::take(&mut self.written))
    }

    /// How far the log is durable.
    pub fn durable(&self) -> Durable {
        self.log.durable()
    }

    /// Ends the log in order.
    ///
    /// # Errors
    /// Whatever the disk says; what was durable stays so.
    pub fn close(self) -> Result<Durable, LogError> {
        self.log.close()
    }
}
