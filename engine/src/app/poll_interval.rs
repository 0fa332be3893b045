//! How soon a stream is polled again: at once while it brings much, else a few milliseconds after it brought something.

use std::time::{Duration, Instant};

/// Shortest time from a poll that brought little to the next. Every poll that brings something wakes the sequencer, the writer,
/// the fold and its workers; a little longer than a frame lingers ([`crate::write::linger::LINGER`]), so that what it brings is
/// written at once.
const INTERVAL: Duration = Duration::from_millis(5);
/// Polls that bring at least this many records follow each other at once.
const RECORDS_MANY: usize = 256;

/// Sans-IO: it is told the time.
#[derive(Debug, Default)]
pub(super) struct PollInterval {
    /// When the last poll ended, if it brought little.
    brought_little_at: Option<Instant>,
}

impl PollInterval {
    /// A poll that ended at `now` brought so many records. One that brought none has waited for them itself.
    pub(super) fn poll(&mut self, now: Instant, records: usize) {
        self.brought_little_at = (1..RECORDS_MANY).contains(&records).then_some(now);
    }

    /// How long the next poll has to wait yet; zero when it is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let next = self.brought_little_at.map_or(now, |at| at + INTERVAL);
        next.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    #[test]
    fn a_stream_that_brings_little_is_given_time_to_bring_more() {
        let start = monotonic();
        let mut interval = PollInterval::default();
        assert_eq!(interval.wait(start), Duration::ZERO);
        interval.poll(start, 20);
        assert_eq!(interval.wait(start), INTERVAL);
        assert_eq!(interval.wait(start + Duration::from_millis(2)), Duration::from_millis(3));
        assert_eq!(interval.wait(start + Duration::from_secs(60)), Duration::ZERO);
    }

    #[test]
    fn a_backlog_and_an_idle_stream_are_polled_again_at_once() {
        let start = monotonic();
        let mut interval = PollInterval::default();
        for records in [RECORDS_MANY, 0] {
            interval.poll(start, 1);
            interval.poll(start, records);
            assert_eq!(interval.wait(start), Duration::ZERO, "after {records} records");
        }
    }
}
