//! Frames: the unit of writing, syncing and checking.
//!
//! ```text
//! header 112 B │ checkpoints │ dictionary (lz4) │ sub-blocks: (16 B, lz4)* │ zeros to 8 │ CRC-32C 4 B │ length 4 B
//! ```
//!
//! All numbers are little-endian. The place and meaning of magic, format and header CRC are the same in every format with this magic, so a
//! newer one is told from a damaged one. A frame knows its offset in its segment: a copy of a frame inside a record is no frame.
//! Sequences are dense within a frame (an erased entry leaves a tombstone), so the step from entry to entry is 1 and is not stored.

use std::sync::Arc;

use tidewatch_projections::event::Micros;
use tidewatch_projections::names::Names;

use super::bytes::{Bytes, Malformed, malformed};
use super::checkpoints::Progress;
use super::dictionary::Dictionary;
use super::entry::{Entry, take_entry};
use super::event::Before;

/// The newest format this program reads, and the one it writes.
pub const FORMAT: u16 = 1;
/// Largest frame, in bytes as stored.
pub const FRAME_BYTES_MAX: u64 = 64 << 20;
/// Largest sub-block before compression, unless a single entry is larger.
pub const SUB_BLOCK_BYTES: usize = 16 << 10;
/// Largest entry, in bytes as encoded.
pub const ENTRY_BYTES_MAX: usize = 16 << 20;

pub(crate) const MAGIC: [u8; 4] = *b"TWF1";
pub(crate) const HEADER_BYTES: usize = 112;
pub(crate) const TRAILER_BYTES: usize = 8;
pub(crate) const ALIGN: usize = 8;
/// Before the compressed bytes of a sub-block: raw length, stored length, index of its first entry, number of entries.
pub(crate) const SUB_BLOCK_HEADER_BYTES: usize = 16;
const HEADER_CRC_AT: usize = HEADER_BYTES - 4;
/// The only codec so far: lz4 blocks, stored plainly where that is not shorter.
const CODEC_LZ4: u8 = 1;

/// The segment ends here and will never grow.
pub(crate) const SEAL: u16 = 1 << 0;
/// The frame ends with an entry that is a barrier for every worker.
pub(crate) const CONTROL: u16 = 1 << 1;
/// The first frame of its segment: its checkpoints are all there are.
pub(crate) const FIRST: u16 = 1 << 2;
/// The writer stopped in order after this frame.
pub(crate) const CLOSED: u16 = 1 << 3;
/// Written at opening, after an end without order.
pub(crate) const REOPENED: u16 = 1 << 4;

/// What a frame says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameHeader {
    /// The log format, [`FORMAT`] at most.
    pub format: u16,
    /// Bits: 0 seal, 1 control, 2 first of its segment, 3 closed in order, 4 reopened.
    pub flags: u16,
    pub shard: u32,
    /// The lineage: another one after every restored backup.
    pub lineage: u128,
    /// Counts the frames of the lineage from 1.
    pub frame_no: u64,
    /// The sequence of the first entry, or of the next one when there is none.
    pub first_seq: u64,
    pub count: u32,
    /// The CRC of the frame before, 0 for the first one.
    pub previous_crc: u32,
    /// The engine's clock at closing of the frame; never falls.
    pub recorded_at: Micros,
    /// Least and greatest time of its events; `None` when it has none.
    pub event_span: Option<(Micros, Micros)>,
    /// The greatest frame number known to be durable when this frame was written; 0 for none.
    pub synced_to: u64,
    /// Where it starts in its segment.
    pub offset: u32,
    pub(crate) checkpoints_len: u32,
    pub(crate) dictionary_len: u32,
    pub(crate) dictionary_raw_len: u32,
    pub(crate) block_len: u32,
}

/// Why bytes are no header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderFault {
    /// Nothing was written here.
    Zeros,
    Magic,
    Checksum,
    Newer(u16),
    Content,
}

impl HeaderFault {
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Zeros => "there are zeros instead of a frame".into(),
            Self::Magic => "no frame starts here".into(),
            Self::Checksum => "the frame's header fails its checksum".into(),
            Self::Newer(format) => format!("the frame has the later format {format}"),
            Self::Content => "the frame's header contradicts itself".into(),
        }
    }
}

impl FrameHeader {
    /// Whether the segment ends with this frame.
    pub fn is_seal(&self) -> bool {
        self.flags & SEAL != 0
    }

    /// Whether its last entry is a barrier for every worker.
    pub fn is_control(&self) -> bool {
        self.flags & CONTROL != 0
    }

    /// Whether it carries the checkpoints of all streams.
    pub fn is_first(&self) -> bool {
        self.flags & FIRST != 0
    }

    /// Whether the writer stopped in order after it.
    pub fn is_closed(&self) -> bool {
        self.flags & CLOSED != 0
    }

    /// The sequence after its last entry.
    pub fn next_seq(&self) -> u64 {
        self.first_seq.saturating_add(u64::from(self.count))
    }

    /// The whole frame's length in bytes.
    pub fn frame_bytes(&self) -> u64 {
        let body =
            u64::from(self.checkpoints_len) + u64::from(self.dictionary_len) + u64::from(self.block_len);
        (HEADER_BYTES as u64 + body).next_multiple_of(ALIGN as u64) + TRAILER_BYTES as u64
    }

    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            out[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        // An empty span is stored as one that no event can have.
        let (least, greatest) = self.event_span.unwrap_or((i64::MAX, i64::MIN));
        put(&MAGIC);
        put(&self.format.to_le_bytes());
        put(&self.flags.to_le_bytes());
        put(&self.shard.to_le_bytes());
        put(&[CODEC_LZ4, 0, 0, 0]);
        put(&self.lineage.to_le_bytes());
        put(&self.frame_no.to_le_bytes());
        put(&self.first_seq.to_le_bytes());
        put(&self.count.to_le_bytes());
        put(&self.previous_crc.to_le_bytes());
        put(&self.recorded_at.to_le_bytes());
        put(&least.to_le_bytes());
        put(&greatest.to_le_bytes());
        put(&self.synced_to.to_le_bytes());
        put(&self.offset.to_le_bytes());
        put(&self.checkpoints_len.to_le_bytes());
        put(&self.dictionary_len.to_le_bytes());
        put(&self.dictionary_raw_len.to_le_bytes());
        put(&self.block_len.to_le_bytes());
        let crc = crc32c::crc32c(&out[..HEADER_CRC_AT]);
        out[HEADER_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
        if bytes[..4] != MAGIC {
            return Err(if bytes.iter().all(|byte| *byte == 0) {
                HeaderFault::Zeros
            } else {
                HeaderFault::Magic
            });
        }
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if crc32c::crc32c(&bytes[..HEADER_CRC_AT]) != u32_at(HEADER_CRC_AT) {
            return Err(HeaderFault::Checksum);
        }
        let format = u16::from_le_bytes([bytes[4], bytes[5]]);
        if format > FORMAT {
            return Err(HeaderFault::Newer(format));
        }
        let (least, greatest) = (u64_at(64) as i64, u64_at(72) as i64);
        let header = Self {
            format,
            flags: u16::from_le_bytes([bytes[6], bytes[7]]),
            shard: u32_at(8),
            lineage: u128::from_le_bytes(bytes[16..32].try_into().expect("sixteen bytes")),
            frame_no: u64_at(32),
            first_seq: u64_at(40),
            count: u32_at(48),
            previous_crc: u32_at(52),
            recorded_at: u64_at(56) as i64,
            event_span: (least <= greatest).then_some((least, greatest)),
            synced_to: u64_at(80),
            offset: u32_at(88),
            checkpoints_len: u32_at(92),
            dictionary_len: u32_at(96),
            dictionary_raw_len: u32_at(100),
            block_len: u32_at(104),
        };
        let sensible = format > 0
            && bytes[12] == CODEC_LZ4
            && header.frame_bytes() <= FRAME_BYTES_MAX
            && header.synced_to < header.frame_no
            && u64::from(header.dictionary_raw_len) <= FRAME_BYTES_MAX;
        if sensible { Ok(header) } else { Err(HeaderFault::Content) }
    }
}

/// A frame whose checksums hold, not yet decoded.
#[derive(Clone, Debug)]
pub struct RawFrame {
    /// What it says about itself.
    pub header: FrameHeader,
    bytes: Vec<u8>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    /// What it says about itself.
    pub header: FrameHeader,
    /// How it moves the sources.
    pub progress: Progress,
    /// The entries with their sequences.
    pub entries: Vec<(u64, Entry)>,
}

pub(crate) struct SubBlock<'a> {
    pub(crate) first_index: u32,
    pub(crate) count: u32,
    raw_len: usize,
    stored: &'a [u8],
}

impl RawFrame {
    /// Takes bytes that start with this header and end with the frame; says what is wrong otherwise.
    pub(crate) fn check(
        header: FrameHeader,
        bytes: Vec<u8>,
        body_trusted: bool,
    ) -> Result<Self, &'static str> {
        debug_assert_eq!(bytes.len() as u64, header.frame_bytes());
        let frame = Self { header, bytes };
        if body_trusted {
            return Ok(frame);
        }
        if crc32c::crc32c(frame.covered()) != frame.crc() {
            return Err("the frame fails its checksum");
        }
        if frame.bytes[frame.bytes.len() - 4..] != (frame.bytes.len() as u32).to_le_bytes() {
            return Err("the frame's last length differs from its first");
        }
        Ok(frame)
    }

    fn covered(&self) -> &[u8] {
        &self.bytes[..self.bytes.len() - TRAILER_BYTES]
    }

    /// The checksum the next frame idempotency.
    pub fn crc(&self) -> u32 {
        let at = self.bytes.len() - TRAILER_BYTES;
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().expect("four bytes"))
    }

    /// The frame as stored.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn part(&self, skip: u32, len: u32) -> &[u8] {
        let start = HEADER_BYTES + skip as usize;
        &self.bytes[start..start + len as usize]
    }

    /// How it moves the sources.
    ///
    /// # Errors
    /// When the bytes are none, in spite of the checksum.
    pub fn progress(&self) -> Result<Progress, Malformed> {
        Progress::take(self.part(0, self.header.checkpoints_len))
    }

    pub(crate) fn dictionary_texts(&self) -> Result<Vec<u8>, Malformed> {
        let stored = self.part(self.header.checkpoints_len, self.header.dictionary_len);
        let mut texts = Vec::new();
        inflate(stored, self.header.dictionary_raw_len as usize, &mut texts)?;
        Ok(texts)
    }

    pub(crate) fn sub_blocks(&self) -> impl Iterator<Item = Result<SubBlock<'_>, Malformed>> {
        let skip = self.header.checkpoints_len + self.header.dictionary_len;
        sub_blocks(self.part(skip, self.header.block_len))
    }

    /// Decodes everything, interning the dictionary's strings in `names`.
    ///
    /// # Errors
    /// When the bytes make no sense in spite of the checksum.
    pub fn decode(&self, names: &Arc<Names>) -> Result<Frame, Malformed> {
        let progress = self.progress()?;
        let mut entries = Vec::with_capacity((self.header.count as usize).min(self.bytes.len()));
        self.entries(names, |seq, entry| entries.push((seq, entry)))?;
        Ok(Frame { header: self.header.clone(), progress, entries })
    }

    /// Decodes the entries one after the other, without keeping them.
    ///
    /// # Errors
    /// When the bytes make no sense in spite of the checksum; entries before them were given.
    pub fn entries(&self, names: &Names, mut each: impl FnMut(u64, Entry)) -> Result<(), Malformed> {
        let dictionary = Dictionary::decode(&self.dictionary_texts()?, names)?;
        let mut raw = Vec::new();
        let mut index = 0u32;
        for sub_block in self.sub_blocks() {
            let sub_block = sub_block?;
            if sub_block.first_index != index {
                return malformed("index of a sub-block");
            }
            decode_sub_block(&sub_block, &dictionary, &mut raw, |entry| {
                each(self.header.first_seq.wrapping_add(u64::from(index)), entry);
                index = index.wrapping_add(1);
            })?;
        }
        if index != self.header.count { malformed("number of entries") } else { Ok(()) }
    }
}

/// Splits a block at its sub-blocks.
pub(crate) fn sub_blocks(block: &[u8]) -> impl Iterator<Item = Result<SubBlock<'_>, Malformed>> {
    let mut bytes = Bytes::new(block);
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let mut next = || {
            let raw_len = bytes.u32("sub-block")? as usize;
            let stored_len = bytes.u32("sub-block")? as usize;
            let (first_index, count) = (bytes.u32("sub-block")?, bytes.u32("sub-block")?);
            let stored = bytes.take(stored_len, "sub-block")?;
            Ok(SubBlock { first_index, count, raw_len, stored })
        };
        let sub_block = next();
        if sub_block.is_err() {
            // Nothing after a bad length can be told apart.
            bytes = Bytes::new(&[]);
        }
        Some(sub_block)
    })
}

pub(crate) fn decode_sub_block(
    sub_block: &SubBlock<'_>,
    dictionary: &Dictionary,
    raw: &mut Vec<u8>,
    mut each: impl FnMut(Entry),
) -> Result<(), Malformed> {
    inflate_sub_block(sub_block, raw)?;
    let mut bytes = Bytes::new(raw);
    let mut before = Before::default();
    for _ in 0..sub_block.count {
        each(take_entry(&mut bytes, dictionary, &mut before)?);
    }
    if bytes.is_empty() { Ok(()) } else { malformed("end of a sub-block") }
}

/// Uncompresses the entries of a sub-block into `raw`.
pub(crate) fn inflate_sub_block(sub_block: &SubBlock<'_>, raw: &mut Vec<u8>) -> Result<(), Malformed> {
    if sub_block.raw_len > ENTRY_BYTES_MAX + SUB_BLOCK_BYTES {
        return malformed("length of a sub-block");
    }
    inflate(sub_block.stored, sub_block.raw_len, raw)
}

/// Uncompresses into `raw`; bytes as long as their raw form were stored plainly.
fn inflate(stored: &[u8], raw_len: usize, raw: &mut Vec<u8>) -> Result<(), Malformed> {
    raw.clear();
    if stored.len() == raw_len {
        raw.extend_from_slice(stored);
        return Ok(());
    }
    // lz4 cannot shrink further than this, so a claimed length beyond is a lie that would only take memory.
    const RATIO_MAX: usize = 256;
    if raw_len / RATIO_MAX > stored.len() {
        return malformed("compressed bytes");
    }
    raw.resize(raw_len, 0);
    match lz4_flex::block::decompress_into(stored, raw) {
        Ok(len) if len == raw_len => Ok(()),
        _ => malformed("compressed bytes"),
    }
}
