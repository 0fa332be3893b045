//! Answers reads from a view and the log below it, at the live instant or in the past.

pub mod snapshot;
pub mod account;
pub mod exactness;
pub mod scan;
pub mod past;
pub mod digest;
pub mod admission;
pub mod estimate;
pub mod scheduler;
pub mod index;
