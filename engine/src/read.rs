//! From a view and the log below it to an answer, now or at any instant of the past.

pub mod account;
pub mod digest;
pub mod exactness;
pub mod index;
pub mod past;
pub mod scan;
pub mod snapshot;
