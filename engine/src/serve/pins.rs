//! Keeps the views that further pages of a list are read from, in bounded number and for a bounded time.
//!
//! A page must stand where the first one stood, so its view is kept. Views share what did not change, but in the worst
//! case each kept one is a whole copy of the state; so their number is bounded. As long as fewer than
//! [`PINS_FRESH`] are kept every list gets the newest view. Past that, lists that ask for no particular position share
//! the newest kept view while it is younger than [`SHARED_FOR`]; that lasts long enough for the oldest to go before the
//! places left run out, unless readers keep turning pages of all of them: then an older one is shared. So only lists
//! with a `min_position` are ever turned away.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::api_error::ApiError;

/// Positions kept at most.
pub const PINS_MAX: usize = 32;
/// Up to this many, every list gets the newest view.
pub const PINS_FRESH: usize = 16;
/// How long a position stays after it was last asked for.
pub const LIVES: Duration = Duration::from_secs(15 * 60);
/// How old the newest kept view may be that a list shares.
pub const SHARED_FOR: Duration = Duration::from_secs(60);

const _: () = assert!(
    (PINS_MAX - PINS_FRESH) as u64 * SHARED_FOR.as_secs() >= LIVES.as_secs(),
    "the places left for shared views outlast a position's life"
);

/// The kept views, by the sequence they stand at.
pub struct Pins<V> {
    kept: Mutex<BTreeMap<u64, Pin<V>>>,
}

struct Pin<V> {
    view: Arc<V>,
    made: Instant,
    used: Instant,
}

impl<V> Pin<V> {
    fn is_young(&self, now: Instant) -> bool {
        now.duration_since(self.made) < SHARED_FOR
    }
}

impl<V> Default for Pins<V> {
    fn default() -> Self {
        Self { kept: Mutex::new(BTreeMap::new()) }
    }
}

impl<V> Pins<V> {
    /// The view a new list should use: `newest`, or a kept one while many are kept. `fresh` says that only the newest
    /// will do.
    pub fn choose(&self, now: Instant, newest: Arc<V>, fresh: bool) -> Arc<V> {
        let kept = self.live(now);
        match kept.values().next_back() {
            Some(pin)
                if !fresh && (kept.len() >= PINS_MAX || kept.len() >= PINS_FRESH && pin.is_young(now)) =>
            {
                Arc::clone(&pin.view)
            }
            _ => newest,
        }
    }

    /// Keeps the view of a list that has further pages.
    ///
    /// # Errors
    /// [`ApiError::TooManyLists`] when as many are kept as may be and none may go.
    pub fn keep(&self, now: Instant, sequence: u64, view: &Arc<V>) -> Result<(), ApiError> {
        let mut kept = self.live(now);
        if let Some(pin) = kept.get_mut(&sequence) {
            pin.used = now;
            return Ok(());
        }
        if kept.len() >= PINS_MAX {
            let oldest = kept.values().map(|pin| pin.used).min().unwrap_or(now);
            let retry = LIVES.saturating_sub(now.duration_since(oldest));
            return Err(ApiError::TooManyLists { lists_max: PINS_MAX, retry_s: retry.as_secs() + 1 });
        }
        kept.insert(sequence, Pin { view: Arc::clone(view), made: now, used: now });
        Ok(())
    }

    /// The view kept at a sequence, for another of its pages.
    ///
    /// # Errors
    /// [`ApiError::PageTokenExpired`] when it is no longer kept.
    pub fn resume(&self, now: Instant, sequence: u64) -> Result<Arc<V>, ApiError> {
        let mut kept = self.live(now);
        let pin = kept.get_mut(&sequence).ok_or(ApiError::PageTokenExpired { sequence })?;
        pin.used = now;
        Ok(Arc::clone(&pin.view))
    }

    /// How many positions are kept.
    pub fn count(&self, now: Instant) -> usize {
        self.live(now).len()
    }

    fn live(&self, now: Instant) -> std::sync::MutexGuard<'_, BTreeMap<u64, Pin<V>>> {
        // The map is whole after every statement, so a panic elsewhere cannot have left it half changed.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, pin| now.duration_since(pin.used) < LIVES);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::monotonic;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_position_lives_a_quarter_of_an_hour_after_its_last_page() {
        let (pins, start) = (Pins::default(), monotonic());
        pins.keep(start, 7, &Arc::new("seven")).unwrap();
        assert_eq!(*pins.resume(start + LIVES - SECOND, 7).unwrap(), "seven");
        assert_eq!(*pins.resume(start + LIVES + LIVES - 2 * SECOND, 7).unwrap(), "seven");
        let late = start + 3 * LIVES;
        assert_eq!(pins.resume(late, 7), Err(ApiError::PageTokenExpired { sequence: 7 }));
        assert_eq!(pins.count(late), 0);
    }

    #[test]
    fn lists_without_a_position_are_never_turned_away_and_at_most_a_minute_old() {
        let (pins, start) = (Pins::default(), monotonic());
        for tick in 0..4 * LIVES.as_secs() {
            let now = start + tick as u32 * SECOND;
            let view = pins.choose(now, Arc::new(tick), false);
            assert!(tick - *view < SHARED_FOR.as_secs(), "{tick}: {view}");
            pins.keep(now, *view, &view).unwrap();
        }
    }

    #[test]
    fn a_list_at_a_position_gets_it_or_is_told_when_to_come_back() {
        let (pins, start) = (Pins::default(), monotonic());
        for sequence in 0..PINS_MAX as u64 {
            let view = pins.choose(start, Arc::new(sequence), true);
            assert_eq!(*view, sequence);
            pins.keep(start, sequence, &view).unwrap();
        }
        let refused = pins.keep(start + 60 * SECOND, 99, &Arc::new(99)).unwrap_err();
        assert_eq!(refused, ApiError::TooManyLists { lists_max: PINS_MAX, retry_s: 14 * 60 + 1 });
    }
}
