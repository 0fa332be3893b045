//! The machine of Tidewatch: everything between a decoded batch and an answer.

pub mod disk;
pub mod log;
pub mod planted;
