//! Reads the wall clock and the monotonic clock. No other file reads the machine's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidewatch_projections::event::Micros;

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Microseconds since 1970-01-01T00:00:00Z. May jump in either direction; whoever needs order keeps the greatest.
    fn now(&self) -> Micros;
}

/// The machine's monotonic clock, for waits and how long work took: no state and no answer depends on it.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
pub fn monotonic() -> Instant {
    Instant::now()
}

#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Micros {
        let micros =
            |duration: std::time::Duration| Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX);
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        }
    }
}
