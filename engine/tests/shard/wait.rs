//! Waits in real time, each with a deadline.
#![expect(clippy::disallowed_methods, reason = "tests of the whole program wait in real time")]

use std::fmt::Debug;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest wait for anything. What is awaited comes within seconds; a machine that builds meanwhile takes minutes.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Looks until what is awaited is there. A look that finds it missing says what it saw instead.
///
/// # Panics
/// When it is not there within [`PATIENCE`].
#[track_caller]
pub fn wait_until<T, S: Debug>(what: &str, mut look: impl FnMut() -> Result<T, S>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => {
                assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}; last seen: {seen:?}");
            }
        }
        sleep(LOOK_EVERY);
    }
}
