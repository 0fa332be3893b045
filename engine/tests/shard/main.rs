//! A whole shard from files to answers.

mod alerts;
mod cells;
mod dataset;
mod dead_letters;
mod disk_full;
mod expected;
mod health;
mod models;
mod pipeline;
mod refold;
mod rejection_rate;
mod support;
mod wait;
