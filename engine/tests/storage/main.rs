//! The log, the disk below it and deduplication beside it, as the engine uses them.

mod account_index;
mod classify;
mod crash;
mod damage;
mod dedup;
mod golden;
mod hostile;
mod roundtrip;
mod support;
