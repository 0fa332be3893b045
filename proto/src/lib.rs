//! The contracts of Tidewatch, generated from `proto/*.proto`: events and services in `tidewatch.v1`, records of the
//! log in `tidewatch.log.v1`, versioned apart because a log outlives every API.
//!
//! Types of this crate stop at the edges: decoders turn them into the domain's, services turn the domain's into them.

#![warn(missing_docs)]

mod facts;

pub use prost;
pub use prost_types;

/// The API, version 1: events and services.
#[expect(clippy::allow_attributes, reason = "the generator of the services writes them")]
pub mod v1 {
    tonic::include_proto!("tidewatch.v1");
}

/// The log, versioned apart from the API.
pub mod log {
    /// Version 1: control entries.
    pub mod v1 {
        tonic::include_proto!("tidewatch.log.v1");
    }
}

/// The descriptors of every contract with all imports and comments, an encoded `FileDescriptorSet`: what server
/// reflection serves.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));
