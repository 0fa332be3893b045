//! What is true of an account: vocabulary, state, metrics. Pure: no IO, no clock, no async, no failure.
//!
//! Events that reach this crate were accepted; what they mean is `docs/ARCHITECTURE.md` and the health model.

pub mod account;
pub mod activity;
pub mod calendar;
pub mod canonical;
pub mod decimal;
pub mod entities;
pub mod event;
pub mod filter;
pub mod invoice;
pub mod metric;
pub mod model;
pub mod model_error;
pub mod names;
pub mod parked;
pub mod plan;
pub mod planted;
pub mod roster;
pub mod seen;
pub mod series;
pub mod settings;
pub mod status;
pub mod subscription;
pub mod tenant;
pub mod ticket;
pub mod timeline;
pub mod value;
pub mod vocabulary;
