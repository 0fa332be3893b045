//! Alerts: what the rules say of every account when a day closes, and what becomes of it (alerts §1–5).
//!
//! Pure: [`fleet`] adds up what is usual, [`judge`] says of one account what each rule finds, [`life`] what that makes of one
//! alert, [`close`] what a whole close decides. [`record`] is the fold of what was decided. The replay of rules over the past
//! and the running engine share all of it.

pub mod change;
pub mod figures;
pub mod record;
pub mod life;
pub mod watch;
pub mod activity;
pub mod fleet;
pub mod fall;
pub mod judge;
pub mod close;
pub mod case;
pub mod book;
#[cfg(test)]
mod tests;
