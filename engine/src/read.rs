//! Answers reads from a view and the log below it, at the live instant or in the past.

pub mod snapshot;
pub mod account;
pub mod scan;
pub mod past;
pub mod answer;
pub mod health;
pub mod newest_events;
pub mod evidence;
pub mod cells;
pub mod preview;
pub mod digest;
pub mod admission;
pub mod estimate;
pub mod scheduler;
pub mod index;
