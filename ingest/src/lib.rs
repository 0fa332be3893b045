//! Reads records from sources and decodes them into validated events; each record ends as an event, a dead letter or a
//! filtered record.
//!
//! ```text
//! Source::poll ─▶ RawBatch ─▶ decode (native or mapped) ─▶ Batch {events, rejections, progress} ─▶ sequencer
//! ```
//!
//! Checkpoints travel with the records they cover, into the same frame of the log; offsets are committed to the broker for
//! lag monitoring only.

#![warn(missing_docs)]

pub mod random;
pub mod reject;
pub mod limits;
pub mod checkpoint;
pub mod batch;
pub mod source;
pub mod time;
pub mod json;
pub mod contract;
pub mod content;
pub mod draft;
pub mod native;
pub mod mapping;
pub mod decode;
pub mod files;
pub mod fleet;
pub mod kafka;
