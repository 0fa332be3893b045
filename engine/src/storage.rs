//! What lies on disk: the log, the table of accepted ids, and the directory that holds both.

pub mod disk;
pub mod identity;
pub mod log;
pub mod dedup;
pub mod directory;
