//! Decodes dead letters again, as after a fix of a mapping or a setting.

use std::collections::HashMap;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use tidewatch_ingest::batch::{Batch, RawBatch, RawRecord};
use tidewatch_ingest::decode::Decoder;

use super::{EngineError, Shared};
use crate::control::request::Request;
use crate::storage::log::DeadLetter;
use crate::write::queues::Priority;
use crate::write::sequencer::{Command, OpenSource};

/// Dead letters settled by one entry of the log.
const RESOLVED_MAX: usize = 1000;
/// How long an answer may take before the engine is asked whether it still runs.
const ANSWER_WAIT: Duration = Duration::from_millis(100);

/// The mapping that dead letters are decoded by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReplayMapping {
    /// Its digest, empty for native JSON.
    pub digest: Box<str>,
    /// Whether the source goes on under it if it was read by another one so far.
    pub accept_new: bool,
}

/// What became of replayed dead letters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Replayed {
    /// Nothing of them is refused any more.
    pub resolved: u64,
    /// CommandError again; they stay.
    pub refused: u64,
    /// Not tried, because only the beginning of their record is kept; they stay.
    pub cut: u64,
    /// New events they gave.
    pub accepted: u64,
}

/// Replays dead letters of one source; each is its own batch, so that it is known what became of it. No more of them are
/// in memory than wait to be sequenced.
pub(super) fn replay<E: From<EngineError>>(
    shared: &Shared,
    source: &str,
    letters: impl IntoIterator<Item = Result<(u64, DeadLetter), E>>,
    decoder: &Decoder,
    mapping: ReplayMapping,
    request: Option<&Request>,
) -> Result<Replayed, E> {
    let open = OpenSource {
        source: source.into(),
        mapping_digest: mapping.digest,
        accept_new_mapping: mapping.accept_new,
        streams: false,
    };
    let opened = shared.open_source(open, request)?;
    let (to, answers) = channel();
    let mut waiting = HashMap::new();
    let mut replayed = Replayed::default();
    for letter in letters {
        let (seq, letter) = letter?;
        if letter.is_cut() {
            // Half a record means something else, or nothing.
            replayed.cut += 1;
            continue;
        }
        let bytes = letter.original.len();
        let batch = decode(decoder, letter);
        let reply_id = shared.push_batch(Priority::Bulk, bytes, &to, (opened.generation, batch))?;
        waiting.insert(reply_id, seq);
    }
    drop(to);
    let mut resolved = Vec::new();
    while !waiting.is_empty() {
        let (reply_id, reply) = match answers.recv_timeout(ANSWER_WAIT) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Err(shared.closed().into()),
        };
        let seq = waiting.remove(&reply_id);
        let receipt = reply.map_err(EngineError::from)?;
        replayed.accepted += receipt.accepted;
        match receipt.rejected_count() + receipt.repeated_dead_letters {
            0 => resolved.extend(seq),
            _ => replayed.refused += 1,
        }
    }
    resolved.sort_unstable();
    replayed.resolved = resolved.len() as u64;
    for seqs in resolved.chunks(RESOLVED_MAX) {
        let resolve = Command::ResolveDeadLetters { seqs: seqs.to_vec() };
        shared.carry_out(resolve, request)?;
    }
    Ok(replayed)
}

fn decode(decoder: &Decoder, letter: DeadLetter) -> Batch {
    let record = RawRecord::whole(0..letter.original.len(), letter.origin);
    decoder.decode(RawBatch {
        payload: letter.original.into_vec(),
        records: vec![record],
        progress: Vec::new(),
    })
}
