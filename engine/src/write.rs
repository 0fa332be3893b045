//! From a decoded batch or a command to a durable frame.

pub mod queues;
pub mod sequencer;
pub mod writer;
pub mod recovery;
