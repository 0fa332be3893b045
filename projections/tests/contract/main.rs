//! Sentences of the contract (health-model), each as a test by its own name, with figures worked out by hand.

mod bands;
mod changes;
mod default_model;
mod evidence;
mod merges;
mod metrics;
mod points;
mod profiles;
mod stale;
mod states;
mod tale;
mod weights;
