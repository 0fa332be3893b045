//! What is true of an account: vocabulary, state, metrics. Pure: no IO, no clock, no async, no failure.
//!
//! Events that reach this crate were accepted; what they mean is `docs/ARCHITECTURE.md` and the health model.

#![warn(missing_docs)]

pub mod names;
pub mod decimal;
pub mod value;
pub mod scalar;
pub mod severity;
pub mod vocabulary;
pub mod event;
pub mod calendar;
pub mod settings;
pub mod planted;
pub mod timeline;
pub mod seen;
pub mod entities;
pub mod roster;
pub mod subscription;
pub mod invoice;
pub mod ticket;
pub mod parked;
pub mod tenant;
pub mod model_error;
pub mod filter;
pub mod model;
pub mod days;
pub mod activity;
pub mod series;
pub mod plan;
pub mod account;
pub mod canonical;
pub mod context;
pub mod status;
pub mod account_at;
pub mod metric;
pub mod health;
pub mod drop;
pub mod rules;
pub mod alert;
