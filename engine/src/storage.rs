//! What lies on disk: the log, the table of accepted ids, and the directory that holds both.

pub mod dedup;
pub mod directory;
pub mod disk;
pub mod identity;
pub mod log;
