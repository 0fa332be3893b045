//! Watches the signals that ask a process to end.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Interruption, as by Ctrl-C, and termination. While it lives they end nothing by themselves.
pub(super) struct EndSignals {
    interrupted: Signal,
    terminated: Signal,
}

impl EndSignals {
    /// Takes the signals over, inside a runtime.
    pub(super) fn watch() -> io::Result<Self> {
        Ok(Self {
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next of them.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}
