//! Turns decoded batches and commands into durable frames.

pub mod queues;
pub mod linger;
pub mod sequencer;
pub mod writer;
pub mod recovery;
