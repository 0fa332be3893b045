//! The segment that is being written, and the frames without entries that mark its end.

use std::sync::Arc;

use super::builder::SealedFrame;
use super::frame::{FORMAT, FrameHeader};
use super::segment::Expected;
use crate::storage::disk::DiskFile;

/// The segment that grows.
pub(crate) struct Active {
    pub(crate) path: String,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Where the next frame starts.
    pub(crate) offset: u64,
    /// Up to where space is taken and zeros are durable.
    pub(crate) reserved: u64,
}

/// The header of a frame of which nothing is known yet but its place.
pub(crate) fn blank_header(expected: &Expected, flags: u16, offset: u64) -> FrameHeader {
    FrameHeader {
        format: FORMAT,
        flags,
        shard: expected.shard.expect("an opened log knows its shard"),
        lineage: expected.lineage.expect("an opened log knows its lineage"),
        frame_no: expected.frame_no,
        first_seq: expected.first_seq,
        count: 0,
        previous_crc: expected.previous_crc.expect("an opened log knows its last frame"),
        recorded_at: expected.recorded_at,
        event_span: None,
        synced_to: 0,
        offset: u32::try_from(offset).expect("segments end far below 4 GiB"),
        checkpoints_len: 0,
        dictionary_len: 0,
        dictionary_raw_len: 0,
        block_len: 0,
    }
}

/// A frame without entries, written when all before it is durable.
pub(crate) fn mark_frame(expected: &Expected, flags: u16, offset: u64) -> (SealedFrame, FrameHeader) {
    let header = FrameHeader { synced_to: expected.frame_no - 1, ..blank_header(expected, flags, offset) };
    (SealedFrame::mark(expected.first_seq, expected.recorded_at), header)
}
