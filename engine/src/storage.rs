//! What lies on disk: the data directory, the log, the table of accepted ids and the index of accounts.

pub mod disk;
pub mod identity;
pub mod log;
pub mod account_index;
pub mod dedup;
pub mod directory;
