//! From durable entries to what is true: the workers that fold accounts and the view that readers see.

pub mod view;
pub mod worker;
pub mod workers;
pub mod day_close;
pub mod step;
pub mod replay;
pub mod history;
