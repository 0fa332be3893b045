//! `LogService`: verifies, counts and prints the log of a running engine.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;

use tidewatch_proto::v1;
use tidewatch_proto::v1::log_service_server::LogService;
use tidewatch_proto::v1::verify_log_response::Part;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::cancellation::Cancellation;
use crate::control::entry::Control;
use crate::control::request;
use crate::read::estimate;
use crate::serve::api_error::ApiError;
use crate::serve::paging::{SLOWNESS_MAX, deadline};
use crate::serve::reader::Reader;
use crate::storage::directory::LOG_DIR;
use crate::storage::log::{ControlRecord, Damage, SegmentStat, Verified, dump, stat, verify};

/// Bytes between two tellings of how far a check is.
const TELL_EVERY_BYTES: u64 = 64 << 20;
/// Bytes of printed entries in one answer; one entry may go past it.
const DUMP_BYTES: usize = 256 << 10;
/// Answers that wait for the client.
const ANSWERS_MAX: usize = 2;

/// Answers about the log.
pub struct Logs {
    reader: Reader,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Logs {
    /// Reads the log of this reader's engine.
    pub fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// Answers a call with what `read` gives out.
    fn answer<T: Send + 'static>(
        &self,
        metadata: &MetadataMap,
        read: impl FnOnce(&Reader, &mut Outlet<T>) -> Result<(), ApiError> + Send + 'static,
    ) -> Result<Response<Answers<T>>, Status> {
        let deadline = deadline(metadata);
        let (to, told) = mpsc::channel(ANSWERS_MAX);
        let (reader, runtime, parts) = (self.reader.clone(), Handle::current(), to.clone());
        let read = move |cancellation: &Cancellation| {
            read(&reader, &mut Outlet { to: parts, runtime, cancellation: cancellation.clone() })
        };
        let pending = self.reader.scheduler().ask(None, estimate::BULK, read).map_err(ApiError::from)?;
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = pending.answer(deadline) => ended,
                () = to.closed() => return,
            };
            if let Err(refusal) = ended {
                // A client that has gone hears nothing.
                let _told = to.send(Err(refusal.into())).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(told))))
    }
}

/// Where a reading of the log puts its answers.
struct Outlet<T> {
    to: mpsc::Sender<Result<T, Status>>,
    runtime: Handle,
    cancellation: Cancellation,
}

impl<T> Outlet<T> {
    /// Whether the client still waits: nobody hears the rest of a log once it has gone, or its deadline has passed.
    fn is_heard(&self) -> bool {
        !self.to.is_closed() && self.cancellation.check().is_ok()
    }

    /// Gives an answer out, and waits while the client takes none.
    fn put(&mut self, answer: T) -> Result<(), ApiError> {
        self.cancellation.check()?;
        let sent = self.runtime.block_on(async { self.to.send_timeout(Ok(answer), SLOWNESS_MAX).await });
        sent.map_err(|_| ApiError::SlowReader { waited_s: SLOWNESS_MAX.as_secs() })
    }
}

#[tonic::async_trait]
impl LogService for Logs {
    type VerifyLogStream = Answers<v1::VerifyLogResponse>;

    async fn verify_log(
        &self,
        request: Request<v1::VerifyLogRequest>,
    ) -> Result<Response<Self::VerifyLogStream>, Status> {
        self.answer(request.metadata(), |reader, outlet| {
            let disk = reader.engine().directory().disk();
            let (mut checked, mut told) = (0, 0);
            let mut heard = Ok(());
            let verified = verify(disk.as_ref(), LOG_DIR, |bytes| {
                checked += bytes;
                if checked - told >= TELL_EVERY_BYTES {
                    told = checked;
                    heard = outlet.put(part(Part::CheckedBytes(checked)));
                }
                heard.is_ok() && outlet.is_heard()
            });
            let verified = verified?;
            heard?;
            for damage in &verified.damage {
                outlet.put(part(Part::Damage(wire_damage(damage))))?;
            }
            outlet.put(part(Part::Verified(wire_verified(&verified))))
        })
    }

    type StatLogStream = Answers<v1::StatLogResponse>;

    async fn stat_log(
        &self,
        request: Request<v1::StatLogRequest>,
    ) -> Result<Response<Self::StatLogStream>, Status> {
        self.answer(request.metadata(), |reader, outlet| {
            let disk = reader.engine().directory().disk();
            let segments = stat(disk.as_ref(), LOG_DIR, |_| outlet.is_heard())?;
            segments.iter().try_for_each(|segment| outlet.put(wire_stat(segment)))
        })
    }

    type DumpLogStream = Answers<v1::DumpLogResponse>;

    async fn dump_log(
        &self,
        request: Request<v1::DumpLogRequest>,
    ) -> Result<Response<Self::DumpLogStream>, Status> {
        let v1::DumpLogRequest { from_sequence, to_sequence } = *request.get_ref();
        let durable = *self.reader.engine().durable().borrow();
        let until = if to_sequence == 0 { durable } else { to_sequence.min(durable) };
        self.answer(request.metadata(), move |reader, outlet| {
            let disk = Arc::clone(reader.engine().directory().disk());
            let mut lines = Lines { outlet, entries: Vec::new(), bytes: 0, rest: Vec::new(), refusal: None };
            let dumped = dump(disk, LOG_DIR, (from_sequence.max(1), until), &control, &mut lines);
            match (lines.refusal.take(), dumped) {
                (Some(refusal), _) => Err(refusal),
                (None, Err(error)) => Err(error.into()),
                (None, Ok(_)) => lines.give_out(),
            }
        })
    }
}

fn part(part: Part) -> v1::VerifyLogResponse {
    v1::VerifyLogResponse { part: Some(part) }
}

/// Damage on the wire.
pub fn wire_damage(damage: &Damage) -> v1::LogDamage {
    v1::LogDamage { sentence: damage.to_string(), file: damage.file.clone(), offset: damage.offset }
}

/// The figures of a check on the wire.
pub fn wire_verified(verified: &Verified) -> v1::LogVerified {
    let tail = verified.tail.as_ref().map(|tail| v1::LogTail {
        file: tail.file.clone(),
        offset: tail.offset,
        bytes: tail.bytes,
        problem: tail.what.clone(),
    });
    v1::LogVerified {
        segments: verified.segments,
        frames: verified.frames,
        entries: verified.entries,
        bytes: verified.bytes,
        last_sequence: verified.last_seq,
        tail,
    }
}

/// The counts of a segment on the wire.
pub fn wire_stat(segment: &SegmentStat) -> v1::StatLogResponse {
    v1::StatLogResponse {
        file: segment.file.clone(),
        sealed: segment.is_sealed,
        frames: segment.frames,
        events: segment.events,
        dead_letters: segment.dead_letters,
        controls: segment.controls,
        frame_bytes: segment.frame_bytes,
    }
}

/// What a control entry means, for people, and who asked for it.
pub fn control(record: &ControlRecord) -> Option<serde_json::Value> {
    let control = Control::of_record(record).ok()?;
    let mut shown = serde_json::json!({ "kind": control.name(), "content": control.to_json() });
    if let Some(request) = request::Request::of_record(record) {
        shown["asked_by"] = serde_json::json!({
            "actor": request.actor,
            "on_behalf_of": request.on_behalf_of,
            "request_id": request.id,
        });
    }
    Some(shown)
}

/// Gives printed entries out as they are written, some at a time.
struct Lines<'o> {
    outlet: &'o mut Outlet<v1::DumpLogResponse>,
    entries: Vec<String>,
    bytes: usize,
    /// The beginning of a line.
    rest: Vec<u8>,
    refusal: Option<ApiError>,
}

impl Lines<'_> {
    fn give_out(&mut self) -> Result<(), ApiError> {
        if self.entries.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        self.outlet.put(v1::DumpLogResponse { entries: std::mem::take(&mut self.entries) })
    }
}

impl Write for Lines<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.rest.extend_from_slice(bytes);
            return Ok(bytes.len());
        };
        self.rest.extend_from_slice(&bytes[..end]);
        let line = String::from_utf8(std::mem::take(&mut self.rest)).map_err(io::Error::other)?;
        self.bytes += line.len();
        self.entries.push(line);
        if self.bytes >= DUMP_BYTES
            && let Err(refusal) = self.give_out()
        {
            self.refusal = Some(refusal);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(end + 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
