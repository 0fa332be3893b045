//! Folds durable entries into account states and publishes them as a view.

pub mod compile;
pub mod intake;
pub mod view;
pub mod worker;
pub mod workers;
pub mod day_close;
pub mod step;
pub mod replay;
pub mod history;
pub mod refold;
pub mod served;
