//! How events reach us: bytes at a position become validated events, and nothing is lost on the way.
//!
//! ```text
//! Source::poll ─▶ RawBatch ─▶ decode (native or mapped) ─▶ Batch {events, rejections, progress} ─▶ sequencer
//! ```
//!
//! Progress travels with the records it covers, into the same frame of the log; the broker's own commits are for
//! lag tools only.

pub mod batch;
pub mod checkpoint;
pub mod content;
pub mod contract;
pub mod decode;
pub mod draft;
pub mod files;
pub mod fleet;
pub mod json;
pub mod kafka;
pub mod limits;
pub mod mapping;
pub mod native;
pub mod reject;
pub mod source;
pub mod time;
