//! The machine of Tidewatch: everything between a decoded batch and an answer.

pub mod app;
pub mod basis;
pub mod books;
pub mod cli;
pub mod clock;
pub mod control;
pub mod dedup;
pub mod digest;
pub mod directory;
pub mod disk;
pub mod fold;
pub mod history;
pub mod identity;
pub mod lanes;
pub mod log;
pub mod meters;
pub mod planted;
pub mod position;
pub mod recovery;
pub mod scan;
pub mod sequencer;
pub mod serve;
pub mod telemetry;
pub mod view;
pub mod worker;
pub mod writer;
