//! Laws of the fold and the evaluators, held against drawn events.

mod drafts;
mod health;
mod metrics;
