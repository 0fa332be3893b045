//! Streams the rows of an answer to a client as fast as it takes them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::time::timeout_at;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::api_error::ApiError;
use super::monotonic;
use super::paging::SLOWNESS_MAX;
use crate::read::scheduler::Answer;

/// What a streaming call answers with.
pub type Answers<M> = Pin<Box<dyn Stream<Item = Result<M, Status>> + Send>>;

/// Messages of a stream that wait for the client.
const MESSAGES_AHEAD_MAX: usize = 64;

/// Rows that become messages one by one, so that a long answer is never there twice.
pub trait WireRows {
    /// A row of the API.
    type Message;

    /// How many rows there are.
    fn count(&self) -> usize;

    /// The row at a place below [`WireRows::count`].
    fn wire(&self, place: usize) -> Self::Message;
}

/// Streams what `give_all` sends, and why it ended early.
pub fn stream<M, F>(give_all: impl FnOnce(mpsc::Sender<Result<M, Status>>) -> F) -> Answers<M>
where
    M: Send + 'static,
    F: Future<Output = Result<(), ApiError>> + Send + 'static,
{
    let (to, told) = mpsc::channel(MESSAGES_AHEAD_MAX);
    let given = give_all(to.clone());
    tokio::spawn(async move {
        if let Err(refusal) = given.await {
            // A client that has gone hears nothing.
            let _told = to.send(Err(refusal.into())).await;
        }
    });
    Box::pin(ReceiverStream::new(told))
}

/// Streams the rows of an answer, each in the message that `message` makes of it and of whether it is the first.
pub fn stream_rows<R, M>(
    rows: Arc<Answer<R>>,
    deadline: Option<Instant>,
    message: impl Fn(R::Message, bool) -> M + Send + 'static,
) -> Answers<M>
where
    R: WireRows + Send + Sync + 'static,
    R::Message: Send,
    M: Send + 'static,
{
    stream(|to| async move { give_out(&**rows, &to, deadline, message).await })
}

/// Gives a message out once the client takes it; `false`: the client has gone.
///
/// # Errors
/// Once the deadline has passed, and when the client takes nothing for [`SLOWNESS_MAX`].
pub async fn give<M>(
    message: M,
    to: &mpsc::Sender<Result<M, Status>>,
    deadline: Option<Instant>,
) -> Result<bool, ApiError> {
    let latest = monotonic() + SLOWNESS_MAX;
    let until = deadline.map_or(latest, |deadline| deadline.min(latest));
    match timeout_at(until.into(), to.send(Ok(message))).await {
        Ok(sent) => Ok(sent.is_ok()),
        Err(_elapsed) if until < latest => Err(ApiError::DeadlinePassed),
        Err(_elapsed) => Err(ApiError::SlowReader { waited_s: SLOWNESS_MAX.as_secs() }),
    }
}

async fn give_out<R: WireRows, M>(
    rows: &R,
    to: &mpsc::Sender<Result<M, Status>>,
    deadline: Option<Instant>,
    message: impl Fn(R::Message, bool) -> M,
) -> Result<(), ApiError> {
    for place in 0..rows.count() {
        let message = message(rows.wire(place), place == 0);
        if !give(message, to, deadline).await? {
            return Ok(());
        }
    }
    Ok(())
}
