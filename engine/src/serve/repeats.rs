//! Mutations that may come twice: the same `request_id` with the same body is answered as the first time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidewatch_proto::prost::Message;

use super::monotonic;
use super::refusal::Refusal;
use super::token::query_digest;

/// How long an answer is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);
/// Longest `request_id`, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Answers remembered at most; past it the oldest is forgotten.
pub const REMEMBERED_MAX: usize = 10_000;

/// The answers of one method.
pub struct Repeats<A> {
    remembered: Mutex<HashMap<String, Arc<Remembered<A>>>>,
}

struct Remembered<A> {
    at: Instant,
    body: u64,
    /// Held while the request is carried out, so that a repetition waits for the answer.
    answer: Mutex<Option<A>>,
}

impl<A> Default for Repeats<A> {
    fn default() -> Self {
        Self { remembered: Mutex::default() }
    }
}

impl<A: Clone> Repeats<A> {
    /// Carries a request out, or answers as the first time. What was refused is tried again.
    ///
    /// # Errors
    /// Without an id, with an id used for another body, and whatever `act` says.
    pub fn once(
        &self,
        id: &str,
        request: &impl Message,
        act: impl FnOnce() -> Result<A, Refusal>,
    ) -> Result<A, Refusal> {
        self.once_at(monotonic(), id, query_digest("", &request.encode_to_vec()), act)
    }

    fn once_at(
        &self,
        now: Instant,
        id: &str,
        body: u64,
        act: impl FnOnce() -> Result<A, Refusal>,
    ) -> Result<A, Refusal> {
        if id.is_empty() || id.len() > REQUEST_ID_BYTES_MAX {
            return Err(Refusal::RequestIdMissing { bytes_max: REQUEST_ID_BYTES_MAX });
        }
        let entry = self.entry(now, id, body);
        if entry.body != body {
            return Err(Refusal::RequestIdReused);
        }
        let mut answer = entry.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = answer.as_ref() {
            return Ok(answer.clone());
        }
        let fresh = act()?;
        *answer = Some(fresh.clone());
        Ok(fresh)
    }

    fn entry(&self, now: Instant, id: &str, body: u64) -> Arc<Remembered<A>> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, entry| now.duration_since(entry.at) < REMEMBERED_FOR);
        if remembered.len() >= REMEMBERED_MAX && !remembered.contains_key(id) {
            let oldest = remembered.iter().min_by_key(|(_, entry)| entry.at).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| remembered.remove(&oldest));
        }
        let new = || Arc::new(Remembered { at: now, body, answer: Mutex::new(None) });
        Arc::clone(remembered.entry(id.to_owned()).or_insert_with(new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_is_carried_out_once_a_day() {
        let (repeats, start) = (Repeats::default(), monotonic());
        let ask = |at, id: &str, body, answer| repeats.once_at(at, id, body, || Ok(answer));
        assert_eq!(ask(start, "a", 1, 10), Ok(10));
        assert_eq!(ask(start, "a", 1, 11), Ok(10));
        assert_eq!(ask(start, "a", 2, 12), Err(Refusal::RequestIdReused));
        assert_eq!(ask(start, "b", 2, 13), Ok(13));
        assert_eq!(ask(start + REMEMBERED_FOR, "a", 2, 14), Ok(14));
        assert_eq!(ask(start, "", 1, 0).unwrap_err().reason(), "REQUEST_ID_MISSING");
    }

    #[test]
    fn what_was_refused_is_tried_again() {
        let repeats = Repeats::default();
        let refused = repeats.once_at(monotonic(), "a", 1, || Err::<u8, _>(Refusal::RequestIdReused));
        assert_eq!(refused, Err(Refusal::RequestIdReused));
        assert_eq!(repeats.once_at(monotonic(), "a", 1, || Ok(7)), Ok(7));
    }
}
