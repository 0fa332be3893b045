//! From durable entries to what is true: the workers that fold accounts and the view that readers see.

pub mod history;
pub mod view;
pub mod worker;
pub mod workers;
