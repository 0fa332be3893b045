//! How far apart views are published: closely on a steady feed, ever further apart while a backlog is folded.

use std::time::{Duration, Instant};

/// Shortest time between two views: below the time that a frame lingers, so that on a steady feed each frame is seen as soon as
/// it is folded.
const INTERVAL_MIN: Duration = Duration::from_millis(3);
/// Longest time between two views. Every publication makes the next change of an account copy it, which costs a fold that
/// has a backlog up to a third of its time at the shortest interval and next to nothing at this one.
const INTERVAL_MAX: Duration = Duration::from_millis(250);
/// Frames that hold at least this many entries on average come from a backlog: a source that is not behind brings far
/// fewer while a frame lingers.
const FRAME_ENTRIES_BEHIND: usize = 512;

/// Says when the next view is due. Sans-IO: it is told the time.
///
/// While frames are full the interval doubles from view to view, so that a view is late by no more than the backlog has
/// lasted; once they are not, it is the shortest again.
#[derive(Debug)]
pub(super) struct PublishInterval {
    published_at: Instant,
    interval: Duration,
    /// Folded since then.
    frames: usize,
    entries: usize,
}

impl PublishInterval {
    /// Begins at `now`, when the view of what was read back was published.
    pub(super) fn new(now: Instant) -> Self {
        Self { published_at: now, interval: INTERVAL_MIN, frames: 0, entries: 0 }
    }

    /// A frame of so many entries was folded.
    pub(super) fn fold(&mut self, entries: usize) {
        self.frames += 1;
        self.entries += entries;
    }

    /// How long a view of what was folded has to wait yet; zero when it is due.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.interval.saturating_sub(now.saturating_duration_since(self.published_at))
    }

    /// A view was published at `now`.
    pub(super) fn publish(&mut self, now: Instant) {
        let is_behind = self.frames > 0 && self.entries / self.frames >= FRAME_ENTRIES_BEHIND;
        let interval = if is_behind { (self.interval * 2).min(INTERVAL_MAX) } else { INTERVAL_MIN };
        *self = Self { published_at: now, interval, frames: 0, entries: 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;

    /// Times after the start at which views are published when a frame of `entries` comes each `frame_ms`, in ms.
    fn published(
        interval: &mut PublishInterval,
        start: Instant,
        entries: &[usize],
        frame_ms: u64,
    ) -> Vec<u64> {
        let mut published = Vec::new();
        for (index, entries) in entries.iter().enumerate() {
            let ms = index as u64 * frame_ms;
            interval.fold(*entries);
            if interval.wait(start + Duration::from_millis(ms)).is_zero() {
                published.push(ms);
                interval.publish(start + Duration::from_millis(ms));
            }
        }
        published
    }

    #[test]
    fn a_feed_of_many_small_frames_is_seen_every_three_milliseconds() {
        let start = monotonic();
        let mut interval = PublishInterval::new(start);
        assert_eq!(published(&mut interval, start, &[20; 21], 1), [3, 6, 9, 12, 15, 18]);
    }

    #[test]
    fn a_backlog_is_seen_ever_more_rarely_and_at_least_every_quarter_of_a_second() {
        let start = monotonic();
        let mut interval = PublishInterval::new(start);
        let published = published(&mut interval, start, &[4000; 1000], 1);
        assert_eq!(published, [3, 9, 21, 45, 93, 189, 381, 631, 881]);
    }

    #[test]
    fn after_a_backlog_the_next_view_but_one_comes_soon_again() {
        let start = monotonic();
        let mut interval = PublishInterval::new(start);
        let frames: Vec<usize> = std::iter::repeat_n(4000, 382).chain(std::iter::repeat_n(20, 300)).collect();
        let published = published(&mut interval, start, &frames, 1);
        assert_eq!(published[..9], [3, 9, 21, 45, 93, 189, 381, 631, 634]);
    }

    #[test]
    fn what_comes_after_a_pause_is_due_at_once() {
        let start = monotonic();
        let mut interval = PublishInterval::new(start);
        interval.fold(1);
        assert_eq!(interval.wait(start + Duration::from_millis(2)), Duration::from_millis(1));
        assert_eq!(interval.wait(start + Duration::from_secs(60)), Duration::ZERO);
    }
}
