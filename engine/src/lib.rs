//! The machine of Tidewatch: everything between a decoded batch and an answer.
//!
//! Rooms stand in the order of the data's way, each using only those above it: `storage` and `control` are what the log says,
//! `fold` turns it into state, `write` adds to it, `read` answers from it, `deliver` tells receivers, `app` runs the threads around them, `serve` and
//! `cli` are the ways in. The files above them are what all of them stand on.

pub mod cancellation;
pub mod clock;
pub mod failpoint;
pub mod meters;
pub mod planted;
pub mod position;
pub mod telemetry;

pub mod storage;
pub mod control;
pub mod fold;
pub mod write;
pub mod read;
pub mod decide;
pub mod deliver;
pub mod app;
pub mod serve;
pub mod config;
pub mod cli;
