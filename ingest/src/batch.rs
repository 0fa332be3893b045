//! Batches of records on their way to the sequencer: raw as a source returns them, then decoded.

use std::ops::Range;

use tidewatch_projections::event::Event;
use tidewatch_projections::names::Symbol;

use crate::checkpoint::Checkpoint;
use crate::reject::Rejection;

/// The place of a record in its source. Shown in dead letters, and the id of events that have none of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A record of a Kafka topic, by partition and offset.
    Kafka {
        /// The name of the topic.
        topic: Symbol,
        /// The id of the topic (a UUID as text): a topic that is deleted and created again has another id, and its offsets
        /// start over.
        topic_id: Symbol,
        /// The number of the partition in the topic.
        partition: i32,
        /// The offset of the record in the partition.
        offset: i64,
    },
    /// A line of a file or of standard input.
    Line {
        /// BLAKE3 of the whole uncompressed content, first 16 bytes in hexadecimal.
        digest: Symbol,
        /// The number of the line in the content, from 1.
        line: u64,
    },
}

/// One record as the source returned it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawRecord {
    /// The range of its bytes in [`RawBatch::payload`]; only the beginning of a record that is longer than the limit.
    pub bytes: Range<usize>,
    /// The full length of the record in its source, in bytes.
    pub whole_bytes: u64,
    /// The place of the record in its source.
    pub origin: Origin,
}

impl RawRecord {
    /// A record whose bytes are all in the payload.
    pub fn whole(bytes: Range<usize>, origin: Origin) -> Self {
        let whole_bytes = bytes.len() as u64;
        Self { bytes, whole_bytes, origin }
    }
}

/// What one poll of a source returned.
#[derive(Default, Debug)]
pub struct RawBatch {
    /// The bytes of all records, back to back.
    pub payload: Vec<u8>,
    /// The records, in source order.
    pub records: Vec<RawRecord>,
    /// The checkpoints that moved. Every record below them is in this or an earlier batch.
    pub progress: Vec<Checkpoint>,
}

impl RawBatch {
    /// Empties the batch and keeps its allocated memory.
    pub fn clear(&mut self) {
        self.payload.clear();
        self.records.clear();
        self.progress.clear();
    }
}

/// The result of decoding a raw record; a mapping can make several events of one record, each with its own outcome.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// An event, valid by itself; the sequencer still judges identity and time.
    Event {
        /// The decoded event; its `generation` is set by the sequencer.
        event: Box<Event>,
        /// The [`crate::content::fingerprint`] of the event.
        fingerprint: u64,
    },
    /// A rejected record, which becomes a dead letter.
    Rejected(Rejection),
    /// A record that a rule of the mapping leaves out: counted and not kept.
    Filtered,
}

/// One outcome and the record it came from.
#[derive(Clone, PartialEq, Debug)]
pub struct Item {
    /// The event, the rejection, or that it was filtered.
    pub outcome: Outcome,
    /// The range of the record's bytes in [`Batch::payload`], kept for a dead letter.
    pub bytes: Range<usize>,
    /// The full length of the record in its source, in bytes.
    pub whole_bytes: u64,
    /// The place of the record in its source.
    pub origin: Origin,
}

/// A decoded batch of one source: the unit the sequencer takes whole.
#[derive(Debug)]
pub struct Batch {
    /// The name of the source: it selects the queue and the counters, and is the default `source` of the events.
    pub source: Symbol,
    /// The bytes of all records.
    pub payload: Vec<u8>,
    /// The outcomes, in the order of the records in the source.
    pub items: Vec<Item>,
    /// The checkpoints that cover the records of the batch.
    pub progress: Vec<Checkpoint>,
}
