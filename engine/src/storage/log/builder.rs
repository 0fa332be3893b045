//! Fills a frame: entries are encoded as they come, so that closing it costs nothing.

use std::sync::Arc;

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};
use tidewatch_ingest::checkpoint::Checkpoint;
use tidewatch_projections::event::{Event, Micros};
use tidewatch_projections::names::Names;

use super::checkpoints::{Checkpoints, Progress};
use super::dictionary::DictionaryBuilder;
use super::entry::{DeadLetter, EntryRef, put_entry};
use super::event::Before;
use super::frame::{
    ALIGN, ENTRY_BYTES_MAX, FrameHeader, HEADER_BYTES, SUB_BLOCK_BYTES, SUB_BLOCK_HEADER_BYTES, TRAILER_BYTES,
};
use super::value::{VALUE_DEPTH_MAX, is_writable};

/// An entry that no frame can hold. Limits of ingest are far below; the frame is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unwritable {
    #[error("the entry takes {bytes} bytes, the limit is {ENTRY_BYTES_MAX}")]
    TooLarge { bytes: usize },
    /// A property nested deeper than [`VALUE_DEPTH_MAX`].
    #[error("a property nests lists and objects deeper than {VALUE_DEPTH_MAX}")]
    TooDeep,
}

/// The frame that is being filled.
pub struct FrameBuilder {
    names: Arc<Names>,
    first_seq: u64,
    count: u32,
    is_control: bool,
    event_span: Option<(Micros, Micros)>,
    forgotten: Vec<String>,
    checkpoints: Checkpoints,
    dictionary: DictionaryBuilder,
    entries: Vec<u8>,
    sub_blocks: Vec<SubBlockRange>,
    before: Before,
}

#[derive(Clone, Copy, Debug)]
struct SubBlockRange {
    start: usize,
    first_index: u32,
}

/// A frame that is full and waits to be written. Sequences and times are fixed.
#[derive(Debug)]
pub struct SealedFrame {
    /// The sequence of the first entry, or of the next one when there is none.
    pub first_seq: u64,
    pub count: u32,
    /// The engine's clock when it was closed.
    pub recorded_at: Micros,
    /// How it moves the sources.
    pub progress: Progress,
    pub(crate) is_control: bool,
    pub(crate) event_span: Option<(Micros, Micros)>,
    dictionary: Vec<u8>,
    entries: Vec<u8>,
    sub_blocks: Vec<SubBlockRange>,
}

impl FrameBuilder {
    /// A builder whose first entry will have the sequence `next_seq`. Symbols of events must be of `names`.
    pub fn new(names: Arc<Names>, next_seq: u64) -> Self {
        let mut dictionary = DictionaryBuilder::default();
        dictionary.clear();
        Self {
            names,
            first_seq: next_seq,
            count: 0,
            is_control: false,
            event_span: None,
            forgotten: Vec::new(),
            checkpoints: Checkpoints::default(),
            dictionary,
            entries: Vec::new(),
            sub_blocks: Vec::new(),
            before: Before::default(),
        }
    }

    /// The sequence the next entry will have.
    pub fn next_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    /// Encoded bytes so far, before compression: what the limit on a frame is compared with.
    pub fn bytes(&self) -> usize {
        self.entries.len() + self.dictionary.texts().len()
    }

    /// Whether there is neither an entry nor a checkpoint to write.
    pub fn is_empty(&self) -> bool {
        self.count == 0 && self.checkpoints.is_empty() && self.forgotten.is_empty()
    }

    /// Adds an accepted event and says its sequence.
    ///
    /// # Errors
    /// [`Unwritable`]; the frame is unchanged.
    pub fn push_event(&mut self, event: &Event) -> Result<u64, Unwritable> {
        if !event.properties.iter().all(|(_, value)| is_writable(value)) {
            return Err(Unwritable::TooDeep);
        }
        let seq = self.push(EntryRef::Event(event))?;
        let at = event.occurred_at;
        self.event_span =
            Some(self.event_span.map_or((at, at), |(least, greatest)| (least.min(at), greatest.max(at))));
        Ok(seq)
    }

    /// Adds a refused record and says its sequence.
    ///
    /// # Errors
    /// [`Unwritable::TooLarge`]; the frame is unchanged.
    pub fn push_dead_letter(&mut self, letter: &DeadLetter) -> Result<u64, Unwritable> {
        self.push(EntryRef::DeadLetter(letter))
    }

    /// Adds a control entry and says its sequence. The frame is marked as control; close it before anything else is added.
    ///
    /// # Errors
    /// [`Unwritable::TooLarge`]; the frame is unchanged.
    pub fn push_control(&mut self, kind: u16, payload: &[u8]) -> Result<u64, Unwritable> {
        let seq = self.push(EntryRef::Control(kind, payload))?;
        self.mark_control();
        Ok(seq)
    }

    /// Says that the last entry is a barrier, as a merge is.
    pub fn mark_control(&mut self) {
        self.is_control = true;
    }

    /// Records how far sources have been read: every record below is in this frame or an earlier one. A later checkpoint of the same
    /// stream replaces an earlier one.
    pub fn progress(&mut self, checkpoints: &[Checkpoint]) {
        for checkpoint in checkpoints {
            self.checkpoints.set(checkpoint.clone());
        }
    }

    /// Forgets how far a source has read, in this frame so far included: part of a reset.
    pub fn forget(&mut self, source: &str) {
        self.checkpoints.forget(source);
        self.forgotten.push(source.into());
    }

    fn push(&mut self, entry: EntryRef<'_>) -> Result<u64, Unwritable> {
        let start = self.entries.len();
        if self.sub_blocks.is_empty() {
            self.open_sub_block();
        }
        self.put(entry);
        let sub_block_start = self.sub_blocks[self.sub_blocks.len() - 1].start;
        if self.entries.len() - sub_block_start > SUB_BLOCK_BYTES && sub_block_start < start {
            // Past the limit: the entry opens the next sub-block, encoded again because it is relative to nothing there.
            self.entries.truncate(start);
            self.open_sub_block();
            self.put(entry);
        }
        let bytes = self.entries.len() - start;
        if bytes > ENTRY_BYTES_MAX {
            self.entries.truncate(start);
            // What is relative to the entry taken back must not stay: the next one starts a sub-block of its own.
            if self.sub_blocks.last().is_some_and(|last| last.start == start) {
                self.sub_blocks.pop();
            }
            self.open_sub_block();
            return Err(Unwritable::TooLarge { bytes });
        }
        let seq = self.next_seq();
        self.count += 1;
        Ok(seq)
    }

    fn open_sub_block(&mut self) {
        self.sub_blocks.push(SubBlockRange { start: self.entries.len(), first_index: self.count });
        self.before.clear();
    }

    fn put(&mut self, entry: EntryRef<'_>) {
        put_entry(&mut self.entries, entry, &self.names, &mut self.dictionary, &mut self.before);
    }

    /// Closes the frame and starts the next one; `recorded_at` must not be below the one before.
    pub fn seal(&mut self, recorded_at: Micros) -> SealedFrame {
        let next_seq = self.next_seq();
        let room = self.entries.len() + self.entries.len() / 8;
        let frame = SealedFrame {
            first_seq: self.first_seq,
            count: self.count,
            recorded_at,
            progress: Progress {
                forgotten: std::mem::take(&mut self.forgotten),
                ..std::mem::take(&mut self.checkpoints).to_progress()
            },
            is_control: self.is_control,
            event_span: self.event_span.take(),
            dictionary: self.dictionary.texts().to_vec(),
            entries: std::mem::replace(&mut self.entries, Vec::with_capacity(room)),
            sub_blocks: std::mem::take(&mut self.sub_blocks),
        };
        self.first_seq = next_seq;
        self.count = 0;
        self.is_control = false;
        self.dictionary.clear();
        frame
    }
}

impl SealedFrame {
    /// A frame without entries: a seal or another mark.
    pub(crate) fn mark(first_seq: u64, recorded_at: Micros) -> Self {
        Self {
            first_seq,
            count: 0,
            recorded_at,
            progress: Progress::default(),
            is_control: false,
            event_span: None,
            dictionary: Vec::new(),
            entries: Vec::new(),
            sub_blocks: Vec::new(),
        }
    }

    /// The sequence after its last entry.
    pub fn next_seq(&self) -> u64 {
        self.first_seq + u64::from(self.count)
    }

    /// Encoded bytes before compression.
    pub fn bytes(&self) -> usize {
        self.entries.len() + self.dictionary.len()
    }

    fn sub_blocks(&self) -> impl Iterator<Item = (&[u8], u32, u32)> {
        self.sub_blocks.iter().enumerate().map(|(at, range)| {
            let next = self.sub_blocks.get(at + 1);
            let end = next.map_or(self.entries.len(), |next| next.start);
            let end_index = next.map_or(self.count, |next| next.first_index);
            (&self.entries[range.start..end], range.first_index, end_index - range.first_index)
        })
    }
}

/// Turns sealed frames into their stored bytes, keeping its buffers.
pub(crate) struct FrameEncoder {
    pub(crate) bytes: Vec<u8>,
    /// Of the dictionary. Once it has met one of 64 KB it is a larger one, which sub-blocks are better off without.
    dictionary_table: CompressTable,
    block_table: CompressTable,
}

impl FrameEncoder {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            dictionary_table: CompressTable::default(),
            block_table: CompressTable::default(),
        }
    }

    /// Writes the stored form to `self.bytes`; lengths and event span of `header` are filled in. Gives the frame's CRC.
    pub(crate) fn encode(
        &mut self,
        frame: &SealedFrame,
        progress: &Progress,
        mut header: FrameHeader,
    ) -> u32 {
        let length = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        self.bytes.clear();
        self.bytes.resize(HEADER_BYTES, 0);
        progress.put(&mut self.bytes);
        header.checkpoints_len = length(self.bytes.len() - HEADER_BYTES);
        let dictionary_len = deflate(&frame.dictionary, &mut self.bytes, &mut self.dictionary_table);
        header.dictionary_len = length(dictionary_len);
        header.dictionary_raw_len = length(frame.dictionary.len());
        let block_start = self.bytes.len();
        for (raw, first_index, count) in frame.sub_blocks() {
            let at = self.bytes.len();
            self.bytes.resize(at + SUB_BLOCK_HEADER_BYTES, 0);
            let stored_len = deflate(raw, &mut self.bytes, &mut self.block_table);
            let fields = [length(raw.len()), length(stored_len), first_index, count];
            for (into, field) in self.bytes[at..].chunks_exact_mut(4).zip(fields) {
                into.copy_from_slice(&field.to_le_bytes());
            }
        }
        header.block_len = length(self.bytes.len() - block_start);
        header.event_span = frame.event_span;
        let padded = self.bytes.len().next_multiple_of(ALIGN);
        self.bytes.resize(padded, 0);
        self.bytes[..HEADER_BYTES].copy_from_slice(&header.encode());
        let crc = crc32c::crc32c(&self.bytes);
        self.bytes.extend_from_slice(&crc.to_le_bytes());
        let total = length(padded + TRAILER_BYTES);
        self.bytes.extend_from_slice(&total.to_le_bytes());
        crc
    }
}

/// Appends `raw` compressed, or as it is where that is not longer, and says how many bytes it took.
fn deflate(raw: &[u8], out: &mut Vec<u8>, table: &mut CompressTable) -> usize {
    let at = out.len();
    out.resize(at + get_maximum_output_size(raw.len()), 0);
    let stored =
        compress_into_with_table(raw, &mut out[at..], table).expect("the output has room for the worst case");
    out.truncate(at + stored);
    if stored >= raw.len() {
        out.truncate(at);
        out.extend_from_slice(raw);
    }
    out.len() - at
}
