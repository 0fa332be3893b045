//! `ImportService`: takes files of records that a client pushes.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tidewatch_ingest::checkpoint::FileCheckpoint;
use tidewatch_proto::v1;
use tidewatch_proto::v1::import_records_request::Part;
use tidewatch_proto::v1::import_records_response::Answer;
use tidewatch_proto::v1::import_service_server::ImportService;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::app::{Engine, Ingested, Reading};
use crate::control::request;
use crate::serve::api_error::ApiError;
use crate::serve::convert;
use crate::serve::formats::{self, Formats};
use crate::serve::idempotency::{IdempotencyStore, request};
use crate::serve::paging::aside;
use crate::serve::pushed::{Places, PushedSource, Pushing};
use crate::serve::reader::Reader;

/// Imports that run at once; more are refused.
pub const IMPORTS_MAX: usize = 8;
/// Bytes of records in one batch: a quarter of a frame, so that live sources are never held up for long.
pub const BATCH_BYTES_MAX: usize = 256 << 10;
/// Bytes that a batch takes on its way beside its longest record: as many again as its records, for their places.
pub const MESSAGE_BYTES_MORE: usize = 3 << 20;
/// Files told in one answer.
const FILES_MAX: usize = 10_000;
/// How long a client that is refused may take to hear it and to stop sending.
const HEAR_OUT_MAX: Duration = Duration::from_secs(5);

pub struct Imports {
    reader: Reader,
    formats: Arc<Formats>,
    idempotency: Arc<IdempotencyStore>,
    stop: Arc<AtomicBool>,
    places: Arc<Semaphore>,
}

impl Imports {
    /// Imports into the engine of this reader until `stop` is set.
    pub fn new(
        reader: Reader,
        formats: Arc<Formats>,
        idempotency: Arc<IdempotencyStore>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self { reader, formats, idempotency, stop, places: Arc::new(Semaphore::new(IMPORTS_MAX)) }
    }
}

type Answers = mpsc::Sender<Result<v1::ImportRecordsResponse, Status>>;

#[tonic::async_trait]
impl ImportService for Imports {
    type ImportRecordsStream = Pin<Box<dyn Stream<Item = Result<v1::ImportRecordsResponse, Status>> + Send>>;

    async fn import_records(
        &self,
        asked: Request<Streaming<v1::ImportRecordsRequest>>,
    ) -> Result<Response<Self::ImportRecordsStream>, Status> {
        let mut parts = asked.into_inner();
        let silence_max = self.reader.caller().silence_max();
        let opening = match timeout(silence_max, parts.message())
            .await
            .map_err(|_| silent(silence_max))??
            .and_then(|part| part.part)
        {
            Some(Part::Opening(opening)) => opening,
            _ => return Err(invalid("it does not begin with an opening").into()),
        };
        let engine = Arc::clone(self.reader.engine());
        let by = (opening.request_id.as_str(), opening.on_behalf_of.as_str());
        let request = request(&engine, self.reader.caller(), "ImportRecords", by, &opening)?;
        formats::check_source(&opening.source)?;
        let format = formats::asked(&opening.mapping)?;
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(ApiError::TooManyImports { most: IMPORTS_MAX }.into());
        };
        let (source, pushing) = PushedSource::new(&opening.source);
        let reading = Reading {
            decoder: self.formats.decoder(&opening.source, &format),
            source: Box::new(source),
            mapping_digest: format.mapping_digest,
            stop: Arc::clone(&self.stop),
            until_caught_up: false,
        };
        let record_bytes_max = self.formats.limits().record_bytes_max as u64;
        let idempotency = Arc::clone(&self.idempotency);
        let import = Import { engine, idempotency, request, record_bytes_max, silence_max };
        let (answers, told) = mpsc::channel(1);
        tokio::spawn(async move {
            let run = import.run(&opening.source, reading, pushing, &mut parts, &answers, place);
            if let Err(refusal) = run.await {
                // A client that has gone hears nothing, and needs nothing: what it sent is taken.
                let _told = answers.send(Err(refusal.into())).await;
                drop(answers);
                hear_out(parts).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }
}

/// Reads on until the client has heard that it is refused and ends: a connection that closes over unread bytes is reset,
/// and a reset takes the refusal along.
async fn hear_out(mut parts: Streaming<v1::ImportRecordsRequest>) {
    let rest = async { while let Ok(Some(_)) = parts.message().await {} };
    // A client that goes on sending is cut off.
    let _ended = timeout(HEAR_OUT_MAX, rest).await;
}

fn invalid(problem: &str) -> ApiError {
    ApiError::InvalidImport { problem: problem.to_owned() }
}

fn silent(silence_max: Duration) -> ApiError {
    invalid(&format!("nothing came for {} minutes", silence_max.as_secs() / 60))
}

struct Import {
    engine: Arc<Engine>,
    idempotency: Arc<IdempotencyStore>,
    request: request::Request,
    record_bytes_max: u64,
    silence_max: Duration,
}

impl Import {
    async fn run(
        self,
        source: &str,
        reading: Reading,
        pushing: Pushing,
        parts: &mut Streaming<v1::ImportRecordsRequest>,
        answers: &Answers,
        place: OwnedSemaphorePermit,
    ) -> Result<(), ApiError> {
        let Self { engine, idempotency, request, record_bytes_max, silence_max } = self;
        let names = Arc::clone(engine.names());
        let reads = aside(move || {
            // Kept until the engine has let go of what was pushed.
            let _place = place;
            let read = || Ok(summary(&engine, &engine.ingest_for(&request, reading)?));
            idempotency.again(&request, read, is_new)
        });
        let mut taken = tokio::spawn(reads);
        let pushed = async move {
            let Pushing { opened, batches } = pushing;
            // An engine that refuses the source never opens it, and says why.
            let Ok(files) = opened.await else { return std::future::pending().await };
            tell_files(&files, record_bytes_max, answers).await?;
            push(Places::new(source, names, &files), parts, &batches, silence_max).await
        };
        let joined = |done: Result<Result<v1::ImportSummary, ApiError>, tokio::task::JoinError>| {
            done.unwrap_or_else(|error| Err(ApiError::Internal { problem: error.to_string() }))
        };
        let summary = tokio::select! {
            pushed = pushed => {
                let summary = joined((&mut taken).await);
                pushed?;
                summary?
            }
            done = &mut taken => {
                joined(done)?;
                let problem = "the engine is shutting down; what was taken stays, run the import again once it runs";
                return Err(ApiError::EngineStopped { problem: problem.to_owned() });
            }
        };
        let answer = v1::ImportRecordsResponse { answer: Some(Answer::Summary(summary)) };
        let _told = answers.send(Ok(answer)).await;
        Ok(())
    }
}

/// Says where the files of the source stand.
async fn tell_files(
    files: &[FileCheckpoint],
    record_bytes_max: u64,
    answers: &Answers,
) -> Result<(), ApiError> {
    let progress =
        |at: &FileCheckpoint| v1::FileProgress { digest: at.digest.clone(), byte: at.byte, line: at.line };
    let count = files.len().div_ceil(FILES_MAX).max(1);
    for at in 0..count {
        let part = files.iter().skip(at * FILES_MAX).take(FILES_MAX).map(progress).collect();
        let opened = v1::ImportOpened { files: part, more: at + 1 < count, record_bytes_max };
        let answer = v1::ImportRecordsResponse { answer: Some(Answer::Opened(opened)) };
        answers.send(Ok(answer)).await.map_err(|_| gone())?;
    }
    Ok(())
}

/// Hands batches over until the client has sent all.
async fn push(
    mut places: Places,
    parts: &mut Streaming<v1::ImportRecordsRequest>,
    batches: &mpsc::Sender<tidewatch_ingest::batch::RawBatch>,
    silence_max: Duration,
) -> Result<(), ApiError> {
    loop {
        let next = timeout(silence_max, parts.message()).await.map_err(|_| silent(silence_max))?;
        match next.map_err(|_| gone())?.map(|part| part.part) {
            None => return Ok(()),
            Some(Some(Part::Batch(batch))) => {
                let batch = places.take(batch)?;
                if batches.send(batch).await.is_err() {
                    // The engine has stopped reading, and says why.
                    return std::future::pending().await;
                }
            }
            Some(Some(Part::Opening(_))) => return Err(invalid("it has a second opening")),
            Some(None) => return Err(invalid("a message is neither an opening nor a batch")),
        }
    }
}

/// The connection broke; nobody hears this.
fn gone() -> ApiError {
    invalid("the connection broke")
}

fn summary(engine: &Engine, ingested: &Ingested) -> v1::ImportSummary {
    let receipt = &ingested.receipt;
    let reason = |(reason, count): (&tidewatch_ingest::reject::Reason, &u64)| v1::ReasonCount {
        reason: reason.name().to_owned(),
        count: *count,
    };
    v1::ImportSummary {
        accepted: receipt.accepted,
        duplicates: receipt.duplicates,
        filtered: receipt.filtered,
        dead_letters: receipt.rejected.iter().map(reason).collect(),
        repeated_dead_letters: receipt.repeated_dead_letters,
        unread_fields: ingested.unread_fields,
        position: Some(convert::position(engine.position(receipt.last_seq))),
    }
}

fn is_new(summary: &v1::ImportSummary) -> bool {
    summary.accepted > 0 || !summary.dead_letters.is_empty()
}
