//! From a view and the log below it to an answer, now or at any instant of the past.

pub mod snapshot;
pub mod account;
pub mod exactness;
pub mod scan;
pub mod past;
pub mod digest;
pub mod index;
