//! The API as a client meets it: real sockets, a real client, a real data directory.

mod accounts;
mod dead_letters;
mod evidence;
mod explain;
mod health;
mod imports;
mod logs;
mod metrics;
mod models;
mod operators;
mod read_only;
mod overrides;
mod past;
mod settings;
mod sources;
mod support;
mod watch;
