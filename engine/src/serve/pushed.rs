//! Pushed files as a source: lines that a client sends over the API or the command line reads itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tidewatch_ingest::batch::{Origin, RawBatch, RawRecord};
use tidewatch_ingest::checkpoint::{Checkpoint, FileCheckpoint};
use tidewatch_ingest::files::content::DIGEST_CHARS;
use tidewatch_ingest::source::{Polled, Source, Stopped};
use tidewatch_projections::names::Names;
use tidewatch_proto::v1;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::api_error::ApiError;

/// Batches that wait between the connection and the decoder.
const BATCHES_MAX: usize = 2;

/// The client's side of a [`PushedSource`].
pub struct Pushing {
    /// Where the source's files stand, once it was opened.
    pub opened: oneshot::Receiver<Vec<FileCheckpoint>>,
    /// Takes batches; waits while as many wait as may.
    pub batches: mpsc::Sender<RawBatch>,
}

/// A source of batches that come over a connection.
pub struct PushedSource {
    name: String,
    runtime: Handle,
    opened: Option<oneshot::Sender<Vec<FileCheckpoint>>>,
    batches: mpsc::Receiver<RawBatch>,
}

impl PushedSource {
    /// A source and the side that feeds it, on the runtime of the caller.
    pub fn new(name: &str) -> (Self, Pushing) {
        let (opening, opened) = oneshot::channel();
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let source =
            Self { name: name.to_owned(), runtime: Handle::current(), opened: Some(opening), batches };
        (source, Pushing { opened, batches: sender })
    }
}

impl Source for PushedSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn resume(&mut self, checkpoints: &[Checkpoint]) -> Result<(), Stopped> {
        let own = |checkpoint: &Checkpoint| match checkpoint {
            Checkpoint::File(at) if at.source == self.name => Some(at.clone()),
            _ => None,
        };
        let opened = self.opened.take().expect("a source is resumed once");
        // A client that has gone meanwhile is noticed when its batches end.
        let _told = opened.send(checkpoints.iter().filter_map(own).collect());
        Ok(())
    }

    fn poll(&mut self, wait: Duration, out: &mut RawBatch) -> Result<Polled, Stopped> {
        let next = async { tokio::time::timeout(wait, self.batches.recv()).await };
        match self.runtime.block_on(next) {
            Ok(Some(batch)) => *out = batch,
            Ok(None) => return Ok(Polled::Ended),
            Err(_) => {}
        }
        Ok(Polled::Open)
    }
}

/// Where the files of an import stand: every batch must go on where the one before ended.
pub struct Places {
    source: String,
    names: Arc<Names>,
    files: HashMap<String, (u64, u64)>,
}

impl Places {
    /// Files go on where they were left.
    pub fn new(source: &str, names: Arc<Names>, files: &[FileCheckpoint]) -> Self {
        let files = files.iter().map(|at| (at.digest.clone(), (at.byte, at.line))).collect();
        Self { source: source.to_owned(), names, files }
    }

    /// Takes a batch in the form of a source's.
    ///
    /// # Errors
    /// When it leaves a gap, or its lines are not in it or not in order: then a checkpoint would promise too much.
    pub fn take(&mut self, batch: v1::ImportBatch) -> Result<RawBatch, ApiError> {
        let v1::ImportBatch { digest, from_byte, from_line, to_byte, to_line, records } = batch;
        let refused = |problem: String| Err(ApiError::InvalidImport { problem });
        let is_digest = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if digest.len() != DIGEST_CHARS || !digest.bytes().all(is_digest) {
            return refused(format!("{digest:?} is no digest of {DIGEST_CHARS} hexadecimal digits"));
        }
        let (byte, line) = self.files.get(&digest).copied().unwrap_or((0, 0));
        if (from_byte, from_line) != (byte, line) {
            return refused(format!(
                "a batch of file {digest} begins after byte {from_byte} and line {from_line}, the file stands at byte \
                 {byte} and line {line}"
            ));
        }
        if to_byte <= from_byte || to_line <= from_line {
            return refused(format!(
                "a batch of file {digest} goes from byte {from_byte} and line {from_line} to byte {to_byte} and line \
                 {to_line}: it is empty"
            ));
        }
        let symbol = self.names.intern(&digest);
        let mut out = RawBatch::default();
        let mut previous = from_line;
        for v1::ImportRecord { line, original, whole_bytes } in records {
            if line <= previous || line > to_line {
                return refused(format!(
                    "line {line} of file {digest} follows line {previous} in a batch up to line {to_line}"
                ));
            }
            previous = line;
            let start = out.payload.len();
            out.payload.extend_from_slice(&original);
            let bytes = start..out.payload.len();
            let whole_bytes = whole_bytes.max(bytes.len() as u64);
            out.records.push(RawRecord { bytes, whole_bytes, origin: Origin::Line { digest: symbol, line } });
        }
        self.files.insert(digest.clone(), (to_byte, to_line));
        let at = FileCheckpoint { source: self.source.clone(), digest, byte: to_byte, line: to_line };
        out.progress.push(Checkpoint::File(at));
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "00112233445566778899aabbccddeeff";

    fn batch(
        (from_byte, from_line): (u64, u64),
        (to_byte, to_line): (u64, u64),
        lines: &[u64],
    ) -> v1::ImportBatch {
        let record = |line: &u64| v1::ImportRecord { line: *line, original: b"{}".to_vec(), whole_bytes: 0 };
        let records = lines.iter().map(record).collect();
        v1::ImportBatch { digest: DIGEST.into(), from_byte, from_line, to_byte, to_line, records }
    }

    fn places() -> Places {
        let at = FileCheckpoint { source: "app".into(), digest: DIGEST.into(), byte: 30, line: 10 };
        Places::new("app", Arc::new(Names::new()), &[at])
    }

    #[test]
    fn a_batch_goes_on_where_the_one_before_ended() {
        let mut places = places();
        let first = places.take(batch((30, 10), (40, 14), &[11, 13])).unwrap();
        assert_eq!((first.payload.as_slice(), first.records.len()), (b"{}{}".as_slice(), 2));
        let Checkpoint::File(at) = &first.progress[0] else { panic!("{first:?}") };
        assert_eq!((at.source.as_str(), at.byte, at.line), ("app", 40, 14));
        assert!(places.take(batch((40, 14), (41, 15), &[])).unwrap().records.is_empty(), "blank lines only");
    }

    #[test]
    fn a_batch_that_would_promise_too_much_is_refused() {
        for (from, to, lines) in [
            ((0, 0), (40, 14), [11].as_slice()),
            ((50, 20), (60, 24), &[21]),
            ((30, 10), (30, 10), &[]),
            ((30, 10), (40, 10), &[]),
            ((30, 10), (40, 14), &[10]),
            ((30, 10), (40, 14), &[12, 12]),
            ((30, 10), (40, 14), &[15]),
        ] {
            let refused = places().take(batch(from, to, lines)).unwrap_err();
            assert_eq!(refused.reason(), "INVALID_IMPORT", "{from:?} {to:?} {lines:?}: {refused}");
        }
        let other = v1::ImportBatch { digest: "x".into(), ..batch((0, 0), (1, 1), &[]) };
        assert!(places().take(other).unwrap_err().to_string().contains("no digest"));
    }
}
