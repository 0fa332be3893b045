//! The program and a real broker, from records to answers. Needs `TIDEWATCH_BROKERS`, or Maven and a JDK to start one.

#[expect(dead_code, reason = "the reader's own tests do more to a broker")]
#[path = "../../../ingest/tests/support/mod.rs"]
mod broker;
#[path = "../remote/child.rs"]
mod child;
#[path = "../shard/dataset.rs"]
mod dataset;
mod expected;
mod program;
mod reset;
mod stops;
#[expect(dead_code, reason = "the tests of a shard by itself do more to it")]
#[path = "../shard/support.rs"]
mod support;
mod trace;
#[path = "../shard/wait.rs"]
mod wait;
