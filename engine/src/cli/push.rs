//! Files on their way over a connection into an engine.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tidewatch_ingest::batch::{Origin, RawBatch};
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint};
use tidewatch_ingest::files::progress::Progress;
use tidewatch_ingest::files::{FileSource, Input};
use tidewatch_ingest::reject::Reason;
use tidewatch_ingest::source::{Polled, Source as _, Stopped};
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;
use tidewatch_proto::v1::import_records_request::Part;
use tidewatch_proto::v1::import_records_response::Answer;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::client::Client;
use crate::app::Ingested;
use crate::serve::services::imports::BATCH_BYTES_MAX;
use crate::write::sequencer::Receipt;

/// Messages that wait for the connection.
const MESSAGES_MAX: usize = 2;

/// Files to import.
pub(super) struct Import {
    /// The source's name.
    pub source: String,
    /// The text of the mapping file; empty for native JSON.
    pub mapping: String,
    pub inputs: Vec<Input>,
}

impl Import {
    fn files(&self, names: &Arc<Names>, record_bytes_max: usize) -> FileSource {
        FileSource::new(&self.source, Arc::clone(names), self.inputs.clone(), record_bytes_max)
            .with_batch_bytes_max(BATCH_BYTES_MAX)
    }
}

/// Reads files and sends their lines to an engine.
pub(super) fn push(
    client: &Client,
    opening: v1::ImportOpening,
    import: &Import,
    progress: &OnceLock<Arc<Progress>>,
) -> anyhow::Result<Ingested> {
    let (to, parts) = mpsc::channel(MESSAGES_MAX);
    to.try_send(message(Part::Opening(opening))).expect("the queue is empty");
    let mut answers = client.ask(client.imports().import_records(ReceiverStream::new(parts)))?;
    let mut checkpoints = Vec::new();
    let record_bytes_max = loop {
        let Answer::Opened(opened) = next(client, &mut answers)? else {
            bail!("the engine summed the import up before it began");
        };
        let at = |at: v1::FileProgress| {
            let (source, v1::FileProgress { digest, byte, line }) = (import.source.clone(), at);
            Checkpoint::File(FileCheckpoint { source, digest, byte, line })
        };
        checkpoints.extend(opened.files.into_iter().map(at));
        if !opened.more {
            let most = opened.record_bytes_max;
            break usize::try_from(most)
                .context("the engine takes larger records than this machine can hold")?;
        }
    };
    let mut files = import.files(&Arc::new(Names::new()), record_bytes_max);
    progress.get_or_init(|| files.progress());
    files.resume(&checkpoints)?;
    let (until_over, over) = oneshot::channel();
    thread::scope(|scope| {
        let outlet = Outlet { to, over, runtime: client.handle() };
        let reader = scope.spawn(|| send(files, &checkpoints, outlet));
        // What stopped the engine comes here, and ends the reader too.
        let summary = next(client, &mut answers);
        drop(until_over);
        let stops = reader.join().expect("a panic was shown already");
        let Answer::Summary(summary) = summary? else { bail!("the engine opened the import twice") };
        client.settled(summary.position.clone())?;
        ingested(&summary, stops)
    })
}

fn next(client: &Client, answers: &mut Streaming<v1::ImportRecordsResponse>) -> anyhow::Result<Answer> {
    let answer = client.wait(answers.message())?.and_then(|answer| answer.answer);
    answer.context("the engine ended the import without saying what became of it; run it again")
}

/// Where messages go until the import is over.
struct Outlet {
    to: mpsc::Sender<v1::ImportRecordsRequest>,
    over: oneshot::Receiver<()>,
    runtime: Handle,
}

impl Outlet {
    /// Sends a message, waiting while the connection takes none; `false` once the import is over.
    fn put(&mut self, part: Part) -> bool {
        let sent = async {
            tokio::select! {
                sent = self.to.send(message(part)) => sent.is_ok(),
                _ = &mut self.over => false,
            }
        };
        self.runtime.block_on(sent)
    }
}

fn message(part: Part) -> v1::ImportRecordsRequest {
    v1::ImportRecordsRequest { part: Some(part) }
}

/// Sends the lines of all files, as long as they are taken; answers what could not be read.
fn send(mut files: FileSource, checkpoints: &[Checkpoint], mut outlet: Outlet) -> Vec<Stopped> {
    let mut stops = Vec::new();
    let mut places = HashMap::new();
    checkpoints.iter().for_each(|at| note(&mut places, at));
    loop {
        let mut raw = RawBatch::default();
        let polled = match files.poll(Duration::ZERO, &mut raw) {
            Ok(polled) => polled,
            Err(stopped) if stops.last() == Some(&stopped) => return stops,
            Err(stopped) => {
                stops.push(stopped);
                continue;
            }
        };
        if let Some(batch) = batch(&mut places, raw)
            && !outlet.put(Part::Batch(batch))
        {
            return stops;
        }
        if polled == Polled::Ended {
            return stops;
        }
    }
}

/// Bytes and lines read of each file.
type Places = HashMap<String, (u64, u64)>;

fn note(places: &mut Places, checkpoint: &Checkpoint) {
    if let Checkpoint::File(at) = checkpoint {
        places.insert(at.digest.clone(), (at.byte, at.line));
    }
}

/// A batch of one file on the wire; `None` where nothing was read.
fn batch(places: &mut Places, raw: RawBatch) -> Option<v1::ImportBatch> {
    let RawBatch { payload, records, progress } = raw;
    let [checkpoint @ Checkpoint::File(at)] = progress.as_slice() else { return None };
    let (from_byte, from_line) = places.get(&at.digest).copied().unwrap_or((0, 0));
    let records = records.into_iter().map(|record| {
        let Origin::Line { line, .. } = record.origin else { unreachable!("files have lines") };
        let original = payload[record.bytes].to_vec();
        v1::ImportRecord { line, original, whole_bytes: record.whole_bytes }
    });
    let batch = v1::ImportBatch {
        digest: at.digest.clone(),
        from_byte,
        from_line,
        to_byte: at.byte,
        to_line: at.line,
        records: records.collect(),
    };
    note(places, checkpoint);
    Some(batch)
}

fn ingested(summary: &v1::ImportSummary, stops: Vec<Stopped>) -> anyhow::Result<Ingested> {
    let reason = |count: &v1::ReasonCount| {
        let reason = Reason::from_name(&count.reason);
        let reason = reason.with_context(|| {
            format!("the engine refused records as {:?}, which this program does not know", count.reason)
        })?;
        Ok((reason, count.count))
    };
    let receipt = Receipt {
        accepted: summary.accepted,
        duplicates: summary.duplicates,
        filtered: summary.filtered,
        rejected: summary.dead_letters.iter().map(reason).collect::<anyhow::Result<_>>()?,
        repeated_dead_letters: summary.repeated_dead_letters,
        last_seq: summary.position.as_ref().map_or(0, |position| position.sequence),
    };
    Ok(Ingested { receipt, unread_fields: summary.unread_fields, stops })
}
