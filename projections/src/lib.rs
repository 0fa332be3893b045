//! What is true of an account: vocabulary, state, metrics. Pure: no IO, no clock, no async, no failure.
//!
//! Events that reach this crate were accepted; what they mean is `docs/ARCHITECTURE.md` and the health model.

pub mod decimal;
pub mod event;
pub mod names;
pub mod value;
pub mod vocabulary;
