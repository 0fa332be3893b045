//! What lies on disk: the data directory, the log and the table of accepted ids.

pub mod disk;
pub mod identity;
pub mod log;
pub mod dedup;
pub mod directory;
