//! The part of the index of accounts that is being filled from the log.

use std::sync::Arc;

use super::part::{Span, encode};
use super::place::Place;
use crate::storage::disk::Disk;
use crate::storage::log::{LogError, LogReader, RawFrame, SegmentName, account_key};

/// Bytes of the log that are indexed before others may read the index.
const SLICE_BYTES: u64 = 4 << 20;
/// A part is finished at the latest with so many places: 12 B each in memory.
const PLACES_MAX: usize = 1 << 20;

/// Reads the log from a sequence on and notes where accounts are named.
pub(super) struct Filling {
    reader: LogReader,
    log_dir: String,
    /// Where the next part starts; `u64::MAX` where none does.
    end_seq: u64,
    part_bytes: u64,
    /// What the part covers so far.
    span: Option<Span>,
    /// Bytes of frames in it.
    bytes: u64,
    /// The keys of accounts, each with its place beside it: a search goes through keys alone.
    keys: Vec<u32>,
    places: Vec<Place>,
    /// Read, and of the next segment: it starts the next part.
    pending: Option<(SegmentName, RawFrame)>,
}

/// How far a slice came.
pub(super) enum Filled {
    /// All there is.
    CaughtUp,
    /// There is more.
    Slice,
    /// To the end of a part, which is to be taken now.
    Part,
}

impl Filling {
    /// Fills from `from_seq` on, up to `end_seq`, exclusive.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        log_dir: String,
        from_seq: u64,
        end_seq: u64,
        part_bytes: u64,
    ) -> Self {
        Self {
            reader: LogReader::new(disk, &log_dir, Arc::default(), from_seq),
            log_dir,
            end_seq,
            part_bytes,
            span: None,
            bytes: 0,
            keys: Vec::new(),
            places: Vec::new(),
            pending: None,
        }
    }

    /// Indexes frames up to `until_seq`, a slice of them at most.
    pub(super) fn fill(&mut self, until_seq: u64) -> Result<Filled, LogError> {
        self.reader.set_until(until_seq.min(self.end_seq - 1));
        let mut bytes = 0;
        while bytes < SLICE_BYTES {
            if self.is_full() {
                return Ok(Filled::Part);
            }
            let (segment, frame) = match self.pending.take() {
                Some(pending) => pending,
                None => {
                    let Some(frame) = self.reader.next_raw()? else { return Ok(Filled::CaughtUp) };
                    let segment = *self.reader.segment().expect("a frame was read from a segment");
                    (segment, frame)
                }
            };
            if frame.header.count == 0 {
                continue;
            }
            if self.span.is_some_and(|span| span.segment != segment) {
                self.pending = Some((segment, frame));
                return Ok(Filled::Part);
            }
            bytes += frame.header.frame_bytes();
            self.take(segment, &frame)?;
        }
        Ok(Filled::Slice)
    }

    fn is_full(&self) -> bool {
        self.bytes >= self.part_bytes || self.keys.len() >= PLACES_MAX || self.is_last_part()
    }

    fn take(&mut self, segment: SegmentName, frame: &RawFrame) -> Result<(), LogError> {
        let offset = frame.header.offset;
        let (keys, places) = (&mut self.keys, &mut self.places);
        let noted = frame.each_account(|sub_block, id| {
            keys.push(account_key(id));
            places.push(Place { offset, sub_block });
        });
        noted.map_err(|source| LogError::Malformed {
            file: segment.path(&self.log_dir),
            offset: u64::from(offset),
            source,
        })?;
        self.bytes += frame.header.frame_bytes();
        let end_offset = u64::from(offset) + frame.header.frame_bytes();
        self.span = Some(Span {
            lineage: frame.header.lineage,
            segment,
            first_seq: self.span.map_or(frame.header.first_seq, |span| span.first_seq),
            next_seq: frame.header.next_seq(),
            end_offset: u32::try_from(end_offset).expect("segments end far below 4 GiB"),
            last_crc: frame.crc(),
        });
        Ok(())
    }

    /// Ends the part and starts the next one.
    pub(super) fn take_part(&mut self) -> (Span, Vec<u8>) {
        let span = self.span.take().expect("a part that is taken has frames");
        self.bytes = 0;
        let mut sorted: Vec<(u32, Place)> = self.keys.drain(..).zip(self.places.drain(..)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let bytes = encode(&span, &sorted);
        (span, bytes)
    }

    /// Whether what comes after the part is indexed already.
    pub(super) fn is_last_part(&self) -> bool {
        self.span.is_some_and(|span| span.next_seq == self.end_seq)
    }

    /// What is covered so far, and where the accounts with these keys, which are sorted, are named in it.
    pub(super) fn places(&self, keys: &[u32]) -> Option<(Span, Vec<Place>)> {
        let span = self.span?;
        let is_sought = |key: &u32| match keys {
            [one] => key == one,
            keys => keys.binary_search(key).is_ok(),
        };
        let found = self.keys.iter().zip(&self.places).filter(|(key, _)| is_sought(key));
        Some((span, found.map(|(_, place)| *place).collect()))
    }
}
