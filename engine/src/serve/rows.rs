//! Streams the rows of an answer to a client as fast as it takes them.

use std::time::Instant;

use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tonic::Status;

use super::api_error::ApiError;
use super::monotonic;
use super::paging::SLOWNESS_MAX;

/// Rows of a stream that wait for the client.
pub const ROWS_AHEAD_MAX: usize = 64;

/// Rows that become messages one by one, so that a long answer is never there twice.
pub trait WireRows {
    /// A row of the API.
    type Message;

    /// How many rows there are.
    fn count(&self) -> usize;

    /// The row at a place below [`WireRows::count`].
    fn wire(&self, place: usize) -> Self::Message;
}

/// Gives rows out as the client takes them, each in the message that `message` makes of it.
///
/// # Errors
/// Once the deadline has passed, and when the client takes nothing for [`SLOWNESS_MAX`].
pub async fn give_out<R: WireRows, M>(
    rows: &R,
    to: &mpsc::Sender<Result<M, Status>>,
    deadline: Option<Instant>,
    message: impl Fn(R::Message, bool) -> M,
) -> Result<(), ApiError> {
    for place in 0..rows.count() {
        let message = message(rows.wire(place), place == 0);
        let latest = monotonic() + SLOWNESS_MAX;
        let until = deadline.map_or(latest, |deadline| deadline.min(latest));
        match timeout_at(until.into(), to.send(Ok(message))).await {
            Ok(Ok(())) => {}
            Ok(Err(_gone)) => return Ok(()),
            Err(_elapsed) if until < latest => return Err(ApiError::DeadlinePassed),
            Err(_elapsed) => return Err(ApiError::SlowReader { waited_s: SLOWNESS_MAX.as_secs() }),
        }
    }
    Ok(())
}
