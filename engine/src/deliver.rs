//! Delivers messages to receivers, at least once and in order for each case. Knows nothing of the log: what is to be delivered
//! is queued from outside, and what became of it is told back (alerts §6).

pub mod message;
pub mod words;
