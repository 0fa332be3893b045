//! Named places at which tests make the process die, so that a crash hits a chosen step.
//!
//! Without the feature `failpoints` every [`pass`] is nothing. With it, `FAILPOINT=BeforeSync:3` in the environment has the
//! process kill itself, as `kill -9` would, when it passes that place for the third time.

/// A place that can be named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A frame is about to be appended.
    BeforeAppend,
    /// Frames were appended and are not synced.
    BeforeSync,
    /// Frames are synced; nobody who asked knows it, and nothing of them is folded.
    BeforeAnswer,
    /// The next segment was made under a temporary name; the one before is not sealed.
    SegmentMade,
    /// The segment before is sealed and cut to its length; the next has no name yet.
    SegmentSealed,
    /// The next segment has its name and no frame.
    SegmentNamed,
    /// A page of a run of ids was written.
    RunPage,
    /// A run of ids is whole and has no name yet.
    RunWritten,
    /// A run of ids has its name; those it replaces are still there.
    RunNamed,
    /// Opening after an abrupt end: the last segment was copied and has not replaced the old one.
    TailCopied,
    /// Opening after an abrupt end: the copy has replaced the old segment.
    TailReplaced,
    /// A frame of the log was read back at opening.
    FrameReplayed,
}

pub const PLACES: [Place; 12] = [
    Place::BeforeAppend,
    Place::BeforeSync,
    Place::BeforeAnswer,
    Place::SegmentMade,
    Place::SegmentSealed,
    Place::SegmentNamed,
    Place::RunPage,
    Place::RunWritten,
    Place::RunNamed,
    Place::TailCopied,
    Place::TailReplaced,
    Place::FrameReplayed,
];

/// The variable that arms a place, as `PLACE:TIMES`.
pub const VARIABLE: &str = "FAILPOINT";

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    use super::{PLACES, Place, VARIABLE};

    /// The armed place, and how often it may still be reached, the last time included.
    static ARMED: OnceLock<Option<(Place, AtomicU64)>> = OnceLock::new();

    #[expect(clippy::disallowed_methods, reason = "no setting, and in no release")]
    fn armed() -> Option<(Place, AtomicU64)> {
        let text = std::env::var(VARIABLE).ok()?;
        let found = text.split_once(':').and_then(|(name, times)| {
            let place = PLACES.into_iter().find(|place| format!("{place:?}") == name)?;
            Some((place, AtomicU64::new(times.parse().ok()?)))
        });
        Some(found.unwrap_or_else(|| panic!("{VARIABLE}={text} is not PLACE:TIMES with one of {PLACES:?}")))
    }

    /// The process is here, and dies if it was told so.
    pub fn pass(place: Place) {
        if let Some((armed, left)) = ARMED.get_or_init(armed)
            && *armed == place
            && left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        }
    }
}

#[cfg(feature = "failpoints")]
pub use armed::pass;

/// The process is here; nothing, in a program built without the feature `failpoints`.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn pass(_place: Place) {}
