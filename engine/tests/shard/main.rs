//! A whole shard from files to answers.

mod expected;
mod pipeline;
mod support;
