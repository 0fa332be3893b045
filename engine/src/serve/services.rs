//! The gRPC services, one file each.

pub mod accounts;
pub mod alerts;
pub mod dead_letters;
pub mod health;
pub mod imports;
pub mod logs;
pub mod metrics;
pub mod models;
pub mod server;
pub mod settings;
pub mod sources;

/// Longest request message, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
