//! The drop detector: tells from an account's last 98 days whether its activity fell, stopped, or declines (drop-detection).
//!
//! Pure functions of daily counts, the account's age, and what was usual in the fleet. [`verdict::evaluate`] judges one
//! account on one day, [`decline::decline`] its last fourteen weeks, and [`detectable::Detectable`] says how soon a fall would
//! be noticed at all. What the fleet gives ([`fleet_day`], [`fleet_pattern`], [`fleet_prior`]) is added up account by account,
//! always in the order of accounts. Logarithms and powers come from `libm`, so that every machine finds the same.

pub mod beta;
mod median;
pub mod parameters;
pub mod history;
mod pattern;
pub mod tail;
mod window;
pub mod silence;
pub mod verdict;
mod text;
pub mod decline;
pub mod baseline;
pub mod fleet_day;
pub mod fleet_pattern;
pub mod fleet_prior;
pub mod detectable;
#[cfg(test)]
mod tests;
