//! The append-only log: the only truth of a shard. Everything else is a fold of it.
//!
//! ```text
//! log/00000000000000000001-000000000001.seg      named by first sequence and first frame
//!     frame │ frame │ … │ seal                   256 MB, filled with zeros ahead, never used again
//!     header · checkpoints · dictionary · lz4 sub-blocks · CRC-32C · length
//! ```
//!
//! Writing: a [`FrameBuilder`] takes entries and gives [`SealedFrame`]s; [`LogWriter::append`] compresses and writes one,
//! [`LogWriter::sync`] makes it durable. Sequences count entries from 1 without gaps; frames are counted too.
//!
//! Reading: [`LogReader`] forwards from a sequence, [`BackwardReader`] from the end; both can run beside a writer.
//!
//! What a crash leaves: each frame says up to which frame the log was durable when it was written (`synced_to`). Bytes after the last such
//! claim that are no frame never were acknowledged and are cut at opening, counted and reported ([`Opened::cut`]); anything wrong below
//! it, or in a sealed segment, is [`LogError::Damage`].

mod active;
mod builder;
mod bytes;
mod checkpoints;
mod dictionary;
mod dump;
mod entry;
mod error;
mod event;
mod excerpt;
mod frame;
mod fuzz;
mod id;
mod opening;
mod options;
mod reader;
mod segment;
mod stat;
mod value;
mod verify;
mod writer;

pub use builder::{FrameBuilder, SealedFrame, Unwritable};
pub use bytes::Malformed;
pub(crate) use bytes::{Bytes, malformed, put_blob, put_varint};
pub use checkpoints::{Checkpoints, Progress};
pub(crate) use dump::time;
pub use dump::{DumpError, dump};
pub use entry::{ControlRecord, DeadLetter, Entry};
pub use error::{Cut, Damage, LogError};
pub use excerpt::Excerpt;
pub(crate) use excerpt::{SoughtAccounts, account_key};
pub use frame::{ENTRY_BYTES_MAX, FORMAT, FRAME_BYTES_MAX, Frame, FrameHeader, RawFrame, SUB_BLOCK_BYTES};
pub use fuzz::{BytesRead, read_bytes};
pub use opening::{Ended, Opened};
pub use options::LogOptions;
pub use reader::{BackwardReader, LogReader};
pub(crate) use segment::{SegmentName, frame_at, frame_end};
pub use stat::{SegmentStat, stat};
pub use value::VALUE_DEPTH_MAX;
pub use verify::{Verified, verify};
pub use writer::{Appended, Durable, LogWriter};
