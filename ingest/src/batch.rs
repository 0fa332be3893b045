//! Records on their way to the sequencer: raw as a source hands them over, then decoded.

use std::ops::Range;

use tidewatch_projections::event::Event;
use tidewatch_projections::names::Symbol;

use crate::checkpoint::Checkpoint;
use crate::reject::Rejection;

/// Where one record stood in its source. Printed in dead letters, and the id of events that bring none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A Kafka record.
    Kafka {
        /// The topic's name.
        topic: Symbol,
        /// The topic's id (a UUID as text): made again, the topic has another one, and its offsets start over.
        topic_id: Symbol,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: i64,
    },
    /// A line of a file or of standard input.
    Line {
        /// BLAKE3 of the whole uncompressed content, first 16 bytes in hexadecimal.
        digest: Symbol,
        /// Counted from 1.
        line: u64,
    },
}

/// One record as the source handed it over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawRecord {
    /// Its bytes within [`RawBatch::payload`]; of a record past the limit, its beginning.
    pub bytes: Range<usize>,
    /// How many bytes it has in its source.
    pub whole_bytes: u64,
    /// Where it stood.
    pub origin: Origin,
}

impl RawRecord {
    /// A record of which every byte is there.
    pub fn whole(bytes: Range<usize>, origin: Origin) -> Self {
        let whole_bytes = bytes.len() as u64;
        Self { bytes, whole_bytes, origin }
    }
}

/// What one poll of a source brought.
#[derive(Default, Debug)]
pub struct RawBatch {
    /// The bytes of all records, back to back.
    pub payload: Vec<u8>,
    /// The records, in source order.
    pub records: Vec<RawRecord>,
    /// Where the source stands after them: those that moved. Every record below is in this or an earlier batch.
    pub progress: Vec<Checkpoint>,
}

impl RawBatch {
    /// Empties the batch, keeping its memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.records.clear();
        self.progress.clear();
    }
}

/// What became of one raw record, or of one of the several events it gave.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// An event, valid by itself; the sequencer still judges identity and time.
    Event {
        /// The event; its `generation` is set by the sequencer.
        event: Box<Event>,
        /// [`crate::content::fingerprint`] of it.
        fingerprint: u64,
    },
    /// Refused: becomes a dead letter.
    Rejected(Rejection),
    /// Left out by a rule of the mapping; counted, nothing else.
    Filtered,
}

/// One outcome and the record it came from.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// What became of it.
    pub outcome: Outcome,
    /// The record's bytes within [`Batch::payload`], for a dead letter.
    pub bytes: Range<usize>,
    /// How many bytes the record has in its source.
    pub whole_bytes: u64,
    /// Where it stood.
    pub origin: Origin,
}

/// A decoded batch of one source: the unit the sequencer takes whole.
#[derive(Debug)]
pub struct Batch {
    /// The source's name: the lane and the counters it belongs to, and the default `source` of its events.
    pub source: Symbol,
    /// The bytes of all records.
    pub payload: Vec<u8>,
    /// Outcomes in source order.
    pub items: Vec<Item>,
    /// Where the source stands after them.
    pub progress: Vec<Checkpoint>,
}
