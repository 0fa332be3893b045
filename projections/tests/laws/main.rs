//! Laws of the fold, the evaluators and the drop detector, held against drawn events and accounts.

mod drafts;
mod drop;
mod health;
mod metrics;
