//! Errors of the log, worded so that an operator can act on them.

use std::io;

use super::bytes::Malformed;
use super::frame::FORMAT;
use crate::cancellation::Cancelled;

/// Why the log could not be opened, written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk refused.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried: `read`, `write` …
        action: &'static str,
        /// The file or directory.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// No space could be taken for the next frames. Nothing was written; the same frame can be appended again later.
    #[error(
        "the disk is full: {needed_bytes} bytes for {file} could not be reserved; free space or enlarge the disk, ingest goes on by itself then"
    )]
    DiskFull {
        /// The segment that should grow.
        file: String,
        /// How many more bytes it needs.
        needed_bytes: u64,
    },
    /// Bytes that were durable are not what was written.
    #[error("the log is damaged: {0}")]
    Damage(Box<Damage>),
    /// A later version wrote this log.
    #[error(
        "{file} has log format {found}, this program reads up to {FORMAT}; run the version that wrote it, or a later one"
    )]
    NewerFormat { file: String, found: u16 },
    /// The directory belongs to another shard.
    #[error("{file} belongs to shard {found}, not to shard {expected}; check the data directory")]
    OtherShard {
        file: String,
        /// The shard in it.
        found: u32,
        /// The shard that opens it.
        expected: u32,
    },
    /// The directory holds another lineage.
    #[error(
        "{file} is of lineage {found:032x}, not of {expected:032x}; check the data directory, or restore the one meant"
    )]
    OtherLineage {
        file: String,
        /// The lineage in it.
        found: u128,
        /// The lineage that was expected.
        expected: u128,
    },
    /// An earlier write or sync failed; what is on disk past the last sync is not known.
    #[error("the log takes nothing more since a failure ({cause}); restart: everything acknowledged is kept")]
    Poisoned {
        /// What failed.
        cause: String,
    },
    /// A frame that does not follow the one before.
    #[error("frame refused: {what} is {found}, the log expects {expected}")]
    OutOfOrder {
        what: &'static str,
        /// What the frame says.
        found: i128,
        /// What the log expects: exactly for sequences, at least for times.
        expected: i128,
    },
    /// A frame larger than any reader accepts.
    #[error("frame refused: it takes {bytes} bytes, the limit is {limit}; close frames earlier")]
    FrameTooLarge { bytes: u64, limit: u64 },
    /// Whoever asked for the reading waits no more.
    #[error(transparent)]
    Cancelled(#[from] Cancelled),
    /// A frame whose checksum holds and whose content makes no sense: a bug of the writer.
    #[error(
        "{file}: the frame at offset {offset} has a valid checksum, but {source}; report this with the output of `log verify`"
    )]
    Malformed {
        file: String,
        /// Where the frame starts.
        offset: u64,
        source: Malformed,
    },
}

impl LogError {
    pub(crate) fn io(action: &'static str, file: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, file: file.into(), source }
    }
}

/// Damage to bytes that were durable: where, what is lost and what can be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{file}, offset {offset}, frame {frame_no}: {what}; entries from sequence {first_seq} {} cannot be read; \
     entries below it are intact; restore this file from a backup",
    match .next_seq { Some(next) => format!("to {}", next - 1), None => "on".into() }
)]
pub struct Damage {
    pub file: String,
    /// Where in it the first unreadable frame starts, in bytes.
    pub offset: u64,
    /// The number of that frame.
    pub frame_no: u64,
    /// The first sequence that cannot be read.
    pub first_seq: u64,
    /// The first sequence of the next intact frame of this segment, where one was found.
    pub next_seq: Option<u64>,
    /// What is wrong with the bytes.
    pub what: String,
}

/// An unsealed end that was never known to be durable, and is no frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cut {
    pub file: String,
    /// Where the log ends now.
    pub offset: u64,
    /// Bytes from there to the last one that is not zero.
    pub bytes: u64,
    /// What was wrong with the first of them.
    pub what: String,
}
