//! Makes mutations idempotent: the same `request_id` with the same body gets the same answer.
//!
//! Answers are remembered in this process. Of mutations that their position answers the log remembers them too: what it
//! carried out before this process began is answered from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tidewatch_proto::prost::Message;
use tidewatch_proto::v1;

use super::api_error::ApiError;
use super::caller::Caller;
use super::token::query_digest;
use super::{convert, monotonic};
use crate::app::Engine;
use crate::control::request::Request;
use crate::position::Position;
use crate::write::sequencer::Command;

/// How long an answer is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);
/// Longest `request_id`, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 128;
/// Longest `on_behalf_of`, in bytes.
pub const ON_BEHALF_OF_BYTES_MAX: usize = 256;
/// Answers remembered at most; past it the oldest is forgotten.
pub const REMEMBERED_MAX: usize = 10_000;

/// Reads who asks for a mutation and under which id.
///
/// # Errors
/// Without an id, or with texts past their limits.
pub fn request(
    engine: &Engine,
    caller: Caller,
    method: &str,
    (id, on_behalf_of): (&str, &str),
    message: &impl Message,
) -> Result<Request, ApiError> {
    if id.is_empty() || id.len() > REQUEST_ID_BYTES_MAX {
        return Err(ApiError::RequestIdMissing { bytes_max: REQUEST_ID_BYTES_MAX });
    }
    if on_behalf_of.len() > ON_BEHALF_OF_BYTES_MAX {
        let (bytes, most) = (on_behalf_of.len(), ON_BEHALF_OF_BYTES_MAX);
        return Err(ApiError::TooLong { field: "on_behalf_of", bytes, most });
    }
    Ok(Request {
        actor: caller.actor().into(),
        on_behalf_of: on_behalf_of.into(),
        id: id.into(),
        body: query_digest(method, &message.encode_to_vec()),
        at: engine.now(),
    })
}

/// The answers of all methods.
#[derive(Default)]
pub struct IdempotencyStore {
    remembered: Mutex<HashMap<Box<str>, Arc<Remembered>>>,
}

struct Remembered {
    until: Instant,
    body: u64,
    /// Held while the request is carried out, so that a repetition waits for the answer.
    answer: Mutex<Option<Answer>>,
}

/// What a request was answered with.
enum Answer {
    /// Where it holds; the log knows that too.
    Position(Position),
    /// A message, encoded.
    Message(Vec<u8>),
}

impl IdempotencyStore {
    /// Knows what the engine's log had carried out when it was opened.
    pub fn of(engine: &Engine) -> Self {
        let (idempotency, now) = (Self::default(), monotonic());
        for carried_out in engine.carried_out() {
            let request = &carried_out.request;
            let age_us = u64::try_from(engine.now().saturating_sub(request.at)).unwrap_or(0);
            let Some(left) = REMEMBERED_FOR.checked_sub(Duration::from_micros(age_us)) else { continue };
            let entry = idempotency.entry(now, now + left, request);
            *entry.answer() = Some(Answer::Position(engine.position(carried_out.seq)));
        }
        idempotency
    }

    /// Carries out a command that its position answers, or answers as the first time. What was refused is tried again.
    ///
    /// # Errors
    /// With an id used for another body, and whatever the engine says.
    pub fn submit(
        &self,
        engine: &Engine,
        command: Command,
        request: &Request,
    ) -> Result<v1::Position, ApiError> {
        let entry = self.claim(monotonic(), request)?;
        let mut answer = entry.answer();
        let position = match *answer {
            Some(Answer::Position(first)) => first,
            _ => engine.submit(command, Some(request))?,
        };
        *answer = Some(Answer::Position(position));
        Ok(convert::position(position))
    }

    /// Carries a request out, or answers as the first time. What was refused is tried again.
    ///
    /// # Errors
    /// With an id used for another body, and whatever `act` says.
    pub fn once<A: Message + Default>(
        &self,
        request: &Request,
        act: impl FnOnce() -> Result<A, ApiError>,
    ) -> Result<A, ApiError> {
        let entry = self.claim(monotonic(), request)?;
        let mut answer = entry.answer();
        if let Some(first) = first(&answer) {
            return Ok(first);
        }
        let fresh = act()?;
        *answer = Some(Answer::Message(fresh.encode_to_vec()));
        Ok(fresh)
    }

    /// Carries a request out in any case; one that was carried out before and brought nothing new is answered as the first
    /// time.
    ///
    /// # Errors
    /// With an id used for another body, and whatever `act` says.
    pub fn again<A: Message + Default>(
        &self,
        request: &Request,
        act: impl FnOnce() -> Result<A, ApiError>,
        is_new: impl FnOnce(&A) -> bool,
    ) -> Result<A, ApiError> {
        let entry = self.claim(monotonic(), request)?;
        let mut answer = entry.answer();
        let fresh = act()?;
        match first(&answer) {
            Some(first) if !is_new(&fresh) => Ok(first),
            _ => {
                *answer = Some(Answer::Message(fresh.encode_to_vec()));
                Ok(fresh)
            }
        }
    }

    fn claim(&self, now: Instant, request: &Request) -> Result<Arc<Remembered>, ApiError> {
        let entry = self.entry(now, now + REMEMBERED_FOR, request);
        if entry.body == request.body { Ok(entry) } else { Err(ApiError::RequestIdReused) }
    }

    fn entry(&self, now: Instant, until: Instant, request: &Request) -> Arc<Remembered> {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, entry| now < entry.until);
        if remembered.len() >= REMEMBERED_MAX && !remembered.contains_key(&request.id) {
            let oldest = remembered.iter().min_by_key(|(_, entry)| entry.until).map(|(id, _)| id.clone());
            oldest.and_then(|oldest| remembered.remove(&oldest));
        }
        let new = || Arc::new(Remembered { until, body: request.body, answer: Mutex::new(None) });
        Arc::clone(remembered.entry(request.id.clone()).or_insert_with(new))
    }
}

/// The message of the first time. The body's digest covers the method, so it is of the type that is asked for.
fn first<A: Message + Default>(answer: &Option<Answer>) -> Option<A> {
    match answer {
        Some(Answer::Message(bytes)) => A::decode(bytes.as_slice()).ok(),
        _ => None,
    }
}

impl Remembered {
    fn answer(&self) -> std::sync::MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, body: u64) -> Request {
        Request { actor: "".into(), on_behalf_of: "".into(), id: id.into(), body, at: 0 }
    }

    fn answer(resolved: u64) -> v1::ReplayDeadLettersResponse {
        v1::ReplayDeadLettersResponse { resolved, ..Default::default() }
    }

    #[test]
    fn the_same_request_is_carried_out_once() {
        let idempotency = IdempotencyStore::default();
        let ask = |id, body, resolved| {
            idempotency.once(&request(id, body), || Ok(answer(resolved))).map(|answer| answer.resolved)
        };
        assert_eq!(ask("a", 1, 10), Ok(10));
        assert_eq!(ask("a", 1, 11), Ok(10));
        assert_eq!(ask("a", 2, 12), Err(ApiError::RequestIdReused));
        assert_eq!(ask("b", 2, 13), Ok(13));
    }

    #[test]
    fn an_id_is_free_again_after_a_day() {
        let (idempotency, start) = (IdempotencyStore::default(), monotonic());
        assert!(idempotency.claim(start, &request("a", 1)).is_ok());
        let later = start + REMEMBERED_FOR;
        assert!(idempotency.claim(later - Duration::from_secs(1), &request("a", 2)).is_err());
        assert!(idempotency.claim(later, &request("a", 2)).is_ok());
    }

    #[test]
    fn what_was_refused_is_tried_again() {
        let idempotency = IdempotencyStore::default();
        let refused: Result<v1::ReplayDeadLettersResponse, _> =
            idempotency.once(&request("a", 1), || Err(ApiError::RequestIdReused));
        assert_eq!(refused, Err(ApiError::RequestIdReused));
        assert_eq!(idempotency.once(&request("a", 1), || Ok(answer(7))), Ok(answer(7)));
    }

    #[test]
    fn a_repetition_that_brings_nothing_is_answered_as_the_first_time() {
        let idempotency = IdempotencyStore::default();
        let ask = |resolved| {
            let fresh = || Ok(answer(resolved));
            idempotency.again(&request("a", 1), fresh, |fresh| fresh.resolved > 0).unwrap().resolved
        };
        assert_eq!([ask(5), ask(0), ask(2), ask(0)], [5, 5, 2, 2]);
    }
}
