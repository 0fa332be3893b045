//! Says when the frame being filled is closed: at once where somebody waits for it, else a few milliseconds after the one
//! before.

use std::time::{Duration, Instant};

use super::queues::Priority;

/// Time that a frame nobody waits for stays open after the one before was closed. Writing, syncing, folding and publishing a
/// frame costs the same for one entry and for a hundred; on a steady feed this many entries more share it.
pub const LINGER: Duration = Duration::from_millis(4);

/// Sans-IO: it is told the time.
///
/// An entry that comes after a pause goes out at once, since the frame before was closed long ago.
#[derive(Debug)]
pub struct Linger {
    closed_at: Instant,
    is_awaited: bool,
}

impl Linger {
    /// Begins at `now`, before the first frame.
    pub fn new(now: Instant) -> Self {
        Self { closed_at: now, is_awaited: false }
    }

    /// Something of this priority went into the frame being filled.
    pub fn fill(&mut self, priority: Priority) {
        // Nobody waits for what a stream brings; a command and an import have a caller.
        self.is_awaited |= priority != Priority::Live;
    }

    /// A frame was closed at `now`; the next one begins.
    pub fn close(&mut self, now: Instant) {
        *self = Self { closed_at: now, is_awaited: false };
    }

    /// From when on the frame being filled is closed if the writer is free.
    pub fn due(&self) -> Instant {
        if self.is_awaited { self.closed_at } else { self.closed_at + LINGER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn a_stream_fills_a_frame_until_the_one_before_is_four_milliseconds_old() {
        let start = monotonic();
        let mut linger = Linger::new(start);
        let mut closed_ms = Vec::new();
        for ms in 0..20 {
            linger.fill(Priority::Live);
            let now = start + Duration::from_millis(ms);
            if linger.due() <= now {
                linger.close(now);
                closed_ms.push(ms);
            }
        }
        assert_eq!(closed_ms, [4, 8, 12, 16]);
    }

    #[test]
    fn a_command_and_an_import_close_what_a_stream_has_begun() {
        let start = monotonic();
        for priority in [Priority::Command, Priority::Bulk] {
            let mut linger = Linger::new(start);
            linger.fill(Priority::Live);
            assert_eq!(linger.due(), start + LINGER);
            linger.fill(priority);
            linger.fill(Priority::Live);
            assert_eq!(linger.due(), start);
        }
    }

    #[test]
    fn whoever_waited_waits_no_more_for_the_frame_after() {
        let start = monotonic();
        let mut linger = Linger::new(start);
        linger.fill(Priority::Command);
        let closed_at = start + Duration::from_millis(1);
        linger.close(closed_at);
        linger.fill(Priority::Live);
        assert_eq!(linger.due(), closed_at + LINGER);
    }

    #[test]
    fn what_comes_after_a_pause_is_due_at_once() {
        let start = monotonic();
        let mut linger = Linger::new(start);
        linger.fill(Priority::Live);
        assert!(linger.due() <= start + Duration::from_secs(60));
    }
}
