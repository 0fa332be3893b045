//! The machine of Tidewatch: everything between a decoded batch and an answer.

pub mod dedup;
pub mod disk;
pub mod log;
pub mod meters;
pub mod planted;
pub mod position;
pub mod serve;
pub mod telemetry;
