//! How events reach us: bytes at a position become validated events, and nothing is lost on the way.
//!
//! ```text
//! Source::poll ─▶ RawBatch ─▶ decode (native or mapped) ─▶ Batch {events, rejections, progress} ─▶ sequencer
//! ```
//!
//! Progress travels with the records it covers, into the same frame of the log; the broker's own commits are for
//! lag tools only.

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
